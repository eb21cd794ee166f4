/* SPDX-License-Identifier: Apache-2.0 */
/* tls/eap_tls.c -- an SSL between two BIOs in memory. */
#include "tls/eap_tls.h"

#include "tls/errors.h"
#include "tls/verify.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

enum {
	EAP_TLS_MAGIC = 0x61d8f24b,
	MSK = 64,
	/* TLS 1.3's exporter depends on how much is asked for: MSK and EMSK (RFC 9190 2.3). */
	KEY_MATERIAL = 128,
	TYPE = 13, /* EAP-TLS */
};

struct eap_tls {
	unsigned magic;
	const struct tls_context *tc;
	const struct log_ctx *log;
	SSL *ssl;
	BIO *in, *out; /* the SSL's */
	bool failed;   /* the library must not be called again */
};

struct eap_tls *
eap_tls_new(const struct tls_context *tc, const struct log_ctx *log)
{
	struct eap_tls *e;

	if (OBJ_NEW(e, EAP_TLS_MAGIC) == NULL)
		return NULL;
	e->tc = tc;
	e->log = log;
	e->ssl = SSL_new(tc->ctx);
	e->in = BIO_new(BIO_s_mem());
	e->out = BIO_new(BIO_s_mem());
	if (e->ssl == NULL || e->in == NULL || e->out == NULL) {
		BIO_free(e->in);
		BIO_free(e->out);
		e->in = e->out = NULL;
		eap_tls_free(e);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_bio(e->ssl, e->in, e->out);
	SSL_set_app_data(e->ssl, (void *)(uintptr_t)log);
	/* A ticket would be one more message, and nobody comes back with it. */
	SSL_set_options(e->ssl, SSL_OP_NO_TICKET);
	(void)SSL_set_num_tickets(e->ssl, 0);
	if (tc->role == TLS_SERVER)
		SSL_set_accept_state(e->ssl);
	else
		SSL_set_connect_state(e->ssl);
	return e;
}

void
eap_tls_free(struct eap_tls *e)
{
	if (e == NULL)
		return;
	CHECK_OBJ(e, EAP_TLS_MAGIC);
	SSL_free(e->ssl);
	OBJ_FREE(e);
}

bool
eap_tls_put(struct eap_tls *e, const uint8_t *bytes, size_t n)
{
	CHECK_OBJ(e, EAP_TLS_MAGIC);
	return n <= EAP_TLS_MESSAGE_MAX && BIO_ctrl_pending(e->in) <= EAP_TLS_MESSAGE_MAX - n &&
	       BIO_write(e->in, bytes, (int)n) == (int)n;
}

size_t
eap_tls_left(const struct eap_tls *e)
{
	return BIO_ctrl_pending(e->out);
}

size_t
eap_tls_take(struct eap_tls *e, uint8_t *out, size_t n)
{
	int got = n > INT32_MAX ? -1 : BIO_read(e->out, out, (int)n);

	return got > 0 ? (size_t)got : 0;
}

/* What a call of the library that gave `ret` means: it wants more of the peer, or it has failed. */
static enum eap_tls_state
outcome(struct eap_tls *e, int ret, const char *what)
{
	if (SSL_get_error(e->ssl, ret) == SSL_ERROR_WANT_READ)
		return EAP_TLS_MORE;
	(void)errors_log(e->log, what);
	e->failed = true;
	return EAP_TLS_FAILED;
}

/*
 * RFC 9190 2.5: with TLS 1.3 a client is done with its Finished before the server has looked at its
 * certificate.  So the server says by one byte of data, 00, that nothing is to come any more.
 */
static enum eap_tls_state
exchange_commitment(struct eap_tls *e)
{
	static const uint8_t commitment;
	uint8_t byte;
	int ret;

	if (SSL_version(e->ssl) < TLS1_3_VERSION)
		return EAP_TLS_DONE;
	if (e->tc->role == TLS_SERVER) {
		ret = SSL_write(e->ssl, &commitment, 1);
		return ret == 1 ? EAP_TLS_DONE : outcome(e, ret, "SSL_write");
	}
	ret = SSL_read(e->ssl, &byte, 1);
	if (ret != 1)
		return outcome(e, ret, "SSL_read");
	if (byte == commitment)
		return EAP_TLS_DONE;
	log_err(e->log, "EAP-TLS: data in the place of the server's last word");
	e->failed = true;
	return EAP_TLS_FAILED;
}

enum eap_tls_state
eap_tls_step(struct eap_tls *e)
{
	int ret;

	CHECK_OBJ(e, EAP_TLS_MAGIC);
	if (e->failed)
		return EAP_TLS_FAILED;
	ERR_clear_error();
	ret = SSL_do_handshake(e->ssl);
	if (ret != 1)
		return outcome(e, ret, e->tc->role == TLS_SERVER ? "SSL_accept" : "SSL_connect");
	/* An end without a certificate is none, whatever the context asks for. */
	if (verify_verdict(e->ssl, e->tc) != VERDICT_PASS ||
	    SSL_get0_peer_certificate(e->ssl) == NULL) {
		log_err(e->log, "EAP-TLS: the peer's certificate may not pass");
		e->failed = true;
		return EAP_TLS_FAILED;
	}
	return exchange_commitment(e);
}

bool
eap_tls_key(struct eap_tls *e, uint8_t *out, size_t n)
{
	static const char old_label[] = "client EAP encryption"; /* RFC 5216 2.3 */
	static const char label[] = "EXPORTER_EAP_TLS_Key_Material";
	static const uint8_t type = TYPE;
	uint8_t material[KEY_MATERIAL];
	bool is_13, ok;

	CHECK_OBJ(e, EAP_TLS_MAGIC);
	MUST(n <= MSK);
	is_13 = SSL_version(e->ssl) >= TLS1_3_VERSION;
	ok = is_13 ? SSL_export_keying_material(e->ssl, material, sizeof(material), label,
			 sizeof(label) - 1, &type, 1, 1) == 1
		   : SSL_export_keying_material(e->ssl, material, sizeof(material), old_label,
			 sizeof(old_label) - 1, NULL, 0, 0) == 1;
	if (ok)
		memcpy(out, material, n);
	else
		(void)errors_log(e->log, "SSL_export_keying_material");
	OPENSSL_cleanse(material, sizeof(material));
	return ok;
}

/* ---- the name ---- */

/* A text of ASN.1 as it is, if it fits and no NUL makes it look like another one. */
static bool
copy_text(const ASN1_STRING *text, char *out, size_t size)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(text);
	int n = ASN1_STRING_length(text);

	if (n <= 0 || (size_t)n >= size || memchr(bytes, '\0', (size_t)n) != NULL)
		return false;
	memcpy(out, bytes, (size_t)n);
	out[n] = '\0';
	return true;
}

