/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of a VPN: whose they are, and the MSS of a TCP connection. */
#include "tunnel/vpn_ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hex.h"

/* A SYN from 10.66.0.2:1234 to 10.66.0.1:80 with MSS 1460, and its checksums right. */
static const char syn[] = "4500002c 00010000 40060000 0a420002 0a420001"
			  "04d20050 00000001 00000000 6002ffff 00000000 020405b4";
/* The same over IPv6, the option at an odd place behind a NOP. */
static const char syn6[] = "60000000 001c 0640 fd660000000000020000000000000001"
			   "fd660000000000010000000000000001"
			   "04d20050 00000001 00000000 7002ffff 00000000 01020405 b4000000";

static uint32_t
add_words(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (n % 2 != 0)
		sum += (uint32_t)p[n - 1] << 8;
	return sum;
}

/* The sum over pseudo header and segment; a good checksum makes it 0xffff. */
static uint32_t
tcp_sum(const uint8_t *p, size_t n)
{
	bool v6 = p[0] >> 4 == 6;
	size_t header = v6 ? 40 : 20;
	uint32_t sum = (uint32_t)(n - header) + 6;

	sum = v6 ? add_words(sum, p + 8, 32) : add_words(sum, p + 12, 8);
	sum = add_words(sum, p + header, n - header);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void
set_checksum(uint8_t *p, size_t n)
{
	uint8_t *at = p + (p[0] >> 4 == 6 ? 40 : 20) + 16;
	uint32_t sum = ~tcp_sum(p, n) & 0xffff;

	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
	assert_int_equal(tcp_sum(p, n), 0xffff);
}

static void
test_mss_is_lowered(void **state)
{
	static const struct {
		const char *packet;
		size_t at; /* of the MSS */
		unsigned mtu, mss;
	} known[] = {
		{ syn, 42, 1400, 1360 },
		{ syn, 42, 1500, 1460 },
		{ syn, 42, 9000, 1460 },
		{ syn, 42, 576, 536 },
		{ syn6, 63, 1400, 1340 },
		{ syn6, 63, 1520, 1460 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		uint8_t p[128];
		size_t n = hex_bytes(known[i].packet, p);

		set_checksum(p, n);
		vpn_ip_clamp(p, n, known[i].mtu);
		assert_int_equal(p[known[i].at] << 8 | p[known[i].at + 1], known[i].mss);
		assert_int_equal(tcp_sum(p, n), 0xffff);
	}
}

/* Whatever is cut off or out of place is left alone, and nothing is read past the end. */
static void
test_all_else_stays(void **state)
{
	uint8_t p[128], before[128];
	size_t n = hex_bytes(syn, p);

	(void)state;
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *exact = malloc(cut + 1);

		memcpy(exact, p, cut);
		vpn_ip_clamp(exact, cut, 576);
		assert_memory_equal(exact, p, cut);
		free(exact);
	}
	for (size_t i = 0; i < n; i++)
		for (unsigned v = 0; v < 256; v += 15) { /* any byte anything: only no crash */
			hex_bytes(syn, p);
			p[i] = (uint8_t)v;
			vpn_ip_clamp(p, n, 576);
		}
	hex_bytes(syn, p);
	p[33] = 0x10; /* no SYN */
	memcpy(before, p, n);
	vpn_ip_clamp(p, n, 576);
	assert_memory_equal(p, before, n);
	hex_bytes(syn, p);
	p[7] = 1; /* a later fragment: no TCP header is there */
	memcpy(before, p, n);
	vpn_ip_clamp(p, n, 576);
	assert_memory_equal(p, before, n);
}

static void
test_addresses(void **state)
{
	static const uint8_t from[] = { 10, 66, 0, 2 }, to[] = { 10, 66, 0, 1 };
	struct vpn_ip ip;
	uint8_t p[128];
	size_t n = hex_bytes(syn, p);

	(void)state;
	assert_true(vpn_ip_read(p, n, &ip));
	assert_int_equal(ip.family, PPP_IPV4);
	assert_memory_equal(ip.from, from, 4);
	assert_memory_equal(ip.to, to, 4);
	n = hex_bytes(syn6, p);
	assert_true(vpn_ip_read(p, n, &ip));
	assert_int_equal(ip.family, PPP_IPV6);
	assert_int_equal(ip.from[7], 2);
	assert_int_equal(ip.to[7], 1);
}

static void
test_packets_that_lie(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} lies[] = {
		{ 0, 0x44 },		  /* a header of 16 bytes */
		{ 0, 0x4f },		  /* ... of 60 */
		{ 0, 0x55 },		  /* version 5 */
		{ 0, 0x00 }, { 2, 0x01 }, /* longer than what came */
		{ 3, 0x13 },		  /* shorter than its header */
	};
	struct vpn_ip ip;
	uint8_t p[128];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lies); i++) {
		n = hex_bytes(syn, p);
		p[lies[i].at] = lies[i].value;
		assert_false(vpn_ip_read(p, n, &ip));
	}
	for (n = 0; n < 44; n++)
		assert_false(vpn_ip_read(p, n, &ip));
	hex_bytes(syn6, p);
	for (n = 0; n < 68; n++)
		assert_false(vpn_ip_read(p, n, &ip));
}

