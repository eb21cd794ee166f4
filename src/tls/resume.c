/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/resume.c -- sessions that are taken up again.
 *
 * What keeps a session inside its trust domain, strongest first: tickets are under keys that no
 * other context has; OpenSSL compares the session-id context, which is the trust hash (in a server
 * together with the name that the client asks for: sni_bind()); each ticket
 * carries the trust hash and the time of its full handshake; verify_verdict() asks for all of it
 * once more.
 */
#include "tls/resume.h"

#include "base/log.h"
#include "tls/ocsp.h"
#include "tls/sni.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

/*
 * A session that was young enough when the handshake began may be a little too old when it ends;
 * this is the longest that a handshake can take (TIMEOUTbusy's default).
 */
enum {
	HANDSHAKE_MS = 300 * 1000,
	SKEW_MS = 2000, /* between the clocks of machines that share sessions */
};

static int64_t
clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t
now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* Are sessions also taken up by later processes, and on other machines? */
static bool
is_shared(const struct tls_context *tc)
{
	return tc->role == TLS_SERVER &&
	       (tc->conf->ticket_key.size > 0 || tc->conf->sessiond != NULL);
}

/* The clock by which sessions of this context age: the one that all who share them have. */
static int64_t
age_clock(const struct tls_context *tc)
{
	return is_shared(tc) ? clock_ms(CLOCK_REALTIME) : now_ms();
}

/* ---- ticket keys ---- */

enum { KEY_NAME = 16, AES_KEY = 32, MAC_KEY = 32 };

struct ticket_key {
	unsigned char name[KEY_NAME]; /* as RFC 5077 section 4 recommends: random, in clear */
	unsigned char aes[AES_KEY], mac[MAC_KEY];
	int64_t born_ms;
};

struct ticket_ring {
	unsigned magic;
	unsigned refs;
	int rotation_ms;    /* 0: the key is fixed */
	EVP_CIPHER *cipher; /* fetched once: a fetch for each ticket would cost more than the AES */
	pthread_mutex_t mutex;
	struct ticket_key current, older;
	bool has_older;
};
enum { TICKET_RING_MAGIC = 0x5a17c0e3 };

static bool
key_make(struct ticket_key *key)
{
	if (RAND_bytes(key->name, KEY_NAME) != 1 || RAND_priv_bytes(key->aes, AES_KEY) != 1 ||
	    RAND_priv_bytes(key->mac, MAC_KEY) != 1)
		return false;
	key->born_ms = now_ms();
	return true;
}

/* One part of a fixed key, for this trust alone: HMAC(secret, what it is for, trust hash). */
static bool
key_part(const struct tls_context *tc, const struct tls_secret *secret, const char *purpose,
    unsigned char *out, size_t size)
{
	unsigned char text[64], digest[EVP_MAX_MD_SIZE];
	size_t n = strlen(purpose), got = 0;
	bool ok;

	MUST(n + TLS_TRUST_SIZE <= sizeof(text));
	memcpy(text, purpose, n);
	memcpy(text + n, tc->trust, TLS_TRUST_SIZE);
	ok = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret->bytes, secret->size, text,
		 n + TLS_TRUST_SIZE, digest, sizeof(digest), &got) != NULL &&
	     got >= size;
	if (ok)
		memcpy(out, digest, size);
	OPENSSL_cleanse(digest, sizeof(digest));
	return ok;
}

/*
 * ticketKeySecret and ticketMacSecret.  Not used as they stand: services and machines that share
 * the secrets share tickets only if they also trust the same.  The name stands for both secrets:
 * OpenSSL ends the handshake at a ticket whose MAC is right and whose text is not.
 */
static bool
key_derive(const struct tls_context *tc, struct ticket_key *key)
{
	static const char purpose[] = "ginnel ticket name";
	const struct tls_conf *conf = tc->conf;
	unsigned char other[KEY_NAME];

	if (!key_part(tc, &conf->ticket_mac, purpose, key->name, KEY_NAME) ||
	    !key_part(tc, &conf->ticket_key, purpose, other, KEY_NAME) ||
	    !key_part(tc, &conf->ticket_key, "ginnel ticket key", key->aes, AES_KEY) ||
	    !key_part(tc, &conf->ticket_mac, "ginnel ticket mac", key->mac, MAC_KEY))
		return false;
	for (size_t i = 0; i < KEY_NAME; i++)
		key->name[i] ^= other[i];
	return true;
}

