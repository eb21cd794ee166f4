/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_ident.c -- what an RFC 1413 server may answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "net/ident.h"

#include <stdio.h>

static void
the_user_is_the_last_field(void **state)
{
	static const struct {
		const char *line, *user;
	} cases[] = {
		{ "6193, 23 : USERID : UNIX : stjohns", "stjohns" },
		{ "6193,23:USERID:UNIX:stjohns", "stjohns" },
		{ "6193 , 23 : USERID : UNIX,US-ASCII :   st:johns ", "st:johns" },
		{ "6195, 23 : USERID : OTHER : a b", "a b" },
		{ "6195, 23 : ERROR : NO-USER", NULL },
		{ "6195, 23 : ERROR : USERID : UNIX : root", NULL },
		{ "6195, 23 : userid : UNIX : root", NULL },
		{ "6195, 23 : USERIDS : UNIX : root", NULL },
		{ "6195, 23 : USERID : UNIX :", NULL },
		{ "6195, 23 : USERID : UNIX :   ", NULL },
		{ "6195, 23 : USERID : root", NULL },
		{ "USERID", NULL },
		{ "", NULL },
		{ ":::", NULL },
	};
	char line[128];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *user;

		(void)snprintf(line, sizeof(line), "%s", cases[i].line);
		user = ident_parse(line);
		if (cases[i].user == NULL)
			assert_null(user);
		else
			assert_string_equal(user, cases[i].user);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_user_is_the_last_field) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
