/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/ocsp.c -- has the peer's certificate been revoked?
 *
 * Where a handshake waits.  A TLS 1.3 client pauses inside it (SSL_set_retry_verify(3), which is
 * for clients only), as the stapled answer is there by then.  All others finish it and keep their
 * last flight back: a server has no way to pause behind the client's certificate, and in TLS 1.2 a
 * stapled answer comes only after OpenSSL has verified the chain.  Either way the peer is told by
 * an alert, and the stream is not open before the answer is here.
 */
#include "tls/ocsp.h"

#include "tls/ocsp_answer.h"
#include "tls/verify.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>
#include <uthash.h>

enum {
	OCSP_KEPT_MAGIC = 0x6b0d17e9,
	OCSP_CHECK_MAGIC = 0x35e8c2a4,
	KEPT_MAX = 4096, /* answers of one context */
	/*
	 * The longest that an answer is kept.  Some hold for a week by their own word, while the
	 * responder has a newer one every hour: whoever is revoked should not pass for that week.
	 */
	KEEP_S = 60 * 60,
	RESPONDERS_MAX = 4, /* of one certificate that are tried */
	SUBJECT_TEXT = 512,
};

/* ---- answers that are kept ---- */

enum about { ABOUT_CERT, ABOUT_PEER }; /* one certificate; or a leaf and all that is above it */

struct kept_key {
	unsigned char digest[32]; /* SHA-256 of the certificate */
	unsigned char about;
};

struct kept_answer {
	struct kept_key key;
	struct ocsp_answer answer;
	UT_hash_handle hh;
};

struct ocsp_kept {
	unsigned magic;
	pthread_mutex_t mutex;
	struct kept_answer *all; /* in the order of their making */
};

static bool
make_key(enum about about, X509 *cert, struct kept_key *out)
{
	unsigned n = 0;

	memset(out, 0, sizeof(*out));
	out->about = (unsigned char)about;
	return X509_digest(cert, EVP_sha256(), out->digest, &n) == 1 && n == sizeof(out->digest);
}

static void
drop(struct ocsp_kept *k, struct kept_answer *a)
{
	HASH_DEL(k->all, a);
	free(a);
}

static struct ocsp_answer
recall(struct ocsp_kept *k, enum about about, X509 *cert)
{
	struct ocsp_answer answer = { .status = OCSP_OPEN };
	struct kept_answer *a = NULL;
	struct kept_key key;

	if (!make_key(about, cert, &key))
		return answer;
	pthread_mutex_lock(&k->mutex);
	HASH_FIND(hh, k->all, &key, sizeof(key), a);
	if (a != NULL && a->answer.until > time(NULL))
		answer = a->answer;
	else if (a != NULL)
		drop(k, a);
	pthread_mutex_unlock(&k->mutex);
	return answer;
}

/* With the mutex held; the oldest makes room.  Without memory nothing is kept. */
static void
insert(struct ocsp_kept *k, const struct kept_key *key, struct ocsp_answer answer)
{
	struct kept_answer *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return;
	if (HASH_COUNT(k->all) >= KEPT_MAX)
		drop(k, k->all);
	a->key = *key;
	a->answer = answer;
	HASH_ADD(hh, k->all, key, sizeof(a->key), a);
	if (a->hh.tbl == NULL)
		free(a);
}

static void
keep(struct ocsp_kept *k, enum about about, X509 *cert, struct ocsp_answer answer)
{
	struct kept_answer *a = NULL;
	time_t now = time(NULL);
	struct kept_key key;

	if (!make_key(about, cert, &key))
		return;
	pthread_mutex_lock(&k->mutex);
	HASH_FIND(hh, k->all, &key, sizeof(key), a);
	if (a != NULL)
		drop(k, a);
	if (answer.until > now + KEEP_S)
		answer.until = now + KEEP_S;
	if (answer.status != OCSP_OPEN && answer.until > now)
		insert(k, &key, answer);
	pthread_mutex_unlock(&k->mutex);
}

void
ocsp_kept_free(struct ocsp_kept *k)
{
	if (k == NULL)
		return;
	CHECK_OBJ(k, OCSP_KEPT_MAGIC);
	while (k->all != NULL)
		drop(k, k->all);
	pthread_mutex_destroy(&k->mutex);
	OBJ_FREE(k);
}

/* Is anybody asked, beyond what a peer staples? */
static bool
asks(const struct tls_conf *conf)
{
	return conf->ocsp.url != NULL || conf->ocsp.aia;
}

bool
ocsp_may_resume(const struct tls_context *tc, X509 *cert)
{
	return tc->ocsp == NULL || cert == NULL || !asks(tc->conf) ||
	       recall(tc->ocsp, ABOUT_PEER, cert).status == OCSP_GOOD;
}

