/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_vpn_ip.c -- any bytes as an IP packet: its addresses lie in it, what is done to a
 * TCP SYN leaves its checksum as right, or as wrong, as it was, and what is told about it is whole.
 */
#include "proto/icmp6.h"
#include "tunnel/vpn_ip.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { MTU = 1400, V4_HEADER = 20, V6_HEADER = 40, TCP_MSS_SIZE = 2, TCP_CHECKSUM_SIZE = 2 };

/* RFC 1071, over all of the packet: what changes in it must not change this. */
static uint16_t
sum_of(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint64_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff ? 0 : (uint16_t)sum; /* one zero of two, RFC 1624 3 */
}

static void
check_addresses(const struct vpn_ip *ip, const uint8_t *p, size_t n)
{
	size_t size = ip->family == PPP_IPV4 ? 4 : 16;

	MUST(ip->from >= p && ip->from + size <= p + n);
	MUST(ip->to == ip->from + size && ip->to + size <= p + n);
}

static void
check_clamped(const uint8_t *before, uint8_t *p, size_t n)
{
	size_t changed = 0;

	vpn_ip_clamp(p, n, MTU);
	for (size_t i = 0; i < n; i++)
		changed += before[i] != p[i];
	MUST(changed <= TCP_MSS_SIZE + TCP_CHECKSUM_SIZE);
	MUST(sum_of(before, n) == sum_of(p, n));
	/* Once is enough. */
	vpn_ip_clamp(p, n, MTU);
	for (size_t i = 0; i < n; i++)
		changed -= before[i] != p[i];
	MUST(changed == 0);
}

/* What is told about it is a packet itself, with its checksums right, to where it came from. */
static void
check_error(const struct vpn_ip *ip, const uint8_t *p, size_t n)
{
	uint8_t *out = malloc(VPN_IP_ERROR_MAX);
	size_t address = ip->family == PPP_IPV4 ? 4 : 16, size;
	struct vpn_ip error;

	MUST(out != NULL);
	size = vpn_ip_too_big(p, n, MTU, out);
	MUST(size <= VPN_IP_ERROR_MAX);
	if (size > 0) {
		MUST(vpn_ip_read(out, size, &error) && error.family == ip->family);
		MUST(memcmp(error.to, ip->from, address) == 0);
		MUST(error.family == PPP_IPV6 || sum_of(out, V4_HEADER) == 0);
		MUST(error.family == PPP_IPV6 || sum_of(out + V4_HEADER, size - V4_HEADER) == 0);
	}
	free(out);
}

/* What a router says lies in its packet, or it is none. */
static void
check_router(const uint8_t *p, size_t n)
{
	struct icmp6_router router;

	if (icmp6_is_solicitation(p, n))
		MUST(n >= V6_HEADER + 8 && !icmp6_read_advertisement(p, n, &router));
	if (icmp6_read_advertisement(p, n, &router))
		MUST(n >= V6_HEADER + 16 && router.dns_count <= ICMP6_DNS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *copy = calloc(n > 0 ? n : 1, 1);
	struct vpn_ip ip;

	MUST(copy != NULL);
	if (n > 0)
		memcpy(copy, data, n);
	check_router(copy, n);
	if (vpn_ip_read(copy, n, &ip)) {
		check_error(&ip, copy, n);
		check_addresses(&ip, copy, n);
		check_clamped(data, copy, n);
	} else {
		vpn_ip_clamp(copy, n, MTU);
		MUST(n == 0 || memcmp(copy, data, n) == 0);
	}
	free(copy);
	return 0;
}
