/* SPDX-License-Identifier: Apache-2.0 */
/* proto/icmp6.c -- router solicitations and advertisements (RFC 4861, RFC 8106). */
#include "proto/icmp6.h"

#include "base/checksum.h"
#include "base/rd.h"
#include "base/wr.h"

#include <string.h>

enum {
	SOLICITATION = 133,
	ADVERTISEMENT = 134,
	OPTION_PREFIX = 3,
	OPTION_MTU = 5,
	OPTION_DNS = 25, /* RFC 8106 5.1 */
	IP_HEADER = 40,
	IP_FROM = 8,
	CHECKSUM = IP_HEADER + 2,
	NO_ROUTER_BETWEEN = 255, /* the hop limit that nothing from elsewhere has */
	HOPS = 64,		 /* that hosts shall begin with */
	ON_LINK = 0x80,
	FOR_ADDRESSES = 0x40,
	/* RFC 4861 6.2.1: 30 days and 7; each advertisement begins them anew. */
	VALID = 2592000,
	PREFERRED = 604800,
	ADDRESS = 16,
	UNIT = 8, /* of an option's length */
};

bool
icmp6_is_link_local(const uint8_t a[ADDRESS])
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* Over the pseudo header and the message (RFC 8200 8.1); 0 if the checksum in it is right. */
static uint16_t
sum_of(const uint8_t *packet, size_t n)
{
	return checksum_of(checksum_add(
	    (uint32_t)(n - IP_HEADER) + IPPROTO_ICMPV6, packet + IP_FROM, n - IP_FROM));
}

/* ---- writing ---- */

/* The header of IPv6, and that of the message. */
static struct wr
begin(uint8_t out[ICMP6_MAX], const uint8_t from[ICMP6_ID], uint8_t type, uint8_t to)
{
	static const uint8_t link_local[] = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0 };
	const uint8_t group[ADDRESS] = { 0xff, 2, [ADDRESS - 1] = to };
	struct wr w = wr_of(out, ICMP6_MAX);

	wr_u32(&w, UINT32_C(6) << 28);
	wr_u16(&w, 0);
	wr_u8(&w, IPPROTO_ICMPV6);
	wr_u8(&w, NO_ROUTER_BETWEEN);
	wr_bytes(&w, link_local, sizeof(link_local));
	wr_bytes(&w, from, ICMP6_ID);
	wr_bytes(&w, group, sizeof(group));
	wr_u8(&w, type);
	wr_u8(&w, 0);
	wr_u16(&w, 0); /* the checksum */
	return w;
}

static size_t
end(uint8_t out[ICMP6_MAX], struct wr *w)
{
	size_t n = wr_size(w);

	MUST(!w->bad);
	wr_patch_u16(w, 4, n - IP_HEADER);
	wr_patch_u16(w, CHECKSUM, sum_of(out, n));
	return n;
}

size_t
icmp6_solicit(uint8_t out[ICMP6_MAX], const uint8_t from[ICMP6_ID])
{
	struct wr w = begin(out, from, SOLICITATION, 2); /* all routers */

	wr_u32(&w, 0);
	return end(out, &w);
}

static void
put_prefix(struct wr *w, const uint8_t prefix[ICMP6_PREFIX])
{
	static const uint8_t rest[ADDRESS - ICMP6_PREFIX];

	wr_u8(w, OPTION_PREFIX);
	wr_u8(w, 4);
	wr_u8(w, 8 * ICMP6_PREFIX);
	wr_u8(w, ON_LINK | FOR_ADDRESSES);
	wr_u32(w, VALID);
	wr_u32(w, PREFERRED);
	wr_u32(w, 0);
	wr_bytes(w, prefix, ICMP6_PREFIX);
	wr_bytes(w, rest, sizeof(rest));
}

static void
put_dns(struct wr *w, const struct icmp6_router *r)
{
	wr_u8(w, OPTION_DNS);
	wr_u8(w, 1 + 2 * r->dns_count);
	wr_u16(w, 0);
	wr_u32(w, r->lifetime);
	wr_bytes(w, r->dns, r->dns_count * sizeof(r->dns[0]));
}

