/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_hash.c -- SipHash-2-4 against the vectors of its authors, and in a table that
 * somebody means harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>

static struct hash_key secret;
#define HASH_FUNCTION(key, len, hash) ((hash) = (unsigned)hash_bytes(&secret, key, len))
#include <uthash.h>

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

/* ---- 100,000 keys that are one to uthash's own hash, Jenkins' ---- */

enum { KEYS = 100 * 1000, KEY_SIZE = 12 };

struct entry {
	uint32_t key[KEY_SIZE / sizeof(uint32_t)];
	UT_hash_handle hh;
};

/* HASH_JEN_MIX backwards. */
static void
unmix(uint32_t *a, uint32_t *b, uint32_t *c)
{
	static const struct {
		unsigned c, b, a;
	} shifts[] = { { 15, 10, 3 }, { 5, 16, 12 }, { 13, 8, 13 } };

	for (size_t i = 0; i < COUNT_OF(shifts); i++) {
		*c = (*c ^ *b >> shifts[i].c) + *b + *a;
		*b = (*b ^ *a << shifts[i].b) + *a + *c;
		*a = (*a ^ *c >> shifts[i].a) + *c + *b;
	}
}

/* The i-th key whose hash is 0: of the two mixings with the key's words and its length between. */
static void
make_key(struct entry *e, uint32_t i)
{
	uint32_t a = i, b = ~i, c = 0;

	unmix(&a, &b, &c);
	c -= KEY_SIZE;
	unmix(&a, &b, &c);
	e->key[0] = a - 0x9e3779b9u;
	e->key[1] = b - 0x9e3779b9u;
	e->key[2] = c - 0xfeedbeefu;
}

static void
test_no_key_can_be_aimed(void **state)
{
	struct entry *all = calloc(KEYS, sizeof(*all)), *table = NULL, *found;
	unsigned longest = 0;

	(void)state;
	assert_non_null(all);
	secret = hash_random_key();
	for (uint32_t i = 0; i < KEYS; i++) {
		unsigned jenkins;

		make_key(&all[i], i);
		HASH_JEN(all[i].key, KEY_SIZE, jenkins);
		assert_int_equal(jenkins, 0);
		HASH_ADD(hh, table, key, KEY_SIZE, &all[i]);
	}
	for (unsigned i = 0; i < table->hh.tbl->num_buckets; i++)
		if (table->hh.tbl->buckets[i].count > longest)
			longest = table->hh.tbl->buckets[i].count;
	/* uthash grows by chains of 10: a few each on average, and 30 never by chance. */
	assert_true(longest < 30);
	for (uint32_t i = 0; i < KEYS; i++) {
		HASH_FIND(hh, table, all[i].key, KEY_SIZE, found);
		assert_ptr_equal(found, &all[i]);
	}
	HASH_CLEAR(hh, table);
	free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_keys_differ),
		cmocka_unit_test(test_no_key_can_be_aimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
