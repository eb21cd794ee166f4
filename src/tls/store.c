/* SPDX-License-Identifier: Apache-2.0 */
/* tls/store.c -- certificates, lists and keys behind a URI. */
#include "tls/store.h"

#include "tls/errors.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool
store_is_uri(const char *text)
{
	size_t n = 0;

	/* RFC 3986 3.1; one letter alone is no scheme that OpenSSL has. */
	if (!isalpha((unsigned char)text[0]))
		return false;
	while (
	    isalnum((unsigned char)text[n]) || text[n] == '+' || text[n] == '-' || text[n] == '.')
		n++;
	return n > 1 && text[n] == ':' && text[n + 1] != '\0';
}

const char *
store_name(const char *uri, char *out, size_t size)
{
	static const char pin[] = "pin-value="; /* RFC 7512 2.4 */
	size_t n = 0;

	while (*uri != '\0' && n + 4 < size) {
		if (strncasecmp(uri, pin, strlen(pin)) != 0) {
			out[n++] = *uri++;
			continue;
		}
		n += (size_t)snprintf(out + n, size - n, "%s...", pin);
		if (n >= size)
			n = size - 1;
		uri += strcspn(uri, "&;");
	}
	out[n] = '\0';
	return out;
}

/* Take what `info` holds; a name (an entry of a directory) is opened in turn. */
static bool take(struct store_found *f, OSSL_STORE_INFO *info, const UI_METHOD *ui, void *ui_data,
    unsigned depth);

static bool
read_level(
    struct store_found *f, const char *uri, const UI_METHOD *ui, void *ui_data, unsigned depth)
{
	OSSL_STORE_CTX *store = OSSL_STORE_open(uri, ui, ui_data, NULL, NULL);
	OSSL_STORE_INFO *info;
	bool ok = store != NULL;

	while (ok && !OSSL_STORE_eof(store)) {
		info = OSSL_STORE_load(store);
		if (info != NULL) {
			ok = take(f, info, ui, ui_data, depth);
			OSSL_STORE_INFO_free(info);
		} else if (OSSL_STORE_error(store)) {
			/* The end of a directory is also told as an error, one without a cause. */
			ok = ERR_peek_error() == 0;
			break;
		}
	}
	OSSL_STORE_close(store);
	return ok;
}

static bool
take(struct store_found *f, OSSL_STORE_INFO *info, const UI_METHOD *ui, void *ui_data,
    unsigned depth)
{
	X509_CRL *crl;
	X509 *cert;

	switch (OSSL_STORE_INFO_get_type(info)) {
	case OSSL_STORE_INFO_CERT:
		cert = OSSL_STORE_INFO_get1_CERT(info);
		return cert != NULL && (sk_X509_push(f->certs, cert) > 0 || (X509_free(cert), 0));
	case OSSL_STORE_INFO_CRL:
		crl = OSSL_STORE_INFO_get1_CRL(info);
		return crl != NULL &&
		       (sk_X509_CRL_push(f->crls, crl) > 0 || (X509_CRL_free(crl), 0));
	case OSSL_STORE_INFO_PKEY:
		return f->key != NULL || (f->key = OSSL_STORE_INFO_get1_PKEY(info)) != NULL;
	case OSSL_STORE_INFO_NAME:
		/* As in CApath: an entry that cannot be read does not spoil the others. */
		if (depth == 0)
			(void)read_level(
			    f, OSSL_STORE_INFO_get0_NAME(info), ui, ui_data, depth + 1);
		ERR_clear_error();
		return true;
	default:
		return true; /* parameters, public keys */
	}
}

bool
store_read(const char *uri, const UI_METHOD *ui, void *ui_data, struct store_found *f, char *why,
    size_t size)
{
	*f = (struct store_found){ .certs = sk_X509_new_null(), .crls = sk_X509_CRL_new_null() };
	ERR_clear_error();
	if (f->certs != NULL && f->crls != NULL && read_level(f, uri, ui, ui_data, 0)) {
		ERR_clear_error();
		return true;
	}
	errors_take(why, size);
	store_done(f);
	return false;
}

void
store_done(struct store_found *f)
{
	sk_X509_pop_free(f->certs, X509_free);
	sk_X509_CRL_pop_free(f->crls, X509_CRL_free);
	EVP_PKEY_free(f->key);
	*f = (struct store_found){ 0 };
}
