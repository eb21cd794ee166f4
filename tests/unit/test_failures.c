/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_failures.c -- who guesses passwords waits, and is then not heard. */
#include "tunnel/failures.h"

#include "ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int
setup(void **state)
{
	*state = failures_new();
	return *state == NULL;
}

static int
teardown(void **state)
{
	failures_free(*state);
	return 0;
}

static void
each_failure_costs_more(void **state)
{
	struct addr a = ip("192.0.2.1", 0);
	int before = 0, last = 0;

	for (int i = 0; i < 20; i++) {
		assert_false(failures_refuse(*state, &a, 1000));
		last = failures_delay(*state, &a, 1000);
		assert_true(last > before || last == 3000);
		before = last;
	}
	assert_int_equal(last, 3000);
	assert_true(failures_refuse(*state, &a, 1000));
}

static void
a_minute_of_peace_is_enough(void **state)
{
	struct addr a = ip("192.0.2.1", 0);

	for (int i = 0; i < 20; i++)
		(void)failures_delay(*state, &a, 1000);
	assert_true(failures_refuse(*state, &a, 61000));
	assert_false(failures_refuse(*state, &a, 61001));
	assert_int_equal(failures_delay(*state, &a, 61001), 250);
}

static void
a_source_is_a_customer(void **state)
{
	struct addr one = ip("2001:db8:1:2::1", 0), neighbour = ip("2001:db8:1:2:ffff::9", 0);
	struct addr other = ip("2001:db8:1:3::1", 0), v4 = ip("192.0.2.1", 0);
	struct addr mapped = ip("::ffff:192.0.2.1", 0);

	for (int i = 0; i < 20; i++)
		(void)failures_delay(*state, &one, 1);
	assert_true(failures_refuse(*state, &neighbour, 1));
	/* One place in 4096 may be shared by chance, but not by both. */
	assert_false(failures_refuse(*state, &other, 1) && failures_refuse(*state, &v4, 1));
	for (int i = 0; i < 20; i++)
		(void)failures_delay(*state, &v4, 1);
	assert_true(failures_refuse(*state, &mapped, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_failure_costs_more),
		TEST(a_minute_of_peace_is_enough),
		TEST(a_source_is_a_customer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
