/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_mac.c -- our HMAC computes what the library's does, or leaves it to that. */
#include "hex.h"
#include "narrow_kit.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum { ROOM = 64 };

static EVP_MAC_CTX *
begin(OSSL_LIB_CTX *context)
{
	EVP_MAC *mac = EVP_MAC_fetch(context, "HMAC", NULL);
	EVP_MAC_CTX *m = EVP_MAC_CTX_new(mac);

	assert_non_null(m);
	EVP_MAC_free(mac);
	return m;
}

/* The same done with ours and the library's: both say the same, yes or no. */
struct both {
	EVP_MAC_CTX *ours, *theirs;
};

static struct both
open_both(void)
{
	return (struct both){ begin(narrow_context()), begin(NULL) };
}

static void
close_both(struct both *b)
{
	EVP_MAC_CTX_free(b->ours);
	EVP_MAC_CTX_free(b->theirs);
}

static bool
agree(int ours, int theirs)
{
	ERR_clear_error();
	assert_int_equal(ours > 0, theirs > 0);
	return ours > 0;
}

static bool
set(struct both *b, const OSSL_PARAM *params)
{
	return agree(
	    EVP_MAC_CTX_set_params(b->ours, params), EVP_MAC_CTX_set_params(b->theirs, params));
}

static bool
set_digest(struct both *b, const char *name)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)name, 0),
		OSSL_PARAM_construct_end(),
	};

	return set(b, params);
}

static bool
start(struct both *b, const void *key, size_t n)
{
	return agree(EVP_MAC_init(b->ours, key, n, NULL), EVP_MAC_init(b->theirs, key, n, NULL));
}

static bool
add(struct both *b, const void *data, size_t n)
{
	return agree(EVP_MAC_update(b->ours, data, n), EVP_MAC_update(b->theirs, data, n));
}

static bool
end(struct both *b)
{
	uint8_t one[ROOM], two[ROOM];
	size_t n = 0, m = 0;
	bool good = agree(EVP_MAC_final(b->ours, one, &n, sizeof(one)),
	    EVP_MAC_final(b->theirs, two, &m, sizeof(two)));

	assert_int_equal(n, m);
	assert_memory_equal(one, two, n);
	return good;
}

static const uint8_t *
noise(void)
{
	static uint8_t some[1024];

	for (size_t i = 0; i < sizeof(some); i++)
		some[i] = (uint8_t)(i * 73 + i / 256 * 31 + 5);
	return some;
}

static const char *const digests[] = { "SHA2-256", "SHA2-384", "SHA256", "SHA1", "SHA2-512" };

/* ---- */

/* RFC 4231 4.2, 4.3 and 4.7 */
static void
known_answers(void **state)
{
	static const struct {
		const char *key, *data, *sha256, *sha384;
	} rows[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
		    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
		    "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
		    "faea9ea9076ede7f4af152e8b2fa9cb6" },
		{ "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		    "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
		    "8e2240ca5e69e2c78b3239ecfab21649" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows) * 2; i++) {
		uint8_t key[64], data[64], want[64], got[64];
		size_t key_size = hex_bytes(rows[i / 2].key, key);
		size_t n = hex_bytes(rows[i / 2].data, data), size = 0;
		size_t want_size = hex_bytes(i % 2 ? rows[i / 2].sha384 : rows[i / 2].sha256, want);

		assert_non_null(
		    EVP_Q_mac(narrow_context(), "HMAC", NULL, i % 2 ? "SHA2-384" : "SHA2-256", NULL,
			key, key_size, data, n, got, sizeof(got), &size));
		assert_int_equal(size, want_size);
		assert_memory_equal(got, want, size);
	}
}

