/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_ppp_fsm.c -- the automaton beside RFC 1661's own table, and options one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "ppp/fsm.h"

#include <stdlib.h>
#include <string.h>

/*
 * RFC 1661, 4.1, as it is printed there: states 0 to 9 from left to right.  "tls" has no action
 * here, for the layer below is always up; a letter behind the state is a footnote of the RFC's.
 */
static const char *const printed[FSM_EVENTS][FSM_STATES] = {
	[FSM_UP] = { "2", "irc,scr/6", "-", "-", "-", "-", "-", "-", "-", "-" },
	[FSM_DOWN] = { "-", "-", "0", "tls/1", "0", "1", "1", "1", "1", "tld/1" },
	[FSM_OPEN] = { "tls/1", "1", "irc,scr/6", "3r", "5r", "5r", "6", "7", "8", "9r" },
	[FSM_CLOSE] = { "0", "tlf/0", "2", "2", "4", "4", "irc,str/4", "irc,str/4", "irc,str/4",
	    "tld,irc,str/4" },
	[FSM_TIMEOUT] = { "-", "-", "-", "-", "str/4", "str/5", "scr/6", "scr/6", "scr/8", "-" },
	[FSM_TIMEOUT_LAST] = { "-", "-", "-", "-", "tlf/2", "tlf/3", "tlf/3p", "tlf/3p", "tlf/3p",
	    "-" },
	[FSM_GOOD_REQUEST] = { "-", "-", "sta/2", "irc,scr,sca/8", "4", "5", "sca/8", "sca,tlu/9",
	    "sca/8", "tld,scr,sca/8" },
	[FSM_BAD_REQUEST] = { "-", "-", "sta/2", "irc,scr,scn/6", "4", "5", "scn/6", "scn/7",
	    "scn/6", "tld,scr,scn/6" },
	[FSM_ACK] = { "-", "-", "sta/2", "sta/3", "4", "5", "irc/7", "scr/6x", "irc,tlu/9",
	    "tld,scr/6x" },
	[FSM_NAK] = { "-", "-", "sta/2", "sta/3", "4", "5", "irc,scr/6", "scr/6x", "irc,scr/8",
	    "tld,scr/6x" },
	[FSM_TERMINATE] = { "-", "-", "sta/2", "sta/3", "sta/4", "sta/5", "sta/6", "sta/6", "sta/6",
	    "tld,zrc,sta/5" },
	[FSM_TERMINATED] = { "-", "-", "2", "3", "tlf/2", "tlf/3", "6", "6", "8", "tld,scr/6" },
	[FSM_UNKNOWN_CODE] = { "-", "-", "scj/2", "scj/3", "scj/4", "scj/5", "scj/6", "scj/7",
	    "scj/8", "scj/9" },
	[FSM_REJECTED_BEARABLE] = { "-", "-", "2", "3", "4", "5", "6", "6", "8", "9" },
	[FSM_REJECTED_FATAL] = { "-", "-", "tlf/2", "tlf/3", "tlf/2", "tlf/3", "tlf/3", "tlf/3",
	    "tlf/3", "tld,irc,str/5" },
	[FSM_ECHO] = { "-", "-", "2", "3", "4", "5", "6", "7", "8", "ser/9" },
};

static const struct {
	const char *name;
	unsigned action;
} actions[] = {
	{ "tls", 0 },
	{ "tld", FSM_TLD },
	{ "tlu", FSM_TLU },
	{ "tlf", FSM_TLF },
	{ "irc", FSM_IRC },
	{ "zrc", FSM_ZRC },
	{ "scr", FSM_SCR },
	{ "str", FSM_STR },
	{ "sca", FSM_SAY },
	{ "scn", FSM_SAY },
	{ "sta", FSM_SAY },
	{ "scj", FSM_SAY },
	{ "ser", FSM_SAY },
};

static struct fsm_cell
read_cell(const char *text)
{
	struct fsm_cell cell = { 0, FSM_STATES };
	const char *slash = strchr(text, '/');

	if (strcmp(text, "-") == 0)
		return cell;
	for (size_t i = 0; i < COUNT_OF(actions); i++)
		if (slash != NULL && strstr(text, actions[i].name) != NULL)
			cell.actions |= actions[i].action;
	cell.next = (uint8_t)strtoul(slash == NULL ? text : slash + 1, NULL, 10);
	return cell;
}

static void
the_table_is_that_of_the_rfc(void **state)
{
	(void)state;
	for (enum fsm_event e = 0; e < FSM_EVENTS; e++)
		for (enum fsm_state s = 0; s < FSM_STATES; s++) {
			struct fsm_cell want = read_cell(printed[e][s]);
			const struct fsm_cell *got = fsm_cell(s, e);

			if (got->actions != want.actions || got->next != want.next)
				fail_msg(
				    "event %d in %s: not %s", e, fsm_state_name(s), printed[e][s]);
		}
}

static void
options_are_read_one_by_one(void **state)
{
	static const uint8_t bytes[] = { 1, 4, 5, 220, 7, 2, 200, 3, 9 };
	struct rd r = rd_of(bytes, sizeof(bytes));
	struct fsm_option option;

	(void)state;
	assert_true(fsm_next_option(&r, &option));
	assert_int_equal(option.type, 1);
	assert_int_equal(option.n, 2);
	assert_ptr_equal(option.value, bytes + 2);
	assert_true(fsm_next_option(&r, &option));
	assert_int_equal(option.type, 7);
	assert_int_equal(option.n, 0);
	assert_true(fsm_next_option(&r, &option));
	assert_int_equal(option.n, 1);
	assert_false(fsm_next_option(&r, &option));
	assert_false(r.bad);
}

/* Lengths of 0 and 1, and one past the end: each ends the walk, and none makes it endless. */
static void
malformed_options_end_the_walk(void **state)
{
	static const uint8_t bad[][4] = { { 1, 0, 0, 0 }, { 1, 1, 0, 0 }, { 1, 5, 0, 0 },
		{ 1, 255, 0, 0 } };
	struct fsm_option option;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct rd r = rd_of(bad[i], sizeof(bad[i]));

		assert_false(fsm_next_option(&r, &option));
		assert_true(r.bad);
	}
	for (size_t n = 1; n < 4; n++) {
		static const uint8_t good[] = { 1, 4, 5, 220 };
		struct rd r = rd_of(good, n);

		assert_false(fsm_next_option(&r, &option));
		assert_true(r.bad);
	}
}

static void
an_option_is_written_whole_or_not_at_all(void **state)
{
	uint8_t room[6];
	struct wr w = wr_of(room, sizeof(room));

	(void)state;
	fsm_put_option(&w, 5, "\1\2\3\4", 4);
	assert_false(w.bad);
	assert_int_equal(wr_size(&w), 6);
	assert_memory_equal(room, "\5\6\1\2\3\4", 6);
	fsm_put_option(&w, 7, NULL, 0);
	assert_true(w.bad);
	assert_int_equal(wr_size(&w), 6);
	assert_int_equal(wr_room(&w), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_that_of_the_rfc),
		cmocka_unit_test(options_are_read_one_by_one),
		cmocka_unit_test(malformed_options_end_the_walk),
		cmocka_unit_test(an_option_is_written_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
