/* SPDX-License-Identifier: Apache-2.0 */
/* base/digest.c -- hashes, their MACs and random bytes. */
#include "base/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

static const struct {
	const EVP_MD *(*md)(void);
	size_t size;
} kinds[DIGEST_COUNT] = {
	[DIGEST_MD5] = { EVP_md5, DIGEST_MD5_SIZE },
	[DIGEST_SHA1] = { EVP_sha1, DIGEST_SHA1_SIZE },
	[DIGEST_SHA256] = { EVP_sha256, DIGEST_SHA256_SIZE },
};

size_t
digest_size(enum digest kind)
{
	return kinds[kind].size;
}

bool
digest_of(enum digest kind, const struct digest_part *part, size_t count, uint8_t *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL && EVP_DigestInit_ex(ctx, kinds[kind].md(), NULL) == 1;

	for (size_t i = 0; good && i < count; i++)
		good = EVP_DigestUpdate(ctx, part[i].p, part[i].n) == 1;
	good = good && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	if (!good)
		memset(out, 0, kinds[kind].size);
	return good;
}

bool
digest_hmac(
    enum digest kind, const void *key, size_t key_size, const void *bytes, size_t n, uint8_t *out)
{
	if (key_size <= INT_MAX &&
	    HMAC(kinds[kind].md(), key, (int)key_size, bytes, n, out, NULL) != NULL)
		return true;
	memset(out, 0, kinds[kind].size);
	return false;
}

bool
digest_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

bool
digest_random(void *to, size_t n)
{
	return n <= INT_MAX && RAND_bytes(to, (int)n) == 1;
}
