/* SPDX-License-Identifier: Apache-2.0 */
/* tls/mac.c -- HMAC as an algorithm of a provider. */
#include "tls/mac.h"

#include "base/check.h"
#include "tls/algorithm.h"
#include "tls/hmac.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <string.h>

static const char name[] = "HMAC";

/* The library's own; see provider-mac(7). */
static struct {
	void *provider;
	OSSL_FUNC_mac_newctx_fn *newctx;
	OSSL_FUNC_mac_dupctx_fn *dupctx;
	OSSL_FUNC_mac_freectx_fn *freectx;
	OSSL_FUNC_mac_init_fn *init;
	OSSL_FUNC_mac_update_fn *update;
	OSSL_FUNC_mac_final_fn *final;
	OSSL_FUNC_mac_get_ctx_params_fn *get_ctx_params;
	OSSL_FUNC_mac_set_ctx_params_fn *set_ctx_params;
} library;

struct code {
	const struct hash *hash; /* NULL: not said yet */
	struct hmac hmac;	 /* if `keyed` */
	bool keyed, begun;	 /* a key is set; part of a message was added */
	void *left;		 /* the library's context, once it has taken over; else NULL */
};

/* ---- ours ---- */

static void
forget_key(struct code *c)
{
	if (c->keyed)
		hmac_close(&c->hmac);
	c->keyed = c->begun = false;
}

static bool
set_key(struct code *c, struct piece key)
{
	forget_key(c);
	if (hmac_open(&c->hmac, c->hash, key))
		return c->keyed = true;
	hmac_close(&c->hmac);
	return false;
}

static bool
read_one(const OSSL_PARAM *p, const struct hash **hash, struct piece *key)
{
	if (p->data == NULL)
		return false;
	if (strcmp(p->key, OSSL_MAC_PARAM_DIGEST) == 0)
		return p->data_type == OSSL_PARAM_UTF8_STRING &&
		       (*hash = hash_find(p->data)) != NULL;
	*key = (struct piece){ p->data, p->data_size };
	return strcmp(p->key, OSSL_MAC_PARAM_KEY) == 0 && p->data_type == OSSL_PARAM_OCTET_STRING;
}

/* Is all of it what we know? */
static bool
read_all(const OSSL_PARAM *p, const struct hash **hash, struct piece *key)
{
	for (; p != NULL && p->key != NULL; p++)
		if (!read_one(p, hash, key))
			return false;
	return *hash != NULL || key->bytes == NULL;
}

/* ---- the library's ---- */

static bool
hand_over(const struct code *c, void *to)
{
	uint8_t key[HMAC_BLOCK_MAX];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)hash_name(c->hash), 0),
		OSSL_PARAM_construct_end(),
	};
	bool good = library.set_ctx_params(to, params) == 1;

	if (good && c->keyed) {
		hmac_padded_key(&c->hmac, key);
		good = library.init(to, key, hash_block_size(c->hash), NULL) == 1;
		OPENSSL_cleanse(key, sizeof(key));
	}
	return good;
}

/* Not in the middle of a message: false. */
static bool
leave_to_library(struct code *c)
{
	void *to;

	if (c->left != NULL)
		return true;
	if (c->begun || (to = library.newctx(library.provider)) == NULL)
		return false;
	if (c->hash != NULL && !hand_over(c, to)) {
		library.freectx(to);
		return false;
	}
	forget_key(c);
	c->left = to;
	return true;
}

/* ---- the algorithm ---- */

static void *
new_code(void *context)
{
	(void)context;
	return OPENSSL_zalloc(sizeof(struct code));
}

static void
release(void *self)
{
	struct code *c = self;

	if (c == NULL)
		return;
	forget_key(c);
	if (c->left != NULL)
		library.freectx(c->left);
	OPENSSL_free(c);
}

static void *
duplicate(void *self)
{
	const struct code *from = self;
	struct code *c = new_code(NULL);

	if (c == NULL)
		return NULL;
	c->hash = from->hash;
	if (from->left != NULL && (c->left = library.dupctx(from->left)) == NULL)
		goto fail;
	c->keyed = from->keyed;
	c->begun = from->begun;
	if (from->keyed && !hmac_copy(&c->hmac, &from->hmac))
		goto fail;
	return c;
fail:
	release(c);
	return NULL;
}

static int
set_ctx_params(void *self, const OSSL_PARAM params[])
{
	struct code *c = self;
	const struct hash *hash = c->hash;
	struct piece key = { NULL, 0 };

	if (c->left != NULL || !read_all(params, &hash, &key) || (c->keyed && hash != c->hash))
		return leave_to_library(c) && library.set_ctx_params(c->left, params);
	c->hash = hash;
	return key.bytes == NULL || set_key(c, key);
}

