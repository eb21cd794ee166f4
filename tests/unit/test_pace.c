/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_pace.c -- the token bucket of rateLimit, on a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "tunnel/pace.h"

enum { BLOCK = 65536 };

/*
 * A greedy reader for `seconds` of `rate`, which comes back when it is told to, `late` ms too late.
 * Returns what it got; `asked`: how often it was told to wait.
 */
static int64_t
drain(int64_t rate, int seconds, int late, unsigned *asked)
{
	struct pace p;
	int64_t start = 1000000, now = start, got = 0;

	pace_begin(&p, rate, now);
	*asked = 0;
	for (;;) {
		size_t room = pace_room(&p, now, BLOCK);
		int wait;

		if (room > 0) {
			assert_true(room <= BLOCK);
			pace_took(&p, room);
			got += (int64_t)room;
			/* Never more than the rate and the first quarter of a second. */
			assert_true(got <= rate * (now - start) / 1000 + rate / 4 + 1);
			continue;
		}
		wait = pace_wait(&p);
		assert_true(wait >= 1);
		assert_true(wait <= 251);
		++*asked;
		now += wait + late;
		if (now - start >= seconds * 1000)
			return got;
	}
}

static void
test_rates(void **state)
{
	static const int64_t rates[] = { PACE_MIN, 5000, 1000000, 123456789, 1LL << 40 };
	enum { SECONDS = 60 };
	unsigned asked;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rates); i++) {
		int seconds = rates[i] > 1 << 30 ? 1 : SECONDS;
		int64_t got = drain(rates[i], seconds, 0, &asked);

		assert_true(got >= rates[i] * seconds / 100 * 99);
		assert_true(asked <= (unsigned)seconds * 9); /* no busy wait */
	}
}

/* Who comes late by less than half of what the bucket holds loses nothing. */
static void
test_late_worker(void **state)
{
	unsigned asked;

	(void)state;
	assert_true(drain(1000000, 60, 100, &asked) >= 59000000);
	assert_true(drain(1000000, 60, 1000, &asked) < 60 * 250000);
}

static void
test_unlimited(void **state)
{
	struct pace p = { .rate = 0 };

	(void)state;
	pace_begin(&p, 0, 5);
	pace_took(&p, BLOCK);
	assert_int_equal(pace_room(&p, 5, BLOCK), BLOCK);
	assert_true(pace_room(&p, 5, SIZE_MAX) == SIZE_MAX);
}

/* After a long silence there is no more than the bucket holds, and the sum does not overflow. */
static void
test_silence(void **state)
{
	struct pace p;

	(void)state;
	pace_begin(&p, 1LL << 40, 0);
	pace_took(&p, pace_room(&p, 0, SIZE_MAX));
	assert_true(pace_room(&p, 0, SIZE_MAX) == 0);
	assert_true(pace_room(&p, INT64_MAX / 2, SIZE_MAX) == (size_t)1 << 38);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_late_worker),
		cmocka_unit_test(test_unlimited),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
