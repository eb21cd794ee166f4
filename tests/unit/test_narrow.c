/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_narrow.c -- the narrow context reads every key of a certificate, and talks to
 * others. */
#include "narrow_kit.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* A certificate for the key, signed with it, as a peer sends it.  md: NULL is the key's default. */
static int
encode(EVP_PKEY *key, const EVP_MD *md, unsigned char **der)
{
	X509 *cert = X509_new();
	int n;

	assert_true(X509_set_pubkey(cert, key));
	assert_true(X509_gmtime_adj(X509_getm_notBefore(cert), 0) != NULL);
	assert_true(X509_gmtime_adj(X509_getm_notAfter(cert), 60) != NULL);
	assert_true(X509_sign(cert, key, md) > 0);
	assert_true((n = i2d_X509(cert, der)) > 0);
	X509_free(cert);
	return n;
}

static void
every_key_of_a_certificate_is_read(void **state)
{
	static const struct {
		const char *type, *curve;
	} cases[] = {
		{ "RSA", NULL },
		{ "EC", "P-256" },
		{ "EC", "P-384" },
		{ "EC", "P-521" },
		{ "EC", "secp256k1" },
		{ "ED25519", NULL },
		{ "ED448", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		EVP_PKEY *key = make_key(cases[i].type, cases[i].curve);
		X509 *cert = X509_new_ex(narrow_context(), NULL);
		unsigned char *der = NULL;
		int n = encode(key, NULL, &der);
		const unsigned char *p = der;

		assert_non_null(d2i_X509(&cert, &p, n));
		assert_non_null(X509_get0_pubkey(cert));
		assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cert), key), 1);
		X509_free(cert);
		OPENSSL_free(der);
		EVP_PKEY_free(key);
	}
}

/* Whatever a CA may have signed with, and OpenSSL 3.0 verifies: not SHA-512/224 and /256. */
static void
every_signature_on_a_certificate_is_verified(void **state)
{
	static const char *const digests[] = { "MD5", "SHA1", "SHA224", "SHA256", "SHA384",
		"SHA512", "SHA3-224", "SHA3-256", "SHA3-384", "SHA3-512", "RIPEMD160" };
	EVP_PKEY *key = make_key("RSA", NULL), *other = make_key("RSA", NULL);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(digests); i++) {
		const EVP_MD *md = EVP_get_digestbyname(digests[i]);
		X509 *cert = X509_new_ex(narrow_context(), NULL);
		unsigned char *der = NULL;
		const unsigned char *p;
		int n;

		assert_non_null(md);
		n = encode(key, md, &der);
		p = der;
		assert_non_null(d2i_X509(&cert, &p, n));
		if (X509_verify(cert, X509_get0_pubkey(cert)) != 1)
			fail_msg("%s is not verified", digests[i]);
		assert_int_not_equal(X509_verify(cert, other), 1);
		X509_free(cert);
		OPENSSL_free(der);
	}
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

static void
it_offers_the_same_for_tls(void **state)
{
	SSL_CTX *wide = SSL_CTX_new(TLS_method());
	SSL_CTX *narrow = SSL_CTX_new_ex(narrow_context(), NULL, TLS_method());
	STACK_OF(SSL_CIPHER) *a, *b;

	(void)state;
	assert_non_null(wide);
	assert_non_null(narrow);
	assert_true(SSL_CTX_set_cipher_list(wide, "ALL:COMPLEMENTOFALL:@SECLEVEL=0"));
	assert_true(SSL_CTX_set_cipher_list(narrow, "ALL:COMPLEMENTOFALL:@SECLEVEL=0"));
	a = SSL_CTX_get_ciphers(wide);
	b = SSL_CTX_get_ciphers(narrow);
	assert_true(sk_SSL_CIPHER_num(a) > 100);
	assert_int_equal(sk_SSL_CIPHER_num(a), sk_SSL_CIPHER_num(b));
	for (int i = 0; i < sk_SSL_CIPHER_num(a); i++)
		assert_ptr_equal(sk_SSL_CIPHER_value(a, i), sk_SSL_CIPHER_value(b, i));
	assert_true(SSL_CTX_set1_groups_list(narrow, "X25519:X448:P-256:P-384:P-521:ffdhe2048"));
	SSL_CTX_free(wide);
	SSL_CTX_free(narrow);
}

