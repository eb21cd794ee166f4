/* SPDX-License-Identifier: Apache-2.0 */
/* tls/narrow.c -- a provider that is a narrower view of OpenSSL's default provider. */
#include "tls/narrow.h"

#include "base/check.h"
#include "tls/algorithm.h"
#include "tls/derive.h"
#include "tls/gcm.h"
#include "tls/hmac.h"
#include "tls/legacy_names.h"
#include "tls/library.h"
#include "tls/mac.h"
#include "tls/x25519.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <string.h>

enum {
	ALGORITHMS_MAX = 64,		 /* of one operation */
	OPENSSL_WITH_CACHE = 0x30200000, /* the first release that remembers its list */
};

static OSSL_PROVIDER *whole; /* the default provider, of the default context */

/* ---- what is taken of it, and what of that is changed ---- */

/* The one of this list that it is, by its first name.  NULL: none. */
static const char *
find_in(const char *const *list, size_t n, const OSSL_ALGORITHM *a)
{
	for (size_t i = 0; i < n; i++)
		if (algorithm_is(a, list[i]))
			return list[i];
	return NULL;
}

/*
 * What handshakes ask for is taken, under the names that they use, and no more: each name is in the
 * way of others (tls/legacy_names.h).  What algorithms need of each other they ask the default
 * context for.
 */
static bool
take_under(OSSL_ALGORITHM *a, const char *names)
{
	if (names != NULL)
		a->algorithm_names = names;
	return names != NULL;
}

/* With functions of ours, if there are some. */
static void
put_ours(OSSL_ALGORITHM *a, const OSSL_DISPATCH *ours)
{
	if (ours != NULL)
		a->implementation = ours;
}

/* Those of TLS (ssl_cipher_table_cipher in ssl/ssl_ciph.c), and of its tickets. */
static bool
take_cipher(OSSL_ALGORITHM *cipher)
{
	static const char *const list[] = {
		"AES-128-CBC:AES128",
		"AES-128-CBC-HMAC-SHA1",
		"AES-128-CBC-HMAC-SHA256",
		"AES-128-CCM:id-aes128-CCM",
		"AES-128-GCM:id-aes128-GCM",
		"AES-256-CBC:AES256",
		"AES-256-CBC-HMAC-SHA1",
		"AES-256-CBC-HMAC-SHA256",
		"AES-256-CCM:id-aes256-CCM",
		"AES-256-GCM:id-aes256-GCM",
		"ARIA-128-GCM",
		"ARIA-256-GCM",
		"CAMELLIA-128-CBC:CAMELLIA128",
		"CAMELLIA-256-CBC:CAMELLIA256",
		"ChaCha20-Poly1305",
		"DES-EDE3-CBC:DES3",
		"NULL",
	};

	put_ours(cipher, gcm_functions(cipher));
	return take_under(cipher, find_in(list, COUNT_OF(list), cipher));
}

/* Those of TLS (ssl_cipher_table_mac, the same place), and of signatures on certificates. */
static bool
take_digest(OSSL_ALGORITHM *digest)
{
	static const char *const list[] = {
		"MD5",
		"MD5-SHA1",
		"RIPEMD-160:RIPEMD160:RIPEMD:RMD160",
		"SHA1:SHA-1",
		"SHA2-224:SHA-224:SHA224",
		"SHA2-256:SHA-256:SHA256",
		"SHA2-384:SHA-384:SHA384",
		"SHA2-512:SHA-512:SHA512",
		"SHA2-512/224:SHA-512/224:SHA512-224",
		"SHA2-512/256:SHA-512/256:SHA512-256",
		"SHA3-224",
		"SHA3-256",
		"SHA3-384",
		"SHA3-512",
		"SM3",
	};

	return take_under(digest, find_in(list, COUNT_OF(list), digest));
}

/* All but those of public keys that never are in a certificate for TLS. */
static bool
take_decoder(OSSL_ALGORITHM *decoder)
{
	static const char *const strangers[] = { "DH", "DHX", "X25519", "X448", "SM2" };

	return strstr(decoder->property_definition, "structure=SubjectPublicKeyInfo") != NULL &&
	       find_in(strangers, COUNT_OF(strangers), decoder) == NULL;
}

