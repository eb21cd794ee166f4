/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_proto.c -- lines, scripts, and the list of protocols. */
#include "proto_kit.h"

#include <stdio.h>

/* ---- a protocol of its own, that shows what was read ---- */

static enum proto_verdict
echo_line(struct dialogue *d)
{
	enum proto_verdict got = proto_line(d, PROTO_NEAR);

	if (got == PROTO_DONE)
		proto_say(d, PROTO_NEAR, "[%s]", d->line);
	return got;
}

static enum proto_verdict
take_four(struct dialogue *d)
{
	const uint8_t *bytes;
	enum proto_verdict got = proto_bytes(d, PROTO_FAR, 4, &bytes);

	if (got == PROTO_DONE) {
		proto_put(d, PROTO_NEAR, bytes, 4);
		proto_eat(d, PROTO_FAR, 4);
	}
	return got;
}

static const struct proto_row line_script[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, echo_line },
	{ 0 },
};
static const struct proto_row bytes_script[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, take_four },
	{ 0 },
};
static const struct proto_row row_script[] = {
	{ PROTO_PASS, PROTO_FAR, "OK", "no welcome", R_NONE, NULL },
	{ PROTO_SAY, PROTO_FAR, "HELLO %h now", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "250", "bad answer", R_NO_STARTTLS_FAR, NULL },
	{ PROTO_EXPECT, PROTO_NEAR, "go", "no go", R_NONE, NULL },
	{ 0 },
};

static const struct proto kit_proto = {
	.name = "kit",
	.server = { .script[PROTO_EARLY] = line_script,
	    .script[PROTO_REQUEST] = bytes_script,
	    .script[PROTO_CLEAR] = row_script },
};
static const struct proto_conf kit_conf = { .proto = &kit_proto };

static void
play(const char *name, enum proto_point point, const struct kit_move *moves)
{
	kit_play(name, &kit_proto.server, point, &kit_conf, moves);
}

static void
a_line_ends_with_lf(void **state)
{
	(void)state;
	play("CRLF", PROTO_EARLY,
	    (struct kit_move[]){ NEAR_("a b\r\n"), TO_NEAR("[a b]\r\n"), DONE_, STOP_ });
	play("LF", PROTO_EARLY,
	    (struct kit_move[]){ NEAR_("a\n"), TO_NEAR("[a]\r\n"), DONE_, STOP_ });
	play("empty", PROTO_EARLY,
	    (struct kit_move[]){ NEAR_("\r\n"), TO_NEAR("[]\r\n"), DONE_, STOP_ });
	play("half", PROTO_EARLY, (struct kit_move[]){ NEAR_("half\r"), WAITS_, STOP_ });
}

