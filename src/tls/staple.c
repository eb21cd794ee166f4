/* SPDX-License-Identifier: Apache-2.0 */
/* tls/staple.c -- a server's own OCSP answer, stapled to its handshakes. */
#include "tls/staple.h"

#include "tls/ocsp_answer.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>
#include <utlist.h>

enum {
	STAPLE_MAGIC = 0x1be70c5f,
	STAPLER_MAGIC = 0x47a2d96e,
	RETRY_MIN_MS = 60 * 1000,      /* the first wait after a failure, as for the incumbent; */
	RETRY_MAX_MS = 16 * 60 * 1000, /* it doubles up to this */
	REFRESH_MAX_S = 24 * 60 * 60, /* an answer is not used longer than this without a new one */
	STATUS_REQUEST = 5, /* RFC 6066 1.1; the number that RFC 7633 puts into must-staple */
};

struct staple {
	unsigned magic;
	struct ocsp_subject own;	      /* our certificate and its issuer */
	STACK_OF(OPENSSL_STRING) *responders; /* of its AIA */
	bool must; /* it says that it is worth nothing without an answer */
	pthread_mutex_t mutex;
	uint8_t *bytes; /* NULL: none yet */
	size_t size;
	time_t until;
};

/* ---- what is stapled ---- */

/* A copy as OpenSSL wants it, or NULL. */
static unsigned char *
copy_out(struct staple *s, size_t *size)
{
	unsigned char *copy = NULL;

	pthread_mutex_lock(&s->mutex);
	if (s->bytes != NULL && s->until > time(NULL)) {
		copy = OPENSSL_memdup(s->bytes, s->size);
		*size = s->size;
	}
	pthread_mutex_unlock(&s->mutex);
	return copy;
}

static void
copy_in(struct staple *s, const uint8_t *bytes, size_t size, time_t until)
{
	uint8_t *copy = malloc(size);

	if (copy == NULL)
		return;
	memcpy(copy, bytes, size);
	pthread_mutex_lock(&s->mutex);
	free(s->bytes);
	s->bytes = copy;
	s->size = size;
	s->until = until;
	pthread_mutex_unlock(&s->mutex);
}

/* SSL_CTX_set_tlsext_status_cb(3): the client would like an answer. */
static int
on_status_request(SSL *ssl, void *arg)
{
	const struct tls_context *tc = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct log_ctx *log = SSL_get_app_data(ssl);
	unsigned char *bytes = NULL;
	size_t size = 0;

	(void)arg;
	if (tc->staple != NULL)
		bytes = copy_out(tc->staple, &size);
	if (bytes == NULL) {
		if (tc->staple != NULL && tc->staple->must)
			log_warn(log != NULL ? log : &log_main,
			    "OCSP: No answer to staple, and the certificate demands one "
			    "(must-staple): strict clients will refuse it");
		return SSL_TLSEXT_ERR_NOACK;
	}
	if (SSL_set_tlsext_status_ocsp_resp(ssl, bytes, (long)size) == 1)
		return SSL_TLSEXT_ERR_OK;
	OPENSSL_free(bytes);
	return SSL_TLSEXT_ERR_NOACK;
}

/* ---- our certificate ---- */

/* From the chain that we send, else from CAfile.  The caller frees it. */
static X509 *
find_issuer(SSL_CTX *ctx, X509 *cert)
{
	STACK_OF(X509) *chain = NULL;
	X509_STORE_CTX *look = X509_STORE_CTX_new();
	X509 *issuer = NULL;

	SSL_CTX_get0_chain_certs(ctx, &chain);
	if (sk_X509_num(chain) < 1)
		SSL_CTX_get_extra_chain_certs(ctx, &chain);
	for (int i = 0; i < sk_X509_num(chain) && issuer == NULL; i++)
		if (X509_check_issued(sk_X509_value(chain, i), cert) == X509_V_OK)
			X509_up_ref(issuer = sk_X509_value(chain, i));
	if (issuer == NULL && look != NULL &&
	    X509_STORE_CTX_init(look, SSL_CTX_get_cert_store(ctx), cert, NULL))
		(void)X509_STORE_CTX_get1_issuer(&issuer, look, cert);
	X509_STORE_CTX_free(look);
	ERR_clear_error();
	return issuer;
}

/* RFC 7633: the certificate demands a stapled answer. */
static bool
must_staple(X509 *cert)
{
	TLS_FEATURE *features = X509_get_ext_d2i(cert, NID_tlsfeature, NULL, NULL);
	bool must = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		must =
		    must || ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == STATUS_REQUEST;
	TLS_FEATURE_free(features);
	ERR_clear_error();
	return must;
}