/* ---- one peer ---- */

enum source { SOURCE_KEPT, SOURCE_STAPLE, SOURCE_OPTION, SOURCE_AIA };

struct ocsp_check {
	unsigned magic;
	enum { NOT_BEGUN, ASKING, PASSED, REFUSED } state;
	struct ocsp_env env;
	const struct tls_context *tc;
	SSL *ssl;
	STACK_OF(X509) *chain; /* verified; the leaf first, the root last */
	int depth;	       /* whose turn it is */
	/* about this certificate: */
	enum source next;
	bool asked; /* somebody has been asked */
	STACK_OF(OPENSSL_STRING) *responders;
	int responder; /* the next one */
	struct ocsp_question question;
	struct ocsp_fetch *fetch;
	/* about all so far: */
	time_t until; /* 0: not to be kept */
	int alert;
};

static int check_index = -1;

static void
make_check_index(void)
{
	check_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int
check_slot(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_check_index);
	return check_index;
}

struct ocsp_check *
ocsp_check_new(const struct tls_context *tc, const struct ocsp_env *env, SSL *ssl)
{
	struct ocsp_check *c;

	if (OBJ_NEW(c, OCSP_CHECK_MAGIC) == NULL)
		return NULL;
	c->tc = tc;
	c->env = *env;
	c->ssl = ssl;
	if (SSL_set_ex_data(ssl, check_slot(), c))
		return c;
	OBJ_FREE(c);
	return NULL;
}

static struct ocsp_subject
subject_of(const struct ocsp_check *c)
{
	return (struct ocsp_subject){ sk_X509_value(c->chain, c->depth),
		sk_X509_value(c->chain, c->depth + 1) };
}

/* Done with one certificate, or with all. */
static void
forget_depth(struct ocsp_check *c)
{
	ocsp_fetch_free(c->fetch);
	c->fetch = NULL;
	ocsp_answer_asked(&c->question);
	X509_email_free(c->responders);
	c->responders = NULL;
	c->responder = 0;
	c->next = SOURCE_KEPT;
	c->asked = false;
}

void
ocsp_check_free(struct ocsp_check *c)
{
	if (c == NULL)
		return;
	CHECK_OBJ(c, OCSP_CHECK_MAGIC);
	SSL_set_ex_data(c->ssl, check_slot(), NULL);
	forget_depth(c);
	sk_X509_pop_free(c->chain, X509_free);
	OBJ_FREE(c);
}

int
ocsp_check_alert(const struct ocsp_check *c)
{
	return c->alert;
}

static struct ocsp_answer
read_answer(struct ocsp_check *c, const uint8_t *bytes, size_t size, OCSP_REQUEST *nonce_of)
{
	const struct ocsp_subject subject = subject_of(c);
	const struct ocsp_trust trust = { .store = SSL_CTX_get_cert_store(c->tc->ctx),
		.chain = c->chain,
		.flags = c->tc->conf->ocsp.flags };
	struct ocsp_answer answer =
	    ocsp_answer_read(c->env.log, bytes, size, &subject, nonce_of, &trust);

	/* Whoever wants a nonce wants each answer to be new. */
	if (!c->tc->conf->ocsp.nonce && answer.status != OCSP_OPEN)
		keep(c->tc->ocsp, ABOUT_CERT, subject.cert, answer);
	return answer;
}

/* A client's server may have stapled an answer to its handshake. */
static struct ocsp_answer
read_staple(struct ocsp_check *c)
{
	const unsigned char *bytes = NULL;
	long n;

	if (c->depth > 0 || c->tc->role != TLS_CLIENT)
		return (struct ocsp_answer){ .status = OCSP_OPEN };
	n = SSL_get_tlsext_status_ocsp_resp(c->ssl, &bytes);
	if (bytes != NULL && n > 0)
		return read_answer(c, bytes, (size_t)n, NULL);
	/* Nobody has to staple: only whoever configured OCSP wants to know. */
	log_at(c->env.log, asks(c->tc->conf) ? LOG_ERR : LOG_INFO,
	    "OCSP: No OCSP stapling response received");
	return (struct ocsp_answer){ .status = OCSP_OPEN };
}

/* Turn to a responder; without memory or with an unusable URL that is one that does not answer. */
static void
ask(struct ocsp_check *c, const char *url, bool foreign)
{
	const struct tls_conf *conf = c->tc->conf;
	const struct ocsp_subject subject = subject_of(c);

	c->asked = true;
	log_notice(c->env.log, "OCSP: Connecting the %s responder \"%s\"",
	    foreign ? "AIA" : "configured", url);
	ocsp_answer_asked(&c->question);
	if (!ocsp_answer_ask(&subject, conf->ocsp.nonce, &c->question)) {
		log_err(c->env.log, "OCSP: out of memory");
		return;
	}
	c->fetch = ocsp_fetch_new(
	    &c->env, url, foreign, c->question.bytes, c->question.size, conf->ocsp.timeout_ms);
}

