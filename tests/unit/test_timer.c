/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_timer.c -- the timing wheel against a plain list of due times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/timer.h"

#include <stdlib.h>

enum { TIMERS = 500, ROUNDS = 20000 };

static int64_t now;
static unsigned fired;

static void
on_fire(struct timer *t, void *arg)
{
	(void)arg;
	assert_true(t->fired);
	assert_false(t->armed);
	/* Never early; late by a tick at the most when time goes in small steps. */
	assert_true(t->due <= now);
	assert_true(now - t->due <= WHEEL_TICK_MS + 8);
	fired++;
}

static unsigned
next_random(void)
{
	static unsigned seed = 42;

	seed = seed * 1103515245u + 12345u;
	return seed >> 8;
}

/* Timers near and far, moved, stopped and fired, while time goes in steps of up to 8 ms. */
static void
test_random(void **state)
{
	static struct timer timers[TIMERS];
	struct wheel w;
	unsigned armed = 0, due_by_now = 0;

	(void)state;
	now = 123456789;
	wheel_init(&w, now);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct timer *t = &timers[next_random() % TIMERS];

		switch (next_random() % 4) {
		case 0:
			wheel_set(&w, t, now + next_random() % 2000);
			break;
		case 1:
			wheel_set(&w, t, now + next_random() % 200000);
			break;
		case 2:
			wheel_unset(&w, t);
			assert_false(t->fired);
			break;
		default:
			now += next_random() % 8;
			wheel_advance(&w, now, on_fire, NULL);
			/* Whatever is due for more than a tick has fired. */
			for (unsigned i = 0; i < TIMERS; i++)
				if (timers[i].armed && timers[i].due + WHEEL_TICK_MS + 8 < now)
					due_by_now++;
			assert_int_equal(due_by_now, 0);
		}
	}
	assert_true(fired > 1000);
	for (unsigned i = 0; i < TIMERS; i++)
		armed += timers[i].armed;
	assert_true(armed > 0);
	/* A great leap fires all that is left, and then the wheel is empty. */
	for (unsigned i = 0; i < TIMERS; i++)
		if (timers[i].armed)
			timers[i].due = now + 200000;
	now += 200000 + WHEEL_TICK_MS;
	wheel_advance(&w, now, on_fire, NULL);
	for (unsigned i = 0; i < TIMERS; i++)
		assert_false(timers[i].armed);
	assert_int_equal(wheel_wait(&w, now), -1);
}

static void
ignore_fire(struct timer *t, void *arg)
{
	(void)t;
	++*(unsigned *)arg;
}

/* The wait never passes a due time, and sleeping for it over and over reaches it in few steps. */
static void
test_wait(void **state)
{
	static const int64_t delays[] = { 0, 1, 15, 16, 17, 1000, 1023, 1024, 1025, 65536, 300000,
		43200000, 1000000000 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(delays); i++) {
		struct timer t = { 0 };
		struct wheel w;
		int64_t at = 5000000, due = at + delays[i];
		unsigned count = 0, steps = 0;

		wheel_init(&w, at);
		assert_int_equal(wheel_wait(&w, at), -1);
		wheel_set(&w, &t, due);
		while (count == 0) {
			int wait = wheel_wait(&w, at);

			assert_true(wait >= 0);
			assert_true(++steps < 200);
			at += wait;
			wheel_advance(&w, at, ignore_fire, &count);
		}
		assert_true(at >= due && at < due + 2 * WHEEL_TICK_MS);
	}
}

/* Moving a timer to a later time does not touch the wheel, and it still fires only then. */
static void
test_move_later(void **state)
{
	struct timer t = { 0 };
	struct wheel w;
	unsigned count = 0;

	(void)state;
	wheel_init(&w, 0);
	wheel_set(&w, &t, 100);
	wheel_set(&w, &t, 5000);
	wheel_advance(&w, 4999, ignore_fire, &count);
	assert_int_equal(count, 0);
	wheel_set(&w, &t, 5100);
	wheel_set(&w, &t, 5050); /* and back: earlier than the last wish, later than its place */
	wheel_advance(&w, 5064, ignore_fire, &count);
	assert_int_equal(count, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_move_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
