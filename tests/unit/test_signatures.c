/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_signatures.c -- what is remembered of signatures must never let a bad chain pass.
 */
#include "tls/signatures.h"
#include "tls_kit.h"

#include <dlfcn.h>
#include <openssl/x509v3.h>

/* ---- how often a signature is computed ---- */

static unsigned computed;

/* In front of the library's own. */
int
X509_verify(X509 *cert, EVP_PKEY *key)
{
	static int (*real)(X509 *, EVP_PKEY *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "X509_verify");
	computed++;
	return real(cert, key);
}

/* ---- help ---- */

static struct pki_pair root, leaf;
static unsigned told; /* calls of the callback with good news */

static int
setup(void **state)
{
	(void)state;
	root = kit_good(PKI_CA, "root", NULL);
	leaf = kit_good(PKI_SERVER, "leaf", &root);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	pki_pair_done(&root);
	pki_pair_done(&leaf);
	return 0;
}

static int
count_good(int ok, X509_STORE_CTX *ctx)
{
	(void)ctx;
	told += ok == 1;
	return ok;
}

static int
accept_all(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

/* X509_V_OK, or what is wrong with `cert` for who trusts `anchor`. */
static int
verdict(X509 *cert, X509 *anchor, unsigned long flags, X509_STORE_CTX_verify_cb callback)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int error;

	assert_true(X509_STORE_add_cert(store, anchor));
	assert_true(X509_STORE_set_flags(store, flags));
	assert_true(signatures_install(store));
	assert_true(X509_STORE_CTX_init(ctx, store, cert, NULL));
	X509_STORE_CTX_set_verify_cb(ctx, callback);
	(void)X509_verify_cert(ctx);
	error = X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return error;
}

static int
verdict_of(X509 *cert)
{
	return verdict(cert, root.cert, 0, count_good);
}

/* As it is, but one bit of the signature. */
static X509 *
forged(const X509 *cert)
{
	unsigned char *der = NULL, *p;
	int n = i2d_X509(cert, &der);
	X509 *made;

	assert_true(n > 0);
	p = der;
	der[n - 1] ^= 1;
	made = d2i_X509(NULL, (const unsigned char **)&p, n);
	assert_non_null(made);
	OPENSSL_free(der);
	return made;
}

/* ---- tests ---- */

static void
a_signature_is_computed_once(void **state)
{
	(void)state;
	computed = told = 0;
	assert_int_equal(verdict_of(leaf.cert), X509_V_OK);
	assert_int_equal(computed, 1);
	assert_int_equal(told, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(verdict_of(leaf.cert), X509_V_OK);
	assert_int_equal(computed, 1);
	assert_int_equal(told, 8);
}

static void
a_forged_certificate_is_another_one(void **state)
{
	X509 *bad = forged(leaf.cert);

	(void)state;
	assert_int_equal(verdict_of(leaf.cert), X509_V_OK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(verdict_of(bad), X509_V_ERR_CERT_SIGNATURE_FAILURE);
	X509_free(bad);
}

/* A callback that takes everything must not teach us that a signature is good. */
static void
who_overlooks_a_bad_signature_does_not_make_it_good(void **state)
{
	X509 *bad = forged(leaf.cert);

	(void)state;
	(void)verdict(bad, root.cert, 0, accept_all);
	assert_int_equal(verdict_of(bad), X509_V_ERR_CERT_SIGNATURE_FAILURE);
	X509_free(bad);
}

static void
another_issuer_of_the_same_name_is_another_one(void **state)
{
	struct pki_pair other = kit_good(PKI_CA, "root", NULL);

	(void)state;
	assert_int_equal(verdict_of(leaf.cert), X509_V_OK);
	assert_int_not_equal(verdict(leaf.cert, other.cert, 0, count_good), X509_V_OK);
	pki_pair_done(&other);
}

static void
a_known_signature_does_not_stop_the_clock(void **state)
{
	struct pki_pair late = kit_issue(PKI_SERVER, "late", NULL, -2 * KIT_DAY, -KIT_DAY, &root);
	struct pki_pair early = kit_issue(PKI_SERVER, "early", NULL, KIT_DAY, 2 * KIT_DAY, &root);

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(verdict_of(late.cert), X509_V_ERR_CERT_HAS_EXPIRED);
		assert_int_equal(verdict_of(early.cert), X509_V_ERR_CERT_NOT_YET_VALID);
	}
	pki_pair_done(&late);
	pki_pair_done(&early);
}

static void
an_expired_root_is_noticed(void **state)
{
	struct pki_pair old = kit_issue(PKI_CA, "old", NULL, -2 * KIT_DAY, -KIT_DAY, NULL);
	struct pki_pair young = kit_good(PKI_SERVER, "young", &old);

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    verdict(young.cert, old.cert, 0, count_good), X509_V_ERR_CERT_HAS_EXPIRED);
	pki_pair_done(&old);
	pki_pair_done(&young);
}

static void
an_issuer_that_may_not_sign_is_noticed(void **state)
{
	struct pki_pair below = kit_good(PKI_SERVER, "below", &leaf);

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_not_equal(verdict(below.cert, leaf.cert, 0, count_good), X509_V_OK);
	pki_pair_done(&below);
}

/* The root's own signature is asked for, and that is not among our facts. */
static void
unusual_wishes_are_the_librarys(void **state)
{
	(void)state;
	assert_int_equal(verdict_of(leaf.cert), X509_V_OK);
	computed = 0;
	assert_int_equal(
	    verdict(leaf.cert, root.cert, X509_V_FLAG_CHECK_SS_SIGNATURE, count_good), X509_V_OK);
	assert_int_equal(computed, 2);
}

/* More leaves than places: the first is computed again, and all stay right. */
static void
the_oldest_is_forgotten(void **state)
{
	(void)state;
	assert_int_equal(verdict_of(leaf.cert), X509_V_OK);
	for (int i = 0; i < 64; i++) {
		struct pki_pair one = kit_good(PKI_CLIENT, "one of many", &root);

		assert_int_equal(verdict(one.cert, root.cert, 0, count_good), X509_V_OK);
		pki_pair_done(&one);
	}
	computed = 0;
	assert_int_equal(verdict_of(leaf.cert), X509_V_OK);
	assert_int_equal(computed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_signature_is_computed_once),
		TEST(a_forged_certificate_is_another_one),
		TEST(who_overlooks_a_bad_signature_does_not_make_it_good),
		TEST(another_issuer_of_the_same_name_is_another_one),
		TEST(a_known_signature_does_not_stop_the_clock),
		TEST(an_expired_root_is_noticed),
		TEST(an_issuer_that_may_not_sign_is_noticed),
		TEST(unusual_wishes_are_the_librarys),
		TEST(the_oldest_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
