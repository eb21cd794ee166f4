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
	PROXY_HEADER_NAME_MAX = 255,
	PROXY_HEADER_V2_MAX = 16 + 36 + 3 + PROXY_HEADER_NAME_MAX,
};

/* Version 1, text, with a NUL behind it; returns its length. */
size_t proxy_header_v1(
    char out[PROXY_HEADER_V1_MAX + 1], const struct addr *client, const struct addr *accepted);

/* Version 2, binary; `name` is what the client asked for by SNI, or NULL.  Returns its length. */
size_t proxy_header_v2(uint8_t out[PROXY_HEADER_V2_MAX], const struct addr *client,
    const struct addr *accepted, const char *name);

#endif
