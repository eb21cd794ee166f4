/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_legacy_names.c -- a context's table of names is short, the process's list whole.
 */
#include "library_memory.h"

#include "base/check.h"
#include "tls/legacy_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/provider.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void
add_to_sum(const OBJ_NAME *name, void *arg)
{
	size_t *sum = arg, hash = (size_t)name->type * 31 + (name->alias != 0);

	for (const char *p = name->name; *p != '\0'; p++)
		hash = hash * 1099511628211U + (unsigned char)*p;
	/* Order does not matter to the sum, and each part of an entry does. */
	*sum += hash * 31 + (size_t)(uintptr_t)name->data;
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

/* ---- without memory ---- */

enum { GOOD, REFUSED, LOST_NAMES };

/* In a process of its own: what is lost there is not lost here. */
static int
try_with(long left, size_t sum)
{
	OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
	bool good;

	assert_non_null(context);
	memory.left = left;
	good = legacy_names_spare(context);
	memory.left = -1;
	return sum_of_list() != sum ? LOST_NAMES : good ? GOOD : REFUSED;
}

/* True: it was killed, by itself. */
static bool
try_apart(long left, size_t sum, int *how)
{
	const struct rlimit no_core = { 0, 0 };
	int status, null;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		if ((null = open("/dev/null", O_WRONLY)) != -1)
			dup2(null, STDERR_FILENO);
		_exit(try_with(left, sum));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*how = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return !WIFEXITED(status);
}

static void
nobody_goes_on_without_a_name(void **state)
{
	const size_t sum = sum_of_list();
	unsigned ended = 0;
	int how = REFUSED;

	(void)state;
	for (long left = 0; how != GOOD; left += 5) {
		assert_true(left < 100000);
		if (try_apart(left, sum, &how))
			ended++;
		else
			assert_int_not_equal(how, LOST_NAMES);
	}
	assert_true(ended > 0);
	assert_int_equal(sum_of_list(), sum);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_handshakes_is_short),
		cmocka_unit_test(the_list_is_whole_again),
		cmocka_unit_test(a_context_without_algorithms_is_told),
		cmocka_unit_test(nobody_goes_on_without_a_name),
	};
	int unusable = need_watched_narrow_context();

	return unusable != 0 ? unusable : cmocka_run_group_tests(tests, NULL, NULL);
}
