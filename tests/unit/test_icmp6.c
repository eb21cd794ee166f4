/* SPDX-License-Identifier: Apache-2.0 */
/* Router solicitations and advertisements: those that are made, and those that are believed. */
#include "proto/icmp6.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hex.h"

static const uint8_t id[ICMP6_ID] = { 0, 0, 0, 0, 0, 0, 0, 1 };
static const struct icmp6_router router = { .lifetime = 1800,
	.mtu = 1400,
	.has_prefix = true,
	.prefix = { 0xfd, 0x66, 0, 0, 0, 0, 0, 2 },
	.dns = { { { { 0xfd, 0x66, [15] = 1 } } }, { { { 0x20, 1, 0x0d, 0xb8, [15] = 0x53 } } } },
	.dns_count = 2 };

/* A solicitation as Linux sends it on Ethernet, with its own address as option; its checksum is set
 * by who uses it. */
static const char of_linux[] = "60000000 0010 3aff fe80000000000000a8bbccfffe001122"
			       "ff020000000000000000000000000002"
			       "8500 0000 00000000 0101 aabbcc001122";

static void
set_checksum(uint8_t *p, size_t n)
{
	uint32_t sum = (uint32_t)(n - 40) + 58;

	p[42] = p[43] = 0;
	for (size_t i = 8; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	p[42] = (uint8_t)(~sum >> 8);
	p[43] = (uint8_t)~sum;
}

static void
solicitations(void **state)
{
	uint8_t p[ICMP6_MAX], back[ICMP6_MAX];
	size_t n = icmp6_solicit(p, id);

	(void)state;
	assert_int_equal(n, 48);
	assert_true(icmp6_is_solicitation(p, n));
	memcpy(back, p, n);
	set_checksum(back, n);
	assert_memory_equal(back, p, n);
	n = hex_bytes(of_linux, p);
	set_checksum(p, n);
	assert_true(icmp6_is_solicitation(p, n));
	p[7] = 254; /* a router was between */
	assert_false(icmp6_is_solicitation(p, n));
	p[7] = 255;
	p[49] = 0; /* an option without a length */
	set_checksum(p, n);
	assert_false(icmp6_is_solicitation(p, n));
	p[49] = 2; /* ... and of more than there is */
	set_checksum(p, n);
	assert_false(icmp6_is_solicitation(p, n));
}

static void
what_is_advertised_is_read(void **state)
{
	struct icmp6_router got;
	uint8_t p[ICMP6_MAX];
	size_t n = icmp6_advertise(p, id, &router);

	(void)state;
	assert_true(icmp6_read_advertisement(p, n, &got));
	assert_memory_equal(&got, &router, sizeof(got));
	assert_false(icmp6_is_solicitation(p, n));
	for (size_t cut = 0; cut < n; cut++)
		assert_false(icmp6_read_advertisement(p, cut, &got));
	/* Every byte counts, but for the class and the label. */
	for (size_t i = 4; i < n; i++) {
		p[i] ^= 0x10;
		assert_false(icmp6_read_advertisement(p, n, &got));
		p[i] ^= 0x10;
	}
}

static void
little_can_be_said(void **state)
{
	static const struct icmp6_router none = { .lifetime = 0 };
	struct icmp6_router got;
	uint8_t p[ICMP6_MAX];
	size_t n = icmp6_advertise(p, id, &none);

	(void)state;
	assert_int_equal(n, 56);
	assert_true(icmp6_read_advertisement(p, n, &got));
	assert_memory_equal(&got, &none, sizeof(got));
}

/* One byte of a good one is another, and its checksum right again. */
static void
prefixes_that_make_no_address(void **state)
{
	static const struct {
		size_t at;
		uint8_t to;
	} changes[] = {
		{ 58, 56 },   /* not a /64 */
		{ 59, 0x80 }, /* on the link, but not for addresses */
		{ 72, 0xff }, /* multicast */
	};
	struct icmp6_router got;
	uint8_t p[ICMP6_MAX];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		n = icmp6_advertise(p, id, &router);
		p[changes[i].at] = changes[i].to;
		set_checksum(p, n);
		assert_true(icmp6_read_advertisement(p, n, &got));
		assert_false(got.has_prefix);
		assert_int_equal(got.mtu, 1400);
	}
	n = icmp6_advertise(p, id, &router);
	memset(p + 60, 0, 4); /* it holds no more */
	set_checksum(p, n);
	assert_true(icmp6_read_advertisement(p, n, &got));
	assert_false(got.has_prefix);
}

static void
only_a_link_local_address_is_a_router(void **state)
{
	struct icmp6_router got;
	uint8_t p[ICMP6_MAX];
	size_t n = icmp6_advertise(p, id, &router);

	(void)state;
	p[8] = 0x20;
	set_checksum(p, n);
	assert_false(icmp6_read_advertisement(p, n, &got));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(solicitations),
		cmocka_unit_test(what_is_advertised_is_read),
		cmocka_unit_test(little_can_be_said),
		cmocka_unit_test(prefixes_that_make_no_address),
		cmocka_unit_test(only_a_link_local_address_is_a_router),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
