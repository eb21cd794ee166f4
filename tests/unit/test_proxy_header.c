/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_proxy_header.c -- headers of the PROXY protocol, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "proto/proxy_header.h"

#include "ip.h"

#include <string.h>

static void
v1_is(struct addr client, struct addr accepted, const char *want)
{
	char header[PROXY_HEADER_V1_MAX + 1];

	assert_int_equal(proxy_header_v1(header, &client, &accepted), strlen(want));
	assert_string_equal(header, want);
}

static void
version_1(void **state)
{
	struct addr zone = ip("fe80::1", 1), unix_socket = { .len = sizeof(sa_family_t) };
	const char *longest = "1111:2222:3333:4444:5555:6666:7777:8888";

	(void)state;
	zone.in6.sin6_scope_id = 1;
	unix_socket.un.sun_family = AF_UNIX;
	v1_is(ip("192.0.2.7", 47388), ip("198.51.100.1", 443),
	    "PROXY TCP4 192.0.2.7 198.51.100.1 47388 443\r\n");
	v1_is(ip("2001:db8::7", 1), ip("2001:db8::1", 65535),
	    "PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n");
	v1_is(ip("::ffff:192.0.2.7", 5), ip("::ffff:192.0.2.1", 6),
	    "PROXY TCP4 192.0.2.7 192.0.2.1 5 6\r\n");
	v1_is(zone, ip("fe80::2", 2), "PROXY TCP6 fe80::1 fe80::2 1 2\r\n");
	v1_is(ip(longest, 65535), ip(longest, 65535),
	    "PROXY TCP6 1111:2222:3333:4444:5555:6666:7777:8888 "
	    "1111:2222:3333:4444:5555:6666:7777:8888 65535 65535\r\n");
	v1_is(unix_socket, unix_socket, "PROXY UNKNOWN\r\n");
	v1_is((struct addr){ 0 }, ip("192.0.2.1", 1), "PROXY UNKNOWN\r\n");
	v1_is(ip("192.0.2.1", 1), ip("2001:db8::1", 1), "PROXY UNKNOWN\r\n");
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\0\2\7\xc6\x33\x64\1\1\2\1\xbb" /* 192.0.2.7:258 to 198.51.100.1:443 */

static void
v2_is(struct addr client, struct addr accepted, const struct proxy_facts *facts, const char *want,
    size_t n)
{
	uint8_t header[PROXY_HEADER_V2_MAX];

	assert_int_equal(proxy_header_v2(header, &client, &accepted, facts), n);
	assert_memory_equal(header, want, n);
}

#define V2_IS(client, accepted, facts, want) v2_is(client, accepted, facts, want, sizeof(want) - 1)
#define BYTES(text) \
	{ \
		text, sizeof(text) - 1 \
	}

static void
version_2(void **state)
{
	static const struct proxy_facts none, name = { .authority = BYTES("a.b") };
	struct addr from = ip("192.0.2.7", 258), to = ip("198.51.100.1", 443);

	(void)state;
	V2_IS(from, to, &none, SIGNATURE "\x21\x11\0\x0c" V4);
	V2_IS(ip("::ffff:192.0.2.7", 258), ip("::ffff:198.51.100.1", 443), &name,
	    SIGNATURE "\x21\x11\0\x12" V4 "\2\0\3"
		      "a.b");
	V2_IS(ip("2001:db8::7", 1), ip("2001:db8::1", 2), &none,
	    SIGNATURE "\x21\x21\0\x24\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\1\r\xb8\0\0\0\0\0\0\0"
		      "\0\0\0\0\1\0\1\0\2");
	V2_IS((struct addr){ 0 }, to, &none, SIGNATURE "\x21\0\0\0");
}

static void
what_tls_agreed_on(void **state)
{
	static const struct proxy_facts plain = {
		.alpn = BYTES("h2"),
		.unique_id = BYTES("id"),
		.tls = { .is_there = true,
		    .version = BYTES("TLSv1.3"),
		    .cipher = BYTES("C"),
		    .verified = true },
	};
	static const struct proxy_facts shown = {
		.tls = { .is_there = true,
		    .has_cert = true,
		    .verified = true,
		    .version = BYTES("TLSv1.2"),
		    .cn = BYTES("x.test"),
		    .cert = BYTES("\x30\0") },
	};
	struct proxy_facts old = shown, unverified = shown;
	struct addr from = ip("192.0.2.7", 258), to = ip("198.51.100.1", 443);

	(void)state;
	old.tls.cert_is_old = true;
	unverified.tls.verified = false;
	/* Nobody who shows no certificate was verified. */
	V2_IS(from, to, &plain,
	    SIGNATURE "\x21\x11\0\x2c" V4 "\1\0\2h2\5\0\2id"
		      "\x20\0\x13\1\0\0\0\1\x21\0\7TLSv1.3\x23\0\1"
		      "C");
#define REST "\x21\0\7TLSv1.2\x22\0\6x.test\x28\0\2\x30\0"
	V2_IS(from, to, &shown, SIGNATURE "\x21\x11\0\x2c" V4 "\x20\0\x1d\7\0\0\0\0" REST);
	V2_IS(from, to, &old, SIGNATURE "\x21\x11\0\x2c" V4 "\x20\0\x1d\5\0\0\0\0" REST);
	V2_IS(from, to, &unverified, SIGNATURE "\x21\x11\0\x2c" V4 "\x20\0\x1d\7\0\0\0\1" REST);
}

static void
a_chain_adds_what_it_knows(void **state)
{
	/* NOOP, authority, checksum, unique id, of an application's own. */
	static const struct proxy_bytes heard = BYTES("\4\0\1x\2\0\3old\3\0\4....\5\0\1u\xe0\0\0");
	const struct proxy_facts silent = { .passed_on = heard };
	const struct proxy_facts named = { .passed_on = heard, .authority = BYTES("new") };
	struct addr from = ip("192.0.2.7", 258), to = ip("198.51.100.1", 443);

	(void)state;
	V2_IS(from, to, &silent, SIGNATURE "\x21\x11\0\x19" V4 "\2\0\3old\5\0\1u\xe0\0\0");
	V2_IS(from, to, &named, SIGNATURE "\x21\x11\0\x19" V4 "\2\0\3new\5\0\1u\xe0\0\0");
}

static void
the_checksum(void **state)
{
	static const struct proxy_facts facts = { .checksum = true };
	struct addr from = ip("192.0.2.7", 258), to = ip("198.51.100.1", 443);
	uint8_t header[PROXY_HEADER_V2_MAX];
	size_t n = proxy_header_v2(header, &from, &to, &facts);
	uint32_t crc;

	(void)state;
	/* RFC 3720 B.4 has this one for CRC32c, and zeros. */
	assert_int_equal(proxy_header_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(proxy_header_crc32c(0, (uint8_t[32]){ 0 }, 32), 0x8a9136aa);
	crc = proxy_header_crc32c(0, "1234", 4);
	assert_int_equal(proxy_header_crc32c(crc, "56789", 5), 0xe3069283);
	assert_int_equal(n, 16 + 12 + 7);
	crc = (uint32_t)header[n - 4] << 24 | header[n - 3] << 16 | header[n - 2] << 8 |
	      header[n - 1];
	memset(header + n - 4, 0, 4);
	assert_int_equal(crc, proxy_header_crc32c(0, header, n));
}

static void
too_much_is_not_told_in_part(void **state)
{
	static uint8_t cert[PROXY_HEADER_V2_MAX];
	struct proxy_facts facts = { .tls = { .is_there = true, .has_cert = true } };
	struct addr from = ip("192.0.2.7", 258), to = ip("198.51.100.1", 443);
	uint8_t header[PROXY_HEADER_V2_MAX];
	size_t room = PROXY_HEADER_V2_MAX - 16 - 12 - 8 - 3;

	(void)state;
	facts.tls.cert = (struct proxy_bytes){ cert, room };
	assert_int_equal(proxy_header_v2(header, &from, &to, &facts), PROXY_HEADER_V2_MAX);
	facts.tls.cert.n++;
	assert_int_equal(proxy_header_v2(header, &from, &to, &facts), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1),
		cmocka_unit_test(version_2),
		cmocka_unit_test(what_tls_agreed_on),
		cmocka_unit_test(a_chain_adds_what_it_knows),
		cmocka_unit_test(the_checksum),
		cmocka_unit_test(too_much_is_not_told_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
