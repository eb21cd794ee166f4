/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_gcm.c -- AES-GCM of handshakes is the library's, and its nonce has 12 bytes. */
#include "narrow_kit.h"

#include "base/check.h"
#include "tls/algorithm.h"
#include "tls/gcm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum { KEY_MAX = 32, NONCE = 12, TAG = 16, SIZE = 100 };

static const char *const ciphers[] = { "AES-128-GCM", "AES-256-GCM" };

struct sealed {
	uint8_t text[SIZE], tag[TAG];
};

static EVP_CIPHER_CTX *
begin(OSSL_LIB_CTX *context, const char *name, const uint8_t *nonce, bool seals)
{
	static const uint8_t key[KEY_MAX] = { 1, 2, 3 };
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(context, name, NULL);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

	assert_true(cipher != NULL && c != NULL);
	assert_int_equal(EVP_CipherInit_ex2(c, cipher, key, nonce, seals, NULL), 1);
	EVP_CIPHER_free(cipher);
	return c;
}

static struct sealed
seal(EVP_CIPHER_CTX *c)
{
	static const uint8_t text[SIZE] = "what is said";
	struct sealed s;
	int n;

	assert_int_equal(EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)"head", 4), 1);
	assert_int_equal(EVP_EncryptUpdate(c, s.text, &n, text, SIZE), 1);
	assert_int_equal(EVP_EncryptFinal_ex(c, s.text + n, &n), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, s.tag), 1);
	return s;
}

static bool
opens(EVP_CIPHER_CTX *c, struct sealed s)
{
	uint8_t text[SIZE];
	int n;

	return EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, s.tag) == 1 &&
	       EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)"head", 4) == 1 &&
	       EVP_DecryptUpdate(c, text, &n, s.text, SIZE) == 1 &&
	       EVP_DecryptFinal_ex(c, text + n, &n) == 1 &&
	       strcmp((char *)text, "what is said") == 0;
}

static void
what_one_seals_the_other_opens(void **state)
{
	static const uint8_t nonce[NONCE] = { 9, 8, 7 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ciphers); i++) {
		EVP_CIPHER_CTX *ours = begin(narrow_context(), ciphers[i], nonce, true);
		EVP_CIPHER_CTX *theirs = begin(NULL, ciphers[i], nonce, true);
		EVP_CIPHER_CTX *opener = begin(narrow_context(), ciphers[i], nonce, false);
		struct sealed a = seal(ours), b = seal(theirs);

		assert_memory_equal(&a, &b, sizeof(a));
		assert_true(opens(opener, b));
		EVP_CIPHER_CTX_free(ours);
		EVP_CIPHER_CTX_free(theirs);
		EVP_CIPHER_CTX_free(opener);
	}
}

static void
what_was_changed_is_not_opened(void **state)
{
	static const uint8_t nonce[NONCE] = { 9, 8, 7 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ciphers); i++) {
		EVP_CIPHER_CTX *c = begin(narrow_context(), ciphers[i], nonce, true);
		EVP_CIPHER_CTX *opener = begin(narrow_context(), ciphers[i], nonce, false);
		struct sealed s = seal(c);

		s.tag[TAG - 1] ^= 1;
		assert_false(opens(opener, s));
		EVP_CIPHER_CTX_free(c);
		EVP_CIPHER_CTX_free(opener);
	}
}

/* As TLS 1.3 does for each record: the key stays, and only the nonce is another one. */
static void
a_nonce_may_follow_the_key(void **state)
{
	static const uint8_t first[NONCE] = { 1 }, second[NONCE] = { 2 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ciphers); i++) {
		EVP_CIPHER_CTX *ours = begin(narrow_context(), ciphers[i], first, true);
		EVP_CIPHER_CTX *theirs = begin(NULL, ciphers[i], second, true);
		struct sealed a = seal(ours), b = seal(theirs);

		assert_memory_not_equal(&a, &b, sizeof(a));
		assert_int_equal(EVP_CipherInit_ex(ours, NULL, NULL, NULL, second, -1), 1);
		a = seal(ours);
		assert_memory_equal(&a, &b, sizeof(a));
		EVP_CIPHER_CTX_free(ours);
		EVP_CIPHER_CTX_free(theirs);
	}
}

