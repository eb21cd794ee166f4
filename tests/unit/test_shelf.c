/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_shelf.c -- blocks that a thread keeps for itself. */
#include "base/shelf.h"

#include "base/check.h"
#include "base/sanitized.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int
open_shelf(void **state)
{
	(void)state;
	shelf_open();
	return 0;
}

static int
close_shelf(void **state)
{
	(void)state;
	shelf_close();
	return 0;
}

static void
without_one_it_is_malloc(void **state)
{
	void *p = shelf_alloc(100);

	(void)state;
	assert_non_null(p);
	shelf_free(p);
	shelf_free(NULL);
	assert_int_equal(shelf_held(), 0);
	shelf_clear();
	shelf_close();
}

static void
what_was_freed_comes_back(void **state)
{
	/* Around the edges of bins, and of what is kept. */
	static const size_t sizes[] = { 40, 41, 55, 56, 57, 1000, 16384, 21848, 32760 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		void *p = shelf_alloc(sizes[i]), *same;
		size_t usable = malloc_usable_size(p);

		shelf_free(p);
		assert_true(shelf_held() > 0 && shelf_held() <= usable);
		/* As much as the block has room for, not only what was asked for. */
		same = shelf_alloc(shelf_held());
		assert_ptr_equal(same, p);
		assert_int_equal(shelf_held(), 0);
		free(same); /* it is malloc's own */
	}
}

static void
what_is_tiny_or_huge_is_not_kept(void **state)
{
	static const size_t sizes[] = { 32776, 100000, 1000000 };
	static const size_t absurd[] = { SIZE_MAX, SIZE_MAX - 7, PTRDIFF_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		shelf_free(shelf_alloc(sizes[i]));
		assert_int_equal(shelf_held(), 0);
	}
	/* A sanitizer ends the program there. */
	for (size_t i = 0; i < COUNT_OF(absurd) && !SANITIZED; i++)
		assert_null(shelf_alloc(absurd[i]));
	shelf_free(shelf_alloc(0));
	shelf_free(shelf_alloc(1));
}

/* Whatever the order, no block is too small or given out twice: each keeps its bytes. */
static void
blocks_are_large_enough_and_apart(void **state)
{
	enum { HELD = 200, ROUNDS = 20000 };
	static struct {
		unsigned char *p;
		size_t n;
	} held[HELD];
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned at = (seed = seed * 1664525 + 1013904223) % HELD;
		size_t n = 1 + (seed >> 8) % (round % 10 == 0 ? 40000 : 700);

		for (size_t i = 0; i < held[at].n; i++)
			assert_int_equal(held[at].p[i], (unsigned char)at);
		if (round % 7 == 0 && held[at].p != NULL) {
			held[at].p = shelf_resize(held[at].p, n);
		} else {
			shelf_free(held[at].p);
			held[at].p = shelf_alloc(n);
		}
		assert_non_null(held[at].p);
		memset(held[at].p, (int)at, held[at].n = n);
		assert_true(shelf_held() <= SHELF_MAX);
	}
	for (unsigned at = 0; at < HELD; at++)
		shelf_free(held[at].p);
}

static void
a_full_one_is_cleared(void **state)
{
	enum { BLOCK = 32000, BLOCKS = SHELF_MAX / BLOCK + 2 };
	static void *blocks[BLOCKS];

	(void)state;
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_non_null(blocks[i] = shelf_alloc(BLOCK));
	for (unsigned i = 0; i < BLOCKS; i++) {
		shelf_free(blocks[i]);
		assert_true(shelf_held() <= SHELF_MAX);
	}
	assert_true(shelf_held() < SHELF_MAX / 2);
	shelf_clear();
	assert_int_equal(shelf_held(), 0);
}

static void *
free_elsewhere(void *block)
{
	size_t held;

	shelf_free(block); /* a thread without a shelf */
	shelf_open();
	shelf_free(shelf_alloc(500));
	held = shelf_held();
	shelf_close();
	return (void *)held;
}

static void
each_thread_has_its_own(void **state)
{
	pthread_t thread;
	void *held;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, free_elsewhere, shelf_alloc(300)), 0);
	assert_int_equal(pthread_join(thread, &held), 0);
	assert_true((size_t)held >= 488);
	assert_int_equal(shelf_held(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_one_it_is_malloc),
		cmocka_unit_test_setup_teardown(what_was_freed_comes_back, open_shelf, close_shelf),
		cmocka_unit_test_setup_teardown(
		    what_is_tiny_or_huge_is_not_kept, open_shelf, close_shelf),
		cmocka_unit_test_setup_teardown(
		    blocks_are_large_enough_and_apart, open_shelf, close_shelf),
		cmocka_unit_test_setup_teardown(a_full_one_is_cleared, open_shelf, close_shelf),
		cmocka_unit_test_setup_teardown(each_thread_has_its_own, open_shelf, close_shelf),
	};

	return cmocka_run_group_tests_name("shelf", tests, NULL, NULL);
}
