/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/special.h -- addresses that a stranger's request must not reach by chance: this machine, its
 * neighbours, many at once, and IPv4 in the clothes of IPv6, which a gateway would take off.
 */
#ifndef GINNEL_NET_SPECIAL_H
#define GINNEL_NET_SPECIAL_H

#include "net/netset.h"

struct special {
	struct network range;
	const char *name; /* "a loopback address" */
};

/* The range that the address stands in; NULL: it is an ordinary one. */
const struct special *special_find(const struct addr *);
/* The IPv4 address that hides in an address of IPv6, in whatever form.  False: none does. */
bool special_inner(const struct addr *, struct addr *v4) MUST_CHECK;

#endif