struct ticket_ring *
ticket_ring_new(const struct tls_context *tc)
{
	bool fixed = tc->conf->ticket_key.size > 0;
	struct ticket_ring *ring;

	if (OBJ_NEW(ring, TICKET_RING_MAGIC) == NULL)
		return NULL;
	ring->refs = 1;
	ring->rotation_ms = fixed ? 0 : tc->conf->ticket_rotation_ms;
	pthread_mutex_init(&ring->mutex, NULL);
	if ((ring->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL)) != NULL &&
	    (fixed ? key_derive(tc, &ring->current) : key_make(&ring->current)))
		return ring;
	ticket_ring_release(ring);
	return NULL;
}

struct ticket_ring *
ticket_ring_hold(struct ticket_ring *ring)
{
	CHECK_OBJ(ring, TICKET_RING_MAGIC);
	pthread_mutex_lock(&ring->mutex);
	ring->refs++;
	pthread_mutex_unlock(&ring->mutex);
	return ring;
}

void
ticket_ring_release(struct ticket_ring *ring)
{
	bool last;

	if (ring == NULL)
		return;
	CHECK_OBJ(ring, TICKET_RING_MAGIC);
	pthread_mutex_lock(&ring->mutex);
	last = --ring->refs == 0;
	pthread_mutex_unlock(&ring->mutex);
	if (!last)
		return;
	pthread_mutex_destroy(&ring->mutex);
	EVP_CIPHER_free(ring->cipher);
	OPENSSL_cleanse(&ring->current, sizeof(ring->current));
	OPENSSL_cleanse(&ring->older, sizeof(ring->older));
	OBJ_FREE(ring);
}

/* With the mutex held.  Without randomness the old key stays: no worse than a late rotation. */
static void
ring_rotate(struct ticket_ring *ring, int64_t now)
{
	struct ticket_key fresh;

	/* The older key ends on time even if nobody came to rotate it away. */
	if (ring->has_older && now - ring->older.born_ms >= 2 * (int64_t)ring->rotation_ms) {
		OPENSSL_cleanse(&ring->older, sizeof(ring->older));
		ring->has_older = false;
	}
	if (now - ring->current.born_ms < ring->rotation_ms || !key_make(&fresh))
		return;
	ring->has_older = now - ring->current.born_ms < 2 * (int64_t)ring->rotation_ms;
	if (ring->has_older)
		ring->older = ring->current;
	ring->current = fresh;
	OPENSSL_cleanse(&fresh, sizeof(fresh));
}

enum which_key { KEY_NONE, KEY_CURRENT, KEY_OLDER };

/* Copy out the key to write with (`name` NULL) or the one of that name. */
static enum which_key
ring_key(struct ticket_ring *ring, const unsigned char *name, struct ticket_key *out)
{
	enum which_key which = KEY_NONE;

	pthread_mutex_lock(&ring->mutex);
	if (ring->rotation_ms > 0)
		ring_rotate(ring, now_ms());
	if (name == NULL || memcmp(name, ring->current.name, KEY_NAME) == 0)
		which = KEY_CURRENT;
	else if (ring->has_older && memcmp(name, ring->older.name, KEY_NAME) == 0)
		which = KEY_OLDER;
	if (which != KEY_NONE)
		*out = which == KEY_CURRENT ? ring->current : ring->older;
	pthread_mutex_unlock(&ring->mutex);
	return which;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 is use it, 2 use it and renew, 0 no such key. */
static int
on_ticket_key(SSL *ssl, unsigned char name[KEY_NAME], unsigned char iv[EVP_MAX_IV_LENGTH],
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int writing)
{
	const struct tls_context *tc = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key key;
	enum which_key which = ring_key(tc->tickets, writing ? NULL : name, &key);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac, MAC_KEY),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA2-256" }, 0),
		OSSL_PARAM_construct_end(),
	};
	bool ok;

	if (which == KEY_NONE)
		return 0;
	if (writing) {
		memcpy(name, key.name, KEY_NAME);
		ok = RAND_bytes(iv, EVP_CIPHER_get_iv_length(tc->tickets->cipher)) == 1;
	} else {
		ok = true;
	}
	ok = ok && EVP_CipherInit_ex(cipher, tc->tickets->cipher, NULL, key.aes, iv, writing) &&
	     EVP_MAC_CTX_set_params(mac, params);
	OPENSSL_cleanse(&key, sizeof(key));
	if (!ok)
		return -1;
	return which == KEY_OLDER ? 2 : 1;
}

