/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_random.c -- OpenSSL's random numbers are the kernel's, all of them, or none. */
#include "tls/random.h"

#include "base/check.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { SIZE = 32, BYTE = 0xa7 };

/* What the kernel answers: in this order, the last one again and again. */
static struct {
	const ssize_t *answers; /* bytes; negative: -errno */
	size_t n, at, asked;
} kernel;

ssize_t __wrap_getrandom(void *to, size_t size, unsigned flags);

ssize_t
__wrap_getrandom(void *to, size_t size, unsigned flags)
{
	ssize_t answer = kernel.answers[kernel.at];

	assert_int_equal(flags, 0); /* it waits until there is randomness */
	if (kernel.at + 1 < kernel.n)
		kernel.at++;
	kernel.asked++;
	if (answer < 0) {
		errno = (int)-answer;
		return -1;
	}
	if ((size_t)answer > size)
		answer = (ssize_t)size;
	memset(to, BYTE, (size_t)answer);
	return answer;
}

#define KERNEL_SAYS(...) \
	do { \
		static const ssize_t said[] = { __VA_ARGS__ }; \
		kernel.answers = said; \
		kernel.n = COUNT_OF(said); \
		kernel.at = kernel.asked = 0; \
	} while (0)

/* ---- who has named a generator keeps it; each in a process of its own ---- */

/* OpenSSL's configuration, with this section in it. */
static int
configure(const char *section)
{
	char path[] = "/tmp/test_random.XXXXXX";
	int fd = mkstemp(path);

	return fd != -1 && dprintf(fd, "openssl_conf = main\n[main]\n%s\n[words]\n", section) > 0 &&
	       close(fd) == 0 && setenv("OPENSSL_CONF", path, 1) == 0;
}

static int
set_up_section(void)
{
	return configure("random = words");
}

static int
set_up_other_section(void)
{
	return configure("oid_section = words");
}

static int
set_up_broken_kernel(void)
{
	KERNEL_SAYS(-ENOSYS);
	return 1;
}

static int
set_up_provider(void)
{
	return OSSL_PROVIDER_load(NULL, "null") != NULL &&
	       OSSL_PROVIDER_load(NULL, "default") != NULL;
}

static int
set_up_method(void)
{
	static RAND_METHOD other;

	return RAND_set_rand_method(&other);
}

/* A reload asks again, when there are threads. */
static int
set_up_decision(void)
{
	set_up_method();
	random_from_kernel();
	return RAND_set_rand_method(RAND_OpenSSL());
}

static int
set_up_nothing(void)
{
	return 1;
}

/* Does random_from_kernel() leave what is there after this? */
static bool
stays(int (*set_up)(void))
{
	pid_t child = fork();
	int status;

	assert_int_not_equal(child, -1);
	if (child == 0) {
		const RAND_METHOD *before;

		if (set_up() != 1)
			_exit(2);
		before = RAND_get_rand_method();
		random_from_kernel();
		if (getenv("OPENSSL_CONF") != NULL)
			(void)unlink(getenv("OPENSSL_CONF"));
		_exit(RAND_get_rand_method() != before ? 1 : ERR_peek_error() == 0 ? 0 : 3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

static void
what_somebody_has_named_stays(void **state)
{
	(void)state;
	KERNEL_SAYS(SIZE);
	assert_true(stays(set_up_section));
	assert_true(stays(set_up_provider));
	assert_true(stays(set_up_method));
	assert_true(stays(set_up_decision));
	assert_true(stays(set_up_broken_kernel));
	assert_false(stays(set_up_other_section));
	assert_false(stays(set_up_nothing));
}

/* ---- otherwise all is the kernel's ---- */

static int
set_up_kernel(void **state)
{
	(void)state;
	KERNEL_SAYS(SIZE);
	random_from_kernel();
	ERR_clear_error(); /* what the test before has left */
	return 0;
}

static void
expect_drawn(const uint8_t *bytes)
{
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(bytes[i], BYTE);
}

static void
public_and_private_numbers_are_the_kernels(void **state)
{
	uint8_t one[SIZE] = { 0 }, two[SIZE] = { 0 };

	(void)state;
	KERNEL_SAYS(SIZE);
	assert_int_equal(RAND_status(), 1);
	assert_int_equal(RAND_bytes(one, SIZE), 1);
	assert_int_equal(RAND_priv_bytes(two, SIZE), 1);
	expect_drawn(one);
	expect_drawn(two);
	assert_int_equal(kernel.asked, 2);
}

static void
keys_are_made_of_them(void **state)
{
	uint8_t private[SIZE];
	size_t n = SIZE;
	EVP_PKEY *key;

	(void)state;
	KERNEL_SAYS(SIZE);
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_non_null(key);
	assert_int_equal(EVP_PKEY_get_raw_private_key(key, private, &n), 1);
	expect_drawn(private);
	EVP_PKEY_free(key);
}

static void
what_comes_in_pieces_is_put_together(void **state)
{
	uint8_t bytes[SIZE + 1] = { 0 };

	(void)state;
	KERNEL_SAYS(1, -EINTR, 7, -EINTR, -EINTR, SIZE);
	assert_int_equal(RAND_bytes(bytes, SIZE), 1);
	expect_drawn(bytes);
	assert_int_equal(bytes[SIZE], 0);
	assert_int_equal(kernel.asked, 6);
}

static void
what_the_kernel_does_not_give_is_an_error(void **state)
{
	uint8_t bytes[SIZE];

	(void)state;
	KERNEL_SAYS(-ENOSYS);
	assert_int_equal(RAND_bytes(bytes, SIZE), 0);
	assert_int_equal(ERR_GET_LIB(ERR_peek_error()), ERR_LIB_SYS);
	assert_int_equal(ERR_GET_REASON(ERR_get_error()), ENOSYS);
	KERNEL_SAYS(SIZE - 1, -EPERM);
	assert_int_equal(RAND_priv_bytes(bytes, SIZE), 0);
	assert_int_equal(ERR_GET_REASON(ERR_get_error()), EPERM);
	KERNEL_SAYS(0);
	assert_int_equal(RAND_bytes(bytes, SIZE), 0);
	assert_int_equal(ERR_GET_REASON(ERR_get_error()), EIO);
	KERNEL_SAYS(-ENOSYS);
	assert_null(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

static void
what_does_not_fit_is_refused(void **state)
{
	uint8_t byte = 0;

	(void)state;
	KERNEL_SAYS(SIZE);
	assert_int_equal(RAND_bytes_ex(NULL, &byte, (size_t)INT_MAX + 1, 0), 0);
	assert_int_equal(ERR_GET_REASON(ERR_get_error()), ERR_R_PASSED_INVALID_ARGUMENT);
	assert_int_equal(RAND_bytes(&byte, 0), 1);
	assert_int_equal(kernel.asked, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_somebody_has_named_stays),
		cmocka_unit_test_setup(public_and_private_numbers_are_the_kernels, set_up_kernel),
		cmocka_unit_test_setup(keys_are_made_of_them, set_up_kernel),
		cmocka_unit_test_setup(what_comes_in_pieces_is_put_together, set_up_kernel),
		cmocka_unit_test_setup(what_the_kernel_does_not_give_is_an_error, set_up_kernel),
		cmocka_unit_test_setup(what_does_not_fit_is_refused, set_up_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
