/* SPDX-License-Identifier: Apache-2.0 */
/* tls/memory.c -- where OpenSSL's memory comes from. */
#include "tls/memory.h"

#include "base/shelf.h"

#include <openssl/crypto.h>

/* OPENSSL_malloc(3): none for a size of 0; a block that becomes 0 bytes is freed. */

static void *
take(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return n == 0 ? NULL : shelf_alloc(n);
}

static void
give(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	shelf_free(p);
}

static void *
change(void *p, size_t n, const char *file, int line)
{
	if (n > 0)
		return shelf_resize(p, n);
	give(p, file, line);
	return NULL;
}

void
memory_from_shelf(void)
{
	(void)CRYPTO_set_mem_functions(take, change, give);
}
