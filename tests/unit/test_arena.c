/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_arena.c -- memory that goes all at once, and lists that never change. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
pieces_are_zeroed_aligned_and_apart(void **state)
{
	/* Around the sizes where a piece gets a chunk of its own, and where a chunk ends. */
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 4095, 4096, 4097, 16384, 16385, 100000,
		3 };
	struct arena *arena = arena_new();
	unsigned char *pieces[COUNT_OF(sizes)];

	(void)state;
	assert_non_null(arena);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		assert_non_null(pieces[i] = arena_alloc(arena, sizes[i]));
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(pieces[i][j], 0);
		memset(pieces[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(pieces[i][j], i + 1);
	}
	arena_free(arena);
}

static void
absurd_sizes_are_refused(void **state)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2, PTRDIFF_MAX };
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		assert_null(arena_alloc(arena, sizes[i]));
	assert_non_null(arena_alloc(arena, 1));
	arena_free(arena);
}

static void
strings_are_copied(void **state)
{
	struct arena *arena = arena_new();
	char text[] = "ginnel";
	char *whole = arena_strdup(arena, text), *part = arena_strndup(arena, text, 3);

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_string_equal(whole, "ginnel");
	assert_string_equal(part, "gin");
	assert_string_equal(arena_strndup(arena, "ab", 100), "ab");
	assert_string_equal(arena_strdup(arena, ""), "");
	assert_string_equal(arena_printf(arena, "%s:%d", "mail", 25), "mail:25");
	assert_int_equal(strlen(arena_printf(arena, "%50000s", "x")), 50000);
	arena_free(arena);
}

static void
a_copied_list_keeps_its_own(void **state)
{
	struct arena *arena = arena_new();
	struct strv defaults = { NULL, 0 }, one, other;

	(void)state;
	assert_true(strv_append(arena, &defaults, "a"));
	one = other = defaults;
	assert_true(strv_append(arena, &one, "b"));
	assert_true(strv_append(arena, &other, "c"));
	assert_int_equal(defaults.n, 1);
	assert_int_equal(one.n, 2);
	assert_int_equal(other.n, 2);
	assert_string_equal(one.v[0], "a");
	assert_string_equal(one.v[1], "b");
	assert_string_equal(other.v[1], "c");
	arena_free(arena);
}

static void
nothing_can_be_freed(void **state)
{
	(void)state;
	arena_free(NULL);
	arena_free(arena_new());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(absurd_sizes_are_refused),
		cmocka_unit_test(strings_are_copied),
		cmocka_unit_test(a_copied_list_keeps_its_own),
		cmocka_unit_test(nothing_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