static void
every_length_gives_the_same(void **state)
{
	static const size_t keys[] = { 0, 1, 32, 63, 64, 65, 128, 129, 500 };
	static const size_t lengths[] = { 0, 1, 55, 56, 63, 64, 65, 111, 112, 128, 1000 };

	(void)state;
	for (size_t d = 0; d < COUNT_OF(digests); d++)
		for (size_t i = 0; i < COUNT_OF(keys); i++)
			for (size_t k = 0; k < COUNT_OF(lengths); k++) {
				struct both b = open_both();

				assert_true(set_digest(&b, digests[d]));
				assert_true(start(&b, noise(), keys[i]));
				assert_true(add(&b, noise(), lengths[k] / 3));
				assert_true(
				    add(&b, noise() + lengths[k] / 3, lengths[k] - lengths[k] / 3));
				assert_true(end(&b));
				close_both(&b);
			}
}

static void
one_key_serves_many_messages(void **state)
{
	struct both b = open_both();

	(void)state;
	assert_true(set_digest(&b, "SHA2-256"));
	assert_true(start(&b, "secret", 6));
	for (size_t i = 0; i < 5; i++) {
		assert_true(add(&b, noise(), 100 * i));
		assert_true(end(&b));
		assert_true(start(&b, NULL, 0));
	}
	assert_true(add(&b, "lost", 4));
	assert_true(start(&b, "another", 7));
	assert_true(end(&b));
	close_both(&b);
}

static void
a_copy_goes_its_own_way(void **state)
{
	static const char *const hashes[] = { "SHA2-384", "SHA1" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(hashes); i++) {
		struct both b = open_both(), copy;

		assert_true(set_digest(&b, hashes[i]));
		copy = (struct both){ EVP_MAC_CTX_dup(b.ours), EVP_MAC_CTX_dup(b.theirs) };
		close_both(&copy);
		assert_true(start(&b, "secret", 6));
		assert_true(add(&b, noise(), 77));
		copy = (struct both){ EVP_MAC_CTX_dup(b.ours), EVP_MAC_CTX_dup(b.theirs) };
		assert_true(add(&b, "one way", 7));
		assert_true(add(&copy, "the other", 9));
		assert_true(end(&b));
		close_both(&b);
		assert_true(end(&copy));
		close_both(&copy);
	}
}

/* A ticket's key comes so; and the order does not matter. */
static void
a_key_may_be_a_parameter(void **state)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)noise(), 32),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA2-256" }, 0),
		OSSL_PARAM_construct_end(),
	};
	struct both b = open_both();

	(void)state;
	assert_true(set(&b, params));
	assert_true(add(&b, "a message", 9));
	assert_true(end(&b));
	close_both(&b);
}

static size_t record_size = 100;
static const OSSL_PARAM of_a_record[] = {
	{ OSSL_MAC_PARAM_TLS_DATA_SIZE, OSSL_PARAM_UNSIGNED_INTEGER, &record_size,
	    sizeof(record_size), OSSL_PARAM_UNMODIFIED },
	OSSL_PARAM_END,
};

/* As the MAC of a record in CBC mode (ssl/record/ssl3_record.c, tls1_mac()). */
static void
what_is_said_goes_over_to_the_library(void **state)
{
	(void)state;
	for (size_t key = 20; key <= 64; key += 22) { /* never longer than a block */
		struct both b = open_both();

		assert_true(set_digest(&b, "SHA2-256"));
		assert_true(start(&b, noise(), key));
		assert_true(set(&b, of_a_record));
		assert_true(add(&b, noise(), 13)); /* the record's header */
		assert_true(add(&b, noise(), 60));
		assert_true(end(&b));
		close_both(&b);
	}
}

