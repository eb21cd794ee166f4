/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/verify.c -- may this peer pass?
 *
 * The same questions are asked twice: in OpenSSL's callback, so that a bad peer is refused by an
 * alert in the handshake, and in verify_verdict(), which decides.  The callback does not run for a
 * resumed session, and may run several times for one certificate.
 */
#include "tls/verify.h"

#include "base/log.h"
#include "base/text.h"
#include "tls/ocsp.h"
#include "tls/psk.h"
#include "tls/resume.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>

enum { NAME_TEXT = 512 };

/* The connection's log, or the main one for handshakes without (tests, probes). */
static const struct log_ctx *
log_of(const SSL *ssl)
{
	const struct log_ctx *log = SSL_get_app_data(ssl);

	return log != NULL ? log : &log_main;
}

const char *
verify_name(const X509_NAME *name, char *out, size_t size)
{
	/* As the incumbent does.  ESC_CTRL stays on, so that no name can end the line. */
	const unsigned long flags = XN_FLAG_ONELINE & ~(ASN1_STRFLGS_ESC_MSB | XN_FLAG_SPC_EQ);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n = -1;

	if (bio != NULL && name != NULL && X509_NAME_print_ex(bio, name, 0, flags) >= 0)
		n = BIO_get_mem_data(bio, &text);
	if (n < 0)
		snprintf(out, size, "(unreadable name)");
	else
		snprintf(out, size, "%.*s%s", (int)n < (int)size - 4 ? (int)n : (int)size - 4, text,
		    (int)n < (int)size - 4 ? "" : "...");
	BIO_free(bio);
	return out;
}

const char *
verify_subject(X509 *cert, char *out, size_t size)
{
	return verify_name(cert == NULL ? NULL : X509_get_subject_name(cert), out, size);
}

/* ---- verifyPeer ---- */

/* A renewed certificate with the same name and key still is the same peer. */
static bool
same_peer(X509 *a, X509 *b)
{
	EVP_PKEY *key_a = X509_get0_pubkey(a), *key_b = X509_get0_pubkey(b);

	return X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0 &&
	       key_a != NULL && key_b != NULL && EVP_PKEY_eq(key_a, key_b) == 1;
}

static bool
has_same_peer(STACK_OF(X509) *installed, X509 *cert)
{
	for (int i = 0; i < sk_X509_num(installed); i++)
		if (same_peer(sk_X509_value(installed, i), cert))
			return true;
	return false;
}

/* CApath is also looked at now: a certificate may have been put there since the start. */
static bool
is_in_store(const struct tls_context *tc, X509 *cert)
{
	X509_STORE_CTX *look = X509_STORE_CTX_new();
	STACK_OF(X509) *found = NULL;
	bool ok;

	if (look != NULL && X509_STORE_CTX_init(look, SSL_CTX_get_cert_store(tc->ctx), NULL, NULL))
		found = X509_STORE_CTX_get1_certs(look, X509_get_subject_name(cert));
	ok = has_same_peer(found, cert);
	sk_X509_pop_free(found, X509_free);
	X509_STORE_CTX_free(look);
	ERR_clear_error();
	return ok;
}

static bool
peer_passes(const struct log_ctx *log, const struct tls_context *tc, X509 *cert)
{
	if (!tc->conf->verify.peer)
		return true;
	if (!has_same_peer(tc->pinned, cert) &&
	    !(tc->conf->ca_path != NULL && is_in_store(tc, cert))) {
		log_warn(log, "CERT: Certificate not found in local repository");
		return false;
	}
	log_info(log, "CERT: Locally installed certificate matched");
	return true;
}

/* ---- checkHost, checkEmail, checkIP: any one of them is enough ---- */

static bool
host_matches(const struct log_ctx *log, X509 *cert, const char *host)
{
	char *with = NULL;
	bool ok = X509_check_host(cert, host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, &with) == 1;

	if (ok)
		log_info(log, "CERT: Host name \"%s\" matched with \"%s\"", host,
		    with != NULL ? with : host);
	OPENSSL_free(with);
	return ok;
}