/* The next responder that the certificate names.  False: no more. */
static bool
ask_aia(struct ocsp_check *c)
{
	if (!c->tc->conf->ocsp.aia)
		return false;
	if (c->responders == NULL)
		c->responders = X509_get1_ocsp(subject_of(c).cert);
	if (c->responder >= sk_OPENSSL_STRING_num(c->responders) || c->responder >= RESPONDERS_MAX)
		return false;
	ask(c, sk_OPENSSL_STRING_value(c->responders, c->responder++), true);
	return true;
}

/* Try the next source.  False: there is none.  An answer that is at hand goes to *answer. */
static bool
try_source(struct ocsp_check *c, struct ocsp_answer *answer)
{
	const struct tls_conf *conf = c->tc->conf;

	*answer = (struct ocsp_answer){ .status = OCSP_OPEN };
	switch (c->next) {
	case SOURCE_KEPT:
		c->next = SOURCE_STAPLE;
		if (!conf->ocsp.nonce)
			*answer = recall(c->tc->ocsp, ABOUT_CERT, subject_of(c).cert);
		if (answer->status != OCSP_OPEN)
			log_info(c->env.log, "OCSP: An earlier answer still holds");
		return true;
	case SOURCE_STAPLE:
		c->next = SOURCE_OPTION;
		*answer = read_staple(c);
		return true;
	case SOURCE_OPTION:
		c->next = SOURCE_AIA;
		if (c->depth == 0 && conf->ocsp.url != NULL)
			ask(c, conf->ocsp.url, false);
		return true;
	default:
		return ask_aia(c);
	}
}

static enum io
refuse(struct ocsp_check *c, int alert)
{
	char subject[SUBJECT_TEXT];

	log_warn(c->env.log, "Rejected by OCSP at depth=%d: %s", c->depth,
	    verify_subject(sk_X509_value(c->chain, c->depth), subject, sizeof(subject)));
	c->state = REFUSED;
	c->alert = alert;
	forget_depth(c);
	return IO_FAILED;
}

/* No source was conclusive. */
static enum io
decide_open(struct ocsp_check *c)
{
	if (!c->asked)
		return IO_OK;
	if (c->tc->conf->ocsp.require) {
		log_err(c->env.log, "OCSP: Rejected (OCSPrequire = yes)");
		return refuse(c, SSL_AD_CERTIFICATE_UNKNOWN);
	}
	log_notice(c->env.log, "OCSP: Accepted (OCSPrequire = no)");
	c->until = 0;
	return IO_OK;
}

static enum io
decide(struct ocsp_check *c, struct ocsp_answer answer)
{
	if (answer.status == OCSP_REVOKED) {
		log_err(c->env.log, "OCSP: Rejected (revoked)");
		/* Its sessions end here, too. */
		keep(c->tc->ocsp, ABOUT_PEER, sk_X509_value(c->chain, 0), answer);
		return refuse(c, SSL_AD_CERTIFICATE_REVOKED);
	}
	log_notice(c->env.log, "OCSP: Accepted (good)");
	if (answer.until < c->until)
		c->until = answer.until;
	return IO_OK;
}

/* Go on with the certificate whose turn it is. */
static enum io
step_depth(struct ocsp_check *c)
{
	struct ocsp_answer answer;

	for (;;) {
		if (c->fetch != NULL) {
			enum io got = ocsp_fetch_step(c->fetch);
			const uint8_t *bytes;
			size_t size;

			if (got == IO_AGAIN)
				return got;
			answer = (struct ocsp_answer){ .status = OCSP_OPEN };
			bytes = ocsp_fetch_answer(c->fetch, &size);
			if (got == IO_OK)
				answer = read_answer(c, bytes, size,
				    c->tc->conf->ocsp.nonce ? c->question.request : NULL);
			ocsp_fetch_free(c->fetch);
			c->fetch = NULL;
		} else if (!try_source(c, &answer)) {
			return decide_open(c);
		}
		if (answer.status != OCSP_OPEN)
			return decide(c, answer);
	}
}

static enum io
pass(struct ocsp_check *c)
{
	c->state = PASSED;
	if (asks(c->tc->conf) && !c->tc->conf->ocsp.nonce)
		keep(c->tc->ocsp, ABOUT_PEER, sk_X509_value(c->chain, 0),
		    (struct ocsp_answer){ .status = OCSP_GOOD, .until = c->until });
	return IO_OK;
}