static int
digest_number(OSSL_LIB_CTX *context, const char *name)
{
	EVP_MD *md = EVP_MD_fetch(context, name, NULL);
	int number = md == NULL ? NID_undef : EVP_MD_get_type(md);

	EVP_MD_free(md);
	return number;
}

static int
cipher_number(OSSL_LIB_CTX *context, const char *name)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(context, name, NULL);
	int number = cipher == NULL ? NID_undef : EVP_CIPHER_get_nid(cipher);

	EVP_CIPHER_free(cipher);
	return number;
}

static void
numbers_are_the_same(
    int (*number)(OSSL_LIB_CTX *, const char *), const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_not_equal(number(NULL, names[i]), NID_undef);
		if (number(narrow_context(), names[i]) != number(NULL, names[i]))
			fail_msg("%s is not known", names[i]);
	}
}

/* OpenSSL goes by these numbers where it judges how strong a signature is, and in CBC. */
static void
digests_and_ciphers_are_known(void **state)
{
	static const char *const digests[] = { "MD5", "MD5-SHA1", "RIPEMD160", "SHA1", "SHA224",
		"SHA256", "SHA384", "SHA512", "SHA512-224", "SHA512-256", "SHA3-224", "SHA3-256",
		"SHA3-384", "SHA3-512", "SM3" };
	static const char *const ciphers[] = { "AES-128-CBC", "AES-256-CBC", "id-aes128-GCM",
		"id-aes256-GCM", "id-aes128-CCM", "id-aes256-CCM", "ChaCha20-Poly1305",
		"ARIA-128-GCM", "ARIA-256-GCM", "CAMELLIA-128-CBC", "CAMELLIA-256-CBC",
		"DES-EDE3-CBC", "AES-128-CBC-HMAC-SHA1", "AES-128-CBC-HMAC-SHA256",
		"AES-256-CBC-HMAC-SHA1", "AES-256-CBC-HMAC-SHA256" };

	(void)state;
	numbers_are_the_same(digest_number, digests, COUNT_OF(digests));
	numbers_are_the_same(cipher_number, ciphers, COUNT_OF(ciphers));
}

/* ---- handshakes between the two contexts ---- */

struct offer {
	int version;
	const char *ciphers; /* up to TLS 1.2 */
	const char *suites;  /* TLS 1.3 */
	int level;	     /* 0 also has TLS 1.0 */
	const char *signatures;
};

static SSL *
make_end(OSSL_LIB_CTX *context, const struct offer *o, EVP_PKEY *key, X509 *cert)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(context, NULL, TLS_method());
	SSL *ssl;

	assert_non_null(ctx);
	SSL_CTX_set_security_level(ctx, o->level);
	assert_true(o->signatures == NULL || SSL_CTX_set1_sigalgs_list(ctx, o->signatures));
	assert_true(SSL_CTX_set_min_proto_version(ctx, o->version));
	assert_true(SSL_CTX_set_max_proto_version(ctx, o->version));
	assert_true(o->ciphers == NULL || SSL_CTX_set_cipher_list(ctx, o->ciphers));
	assert_true(o->suites == NULL || SSL_CTX_set_ciphersuites(ctx, o->suites));
	if (cert != NULL)
		assert_true(SSL_CTX_use_certificate(ctx, cert) && SSL_CTX_use_PrivateKey(ctx, key));
	ssl = SSL_new(ctx);
	assert_non_null(ssl);
	SSL_CTX_free(ctx);
	return ssl;
}

static bool
shake_hands(SSL *client, SSL *server)
{
	BIO *near, *far;
	bool up = false;

	assert_true(BIO_new_bio_pair(&near, 1 << 16, &far, 1 << 16));
	SSL_set_bio(client, near, near);
	SSL_set_bio(server, far, far);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int i = 0; i < 8; i++) {
		bool a = SSL_do_handshake(client) == 1, b = SSL_do_handshake(server) == 1;

		up = a && b;
	}
	return up;
}

static void
assert_same_secrets(SSL *a, SSL *b)
{
	static const char label[] = "EXPORTER-test", word[] = "some words";
	unsigned char one[100], two[100];

	assert_true(SSL_export_keying_material(a, one, sizeof(one), label, sizeof(label) - 1,
	    (const unsigned char *)word, sizeof(word), 1));
	assert_true(SSL_export_keying_material(b, two, sizeof(two), label, sizeof(label) - 1,
	    (const unsigned char *)word, sizeof(word), 1));
	assert_memory_equal(one, two, sizeof(one));
	assert_int_equal(SSL_write(a, word, sizeof(word)), sizeof(word));
	assert_int_equal(SSL_read(b, one, sizeof(one)), sizeof(word));
	assert_memory_equal(one, word, sizeof(word));
}

