/* SPDX-License-Identifier: Apache-2.0 */
/* tls/derive.c -- the key derivations of TLS 1.2 and 1.3, as algorithms of a provider. */
#include "tls/derive.h"

#include "base/check.h"
#include "tls/algorithm.h"
#include "tls/hmac.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <string.h>

enum {
	SEEDS = 5, /* libssl gives at most so many */
	SEED_MAX = 1024,
	NO_MODE = -1,
};

/* What one derivation is asked for (EVP_KDF-TLS1_PRF(7), EVP_KDF-TLS13_KDF(7)). */
struct request {
	const struct hash *hash;
	int mode;
	struct piece secret, key, salt, prefix, label, data; /* without bytes: not given */
	struct piece seeds[SEEDS];
	size_t seed_count, seed_length;
};

/* ---- the parameters ---- */

static bool
is_same(const char *a, const char *b)
{
	return a[0] == b[0] && strcmp(a, b) == 0; /* most differ at once */
}

static struct piece *
find_part(struct request *r, const char *key)
{
	static const struct {
		const char *key;
		size_t part;
	} parts[] = {
		{ OSSL_KDF_PARAM_SECRET, offsetof(struct request, secret) },
		{ OSSL_KDF_PARAM_KEY, offsetof(struct request, key) },
		{ OSSL_KDF_PARAM_SALT, offsetof(struct request, salt) },
		{ OSSL_KDF_PARAM_PREFIX, offsetof(struct request, prefix) },
		{ OSSL_KDF_PARAM_LABEL, offsetof(struct request, label) },
		{ OSSL_KDF_PARAM_DATA, offsetof(struct request, data) },
	};

	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (is_same(parts[i].key, key))
			return (struct piece *)((char *)r + parts[i].part);
	return NULL;
}

/* The library joins them in a buffer of that size, and passes over empty ones. */
static bool
add_seed(struct request *r, const OSSL_PARAM *p)
{
	if (p->data == NULL || p->data_size == 0)
		return true;
	if (r->seed_count == SEEDS || p->data_size > SEED_MAX - r->seed_length)
		return false;
	r->seeds[r->seed_count++] = (struct piece){ p->data, p->data_size };
	r->seed_length += p->data_size;
	return true;
}

static bool
read_one(struct request *r, const OSSL_PARAM *p)
{
	struct piece *part;

	if (is_same(p->key, OSSL_KDF_PARAM_DIGEST))
		return r->hash == NULL && p->data_type == OSSL_PARAM_UTF8_STRING &&
		       (r->hash = hash_find(p->data)) != NULL;
	if (is_same(p->key, OSSL_KDF_PARAM_MODE))
		return r->mode == NO_MODE && OSSL_PARAM_get_int(p, &r->mode) == 1;
	if (p->data_type != OSSL_PARAM_OCTET_STRING)
		return false;
	if (is_same(p->key, OSSL_KDF_PARAM_SEED))
		return add_seed(r, p);
	if (p->data == NULL || (part = find_part(r, p->key)) == NULL || part->bytes != NULL)
		return false;
	*part = (struct piece){ p->data, p->data_size };
	return true;
}

/* Is all of it what we know, and said once? */
static bool
read_all(struct request *r, const OSSL_PARAM *p)
{
	*r = (struct request){ .mode = NO_MODE };
	for (; p != NULL && p->key != NULL; p++)
		if (!read_one(r, p))
			return false;
	return r->hash != NULL;
}

/* ---- TLS 1.2 (RFC 5246 5) ---- */

static bool
is_prf(const struct request *r, size_t n)
{
	return r->secret.bytes != NULL && r->seed_count > 0 && n > 0;
}

/* P_hash(): A(i) is pieces[0], and what follows it are the seeds. */
static bool
prf(const struct request *r, uint8_t *out, size_t n)
{
	size_t size = hash_size(r->hash), part;
	uint8_t a[HMAC_SIZE_MAX], code[HMAC_SIZE_MAX];
	struct piece pieces[1 + SEEDS] = { { a, size } };
	struct hmac m;
	bool good = hmac_open(&m, r->hash, r->secret);

	memcpy(&pieces[1], r->seeds, sizeof(r->seeds));
	good = good && hmac_compute(&m, &pieces[1], r->seed_count, a);
	for (; good && n > 0; out += part, n -= part) {
		part = n < size ? n : size;
		good = hmac_compute(&m, pieces, 1 + r->seed_count, code);
		if (good)
			memcpy(out, code, part);
		good = good && (n == part || hmac_compute(&m, pieces, 1, a));
	}
	hmac_close(&m);
	OPENSSL_cleanse(a, sizeof(a));
	OPENSSL_cleanse(code, sizeof(code));
	return good;
}

