/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/proxy_read.h -- the header of the PROXY protocol, versions 1 and 2, as it comes in.
 *
 * Only from senders that are trusted with it, and never guessed at: from them it must come
 * (doc/proxy-protocol.txt 2).
 */
#ifndef GINNEL_PROTO_PROXY_READ_H
#define GINNEL_PROTO_PROXY_READ_H

#include "net/addr.h"

enum { PROXY_READ_MAX = 4096 }; /* bytes of a header at most */

enum proxy_read { PROXY_READ_MORE, PROXY_READ_DONE, PROXY_READ_BAD };

struct proxy_heard {
	/* .len 0: the sender speaks for itself, or does not know */
	struct addr client, accepted;
	size_t used;	     /* bytes that belong to the header */
	const uint8_t *tlvs; /* of version 2, within the input: sound, and to be passed on */
	size_t tlvs_len;
	const char *why; /* PROXY_READ_BAD: what is wrong */
};

/*
 * Look at the first `n` bytes of a connection.  The answer does not depend on how they were cut;
 * BAD comes with the first byte that makes them so, or with the last of the header.
 */
enum proxy_read proxy_read(const uint8_t *, size_t n, struct proxy_heard *) MUST_CHECK;

#endif