static bool
email_matches(const struct log_ctx *log, X509 *cert, const char *email)
{
	if (X509_check_email(cert, email, 0, 0) != 1)
		return false;
	log_info(log, "CERT: Email address \"%s\" matched", email);
	return true;
}

static bool
ip_matches(const struct log_ctx *log, X509 *cert, const char *ip)
{
	if (X509_check_ip_asc(cert, ip, 0) != 1)
		return false;
	log_info(log, "CERT: IP address \"%s\" matched", ip);
	return true;
}

static bool
any_matches(const struct log_ctx *log, X509 *cert, const struct strv *names,
    bool (*matches)(const struct log_ctx *, X509 *, const char *))
{
	for (unsigned i = 0; i < names->n; i++)
		if (matches(log, cert, names->v[i]))
			return true;
	return false;
}

/* The names that a certificate has, "DNS:a.test, IP Address:10.0.0.1"; without any its subject. */
static const char *
names_of(X509 *cert, char *out, size_t size)
{
	int place = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);
	X509_EXTENSION *names = place >= 0 ? X509_get_ext(cert, place) : NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	ERR_set_mark(); /* the oldest error of the queue will be told as the handshake's */
	if (names != NULL && bio != NULL && X509V3_EXT_print(bio, names, 0, 0) == 1 &&
	    (n = BIO_get_mem_data(bio, &text)) > 0)
		text_safe(text, (size_t)n, out, size);
	else
		verify_subject(cert, out, size);
	ERR_pop_to_mark();
	BIO_free(bio);
	return out;
}

static void
add_names(char *out, size_t size, const char *option, const struct strv *names)
{
	for (unsigned i = 0; i < names->n; i++) {
		size_t n = strlen(out);

		snprintf(out + n, size - n, "%s%s = %s", n > 0 ? ", " : "", option, names->v[i]);
	}
}

static void
log_mismatch(const struct log_ctx *log, const struct tls_conf *conf, X509 *cert)
{
	char names[TEXT_SAFE_MAX + 4], wanted[TEXT_SAFE_MAX] = "";

	add_names(wanted, sizeof(wanted), "checkHost", &conf->check_host);
	add_names(wanted, sizeof(wanted), "checkEmail", &conf->check_email);
	add_names(wanted, sizeof(wanted), "checkIP", &conf->check_ip);
	log_warn(log, "CERT: Subject checks failed: the certificate is for %s, and not for %s",
	    names_of(cert, names, sizeof(names)), wanted);
}

static bool
names_pass(const struct log_ctx *log, const struct tls_conf *conf, X509 *cert)
{
	if (conf->check_host.n + conf->check_email.n + conf->check_ip.n == 0) {
		log_info(log, "CERT: No subject checks configured");
		return true;
	}
	if (any_matches(log, cert, &conf->check_host, host_matches) ||
	    any_matches(log, cert, &conf->check_email, email_matches) ||
	    any_matches(log, cert, &conf->check_ip, ip_matches))
		return true;
	log_mismatch(log, conf, cert);
	return false;
}

/* ---- failures that do not end the handshake ---- */

/*
 * Under `redirect` the callback lets everybody through, and is called again behind a failed check.
 * That one has failed is kept here, on the X509_STORE_CTX, so that nothing that is ignored later
 * makes it good again.
 */
static int failure_index = -1;

static void
make_failure_index(void)
{
	failure_index = X509_STORE_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int
failure_slot(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_failure_index);
	return failure_index;
}

static bool
has_failed(const X509_STORE_CTX *ctx)
{
	return failure_slot() >= 0 && X509_STORE_CTX_get_ex_data(ctx, failure_slot()) != NULL;
}

/* False: no memory, so the handshake must end. */
static bool
remember_failure(X509_STORE_CTX *ctx)
{
	return failure_slot() >= 0 && X509_STORE_CTX_set_ex_data(ctx, failure_slot(), ctx) == 1;
}

