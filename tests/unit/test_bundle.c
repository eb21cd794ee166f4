/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_bundle.c -- files of certificates become objects that workers may share. */
#include "tls_kit.h"

#include "tls/bundle.h"

#include <openssl/x509v3.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static struct bundle
read_bundle(struct kit_files *files, const char *path)
{
	struct bundle b;
	struct file f;

	assert_true(kit_read(&files->files, path, &f));
	assert_true(bundle_begin(&b));
	bundle_read(&b, &f);
	file_done(&f);
	return b;
}

static void
certificates_are_taken_and_keys_passed_over(void **state)
{
	struct kit_files files = { .files.read = kit_read };
	struct pki_pair ca = kit_good(PKI_CA, "CA", NULL), leaf = kit_good(PKI_SERVER, "leaf", &ca);
	struct bundle b;

	(void)state;
	kit_put_pairs(&files, "/both.pem", true, &leaf, &ca);
	b = read_bundle(&files, "/both.pem");
	assert_false(b.failed);
	assert_int_equal(sk_X509_num(b.certs), 2);
	assert_int_equal(X509_cmp(sk_X509_value(b.certs, 0), leaf.cert), 0);
	assert_int_equal(X509_cmp(sk_X509_value(b.certs, 1), ca.cert), 0);
	assert_int_equal(sk_X509_CRL_num(b.crls), 0);
	bundle_done(&b);
	pki_pair_done(&leaf);
	pki_pair_done(&ca);
	kit_files_done(&files);
}

static void
a_broken_certificate_is_told(void **state)
{
	struct kit_files files = { .files.read = kit_read };
	struct bundle b;

	(void)state;
	kit_put_text(&files, "/broken.pem",
	    "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n");
	b = read_bundle(&files, "/broken.pem");
	assert_true(b.failed);
	assert_true(b.why[0] != '\0');
	assert_int_equal(sk_X509_num(b.certs), 0);
	bundle_done(&b);
	kit_files_done(&files);
}

/* ---- two workers meet one CA ---- */

struct meeting {
	X509 *ca;
	_Atomic bool was_there; /* relaxed: it shall order nothing for ThreadSanitizer */
};

/* As a worker does that verifies a certificate of that CA. */
static bool
knows(X509 *ca)
{
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(ca);

	return id != NULL && ASN1_OCTET_STRING_cmp(id, id) == 0 && X509_check_ca(ca) == 1;
}

static void *
come_first(void *arg)
{
	struct meeting *m = arg;

	assert_true(knows(m->ca));
	atomic_store_explicit(&m->was_there, true, memory_order_relaxed);
	return NULL;
}

static void *
come_second(void *arg)
{
	struct meeting *m = arg;

	while (!atomic_load_explicit(&m->was_there, memory_order_relaxed))
		sched_yield();
	assert_true(knows(m->ca));
	return NULL;
}

/* What OpenSSL keeps of its extensions was made before they were there. */
static void
workers_only_read_a_certificate(void **state)
{
	struct kit_files files = { .files.read = kit_read };
	struct pki_pair ca = kit_good(PKI_CA, "CA", NULL);
	struct meeting m = { .was_there = false };
	pthread_t first, second;
	struct bundle b;

	(void)state;
	kit_put_pairs(&files, "/ca.pem", false, &ca, NULL);
	b = read_bundle(&files, "/ca.pem");
	m.ca = sk_X509_value(b.certs, 0);
	assert_non_null(m.ca);
	assert_int_equal(pthread_create(&second, NULL, come_second, &m), 0);
	assert_int_equal(pthread_create(&first, NULL, come_first, &m), 0);
	pthread_join(first, NULL);
	pthread_join(second, NULL);
	bundle_done(&b);
	pki_pair_done(&ca);
	kit_files_done(&files);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_taken_and_keys_passed_over),
		cmocka_unit_test(a_broken_certificate_is_told),
		cmocka_unit_test(workers_only_read_a_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