static void
what_two_parsers_may_read_in_two_ways_ends_it(void **state)
{
	static const struct kit_move nul[] = { NEAR_BYTES("a\0b\r\n"), ENDS_(R_PROTO_CLIENT),
		STOP_ };
	static const struct kit_move cr[] = { NEAR_("a\rb\r\n"), ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move two[] = { NEAR_("a\r\r\n"), ENDS_(R_PROTO_CLIENT), STOP_ };

	(void)state;
	play("NUL", PROTO_EARLY, nul);
	play("CR in it", PROTO_EARLY, cr);
	play("two CR", PROTO_EARLY, two);
}

/* A line of `n` bytes and its end. */
static void
long_line(size_t n, const char *end, bool fits)
{
	static char text[2 * PROTO_LINE_MAX], said[2 * PROTO_LINE_MAX];
	struct kit_move moves[] = { NEAR_(text), TO_NEAR(said), DONE_, STOP_ };

	memset(text, 'x', n);
	(void)snprintf(text + n, sizeof(text) - n, "%s", end);
	(void)snprintf(said, sizeof(said), "[%.*s]\r\n", (int)n, text);
	if (!fits) {
		moves[1] = (struct kit_move)ENDS_(R_PROTO_CLIENT);
		moves[2] = (struct kit_move)STOP_;
	}
	play("long", PROTO_EARLY, moves);
}

static void
a_line_has_a_limit(void **state)
{
	(void)state;
	long_line(PROTO_LINE_MAX - 2, "\r\n", true); /* room for the brackets */
	long_line(PROTO_LINE_MAX - 2, "\n", true);
	long_line(PROTO_LINE_MAX + 1, "\r\n", false);
	long_line(PROTO_LINE_MAX + 1, "\n", false);
	long_line(PROTO_LINE_MAX + 2, "", false); /* ... also without its end */
}

static void
nothing_behind_a_line_is_touched(void **state)
{
	struct kit_move moves[] = { NEAR_("first\r\nsecond\r\n"), TO_NEAR("[first]\r\n"),
		{ SCRIPT_DONE, "far", 0, 0, 0 }, THEN_(PROTO_EARLY), TO_NEAR("[second]\r\n"), DONE_,
		STOP_ };

	(void)state;
	play("two lines", PROTO_EARLY, moves);
}

static void
bytes_are_counted(void **state)
{
	(void)state;
	play("three", PROTO_REQUEST, (struct kit_move[]){ FAR_BYTES("\0\1\2"), WAITS_, STOP_ });
	play("five", PROTO_REQUEST,
	    (struct kit_move[]){ FAR_BYTES("\0\1\2\3\4"), { NEAR_GETS, "\0\1\2\3", 0, 0, 4 },
		{ SCRIPT_DONE, "near", 0, 0, 0 }, STOP_ });
}

static void
rows_are_a_dialogue(void **state)
{
	static const struct kit_move good[] = { FAR_("ok welcome\r\n"), TO_NEAR("ok welcome\r\n"),
		TO_FAR("HELLO localhost now\r\n"), FAR_("250-a\r\n"), WAITS_,
		FAR_("250-b\r\n250 c\r\n"), WAITS_, NEAR_("GO\r\n"), DONE_, STOP_ };
	static const struct kit_move alone[] = { FAR_("OK\r\n"), TO_NEAR("OK\r\n"),
		TO_FAR("HELLO localhost now\r\n"), FAR_("250\r\n"), NEAR_("go\n"), DONE_, STOP_ };
	static const struct kit_move no_welcome[] = { FAR_("NO\r\n"), ENDS_(R_PROTO_SERVER),
		STOP_ };
	static const struct kit_move bad_reply[] = { FAR_("OK\r\n"), TO_NEAR("OK\r\n"),
		TO_FAR("HELLO localhost now\r\n"), FAR_("2500 c\r\n"), ENDS_(R_NO_STARTTLS_FAR),
		STOP_ };
	static const struct kit_move no_go[] = { FAR_("OK\r\n"), TO_NEAR("OK\r\n"),
		TO_FAR("HELLO localhost now\r\n"), FAR_("250 c\r\n"), NEAR_("stop\r\n"),
		ENDS_(R_PROTO_CLIENT), STOP_ };

	(void)state;
	play("good", PROTO_CLEAR, good);
	play("one line", PROTO_CLEAR, alone);
	play("no welcome", PROTO_CLEAR, no_welcome);
	play("bad reply", PROTO_CLEAR, bad_reply);
	play("no go", PROTO_CLEAR, no_go);
}

static void
base64_is_what_rfc_4648_says(void **state)
{
	static const char *const cases[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" } };
	char out[9];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_true(proto_base64(cases[i][0], strlen(cases[i][0]), out, sizeof(out)));
		assert_string_equal(out, cases[i][1]);
	}
	assert_true(proto_base64("\xff\xfe\xfd", 3, out, sizeof(out)));
	assert_string_equal(out, "//79");
	assert_false(proto_base64("fooba", 5, out, 8));
}

/* ---- the list ---- */

struct complaints {
	struct sink sink;
	char text[600];
};

static void
note(struct sink *sink, bool fatal, const char *option, const char *text)
{
	struct complaints *c = (struct complaints *)sink;

	(void)snprintf(c->text, sizeof(c->text), "%s %s: %s", fatal ? "E" : "W", option, text);
}

static const char *
checked(const struct proto_conf *conf, bool client, bool tls)
{
	static struct complaints c;

	c = (struct complaints){ .sink.say = note };
	proto_check(conf, client, tls, &c.sink);
	return c.text;
}

static void
the_list_knows_its_names(void **state)
{
	static const struct proto_conf pop3 = { .proto = &starttls_pop3 };

	(void)state;
	assert_ptr_equal(proto_find("pop3"), &starttls_pop3);
	assert_ptr_equal(proto_find("POP3"), &starttls_pop3);
	assert_null(proto_find("pop"));
	assert_null(proto_find(""));
	assert_string_equal(checked(&pop3, false, true), "");
	assert_string_equal(checked(&pop3, true, true), "");
	assert_non_null(
	    strstr(checked(&pop3, true, false), "E protocol: pop3 is about how TLS begins on "
						"the connected side"));
	assert_non_null(strstr(checked(&kit_conf, true, true),
	    "E protocol: The configured protocol is not supported in the client mode"));
	assert_string_equal(checked(&(struct proto_conf){ 0 }, true, true), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_ends_with_lf),
		cmocka_unit_test(what_two_parsers_may_read_in_two_ways_ends_it),
		cmocka_unit_test(a_line_has_a_limit),
		cmocka_unit_test(nothing_behind_a_line_is_touched),
		cmocka_unit_test(bytes_are_counted),
		cmocka_unit_test(rows_are_a_dialogue),
		cmocka_unit_test(base64_is_what_rfc_4648_says),
		cmocka_unit_test(the_list_knows_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
