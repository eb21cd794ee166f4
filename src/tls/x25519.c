/* SPDX-License-Identifier: Apache-2.0 */
/* tls/x25519.c -- key pairs of X25519, with the multiplication that an exchange uses. */
#include "tls/x25519.h"

#include "tls/algorithm.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <stdint.h>

static const char name[] = "X25519";

enum { KEY_SIZE = 32 };

/* The library's own; see provider-keymgmt(7) and provider-keyexch(7). */
static struct {
	void *provider;
	OSSL_FUNC_keymgmt_new_fn *new_key;
	OSSL_FUNC_keymgmt_free_fn *free_key;
	OSSL_FUNC_keymgmt_import_fn *import;
	OSSL_FUNC_keymgmt_gen_init_fn *gen_init;
	OSSL_FUNC_keymgmt_gen_set_params_fn *gen_set_params;
	OSSL_FUNC_keymgmt_gen_fn *gen;
	OSSL_FUNC_keymgmt_gen_cleanup_fn *gen_cleanup;
	OSSL_FUNC_keyexch_newctx_fn *new_exchange;
	OSSL_FUNC_keyexch_freectx_fn *free_exchange;
	OSSL_FUNC_keyexch_init_fn *init;
	OSSL_FUNC_keyexch_set_peer_fn *set_peer;
	OSSL_FUNC_keyexch_derive_fn *derive;
} library;

static void *base_point; /* as a public key of the library's; not changed once it stands */

/* A key that is to be made. */
struct making {
	void *its; /* the library's own, which takes the parameters */
	bool pair; /* and not parameters alone */
};

/* ---- one key ---- */

static bool
set_public(void *key, uint8_t public[KEY_SIZE])
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, KEY_SIZE),
		OSSL_PARAM_construct_end(),
	};

	return library.import(key, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, params) == 1;
}

/* The public key may be any: without one the library would compute it. */
static bool
set_pair(void *key, uint8_t private[KEY_SIZE], uint8_t public[KEY_SIZE])
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, private, KEY_SIZE),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, KEY_SIZE),
		OSSL_PARAM_construct_end(),
	};

	return library.import(key, OSSL_KEYMGMT_SELECT_KEYPAIR, params) == 1;
}

static bool
multiply_base_point(void *key, uint8_t product[KEY_SIZE])
{
	size_t n = 0;
	void *exchange = library.new_exchange(library.provider);
	bool good = exchange != NULL && library.init(exchange, key, NULL) == 1 &&
		    library.set_peer(exchange, base_point) == 1 &&
		    library.derive(exchange, product, &n, KEY_SIZE) == 1 && n == KEY_SIZE;

	if (exchange != NULL)
		library.free_exchange(exchange);
	return good;
}

static void *
make_pair(void)
{
	uint8_t private[KEY_SIZE], public[KEY_SIZE] = { 0 };
	void *key = NULL;

	if (RAND_priv_bytes(private, sizeof(private)) != 1)
		return NULL;
	/* RFC 7748 5, decodeScalar25519(). */
	private[0] &= 248;
	private[KEY_SIZE - 1] &= 127;
	private[KEY_SIZE - 1] |= 64;
	if ((key = library.new_key(library.provider)) != NULL &&
	    !(set_pair(key, private, public) && multiply_base_point(key, public) &&
		set_public(key, public))) {
		library.free_key(key);
		key = NULL;
	}
	OPENSSL_cleanse(private, sizeof(private));
	return key;
}

/* ---- the algorithm ---- */

static void
clean_up(void *self)
{
	struct making *m = self;

	if (m == NULL)
		return;
	if (m->its != NULL)
		library.gen_cleanup(m->its);
	OPENSSL_free(m);
}

static void *
gen_init(void *context, int selection, const OSSL_PARAM params[])
{
	struct making *m = OPENSSL_zalloc(sizeof(*m));

	if (m == NULL)
		return NULL;
	m->pair = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0;
	if ((m->its = library.gen_init(context, selection, params)) != NULL)
		return m;
	clean_up(m);
	return NULL;
}

static int
gen_set_params(void *self, const OSSL_PARAM params[])
{
	struct making *m = self;

	return library.gen_set_params(m->its, params);
}

