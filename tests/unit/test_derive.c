/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_derive.c -- our key derivations compute what the library's do, or leave it to
 * them. */
#include "hex.h"
#include "library_memory.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

enum { OUT = 16384, LEFT = 0xa5 };

/* ---- one derivation, ours and the library's ---- */

static int
derive(EVP_KDF_CTX *k, const OSSL_PARAM *params, uint8_t *out, size_t n)
{
	int good;

	memset(out, LEFT, n);
	good = EVP_KDF_derive(k, out, n, params);
	ERR_clear_error();
	return good > 0;
}

static EVP_KDF_CTX *
begin(OSSL_LIB_CTX *context, const char *name)
{
	EVP_KDF *kdf = EVP_KDF_fetch(context, name, NULL);
	EVP_KDF_CTX *k = EVP_KDF_CTX_new(kdf);

	assert_non_null(k);
	EVP_KDF_free(kdf);
	return k;
}

static int
once(OSSL_LIB_CTX *context, const char *name, const OSSL_PARAM *params, uint8_t *out, size_t n)
{
	EVP_KDF_CTX *k = begin(context, name);
	int good = derive(k, params, out, n);

	EVP_KDF_CTX_free(k);
	return good;
}

/* Both say the same, yes or no. */
static int
same(const char *name, const OSSL_PARAM *params, size_t n)
{
	static uint8_t ours[OUT], theirs[OUT];
	int good = once(narrow_context(), name, params, ours, n);

	assert_int_equal(good, once(NULL, name, params, theirs, n));
	if (good)
		assert_memory_equal(ours, theirs, n);
	return good;
}

/* How many allocations it takes, beside those of EVP_KDF_CTX(3) itself. */
static long
cost(const char *name, const OSSL_PARAM *params, size_t n)
{
	static uint8_t out[OUT];
	EVP_KDF_CTX *k = begin(narrow_context(), name);
	long before = memory.count;

	assert_true(derive(k, params, out, n));
	EVP_KDF_CTX_free(k);
	return memory.count - before;
}

static OSSL_PARAM
text(const char *key, const char *value)
{
	return OSSL_PARAM_construct_utf8_string(key, (char *)value, 0);
}

static OSSL_PARAM
bytes(const char *key, const void *value, size_t n)
{
	return OSSL_PARAM_construct_octet_string(key, (void *)value, n);
}

static uint8_t *
noise(void)
{
	static uint8_t some[4096];

	for (size_t i = 0; i < sizeof(some); i++)
		some[i] = (uint8_t)(i * 73 + i / 256 * 31 + 5);
	return some;
}

static const char *const digests[] = { "SHA2-256", "SHA2-384" };

/* ---- TLS 1.2 ---- */

enum { PRF_SEEDS = 5 };

static void
prf_params(OSSL_PARAM out[PRF_SEEDS + 3], const char *digest, size_t secret, const size_t *seeds)
{
	static uint8_t label[] = "key expansion";
	uint8_t *from = noise();
	size_t n = 0;

	out[n++] = text(OSSL_KDF_PARAM_DIGEST, digest);
	out[n++] = bytes(OSSL_KDF_PARAM_SECRET, from, secret);
	for (size_t i = 0; i < PRF_SEEDS; i++)
		out[n++] = bytes(OSSL_KDF_PARAM_SEED,
		    seeds[i] == 0 ? NULL
		    : i == 0	  ? label
				  : from + 100 * i,
		    seeds[i]);
	out[n] = OSSL_PARAM_construct_end();
}

