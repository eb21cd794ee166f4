/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_ip.c -- what a VPN must know of an IP packet. */
#include "tunnel/vpn_ip.h"

#include "base/checksum.h"
#include "proto/icmp6.h"

#include <netinet/in.h>
#include <string.h>

enum {
	V4_HEADER = 20,
	V4_PROTOCOL = 9,
	V4_FROM = 12,
	V4_TO = 16,
	V4_FRAGMENT = 0x1fff, /* the offset, RFC 791 3.1 */
	V6_HEADER = 40,
	V6_NEXT = 6,
	V6_FROM = 8,
	V6_TO = 24,
	TCP_HEADER = 20,
	TCP_FLAGS = 13,
	TCP_SYN = 0x02,
	TCP_CHECKSUM = 16,
	V4_DONT_FRAGMENT = 0x40,
	V4_GROUPS = 224, /* the first byte of multicast addresses, and of what is above */
	V4_CITED = 548,	 /* RFC 1812 4.3.2.3: with the headers 576 */
	ICMP_HEADER = 8,
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_MUST_FRAGMENT = 4,
	ICMP_ECHO = 8,
	ICMP6_TOO_BIG = 2,
	ICMP6_FIRST_QUESTION = 128, /* errors have types below */
	HOPS = 64,
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_MSS_SIZE = 4,
};

static unsigned
get_u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void
put_u16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static bool
read_v4(const uint8_t *p, size_t n, struct vpn_ip *ip)
{
	size_t header = n >= 1 ? (size_t)(p[0] & 0x0f) * 4 : 0;

	if (header < V4_HEADER || header > n || get_u16(p + 2) < header || get_u16(p + 2) > n)
		return false;
	*ip = (struct vpn_ip){ PPP_IPV4, p + V4_FROM, p + V4_TO };
	return true;
}

static bool
read_v6(const uint8_t *p, size_t n, struct vpn_ip *ip)
{
	if (n < V6_HEADER || V6_HEADER + get_u16(p + 4) > n)
		return false;
	*ip = (struct vpn_ip){ PPP_IPV6, p + V6_FROM, p + V6_TO };
	return true;
}

bool
vpn_ip_read(const uint8_t *packet, size_t n, struct vpn_ip *ip)
{
	if (n < V4_HEADER)
		return false;
	switch (packet[0] >> 4) {
	case 4:
		return read_v4(packet, n, ip);
	case 6:
		return read_v6(packet, n, ip);
	default:
		return false;
	}
}

/* RFC 4291 2.5.2, 2.5.6, 2.7 */
bool
vpn_ip_is_of_link(const uint8_t a[16])
{
	static const uint8_t none[16];

	return icmp6_is_link_local(a) || memcmp(a, none, sizeof(none)) == 0 ||
	       (a[0] == 0xff && (a[1] & 0x0f) <= 2);
}

/* The TCP header of a packet that has it right behind that of IP; NULL: none is here. */
static uint8_t *
find_tcp(uint8_t *p, size_t n, size_t *left)
{
	bool v6 = p[0] >> 4 == 6;
	size_t header = v6 ? V6_HEADER : (size_t)(p[0] & 0x0f) * 4;

	if (v6 ? p[V6_NEXT] != IPPROTO_TCP
	       : p[V4_PROTOCOL] != IPPROTO_TCP || (get_u16(p + 6) & V4_FRAGMENT) != 0)
		return NULL;
	*left = n - header;
	return *left >= TCP_HEADER ? p + header : NULL;
}