static void
inherit(struct staple *s, struct staple *old)
{
	if (old == NULL || X509_cmp(s->own.cert, old->own.cert) != 0)
		return;
	pthread_mutex_lock(&old->mutex);
	if (old->bytes != NULL)
		copy_in(s, old->bytes, old->size, old->until);
	pthread_mutex_unlock(&old->mutex);
}

/*
 * Beside pre-shared keys the incumbent staples nothing, so nobody counts on it; but a certificate
 * that demands an answer would be worth nothing without.
 */
static bool
keys_are_enough(const struct tls_context *tc, X509 *cert)
{
	if (tc->psk == NULL || must_staple(cert))
		return false;
	log_notice(&log_main, "Service [%s]: no OCSP stapling beside PSKsecrets", tc->service);
	return true;
}

bool
staple_install(struct tls_context *tc, const struct tls_context *previous)
{
	X509 *cert = SSL_CTX_get0_certificate(tc->ctx);
	STACK_OF(OPENSSL_STRING) *responders;
	struct staple *s;
	X509 *issuer;

	if (cert == NULL || (responders = X509_get1_ocsp(cert)) == NULL)
		return true; /* nobody to ask: most certificates today */
	if (keys_are_enough(tc, cert)) {
		X509_email_free(responders);
		return true;
	}
	if ((issuer = find_issuer(tc->ctx, cert)) == NULL) {
		log_info(&log_main,
		    "Service [%s]: no OCSP stapling: cert and CAfile lack the issuer of the "
		    "certificate",
		    tc->service);
		X509_email_free(responders);
		return true;
	}
	if (OBJ_NEW(s, STAPLE_MAGIC) == NULL) {
		X509_email_free(responders);
		X509_free(issuer);
		return false;
	}
	pthread_mutex_init(&s->mutex, NULL);
	X509_up_ref(cert);
	s->own = (struct ocsp_subject){ cert, issuer };
	s->responders = responders;
	s->must = must_staple(cert);
	inherit(s, previous != NULL ? previous->staple : NULL);
	tc->staple = s;
	SSL_CTX_set_tlsext_status_cb(tc->ctx, on_status_request);
	return true;
}

void
staple_free(struct staple *s)
{
	if (s == NULL)
		return;
	CHECK_OBJ(s, STAPLE_MAGIC);
	X509_free(s->own.cert);
	X509_free(s->own.issuer);
	X509_email_free(s->responders);
	pthread_mutex_destroy(&s->mutex);
	free(s->bytes);
	OBJ_FREE(s);
}

/* ---- keeping it fresh ---- */

struct stapler {
	unsigned magic;
	struct staple *staple;
	const char *service;
	int timeout_ms;
	struct ocsp_env env;
	struct task task;
	struct timer timer; /* until the next round */
	int responder;	    /* the next one of this round; -1: no round is on */
	int64_t retry_ms;   /* the wait after the next failure */
	struct ocsp_question question;
	struct ocsp_fetch *fetch;
	struct stapler *prev, *next;
};

/* Half of what is left: there is time for many failures before the answer expires. */
static int64_t
refresh_ms(time_t until)
{
	int64_t left = (int64_t)(until - time(NULL)) / 2;

	if (left > REFRESH_MAX_S)
		left = REFRESH_MAX_S;
	return left * 1000 < RETRY_MIN_MS ? RETRY_MIN_MS : left * 1000;
}

static void
end_round(struct stapler *s, int64_t pause_ms)
{
	s->responder = -1;
	ocsp_answer_asked(&s->question);
	loop_timer(s->env.loop, &s->timer, pause_ms);
}

/* A store that trusts nothing but the issuer of our certificate, which the operator gave us. */
static X509_STORE *
issuer_store(X509 *issuer)
{
	X509_STORE *store = X509_STORE_new();

	if (store != NULL && X509_STORE_add_cert(store, issuer) &&
	    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN))
		return store;
	X509_STORE_free(store);
	return NULL;
}

static struct ocsp_answer
understand(struct stapler *s, const uint8_t *bytes, size_t size)
{
	struct ocsp_answer answer = { .status = OCSP_OPEN };
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct ocsp_trust trust = { issuer_store(s->staple->own.issuer), chain, 0 };

	if (chain != NULL && trust.store != NULL && sk_X509_push(chain, s->staple->own.issuer) > 0)
		answer = ocsp_answer_read(s->env.log, bytes, size, &s->staple->own, NULL, &trust);
	sk_X509_free(chain);
	X509_STORE_free(trust.store);
	return answer;
}