/* ---- TLS 1.3 (RFC 8446 7.1, RFC 5869) ---- */

static bool
is_hkdf(const struct request *r, size_t n)
{
	if (r->prefix.length + r->label.length > UINT8_MAX)
		return false;
	if (r->mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY)
		return r->key.bytes != NULL && r->data.length <= UINT8_MAX &&
		       n <= UINT8_MAX * hash_size(r->hash);
	return r->mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && n == hash_size(r->hash);
}

/* HKDF-Expand-Label(secret, label, context, n) */
static bool
expand(const struct request *r, struct piece secret, struct piece context, uint8_t *out, size_t n)
{
	size_t size = hash_size(r->hash), part;
	uint8_t code[HMAC_SIZE_MAX], i = 1;
	uint8_t head[] = { (uint8_t)(n >> 8), (uint8_t)n,
		(uint8_t)(r->prefix.length + r->label.length) };
	uint8_t middle[] = { (uint8_t)context.length };
	struct piece pieces[] = { { code, 0 }, { head, sizeof(head) }, r->prefix, r->label,
		{ middle, sizeof(middle) }, context, { &i, sizeof(i) } };
	struct hmac m;
	bool good = hmac_open(&m, r->hash, secret);

	for (; good && n > 0; out += part, n -= part, i++) {
		part = n < size ? n : size;
		good = hmac_compute(&m, pieces, COUNT_OF(pieces), code);
		if (good)
			memcpy(out, code, part);
		pieces[0].length = size;
	}
	hmac_close(&m);
	OPENSSL_cleanse(code, sizeof(code));
	return good;
}

/* The next secret of the schedule: HKDF-Extract(Derive-Secret(salt, "derived", ""), secret) */
static bool
extract(const struct request *r, uint8_t *out)
{
	static const uint8_t zeros[HMAC_SIZE_MAX];
	size_t size = hash_size(r->hash);
	uint8_t empty[HMAC_SIZE_MAX], derived[HMAC_SIZE_MAX] = { 0 };
	struct piece secret = r->key.bytes != NULL ? r->key : (struct piece){ zeros, size };
	struct hmac m;
	bool good = r->salt.bytes == NULL ||
		    (hash_compute(r->hash, (struct piece){ "", 0 }, empty) &&
			expand(r, r->salt, (struct piece){ empty, size }, derived, size));

	good = hmac_open(&m, r->hash, (struct piece){ derived, size }) && good &&
	       hmac_compute(&m, &secret, 1, out);
	hmac_close(&m);
	OPENSSL_cleanse(derived, sizeof(derived));
	return good;
}