/* ---- too big ---- */

/* One's complement over all; 0xffff if the checksum in it is right. */
static uint32_t
sum_all(uint32_t sum, const uint8_t *p, size_t n)
{
	sum = add_words(sum, p, n);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void
test_the_sender_is_told(void **state)
{
	uint8_t p[1500] = { 0 }, out[VPN_IP_ERROR_MAX];
	size_t n;

	(void)state;
	(void)hex_bytes(syn, p);
	p[2] = 1500 >> 8;
	p[3] = 1500 & 0xff;
	assert_int_equal(vpn_ip_too_big(p, 1500, 1300, out), 0); /* it may be cut to pieces */
	p[6] = 0x40;
	n = vpn_ip_too_big(p, 1500, 1300, out);
	assert_int_equal(n, 576);
	assert_memory_equal(out + 12, p + 16, 4);
	assert_memory_equal(out + 16, p + 12, 4);
	assert_memory_equal(out + 20, "\3\4", 2);
	assert_memory_equal(out + 24, "\0\0\x05\x14", 4);
	assert_memory_equal(out + 28, p, 548);
	assert_int_equal(sum_all(0, out, 20), 0xffff);
	assert_int_equal(sum_all(0, out + 20, n - 20), 0xffff);
	p[9] = 1; /* an error of ICMP itself; and a question of it */
	p[20] = 3;
	assert_int_equal(vpn_ip_too_big(p, 1500, 1300, out), 0);
	p[20] = 8;
	assert_int_not_equal(vpn_ip_too_big(p, 1500, 1300, out), 0);
	p[7] = 1; /* a later piece */
	assert_int_equal(vpn_ip_too_big(p, 1500, 1300, out), 0);
	p[7] = 0;
	p[12] = 0; /* from nobody */
	assert_int_equal(vpn_ip_too_big(p, 1500, 1300, out), 0);
}

static void
test_the_sender_is_told6(void **state)
{
	uint8_t p[1500] = { 0 }, out[VPN_IP_ERROR_MAX];
	size_t n;

	(void)state;
	(void)hex_bytes(syn6, p);
	p[4] = 1460 >> 8;
	p[5] = 1460 & 0xff;
	n = vpn_ip_too_big(p, 1500, 1280, out);
	assert_int_equal(n, 1280);
	assert_memory_equal(out + 8, p + 24, 16);
	assert_memory_equal(out + 24, p + 8, 16);
	assert_memory_equal(out + 40, "\2\0", 2);
	assert_memory_equal(out + 44, "\0\0\5\0", 4);
	assert_memory_equal(out + 48, p, 1232);
	assert_int_equal(sum_all((uint32_t)n - 40 + 58, out + 8, n - 8), 0xffff);
	p[6] = 58;
	p[40] = 1; /* an error */
	assert_int_equal(vpn_ip_too_big(p, 1500, 1280, out), 0);
	p[40] = 128;
	assert_int_not_equal(vpn_ip_too_big(p, 1500, 1280, out), 0);
	p[8] = 0xfe; /* of the link */
	p[9] = 0x80;
	assert_int_equal(vpn_ip_too_big(p, 1500, 1280, out), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mss_is_lowered),
		cmocka_unit_test(test_all_else_stays),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_packets_that_lie),
		cmocka_unit_test(test_the_sender_is_told),
		cmocka_unit_test(test_the_sender_is_told6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