/* The chain as OpenSSL has verified it. */
static void
begin(struct ocsp_check *c, STACK_OF(X509) *chain)
{
	c->state = ASKING;
	c->until = time(NULL) + KEEP_S;
	c->chain = chain != NULL ? X509_chain_up_ref(chain) : NULL;
}

enum io
ocsp_check_step(struct ocsp_check *c)
{
	enum io got;

	CHECK_OBJ(c, OCSP_CHECK_MAGIC);
	if (c->state == NOT_BEGUN)
		begin(c, SSL_get0_verified_chain(c->ssl));
	if (c->state == ASKING && sk_X509_num(c->chain) < 1) {
		log_err(c->env.log, "OCSP: No verified chain of certificates");
		c->state = REFUSED;
		c->alert = SSL_AD_INTERNAL_ERROR;
	}
	/* The last one is what is trusted: nobody could vouch for it. */
	while (c->state == ASKING && c->depth + 1 < sk_X509_num(c->chain)) {
		if ((got = step_depth(c)) != IO_OK)
			return got;
		forget_depth(c);
		c->depth++;
	}
	if (c->state == ASKING)
		return pass(c);
	return c->state == PASSED ? IO_OK : IO_FAILED;
}

/* ---- inside the handshake of a client ---- */

/* What OpenSSL's own alert is made of (ssl_x509err2alert(): what is not listed is "unknown"). */
static int
error_of(const struct ocsp_check *c)
{
	return c->alert == SSL_AD_CERTIFICATE_REVOKED ? X509_V_ERR_CERT_REVOKED
						      : X509_V_ERR_OCSP_VERIFY_FAILED;
}

static int
answer_openssl(struct ocsp_check *c, X509_STORE_CTX *ctx)
{
	switch (ocsp_check_step(c)) {
	case IO_OK:
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	case IO_AGAIN:
		return SSL_set_retry_verify(c->ssl);
	default:
		X509_STORE_CTX_set_error(ctx, error_of(c));
		return 0;
	}
}

/* SSL_CTX_set_cert_verify_callback(3); it runs again after each pause, for the same chain. */
static int
on_chain(X509_STORE_CTX *ctx, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct ocsp_check *c = SSL_get_ex_data(ssl, check_slot());

	(void)arg;
	if (c != NULL && c->state != NOT_BEGUN)
		return answer_openssl(c, ctx);
	if (X509_verify_cert(ctx) != 1)
		return 0;
	/* Before TLS 1.3 the stapled answer is still to come. */
	if (c == NULL || SSL_version(ssl) < TLS1_3_VERSION)
		return 1;
	begin(c, X509_STORE_CTX_get0_chain(ctx));
	return answer_openssl(c, ctx);
}

/* ---- a context ---- */

/* Without these checks whoever is on the way to the responder can say "good". */
static void
warn_of_flags(const struct tls_conf *conf, struct sink *sink)
{
	static const struct {
		unsigned long flag;
		const char *name;
	} blind[] = {
		{ OCSP_NOSIGS, "NOSIGS" },
		{ OCSP_NOVERIFY, "NOVERIFY" },
		{ OCSP_NOCHECKS, "NOCHECKS" },
	};

	for (size_t i = 0; asks(conf) && i < COUNT_OF(blind); i++)
		if ((conf->ocsp.flags & blind[i].flag) != 0)
			sink_warn(sink, "OCSPflag",
			    "%s lets answers count that others than the CA have made; remove it",
			    blind[i].name);
}

bool
ocsp_install(struct tls_context *tc, struct sink *sink)
{
	const struct tls_conf *conf = tc->conf;
	struct ocsp_kept *k;

	if (!conf->verify.chain && asks(conf)) {
		sink_error(sink, conf->ocsp.url != NULL ? "OCSP" : "OCSPaia",
		    "\"verifyChain\" has to be enabled for OCSP support");
		return false;
	}
	warn_of_flags(conf, sink);
	if (!conf->verify.chain || (tc->role == TLS_SERVER && !asks(conf)))
		return true;
	if (check_slot() < 0 || OBJ_NEW(k, OCSP_KEPT_MAGIC) == NULL)
		return false;
	pthread_mutex_init(&k->mutex, NULL);
	tc->ocsp = k;
	if (tc->role == TLS_SERVER)
		return true;
	SSL_CTX_set_cert_verify_callback(tc->ctx, on_chain, NULL);
	return SSL_CTX_set_tlsext_status_type(tc->ctx, TLSEXT_STATUSTYPE_ocsp) == 1;
}
