/* SPDX-License-Identifier: Apache-2.0 */
/* proto/socks_udp.h -- the head in front of each datagram of UDP ASSOCIATE (RFC 1928 7). */
#ifndef GINNEL_PROTO_SOCKS_UDP_H
#define GINNEL_PROTO_SOCKS_UDP_H

#include "proto/proto.h"

enum { SOCKS_UDP_HEAD_MAX = 4 + 16 + 2 }; /* of those that we write: no names */

struct socks_datagram {
	struct proto_target target;
	const uint8_t *data; /* in the bytes that were read */
	size_t n;
};

/* False: malformed, or a fragment, which "an implementation that does not support it MUST drop". */
bool socks_udp_read(const uint8_t *, size_t n, struct socks_datagram *out) MUST_CHECK;
/* The head of what came from `from`; how long it is. */
size_t socks_udp_head(const struct addr *from, uint8_t out[SOCKS_UDP_HEAD_MAX]);

#endif
