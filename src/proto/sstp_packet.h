/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/sstp_packet.h -- the packets of SSTP (MS-SSTP 2.2): cut out of the stream, read and made.
 *
 * Behind the HTTP exchange, packets follow one another on the TLS stream; where records and reads
 * begin means nothing.  A packet has a header of 4 bytes; a data packet then is one PPP frame, a
 * control packet a message with attributes.
 */
#ifndef GINNEL_PROTO_SSTP_PACKET_H
#define GINNEL_PROTO_SSTP_PACKET_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SSTP_HEADER = 4,
	SSTP_PACKET_MAX = 4095, /* the length has 12 bits */
	SSTP_FRAME_MAX = SSTP_PACKET_MAX - SSTP_HEADER,
	SSTP_NONCE = 32,
	SSTP_HASH = 32,		   /* of a certificate, or a MAC; SHA-1's are padded with zeros */
	SSTP_CONNECTED_SIZE = 112, /* CALL_CONNECTED as a whole, */
	SSTP_CONNECTED_MAC = 80,   /* and where its MAC begins */
	SSTP_ATTRIBUTES_MAX = 8,   /* that are kept of a message; none needs more than one */
	SSTP_CONTROL_MAX = 8 + SSTP_ATTRIBUTES_MAX * 16, /* the longest that we make is shorter */
};

enum sstp_type {
	SSTP_CALL_CONNECT_REQUEST = 1,
	SSTP_CALL_CONNECT_ACK,
	SSTP_CALL_CONNECT_NAK,
	SSTP_CALL_CONNECTED,
	SSTP_CALL_ABORT,
	SSTP_CALL_DISCONNECT,
	SSTP_CALL_DISCONNECT_ACK,
	SSTP_ECHO_REQUEST,
	SSTP_ECHO_RESPONSE,
	SSTP_TYPES,
};

enum sstp_attribute_id {
	SSTP_NO_ATTRIBUTE,
	SSTP_ENCAPSULATED_PROTOCOL,
	SSTP_STATUS_INFO,
	SSTP_CRYPTO_BINDING,
	SSTP_CRYPTO_BINDING_REQ,
	SSTP_ATTRIBUTE_IDS,
};

/* MS-SSTP 2.2.8 */
enum sstp_status {
	SSTP_NO_ERROR,
	SSTP_DUPLICATE_ATTRIBUTE,
	SSTP_UNRECOGNIZED_ATTRIBUTE,
	SSTP_INVALID_LENGTH,
	SSTP_VALUE_NOT_SUPPORTED,
	SSTP_UNACCEPTED_FRAME,
	SSTP_RETRY_COUNT_EXCEEDED,
	SSTP_INVALID_FRAME,
	SSTP_NEGOTIATION_TIMEOUT,
	SSTP_ATTRIBUTE_NOT_SUPPORTED,
	SSTP_ATTRIBUTE_MISSING,
	SSTP_STATUS_INFO_NOT_SUPPORTED,
	SSTP_STATUSES,
};

/* Hash protocols, as bits. */
enum sstp_hash { SSTP_SHA1 = 1, SSTP_SHA256 = 2 };

/* ---- the stream ---- */

enum sstp_cut {
	SSTP_MORE, /* the packet is not all there */
	SSTP_WHOLE,
	SSTP_BROKEN, /* this is no SSTP; nothing behind it can be trusted */
};

struct sstp_packet {
	bool control;
	size_t length;	     /* of all of it */
	const uint8_t *body; /* behind the header */
	size_t body_size;
};

/* The packet at the head of `n` bytes. */
enum sstp_cut sstp_packet_cut(const uint8_t *bytes, size_t n, struct sstp_packet *) MUST_CHECK;

/* The header of a data packet that holds a frame of `n` bytes. */
void sstp_packet_data_header(size_t n, uint8_t out[SSTP_HEADER]);

/* ---- control messages ---- */

struct sstp_attribute {
	uint8_t id;
	size_t size; /* of the value */
	const uint8_t *value;
};

/* A message as it came; the values lie in the packet. */
struct sstp_message {
	uint16_t type;
	unsigned count; /* of attributes that are here */
	struct sstp_attribute attribute[SSTP_ATTRIBUTES_MAX];
};

/* False: the message contradicts itself (counts or lengths), or has too many attributes. */
bool sstp_packet_read(const struct sstp_packet *, struct sstp_message *) MUST_CHECK;

/* The one attribute with that id; NULL: none, or several. */
const struct sstp_attribute *sstp_packet_find(const struct sstp_message *, uint8_t id);

/* What is wrong with an attribute, or with its absence. */
struct sstp_fault {
	uint8_t id;
	uint32_t status;
	const uint8_t *value; /* what was not supported; NULL: nothing to quote */
	size_t size;
};

/* The faults of a CALL_CONNECT_REQUEST; none: 0.  `out` has room for all attributes and one more.
 */
unsigned sstp_packet_check_request(
    const struct sstp_message *, struct sstp_fault out[SSTP_ATTRIBUTES_MAX + 1]);

/* The status in ABORT, DISCONNECT or NAK; NO_ERROR if there is none (both forms are in use). */
uint32_t sstp_packet_status(const struct sstp_message *, uint8_t *about);

/* The four that have contents. */
struct sstp_binding_request {
	uint8_t hashes; /* bits that the server can do */
	const uint8_t *nonce;
};
bool sstp_packet_read_ack(const struct sstp_message *, struct sstp_binding_request *) MUST_CHECK;

struct sstp_binding_proof {
	uint8_t hash;
	const uint8_t *nonce, *cert_hash, *mac;
};
bool sstp_packet_read_connected(
    const struct sstp_message *, struct sstp_binding_proof *) MUST_CHECK;

/* Each returns the number of bytes in `out`. */
size_t sstp_packet_make_plain(enum sstp_type, uint8_t out[SSTP_CONTROL_MAX]);
size_t sstp_packet_make_request(uint8_t out[SSTP_CONTROL_MAX]);
size_t sstp_packet_make_ack(
    uint8_t hashes, const uint8_t nonce[SSTP_NONCE], uint8_t out[SSTP_CONTROL_MAX]);
size_t sstp_packet_make_nak(
    const struct sstp_fault *, unsigned count, uint8_t out[SSTP_CONTROL_MAX]);
/* With zeros where the MAC belongs. */
size_t sstp_packet_make_connected(uint8_t hash, const uint8_t nonce[SSTP_NONCE],
    const uint8_t cert_hash[SSTP_HASH], uint8_t out[SSTP_CONTROL_MAX]);
/* ABORT or DISCONNECT, always with a status: some clients ignore a bare one. */
size_t sstp_packet_make_farewell(
    enum sstp_type, uint8_t about, enum sstp_status, uint8_t out[SSTP_CONTROL_MAX]);

/* For a log. */
const char *sstp_packet_type_name(uint16_t type);
const char *sstp_packet_status_name(uint32_t status);

#endif
