/* SPDX-License-Identifier: Apache-2.0 */
/* tls/gcm.c -- AES-GCM that knows how long a nonce of TLS is. */
#include "tls/gcm.h"

#include "base/check.h"
#include "tls/algorithm.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <string.h>

enum { NONCE_SIZE = 12 };

/* The library's own, the same for all keys; see provider-cipher(7). */
static struct {
	OSSL_FUNC_cipher_get_ctx_params_fn *get_params;
	OSSL_FUNC_cipher_set_ctx_params_fn *set_params;
} library;

static bool
is_nonce_size(const OSSL_PARAM *p)
{
	return strcmp(p->key, OSSL_CIPHER_PARAM_IVLEN) == 0;
}

static int
get_params(void *context, OSSL_PARAM params[])
{
	if (params != NULL && params[0].key != NULL && is_nonce_size(&params[0]) &&
	    params[1].key == NULL)
		return OSSL_PARAM_set_size_t(&params[0], NONCE_SIZE);
	return library.get_params(context, params);
}

static int
set_params(void *context, const OSSL_PARAM params[])
{
	size_t n;

	for (const OSSL_PARAM *p = params; p != NULL && p->key != NULL; p++)
		if (is_nonce_size(p) && !(OSSL_PARAM_get_size_t(p, &n) && n == NONCE_SIZE))
			return 0;
	return library.set_params(context, params);
}

static const OSSL_DISPATCH ours[] = {
	{ OSSL_FUNC_CIPHER_GET_CTX_PARAMS, (void (*)(void))get_params },
	{ OSSL_FUNC_CIPHER_SET_CTX_PARAMS, (void (*)(void))set_params },
	{ 0, NULL },
};

static struct {
	const char *name;
	OSSL_DISPATCH functions[ALGORITHM_FUNCTIONS]; /* the library's, with ours in their places */
} ciphers[] = {
	{ "AES-128-GCM", { { 0 } } },
	{ "AES-256-GCM", { { 0 } } },
};

static bool
take_functions(const OSSL_ALGORITHM *a, OSSL_DISPATCH functions[ALGORITHM_FUNCTIONS])
{
	OSSL_FUNC_cipher_get_ctx_params_fn *get;
	OSSL_FUNC_cipher_set_ctx_params_fn *set;

	if (a == NULL || !algorithm_merge(a, ours, functions))
		return false;
	get = (OSSL_FUNC_cipher_get_ctx_params_fn *)algorithm_function(
	    a, OSSL_FUNC_CIPHER_GET_CTX_PARAMS);
	set = (OSSL_FUNC_cipher_set_ctx_params_fn *)algorithm_function(
	    a, OSSL_FUNC_CIPHER_SET_CTX_PARAMS);
	if (library.get_params == NULL) {
		library.get_params = get;
		library.set_params = set;
	}
	return get != NULL && set != NULL && get == library.get_params && set == library.set_params;
}

bool
gcm_setup(OSSL_PROVIDER *from)
{
	int no_cache;
	const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(from, OSSL_OP_CIPHER, &no_cache);

	for (size_t i = 0; i < COUNT_OF(ciphers); i++)
		if (!take_functions(algorithm_find(all, ciphers[i].name), ciphers[i].functions))
			return false;
	return true;
}

const OSSL_DISPATCH *
gcm_functions(const OSSL_ALGORITHM *a)
{
	for (size_t i = 0; i < COUNT_OF(ciphers); i++)
		if (algorithm_is(a, ciphers[i].name))
			return ciphers[i].functions;
	return NULL;
}
