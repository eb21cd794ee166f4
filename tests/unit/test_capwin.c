/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_capwin.c -- credentials that are given once and shown by every tunnel. */
#include "proto_kit.h"

static const struct proto_conf control = { .proto = &capwin_control };
static const struct proto_conf tunnel = { .proto = &capwin_proto };

static void
give(const char *message, enum reason reason)
{
	const struct kit_move moves[] = { NEAR_(message), ENDS_(reason), STOP_ };

	kit_play(message, &capwin_control.client, PROTO_REQUEST, &control, moves);
}

static void
show(const char *shown)
{
	const struct kit_move moves[] = { TO_FAR(shown), FAR_("BINGOhi"),
		{ SCRIPT_DONE, "near", 0, 0, 0 }, STOP_ };

	kit_play(shown, &capwin_proto.client, PROTO_LATE, &tunnel, moves);
}

static void
nothing_is_shown_before_it_was_given(void **state)
{
	(void)state;
	kit_play("none", &capwin_proto.client, PROTO_LATE, &tunnel,
	    (struct kit_move[]){ ENDS_(R_PROTO_AUTH), STOP_ });
}

static void
what_was_given_last_is_shown(void **state)
{
	(void)state;
	give("\x1f"
	     "alice\x1fsecret\x1f\x1c",
	    R_PROTO_QUIT);
	show("\x1f"
	     "alice\x1fsecret\x1f\x1c");
	give("x\x1f"
	     "bob\x1fother\x1fyz\x1c",
	    R_PROTO_QUIT);
	show("\x1f"
	     "bob\x1fother\x1f\x1c");
}

static void
what_is_malformed_is_not_kept(void **state)
{
	char longest[120];
	static const char *const bad[] = { "\x1c", "alice\x1c",
		"\x1f"
		"alice\x1c",
		"\x1f"
		"alice\x1fsecret\x1c" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		give(bad[i], R_PROTO_CLIENT);
	memset(longest, 'x', sizeof(longest));
	longest[100] = '\0';
	give(longest, R_PROTO_CLIENT);
	longest[99] = '\0';
	kit_play("half", &capwin_control.client, PROTO_REQUEST, &control,
	    (struct kit_move[]){ NEAR_(longest), WAITS_, STOP_ });
	show("\x1f"
	     "bob\x1fother\x1f\x1c");
}

static void
the_longest_fits(void **state)
{
	char text[100];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[0] = text[40] = text[97] = '\x1f';
	text[98] = '\x1c';
	text[99] = '\0';
	give(text, R_PROTO_QUIT);
	show(text);
}

static void
no_is_no(void **state)
{
	char text[100];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[0] = text[40] = text[97] = '\x1f';
	text[98] = '\x1c';
	text[99] = '\0';
	kit_play("failed", &capwin_proto.client, PROTO_LATE, &tunnel,
	    (struct kit_move[]){ TO_FAR(text), FAR_("FAILED"), ENDS_(R_PROTO_AUTH), STOP_ });
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_shown_before_it_was_given),
		cmocka_unit_test(what_was_given_last_is_shown),
		cmocka_unit_test(what_is_malformed_is_not_kept),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(no_is_no),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