static void
a_nonce_has_twelve_bytes(void **state)
{
	static const uint8_t nonce[NONCE] = { 9, 8, 7 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ciphers); i++) {
		EVP_CIPHER_CTX *c = begin(narrow_context(), ciphers[i], NULL, true);
		EVP_CIPHER_CTX *theirs = begin(NULL, ciphers[i], nonce, true);
		struct sealed a, b = seal(theirs);

		assert_int_equal(EVP_CIPHER_CTX_get_iv_length(c), NONCE);
		assert_int_not_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, 16, NULL), 1);
		assert_int_not_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, 8, NULL), 1);
		assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, NONCE, NULL), 1);
		assert_int_equal(EVP_CIPHER_CTX_get_iv_length(c), NONCE);
		assert_int_equal(EVP_CipherInit_ex(c, NULL, NULL, NULL, nonce, -1), 1);
		a = seal(c);
		assert_memory_equal(&a, &b, sizeof(a));
		EVP_CIPHER_CTX_free(c);
		EVP_CIPHER_CTX_free(theirs);
		ERR_clear_error();
	}
}

/* A context that was never set up: the library's function would find that its nonce has no byte. */
static void
it_is_told_without_a_look(void **state)
{
	static uint64_t context[1024];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ciphers); i++) {
		const OSSL_ALGORITHM named = { .algorithm_names = ciphers[i] };
		const OSSL_ALGORITHM merged = { .implementation = gcm_functions(&named) };
		OSSL_FUNC_cipher_get_ctx_params_fn *get;
		size_t n = 0;
		OSSL_PARAM params[] = {
			OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_IVLEN, &n),
			OSSL_PARAM_construct_end(),
		};

		assert_non_null(merged.implementation);
		get = (OSSL_FUNC_cipher_get_ctx_params_fn *)algorithm_function(
		    &merged, OSSL_FUNC_CIPHER_GET_CTX_PARAMS);
		assert_int_equal(get(context, params), 1);
		assert_int_equal(n, NONCE);
	}
}

/* The length of the nonce is one question among others. */
static void
what_else_is_asked_is_answered_as_ever(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(ciphers); i++) {
		EVP_CIPHER_CTX *ours = begin(narrow_context(), ciphers[i], NULL, true);
		EVP_CIPHER_CTX *theirs = begin(NULL, ciphers[i], NULL, true);
		EVP_CIPHER_CTX *const both[] = { ours, theirs };
		size_t nonce[2] = { 0 }, key[2] = { 0 }, tag[2] = { 0 };

		for (size_t k = 0; k < COUNT_OF(both); k++) {
			OSSL_PARAM params[] = {
				OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_IVLEN, &nonce[k]),
				OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_KEYLEN, &key[k]),
				OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_TAGLEN, &tag[k]),
				OSSL_PARAM_construct_end(),
			};

			assert_int_equal(EVP_CIPHER_CTX_get_params(both[k], params), 1);
		}
		assert_int_equal(nonce[0], NONCE);
		assert_int_equal(nonce[1], NONCE);
		assert_int_equal(key[0], key[1]);
		assert_int_equal(tag[0], tag[1]);
		assert_int_equal(EVP_CIPHER_CTX_get_params(ours, NULL), 1);
		EVP_CIPHER_CTX_free(ours);
		EVP_CIPHER_CTX_free(theirs);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_seals_the_other_opens),
		cmocka_unit_test(what_was_changed_is_not_opened),
		cmocka_unit_test(a_nonce_may_follow_the_key),
		cmocka_unit_test(a_nonce_has_twelve_bytes),
		cmocka_unit_test(it_is_told_without_a_look),
		cmocka_unit_test(what_else_is_asked_is_answered_as_ever),
	};
	int unusable = need_narrow_context();

	return unusable != 0 ? unusable : cmocka_run_group_tests(tests, NULL, NULL);
}