/* mailarchive.ietf.org/arch/msg/tls/fzVCzk-z3FShgGJ6DOXqM1ydxms */
static void
the_prf_of_tls_1_2_has_its_known_answer(void **state)
{
	uint8_t secret[32], seed[32], want[128], got[128];
	size_t secret_size = hex_bytes("9b be 43 6b a9 40 f0 17 b1 76 52 84 9a 71 db 35", secret);
	size_t seed_size = hex_bytes("a0 ba 9f 93 6c da 31 18 27 a6 f7 96 ff d5 19 8c", seed);
	size_t n = hex_bytes("e3 f2 29 ba 72 7b e1 7b 8d 12 26 20 55 7c d4 53"
			     "c2 aa b2 1d 07 c3 d4 95 32 9b 52 d4 e6 1e db 5a"
			     "6b 30 17 91 e9 0d 35 c9 c9 a4 6b 4e 14 ba f9 af"
			     "0f a0 22 f7 07 7d ef 17 ab fd 37 97 c0 56 4b ab"
			     "4f bc 91 66 6e 9d ef 9b 97 fc e3 4f 79 67 89 ba"
			     "a4 80 82 d1 22 ee 42 c5 a7 2e 5a 51 10 ff f7 01"
			     "87 34 7b 66",
	    want);
	OSSL_PARAM params[] = {
		text(OSSL_KDF_PARAM_DIGEST, "SHA2-256"),
		bytes(OSSL_KDF_PARAM_SECRET, secret, secret_size),
		bytes(OSSL_KDF_PARAM_SEED, "test label", 10),
		bytes(OSSL_KDF_PARAM_SEED, seed, seed_size),
		OSSL_PARAM_construct_end(),
	};

	(void)state;
	assert_true(once(narrow_context(), "TLS1-PRF", params, got, n));
	assert_memory_equal(got, want, n);
}

static void
the_prf_of_tls_1_2_is_the_librarys(void **state)
{
	static const size_t secrets[] = { 0, 1, 48, 63, 64, 65, 127, 128, 129, 1024 };
	static const size_t lengths[] = { 0, 1, 12, 31, 32, 33, 40, 47, 48, 49, 104, 256, 3000 };
	static const size_t seeds[][PRF_SEEDS] = {
		{ 13, 32, 32 },
		{ 13, 0, 0, 32, 32 },
		{ 0, 0, 77 },
		{ 1, 2, 3, 4, 5 },
		{ 13, 1000, 11 },
		{ 13, 1000, 12 }, /* one too many */
		{ 0 },
	};
	OSSL_PARAM params[PRF_SEEDS + 3];
	size_t good = 0, all = 0;

	(void)state;
	for (size_t d = 0; d < COUNT_OF(digests); d++)
		for (size_t i = 0; i < COUNT_OF(secrets); i++)
			for (size_t k = 0; k < COUNT_OF(seeds); k++)
				for (size_t j = 0; j < COUNT_OF(lengths); j++, all++) {
					prf_params(params, digests[d], secrets[i], seeds[k]);
					good += (size_t)same("TLS1-PRF", params, lengths[j]);
				}
	/* No length, too long a seed, and none are refused, by both. */
	assert_int_equal(good, all / COUNT_OF(lengths) * (COUNT_OF(lengths) - 1) / 7 * 5);
}

/* ---- TLS 1.3 ---- */

struct hkdf {
	int mode;
	const char *digest;
	size_t secret, salt, label, data;
};
enum { NONE = SIZE_MAX }; /* the parameter is not there */

static void
hkdf_params(OSSL_PARAM out[8], struct hkdf *h)
{
	uint8_t *from = noise();
	const struct {
		const char *key;
		size_t n;
	} parts[] = {
		{ OSSL_KDF_PARAM_KEY, h->secret },
		{ OSSL_KDF_PARAM_SALT, h->salt },
		{ OSSL_KDF_PARAM_LABEL, h->label },
		{ OSSL_KDF_PARAM_DATA, h->data },
	};
	size_t n = 0;

	out[n++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &h->mode);
	out[n++] = text(OSSL_KDF_PARAM_DIGEST, h->digest);
	out[n++] = bytes(OSSL_KDF_PARAM_PREFIX, "tls13 ", 6);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (parts[i].n != NONE)
			out[n++] = bytes(parts[i].key, from + 300 * i, parts[i].n);
	out[n] = OSSL_PARAM_construct_end();
}

