/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/hail.h -- call a server of a protocol and see whether it answers: for health checks.
 *
 * What is said is as short as the server allows, and has no name or password in it.
 */
#ifndef GINNEL_PROTO_HAIL_H
#define GINNEL_PROTO_HAIL_H

#include <stddef.h>

struct bytes {
	const char *p;
	size_t n;
};

/* Say this, and then await that anywhere in the answer; either may be empty. */
struct hail {
	struct bytes say, await;
};

/*
 * How to get a server of that protocol to begin TLS.  *count is 0 if it is not known how.  A first
 * one that says nothing awaits the greeting.
 */
const struct hail *hail_starttls(const char *protocol, unsigned *count);

#endif