/* ---- the life of a session, server side ---- */

/* A ticket's application data; read only by who has the key, which is this very program. */
struct stamp {
	unsigned char trust[TLS_TRUST_SIZE];
	int64_t full_ms;  /* age_clock() at the full handshake */
	int64_t by_psk;	  /* that one was by a pre-shared key, and so without a certificate */
	uint64_t visitor; /* of that one's server random (RFC 8446 4.1.3), the first bytes; or 0 */
};

static bool
stamp_read(SSL_SESSION *session, struct stamp *out)
{
	void *data;
	size_t n;

	if (!SSL_SESSION_get0_ticket_appdata(session, &data, &n) || n != sizeof(*out))
		return false;
	memcpy(out, data, sizeof(*out));
	return true;
}

static bool
is_young(const struct tls_context *tc, int64_t full_ms, int64_t grace_ms)
{
	int64_t age = age_clock(tc) - full_ms;

	return age >= (is_shared(tc) ? -SKEW_MS : 0) &&
	       age < tc->conf->session_timeout_ms + grace_ms;
}

static bool
trust_is_ours(const struct tls_context *tc, const unsigned char *trust, size_t n)
{
	return n == TLS_TRUST_SIZE && CRYPTO_memcmp(trust, tc->trust, TLS_TRUST_SIZE) == 0;
}

/* A session is about to be sent, as a ticket or as a TLS 1.3 identity kept here. */
static int
on_ticket_write(SSL *ssl, void *arg)
{
	const struct tls_context *tc = arg;
	SSL_SESSION *session = SSL_get_session(ssl);
	int64_t now = age_clock(tc);
	struct stamp stamp = { .full_ms = now };

	if (SSL_session_reused(ssl)) {
		/* Without a stamp its age is unknown: let this one be the last. */
		if (!stamp_read(session, &stamp))
			stamp.full_ms = now - tc->conf->session_timeout_ms;
		/*
		 * TLS 1.3 has just set the time of the renewed session to now; sessions kept here
		 * are judged by it.
		 */
		SSL_SESSION_set_time(
		    session, (long)(time(NULL) - (now - stamp.full_ms + 999) / 1000));
	}
	if (stamp.visitor == 0)
		(void)SSL_get_server_random(
		    ssl, (unsigned char *)&stamp.visitor, sizeof(stamp.visitor));
	memcpy(stamp.trust, tc->trust, TLS_TRUST_SIZE);
	return SSL_SESSION_set1_ticket_appdata(session, &stamp, sizeof(stamp));
}

uint64_t
resume_visitor(const SSL *ssl, const struct tls_context *tc)
{
	SSL_SESSION *session = SSL_get_session(ssl);
	const unsigned char *id;
	struct stamp stamp;
	uint64_t visitor = 0;
	unsigned n;

	if (session == NULL || tc->role != TLS_SERVER || !tc->conf->session_resume)
		return 0;
	if (stamp_read(session, &stamp))
		return stamp.visitor;
	/* TLS 1.2 by session id has no stamp, and keeps the id, which was drawn by us. */
	id = SSL_SESSION_get_id(session, &n);
	if (SSL_version(ssl) < TLS1_3_VERSION && n >= sizeof(visitor))
		memcpy(&visitor, id, sizeof(visitor));
	return visitor;
}

