/* SPDX-License-Identifier: Apache-2.0 */
/* tls/tls_facts.c -- what there is to tell about the client of an accepted stream with TLS. */
#include "tls/tls_facts.h"

#include "tls/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

/* A subject without a common name has none to tell. */
static bool
copy_name(X509 *cert, struct tls_facts *out)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1), n;

	if (at < 0)
		return true;
	n = ASN1_STRING_to_UTF8(
	    &out->cn, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (n < 0)
		return false;
	out->cn_len = (size_t)n;
	/* Two readers would see two names in it. */
	return memchr(out->cn, '\0', out->cn_len) == NULL;
}

static bool
copy_certificate(X509 *cert, struct tls_facts *out)
{
	int n = i2d_X509(cert, &out->cert);

	out->cert_len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

bool
tls_facts_of(const struct stream *s, struct tls_facts *out)
{
	const struct tls_context *tc;
	const SSL *ssl = tls_stream_ssl(s, &tc);
	X509 *cert = SSL_get0_peer_certificate(ssl);
	unsigned alpn_len = 0;
	bool good;

	*out = (struct tls_facts){
		.version = SSL_get_version(ssl),
		.cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)),
		.sni = tls_stream_sni(s),
		.resumed = SSL_session_reused(ssl) != 0,
		.has_cert = cert != NULL,
	};
	SSL_get0_alpn_selected(ssl, &out->alpn, &alpn_len);
	out->alpn_len = alpn_len;
	if (cert == NULL)
		return true;
	/* Who was let through for `redirect` only was not verified. */
	out->verified = tls_verifies(tc->conf) && !tls_stream_is_unverified(s);
	good = copy_name(cert, out) && copy_certificate(cert, out);
	ERR_clear_error();
	return good;
}

void
tls_facts_clear(struct tls_facts *facts)
{
	OPENSSL_free(facts->cn);
	OPENSSL_free(facts->cert);
	facts->cn = facts->cert = NULL;
}
