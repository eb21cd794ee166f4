/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/netset.h -- networks, and sets of them: who a rule is about.
 *
 * An IPv4 address is one whether it comes plain or as ::ffff:1.2.3.4, in a rule and in a peer; so
 * no form of an address passes by a rule that is meant for it.
 */
#ifndef GINNEL_NET_NETSET_H
#define GINNEL_NET_NETSET_H

#include "base/option.h"
#include "net/addr.h"

/* One network.  All zero holds nothing. */
struct network {
	int family; /* AF_INET, AF_INET6; AF_UNIX: who comes over UNIX sockets */
	unsigned prefix;
	uint8_t bits[16]; /* in network order; behind the prefix zero */
};

/* A list of networks in the configuration's arena; appending makes a new array. */
struct netset {
	const struct network *v;
	unsigned n;
};

/*
 * "192.0.2.0/24", "2001:db8::/32", "[::1]", an address alone, or "unix", in the first `n` bytes of
 * `text`.  Only the full forms of addresses are read, and nothing may stand behind the prefix, as
 * its reader could have meant something else.  False with `why` set, which says what to write.
 */
bool network_parse(
    const char *text, size_t n, struct network *out, char *why, size_t size) MUST_CHECK;
bool network_holds(const struct network *, const struct addr *);

bool netset_holds(const struct netset *, const struct addr *);
/* Field: struct netset.  Networks with commas or blanks between them, added to those before. */
option_parse netset_parse;

#endif
