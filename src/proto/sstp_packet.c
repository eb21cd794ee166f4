/* SPDX-License-Identifier: Apache-2.0 */
/* proto/sstp_packet.c -- the packets of SSTP (MS-SSTP 2.2): cut out of the stream, read and made.
 */
#include "proto/sstp_packet.h"

#include "base/rd.h"

#include <string.h>

enum {
	VERSION = 0x10,
	CONTROL = 0x01,	      /* the other bits of that byte are reserved: ignored */
	LENGTH_MASK = 0x0fff, /* the upper four bits are reserved, too */
	CONTROL_HEADER = 8,   /* of a message: with its type and number of attributes */
	ATTRIBUTE_HEADER = 4,
	PROTOCOL_PPP = 1,
	QUOTE_MAX = 4, /* of a value in a NAK; 64 are allowed, and the only value has 2 */
	/* Sizes of the values */
	VALUE_PROTOCOL = 2,
	VALUE_STATUS = 8,
	VALUE_BINDING_REQ = 36,
	VALUE_BINDING = 100,
};

/* ---- the stream ---- */

enum sstp_cut
sstp_packet_cut(const uint8_t *bytes, size_t n, struct sstp_packet *p)
{
	struct rd r = rd_of(bytes, n);
	uint8_t version = rd_u8(&r), flags = rd_u8(&r);
	size_t length = rd_u16(&r) & LENGTH_MASK;

	if (n >= 1 && version != VERSION)
		return SSTP_BROKEN;
	if (r.bad)
		return SSTP_MORE;
	p->control = (flags & CONTROL) != 0;
	if (length < SSTP_HEADER || (p->control && length < CONTROL_HEADER))
		return SSTP_BROKEN;
	if (n < length)
		return SSTP_MORE;
	p->length = length;
	p->body = bytes + SSTP_HEADER;
	p->body_size = length - SSTP_HEADER;
	return SSTP_WHOLE;
}

static uint8_t *
put_u16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *
put_header(uint8_t *p, uint8_t flags, size_t length)
{
	p[0] = VERSION;
	p[1] = flags;
	return put_u16(p + 2, length);
}

void
sstp_packet_data_header(size_t n, uint8_t out[SSTP_HEADER])
{
	MUST(n <= SSTP_FRAME_MAX);
	(void)put_header(out, 0, SSTP_HEADER + n);
}

/* ---- reading ---- */

static bool
read_attribute(struct rd *r, struct sstp_attribute *a)
{
	size_t length;

	(void)rd_u8(r); /* reserved */
	a->id = rd_u8(r);
	length = rd_u16(r) & LENGTH_MASK;
	if (r->bad || length < ATTRIBUTE_HEADER)
		return false;
	a->size = length - ATTRIBUTE_HEADER;
	a->value = rd_bytes(r, a->size);
	return a->value != NULL;
}

bool
sstp_packet_read(const struct sstp_packet *p, struct sstp_message *m)
{
	struct rd r = rd_of(p->body, p->body_size);
	unsigned count;

	m->type = rd_u16(&r);
	count = rd_u16(&r);
	m->count = 0;
	if (r.bad || count > SSTP_ATTRIBUTES_MAX)
		return false;
	for (; m->count < count; m->count++)
		if (!read_attribute(&r, &m->attribute[m->count]))
			return false;
	return rd_left(&r) == 0;
}

const struct sstp_attribute *
sstp_packet_find(const struct sstp_message *m, uint8_t id)
{
	const struct sstp_attribute *found = NULL;

	for (unsigned i = 0; i < m->count; i++) {
		if (m->attribute[i].id != id)
			continue;
		if (found != NULL)
			return NULL;
		found = &m->attribute[i];
	}
	return found;
}

static bool
came_before(const struct sstp_message *m, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (m->attribute[k].id == m->attribute[i].id)
			return true;
	return false;
}

/* Does the status attribute of a request say something? */
static bool
says_an_error(const struct sstp_attribute *a)
{
	struct rd r = rd_of(a->value, a->size);

	(void)rd_uint(&r, 4); /* reserved, and what it is about */
	return rd_uint(&r, 4) != SSTP_NO_ERROR || r.bad;
}

/* What is wrong with one attribute of a request. */
static enum sstp_status
fault_of(const struct sstp_message *m, unsigned i)
{
	const struct sstp_attribute *a = &m->attribute[i];
	struct rd r = rd_of(a->value, a->size);

	if (a->id == SSTP_NO_ATTRIBUTE || a->id >= SSTP_ATTRIBUTE_IDS)
		return SSTP_UNRECOGNIZED_ATTRIBUTE;
	if (came_before(m, i))
		return SSTP_DUPLICATE_ATTRIBUTE;
	if (a->id == SSTP_STATUS_INFO)
		return says_an_error(a) ? SSTP_STATUS_INFO_NOT_SUPPORTED : SSTP_NO_ERROR;
	if (a->id != SSTP_ENCAPSULATED_PROTOCOL)
		return SSTP_ATTRIBUTE_NOT_SUPPORTED;
	if (a->size != VALUE_PROTOCOL)
		return SSTP_INVALID_LENGTH;
	return rd_u16(&r) == PROTOCOL_PPP ? SSTP_NO_ERROR : SSTP_VALUE_NOT_SUPPORTED;
}

