/* SPDX-License-Identifier: Apache-2.0 */
/* tls/hello.h -- a look at the ClientHello before anything is spent on it (RFC 8446 4.1.2, RFC 6066
 * 3). */
#ifndef GINNEL_TLS_HELLO_H
#define GINNEL_TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hello_result {
	HELLO_MORE,    /* so far a ClientHello; not all here */
	HELLO_DONE,    /* complete */
	HELLO_BAD,     /* TLS, but malformed */
	HELLO_NOT_TLS, /* something else */
	HELLO_HTTP,    /* a plain HTTP request */
};

enum {
	HELLO_MAX = 64 * 1024, /* over all its records, headers included */
	SNI_MAX = 255,
};

struct hello {
	char sni[SNI_MAX + 1]; /* lower case, without a final dot; "" if none */
	uint16_t version_max;  /* the highest the client offers; 0x0304 is TLS 1.3 */
	/* ALPN's list as on the wire (RFC 7301 3.1: length-prefixed names), inside a copy; "" if
	 * none */
	uint8_t alpn[256];
	size_t alpn_len;
};

/* Look at `n` bytes; *out is filled when the result is HELLO_DONE.  Never keeps a pointer. */
enum hello_result hello_read(const uint8_t *, size_t n, struct hello *out);

/* The name in the body of a server_name extension, in the form of hello.sni.  False: malformed. */
bool hello_read_sni(const uint8_t *, size_t n, char out[SNI_MAX + 1]);

#endif
