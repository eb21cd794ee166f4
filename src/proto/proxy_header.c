/* SPDX-License-Identifier: Apache-2.0 */
/* proto/proxy_header.c -- the header of the PROXY protocol. */
#include "proto/proxy_header.h"

#include <stdio.h>
#include <string.h>

enum {
	V2_HEAD = 16,
	V2_PROXY = 0x21, /* version 2, and the addresses are a client's */
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	TLV_AUTHORITY = 0x02,
};

/* The two addresses as a backend should see them. */
struct pair {
	struct addr from, to;
	int family; /* of both; AF_UNSPEC: nothing can be said of them */
};

static struct pair
pair_of(const struct addr *client, const struct addr *accepted)
{
	struct pair p = { addr_unmapped(client), addr_unmapped(accepted), AF_UNSPEC };

	if (p.from.len == 0 || p.to.len == 0 || p.from.sa.sa_family != p.to.sa.sa_family)
		return p;
	if (p.from.sa.sa_family == AF_INET || p.from.sa.sa_family == AF_INET6)
		p.family = p.from.sa.sa_family;
	/* The zone of a link-local address means something on this machine only. */
	if (p.family == AF_INET6)
		p.from.in6.sin6_scope_id = p.to.in6.sin6_scope_id = 0;
	return p;
}

size_t
proxy_header_v1(
    char out[PROXY_HEADER_V1_MAX + 1], const struct addr *client, const struct addr *accepted)
{
	struct pair p = pair_of(client, accepted);
	char from[ADDR_TEXT], to[ADDR_TEXT];

	if (p.family == AF_UNSPEC)
		return (size_t)snprintf(out, PROXY_HEADER_V1_MAX + 1, "PROXY UNKNOWN\r\n");
	return (size_t)snprintf(out, PROXY_HEADER_V1_MAX + 1, "PROXY %s %s %s %u %u\r\n",
	    p.family == AF_INET ? "TCP4" : "TCP6", addr_host_text(&p.from, from),
	    addr_host_text(&p.to, to), addr_port(&p.from), addr_port(&p.to));
}

static uint8_t *
put(uint8_t *at, const void *bytes, size_t n)
{
	memcpy(at, bytes, n);
	return at + n;
}

static uint8_t *
put_u16(uint8_t *at, size_t v)
{
	*at++ = (uint8_t)(v >> 8);
	*at++ = (uint8_t)v;
	return at;
}

/* Both addresses, and both ports, as they lie in memory: in network order. */
static uint8_t *
put_addresses(uint8_t *at, const struct pair *p)
{
	if (p->family == AF_INET) {
		at = put(at, &p->from.in.sin_addr, 4);
		at = put(at, &p->to.in.sin_addr, 4);
	} else if (p->family == AF_INET6) {
		at = put(at, &p->from.in6.sin6_addr, 16);
		at = put(at, &p->to.in6.sin6_addr, 16);
	} else {
		return at;
	}
	at = put_u16(at, addr_port(&p->from));
	return put_u16(at, addr_port(&p->to));
}

size_t
proxy_header_v2(uint8_t out[PROXY_HEADER_V2_MAX], const struct addr *client,
    const struct addr *accepted, const char *name)
{
	static const uint8_t signature[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55,
		0x49, 0x54, 0x0a };
	struct pair p = pair_of(client, accepted);
	size_t name_len = name != NULL ? strnlen(name, PROXY_HEADER_NAME_MAX) : 0;
	uint8_t *at = put(out, signature, sizeof(signature)), *end;

	*at++ = V2_PROXY;
	*at++ = p.family == AF_INET ? V2_TCP4 : p.family == AF_INET6 ? V2_TCP6 : 0;
	end = put_addresses(out + V2_HEAD, &p);
	if (name_len > 0) {
		*end++ = TLV_AUTHORITY;
		end = put_u16(end, name_len);
		end = put(end, name, name_len);
	}
	(void)put_u16(at, (size_t)(end - out) - V2_HEAD);
	return (size_t)(end - out);
}