unsigned
sstp_packet_check_request(
    const struct sstp_message *m, struct sstp_fault out[SSTP_ATTRIBUTES_MAX + 1])
{
	bool has_protocol = false;
	unsigned n = 0;

	for (unsigned i = 0; i < m->count; i++) {
		const struct sstp_attribute *a = &m->attribute[i];
		enum sstp_status fault = fault_of(m, i);

		has_protocol |= a->id == SSTP_ENCAPSULATED_PROTOCOL;
		if (fault == SSTP_NO_ERROR)
			continue;
		out[n] = (struct sstp_fault){ .id = a->id, .status = fault };
		if (fault == SSTP_VALUE_NOT_SUPPORTED) {
			out[n].value = a->value;
			out[n].size = a->size;
		}
		n++;
	}
	if (!has_protocol)
		/* MS-SSTP 2.2.10: about the status attribute, as Windows has it */
		out[n++] =
		    (struct sstp_fault){ .id = SSTP_STATUS_INFO, .status = SSTP_ATTRIBUTE_MISSING };
	return n;
}

uint32_t
sstp_packet_status(const struct sstp_message *m, uint8_t *about)
{
	const struct sstp_attribute *a = sstp_packet_find(m, SSTP_STATUS_INFO);
	struct rd r;
	uint32_t status;

	*about = SSTP_NO_ATTRIBUTE;
	if (a == NULL)
		return SSTP_NO_ERROR;
	r = rd_of(a->value, a->size);
	(void)rd_u24(&r); /* reserved */
	*about = rd_u8(&r);
	status = rd_uint(&r, 4);
	return r.bad ? SSTP_NO_ERROR : status;
}

bool
sstp_packet_read_ack(const struct sstp_message *m, struct sstp_binding_request *out)
{
	const struct sstp_attribute *a = sstp_packet_find(m, SSTP_CRYPTO_BINDING_REQ);
	struct rd r;

	if (a == NULL || a->size != VALUE_BINDING_REQ)
		return false;
	r = rd_of(a->value, a->size);
	(void)rd_u24(&r); /* reserved */
	out->hashes = rd_u8(&r);
	out->nonce = rd_bytes(&r, SSTP_NONCE);
	return !r.bad;
}

bool
sstp_packet_read_connected(const struct sstp_message *m, struct sstp_binding_proof *out)
{
	const struct sstp_attribute *a = sstp_packet_find(m, SSTP_CRYPTO_BINDING);
	struct rd r;

	if (a == NULL || a->size != VALUE_BINDING || m->count != 1)
		return false;
	r = rd_of(a->value, a->size);
	(void)rd_u24(&r); /* reserved */
	out->hash = rd_u8(&r);
	out->nonce = rd_bytes(&r, SSTP_NONCE);
	out->cert_hash = rd_bytes(&r, SSTP_HASH);
	out->mac = rd_bytes(&r, SSTP_HASH);
	return !r.bad;
}

/* ---- making ---- */

static uint8_t *
put_message(uint8_t *p, enum sstp_type type, unsigned attributes)
{
	return put_u16(put_u16(p + SSTP_HEADER, type), attributes);
}

/* The header of an attribute whose value has `size` bytes. */
static uint8_t *
put_attribute(uint8_t *p, enum sstp_attribute_id id, size_t size)
{
	p[0] = 0;
	p[1] = (uint8_t)id;
	return put_u16(p + 2, ATTRIBUTE_HEADER + size);
}

/* Three reserved bytes and one that says something. */
static uint8_t *
put_tagged(uint8_t *p, uint8_t tag)
{
	memset(p, 0, 3);
	p[3] = tag;
	return p + 4;
}

static uint8_t *
put_bytes(uint8_t *p, const uint8_t *from, size_t n)
{
	if (n > 0) /* else there may be nothing at `from` */
		memcpy(p, from, n);
	return p + n;
}

/* The header in front, now that the end is known. */
static size_t
close_message(uint8_t *out, const uint8_t *end)
{
	size_t length = (size_t)(end - out);

	(void)put_header(out, CONTROL, length);
	return length;
}

size_t
sstp_packet_make_plain(enum sstp_type type, uint8_t out[SSTP_CONTROL_MAX])
{
	return close_message(out, put_message(out, type, 0));
}

size_t
sstp_packet_make_request(uint8_t out[SSTP_CONTROL_MAX])
{
	uint8_t *p = put_message(out, SSTP_CALL_CONNECT_REQUEST, 1);

	p = put_attribute(p, SSTP_ENCAPSULATED_PROTOCOL, VALUE_PROTOCOL);
	return close_message(out, put_u16(p, PROTOCOL_PPP));
}

