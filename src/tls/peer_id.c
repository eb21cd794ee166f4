/* SPDX-License-Identifier: Apache-2.0 */
/* tls/peer_id.c -- the names in a certificate. */
#include "tls/peer_id.h"

#include "base/check.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

enum {
	PEER_ID_MAGIC = 0x6be10d94,
	NAMES_MAX = 256, /* of one certificate; what is beyond names nobody */
};

/* A name with a NUL in it would read as another one: it is none. */
static bool
add(struct peer_id *id, enum peer_id_kind kind, const ASN1_STRING *string)
{
	struct peer_name *names;
	unsigned char *text = NULL;
	int n = ASN1_STRING_to_UTF8(&text, string);

	if (n < 0 || strlen((char *)text) != (size_t)n || id->count == NAMES_MAX) {
		OPENSSL_free(text);
		return true;
	}
	if ((names = realloc(id->names, (id->count + 1) * sizeof(*names))) == NULL) {
		OPENSSL_free(text);
		return false;
	}
	id->names = names;
	names[id->count].kind = kind;
	names[id->count].text = strdup((char *)text);
	OPENSSL_free(text);
	return names[id->count++].text != NULL;
}

static bool
add_common_names(struct peer_id *id, X509 *cert)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	bool ok = true;
	int i = -1;

	while (ok && (i = X509_NAME_get_index_by_NID(subject, NID_commonName, i)) >= 0)
		ok = add(id, PEER_ID_CN, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
	return ok;
}

static bool
add_alternative_names(struct peer_id *id, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool ok = true;

	for (int i = 0; ok && i < sk_GENERAL_NAME_num(names); i++) {
		int type;
		const void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);

		if (type == GEN_DNS || type == GEN_URI || type == GEN_EMAIL)
			ok = add(id, PEER_ID_SAN, value);
	}
	GENERAL_NAMES_free(names);
	return ok;
}

static bool
hash_key(struct peer_id *id, X509 *cert)
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	bool ok = n > 0 && EVP_Digest(der, (size_t)n, id->spki, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return ok;
}

struct peer_id *
peer_id_new(X509 *cert)
{
	struct peer_id *id;

	if (OBJ_NEW(id, PEER_ID_MAGIC) == NULL)
		return NULL;
	if (hash_key(id, cert) && add_common_names(id, cert) && add_alternative_names(id, cert))
		return id;
	peer_id_free(id);
	return NULL;
}

/*
 * Hosts and the hosts in e-mail addresses and URIs have no case; the rest of those two has (RFC
 * 5280 4.2.1.6), but nobody gives names to two peers that differ in nothing else.
 */
bool
peer_id_has(const struct peer_id *id, enum peer_id_kind kind, const char *pattern)
{
	for (unsigned i = 0; i < id->count; i++)
		if (id->names[i].kind == kind &&
		    text_glob(pattern, id->names[i].text, kind == PEER_ID_SAN))
			return true;
	return false;
}

void
peer_id_free(struct peer_id *id)
{
	if (id == NULL)
		return;
	CHECK_OBJ(id, PEER_ID_MAGIC);
	for (unsigned i = 0; i < id->count; i++)
		free(id->names[i].text);
	free(id->names);
	OBJ_FREE(id);
}
