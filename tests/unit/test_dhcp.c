/* SPDX-License-Identifier: Apache-2.0 */
/* DHCPINFORM: what is answered, with what, and what is none. */
#include "proto/dhcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

enum { INFORM = 20 + 8 + 240 + 4, OPTIONS = 28 + 240 };

static const struct network networks[] = {
	{ .family = AF_INET, .prefix = 16, .bits = { 10, 77 } },
	{ .family = AF_INET, .prefix = 25, .bits = { 192, 168, 1, 128 } },
	{ .family = AF_INET, .prefix = 0 },
};
static const struct netset routes = { networks, 3 };

static struct dhcp_facts
facts(void)
{
	static struct in_addr dns;
	struct dhcp_facts f = { .dns = &dns, .dns_count = 1, .routes = &routes };

	assert_int_equal(inet_pton(AF_INET, "10.66.0.53", &dns), 1);
	assert_int_equal(inet_pton(AF_INET, "10.66.0.1", &f.server), 1);
	assert_int_equal(inet_pton(AF_INET, "10.66.0.2", &f.client), 1);
	return f;
}

/* As Windows sends it: from its address to all, in one datagram. */
static void
make_inform(uint8_t p[INFORM])
{
	static const uint8_t ip[] = { 0x45, 0, INFORM >> 8, INFORM & 0xff, 0, 1, 0, 0, 128, 17, 0,
		0, 10, 66, 0, 2, 255, 255, 255, 255 };
	static const uint8_t udp[] = { 0, 68, 0, 67, (INFORM - 20) >> 8, (INFORM - 20) & 0xff };
	static const uint8_t bootp[] = { 1, 8, 6, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0x80, 0 };
	static const uint8_t options[] = { 0x63, 0x82, 0x53, 0x63, 53, 1, 8, 255 };

	memset(p, 0, INFORM);
	memcpy(p, ip, sizeof(ip));
	memcpy(p + 20, udp, sizeof(udp));
	memcpy(p + 28, bootp, sizeof(bootp));
	memcpy(p + 28 + 28, "\1\2\3\4\5\6", 6);
	memcpy(p + OPTIONS - 4, options, sizeof(options));
}

static unsigned
sum_of(unsigned sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (unsigned)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static const uint8_t *
find(const uint8_t *p, size_t n, uint8_t type)
{
	for (size_t at = OPTIONS; at < n && p[at] != 255; at += 2u + p[at + 1])
		if (p[at] == type)
			return p + at + 1;
	return NULL;
}

static void
an_answer(void **state)
{
	static const uint8_t told[] = { 7 + 9 + 5, 16, 10, 77, 10, 66, 0, 1, 25, 192, 168, 1, 128,
		10, 66, 0, 1, 0, 10, 66, 0, 1 };
	uint8_t p[INFORM], out[DHCP_MAX];
	struct dhcp_facts f = facts();
	size_t n;

	(void)state;
	make_inform(p);
	n = dhcp_answer(out, p, sizeof(p), &f);
	assert_true(n >= 28 + 300);
	assert_int_equal(out[2] << 8 | out[3], n);
	assert_memory_equal(out + 12, &f.server, 4);
	assert_memory_equal(out + 16, &f.client, 4);
	assert_memory_equal(out + 20, "\0\x43\0\x44", 4);
	assert_int_equal(out[24] << 8 | out[25], n - 20);
	assert_int_equal(sum_of(0, out, 20), 0xffff);
	assert_int_equal(sum_of((unsigned)n - 20 + 17, out + 12, n - 12), 0xffff);
	assert_int_equal(out[28], 2);
	assert_memory_equal(out + 32, "\xde\xad\xbe\xef", 4);
	assert_memory_equal(out + 28 + 28, p + 28 + 28, 16);
	assert_memory_equal(find(out, n, 53), "\1\5", 2);
	assert_memory_equal(find(out, n, 6), "\4\x0a\x42\0\x35", 5);
	assert_memory_equal(find(out, n, 121), told, sizeof(told));
	assert_memory_equal(find(out, n, 249), told, sizeof(told));
}

/* One byte is another. */
static void
what_is_none(void **state)
{
	static const struct {
		size_t at;
		uint8_t to;
	} changes[] = {
		{ 0, 0x44 },
		{ 2, 8 },
		{ 6, 0x20 },
		{ 7, 1 },
		{ 9, 6 },
		{ 15, 3 },
		{ 21, 67 },
		{ 23, 68 },
		{ 24, 0xff },
		{ 25, 7 },
		{ 28, 2 },
		{ 30, 17 },
		{ OPTIONS - 1, 0 },
		{ OPTIONS, 54 },
		{ OPTIONS + 1, 2 },
		{ OPTIONS + 2, 3 },
		{ OPTIONS, 255 },
	};
	uint8_t p[INFORM], out[DHCP_MAX];
	struct dhcp_facts f = facts();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		make_inform(p);
		p[changes[i].at] = changes[i].to;
		assert_int_equal(dhcp_answer(out, p, sizeof(p), &f), 0);
	}
	make_inform(p);
	for (size_t cut = 0; cut < sizeof(p); cut++)
		assert_int_equal(dhcp_answer(out, p, cut, &f), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer),
		cmocka_unit_test(what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