bool
resume_mark_psk(SSL_SESSION *session, const struct tls_context *tc)
{
	struct stamp stamp = { .full_ms = age_clock(tc), .by_psk = 1 };

	memcpy(stamp.trust, tc->trust, TLS_TRUST_SIZE);
	return SSL_SESSION_set1_id_context(session, tc->trust, TLS_TRUST_SIZE) &&
	       SSL_SESSION_set1_ticket_appdata(session, &stamp, sizeof(stamp));
}

bool
resume_has_psk_mark(const SSL *ssl, const struct tls_context *tc)
{
	SSL_SESSION *session = SSL_get_session(ssl);
	struct stamp stamp;

	return session != NULL && stamp_read(session, &stamp) && stamp.by_psk == 1 &&
	       trust_is_ours(tc, stamp.trust, sizeof(stamp.trust));
}

/* May it be taken up?  Its age and its certificate's end count; the rest is in trust. */
static bool
may_resume(const struct tls_context *tc, SSL_SESSION *session)
{
	X509 *cert = SSL_SESSION_get0_peer(session);
	struct stamp stamp;

	return stamp_read(session, &stamp) && trust_is_ours(tc, stamp.trust, sizeof(stamp.trust)) &&
	       is_young(tc, stamp.full_ms, 0) &&
	       (cert == NULL || X509_cmp_current_time(X509_get0_notAfter(cert)) > 0) &&
	       ocsp_may_resume(tc, cert);
}

/* A ticket has come back.  "Ignore" means a full handshake, and a new ticket after it. */
static SSL_TICKET_RETURN
on_ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_len,
    SSL_TICKET_STATUS status, void *arg)
{
	const struct tls_context *tc = arg;

	(void)name;
	(void)name_len;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (!may_resume(tc, session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	/* TLS 1.3 clients use a ticket once (RFC 8446 C.4), and need another for next time. */
	if (status == SSL_TICKET_SUCCESS && SSL_version(ssl) < TLS1_3_VERSION)
		return SSL_TICKET_RETURN_USE;
	return SSL_TICKET_RETURN_USE_RENEW;
}

static bool
server_install(struct tls_context *tc)
{
	const struct tls_conf *conf = tc->conf;
	SSL_CTX *ctx = tc->ctx;

	if (tc->tickets == NULL && (tc->tickets = ticket_ring_new(tc)) == NULL)
		return false;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
	SSL_CTX_sess_set_cache_size(ctx, conf->session_cache_size);
	/* One: a second ticket costs 3 to 5 % of a handshake, and only browsers use it. */
	return SSL_CTX_set_num_tickets(ctx, 1) &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket_key) &&
	       SSL_CTX_set_session_ticket_cb(ctx, on_ticket_write, on_ticket_read, tc);
}

/* ---- sessions of a client ---- */

/* Which server a session is for: compared as bytes, so what is not set must be zero. */
struct place {
	const struct tls_context *tc;
	struct addr addr;
};

/*
 * The last session for one place.  The cache holds it, and so does each SSL that may still bring a
 * newer session; all of them live in one thread.
 */
struct kept {
	unsigned magic;
	unsigned refs;
	struct place place;
	struct resume_cache *cache; /* NULL: forgotten */
	SSL_SESSION *session;	    /* may be NULL */
	int64_t full_ms;	    /* of its full handshake */
	UT_hash_handle hh;
};
enum { KEPT_MAGIC = 0x2be94d71 };

struct resume_cache {
	unsigned magic;
	struct kept *all; /* in the order of their making */
};
enum { RESUME_CACHE_MAGIC = 0x73f0a86d };

/* What one SSL brought to its handshake. */
struct offer {
	unsigned magic;
	struct kept *kept;
	int64_t began_ms; /* a new session is as old as the handshake, however late it is sent */
	int64_t full_ms;  /* of the session that was offered */
};
enum { OFFER_MAGIC = 0x1d6c35fb };

static void
kept_release(struct kept *k)
{
	CHECK_OBJ(k, KEPT_MAGIC);
	if (--k->refs > 0)
		return;
	SSL_SESSION_free(k->session);
	OBJ_FREE(k);
}

static void
kept_forget(struct kept *k)
{
	HASH_DEL(k->cache->all, k);
	k->cache = NULL;
	SSL_SESSION_free(k->session);
	k->session = NULL;
	kept_release(k);
}

/* A CRYPTO_EX_free: the SSL is gone. */
static void
offer_free(void *ssl, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	struct offer *offer = ptr;

	(void)ssl;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	if (offer == NULL)
		return;
	CHECK_OBJ(offer, OFFER_MAGIC);
	kept_release(offer->kept);
	OBJ_FREE(offer);
}

static int offer_index = -1;

static void
make_offer_index(void)
{
	offer_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, offer_free);
}

