/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_hash.c -- SipHash-2-4 against the vectors of its authors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/hash.h"

/* Key 00 01 .. 0f; message 00 01 .. of each length.  Appendix A has the one of 15 bytes, the
 * reference implementation's vectors.h all. */
static void
test_vectors(void **state)
{
	static const struct {
		size_t size;
		uint64_t hash;
	} vectors[] = {
		{ 0, 0x726fdb47dd0e0e31 },
		{ 1, 0x74f839c593dc67fd },
		{ 7, 0xab0200f58b01d137 },
		{ 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 },
	};
	const struct hash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	uint8_t message[16];

	(void)state;
	for (uint8_t i = 0; i < sizeof(message); i++)
		message[i] = i;
	for (size_t i = 0; i < COUNT_OF(vectors); i++)
		assert_true(hash_bytes(&key, message, vectors[i].size) == vectors[i].hash);
}

static void
test_keys_differ(void **state)
{
	struct hash_key a = hash_random_key(), b = hash_random_key();

	(void)state;
	assert_true(a.k0 != b.k0 || a.k1 != b.k1);
	assert_true(hash_bytes(&a, "x", 1) != hash_bytes(&b, "x", 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_keys_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
