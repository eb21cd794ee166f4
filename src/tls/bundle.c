/* SPDX-License-Identifier: Apache-2.0 */
/* tls/bundle.c -- a file of certificates and revocation lists, as objects. */
#include "tls/bundle.h"

#include "tls/errors.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

bool
bundle_fetch(
    struct files *files, struct sink *sink, const char *option, const char *path, struct file *out)
{
	if (files->read(files, path, out))
		return true;
	sink_error(sink, option, "cannot read %s: %s; check the path and its permissions", path,
	    strerror(errno));
	return false;
}

bool
bundle_begin(struct bundle *b)
{
	*b = (struct bundle){ .certs = sk_X509_new_null(), .crls = sk_X509_CRL_new_null() };
	return b->certs != NULL && b->crls != NULL;
}

void
bundle_done(struct bundle *b)
{
	sk_X509_pop_free(b->certs, X509_free);
	sk_X509_CRL_pop_free(b->crls, X509_CRL_free);
}

static void
bundle_fail(struct bundle *b)
{
	if (!b->failed)
		errors_take(b->why, sizeof(b->why));
	b->failed = true;
}

static void
bundle_add_cert(struct bundle *b, X509 *cert)
{
	if (cert == NULL || sk_X509_push(b->certs, cert) == 0) {
		X509_free(cert);
		bundle_fail(b);
		return;
	}
	/* OpenSSL reads the extensions at their first use: here, and not in two workers at once. */
	ERR_set_mark();
	(void)X509_check_purpose(cert, -1, 0);
	ERR_pop_to_mark();
}

static void
bundle_add_crl(struct bundle *b, X509_CRL *crl)
{
	if (crl == NULL || sk_X509_CRL_push(b->crls, crl) == 0) {
		X509_CRL_free(crl);
		bundle_fail(b);
	}
}

/* One block between BEGIN and END; kinds that are not ours (keys, parameters) are passed over. */
static void
bundle_add_block(struct bundle *b, const char *kind, const unsigned char *der, long n)
{
	if (strcmp(kind, PEM_STRING_X509) == 0 || strcmp(kind, PEM_STRING_X509_OLD) == 0)
		bundle_add_cert(b, d2i_X509(NULL, &der, n));
	else if (strcmp(kind, PEM_STRING_X509_TRUSTED) == 0)
		bundle_add_cert(b, d2i_X509_AUX(NULL, &der, n));
	else if (strcmp(kind, PEM_STRING_X509_CRL) == 0)
		bundle_add_crl(b, d2i_X509_CRL(NULL, &der, n));
}

static void
bundle_read_pem(struct bundle *b, const struct file *f)
{
	BIO *bio = BIO_new_mem_buf(f->data, (int)f->size);
	char *kind, *header;
	unsigned char *der;
	long n;

	while (bio != NULL && PEM_read_bio(bio, &kind, &header, &der, &n)) {
		bundle_add_block(b, kind, der, n);
		OPENSSL_free(kind);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)n); /* it may have been a key */
	}
	if (bio == NULL || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		bundle_fail(b);
	ERR_clear_error();
	BIO_free(bio);
}

bool
bundle_is_pem(const struct file *f)
{
	return memmem(f->data, f->size, "-----BEGIN ", 11) != NULL;
}

void
bundle_read(struct bundle *b, const struct file *f)
{
	const unsigned char *der = (const unsigned char *)f->data;
	X509_CRL *crl;

	ERR_clear_error();
	if (bundle_is_pem(f)) {
		bundle_read_pem(b, f);
	} else if ((crl = d2i_X509_CRL(NULL, &der, (long)f->size)) != NULL) {
		bundle_add_crl(b, crl);
	} else {
		ERR_clear_error();
		der = (const unsigned char *)f->data;
		bundle_add_cert(b, d2i_X509(NULL, &der, (long)f->size));
	}
}
