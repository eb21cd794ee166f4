/* SPDX-License-Identifier: Apache-2.0 */
/* The head in front of each datagram of SOCKS: read, refused, and written. */
#include "proto/socks_udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
heads_that_are_read(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *host, *data;
	} cases[] = {
		{ "\0\0\0\1\300\0\2\1\0\65hello", 15, "192.0.2.1:53", "hello" },
		{ "\0\0\0\1\300\0\2\1\0\65", 10, "192.0.2.1:53", "" },
		{ "\0\0\0\3\6a.test\1\0x", 14, "a.test:256", "x" },
		{ "\0\0\0\3\011127.0.0.1\0\1x", 17, "127.0.0.1:1", "x" },
		{ "\0\0\0\4 \1\r\270\0\0\0\0\0\0\0\0\0\0\0\1\0\65x", 23, "2001:db8::1:53", "x" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		/* In memory of just that size, so that the sanitizers see a step beyond. */
		uint8_t *copy = malloc(cases[i].n);
		struct socks_datagram d;
		char text[300];

		assert_non_null(copy);
		memcpy(copy, cases[i].bytes, cases[i].n);
		assert_true(socks_udp_read(copy, cases[i].n, &d));
		if (d.target.addr.len != 0)
			addr_text(&d.target.addr, text);
		else
			(void)snprintf(text, sizeof(text), "%s:%u", d.target.host, d.target.port);
		assert_string_equal(text, cases[i].host);
		assert_int_equal(d.n, strlen(cases[i].data));
		assert_memory_equal(d.data, cases[i].data, d.n);
		free(copy);
	}
}

static void
heads_that_are_refused(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t n;
	} cases[] = {
		{ "nothing", "", 0 },
		{ "a fragment", "\0\0\1\1\300\0\2\1\0\65x", 11 },
		{ "not zero", "\1\0\0\1\300\0\2\1\0\65x", 11 },
		{ "a kind", "\0\0\0\2\300\0\2\1\0\65x", 11 },
		{ "too short", "\0\0\0\1\300\0\2\1\0", 9 },
		{ "too short", "\0\0\0\4 \1\r\270\0\0\0\0\0\0\0\0\0\0\0\1\0", 21 },
		{ "no name", "\0\0\0\3\0\0\65x", 8 },
		{ "a name cut off", "\0\0\0\3\377a.test\0\65", 13 },
		{ "a NUL", "\0\0\0\3\6a\0test\0\65x", 14 },
		{ "no host", "\0\0\0\3\005127.1\0\65x", 13 },
		{ "port 0", "\0\0\0\1\300\0\2\1\0\0x", 11 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct socks_datagram d;

		if (socks_udp_read((const uint8_t *)cases[i].bytes, cases[i].n, &d))
			fail_msg("%s", cases[i].what);
	}
}

static void
what_is_written_is_read_again(void **state)
{
	static const char *const from[] = { "192.0.2.1:53", "[2001:db8::1]:65535" };
	struct arena *arena = arena_new();
	char why[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(from); i++) {
		struct target t;
		uint8_t head[SOCKS_UDP_HEAD_MAX];
		struct socks_datagram d;
		size_t n;

		assert_true(target_parse(arena, from[i], &t, why, sizeof(why)));
		n = socks_udp_head(&t.numeric, head);
		assert_true(socks_udp_read(head, n, &d));
		assert_true(addr_equal(&d.target.addr, &t.numeric));
		assert_int_equal(d.n, 0);
	}
	arena_free(arena);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_that_are_read),
		cmocka_unit_test(heads_that_are_refused),
		cmocka_unit_test(what_is_written_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