/* An answer is here.  True: it is one to staple. */
static bool
take_answer(struct stapler *s)
{
	struct ocsp_answer answer;
	const uint8_t *bytes;
	size_t size;

	bytes = ocsp_fetch_answer(s->fetch, &size);
	answer = understand(s, bytes, size);
	if (answer.status == OCSP_REVOKED)
		log_err(s->env.log, "Service [%s]: our own certificate is revoked", s->service);
	if (answer.status != OCSP_GOOD)
		return false;
	if (answer.until <= time(NULL)) {
		log_info(s->env.log,
		    "Service [%s]: the OCSP answer has no end (nextUpdate), and is not stapled",
		    s->service);
		return false;
	}
	copy_in(s->staple, bytes, size, answer.until);
	log_info(s->env.log, "Service [%s]: a new OCSP answer is stapled", s->service);
	s->retry_ms = RETRY_MIN_MS;
	end_round(s, refresh_ms(answer.until));
	return true;
}

/* Ask the next responder.  False: there is none, or no memory. */
static bool
ask_next(struct stapler *s)
{
	const char *url;

	if (s->responder >= sk_OPENSSL_STRING_num(s->staple->responders))
		return false;
	url = sk_OPENSSL_STRING_value(s->staple->responders, s->responder++);
	if (s->question.bytes == NULL && !ocsp_answer_ask(&s->staple->own, false, &s->question))
		return false;
	s->fetch =
	    ocsp_fetch_new(&s->env, url, false, s->question.bytes, s->question.size, s->timeout_ms);
	return true;
}

static void
give_up(struct stapler *s)
{
	log_warn(s->env.log, "Service [%s]: no OCSP answer to staple; trying again in %lld s",
	    s->service, (long long)s->retry_ms / 1000);
	end_round(s, s->retry_ms);
	s->retry_ms = s->retry_ms * 2 < RETRY_MAX_MS ? s->retry_ms * 2 : RETRY_MAX_MS;
}

static void
run(void *owner)
{
	struct stapler *s = owner;
	bool done = false;
	enum io got;

	CHECK_OBJ(s, STAPLER_MAGIC);
	if (s->responder == -1) {
		if (!s->timer.fired)
			return;
		s->responder = 0;
		loop_untimer(s->env.loop, &s->timer);
	}
	while (!done) {
		if (s->fetch == NULL && !ask_next(s)) {
			give_up(s);
			return;
		}
		if (s->fetch == NULL)
			continue; /* that URL cannot be used */
		if ((got = ocsp_fetch_step(s->fetch)) == IO_AGAIN)
			return;
		done = got == IO_OK && take_answer(s);
		ocsp_fetch_free(s->fetch);
		s->fetch = NULL;
	}
}

void
stapler_start(struct stapler **list, const struct tls_context *tc, struct loop *loop,
    struct pool *pool, struct resolver *resolver)
{
	struct stapler *s;
	bool fresh;

	if (tc == NULL || tc->staple == NULL || OBJ_NEW(s, STAPLER_MAGIC) == NULL)
		return;
	s->staple = tc->staple;
	s->service = tc->service;
	s->timeout_ms = tc->conf->ocsp.timeout_ms;
	s->env = (struct ocsp_env){ loop, pool, resolver, &s->task, &log_main };
	s->task = (struct task){ .run = run, .owner = s, .lane = LANE_SETUP };
	s->timer.task = &s->task;
	s->retry_ms = RETRY_MIN_MS;
	DL_PREPEND(*list, s);
	pthread_mutex_lock(&s->staple->mutex);
	fresh = s->staple->bytes != NULL && s->staple->until > time(NULL);
	pthread_mutex_unlock(&s->staple->mutex);
	if (fresh) {
		end_round(s, refresh_ms(s->staple->until));
		return;
	}
	loop_queue(loop, &s->task);
}

void
stapler_stop(struct stapler **list)
{
	while (*list != NULL) {
		struct stapler *s = *list;

		CHECK_OBJ(s, STAPLER_MAGIC);
		DL_DELETE(*list, s);
		ocsp_fetch_free(s->fetch);
		ocsp_answer_asked(&s->question);
		loop_untimer(s->env.loop, &s->timer);
		loop_cancel(s->env.loop, &s->task);
		OBJ_FREE(s);
	}
}
