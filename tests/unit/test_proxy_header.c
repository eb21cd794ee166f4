/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_proxy_header.c -- headers of the PROXY protocol, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "proto/proxy_header.h"

#include <arpa/inet.h>
#include <string.h>

static struct addr
ip(const char *text, uint16_t port)
{
	struct addr a = { .len = sizeof(a.in6), .in6.sin6_family = AF_INET6 };

	if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) != 1) {
		a = (struct addr){ .len = sizeof(a.in), .in.sin_family = AF_INET };
		assert_int_equal(inet_pton(AF_INET, text, &a.in.sin_addr), 1);
	}
	addr_set_port(&a, port);
	return a;
}

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

static void
v2_is(struct addr client, struct addr accepted, const char *name, const char *want, size_t n)
{
	uint8_t header[PROXY_HEADER_V2_MAX];

	assert_int_equal(proxy_header_v2(header, &client, &accepted, name), n);
	assert_memory_equal(header, want, n);
}

#define V2_IS(client, accepted, name, want) v2_is(client, accepted, name, want, sizeof(want) - 1)

static void
version_2(void **state)
{
	char longest[300];
	uint8_t header[PROXY_HEADER_V2_MAX];
	struct addr six = ip("2001:db8::7", 1);

	(void)state;
	V2_IS(ip("192.0.2.7", 258), ip("198.51.100.1", 443), NULL,
	    SIGNATURE "\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\1\2\1\xbb");
	V2_IS(ip("::ffff:192.0.2.7", 258), ip("::ffff:198.51.100.1", 443), "a.b",
	    SIGNATURE "\x21\x11\0\x12\xc0\0\2\7\xc6\x33\x64\1\1\2\1\xbb\2\0\3"
		      "a.b");
	V2_IS(six, ip("2001:db8::1", 2), NULL,
	    SIGNATURE "\x21\x21\0\x24\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\1\r\xb8\0\0\0\0\0\0\0"
		      "\0\0\0\0\1\0\1\0\2");
	V2_IS((struct addr){ 0 }, six, NULL, SIGNATURE "\x21\0\0\0");
	memset(longest, 'x', sizeof(longest));
	longest[299] = '\0';
	assert_int_equal(proxy_header_v2(header, &six, &six, longest), PROXY_HEADER_V2_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1),
		cmocka_unit_test(version_2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