/* Where the value of the MSS option is; NULL: there is none. */
static uint8_t *
find_mss(uint8_t *tcp, size_t left)
{
	size_t end = (size_t)(tcp[12] >> 4) * 4, at = TCP_HEADER;

	if (end > left)
		return NULL;
	while (at < end && tcp[at] != OPTION_END) {
		if (tcp[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= end || tcp[at + 1] < 2 || at + tcp[at + 1] > end)
			return NULL;
		if (tcp[at] == OPTION_MSS)
			return tcp[at + 1] == OPTION_MSS_SIZE ? &tcp[at + 2] : NULL;
		at += tcp[at + 1];
	}
	return NULL;
}

/*
 * RFC 1624, equation 3: HC' = ~(~HC + ~m + m').  The sum does not care where in the packet the two
 * bytes are, but for an odd place, where they count swapped.
 */
static void
mend_checksum(uint8_t *tcp, const uint8_t *at, unsigned before, unsigned after)
{
	uint32_t sum = ~get_u16(tcp + TCP_CHECKSUM) & 0xffff;

	if ((at - tcp) % 2 != 0) {
		before = (before >> 8 | before << 8) & 0xffff;
		after = (after >> 8 | after << 8) & 0xffff;
	}
	sum += (~before & 0xffff) + after;
	put_u16(tcp + TCP_CHECKSUM, checksum_of(sum));
}

void
vpn_ip_clamp(uint8_t *packet, size_t n, unsigned mtu)
{
	struct vpn_ip ip;
	uint8_t *tcp, *mss;
	size_t left;
	unsigned had, most;

	if (!vpn_ip_read(packet, n, &ip) || (tcp = find_tcp(packet, n, &left)) == NULL ||
	    (tcp[TCP_FLAGS] & TCP_SYN) == 0 || (mss = find_mss(tcp, left)) == NULL)
		return;
	had = get_u16(mss);
	most = mtu - (ip.family == PPP_IPV6 ? V6_HEADER : V4_HEADER) - TCP_HEADER;
	if (had <= most)
		return;
	put_u16(mss, most);
	mend_checksum(tcp, mss, had, most);
}

/* ---- too big ---- */

/* RFC 1122 3.2.2: about errors, groups and later pieces nobody is told. */
static bool
may_be_told_v4(const uint8_t *p, size_t n)
{
	size_t header = (size_t)(p[0] & 0x0f) * 4;
	bool error = p[V4_PROTOCOL] == IPPROTO_ICMP &&
		     (n <= header || (p[header] != ICMP_ECHO && p[header] != ICMP_ECHO_REPLY));

	return !error && (p[6] & V4_DONT_FRAGMENT) != 0 && (get_u16(p + 6) & V4_FRAGMENT) == 0 &&
	       p[V4_TO] < V4_GROUPS && p[V4_FROM] != 0 && p[V4_FROM] < V4_GROUPS;
}

static size_t
too_big_v4(const uint8_t *p, size_t n, unsigned mtu, uint8_t *out)
{
	size_t cited = n < V4_CITED ? n : V4_CITED, size = V4_HEADER + ICMP_HEADER + cited;
	uint8_t *icmp = out + V4_HEADER;

	memset(out, 0, V4_HEADER + ICMP_HEADER);
	out[0] = 0x45;
	put_u16(out + 2, (unsigned)size);
	out[8] = HOPS;
	out[V4_PROTOCOL] = IPPROTO_ICMP;
	memcpy(out + V4_FROM, p + V4_TO, 4);
	memcpy(out + V4_TO, p + V4_FROM, 4);
	put_u16(out + 10, checksum_of(checksum_add(0, out, V4_HEADER)));
	icmp[0] = ICMP_UNREACHABLE;
	icmp[1] = ICMP_MUST_FRAGMENT;
	put_u16(icmp + 6, mtu);
	memcpy(icmp + ICMP_HEADER, p, cited);
	put_u16(icmp + 2, checksum_of(checksum_add(0, icmp, ICMP_HEADER + cited)));
	return size;
}

/* RFC 4443 2.4 (e) */
static bool
may_be_told_v6(const uint8_t *p)
{
	bool error = p[V6_NEXT] == IPPROTO_ICMPV6 && p[V6_HEADER] < ICMP6_FIRST_QUESTION;

	return !error && p[V6_FROM] != 0xff && !vpn_ip_is_of_link(p + V6_FROM);
}

static size_t
too_big_v6(const uint8_t *p, size_t n, unsigned mtu, uint8_t *out)
{
	size_t most = VPN_IP_ERROR_MAX - V6_HEADER - ICMP_HEADER, cited = n < most ? n : most;
	size_t size = ICMP_HEADER + cited;
	uint8_t *icmp = out + V6_HEADER;

	memset(out, 0, V6_HEADER + ICMP_HEADER);
	out[0] = 0x60;
	put_u16(out + 4, (unsigned)size);
	out[V6_NEXT] = IPPROTO_ICMPV6;
	out[7] = HOPS;
	memcpy(out + V6_FROM, p + V6_TO, 16);
	memcpy(out + V6_TO, p + V6_FROM, 16);
	icmp[0] = ICMP6_TOO_BIG;
	put_u16(icmp + 6, mtu);
	memcpy(icmp + ICMP_HEADER, p, cited);
	put_u16(icmp + 2,
	    checksum_of(checksum_add((uint32_t)size + IPPROTO_ICMPV6, out + V6_FROM, 32 + size)));
	return V6_HEADER + size;
}

size_t
vpn_ip_too_big(const uint8_t *packet, size_t n, unsigned mtu, uint8_t out[VPN_IP_ERROR_MAX])
{
	struct vpn_ip ip;

	if (!vpn_ip_read(packet, n, &ip))
		return 0;
	if (ip.family == PPP_IPV4)
		return may_be_told_v4(packet, n) ? too_big_v4(packet, n, mtu, out) : 0;
	return n > V6_HEADER && may_be_told_v6(packet) ? too_big_v6(packet, n, mtu, out) : 0;
}