size_t
icmp6_advertise(uint8_t out[ICMP6_MAX], const uint8_t from[ICMP6_ID], const struct icmp6_router *r)
{
	struct wr w = begin(out, from, ADVERTISEMENT, 1); /* all nodes */

	wr_u8(&w, HOPS);
	wr_u8(&w, 0);
	wr_u16(&w, r->lifetime);
	wr_u32(&w, 0); /* reachable time, and */
	wr_u32(&w, 0); /* the time between solicitations of neighbours: not ours to say */
	if (r->has_prefix)
		put_prefix(&w, r->prefix);
	if (r->mtu != 0) {
		wr_u8(&w, OPTION_MTU);
		wr_u8(&w, 1);
		wr_u16(&w, 0);
		wr_u32(&w, r->mtu);
	}
	if (r->dns_count > 0)
		put_dns(&w, r);
	return end(out, &w);
}

/* ---- reading ---- */

/* The message behind its first four bytes; ->bad: it is none of that type. */
static struct rd
message(const uint8_t *packet, size_t n, uint8_t type)
{
	struct rd r = rd_of(packet, n);
	size_t size;

	if (n < CHECKSUM + 2) {
		r.bad = true;
		return r;
	}
	size = (size_t)packet[4] << 8 | packet[5];
	if (packet[0] >> 4 != 6 || size > n - IP_HEADER || size < 4 ||
	    packet[6] != IPPROTO_ICMPV6 || packet[7] != NO_ROUTER_BETWEEN ||
	    packet[IP_HEADER] != type || packet[IP_HEADER + 1] != 0 ||
	    sum_of(packet, IP_HEADER + size) != 0)
		r.bad = true;
	else
		r = rd_of(packet + IP_HEADER + 4, size - 4);
	return r;
}

/* The next option's type and what is behind its length; false: there is none, or it is malformed.
 */
static bool
next_option(struct rd *r, uint8_t *type, struct rd *value)
{
	const uint8_t *bytes;
	size_t n;

	if (rd_left(r) == 0)
		return false;
	*type = rd_u8(r);
	n = (size_t)rd_u8(r) * UNIT;
	if (n == 0 || (bytes = rd_bytes(r, n - 2)) == NULL) {
		r->bad = true;
		return false;
	}
	*value = rd_of(bytes, n - 2);
	return true;
}

bool
icmp6_is_solicitation(const uint8_t *packet, size_t n)
{
	struct rd r = message(packet, n, SOLICITATION), value;
	uint8_t type;

	(void)rd_uint(&r, 4);
	while (next_option(&r, &type, &value))
		continue;
	return !r.bad;
}

static void
take_prefix(struct rd r, struct icmp6_router *out)
{
	uint8_t bits = rd_u8(&r), flags = rd_u8(&r);
	uint32_t valid = rd_uint(&r, 4);
	const uint8_t *prefix;

	(void)rd_uint(&r, 4);
	(void)rd_uint(&r, 4);
	prefix = rd_bytes(&r, ADDRESS);
	/* RFC 4862 5.5.3: others are not for addresses, or not of the length of an identifier. */
	if (r.bad || out->has_prefix || bits != 8 * ICMP6_PREFIX || (flags & FOR_ADDRESSES) == 0 ||
	    valid == 0 || icmp6_is_link_local(prefix) || prefix[0] == 0xff)
		return;
	memcpy(out->prefix, prefix, ICMP6_PREFIX);
	out->has_prefix = true;
}

static void
take_dns(struct rd r, struct icmp6_router *out)
{
	uint32_t lifetime;

	(void)rd_u16(&r);
	lifetime = rd_uint(&r, 4);
	while (lifetime != 0 && rd_left(&r) >= ADDRESS && out->dns_count < ICMP6_DNS)
		memcpy(&out->dns[out->dns_count++], rd_bytes(&r, ADDRESS), ADDRESS);
}

bool
icmp6_read_advertisement(const uint8_t *packet, size_t n, struct icmp6_router *out)
{
	struct rd r = message(packet, n, ADVERTISEMENT), value;
	uint8_t type;

	*out = (struct icmp6_router){ .mtu = 0 };
	(void)rd_u16(&r);
	out->lifetime = rd_u16(&r);
	(void)rd_uint(&r, 4);
	(void)rd_uint(&r, 4);
	/* RFC 4861 6.1.2: only a link-local address may speak for a router. */
	if (r.bad || !icmp6_is_link_local(packet + IP_FROM))
		return false;
	while (next_option(&r, &type, &value)) {
		if (type == OPTION_PREFIX)
			take_prefix(value, out);
		if (type == OPTION_DNS)
			take_dns(value, out);
		if (type == OPTION_MTU) {
			(void)rd_u16(&value);
			out->mtu = rd_uint(&value, 4);
		}
	}
	return !r.bad;
}