static bool
hkdf(const struct request *r, uint8_t *out, size_t n)
{
	if (r->mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
		return extract(r, out);
	return expand(r, r->key, r->data, out, n);
}

/* ---- the algorithms: see provider-kdf(7) ---- */

struct kdf {
	const char *name;
	bool (*is_known)(const struct request *, size_t n);
	bool (*compute)(const struct request *, uint8_t *out, size_t n);
	OSSL_FUNC_kdf_newctx_fn *newctx; /* this and the following are the library's */
	OSSL_FUNC_kdf_freectx_fn *freectx;
	OSSL_FUNC_kdf_reset_fn *reset;
	OSSL_FUNC_kdf_derive_fn *derive;
	OSSL_FUNC_kdf_get_ctx_params_fn *get_ctx_params;
	OSSL_FUNC_kdf_set_ctx_params_fn *set_ctx_params;
};

static struct kdf kdfs[] = {
	{ .name = "TLS1-PRF", .is_known = is_prf, .compute = prf },
	{ .name = "TLS13-KDF", .is_known = is_hkdf, .compute = hkdf },
};

static void *provider;

struct derivation {
	const struct kdf *kdf;
	void *library; /* its own, for all that we leave to it; NULL until then */
};

static void *
new_derivation(const struct kdf *kdf)
{
	struct derivation *d = OPENSSL_zalloc(sizeof(*d));

	if (d != NULL)
		d->kdf = kdf;
	return d;
}

static void *
new_prf(void *context)
{
	(void)context;
	return new_derivation(&kdfs[0]);
}

static void *
new_hkdf(void *context)
{
	(void)context;
	return new_derivation(&kdfs[1]);
}

static void
reset(void *self)
{
	struct derivation *d = self;

	if (d->library != NULL)
		d->kdf->reset(d->library);
}

static void
release(void *self)
{
	struct derivation *d = self;

	if (d != NULL && d->library != NULL)
		d->kdf->freectx(d->library);
	OPENSSL_free(d);
}

static bool
leave_to_library(struct derivation *d)
{
	if (d->library == NULL)
		d->library = d->kdf->newctx(provider);
	return d->library != NULL;
}

/* Parameters that come before derive() are the library's to keep, which then derives. */
static int
set_ctx_params(void *self, const OSSL_PARAM params[])
{
	struct derivation *d = self;

	return leave_to_library(d) && d->kdf->set_ctx_params(d->library, params);
}

static int
get_ctx_params(void *self, OSSL_PARAM params[])
{
	struct derivation *d = self;

	return leave_to_library(d) ? d->kdf->get_ctx_params(d->library, params) : 0;
}

static int
derive(void *self, unsigned char *out, size_t n, const OSSL_PARAM params[])
{
	struct derivation *d = self;
	struct request r;

	if (d->library == NULL && read_all(&r, params) && d->kdf->is_known(&r, n))
		return d->kdf->compute(&r, out, n);
	return leave_to_library(d) && d->kdf->derive(d->library, out, n, params);
}

#define KDF_FUNCTIONS(new) \
	{ \
		{ OSSL_FUNC_KDF_NEWCTX, (void (*)(void))(new) }, \
		    { OSSL_FUNC_KDF_FREECTX, (void (*)(void))release }, \
		    { OSSL_FUNC_KDF_RESET, (void (*)(void))reset }, \
		    { OSSL_FUNC_KDF_DERIVE, (void (*)(void))derive }, \
		    { OSSL_FUNC_KDF_GET_CTX_PARAMS, (void (*)(void))get_ctx_params }, \
		    { OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))set_ctx_params }, { 0, NULL }, \
	}

static const OSSL_DISPATCH functions[][7] = { KDF_FUNCTIONS(new_prf), KDF_FUNCTIONS(new_hkdf) };

static bool
take_functions(struct kdf *k, const OSSL_ALGORITHM *a)
{
	k->newctx = (OSSL_FUNC_kdf_newctx_fn *)algorithm_function(a, OSSL_FUNC_KDF_NEWCTX);
	k->freectx = (OSSL_FUNC_kdf_freectx_fn *)algorithm_function(a, OSSL_FUNC_KDF_FREECTX);
	k->reset = (OSSL_FUNC_kdf_reset_fn *)algorithm_function(a, OSSL_FUNC_KDF_RESET);
	k->derive = (OSSL_FUNC_kdf_derive_fn *)algorithm_function(a, OSSL_FUNC_KDF_DERIVE);
	k->get_ctx_params =
	    (OSSL_FUNC_kdf_get_ctx_params_fn *)algorithm_function(a, OSSL_FUNC_KDF_GET_CTX_PARAMS);
	k->set_ctx_params =
	    (OSSL_FUNC_kdf_set_ctx_params_fn *)algorithm_function(a, OSSL_FUNC_KDF_SET_CTX_PARAMS);
	return k->newctx != NULL && k->freectx != NULL && k->reset != NULL && k->derive != NULL &&
	       k->get_ctx_params != NULL && k->set_ctx_params != NULL;
}

static bool
take(struct kdf *k, const OSSL_ALGORITHM *all)
{
	const OSSL_ALGORITHM *a = algorithm_find(all, k->name);

	return a != NULL && take_functions(k, a);
}

bool
derive_setup(OSSL_PROVIDER *from)
{
	int no_cache;
	const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(from, OSSL_OP_KDF, &no_cache);

	provider = OSSL_PROVIDER_get0_provider_ctx(from);
	for (size_t i = 0; i < COUNT_OF(kdfs); i++)
		if (!take(&kdfs[i], all))
			return false;
	return true;
}

const OSSL_DISPATCH *
derive_functions(const OSSL_ALGORITHM *a)
{
	for (size_t i = 0; i < COUNT_OF(kdfs); i++)
		if (algorithm_is(a, kdfs[i].name))
			return functions[i];
	return NULL;
}
