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

/* See provider-digest(7). */
struct hash {
	const char *name;
	size_t size, block; /* FIPS 180-4, figure 1 */
	OSSL_FUNC_digest_newctx_fn *newctx;
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
take_functions(struct hash *h, const OSSL_DISPATCH *f)
{
	for (; f->function_id != 0; f++)
		switch (f->function_id) {
		case OSSL_FUNC_DIGEST_NEWCTX:
			h->newctx = OSSL_FUNC_digest_newctx(f);
			break;
		case OSSL_FUNC_DIGEST_FREECTX:
			h->freectx = OSSL_FUNC_digest_freectx(f);
			break;
		case OSSL_FUNC_DIGEST_INIT:
			h->init = OSSL_FUNC_digest_init(f);
			break;
		case OSSL_FUNC_DIGEST_UPDATE:
			h->update = OSSL_FUNC_digest_update(f);
			break;
		case OSSL_FUNC_DIGEST_FINAL:
			h->final = OSSL_FUNC_digest_final(f);
			break;
		}
	return h->newctx != NULL && h->freectx != NULL && h->init != NULL && h->update != NULL &&
	       h->final != NULL;
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
		if (a == NULL || !take_functions(&library.hashes[i], a->implementation))
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

size_t
hash_size(const struct hash *h)
{
	return h->size;
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
	for (size_t i = 0; i < h->block; i++) {
		m->outer[i] = m->inner[i] ^ 0x5c;
		m->inner[i] ^= 0x36;
	}
	return true;
}

bool
hmac_compute(struct hmac *m, const struct piece *pieces, size_t count, uint8_t *out)
{
	const struct hash *h = m->hash;

	if (!begin(h, m->state, (struct piece){ m->inner, h->block }))
		return false;
	for (size_t i = 0; i < count; i++)
		if (h->update(m->state, pieces[i].bytes, pieces[i].length) != 1)
			return false;
	return end(h, m->state, out) && begin(h, m->state, (struct piece){ m->outer, h->block }) &&
	       h->update(m->state, out, h->size) == 1 && end(h, m->state, out);
}

void
hmac_close(struct hmac *m)
{
	m->hash->freectx(m->state);
	OPENSSL_cleanse(m->inner, sizeof(m->inner));
	OPENSSL_cleanse(m->outer, sizeof(m->outer));
}
