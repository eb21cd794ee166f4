/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_grudge.c -- which targets are left alone, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tunnel/grudge.h"

#include <stdio.h>

static void
test_back_off(void **state)
{
	static const int waits[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	struct grudges *g = grudges_new();
	int64_t now = 5000;

	(void)state;
	assert_false(grudges_has(g, "a:1", now));
	for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		assert_int_equal(grudges_add(g, "a:1", now), waits[i]);
		assert_true(grudges_has(g, "a:1", now + waits[i] - 1));
		assert_false(grudges_has(g, "b:1", now));
		now += waits[i];
		assert_false(grudges_has(g, "a:1", now)); /* this one tries it, */
		assert_true(grudges_has(g, "a:1", now));  /* the next one does not */
	}
	assert_true(grudges_drop(g, "a:1"));
	assert_false(grudges_drop(g, "a:1"));
	assert_false(grudges_has(g, "a:1", now));
	assert_int_equal(grudges_add(g, "a:1", now), 1000); /* from the beginning */
	grudges_free(g);
}

/* Many tunnels fail at the same time, and some try it for want of a better one: that is one. */
static void
test_one_failure_counts_once(void **state)
{
	struct grudges *g = grudges_new();

	(void)state;
	assert_int_equal(grudges_add(g, "a:1", 0), 1000);
	assert_int_equal(grudges_add(g, "a:1", 0), 0);
	assert_int_equal(grudges_add(g, "a:1", 999), 0);
	assert_false(grudges_has(g, "a:1", 1000));
	grudges_free(g);
}

/* Whoever tried it has left without an answer: another one does, later. */
static void
test_a_try_without_an_answer(void **state)
{
	struct grudges *g = grudges_new();

	(void)state;
	assert_int_equal(grudges_add(g, "a:1", 0), 1000);
	assert_false(grudges_has(g, "a:1", 1500));
	assert_true(grudges_has(g, "a:1", 2499));
	assert_false(grudges_has(g, "a:1", 2500));
	grudges_free(g);
}

static void
test_bounded(void **state)
{
	struct grudges *g = grudges_new();
	char name[32];
	unsigned kept = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "host%u:1", i);
		assert_int_equal(grudges_add(g, name, 0), 1000);
	}
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "host%u:1", i);
		kept += grudges_has(g, name, 1);
	}
	assert_int_equal(kept, 1024);
	assert_true(grudges_has(g, "host4999:1", 1));
	grudges_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_one_failure_counts_once),
		cmocka_unit_test(test_a_try_without_an_answer),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
