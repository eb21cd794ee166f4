/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_x25519.c -- our key pairs of X25519 are the library's in all but the making. */
#include "library_memory.h"

#include "base/check.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum { SIZE = 32, MANY = 50 };

static EVP_PKEY *
generate_of(OSSL_LIB_CTX *context, const char *type)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(context, type, NULL);
	EVP_PKEY *key = NULL;

	if (c != NULL && EVP_PKEY_keygen_init(c) == 1)
		(void)EVP_PKEY_generate(c, &key);
	EVP_PKEY_CTX_free(c);
	return key;
}

static EVP_PKEY *
generate(OSSL_LIB_CTX *context)
{
	return generate_of(context, "X25519");
}

struct halves {
	uint8_t private[SIZE], public[SIZE];
};

static struct halves
halves_of(const EVP_PKEY *key)
{
	struct halves h;
	size_t n = SIZE, m = SIZE;

	assert_true(EVP_PKEY_get_raw_private_key(key, h.private, &n) && n == SIZE);
	assert_true(EVP_PKEY_get_raw_public_key(key, h.public, &m) && m == SIZE);
	return h;
}

static void
its_public_key_is_the_librarys(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++) {
		EVP_PKEY *key = generate(narrow_context());
		struct halves ours = halves_of(key), theirs;
		EVP_PKEY *same =
		    EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, ours.private, SIZE);

		assert_non_null(same);
		theirs = halves_of(same);
		assert_memory_equal(&ours, &theirs, sizeof(ours));
		EVP_PKEY_free(same);
		EVP_PKEY_free(key);
	}
}

static void
its_private_key_has_the_bits_that_rfc_7748_sets(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++) {
		EVP_PKEY *key = generate(narrow_context());
		struct halves h = halves_of(key);

		assert_int_equal(h.private[0] & 7, 0);
		assert_int_equal(h.private[SIZE - 1] & 0xc0, 0x40);
		EVP_PKEY_free(key);
	}
}

static void
no_two_are_alike(void **state)
{
	static uint8_t seen[MANY][SIZE];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		EVP_PKEY *key = generate(narrow_context());
		struct halves h = halves_of(key);

		for (int k = 0; k < i; k++)
			assert_memory_not_equal(h.public, seen[k], SIZE);
		memcpy(seen[i], h.public, SIZE);
		EVP_PKEY_free(key);
	}
}

static void
secret_of(OSSL_LIB_CTX *context, EVP_PKEY *mine, const EVP_PKEY *yours, uint8_t out[SIZE])
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(context, mine, NULL);
	uint8_t public[SIZE];
	size_t n = SIZE;
	EVP_PKEY *peer;

	assert_true(EVP_PKEY_get_raw_public_key(yours, public, &n));
	peer = EVP_PKEY_new_raw_public_key_ex(context, "X25519", NULL, public, n);
	assert_non_null(peer);
	assert_non_null(c);
	assert_int_equal(EVP_PKEY_derive_init(c), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(c, peer), 1);
	assert_int_equal(EVP_PKEY_derive(c, out, &n), 1);
	assert_int_equal(n, SIZE);
	EVP_PKEY_free(peer);
	EVP_PKEY_CTX_free(c);
}

static void
both_sides_come_to_one_secret(void **state)
{
	EVP_PKEY *ours = generate(narrow_context()), *theirs = generate(NULL);
	uint8_t one[SIZE], two[SIZE];

	(void)state;
	secret_of(narrow_context(), ours, theirs, one);
	secret_of(NULL, theirs, ours, two);
	assert_memory_equal(one, two, SIZE);
	EVP_PKEY_free(ours);
	EVP_PKEY_free(theirs);
}

/* A key that has no halves: a public one of zeros. */
static void
parameters_alone_have_no_key(void **state)
{
	static const uint8_t zeros[SIZE];
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(narrow_context(), "X25519", NULL);
	EVP_PKEY *blank = NULL;
	uint8_t half[SIZE];
	size_t n = SIZE;

	(void)state;
	assert_int_equal(EVP_PKEY_paramgen_init(c), 1);
	assert_int_equal(EVP_PKEY_generate(c, &blank), 1);
	assert_false(EVP_PKEY_get_raw_private_key(blank, half, &n));
	n = SIZE;
	assert_true(
	    !EVP_PKEY_get_raw_public_key(blank, half, &n) || memcmp(half, zeros, SIZE) == 0);
	ERR_clear_error();
	EVP_PKEY_free(blank);
	EVP_PKEY_CTX_free(c);
}

static int
set_group(const char *group)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(narrow_context(), "X25519", NULL);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
		    OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)group, 0),
		OSSL_PARAM_construct_end(),
	};
	int set;

	assert_int_equal(EVP_PKEY_keygen_init(c), 1);
	set = EVP_PKEY_CTX_set_params(c, params);
	ERR_clear_error();
	EVP_PKEY_CTX_free(c);
	return set;
}

static void
its_group_is_its_own(void **state)
{
	(void)state;
	assert_true(set_group("x25519") > 0);
	assert_false(set_group("x448") > 0);
}

static long
allocations_for(const char *type)
{
	long before;

	for (int i = 0; i < 2; i++) /* the first may fetch what the next have */
		EVP_PKEY_free(generate_of(narrow_context(), type));
	before = memory.count;
	EVP_PKEY_free(generate_of(narrow_context(), type));
	return memory.count - before;
}

/* Else this would prove the library's: that makes both in the same way, and ours has an exchange.
 */
static void
ours_is_what_handshakes_get(void **state)
{
	(void)state;
	assert_true(allocations_for("X25519") > allocations_for("X448"));
}

static void
without_memory_there_is_no_key(void **state)
{
	EVP_PKEY *key = NULL;

	(void)state;
	for (long left = 0; key == NULL; left++) {
		assert_true(left < 100);
		memory.left = left;
		key = generate(narrow_context());
		memory.left = -1;
		ERR_clear_error();
	}
	assert_int_equal(EVP_PKEY_get_size(key), SIZE);
	EVP_PKEY_free(key);
}

/* ---- by several at once ---- */

static void *
work(void *context)
{
	for (int i = 0; i < MANY; i++)
		EVP_PKEY_free(generate(context));
	return NULL;
}

static void
workers_share_it(void **state)
{
	pthread_t other;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, work, narrow_context()), 0);
	work(narrow_context());
	pthread_join(other, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_public_key_is_the_librarys),
		cmocka_unit_test(its_private_key_has_the_bits_that_rfc_7748_sets),
		cmocka_unit_test(no_two_are_alike),
		cmocka_unit_test(both_sides_come_to_one_secret),
		cmocka_unit_test(parameters_alone_have_no_key),
		cmocka_unit_test(its_group_is_its_own),
		cmocka_unit_test(ours_is_what_handshakes_get),
		cmocka_unit_test(without_memory_there_is_no_key),
		cmocka_unit_test(workers_share_it),
	};
	int unusable = need_watched_narrow_context();

	return unusable != 0 ? unusable : cmocka_run_group_tests(tests, NULL, NULL);
}