/* ---- the callback ---- */

/*
 * With verifyPeer alone the certificate itself is known, so nothing need vouch for it.  Everything
 * else that is wrong with it (dates, purpose, revocation) still counts.
 */
static bool
may_ignore(const struct tls_verify *v, int error, int depth)
{
	return !v->chain && (depth > 0 || error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
				error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
				error == X509_V_ERR_CERT_UNTRUSTED);
}

static bool
prechecks_pass(const struct log_ctx *log, const struct tls_verify *v, bool ok, X509_STORE_CTX *ctx)
{
	int error = X509_STORE_CTX_get_error(ctx);
	bool unknown = error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
		       error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;

	if (ok) {
		log_debug(log, "CERT: Pre-verification succeeded");
		return true;
	}
	if (!may_ignore(v, error, X509_STORE_CTX_get_error_depth(ctx))) {
		log_warn(log, "CERT: Pre-verification error: %s%s",
		    unknown ? "certificate not found in local repository: " : "",
		    X509_verify_cert_error_string(error));
		return false;
	}
	log_info(
	    log, "CERT: Pre-verification error ignored: %s", X509_verify_cert_error_string(error));
	/* What is left in the end is the verdict's to read: it must be X509_V_OK. */
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return true;
}

/*
 * The checks beyond OpenSSL's, in the incumbent's order; `error` is what the session remembers if
 * they fail.
 */
static bool
leaf_passes(const struct log_ctx *log, const struct tls_context *tc, X509 *cert, int *error)
{
	*error = X509_V_ERR_APPLICATION_VERIFICATION;
	if (!names_pass(log, tc->conf, cert))
		return false;
	*error = X509_V_ERR_CERT_UNTRUSTED;
	return peer_passes(log, tc, cert);
}

/* One certificate of the chain; on false, X509_STORE_CTX_get_error() says why. */
static bool
certificate_is_good(const struct log_ctx *log, const struct tls_context *tc, bool ok, X509 *cert,
    X509_STORE_CTX *ctx)
{
	int depth = X509_STORE_CTX_get_error_depth(ctx), error;
	char subject[NAME_TEXT];

	log_debug(log, "Verification started at depth=%d: %s", depth,
	    verify_subject(cert, subject, sizeof(subject)));
	if (!prechecks_pass(log, &tc->conf->verify, ok, ctx)) {
		ok = false;
	} else if (depth == 0 && !leaf_passes(log, tc, cert, &error)) {
		X509_STORE_CTX_set_error(ctx, error);
		ok = false;
	} else {
		ok = true;
	}
	if (!ok)
		log_warn(log, "Rejected by CERT at depth=%d: %s", depth,
		    verify_subject(cert, subject, sizeof(subject)));
	else
		log_at(log, depth == 0 ? LOG_NOTICE : LOG_INFO,
		    "Certificate accepted at depth=%d: %s", depth,
		    verify_subject(cert, subject, sizeof(subject)));
	return ok;
}

static int
on_certificate(int ok, X509_STORE_CTX *ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_context *tc = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct tls_verify *v = &tc->conf->verify;
	const struct log_ctx *log = log_of(ssl);

	if (!v->chain && !v->peer) {
		log_info(log, "CERT: Certificate verification disabled");
		return 1;
	}
	if (!has_failed(ctx)) {
		if (certificate_is_good(log, tc, ok, X509_STORE_CTX_get_current_cert(ctx), ctx))
			return 1;
		return tc->conf->redirect && remember_failure(ctx);
	}
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REJECTED);
	return 1;
}

