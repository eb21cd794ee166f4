/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/proxy_header.h -- the header of the PROXY protocol: who the client is, for a backend that
 * sees only us (haproxy's doc/proxy-protocol.txt).
 *
 * IPv4 on an IPv6 socket is told as IPv4.  Where one of the addresses is none of TCP over IP, or
 * they are of two families, the header says that nothing is known.
 */
#ifndef GINNEL_PROTO_PROXY_HEADER_H
#define GINNEL_PROTO_PROXY_HEADER_H

#include "net/addr.h"

enum {
	PROXY_HEADER_V1_MAX = 107, /* doc/proxy-protocol.txt 2.1, with CRLF */
	PROXY_HEADER_V2_MAX = 4096,
	PROXY_HEADER_SIGNATURE = 12,
	PROXY_HEADER_UNIQUE_ID = 0x05, /* the type of its TLV */
};

extern const uint8_t proxy_header_signature[PROXY_HEADER_SIGNATURE]; /* of version 2 */

/* Bytes of somebody else; n 0: none. */
struct proxy_bytes {
	const void *p;
	size_t n;
};

/* What version 2 can tell beyond the addresses, each only if it is there (2.2.1 to 2.2.6). */
struct proxy_facts {
	struct proxy_bytes alpn;      /* the protocol that TLS agreed on */
	struct proxy_bytes authority; /* the name that the client asked for */
	struct proxy_bytes unique_id; /* at most 128 bytes */
	bool checksum;
	struct {
		bool is_there; /* the client's TLS ends here */
		struct proxy_bytes version, cipher;
		struct proxy_bytes cn, cert; /* of the client's certificate; cert in DER */
		bool has_cert, cert_is_old;  /* it was shown; ... when the session began */
		bool verified;
	} tls;
	/* TLVs of the header that came in; those that are told anew here are left out. */
	struct proxy_bytes passed_on;
};

/* Version 1, text, with a NUL behind it; returns its length. */
size_t proxy_header_v1(
    char out[PROXY_HEADER_V1_MAX + 1], const struct addr *client, const struct addr *accepted);

/* Version 2, binary; returns its length.  0: it would be too long, and half of it would be a lie.
 */
size_t proxy_header_v2(uint8_t out[PROXY_HEADER_V2_MAX], const struct addr *client,
    const struct addr *accepted, const struct proxy_facts *) MUST_CHECK;

/* Is there a TLV of this type among them? */
bool proxy_header_has(const struct proxy_bytes *tlvs, uint8_t type);

/* CRC32c (RFC 4960, appendix B) of `n` more bytes; begin with 0. */
uint32_t proxy_header_crc32c(uint32_t crc, const void *, size_t n);

#endif