static bool
take_kdf(OSSL_ALGORITHM *kdf)
{
	put_ours(kdf, derive_functions(kdf));
	return algorithm_is(kdf, "TLS1-PRF") || algorithm_is(kdf, "TLS13-KDF");
}

static bool
take_key(OSSL_ALGORITHM *key)
{
	put_ours(key, x25519_functions(key));
	return true;
}

static bool
take_mac(OSSL_ALGORITHM *mac)
{
	put_ours(mac, mac_functions(mac));
	return algorithm_is(mac, "HMAC");
}

static struct view {
	int operation;
	bool (*take)(OSSL_ALGORITHM *);
	OSSL_ALGORITHM taken[ALGORITHMS_MAX];
} views[] = {
	{ OSSL_OP_CIPHER, take_cipher, { { 0 } } },
	{ OSSL_OP_DECODER, take_decoder, { { 0 } } },
	{ OSSL_OP_DIGEST, take_digest, { { 0 } } },
	{ OSSL_OP_KDF, take_kdf, { { 0 } } },
	{ OSSL_OP_KEYMGMT, take_key, { { 0 } } },
	{ OSSL_OP_MAC, take_mac, { { 0 } } },
};

static bool
fill_view(struct view *v)
{
	int no_cache = 0;
	const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(whole, v->operation, &no_cache);
	size_t n = 0;

	for (; all != NULL && all->algorithm_names != NULL; all++) {
		OSSL_ALGORITHM a = *all;

		if (!v->take(&a))
			continue;
		if (n == ALGORITHMS_MAX - 1) /* the last one ends the list */
			return false;
		v->taken[n++] = a;
	}
	v->taken[n] = (OSSL_ALGORITHM){ 0 };
	return n > 0;
}

static bool
fill_views(void)
{
	for (size_t i = 0; i < COUNT_OF(views); i++)
		if (!fill_view(&views[i]))
			return false;
	return true;
}

/* ---- the provider: see provider(7), provider-base(7) ---- */

static const OSSL_ALGORITHM *
query_operation(void *context, int operation, int *no_cache)
{
	(void)context;
	*no_cache = 0;
	for (size_t i = 0; i < COUNT_OF(views); i++)
		if (views[i].operation == operation)
			return views[i].taken;
	return OSSL_PROVIDER_query_operation(whole, operation, no_cache);
}

/* The groups that TLS may use are among them. */
static int
get_capabilities(void *context, const char *capability, OSSL_CALLBACK *callback, void *arg)
{
	(void)context;
	return OSSL_PROVIDER_get_capabilities(whole, capability, callback, arg);
}

static OSSL_provider_init_fn init;

static int
init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
    void **context)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_operation },
		{ OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))get_capabilities },
		{ 0, NULL },
	};

	(void)handle;
	(void)in;
	*out = functions;
	/* The algorithms are the default provider's, and expect to find themselves with it. */
	*context = OSSL_PROVIDER_get0_provider_ctx(whole);
	return 1;
}

/* ---- the context ---- */

static OSSL_LIB_CTX *
make_context(void)
{
	OSSL_LIB_CTX *context = NULL;

	/* 1: what else would be there without a word of ours stays. */
	whole = OSSL_PROVIDER_try_load(NULL, "default", 1);
	if (whole != NULL && hash_setup(whole) && derive_setup(whole) && mac_setup(whole) &&
	    gcm_setup(whole) && x25519_setup(whole) && fill_views() &&
	    (context = OSSL_LIB_CTX_new()) != NULL &&
	    OSSL_PROVIDER_add_builtin(context, "ginnel", init) &&
	    OSSL_PROVIDER_load(context, "ginnel") != NULL && legacy_names_spare(context))
		return context;
	OSSL_LIB_CTX_free(context);
	ERR_clear_error();
	return NULL;
}

OSSL_LIB_CTX *
narrow_context(void)
{
	static OSSL_LIB_CTX *context;
	static bool decided;
	bool enough = OpenSSL_version_num() < OPENSSL_WITH_CACHE && library_is_default();

	/* Once: see legacy_names_spare(). */
	if (!decided && enough)
		context = make_context();
	decided = true;
	return enough ? context : NULL;
}
