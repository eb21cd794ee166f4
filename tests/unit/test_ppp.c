/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_ppp.c -- whole links: two ends that agree, fail, fall silent, and end. */
#include "ppp_kit.h"

static void
two_ends_agree_at_once(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &kit_server_conf, &kit_client_conf);
	kit_start(&k);
	assert_true(kit_settle(&k));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(k.end[i].logins, 1);
		assert_int_equal(k.end[i].method, PPP_MSCHAPV2);
		assert_int_equal(k.end[i].ups[PPP_IPV4], 1);
		assert_int_equal(k.end[i].ups[PPP_IPV6], 1);
		assert_int_equal(k.end[i].downs, 0);
	}
	assert_memory_equal(k.end[0].key, k.end[1].key, PPP_KEY);
	assert_int_equal(k.end[1].net.local.s_addr, kit_ip("10.66.0.2").s_addr);
	assert_int_equal(k.end[1].net.peer.s_addr, kit_ip("10.66.0.1").s_addr);
	assert_int_equal(k.end[1].net.dns[0].s_addr, kit_ip("10.66.0.53").s_addr);
	assert_int_equal(k.end[1].net.dns[1].s_addr, 0);
	assert_memory_equal(k.end[1].net.local_id, k.end[0].net.peer_id, 8);
	assert_memory_equal(k.end[0].net.local_id, k.end[1].net.peer_id, 8);
	kit_close(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_ends_agree_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