static size_t
hkdf_same(struct hkdf h, size_t n)
{
	OSSL_PARAM params[8];

	hkdf_params(params, &h);
	return (size_t)same("TLS13-KDF", params, n);
}

static void
a_label_is_expanded_as_the_library_does(void **state)
{
	static const size_t labels[] = { 0, 2, 12, 249 }, contexts[] = { NONE, 0, 32, 48, 255 };
	static const size_t lengths[] = { 0, 1, 12, 16, 32, 33, 48, 49, 255, 8160 };
	size_t good = 0;

	(void)state;
	for (size_t d = 0; d < COUNT_OF(digests); d++)
		for (size_t i = 0; i < COUNT_OF(labels); i++)
			for (size_t k = 0; k < COUNT_OF(contexts); k++)
				for (size_t j = 0; j < COUNT_OF(lengths); j++)
					good +=
					    hkdf_same((struct hkdf){ EVP_KDF_HKDF_MODE_EXPAND_ONLY,
							  digests[d], 32 + 16 * d, NONE, labels[i],
							  contexts[k] },
						lengths[j]);
	assert_int_equal(good, 2 * 4 * 5 * COUNT_OF(lengths));
}

static void
a_secret_is_extracted_as_the_library_does(void **state)
{
	static const size_t secrets[] = { NONE, 0, 32, 48, 66, 256 }, salts[] = { NONE, 32, 48 };
	size_t good = 0;

	(void)state;
	for (size_t d = 0; d < COUNT_OF(digests); d++)
		for (size_t i = 0; i < COUNT_OF(secrets); i++)
			for (size_t k = 0; k < COUNT_OF(salts); k++)
				good += hkdf_same((struct hkdf){ EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
						      digests[d], secrets[i], salts[k], 7, NONE },
				    32 + 16 * d);
	assert_int_equal(good, 2 * COUNT_OF(secrets) * COUNT_OF(salts));
}