void
verify_install(struct tls_context *tc)
{
	const struct tls_conf *conf = tc->conf;
	X509_STORE *store = SSL_CTX_get_cert_store(tc->ctx);

	/* Never without a purpose: a server's certificate would do for a client. */
	SSL_CTX_set_purpose(
	    tc->ctx, tc->role == TLS_SERVER ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
	if (conf->crl_file != NULL || conf->crl_path != NULL)
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	if (!conf->verify.request)
		SSL_CTX_set_verify(tc->ctx, SSL_VERIFY_NONE, NULL);
	else
		SSL_CTX_set_verify(tc->ctx,
		    SSL_VERIFY_PEER |
			(conf->verify.require && !conf->redirect ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
								 : 0),
		    on_certificate);
}

/* ---- the verdict ---- */

static bool
dates_pass(const struct log_ctx *log, X509 *cert)
{
	int error = X509_V_OK;

	/* 0 is an unreadable date, and no reason to pass. */
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) >= 0)
		error = X509_V_ERR_CERT_NOT_YET_VALID;
	else if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0)
		error = X509_V_ERR_CERT_HAS_EXPIRED;
	if (error != X509_V_OK)
		log_warn(
		    log, "CERT: Pre-verification error: %s", X509_verify_cert_error_string(error));
	return error == X509_V_OK;
}

/*
 * X509_V_OK is also what a handshake without a certificate leaves behind, and a resumed session
 * remembers the result of its first handshake: this is one question among others.
 */
static bool
result_passes(const struct log_ctx *log, SSL *ssl)
{
	long result = SSL_get_verify_result(ssl);

	if (result != X509_V_OK)
		log_warn(
		    log, "CERT: Pre-verification error: %s", X509_verify_cert_error_string(result));
	return result == X509_V_OK;
}

static bool
certificate_passes(const struct log_ctx *log, SSL *ssl, const struct tls_context *tc, X509 *cert)
{
	/* The callback has told of each check already; here only failures are news. */
	struct log_ctx quiet = *log;
	int error;

	if (quiet.level > LOG_NOTICE)
		quiet.level = LOG_NOTICE;
	return result_passes(&quiet, ssl) && dates_pass(&quiet, cert) &&
	       leaf_passes(&quiet, tc, cert, &error);
}

enum verdict
verify_verdict(SSL *ssl, const struct tls_context *tc)
{
	const struct tls_verify *v = &tc->conf->verify;
	const struct log_ctx *log = log_of(ssl);
	X509 *cert = SSL_get0_peer_certificate(ssl);
	char subject[NAME_TEXT];
	bool by_key;

	if (!SSL_is_init_finished(ssl) || SSL_get_SSL_CTX(ssl) != tc->ctx) {
		log_err(log, "CERT: No finished handshake of this service");
		return VERDICT_REJECTED;
	}
	if (SSL_session_reused(ssl) && !resume_is_ours(ssl, tc)) {
		log_warn(log, "CERT: The resumed session is too old or of another service");
		return VERDICT_REJECTED;
	}
	if (SSL_session_reused(ssl) && !ocsp_may_resume(tc, cert)) {
		log_warn(log, "OCSP: No answer about the resumed session's certificate is kept");
		return VERDICT_REJECTED;
	}
	by_key = psk_proved(ssl, tc);
	if (tc->psk != NULL && tc->role == TLS_CLIENT && !v->chain && !v->peer && !by_key) {
		log_warn(log, "PSK: The server did not use our key, and nothing else is verified");
		return VERDICT_REJECTED;
	}
	if (!v->request || (cert == NULL && by_key && !tc->conf->redirect))
		return VERDICT_PASS;
	if (cert == NULL) {
		/* A server that must be verified has no way to do without. */
		if (!v->require && !tc->conf->redirect &&
		    (tc->role == TLS_SERVER || (!v->chain && !v->peer)))
			return VERDICT_PASS;
		log_warn(log, "CERT: The peer sent no certificate");
		return VERDICT_NO_CERT;
	}
	if ((!v->chain && !v->peer) || certificate_passes(log, ssl, tc, cert))
		return VERDICT_PASS;
	log_warn(
	    log, "Rejected by CERT at depth=0: %s", verify_subject(cert, subject, sizeof(subject)));
	return VERDICT_REJECTED;
}