static const ASN1_STRING *
principal_of(const GENERAL_NAME *name)
{
	if (name->type != GEN_OTHERNAME || OBJ_obj2nid(name->d.otherName->type_id) != NID_ms_upn ||
	    name->d.otherName->value->type != V_ASN1_UTF8STRING)
		return NULL;
	return name->d.otherName->value->value.utf8string;
}

static const ASN1_STRING *
mail_of(const GENERAL_NAME *name)
{
	return name->type == GEN_EMAIL ? name->d.rfc822Name : NULL;
}

/* The first alternative name of a kind; NULL: there is none. */
static const ASN1_STRING *
alternative(const GENERAL_NAMES *names, const ASN1_STRING *(*of)(const GENERAL_NAME *))
{
	const ASN1_STRING *text = NULL;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && text == NULL; i++)
		text = of(sk_GENERAL_NAME_value(names, i));
	return text;
}

static bool
common_name(X509 *cert, char *out, size_t size)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	int n;
	bool ok;

	if (at < 0)
		return false;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	ok = n > 0 && (size_t)n < size && memchr(utf8, '\0', (size_t)n) == NULL;
	if (ok) {
		memcpy(out, utf8, (size_t)n);
		out[n] = '\0';
	}
	OPENSSL_free(utf8);
	return ok;
}

bool
eap_tls_name(struct eap_tls *e, char *out, size_t size)
{
	const ASN1_STRING *text;
	GENERAL_NAMES *names;
	X509 *cert;
	bool ok;

	CHECK_OBJ(e, EAP_TLS_MAGIC);
	if ((cert = SSL_get0_peer_certificate(e->ssl)) == NULL)
		return false;
	names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	if ((text = alternative(names, principal_of)) == NULL)
		text = alternative(names, mail_of);
	/* A name that cannot be used does not make another one the better. */
	ok = text != NULL ? copy_text(text, out, size) : common_name(cert, out, size);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return ok;
}