static int
get_ctx_params(void *self, OSSL_PARAM params[])
{
	struct code *c = self;
	OSSL_PARAM *p;

	if (!c->keyed)
		return leave_to_library(c) && library.get_ctx_params(c->left, params);
	return ((p = OSSL_PARAM_locate(params, OSSL_MAC_PARAM_SIZE)) == NULL ||
		   OSSL_PARAM_set_size_t(p, hash_size(c->hash))) &&
	       ((p = OSSL_PARAM_locate(params, OSSL_MAC_PARAM_BLOCK_SIZE)) == NULL ||
		   OSSL_PARAM_set_size_t(p, hash_block_size(c->hash)));
}

/* Without a key: with the one before, from the beginning. */
static int
init(void *self, const unsigned char *key, size_t key_size, const OSSL_PARAM params[])
{
	struct code *c = self;

	c->begun = false;
	if (!set_ctx_params(c, params))
		return 0;
	if (c->left != NULL || c->hash == NULL)
		return leave_to_library(c) && library.init(c->left, key, key_size, NULL);
	return key == NULL ? c->keyed : set_key(c, (struct piece){ key, key_size });
}

static int
update(void *self, const unsigned char *data, size_t n)
{
	struct code *c = self;

	if (c->left != NULL)
		return library.update(c->left, data, n);
	if (!c->keyed || (!c->begun && !hmac_begin(&c->hmac)))
		return 0;
	c->begun = true;
	return hmac_add(&c->hmac, (struct piece){ data, n });
}

static int
final(void *self, unsigned char *out, size_t *out_size, size_t room)
{
	struct code *c = self;

	if (c->left != NULL)
		return library.final(c->left, out, out_size, room);
	if (!update(c, NULL, 0) || room < hash_size(c->hash) || !hmac_end(&c->hmac, out))
		return 0;
	c->begun = false;
	*out_size = hash_size(c->hash);
	return 1;
}

enum { FUNCTIONS = 10 };

/* What can be got and set is for the library to say. */
static OSSL_DISPATCH functions[FUNCTIONS + 1] = {
	{ OSSL_FUNC_MAC_NEWCTX, (void (*)(void))new_code },
	{ OSSL_FUNC_MAC_DUPCTX, (void (*)(void))duplicate },
	{ OSSL_FUNC_MAC_FREECTX, (void (*)(void))release },
	{ OSSL_FUNC_MAC_INIT, (void (*)(void))init },
	{ OSSL_FUNC_MAC_UPDATE, (void (*)(void))update },
	{ OSSL_FUNC_MAC_FINAL, (void (*)(void)) final },
	{ OSSL_FUNC_MAC_GET_CTX_PARAMS, (void (*)(void))get_ctx_params },
	{ OSSL_FUNC_MAC_SET_CTX_PARAMS, (void (*)(void))set_ctx_params },
	{ OSSL_FUNC_MAC_GETTABLE_CTX_PARAMS, NULL },
	{ OSSL_FUNC_MAC_SETTABLE_CTX_PARAMS, NULL },
	{ 0, NULL },
};

bool
mac_setup(OSSL_PROVIDER *from)
{
	int no_cache;
	const OSSL_ALGORITHM *a =
	    algorithm_find(OSSL_PROVIDER_query_operation(from, OSSL_OP_MAC, &no_cache), name);

	if (a == NULL)
		return false;
	library.provider = OSSL_PROVIDER_get0_provider_ctx(from);
	library.newctx = (OSSL_FUNC_mac_newctx_fn *)algorithm_function(a, OSSL_FUNC_MAC_NEWCTX);
	library.dupctx = (OSSL_FUNC_mac_dupctx_fn *)algorithm_function(a, OSSL_FUNC_MAC_DUPCTX);
	library.freectx = (OSSL_FUNC_mac_freectx_fn *)algorithm_function(a, OSSL_FUNC_MAC_FREECTX);
	library.init = (OSSL_FUNC_mac_init_fn *)algorithm_function(a, OSSL_FUNC_MAC_INIT);
	library.update = (OSSL_FUNC_mac_update_fn *)algorithm_function(a, OSSL_FUNC_MAC_UPDATE);
	library.final = (OSSL_FUNC_mac_final_fn *)algorithm_function(a, OSSL_FUNC_MAC_FINAL);
	library.get_ctx_params =
	    (OSSL_FUNC_mac_get_ctx_params_fn *)algorithm_function(a, OSSL_FUNC_MAC_GET_CTX_PARAMS);
	library.set_ctx_params =
	    (OSSL_FUNC_mac_set_ctx_params_fn *)algorithm_function(a, OSSL_FUNC_MAC_SET_CTX_PARAMS);
	for (size_t i = 0; i < FUNCTIONS; i++) {
		void (*theirs)(void) = algorithm_function(a, functions[i].function_id);

		if (theirs == NULL)
			return false;
		if (functions[i].function == NULL)
			functions[i].function = theirs;
	}
	return true;
}

const OSSL_DISPATCH *
mac_functions(const OSSL_ALGORITHM *a)
{
	return algorithm_is(a, name) ? functions : NULL;
}
