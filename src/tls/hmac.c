/* SPDX-License-Identifier: Apache-2.0 */
/* tls/hmac.c -- HMAC (RFC 2104) over the library's hashes. */
#include "tls/hmac.h"

#include "base/check.h"
#include "tls/algorithm.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <string.h>

enum { INNER_PAD = 0x36, OUTER_PAD = 0x5c };

/* See provider-digest(7). */
struct hash {
	const char *name;
	size_t size, block; /* FIPS 180-4, figure 1 */
	OSSL_FUNC_digest_newctx_fn *newctx;
	OSSL_FUNC_digest_dupctx_fn *dupctx;
	OSSL_FUNC_digest_freectx_fn *freectx;
	OSSL_FUNC_digest_init_fn *init;
	OSSL_FUNC_digest_update_fn *update;
	OSSL_FUNC_digest_final_fn *final;
};

static struct {
	void *provider;
	struct hash hashes[2];
} library = { .hashes = { { .name = "SHA2-256", .size = 32, .block = 64 },
		  { .name = "SHA2-384", .size = 48, .block = 128 } } };

/* ---- the library's hashes ---- */

static bool
take_functions(struct hash *h, const OSSL_ALGORITHM *a)
{
	h->newctx = (OSSL_FUNC_digest_newctx_fn *)algorithm_function(a, OSSL_FUNC_DIGEST_NEWCTX);
	h->dupctx = (OSSL_FUNC_digest_dupctx_fn *)algorithm_function(a, OSSL_FUNC_DIGEST_DUPCTX);
	h->freectx = (OSSL_FUNC_digest_freectx_fn *)algorithm_function(a, OSSL_FUNC_DIGEST_FREECTX);
	h->init = (OSSL_FUNC_digest_init_fn *)algorithm_function(a, OSSL_FUNC_DIGEST_INIT);
	h->update = (OSSL_FUNC_digest_update_fn *)algorithm_function(a, OSSL_FUNC_DIGEST_UPDATE);
	h->final = (OSSL_FUNC_digest_final_fn *)algorithm_function(a, OSSL_FUNC_DIGEST_FINAL);
	return h->newctx != NULL && h->dupctx != NULL && h->freectx != NULL && h->init != NULL &&
	       h->update != NULL && h->final != NULL;
}

bool
hash_setup(OSSL_PROVIDER *provider)
{
	int no_cache;
	const OSSL_ALGORITHM *a,
	    *all = OSSL_PROVIDER_query_operation(provider, OSSL_OP_DIGEST, &no_cache);

	library.provider = OSSL_PROVIDER_get0_provider_ctx(provider);
	for (size_t i = 0; i < COUNT_OF(library.hashes); i++) {
		a = algorithm_find(all, library.hashes[i].name);
		if (a == NULL || !take_functions(&library.hashes[i], a))
			return false;
	}
	return true;
}

const struct hash *
hash_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(library.hashes); i++)
		if (strcmp(library.hashes[i].name, name) == 0)
			return &library.hashes[i];
	return NULL;
}

const char *
hash_name(const struct hash *h)
{
	return h->name;
}

size_t
hash_size(const struct hash *h)
{
	return h->size;
}

size_t
hash_block_size(const struct hash *h)
{
	return h->block;
}

/* ---- a hash, and a code ---- */

static bool
begin(const struct hash *h, void *state, struct piece first)
{
	return h->init(state, NULL) == 1 && h->update(state, first.bytes, first.length) == 1;
}

static bool
end(const struct hash *h, void *state, uint8_t *out)
{
	size_t n;

	return h->final(state, out, &n, h->size) == 1;
}

bool
hash_compute(const struct hash *h, struct piece message, uint8_t *out)
{
	void *state = h->newctx(library.provider);
	bool good = state != NULL && begin(h, state, message) && end(h, state, out);

	h->freectx(state);
	return good;
}

/* A key longer than a block is replaced by its hash (RFC 2104 2). */
static bool
set_key(struct hmac *m, struct piece key)
{
	if (key.length <= m->hash->block) {
		if (key.length > 0)
			memcpy(m->inner, key.bytes, key.length);
		return true;
	}
	return begin(m->hash, m->state, key) && end(m->hash, m->state, m->inner);
}

bool
hmac_open(struct hmac *m, const struct hash *h, struct piece key)
{
	*m = (struct hmac){ .hash = h, .state = h->newctx(library.provider) };
	if (m->state == NULL || !set_key(m, key))
		return false;
	/* Beyond the hash's own block they are never read, and a constant count is done at once. */
	for (size_t i = 0; i < sizeof(m->inner); i++) {
		m->outer[i] = m->inner[i] ^ OUTER_PAD;
		m->inner[i] ^= INNER_PAD;
	}
	return true;
}

bool
hmac_begin(struct hmac *m)
{
	return begin(m->hash, m->state, (struct piece){ m->inner, m->hash->block });
}

bool
hmac_add(struct hmac *m, struct piece p)
{
	return m->hash->update(m->state, p.bytes, p.length) == 1;
}

bool
hmac_end(struct hmac *m, uint8_t *out)
{
	const struct hash *h = m->hash;

	return end(h, m->state, out) && begin(h, m->state, (struct piece){ m->outer, h->block }) &&
	       h->update(m->state, out, h->size) == 1 && end(h, m->state, out);
}

bool
hmac_compute(struct hmac *m, const struct piece *pieces, size_t count, uint8_t *out)
{
	if (!hmac_begin(m))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!hmac_add(m, pieces[i]))
			return false;
	return hmac_end(m, out);
}

bool
hmac_copy(struct hmac *to, const struct hmac *from)
{
	*to = *from;
	to->state = from->hash->dupctx(from->state);
	return to->state != NULL;
}

void
hmac_padded_key(const struct hmac *m, uint8_t out[HMAC_BLOCK_MAX])
{
	for (size_t i = 0; i < m->hash->block; i++)
		out[i] = m->inner[i] ^ INNER_PAD;
}

void
hmac_close(struct hmac *m)
{
	m->hash->freectx(m->state);
	OPENSSL_cleanse(m->inner, sizeof(m->inner));
	OPENSSL_cleanse(m->outer, sizeof(m->outer));
}
