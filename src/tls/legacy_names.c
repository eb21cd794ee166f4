/* SPDX-License-Identifier: Apache-2.0 */
/* tls/legacy_names.c -- a table of names for a library context, without those of the past. */
#include "tls/legacy_names.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/objects.h>
#include <stdlib.h>

struct names {
	OBJ_NAME *name;
	size_t n, room;
};

static void
count(const OBJ_NAME *name, void *arg)
{
	struct names *all = arg;

	(void)name;
	all->room++;
}

static void
collect(const OBJ_NAME *name, void *arg)
{
	struct names *all = arg;

	if (all->n < all->room)
		all->name[all->n++] = *name;
}

/* Both lists, in one. */
static void
for_each(void (*run)(const OBJ_NAME *, void *), struct names *all)
{
	OBJ_NAME_do_all(OBJ_NAME_TYPE_CIPHER_METH, run, all);
	OBJ_NAME_do_all(OBJ_NAME_TYPE_MD_METH, run, all);
}

static void
take_out(const struct names *all)
{
	for (size_t i = 0; i < all->n; i++)
		(void)OBJ_NAME_remove(all->name[i].name, all->name[i].type);
}

/*
 * All of them, or the process ends: without its old name OpenSSL takes a digest for one that it
 * does not know, and then leaves out checks that go by what it is.  The memory is what taking out
 * freed.
 */
static void
put_back(const struct names *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const OBJ_NAME *was = &all->name[i];

		MUST(OBJ_NAME_add(was->name, was->type | was->alias, was->data) == 1);
	}
}

/* A derivation: digests and ciphers would not find out what they were called of old, for ever. */
static bool
ask(OSSL_LIB_CTX *context)
{
	EVP_KDF *any = EVP_KDF_fetch(context, "TLS1-PRF", NULL);

	EVP_KDF_free(any);
	return any != NULL;
}

bool
legacy_names_spare(OSSL_LIB_CTX *context)
{
	struct names all = { .n = 0 };
	bool good;

	/* Now, or the context does it before it copies. */
	if (!OPENSSL_init_crypto(OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS, NULL))
		return false;
	for_each(count, &all);
	if ((all.name = calloc(all.room + 1, sizeof(all.name[0]))) == NULL)
		return false;
	for_each(collect, &all);
	take_out(&all);
	good = ask(context);
	put_back(&all);
	free(all.name);
	return good;
}