static void *
gen(void *self, OSSL_CALLBACK *callback, void *arg)
{
	struct making *m = self;

	return m->pair ? make_pair() : library.gen(m->its, callback, arg);
}

static const OSSL_DISPATCH ours[] = {
	{ OSSL_FUNC_KEYMGMT_GEN_INIT, (void (*)(void))gen_init },
	{ OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, (void (*)(void))gen_set_params },
	{ OSSL_FUNC_KEYMGMT_GEN, (void (*)(void))gen },
	{ OSSL_FUNC_KEYMGMT_GEN_CLEANUP, (void (*)(void))clean_up },
	{ 0, NULL },
};

/* The library's, with ours in their places. */
static OSSL_DISPATCH functions[ALGORITHM_FUNCTIONS];

static bool
take_keymgmt(const OSSL_ALGORITHM *a)
{
	if (a == NULL || !algorithm_merge(a, ours, functions))
		return false;
	library.new_key = (OSSL_FUNC_keymgmt_new_fn *)algorithm_function(a, OSSL_FUNC_KEYMGMT_NEW);
	library.free_key =
	    (OSSL_FUNC_keymgmt_free_fn *)algorithm_function(a, OSSL_FUNC_KEYMGMT_FREE);
	library.import =
	    (OSSL_FUNC_keymgmt_import_fn *)algorithm_function(a, OSSL_FUNC_KEYMGMT_IMPORT);
	library.gen_init =
	    (OSSL_FUNC_keymgmt_gen_init_fn *)algorithm_function(a, OSSL_FUNC_KEYMGMT_GEN_INIT);
	library.gen_set_params = (OSSL_FUNC_keymgmt_gen_set_params_fn *)algorithm_function(
	    a, OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS);
	library.gen = (OSSL_FUNC_keymgmt_gen_fn *)algorithm_function(a, OSSL_FUNC_KEYMGMT_GEN);
	library.gen_cleanup = (OSSL_FUNC_keymgmt_gen_cleanup_fn *)algorithm_function(
	    a, OSSL_FUNC_KEYMGMT_GEN_CLEANUP);
	return library.new_key != NULL && library.free_key != NULL && library.import != NULL &&
	       library.gen_init != NULL && library.gen_set_params != NULL && library.gen != NULL &&
	       library.gen_cleanup != NULL;
}

static bool
take_exchange(const OSSL_ALGORITHM *a)
{
	if (a == NULL)
		return false;
	library.new_exchange =
	    (OSSL_FUNC_keyexch_newctx_fn *)algorithm_function(a, OSSL_FUNC_KEYEXCH_NEWCTX);
	library.free_exchange =
	    (OSSL_FUNC_keyexch_freectx_fn *)algorithm_function(a, OSSL_FUNC_KEYEXCH_FREECTX);
	library.init = (OSSL_FUNC_keyexch_init_fn *)algorithm_function(a, OSSL_FUNC_KEYEXCH_INIT);
	library.set_peer =
	    (OSSL_FUNC_keyexch_set_peer_fn *)algorithm_function(a, OSSL_FUNC_KEYEXCH_SET_PEER);
	library.derive =
	    (OSSL_FUNC_keyexch_derive_fn *)algorithm_function(a, OSSL_FUNC_KEYEXCH_DERIVE);
	return library.new_exchange != NULL && library.free_exchange != NULL &&
	       library.init != NULL && library.set_peer != NULL && library.derive != NULL;
}

static bool
make_base_point(void)
{
	uint8_t nine[KEY_SIZE] = { 9 };

	return (base_point = library.new_key(library.provider)) != NULL &&
	       set_public(base_point, nine);
}

bool
x25519_setup(OSSL_PROVIDER *from)
{
	int no_cache;

	library.provider = OSSL_PROVIDER_get0_provider_ctx(from);
	return take_keymgmt(algorithm_find(
		   OSSL_PROVIDER_query_operation(from, OSSL_OP_KEYMGMT, &no_cache), name)) &&
	       take_exchange(algorithm_find(
		   OSSL_PROVIDER_query_operation(from, OSSL_OP_KEYEXCH, &no_cache), name)) &&
	       make_base_point();
}

const OSSL_DISPATCH *
x25519_functions(const OSSL_ALGORITHM *a)
{
	return algorithm_is(a, name) ? functions : NULL;
}
