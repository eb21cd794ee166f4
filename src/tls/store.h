/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/store.h -- certificates, lists and keys behind a URI: "pkcs11:...", "file:...", and whatever
 * else a provider of OpenSSL knows (ossl_store(7)).
 *
 * All that the URI stands for is read at once, while a configuration is loaded.
 */
#ifndef GINNEL_TLS_STORE_H
#define GINNEL_TLS_STORE_H

#include <openssl/evp.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/* Does it begin like "pkcs11:"?  A file may also have such a name: look for one first. */
bool store_is_uri(const char *);

/* The URI without the PIN that it may hold, for messages.  Returns out. */
const char *store_name(const char *uri, char *out, size_t size);

struct store_found {
	STACK_OF(X509) *certs; /* never NULL */
	STACK_OF(X509_CRL) *crls;
	EVP_PKEY *key; /* the first one, or NULL */
};

/*
 * Read all that `uri` stands for.  A PIN is asked by `ui`, with `ui_data`.  False with `why` set,
 * and nothing to free.
 */
bool store_read(const char *uri, const UI_METHOD *ui, void *ui_data, struct store_found *,
    char *why, size_t size);
void store_done(struct store_found *);

#endif