size_t
sstp_packet_make_ack(uint8_t hashes, const uint8_t nonce[SSTP_NONCE], uint8_t out[SSTP_CONTROL_MAX])
{
	uint8_t *p = put_message(out, SSTP_CALL_CONNECT_ACK, 1);

	p = put_attribute(p, SSTP_CRYPTO_BINDING_REQ, VALUE_BINDING_REQ);
	return close_message(out, put_bytes(put_tagged(p, hashes), nonce, SSTP_NONCE));
}

static uint8_t *
put_status(uint8_t *p, uint8_t about, uint32_t status, const uint8_t *quote, size_t size)
{
	p = put_attribute(p, SSTP_STATUS_INFO, VALUE_STATUS + size);
	p = put_tagged(p, about);
	p = put_u16(p, 0);
	p = put_u16(p, status);
	return put_bytes(p, quote, size);
}

size_t
sstp_packet_make_nak(const struct sstp_fault *fault, unsigned count, uint8_t out[SSTP_CONTROL_MAX])
{
	unsigned n = count < SSTP_ATTRIBUTES_MAX ? count : SSTP_ATTRIBUTES_MAX;
	uint8_t *p = put_message(out, SSTP_CALL_CONNECT_NAK, n);

	for (unsigned i = 0; i < n; i++) {
		size_t quoted =
		    fault[i].value != NULL && fault[i].size <= QUOTE_MAX ? fault[i].size : 0;

		p = put_status(p, fault[i].id, fault[i].status, fault[i].value, quoted);
	}
	return close_message(out, p);
}

size_t
sstp_packet_make_connected(uint8_t hash, const uint8_t nonce[SSTP_NONCE],
    const uint8_t cert_hash[SSTP_HASH], uint8_t out[SSTP_CONTROL_MAX])
{
	uint8_t *p = put_message(out, SSTP_CALL_CONNECTED, 1);

	p = put_attribute(p, SSTP_CRYPTO_BINDING, VALUE_BINDING);
	p = put_bytes(put_tagged(p, hash), nonce, SSTP_NONCE);
	p = put_bytes(p, cert_hash, SSTP_HASH);
	memset(p, 0, SSTP_HASH);
	return close_message(out, p + SSTP_HASH);
}

size_t
sstp_packet_make_farewell(
    enum sstp_type type, uint8_t about, enum sstp_status status, uint8_t out[SSTP_CONTROL_MAX])
{
	uint8_t *p = put_message(out, type, 1);

	return close_message(out, put_status(p, about, status, NULL, 0));
}

/* ---- words ---- */

const char *
sstp_packet_type_name(uint16_t type)
{
	static const char *const names[SSTP_TYPES] = {
		[SSTP_CALL_CONNECT_REQUEST] = "CALL_CONNECT_REQUEST",
		[SSTP_CALL_CONNECT_ACK] = "CALL_CONNECT_ACK",
		[SSTP_CALL_CONNECT_NAK] = "CALL_CONNECT_NAK",
		[SSTP_CALL_CONNECTED] = "CALL_CONNECTED",
		[SSTP_CALL_ABORT] = "CALL_ABORT",
		[SSTP_CALL_DISCONNECT] = "CALL_DISCONNECT",
		[SSTP_CALL_DISCONNECT_ACK] = "CALL_DISCONNECT_ACK",
		[SSTP_ECHO_REQUEST] = "ECHO_REQUEST",
		[SSTP_ECHO_RESPONSE] = "ECHO_RESPONSE",
	};

	return type < SSTP_TYPES && names[type] != NULL ? names[type]
							: "a message of no known type";
}

const char *
sstp_packet_status_name(uint32_t status)
{
	static const char *const names[SSTP_STATUSES] = {
		[SSTP_NO_ERROR] = "no error",
		[SSTP_DUPLICATE_ATTRIBUTE] = "duplicate attribute",
		[SSTP_UNRECOGNIZED_ATTRIBUTE] = "unrecognized attribute",
		[SSTP_INVALID_LENGTH] = "invalid length of an attribute",
		[SSTP_VALUE_NOT_SUPPORTED] = "value not supported",
		[SSTP_UNACCEPTED_FRAME] = "message out of place",
		[SSTP_RETRY_COUNT_EXCEEDED] = "too many attempts",
		[SSTP_INVALID_FRAME] = "malformed message",
		[SSTP_NEGOTIATION_TIMEOUT] = "negotiation took too long",
		[SSTP_ATTRIBUTE_NOT_SUPPORTED] = "attribute not supported in this message",
		[SSTP_ATTRIBUTE_MISSING] = "required attribute missing",
		[SSTP_STATUS_INFO_NOT_SUPPORTED] = "status not supported in this message",
	};

	return status < SSTP_STATUSES ? names[status] : "a status of no known meaning";
}
