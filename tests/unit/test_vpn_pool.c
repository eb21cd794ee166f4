/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of a VPN: never two owners, and the one that came back last is lent last. */
#include "tunnel/vpn_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool
none(const void *owner, uint32_t number)
{
	(void)owner;
	(void)number;
	return false;
}

static bool
only(const void *owner, uint32_t number)
{
	return number == *(const uint32_t *)owner;
}

static void
test_all_are_lent_once(void **state)
{
	struct vpn_pool *p = vpn_pool_new(8);

	(void)state;
	/* not the network, the server and the broadcast address */
	for (uint32_t i = 2; i < 7; i++)
		assert_int_equal(vpn_pool_take(p, none, NULL), i);
	assert_int_equal(vpn_pool_lent(p), 5);
	assert_int_equal(vpn_pool_take(p, none, NULL), 0);
	vpn_pool_give(p, 4);
	assert_int_equal(vpn_pool_take(p, none, NULL), 4);
	vpn_pool_free(p);
}

static void
test_what_came_back_rests(void **state)
{
	struct vpn_pool *p = vpn_pool_new(16);

	(void)state;
	assert_int_equal(vpn_pool_take(p, none, NULL), 2);
	vpn_pool_give(p, 2);
	for (uint32_t i = 3; i < 15; i++)
		assert_int_equal(vpn_pool_take(p, none, NULL), i);
	assert_int_equal(vpn_pool_take(p, none, NULL), 2);
	vpn_pool_free(p);
}

static void
test_reserved(void **state)
{
	static const uint32_t mine = 3;
	struct vpn_pool *p = vpn_pool_new(6);

	(void)state;
	assert_int_equal(vpn_pool_take(p, only, &mine), 2);
	assert_int_equal(vpn_pool_take(p, only, &mine), 4);
	assert_int_equal(vpn_pool_take(p, only, &mine), 0);
	assert_true(vpn_pool_take_this(p, 3));
	assert_false(vpn_pool_take_this(p, 3));
	vpn_pool_give(p, 3);
	assert_true(vpn_pool_take_this(p, 3));
	for (uint32_t n = 0; n < 8; n++) {
		assert_int_equal(vpn_pool_can_lend(p, n), n >= 2 && n <= 4);
		assert_false(vpn_pool_take_this(p, n)); /* the others are taken by now */
	}
	vpn_pool_free(p);
}

/* 1,000 calls come and go on a pool of four. */
static void
test_cycles(void **state)
{
	struct vpn_pool *p = vpn_pool_new(7);
	uint32_t has[4] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		unsigned k = (i * 7 + i / 3) % 4;

		if (has[k] != 0)
			vpn_pool_give(p, has[k]);
		has[k] = vpn_pool_take(p, none, NULL);
		assert_in_range(has[k], 2, 5);
		for (unsigned j = 0; j < 4; j++)
			assert_true(j == k || has[j] != has[k]);
	}
	vpn_pool_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_are_lent_once),
		cmocka_unit_test(test_what_came_back_rests),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_cycles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