static int
offer_slot(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_offer_index);
	return offer_index;
}

static struct offer *
offer_of(const SSL *ssl)
{
	struct offer *offer = offer_slot() < 0 ? NULL : SSL_get_ex_data(ssl, offer_slot());

	if (offer != NULL)
		CHECK_OBJ(offer, OFFER_MAGIC);
	return offer;
}

/* The server has sent a session.  1: it is kept; 0: OpenSSL frees it. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct offer *offer = offer_of(ssl);
	struct stamp stamp;

	if (offer == NULL || offer->kept->cache == NULL || !SSL_SESSION_is_resumable(session))
		return 0;
	SSL_SESSION_free(offer->kept->session);
	offer->kept->session = session;
	if (stamp_read(session, &stamp)) /* it began with a pre-shared key, in TLS 1.3 */
		offer->kept->full_ms = stamp.full_ms;
	else
		offer->kept->full_ms = SSL_session_reused(ssl) ? offer->full_ms : offer->began_ms;
	return 1;
}

struct resume_cache *
resume_cache_new(void)
{
	struct resume_cache *cache;

	return OBJ_NEW(cache, RESUME_CACHE_MAGIC);
}

void
resume_cache_free(struct resume_cache *cache)
{
	struct kept *k, *next;

	if (cache == NULL)
		return;
	CHECK_OBJ(cache, RESUME_CACHE_MAGIC);
	HASH_ITER (hh, cache->all, k, next)
		kept_forget(k);
	OBJ_FREE(cache);
}

void
resume_forget(struct resume_cache *cache, const struct tls_context *tc)
{
	struct kept *k, *next;

	CHECK_OBJ(cache, RESUME_CACHE_MAGIC);
	HASH_ITER (hh, cache->all, k, next)
		if (k->place.tc == tc)
			kept_forget(k);
}

static struct place
place_of(const struct tls_context *tc, const struct addr *addr)
{
	struct place place;

	memset(&place, 0, sizeof(place));
	place.tc = tc;
	place.addr.len = addr->len;
	memcpy(&place.addr.sa, &addr->sa, addr->len);
	return place;
}

/* The entry for a place, made if need be; the oldest one makes room.  NULL: no memory. */
static struct kept *
kept_get(struct resume_cache *cache, const struct tls_context *tc, const struct addr *addr)
{
	struct place place = place_of(tc, addr);
	long most = tc->conf->session_cache_size;
	struct kept *k;

	HASH_FIND(hh, cache->all, &place, sizeof(place), k);
	if (k != NULL)
		return k;
	if (OBJ_NEW(k, KEPT_MAGIC) == NULL)
		return NULL;
	if (most > 0 && HASH_COUNT(cache->all) >= (unsigned long)most)
		kept_forget(cache->all);
	k->refs = 1;
	k->cache = cache;
	memcpy(&k->place, &place, sizeof(place));
	HASH_ADD(hh, cache->all, place, sizeof(place), k);
	if (k->hh.tbl != NULL) /* it is in the table */
		return k;
	OBJ_FREE(k);
	return NULL;
}

