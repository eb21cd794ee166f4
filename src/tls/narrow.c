/* SPDX-License-Identifier: Apache-2.0 */
/* tls/narrow.c -- a provider that is a narrower view of OpenSSL's default provider. */
#include "tls/narrow.h"

#include "base/check.h"
#include "tls/algorithm.h"
#include "tls/derive.h"
#include "tls/hmac.h"
#include "tls/library.h"
#include "tls/mac.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <string.h>

enum {
	ALGORITHMS_MAX = 64,		 /* of one operation */
	OPENSSL_WITH_CACHE = 0x30200000, /* the first release that remembers its list */
};

static struct {
	OSSL_PROVIDER *whole; /* the default provider, of the default context */
	OSSL_ALGORITHM decoders[ALGORITHMS_MAX];
	OSSL_ALGORITHM kdfs[ALGORITHMS_MAX];
	OSSL_ALGORITHM macs[ALGORITHMS_MAX];
	OSSL_LIB_CTX *context;
} narrow;

/* ---- the provider: see provider(7), provider-base(7) ---- */

/* Which public keys never are in a certificate for TLS. */
static bool
is_no_signer(const OSSL_ALGORITHM *a)
{
	static const char *const strangers[] = { "DH", "DHX", "X25519", "X448", "SM2" };

	for (size_t i = 0; i < COUNT_OF(strangers); i++)
		if (algorithm_is(a, strangers[i]))
			return true;
	return false;
}

static bool
take_decoder(OSSL_ALGORITHM *decoder)
{
	return strstr(decoder->property_definition, "structure=SubjectPublicKeyInfo") != NULL &&
	       !is_no_signer(decoder);
}

/* All are taken, some with functions of ours instead. */
static bool
take_with(OSSL_ALGORITHM *a, const OSSL_DISPATCH *ours)
{
	if (ours != NULL)
		a->implementation = ours;
	return true;
}

static bool
take_kdf(OSSL_ALGORITHM *kdf)
{
	return take_with(kdf, derive_functions(kdf));
}

static bool
take_mac(OSSL_ALGORITHM *mac)
{
	return take_with(mac, mac_functions(mac));
}

/* Those that are taken, some of them changed. */
static bool
choose(int operation, bool (*take)(OSSL_ALGORITHM *), OSSL_ALGORITHM out[ALGORITHMS_MAX])
{
	int no_cache = 0;
	const OSSL_ALGORITHM *all =
	    OSSL_PROVIDER_query_operation(narrow.whole, operation, &no_cache);
	size_t n = 0;

	for (; all != NULL && all->algorithm_names != NULL; all++) {
		if (n == ALGORITHMS_MAX - 1) /* the last one ends the list */
			return false;
		out[n] = *all;
		if (take(&out[n]))
			n++;
	}
	out[n] = (OSSL_ALGORITHM){ 0 };
	return n > 0;
}

static const OSSL_ALGORITHM *
query_operation(void *context, int operation, int *no_cache)
{
	(void)context;
	*no_cache = 0;
	if (operation == OSSL_OP_DECODER)
		return narrow.decoders;
	if (operation == OSSL_OP_KDF)
		return narrow.kdfs;
	if (operation == OSSL_OP_MAC)
		return narrow.macs;
	return OSSL_PROVIDER_query_operation(narrow.whole, operation, no_cache);
}

/* The groups that TLS may use are among them. */
static int
get_capabilities(void *context, const char *capability, OSSL_CALLBACK *callback, void *arg)
{
	(void)context;
	return OSSL_PROVIDER_get_capabilities(narrow.whole, capability, callback, arg);
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
	*context = OSSL_PROVIDER_get0_provider_ctx(narrow.whole);
	return 1;
}

/* ---- the context ---- */

static int
is_default(OSSL_PROVIDER *provider, void *only)
{
	if (strcmp(OSSL_PROVIDER_get0_name(provider), "default") != 0)
		*(bool *)only = false;
	return 1;
}

/* Is there nothing in the default context but the default provider? */
static bool
is_enough(void)
{
	bool only = true;

	return library_is_plain() && !library_is_fips() &&
	       OSSL_PROVIDER_do_all(NULL, is_default, &only) && only;
}

static OSSL_LIB_CTX *
make_context(void)
{
	OSSL_LIB_CTX *context = NULL;

	/* 1: what else would be there without a word of ours stays. */
	if (narrow.whole == NULL)
		narrow.whole = OSSL_PROVIDER_try_load(NULL, "default", 1);
	if (narrow.whole != NULL && hash_setup(narrow.whole) && derive_setup(narrow.whole) &&
	    mac_setup(narrow.whole) && choose(OSSL_OP_DECODER, take_decoder, narrow.decoders) &&
	    choose(OSSL_OP_KDF, take_kdf, narrow.kdfs) &&
	    choose(OSSL_OP_MAC, take_mac, narrow.macs) && (context = OSSL_LIB_CTX_new()) != NULL &&
	    OSSL_PROVIDER_add_builtin(context, "ginnel", init) &&
	    OSSL_PROVIDER_load(context, "ginnel") != NULL)
		return context;
	OSSL_LIB_CTX_free(context);
	ERR_clear_error();
	return NULL;
}

OSSL_LIB_CTX *
narrow_context(void)
{
	if (OpenSSL_version_num() >= OPENSSL_WITH_CACHE || !is_enough())
		return NULL;
	if (narrow.context == NULL)
		narrow.context = make_context();
	return narrow.context;
}
