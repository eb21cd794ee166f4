/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_option.c -- the shared parsers: what they take, and what they say to the rest. */
#include "base/option.h"

#include "base/check.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct option_ctx ctx;

static int
setup(void **state)
{
	(void)state;
	return (ctx.arena = arena_new()) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(ctx.arena);
	return 0;
}

static const struct option_word words[] = { { "rr", 7 }, { "prio", -3 }, { "none", 0 },
	{ NULL, 0 } };

static const struct option yesno = { .name = "yesno", .parse = option_yesno };
static const struct option keyword = { .name = "keyword", .parse = option_keyword, .words = words };
static const struct option any_int = { .name = "int", .parse = option_int };
static const struct option some_int = { .name = "int", .parse = option_int, .min = 2, .max = 5 };
static const struct option any_long = { .name = "long", .parse = option_long };
static const struct option any_secs = { .name = "secs", .parse = option_secs };
static const struct option wide_secs = { .name = "secs", .parse = option_secs, .max = LONG_MAX };

/* What a parser wrote, as a number. */
static long
value_of(const struct option *o, const void *field)
{
	if (o->parse == option_yesno)
		return *(const bool *)field;
	return o->parse == option_long ? *(const long *)field : *(const int *)field;
}

static void
values_that_are_taken(void **state)
{
	static const struct {
		const struct option *option;
		const char *value;
		long result;
	} cases[] = {
		{ &yesno, "yes", 1 },
		{ &yesno, "YES", 1 },
		{ &yesno, "no", 0 },
		{ &keyword, "rr", 7 },
		{ &keyword, "Prio", -3 },
		{ &any_int, "0", 0 },
		{ &any_int, "2147483647", INT_MAX },
		{ &some_int, "2", 2 },
		{ &some_int, "5", 5 },
		{ &any_long, "9223372036854775807", LONG_MAX },
		{ &any_secs, "43200", 43200000 },
		{ &any_secs, "0", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct option *o = cases[i].option;
		long field = 99;

		assert_true(o->parse(&ctx, o, &field, cases[i].value));
		assert_int_equal(value_of(o, &field), cases[i].result);
	}
}

static void
values_that_are_refused(void **state)
{
	static const struct {
		const struct option *option;
		const char *value, *why; /* a part of what is said */
	} cases[] = {
		{ &yesno, "", "write yes or no" },
		{ &yesno, "1", "\"1\"" },
		{ &yesno, "yes ", "write yes or no" },
		{ &yesno, "true\x1b", "true\\x1b" },
		{ &keyword, "random", "write rr, prio or none" },
		{ &any_int, "2147483648", "from 0 to 2147483647" },
		{ &any_int, "-1", "\"-1\"" },
		{ &any_int, "", "digits" },
		{ &some_int, "1", "from 2 to 5" },
		{ &some_int, "6", "from 2 to 5" },
		{ &any_long, "9223372036854775808", "not a number" },
		{ &any_secs, "2147484", "from 0 to 2147483" }, /* milliseconds are kept in an int */
		{ &wide_secs, "2147484", "from 0 to 2147483" },
		{ &any_secs, "10s", "\"10s\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct option *o = cases[i].option;
		long field = 99;

		ctx.why[0] = '\0';
		assert_false(o->parse(&ctx, o, &field, cases[i].value));
		assert_int_equal(field, 99);
		if (strstr(ctx.why, cases[i].why) == NULL)
			fail_msg("%s = %s: \"%s\" lacks \"%s\"", o->name, cases[i].value, ctx.why,
			    cases[i].why);
	}
}

static void
text_outlives_its_line(void **state)
{
	static const struct option text = { .name = "text", .parse = option_text };
	const char *field = NULL;
	char line[] = "/etc/ssl/cert.pem";

	(void)state;
	assert_true(option_text(&ctx, &text, &field, line));
	line[0] = '#';
	assert_string_equal(field, "/etc/ssl/cert.pem");
	assert_true(option_text(&ctx, &text, &field, ""));
	assert_null(field);
}

static void
lists_grow(void **state)
{
	static const struct option list = { .name = "list", .parse = option_list, .arg = "HOST" };
	struct strv field = { NULL, 0 };

	(void)state;
	assert_true(option_list(&ctx, &list, &field, "a.test"));
	assert_true(option_list(&ctx, &list, &field, "b.test"));
	assert_false(option_list(&ctx, &list, &field, ""));
	assert_non_null(strstr(ctx.why, "write one HOST"));
	assert_int_equal(field.n, 2);
	assert_string_equal(field.v[1], "b.test");
}

static void
words_are_joined(void **state)
{
	static const struct option_word one[] = { { "yes", 1 }, { NULL, 0 } };
	char out[32], small[8];

	(void)state;
	assert_string_equal(option_words(one, out, sizeof(out)), "yes");
	assert_string_equal(option_words(one + 1, out, sizeof(out)), "");
	assert_string_equal(option_words(words, out, sizeof(out)), "rr, prio or none");
	assert_string_equal(option_words(words, small, sizeof(small)), "rr, pri");
}

struct heard {
	struct sink sink;
	bool fatal;
	const char *option;
	char text[2048];
};

static void
hear(struct sink *sink, bool fatal, const char *option, const char *text)
{
	struct heard *h = (struct heard *)sink;

	h->fatal = fatal;
	h->option = option;
	(void)snprintf(h->text, sizeof(h->text), "%s", text);
}

static void
complaints_are_counted_and_passed_on(void **state)
{
	struct heard h = { .sink.say = hear };

	(void)state;
	sink_warn(&h.sink, "verify", "level %d is old", 2);
	assert_int_equal(h.sink.errors, 0);
	assert_false(h.fatal);
	assert_string_equal(h.option, "verify");
	assert_string_equal(h.text, "level 2 is old");
	sink_error(&h.sink, NULL, "%3000s", "x");
	assert_int_equal(h.sink.errors, 1);
	assert_true(h.fatal);
	assert_null(h.option);
	assert_int_equal(strlen(h.text), 1023);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_that_are_taken),
		cmocka_unit_test(values_that_are_refused),
		cmocka_unit_test(text_outlives_its_line),
		cmocka_unit_test(lists_grow),
		cmocka_unit_test(words_are_joined),
		cmocka_unit_test(complaints_are_counted_and_passed_on),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
