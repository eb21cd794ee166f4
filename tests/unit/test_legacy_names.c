/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_legacy_names.c -- a context's table of names is short, the process's list whole.
 */
#include "library_memory.h"
#include "narrow_kit.h"

#include "base/check.h"
#include "tls/legacy_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/provider.h>

static void
add_to_sum(const OBJ_NAME *name, void *arg)
{
	size_t *sum = arg;

	/* Order does not matter to it, and each part of an entry does. */
	*sum += strlen(name->name) * 1000003 + (name->data == NULL ? 0 : (size_t)name->data) +
		(size_t)name->type * 31 + (name->alias != 0) + 1;
}

/* Of all that EVP_get_cipherbyname(3) and EVP_get_digestbyname(3) know. */
static size_t
sum_of_list(void)
{
	size_t sum = 0;

	OBJ_NAME_do_all(OBJ_NAME_TYPE_CIPHER_METH, add_to_sum, &sum);
	OBJ_NAME_do_all(OBJ_NAME_TYPE_MD_METH, add_to_sum, &sum);
	return sum;
}

static void
ignore_name(const char *name, void *arg)
{
	(void)name;
	(void)arg;
}

/* OpenSSL makes room for all names of a context when it looks for those of one algorithm. */
static size_t
names_of(OSSL_LIB_CTX *context)
{
	EVP_KEYMGMT *k = EVP_KEYMGMT_fetch(context, "X25519", NULL);
	EVP_CIPHER *c =
	    EVP_CIPHER_fetch(context, "AES-128-GCM", NULL); /* their names are in, too */

	assert_non_null(k);
	assert_non_null(c);
	memory.largest = 0;
	assert_true(EVP_KEYMGMT_names_do_all(k, ignore_name, NULL));
	EVP_CIPHER_free(c);
	EVP_KEYMGMT_free(k);
	return memory.largest / sizeof(char *);
}

static void
the_table_of_handshakes_is_short(void **state)
{
	size_t wide = names_of(NULL), narrow = names_of(narrow_context());

	(void)state;
	assert_true(narrow > 50); /* it is what was measured */
	assert_true(narrow * 2 < wide);
}

static void
the_list_is_whole_again(void **state)
{
	EVP_CIPHER *before = (EVP_CIPHER *)(uintptr_t)EVP_get_cipherbyname("aes256"); /* an alias */
	size_t sum = sum_of_list();
	OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();

	(void)state;
	assert_non_null(before);
	assert_non_null(context);
	assert_true(legacy_names_spare(context));
	assert_int_equal(sum_of_list(), sum);
	assert_ptr_equal(EVP_get_cipherbyname("aes256"), before);
	assert_non_null(EVP_get_cipherbyname("DES-EDE3-CBC")); /* of keys of old */
	assert_non_null(EVP_get_digestbyname("RSA-SHA256"));
	OSSL_LIB_CTX_free(context);
}

static void
a_context_without_algorithms_is_told(void **state)
{
	size_t sum = sum_of_list();
	OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
	OSSL_PROVIDER *none = OSSL_PROVIDER_load(context, "null");

	(void)state;
	assert_non_null(none);
	assert_false(legacy_names_spare(context));
	assert_int_equal(sum_of_list(), sum);
	ERR_clear_error();
	OSSL_PROVIDER_unload(none);
	OSSL_LIB_CTX_free(context);
}

/* Whatever cannot be had, it never claims a success that leaves names out. */
static void
without_memory_it_says_so(void **state)
{
	const size_t sum = sum_of_list();
	bool good = false;

	(void)state;
	for (long left = 0; !good; left += 7) {
		OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();

		assert_non_null(context);
		assert_true(left < 100000);
		memory.left = left;
		good = legacy_names_spare(context);
		memory.left = -1;
		ERR_clear_error();
		OSSL_LIB_CTX_free(context);
		if (!good && sum_of_list() != sum)
			return; /* names were lost, and it was said */
	}
	assert_int_equal(sum_of_list(), sum);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_handshakes_is_short),
		cmocka_unit_test(the_list_is_whole_again),
		cmocka_unit_test(a_context_without_algorithms_is_told),
		cmocka_unit_test(without_memory_it_says_so),
	};
	int unusable;

	if (!watch_library_memory())
		return 1;
	if ((unusable = need_narrow_context()) != 0)
		return unusable;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
