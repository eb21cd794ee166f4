/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_text.c -- escapes, distances and numbers, good beside bad. */
#include "base/text.h"

#include "base/check.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
what_is_not_plain_is_escaped(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *safe;
	} cases[] = {
		{ "", 0, "" },
		{ "mail.example.org", 16, "mail.example.org" },
		{ "a b~!", 5, "a b~!" },
		{ "a\r\nb", 4, "a\\x0d\\x0ab" },
		{ "\0", 1, "\\x00" },
		{ "\x1b[2J", 4, "\\x1b[2J" },
		{ "\\x0a", 4, "\\x5cx0a" }, /* or it could pass for one of ours */
		{ "\x7f\x80\xff", 3, "\\x7f\\x80\\xff" },
	};
	char out[TEXT_SAFE_MAX * 4 + 1];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(
		    text_safe(cases[i].bytes, cases[i].n, out, sizeof(out)), cases[i].safe);
}

static void
long_text_is_cut(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *safe;
	} cases[] = {
		{ "abcdefgh", 9, "abcdefgh" },
		{ "abcdefgh", 8, "abcd..." },
		{ "abcdefgh", 4, "..." },
		{ "ab\n", 7, "ab\\x0a" },
		{ "ab\n", 6, "ab..." }, /* never half an escape */
		{ "\n\n", 8, "\\x0a..." },
	};
	char long_text[TEXT_SAFE_MAX + 2], out[TEXT_SAFE_MAX * 4 + 4];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		memset(out, '#', sizeof(out));
		assert_string_equal(
		    text_safe(cases[i].bytes, strlen(cases[i].bytes), out, cases[i].size),
		    cases[i].safe);
		assert_int_equal(out[cases[i].size], '#');
	}
	memset(long_text, 'x', sizeof(long_text));
	assert_int_equal(
	    strlen(text_safe(long_text, TEXT_SAFE_MAX, out, sizeof(out))), TEXT_SAFE_MAX);
	text_safe(long_text, TEXT_SAFE_MAX + 1, out, sizeof(out));
	assert_int_equal(strlen(out), TEXT_SAFE_MAX + 3);
	assert_string_equal(out + TEXT_SAFE_MAX, "...");
}

static void
distances(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned edits;
	} cases[] = {
		{ "", "", 0 },
		{ "", "abc", 3 },
		{ "connect", "CONNECT", 0 },
		{ "conect", "connect", 1 },
		{ "conmect", "connect", 1 },
		{ "connectt", "connect", 1 },
		{ "ocnnect", "connect", 1 }, /* two letters that changed places are one mistake */
		{ "nsi", "sni", 1 },
		{ "kitten", "sitting", 3 },
		{ "ca", "abc", 3 }, /* no letter is moved twice */
		{ "accept", "connect", 5 },
	};
	char long_name[200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(text_distance(cases[i].a, cases[i].b), cases[i].edits);
		assert_int_equal(text_distance(cases[i].b, cases[i].a), cases[i].edits);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(text_distance(long_name, "a"), 199);
}

static void
numbers(void **state)
{
	static const struct {
		const char *text;
		long min, max, value;
		bool ok;
	} cases[] = {
		{ "0", 0, 9, 0, true }, { "007", 0, 9, 7, true },
		{ "9223372036854775807", 0, LONG_MAX, LONG_MAX, true },
		{ "9223372036854775808", 0, LONG_MAX, 0, false },
		{ "99999999999999999999999", 0, LONG_MAX, 0, false }, { "10", 0, 9, 0, false },
		{ "4", 5, 9, 0, false }, { "", 0, 9, 0, false }, { "-5", -9, 9, 0, false },
		{ "+5", 0, 9, 0, false }, { " 5", 0, 9, 0, false }, { "5 ", 0, 9, 0, false },
		{ "5s", 0, 9, 0, false }, { "0x5", 0, 9, 0, false }, { "5.0", 0, 9, 0, false },
		{ "\xd9\xa5", 0, 9, 0, false }, /* an Arabic 5 */
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		long n = -1;

		assert_int_equal(
		    text_number(cases[i].text, cases[i].min, cases[i].max, &n), cases[i].ok);
		assert_int_equal(n, cases[i].ok ? cases[i].value : -1);
	}
}

static void
ports(void **state)
{
	static const struct {
		const char *text;
		unsigned short port; /* 0: refused */
	} cases[] = {
		{ "1", 1 },
		{ "25", 25 },
		{ "00025", 25 },
		{ "65535", 65535 },
		{ "0", 0 },
		{ "65536", 0 },
		{ "70000", 0 },
		{ "000025", 0 },
		{ "", 0 },
		{ "25 ", 0 },
		{ "-1", 0 },
		{ "smtp", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned short port = 0;

		assert_int_equal(text_port(cases[i].text, &port), cases[i].port != 0);
		assert_int_equal(port, cases[i].port);
	}
}

static void
what_hides_other_text_becomes_dots(void **state)
{
	static const struct {
		const char *line, *shown;
	} cases[] = {
		{ "plain \\ text", "plain \\ text" },
		{ "a\r\n\x1b[1m\x7f", "a...[1m." },
		{ "Zażółć 日本 😀", "Zażółć 日本 😀" },
		{ "evil\xe2\x80\xaetxt", "evil...txt" },  /* U+202E turns the rest round */
		{ "\xef\xbb\xbfx\xc2\x85y", "...x..y" },  /* a byte order mark, a C1 control */
		{ "\xff\xc0\x80\xed\xa0\x80", "......" }, /* no UTF-8: stray, overlong, surrogate */
		{ "cut \xe6\x97", "cut .." },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char line[64];

		strcpy(line, cases[i].line);
		text_dot(line, strlen(line));
		assert_string_equal(line, cases[i].shown);
	}
}

/* Whichever way a byte is looked at, alone or with its neighbours. */
static void
what_hides_becomes_a_dot_wherever_it_stands(void **state)
{
	enum { LENGTH = 21 };
	char line[LENGTH + 1];

	(void)state;
	for (unsigned at = 0; at < LENGTH; at++)
		for (unsigned c = 1; c < 256; c++) {
			memset(line, c & 1 ? '~' : ' ', LENGTH);
			line[LENGTH] = '\0';
			line[at] = (char)c;
			text_dot(line, LENGTH);
			assert_int_equal(line[at], c >= 0x20 && c < 0x7f ? (int)c : '.');
			line[at] = c & 1 ? '~' : ' ';
			assert_int_equal(strspn(line, c & 1 ? "~" : " "), LENGTH);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_plain_is_escaped),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(what_hides_other_text_becomes_dots),
		cmocka_unit_test(what_hides_becomes_a_dot_wherever_it_stands),
		cmocka_unit_test(distances),
		cmocka_unit_test(numbers),
		cmocka_unit_test(ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
