/* SPDX-License-Identifier: Apache-2.0 */
/* net/special.c -- the ranges, from IANA's registries of special-purpose addresses (RFC 6890). */
#include "net/special.h"

#include <string.h>

#define V4(bits, name, ...) \
	{ \
		{ AF_INET, bits, { __VA_ARGS__ } }, name \
	}
#define V6(bits, name, ...) \
	{ \
		{ AF_INET6, bits, { __VA_ARGS__ } }, name \
	}

static const struct special ranges[] = {
	V4(8, "an unspecified address", 0), /* Linux takes 0.0.0.0 for its own loopback */
	V4(8, "a private address", 10),
	V4(10, "an address of a provider's private network", 100, 64), /* RFC 6598 */
	V4(8, "a loopback address", 127),
	V4(16, "a link-local address", 169, 254), /* the metadata service of clouds, too */
	V4(12, "a private address", 172, 16),
	V4(24, "an address of the IETF's protocols", 192, 0, 0),
	V4(24, "an address of 6to4", 192, 88, 99),
	V4(16, "a private address", 192, 168),
	V4(4, "a multicast address", 224),
	V4(32, "the broadcast address", 255, 255, 255, 255),
	V4(4, "a reserved address", 240),
	V6(128, "an unspecified address", 0),
	V6(128, "a loopback address", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	V6(96, "an IPv4-compatible address", 0), /* RFC 4291 2.5.5.1 */
	V6(96, "an IPv4-translated address", 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), /* RFC 2765 */
	V6(96, "an address of NAT64", 0, 0x64, 0xff, 0x9b),			  /* RFC 6052 */
	V6(48, "an address of NAT64", 0, 0x64, 0xff, 0x9b, 0, 1),		  /* RFC 8215 */
	V6(8, "a reserved address", 0),
	V6(64, "an address that leads nowhere", 1), /* RFC 6666 */
	V6(32, "an address of Teredo", 0x20, 1),    /* RFC 4380 */
	V6(16, "an address of 6to4", 0x20, 2),	    /* RFC 3056 */
	V6(7, "a private address", 0xfc),	    /* RFC 4193 */
	V6(10, "a link-local address", 0xfe, 0x80),
	V6(10, "a site-local address", 0xfe, 0xc0),
	V6(8, "a multicast address", 0xff),
};

/* ::ffff:1.2.3.4, if the IPv4 address is an ordinary one. */
static const struct special mapped = { { AF_INET, 8, { 0 } }, "an IPv4-mapped address" };

static bool
is_mapped(const struct addr *a)
{
	return a->len != 0 && a->sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
}

const struct special *
special_find(const struct addr *a)
{
	for (size_t i = 0; i < COUNT_OF(ranges); i++)
		if (network_holds(&ranges[i].range, a))
			return &ranges[i];
	return is_mapped(a) ? &mapped : NULL;
}

bool
special_inner(const struct addr *a, struct addr *v4)
{
	static const struct network six_to_four = { AF_INET6, 16, { 0x20, 2 } };
	static const struct network teredo = { AF_INET6, 32, { 0x20, 1 } };
	const struct special *s = special_find(a);
	uint8_t bytes[4];

	if (s == NULL || a->sa.sa_family != AF_INET6)
		return false;
	memcpy(bytes, &a->in6.sin6_addr.s6_addr[12], sizeof(bytes));
	if (network_holds(&six_to_four, a))
		memcpy(bytes, &a->in6.sin6_addr.s6_addr[2], sizeof(bytes));
	else if (network_holds(&teredo, a)) /* RFC 4380 4: its bits are turned over */
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] ^= 0xff;
	else if (a->in6.sin6_addr.s6_addr[0] != 0)
		return false;
	*v4 = (struct addr){ .len = sizeof(v4->in), .in.sin_family = AF_INET };
	memcpy(&v4->in.sin_addr, bytes, sizeof(bytes));
	addr_set_port(v4, addr_port(a));
	return true;
}
