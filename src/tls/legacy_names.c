/* SPDX-License-Identifier: Apache-2.0 */
/* tls/legacy_names.c -- a table of names for a library context, without those of the past. */
#include "tls/legacy_names.h"

#include <openssl/evp.h>
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

static bool
put_back(const struct names *all)
{
	bool good = true;

	for (size_t i = 0; i < all->n; i++) {
		const OBJ_NAME *was = &all->name[i];

		good &= OBJ_NAME_add(was->name, was->type | was->alias, was->data) == 1;
	}
	return good;
}

static bool
ask(OSSL_LIB_CTX *context)
{
	EVP_MD *any = EVP_MD_fetch(context, "SHA2-256", NULL);

	EVP_MD_free(any);
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
	good &= put_back(&all);
	free(all.name);
	return good;
}