static void
it_talks_to_others(void **state)
{
	static const struct offer offers[] = {
		{ .version = TLS1_3_VERSION, .suites = "TLS_AES_128_GCM_SHA256" },
		{ .version = TLS1_3_VERSION, .suites = "TLS_AES_256_GCM_SHA384" },
		{ .version = TLS1_3_VERSION, .suites = "TLS_CHACHA20_POLY1305_SHA256" },
		{ .version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256" },
		{ .version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384" },
		{ .version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA256" },
		{ .version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES256-SHA" },
		{ .version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES256-CCM8" },
		{ .version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-ARIA128-GCM-SHA256" },
		{ .version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-CAMELLIA256-SHA384" },
		{ .version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305" },
		{ .version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-NULL-SHA" },
		{ .version = TLS1_1_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA" },
		{ .version = TLS1_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA" },
	};
	EVP_PKEY *key = make_key("EC", "P-256");
	unsigned char *der = NULL;
	int n = encode(key, NULL, &der);
	const unsigned char *p = der;
	X509 *cert = d2i_X509(NULL, &p, n);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(offers) * 2; i++) {
		const struct offer *o = &offers[i / 2];
		SSL *client = make_end(i % 2 ? narrow_context() : NULL, o, NULL, NULL);
		SSL *server = make_end(i % 2 ? NULL : narrow_context(), o, key, cert);

		if (!shake_hands(client, server))
			fail_msg("offer %zu, way %zu: no handshake", i / 2, i % 2);
		assert_same_secrets(client, server);
		assert_same_secrets(server, client);
		SSL_free(client);
		SSL_free(server);
	}
	X509_free(cert);
	OPENSSL_free(der);
	EVP_PKEY_free(key);
}

static bool
they_agree(OSSL_LIB_CTX *context, const struct offer *o, EVP_PKEY *key, X509 *cert)
{
	SSL *client = make_end(context, o, NULL, NULL), *server = make_end(context, o, key, cert);
	bool up = shake_hands(client, server);

	ERR_clear_error();
	SSL_free(client);
	SSL_free(server);
	return up;
}

static void
what_is_too_weak_is_refused(void **state)
{
	static const struct {
		struct offer offer;
		bool good;
	} cases[] = {
		{ { .version = TLS1_2_VERSION, .level = 1, .signatures = "RSA+SHA1" }, false },
		{ { .version = TLS1_2_VERSION, .level = 0, .signatures = "RSA+SHA1" }, true },
		{ { .version = TLS1_2_VERSION, .level = 2, .signatures = "RSA+SHA256" }, true },
		{ { .version = TLS1_VERSION, .level = 2 }, false },
		{ { .version = TLS1_VERSION, .level = 0 }, true },
	};
	EVP_PKEY *key = make_key("RSA", NULL);
	unsigned char *der = NULL;
	int n = encode(key, NULL, &der);
	const unsigned char *p = der;
	X509 *cert = d2i_X509(NULL, &p, n);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (they_agree(NULL, &cases[i].offer, key, cert) != cases[i].good ||
		    they_agree(narrow_context(), &cases[i].offer, key, cert) != cases[i].good)
			fail_msg("case %zu", i);
	X509_free(cert);
	OPENSSL_free(der);
	EVP_PKEY_free(key);
}

/* Last, for there is no way back: what else is loaded must be used. */
static void
another_provider_widens_it(void **state)
{
	OSSL_PROVIDER *other = OSSL_PROVIDER_try_load(NULL, "null", 1);

	(void)state;
	assert_non_null(other);
	assert_null(narrow_context());
	OSSL_PROVIDER_unload(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_of_a_certificate_is_read),
		cmocka_unit_test(every_signature_on_a_certificate_is_verified),
		cmocka_unit_test(it_offers_the_same_for_tls),
		cmocka_unit_test(digests_and_ciphers_are_known),
		cmocka_unit_test(it_talks_to_others),
		cmocka_unit_test(what_is_too_weak_is_refused),
		cmocka_unit_test(another_provider_widens_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
