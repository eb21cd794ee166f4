/* SPDX-License-Identifier: Apache-2.0 */
/* bench/tls.c -- the TLS contexts of the load, of the backend and of the library alone. */
#include <openssl/err.h>
#include <string.h>

#include "load.h"

static SSL_CTX *
context(const SSL_METHOD *method, int version)
{
	SSL_CTX *tls = SSL_CTX_new(method);

	if (tls == NULL)
		die("no TLS context: %s", ERR_reason_error_string(ERR_get_error()));
	SSL_CTX_set_min_proto_version(tls, version);
	SSL_CTX_set_max_proto_version(tls, version);
	SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_cipher_list(tls, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256");
	/* P-256 only for the certificate: TLS 1.2 counts its curve among the groups. */
	SSL_CTX_set1_groups_list(tls, "X25519:P-256");
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	/* Lengths and bytes are checked by the load itself; not every tunnel says close_notify. */
	SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
	return tls;
}

static void
use_certificate(SSL_CTX *tls, const char *file)
{
	if (SSL_CTX_use_certificate_chain_file(tls, file) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, file, SSL_FILETYPE_PEM) != 1)
		die("%s: %s", file, ERR_reason_error_string(ERR_get_error()));
}

static void
verify_against(SSL_CTX *tls, const char *ca, int how)
{
	if (SSL_CTX_load_verify_locations(tls, ca, NULL) != 1)
		die("%s: %s", ca, ERR_reason_error_string(ERR_get_error()));
	SSL_CTX_set_verify(tls, how, NULL);
}

/*
 * The newest session is the one to resume: under TLS 1.3 it comes after the handshake.  A copy, as
 * OpenSSL spoils its own if the connection ends without the peer's close_notify.
 */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct job *job = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(job->session);
	if ((job->session = SSL_SESSION_dup(session)) == NULL)
		die("no memory for a session");
	return 0; /* the original stays the library's */
}

static int
count_cert_request(SSL *ssl, void *arg)
{
	(void)ssl;
	((struct job *)arg)->cert_asked++;
	return 1;
}

SSL_CTX *
tls_client(struct job *job)
{
	const struct options *o = job->options;
	SSL_CTX *tls = context(TLS_client_method(), o->tls);

	if (o->ca != NULL)
		verify_against(tls, o->ca, SSL_VERIFY_PEER);
	if (o->cert != NULL) {
		use_certificate(tls, o->cert);
		SSL_CTX_set_cert_cb(tls, count_cert_request, job);
	}
	SSL_CTX_set_app_data(tls, job);
	if (o->resume) {
		SSL_CTX_set_session_cache_mode(
		    tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(tls, keep_session);
	}
	return tls;
}

SSL_CTX *
tls_server(const struct options *o)
{
	SSL_CTX *tls = context(TLS_server_method(), o->tls);

	if (o->server_cert == NULL)
		die("a TLS server needs --server-cert");
	use_certificate(tls, o->server_cert);
	SSL_CTX_set_session_id_context(tls, (const unsigned char *)"bench", strlen("bench"));
	if (o->cert != NULL)
		verify_against(tls, o->ca, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
	return tls;
}