/* What no handshake asks for is refused by both, or computed by both. */
static void
odd_requests_end_as_with_the_library(void **state)
{
	enum { EXPAND = EVP_KDF_HKDF_MODE_EXPAND_ONLY, EXTRACT = EVP_KDF_HKDF_MODE_EXTRACT_ONLY };
	static const struct {
		struct hkdf hkdf;
		size_t n;
		bool good;
	} cases[] = {
		{ { EXPAND, "SHA2-256", 32, NONE, 250, NONE }, 32,
		    false }, /* label: one too long */
		{ { EXPAND, "SHA2-256", 32, NONE, 2, 256 }, 32, false },
		{ { EXPAND, "SHA2-256", 32, NONE, 2, NONE }, 8161, false },
		{ { EXPAND, "SHA2-512", 64, NONE, 2, 64 }, 64, true },
		{ { EXPAND, "SHA256", 32, NONE, 2, 32 }, 32, true }, /* another name of it */
		{ { EXPAND, "no-such-digest", 32, NONE, 2, 32 }, 32, false },
		{ { EXTRACT, "SHA2-256", 32, 32, 7, NONE }, 31, false },
		{ { EXTRACT, "SHA2-256", 32, 32, 7, NONE }, 33, false },
		{ { EXTRACT, "SHA1", 20, 20, 7, NONE }, 20, true },
		{ { EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, "SHA2-256", 32, 32, 7, 8 }, 32, false },
		{ { 7, "SHA2-256", 32, 32, 7, 8 }, 32, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(hkdf_same(cases[i].hkdf, cases[i].n), cases[i].good);
}

/* RFC 8448 3: the early secret, and the handshake secret. */
static void
the_schedule_of_tls_1_3_has_its_known_answers(void **state)
{
	int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
	uint8_t shared[32], early[32], handshake[32], got[32];
	OSSL_PARAM first[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		text(OSSL_KDF_PARAM_DIGEST, "SHA2-256"),
		bytes(OSSL_KDF_PARAM_PREFIX, "tls13 ", 6),
		bytes(OSSL_KDF_PARAM_LABEL, "derived", 7),
		OSSL_PARAM_construct_end(),
	};
	OSSL_PARAM second[] = {
		first[0],
		first[1],
		first[2],
		first[3],
		bytes(OSSL_KDF_PARAM_KEY, shared, sizeof(shared)),
		bytes(OSSL_KDF_PARAM_SALT, early, sizeof(early)),
		OSSL_PARAM_construct_end(),
	};

	(void)state;
	hex_bytes("33 ad 0a 1c 60 7e c0 3b 09 e6 cd 98 93 68 0c e2"
		  "10 ad f3 00 aa 1f 26 60 e1 b2 2e 10 f1 70 f9 2a",
	    early);
	hex_bytes("8b d4 05 4f b5 5b 9d 63 fd fb ac f9 f0 4b 9f 0d"
		  "35 e6 d6 3f 53 75 63 ef d4 62 72 90 0f 89 49 2d",
	    shared);
	hex_bytes("1d c8 26 e9 36 06 aa 6f dc 0a ad c1 2f 74 1b 01"
		  "04 6a a6 b9 9f 69 1e d2 21 a9 f0 ca 04 3f be ac",
	    handshake);
	assert_true(once(narrow_context(), "TLS13-KDF", first, got, sizeof(got)));
	assert_memory_equal(got, early, sizeof(got));
	assert_true(once(narrow_context(), "TLS13-KDF", second, got, sizeof(got)));
	assert_memory_equal(got, handshake, sizeof(got));
}

/* ---- what is left to the library ---- */

static void
tls_1_0_is_left_to_the_library(void **state)
{
	static const char *const others[] = { "MD5-SHA1", "SHA1", "SHA2-512", "SHA256", "SHA384" };
	OSSL_PARAM params[PRF_SEEDS + 3];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		prf_params(params, others[i], 48, (size_t[PRF_SEEDS]){ 13, 32, 32 });
		assert_true(same("TLS1-PRF", params, 104));
	}
}

static void
parameters_may_come_before(void **state)
{
	OSSL_PARAM params[PRF_SEEDS + 3];
	uint8_t ours[104], theirs[104];
	EVP_KDF_CTX *k = begin(narrow_context(), "TLS1-PRF");

	(void)state;
	prf_params(params, "SHA2-256", 48, (size_t[PRF_SEEDS]){ 13, 32, 32 });
	assert_true(once(NULL, "TLS1-PRF", params, theirs, sizeof(theirs)));
	assert_true(EVP_KDF_CTX_set_params(k, params));
	assert_true(derive(k, NULL, ours, sizeof(ours)));
	assert_memory_equal(ours, theirs, sizeof(ours));

	/* ... and are forgotten: then there is nothing to derive from. */
	EVP_KDF_CTX_reset(k);
	assert_false(derive(k, NULL, ours, sizeof(ours)));
	assert_true(derive(k, params, ours, sizeof(ours)));
	assert_memory_equal(ours, theirs, sizeof(ours));
	EVP_KDF_CTX_free(k);

	k = begin(narrow_context(), "TLS1-PRF");
	EVP_KDF_CTX_reset(k);
	assert_int_equal(EVP_KDF_CTX_get_kdf_size(k), SIZE_MAX);
	EVP_KDF_CTX_free(k);
}

static void
nothing_missing_is_made_up(void **state)
{
	OSSL_PARAM params[PRF_SEEDS + 3];
	uint8_t out[32];

	(void)state;
	prf_params(params, "SHA2-256", 48, (size_t[PRF_SEEDS]){ 13, 32, 32 });
	assert_false(once(narrow_context(), "TLS1-PRF", params + 1, out, sizeof(out))); /* digest */
	params[1] = params[0];
	assert_false(once(narrow_context(), "TLS1-PRF", params + 1, out, sizeof(out))); /* secret */
	assert_false(once(narrow_context(), "TLS13-KDF", params, out, sizeof(out)));
}

/* TLS1-PRF calls it secret, and TLS13-KDF key; and the first of two counts. */
static void
each_has_its_own_names(void **state)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM prf[] = {
		text(OSSL_KDF_PARAM_DIGEST, "SHA2-256"),
		bytes(OSSL_KDF_PARAM_KEY, noise(), 32),
		bytes(OSSL_KDF_PARAM_SEED, noise(), 32),
		OSSL_PARAM_construct_end(),
	};
	OSSL_PARAM hkdf[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		text(OSSL_KDF_PARAM_DIGEST, "SHA2-256"),
		bytes(OSSL_KDF_PARAM_SECRET, noise(), 32),
		bytes(OSSL_KDF_PARAM_LABEL, "key", 3),
		OSSL_PARAM_construct_end(),
	};
	OSSL_PARAM twice[] = {
		prf[0],
		text(OSSL_KDF_PARAM_DIGEST, "SHA2-384"),
		bytes(OSSL_KDF_PARAM_SECRET, noise(), 32),
		bytes(OSSL_KDF_PARAM_SECRET, noise() + 100, 32),
		prf[2],
		OSSL_PARAM_construct_end(),
	};

	(void)state;
	assert_false(same("TLS1-PRF", prf, 32));
	(void)same("TLS13-KDF", hkdf, 32); /* the library computes with no key at all */
	assert_true(same("TLS1-PRF", twice, 32));
}

