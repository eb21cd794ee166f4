/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes and MACs by the vectors of RFC 1321, FIPS 180 and RFC 2202. */
#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_hashes(void **state)
{
	/* of "abc", in two parts */
	static const struct {
		enum digest kind;
		uint8_t begins[8];
	} known[] = {
		{ DIGEST_MD5, { 0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0 } },
		{ DIGEST_SHA1, { 0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a } },
		{ DIGEST_SHA256, { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea } },
	};
	static const struct digest_part parts[] = { { "a", 1 }, { "bc", 2 } };
	uint8_t out[DIGEST_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		assert_true(digest_of(known[i].kind, parts, COUNT_OF(parts), out));
		assert_memory_equal(out, known[i].begins, sizeof(known[i].begins));
	}
}

static void
test_hmac(void **state)
{
	/* RFC 2202 3, test case 2 */
	static const uint8_t expected[] = { 0xef, 0xfc, 0xdf, 0x6a, 0xe5, 0xeb, 0x2f, 0xa2, 0xd2,
		0x74, 0x16, 0xd5, 0xf1, 0x84, 0xdf, 0x9c, 0x25, 0x9a, 0x7c, 0x79 };
	static const char text[] = "what do ya want for nothing?";
	uint8_t out[DIGEST_MAX];

	(void)state;
	assert_int_equal(digest_size(DIGEST_SHA1), sizeof(expected));
	assert_true(digest_hmac(DIGEST_SHA1, "Jefe", 4, text, strlen(text), out));
	assert_memory_equal(out, expected, sizeof(expected));
}

static void
test_equal_and_random(void **state)
{
	uint8_t a[16] = { 0 }, b[16];

	(void)state;
	memcpy(b, a, sizeof(b));
	assert_true(digest_equal(a, b, sizeof(a)));
	b[15] = 1;
	assert_false(digest_equal(a, b, sizeof(a)));
	assert_true(digest_random(a, sizeof(a)));
	assert_true(digest_random(b, sizeof(b)));
	assert_false(digest_equal(a, b, sizeof(a)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_equal_and_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
