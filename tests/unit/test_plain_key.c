/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_plain_key.c -- keys are read one after the other, and each is its own. */
#include "narrow_kit.h"

#include "tls/plain_key.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

enum { PKCS8, TRADITIONAL, SHUT, SHUT_TRADITIONAL };

static void
put_key(BIO *bio, EVP_PKEY *key, int form)
{
	const EVP_CIPHER *cipher = form >= SHUT ? EVP_aes_128_cbc() : NULL;
	int ok = form == PKCS8 || form == SHUT
		     ? PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, "pass", 4, NULL, NULL)
		     : PEM_write_bio_PrivateKey_traditional(
			   bio, key, cipher, (const unsigned char *)"pass", 4, NULL, NULL);

	assert_true(ok);
}

/* What is in the BIO, as a file. */
static EVP_PKEY *
read_from(BIO *bio)
{
	char *data;
	long n = BIO_get_mem_data(bio, &data);
	struct file f = { .data = malloc((size_t)n + 1), .size = (size_t)n };
	EVP_PKEY *key;

	memcpy(f.data, data, f.size);
	f.data[n] = '\0';
	ERR_raise(ERR_LIB_USER, 7); /* somebody's, to be left alone */
	key = plain_key_read(&f);
	assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), 7);
	ERR_clear_error();
	free(f.data);
	return key;
}

static EVP_PKEY *
read_text(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, (int)strlen(text));
	EVP_PKEY *key = read_from(bio);

	BIO_free(bio);
	return key;
}

static void
each_key_is_its_own(void **state)
{
	static const struct {
		const char *type, *curve;
		int form;
		const char *before;
	} rows[] = {
		{ "EC", "P-256", PKCS8, "" },
		{ "EC", "P-256", PKCS8, "" }, /* not the one before once more */
		{ "RSA", NULL, PKCS8, "" },
		{ "RSA", NULL, TRADITIONAL, "words that are no PEM\n" },
		{ "EC", "P-384", TRADITIONAL,
		    "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n" },
		{ "ED25519", NULL, PKCS8, "-----BEGIN CERTIFICATE-----\n" },
		{ "EC", "P-521", PKCS8, "Bag Attributes\n    friendlyName: x\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		EVP_PKEY *key = make_key(rows[i].type, rows[i].curve), *got;
		BIO *bio = BIO_new(BIO_s_mem());

		BIO_puts(bio, rows[i].before);
		put_key(bio, key, rows[i].form);
		got = read_from(bio);
		if (got == NULL)
			fail_msg("row %zu: no key", i);
		assert_int_equal(EVP_PKEY_eq(got, key), 1);
		EVP_PKEY_free(got);
		EVP_PKEY_free(key);
		BIO_free(bio);
	}
}

static void
the_first_of_two_is_taken(void **state)
{
	EVP_PKEY *one = make_key("EC", "P-256"), *two = make_key("EC", "P-256"), *got;
	BIO *bio = BIO_new(BIO_s_mem());

	(void)state;
	put_key(bio, one, PKCS8);
	put_key(bio, two, PKCS8);
	got = read_from(bio);
	assert_int_equal(EVP_PKEY_eq(got, one), 1);
	EVP_PKEY_free(got);
	EVP_PKEY_free(one);
	EVP_PKEY_free(two);
	BIO_free(bio);
}

/* The library begins blocks at the beginning of a line, and would take another. */
static void
a_heading_within_a_line_is_none(void **state)
{
	static const char *const before[] = { " ", "# old: ", "\xef\xbb\xbf" };
	EVP_PKEY *one = make_key("EC", "P-256"), *two = make_key("EC", "P-256");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(before); i++) {
		BIO *bio = BIO_new(BIO_s_mem());

		BIO_puts(bio, before[i]);
		put_key(bio, one, PKCS8);
		put_key(bio, two, PKCS8);
		assert_null(read_from(bio));
		BIO_free(bio);
	}
	EVP_PKEY_free(one);
	EVP_PKEY_free(two);
}

static void
shut_keys_are_left_to_others(void **state)
{
	static const int forms[] = { SHUT, SHUT_TRADITIONAL };
	EVP_PKEY *key = make_key("RSA", NULL);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		BIO *bio = BIO_new(BIO_s_mem());

		put_key(bio, key, forms[i]);
		assert_null(read_from(bio));
		BIO_free(bio);
	}
	EVP_PKEY_free(key);
}

static void
what_is_no_key_gives_none(void **state)
{
	static const char *const texts[] = {
		"",
		"\x30\x03\x02\x01\x05",
		"-----BEGIN PRIVATE KEY-----",
		"-----BEGIN PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		"-----BEGIN CERTIFICATE-----\nPRIVATE KEY-----\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		assert_null(read_text(texts[i]));
	each_key_is_its_own(NULL); /* nothing of it stays with the decoder */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_is_its_own),
		cmocka_unit_test(the_first_of_two_is_taken),
		cmocka_unit_test(a_heading_within_a_line_is_none),
		cmocka_unit_test(shut_keys_are_left_to_others),
		cmocka_unit_test(what_is_no_key_gives_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