/* ---- why it is there ---- */

static void
ours_is_what_handshakes_get(void **state)
{
	struct hkdf h = { EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", 32, NONE, 2, 32 };
	OSSL_PARAM params[8];

	(void)state;
	hkdf_params(params, &h);
	assert_int_equal(cost("TLS13-KDF", params, 32), 1); /* the state of the hash */
	prf_params(params, "SHA2-384", 48, (size_t[PRF_SEEDS]){ 13, 32, 32 });
	assert_int_equal(cost("TLS1-PRF", params, 104), 1);
}

static void
without_memory_there_is_no_key(void **state)
{
	struct hkdf h = { EVP_KDF_HKDF_MODE_EXTRACT_ONLY, "SHA2-256", 32, 32, 2, NONE };
	OSSL_PARAM params[8];
	uint8_t out[32];
	int good = 0;

	(void)state;
	hkdf_params(params, &h);
	for (long left = 0; !good; left++) {
		EVP_KDF_CTX *k = begin(narrow_context(), "TLS13-KDF");

		assert_true(left < 10);
		memory.left = left;
		good = derive(k, params, out, sizeof(out));
		memory.left = -1;
		for (size_t i = 0; !good && i < sizeof(out); i++)
			assert_int_equal(out[i], LEFT);
		EVP_KDF_CTX_free(k);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_prf_of_tls_1_2_has_its_known_answer),
		cmocka_unit_test(the_prf_of_tls_1_2_is_the_librarys),
		cmocka_unit_test(a_label_is_expanded_as_the_library_does),
		cmocka_unit_test(a_secret_is_extracted_as_the_library_does),
		cmocka_unit_test(odd_requests_end_as_with_the_library),
		cmocka_unit_test(the_schedule_of_tls_1_3_has_its_known_answers),
		cmocka_unit_test(tls_1_0_is_left_to_the_library),
		cmocka_unit_test(parameters_may_come_before),
		cmocka_unit_test(nothing_missing_is_made_up),
		cmocka_unit_test(each_has_its_own_names),
		cmocka_unit_test(ours_is_what_handshakes_get),
		cmocka_unit_test(without_memory_there_is_no_key),
	};
	int unusable = need_watched_narrow_context();

	return unusable != 0 ? unusable : cmocka_run_group_tests(tests, NULL, NULL);
}
