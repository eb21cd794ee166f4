/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_srv.c -- answers with SRV records, sound and not. */
#include "net/srv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A message in the making. */
static struct {
	uint8_t bytes[8192];
	size_t size;
} m;

static void
put(uint64_t v, unsigned bytes)
{
	while (bytes-- > 0)
		m.bytes[m.size++] = (uint8_t)(v >> 8 * bytes);
}

/* RFC 1035 4.1.1: the header and the question for _s._tcp.a.test. */
static void
begin(unsigned answers)
{
	static const char name[] = "\2_s\4_tcp\1a\4test";

	m.size = 0;
	put(0x1234, 2);
	put(0x8180, 2);
	put(1, 2);
	put(answers, 2);
	put(0, 4);
	memcpy(m.bytes + m.size, name, sizeof(name));
	m.size += sizeof(name);
	put(33, 2);
	put(1, 2);
}

/* A record that the question's name owns, up to its data. */
static void
put_head(unsigned type, uint32_t ttl, unsigned length)
{
	put(0xc00c, 2);
	put(type, 2);
	put(1, 2);
	put(ttl, 4);
	put(length, 2);
}

/* The host ends in "test" of the question: a pointer, which old servers write though RFC 2782 says
 * that they must not. */
static void
put_srv(uint32_t ttl, unsigned priority, unsigned weight, unsigned port)
{
	put_head(33, ttl, 12);
	put(priority, 2);
	put(weight, 2);
	put(port, 2);
	put(3, 1);
	memcpy(m.bytes + m.size, "hst", 3);
	m.size += 3;
	put(0xc000 | (12 + 10), 2);
}

static struct srv_record records[SRV_MAX];
static unsigned count;
static uint32_t ttl;
static const char *error;

static bool
parse(size_t size)
{
	/* As long as it is said to be, so that the sanitizers see who reads on. */
	uint8_t *copy = malloc(size + (size == 0));
	bool good;

	assert_non_null(copy);
	memcpy(copy, m.bytes, size);
	good = srv_parse(copy, size, records, &count, &ttl, &error);
	free(copy);
	return good;
}

static void
records_and_their_shortest_life(void **state)
{
	(void)state;
	begin(3);
	put_srv(300, 10, 60, 443);
	put_head(5, 7, 2); /* a CNAME on the way is passed over */
	put(0xc00c, 2);
	put_srv(100, 20, 0, 8443);
	assert_true(parse(m.size));
	assert_int_equal(count, 2);
	assert_int_equal(ttl, 100);
	assert_string_equal(records[0].host, "hst.test");
	assert_int_equal(records[0].priority, 10);
	assert_int_equal(records[0].weight, 60);
	assert_int_equal(records[0].port, 443);
	assert_int_equal(records[1].priority, 20);
	assert_int_equal(records[1].weight, 0);
	assert_int_equal(records[1].port, 8443);
}

static void
too_many_are_cut(void **state)
{
	(void)state;
	begin(200);
	for (unsigned i = 0; i < 200; i++)
		put_srv(300, i, 1, 443);
	assert_true(parse(m.size));
	assert_int_equal(count, SRV_MAX);
}

/* At no place may it be cut short. */
static void
a_message_that_ends_early_is_none(void **state)
{
	(void)state;
	begin(2);
	put_srv(300, 10, 60, 443);
	put_srv(300, 10, 60, 443);
	for (size_t size = 0; size < m.size; size++) {
		assert_false(parse(size));
		assert_int_equal(count, 0);
		assert_non_null(error);
	}
	assert_true(parse(m.size));
}

/* Whatever stands in a byte: an answer or none, and no byte read that is not there. */
static void
any_byte_may_be_any(void **state)
{
	(void)state;
	begin(2);
	put_srv(300, 10, 60, 443);
	put_srv(300, 10, 60, 443);
	for (size_t at = 0; at < m.size; at++) {
		uint8_t was = m.bytes[at];

		for (unsigned v = 0; v < 256; v++) {
			m.bytes[at] = (uint8_t)v;
			(void)parse(m.size);
			assert_true(count <= 2);
		}
		m.bytes[at] = was;
	}
}

static void
a_name_that_leads_to_itself(void **state)
{
	(void)state;
	begin(1);
	put_head(33, 300, 8);
	put(0, 6);
	put(0xc000 | (uint32_t)m.size, 2);
	assert_false(parse(m.size));
}

static void
data_that_is_longer_than_its_name(void **state)
{
	(void)state;
	begin(1);
	put_head(33, 300, 9);
	put(1, 2);
	put(1, 2);
	put(443, 2);
	put(0xc00c, 2);
	put(0, 1);
	assert_false(parse(m.size));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_and_their_shortest_life),
		cmocka_unit_test(too_many_are_cut),
		cmocka_unit_test(a_message_that_ends_early_is_none),
		cmocka_unit_test(any_byte_may_be_any),
		cmocka_unit_test(a_name_that_leads_to_itself),
		cmocka_unit_test(data_that_is_longer_than_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