static void
its_size_is_told(void **state)
{
	(void)state;
	for (size_t d = 0; d < COUNT_OF(digests) * 2; d++) {
		struct both b = open_both();

		if (d % 2 == 0) /* asked only at the end, or before, too */
			assert_int_equal(
			    EVP_MAC_CTX_get_mac_size(b.ours), EVP_MAC_CTX_get_mac_size(b.theirs));
		assert_true(set_digest(&b, digests[d / 2]));
		assert_true(start(&b, "secret", 6));
		assert_int_equal(
		    EVP_MAC_CTX_get_mac_size(b.ours), EVP_MAC_CTX_get_mac_size(b.theirs));
		assert_int_equal(
		    EVP_MAC_CTX_get_block_size(b.ours), EVP_MAC_CTX_get_block_size(b.theirs));
		close_both(&b);
	}
}

/* The old one goes on until there is a key for the new one. */
static void
the_digest_may_change(void **state)
{
	static const char *const next[] = { "SHA2-384", "SHA1", "SHA2-256" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(next); i++) {
		struct both b = open_both();

		assert_true(set_digest(&b, "SHA2-256"));
		assert_true(start(&b, "secret", 6));
		assert_true(set_digest(&b, next[i]));
		assert_true(add(&b, noise(), 77));
		assert_true(end(&b));
		assert_true(start(&b, "another", 7));
		assert_true(add(&b, noise(), 77));
		assert_true(end(&b));
		close_both(&b);
	}
}

static void
another_beginning_ends_a_message(void **state)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA1" }, 0),
		OSSL_PARAM_construct_end(),
	};
	struct both b = open_both();

	(void)state;
	assert_true(set_digest(&b, "SHA2-256"));
	assert_true(start(&b, "secret", 6));
	assert_true(add(&b, noise(), 77));
	assert_true(agree(EVP_MAC_init(b.ours, noise(), 20, params),
	    EVP_MAC_init(b.theirs, noise(), 20, params)));
	assert_true(add(&b, noise(), 7));
	assert_true(end(&b));
	close_both(&b);
}

static void
nothing_missing_is_made_up(void **state)
{
	uint8_t out[ROOM];
	size_t n;
	OSSL_PARAM key[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)noise(), 32),
		OSSL_PARAM_construct_end(),
	};
	struct both b = open_both();

	(void)state;
	assert_false(start(&b, "secret", 6)); /* no digest */
	close_both(&b);

	b = open_both();
	assert_false(set(&b, key)); /* none either */
	close_both(&b);

	b = open_both();
	assert_false(set_digest(&b, "no-such-digest"));
	close_both(&b);

	b = open_both();
	assert_true(set_digest(&b, "SHA2-256"));
	assert_false(EVP_MAC_update(b.ours, noise(), 1)); /* no key */
	assert_false(EVP_MAC_final(b.ours, out, &n, sizeof(out)));
	assert_false(EVP_MAC_init(b.ours, NULL, 0, NULL));
	assert_true(start(&b, "secret", 6));
	assert_false(EVP_MAC_final(b.ours, out, &n, 31)); /* too little room */
	ERR_clear_error();
	close_both(&b);
}

/* Half a message cannot go over; better none than a wrong one. */
static void
a_message_is_not_torn(void **state)
{
	struct both b = open_both();

	(void)state;
	assert_true(set_digest(&b, "SHA2-256"));
	assert_true(start(&b, "secret", 6));
	assert_true(add(&b, noise(), 77));
	assert_false(EVP_MAC_CTX_set_params(b.ours, of_a_record));
	assert_true(end(&b)); /* and the message is still whole */
	close_both(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(every_length_gives_the_same),
		cmocka_unit_test(one_key_serves_many_messages),
		cmocka_unit_test(a_copy_goes_its_own_way),
		cmocka_unit_test(a_key_may_be_a_parameter),
		cmocka_unit_test(what_is_said_goes_over_to_the_library),
		cmocka_unit_test(its_size_is_told),
		cmocka_unit_test(the_digest_may_change),
		cmocka_unit_test(another_beginning_ends_a_message),
		cmocka_unit_test(nothing_missing_is_made_up),
		cmocka_unit_test(a_message_is_not_torn),
	};
	int unusable;

	if ((unusable = need_narrow_context()) != 0)
		return unusable;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