static void
log_offer(const SSL *ssl, const SSL_SESSION *session)
{
	const struct log_ctx *log = SSL_get_app_data(ssl);
	unsigned n;
	const unsigned char *id = SSL_SESSION_get_id(session, &n);
	char hex[2 * SSL_MAX_SSL_SESSION_ID_LENGTH + 1] = "";

	for (unsigned i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02X", id[i]);
	log_info(log != NULL ? log : &log_main, "Attempting to resume: %s", hex);
}

void
resume_offer(
    struct resume_cache *cache, SSL *ssl, const struct tls_context *tc, const struct addr *addr)
{
	struct offer *offer;
	struct kept *k;

	CHECK_OBJ(cache, RESUME_CACHE_MAGIC);
	if (!tc->conf->session_resume || offer_slot() < 0 || offer_of(ssl) != NULL ||
	    (k = kept_get(cache, tc, addr)) == NULL || OBJ_NEW(offer, OFFER_MAGIC) == NULL)
		return; /* without resumption it also works */
	offer->kept = k;
	offer->began_ms = now_ms();
	offer->full_ms = k->full_ms;
	k->refs++;
	if (!SSL_set_ex_data(ssl, offer_slot(), offer)) {
		kept_release(k);
		OBJ_FREE(offer);
		return;
	}
	if (k->session != NULL &&
	    (!is_young(tc, k->full_ms, 0) || !SSL_SESSION_is_resumable(k->session) ||
		!ocsp_may_resume(tc, SSL_SESSION_get0_peer(k->session)))) {
		SSL_SESSION_free(k->session);
		k->session = NULL;
	}
	if (k->session != NULL && SSL_set_session(ssl, k->session))
		log_offer(ssl, k->session);
}

static void
client_install(struct tls_context *tc)
{
	SSL_CTX_set_session_cache_mode(tc->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tc->ctx, on_session);
}

/* ---- both ---- */

bool
resume_install(struct tls_context *tc)
{
	SSL_CTX *ctx = tc->ctx;

	/* OpenSSL refuses a session whose context differs, in both roles. */
	if (!SSL_CTX_set_session_id_context(ctx, tc->trust, TLS_TRUST_SIZE))
		return false;
	if (!tc->conf->session_resume || tc->conf->session_timeout_ms <= 0) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		/* NO_TICKET alone would only change what kind of ticket TLS 1.3 sends. */
		return SSL_CTX_set_num_tickets(ctx, 0);
	}
	/* OpenSSL counts whole seconds; the stamps count exactly. */
	SSL_CTX_set_timeout(ctx, (tc->conf->session_timeout_ms + 999) / 1000);
	if (tc->role == TLS_SERVER)
		return server_install(tc);
	client_install(tc);
	return true;
}

/* When was the session's full handshake?  False: that cannot be known. */
static bool
full_handshake_time(SSL *ssl, const struct tls_context *tc, SSL_SESSION *session, int64_t *out)
{
	struct offer *offer = offer_of(ssl);
	struct stamp stamp;

	if (stamp_read(session, &stamp)) {
		*out = stamp.full_ms;
		return trust_is_ours(tc, stamp.trust, sizeof(stamp.trust));
	}
	if (tc->role == TLS_CLIENT) {
		*out = offer == NULL ? 0 : offer->full_ms;
		return offer != NULL;
	}
	/* TLS 1.2 by session id has no stamp; its time is never renewed. */
	*out = age_clock(tc) - ((int64_t)time(NULL) - SSL_SESSION_get_time(session)) * 1000;
	return SSL_version(ssl) < TLS1_3_VERSION;
}

bool
resume_is_ours(SSL *ssl, const struct tls_context *tc)
{
	SSL_SESSION *session = SSL_get_session(ssl);
	const unsigned char *context;
	int64_t full_ms;
	unsigned n;

	if (session == NULL)
		return false;
	/* A pre-shared key looks like a session; then no other is there. */
	if (!tc->conf->session_resume)
		return resume_has_psk_mark(ssl, tc);
	context = SSL_SESSION_get0_id_context(session, &n);
	return n == TLS_TRUST_SIZE && CRYPTO_memcmp(context, sni_context(ssl, tc), n) == 0 &&
	       full_handshake_time(ssl, tc, session, &full_ms) &&
	       is_young(tc, full_ms, HANDSHAKE_MS);
}
