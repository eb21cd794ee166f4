/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/tls_stream.c -- TLS as a filter on a net/stream.
 *
 * The BIO below stands between the library and the stream.  Reading, it gives first what was peeked
 * at and then receives straight into the library's own buffer (read-ahead: several records with one
 * call). Writing, it appends to stream->out, so that several records leave with one send.
 *
 * Here is also the place where kernel TLS would take over after the handshake: tls_filter with its
 * read and write replaced.
 */
#include "tls/tls_stream.h"

#include "tls/alert.h"
#include "tls/errors.h"
#include "tls/ocsp.h"
#include "tls/psk.h"
#include "tls/sessiond.h"
#include "tls/sni.h"
#include "tls/verify.h"

#include <errno.h>
#include <openssl/ec.h>
#include <pthread.h>
#include <string.h>

enum {
	TLS_STREAM_MAGIC = 0x17a4c9e3,
	RECORD_PAYLOAD = 16 * 1024,	       /* RFC 8446 5.1 */
	RECORD_MAX = RECORD_PAYLOAD + 256 + 5, /* RFC 8446 5.2, and the header */
	/*
	 * Wire bytes taken in one stream_read(); what lies behind waits for the next turn, so that
	 * a peer that sends nothing but KeyUpdates cannot keep the worker.
	 */
	READ_BUDGET = 128 * 1024,
	/*
	 * What one receive may bring.  Not more: with each record OpenSSL moves all that is left to
	 * the front of its buffer, ssl3_read_n() in ssl/record/rec_layer_s3.c.
	 */
	READ_AHEAD = 4 * RECORD_MAX,
	/* So many wire bytes without one byte of data in them are an attack: 2,400 KeyUpdates are
	   fewer. */
	SILENT_MAX = 256 * 1024,
	/* KeyUpdates that a peer may send in a second; none needs more than a few an hour. */
	UPDATES_MAX = 100,
};

struct tls_stream {
	unsigned magic;
	SSL *ssl;
	const struct tls_context *tc;
	struct resolver *resolver;
	struct ocsp_check *check; /* while the peer's revocation is to be asked for */
	bool shaken;		  /* the handshake is done, and its verdict was good */
	size_t budget;		  /* wire bytes that this call may still take */
	size_t silent;		  /* wire bytes since the last byte of data */
	int64_t second;		  /* of loop_now(), in which */
	unsigned updates;	  /* so many KeyUpdates came */
	enum io last;		  /* how reading ended for good; IO_OK: it has not */
	bool must_write;	  /* reading stopped for want of room in ->out */
	bool unverified;	  /* the handshake is done, and only its verdict was bad */
	bool broken; /* after a fatal error the library must not be called again (SSL_get_error(3))
		      */
};

static struct tls_stream *
state_of(const struct stream *s)
{
	struct tls_stream *t = s->state;

	CHECK_OBJ(t, TLS_STREAM_MAGIC);
	return t;
}

static int
bio_read(BIO *bio, char *to, int size)
{
	struct stream *s = BIO_get_data(bio);
	struct tls_stream *t = state_of(s);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (buf_len(&s->in) > 0) {
		n = buf_len(&s->in) < (size_t)size ? (ssize_t)buf_len(&s->in) : size;
		memcpy(to, buf_head(&s->in), (size_t)n);
		buf_eat(&s->in, s->pool, (size_t)n);
	} else if (t->budget == 0) {
		n = -1;
		errno = EAGAIN;
	} else {
		n = stream_recv(s, to, (size_t)size);
	}
	if (n > 0) {
		t->silent += (size_t)n;
		t->budget -= t->budget < (size_t)n ? t->budget : (size_t)n;
	} else if (n == -1 && errno == EAGAIN) {
		BIO_set_retry_read(bio);
	} else if (n == -1) {
		(void)stream_fail_errno(s);
	}
	return (int)n;
}

static int
bio_write(BIO *bio, const char *from, int size)
{
	struct stream *s = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (size <= 0)
		return 0;
	if (buf_append(&s->out, s->pool, from, (size_t)size))
		return size;
	if (buf_len(&s->out) > 0)
		BIO_set_retry_write(bio); /* full */
	else
		(void)stream_fail(s, FAULT_MEMORY, ENOMEM);
	return -1;
}

static long
bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	/*
	 * BIO_CTRL_EOF is answered "no" on purpose: the library would take the end of the socket
	 * for a fatal error and refuse to write from then on, but the end of one direction is ours
	 * to judge (IO_CUT), and the other direction goes on.
	 */
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method; /* made once for the process */

static void
make_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ginnel stream");

	if (m == NULL)
		return;
	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	bio_method = m;
}

/*
 * An SSL_set_msg_callback(3): count what the peer can make us do without sending data, and see
 * whether either side has told the other of a fault.
 */
static void
on_message(int sent, int version, int type, const void *bytes, size_t n, SSL *ssl, void *stream)
{
	struct stream *s = stream;
	struct tls_stream *t = s->state;
	int64_t second = loop_now(s->loop) / 1000;

	(void)version;
	(void)ssl;
	if (type == SSL3_RT_ALERT && n > 0 && *(const uint8_t *)bytes == SSL3_AL_FATAL)
		s->alerted = true;
	if (sent || type != SSL3_RT_HANDSHAKE || n == 0 ||
	    *(const uint8_t *)bytes != SSL3_MT_KEY_UPDATE)
		return;
	if (t->second != second)
		t->updates = 0;
	t->second = second;
	t->updates++;
}

/* Does the peer keep us busy for nothing? */
static bool
is_abuse(const struct tls_stream *t)
{
	return t->updates > UPDATES_MAX || (t->last == IO_AGAIN && t->silent > SILENT_MAX);
}

/* Which kind of fault the library's oldest error stands for. */
static enum fault
fault_of(unsigned long code)
{
	switch (ERR_GET_REASON(code)) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return FAULT_CERT;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return FAULT_NO_CERT;
	case ERR_R_MALLOC_FAILURE:
		return FAULT_MEMORY;
	default:
		return FAULT_TLS;
	}
}

/* What a library call that returned `ret` <= 0 means.  `what` names the call in the log. */
static enum io
outcome(struct stream *s, struct tls_stream *t, int ret, const char *what)
{
	int error = SSL_get_error(t->ssl, ret);

	t->must_write = error == SSL_ERROR_WANT_WRITE;
	switch (error) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return IO_EOF;
	case SSL_ERROR_SYSCALL:
		if (s->fault != FAULT_NONE)
			break;
		if (s->socket_eof)
			return IO_CUT;
		__attribute__((fallthrough)); /* the library's own error, or none at all */
	default:
		(void)stream_fail(s, fault_of(errors_log(s->log, what)), 0);
	}
	t->broken = true;
	return IO_FAILED;
}

/* SSL_get_peer_tmp_key(3): what makes the secrets of this connection its own.  The incumbent's
 * words. */
static void
log_temporary_key(const struct stream *s, const struct tls_stream *t)
{
	EVP_PKEY *key;
	char group[64];

	if (SSL_get_peer_tmp_key(t->ssl, &key) != 1) {
		log_info(s->log, "No peer temporary key received");
		return;
	}
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	    EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1) {
		const char *nist = EC_curve_nid2nist(OBJ_sn2nid(group));

		log_info(s->log, "Peer temporary key: ECDH, %s, %d bits",
		    nist != NULL ? nist : group, EVP_PKEY_get_bits(key));
	} else {
		log_info(s->log, "Peer temporary key: %s, %d bits",
		    OBJ_nid2sn(EVP_PKEY_get_base_id(key)), EVP_PKEY_get_bits(key));
	}
	EVP_PKEY_free(key);
	errors_forget();
}

static void
log_handshake(const struct stream *s, const struct tls_stream *t)
{
	const char *how = psk_is_fresh(t->ssl, t->tc)  ? "PSK"
			  : SSL_session_reused(t->ssl) ? "previous session reused"
						       : "new session negotiated";
	const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);

	log_info(s->log, "TLS %s: %s", t->tc->role == TLS_SERVER ? "accepted" : "connected", how);
	log_info(s->log, "%s ciphersuite: %s (%d-bit encryption)", SSL_get_version(t->ssl),
	    SSL_CIPHER_get_name(cipher), SSL_CIPHER_get_bits(cipher, NULL));
	if (s->log->level >= LOG_INFO)
		log_temporary_key(s, t);
}

/*
 * The handshake stands, but the peer may not pass.  Nobody calls the library again, unless
 * tls_stream_admit() does.
 */
static enum io
turn_down(struct stream *s, struct tls_stream *t, enum fault fault)
{
	t->unverified = t->broken = true;
	return stream_fail(s, fault, 0);
}

/* Is there a certificate whose revocation somebody may know of?  A resumed one was asked for. */
static bool
must_ask(const struct tls_stream *t)
{
	return t->tc->ocsp != NULL && SSL_get0_peer_certificate(t->ssl) != NULL &&
	       !SSL_session_reused(t->ssl);
}

/*
 * Ask until the answer is there; meanwhile our last flight stays in stream->out, where an alert can
 * still take its place.
 */
static enum io
ask_revocation(struct stream *s, struct tls_stream *t)
{
	const struct ocsp_env env = { s->loop, s->pool, t->resolver, s->watch.task, s->log };
	enum io got;

	if (t->check == NULL && (t->check = ocsp_check_new(t->tc, &env, t->ssl)) == NULL)
		return stream_fail(s, FAULT_MEMORY, ENOMEM);
	got = ocsp_check_step(t->check);
	s->held = got == IO_AGAIN;
	if (got != IO_FAILED)
		return got;
	if (!t->tc->conf->redirect)
		alert_send(s, t->ssl, ocsp_check_alert(t->check));
	return turn_down(s, t, FAULT_REVOKED);
}

/*
 * A client of TLS 1.2 and below has prepared its last flight: the server's is complete, the stapled
 * answer in it, and what we sent so far was in clear.
 */
static bool
is_last_flight(const struct tls_stream *t)
{
	return t->tc->role == TLS_CLIENT && SSL_version(t->ssl) < TLS1_3_VERSION &&
	       SSL_get_state(t->ssl) == TLS_ST_CW_FINISHED && must_ask(t);
}

static enum io
handshake_stopped(struct stream *s, struct tls_stream *t, int ret)
{
	static const char *const names[] = {
		[TLS_SERVER] = "SSL_accept", [TLS_CLIENT] = "SSL_connect"
	};
	int why = SSL_get_error(t->ssl, ret);
	enum io got;

	if (why == SSL_ERROR_WANT_RETRY_VERIFY || why == SSL_ERROR_WANT_CLIENT_HELLO_CB) {
		s->held = true;
		return IO_AGAIN;
	}
	got = outcome(s, t, ret, names[t->tc->role]);
	if (got == IO_FAILED && t->check != NULL && s->fault == FAULT_CERT &&
	    ocsp_check_alert(t->check) != 0)
		s->fault = FAULT_REVOKED;
	else if (got == IO_FAILED && (s->fault == FAULT_RESET || s->fault == FAULT_OS))
		log_err(s->log, "%s: %s (%d)", names[t->tc->role], strerror(s->errnum), s->errnum);
	else if (got == IO_CUT)
		log_err(s->log, "%s: Peer suddenly disconnected", names[t->tc->role]);
	else if (got == IO_AGAIN && is_last_flight(t))
		return ask_revocation(s, t) == IO_FAILED ? IO_FAILED : IO_AGAIN;
	return got;
}

static enum io
shake_hands(struct stream *s, struct tls_stream *t)
{
	int ret;

	t->budget = READ_BUDGET;
	errors_forget();
	if ((ret = SSL_do_handshake(t->ssl)) != 1)
		return handshake_stopped(s, t, ret);
	t->silent = 0;
	switch (verify_verdict(t->ssl, t->tc)) {
	case VERDICT_PASS:
		t->shaken = true;
		return IO_OK;
	case VERDICT_NO_CERT:
		return turn_down(s, t, FAULT_NO_CERT);
	case VERDICT_REJECTED:
		break;
	}
	return turn_down(s, t, FAULT_CERT);
}

/*
 * Nothing can come of SSL_read(): no bytes are on either side of the library, and none in it.
 * Asking it all the same would cost a read buffer, taken and given back.
 */
static bool
is_dry(const struct stream *s, const struct tls_stream *t)
{
	return !s->watch.readable && buf_len(&s->in) == 0 && !t->must_write &&
	       !SSL_has_pending(t->ssl);
}

/* The peer goes on behind the handshake. */
static void
begin_data(struct stream *s, struct tls_stream *t)
{
	ocsp_check_free(t->check);
	t->check = NULL;
	log_handshake(s, t);
	SSL_set_default_read_buffer_len(t->ssl, READ_AHEAD);
	/* Behind Finished a TLS 1.3 server sends only tickets (RFC 8446 4.6.1): no one waits for
	 * them. */
	s->more = t->tc->role == TLS_SERVER && SSL_version(t->ssl) == TLS1_3_VERSION;
}

static enum io
tls_start(struct stream *s)
{
	struct tls_stream *t = state_of(s);
	enum io got;

	s->held = false;
	if (!t->shaken && (got = shake_hands(s, t)) != IO_OK)
		return got;
	if (must_ask(t) && (got = ask_revocation(s, t)) != IO_OK)
		return got;
	if (t->tc->ocsp != NULL && t->tc->role == TLS_CLIENT && SSL_session_reused(t->ssl))
		log_info(s->log, "OCSP: Skipped OCSP stapling (previous session reused)");
	begin_data(s, t);
	return IO_OK;
}

static enum io
tls_read(struct stream *s, struct buf *to, size_t max)
{
	struct tls_stream *t = state_of(s);
	size_t total = 0, room;
	uint8_t *tail;
	int n;

	if (t->broken)
		return stream_fail(s, FAULT_TLS, 0);
	t->budget = READ_BUDGET;
	/* One call gives at most one record; the buffer takes several. */
	while (t->last == IO_OK && total < max) {
		if (is_dry(s, t)) {
			t->last = IO_AGAIN;
			break;
		}
		if ((tail = buf_tail(to, s->pool, &room)) == NULL && buf_len(to) == 0)
			return stream_fail(s, FAULT_MEMORY, ENOMEM);
		if (room > max - total)
			room = max - total;
		if (room == 0)
			break;
		t->must_write = false;
		errors_forget();
		if ((n = SSL_read(t->ssl, tail, (int)room)) > 0) {
			buf_added(to, (size_t)n);
			total += (size_t)n;
			t->silent = 0;
		} else {
			t->last = outcome(s, t, n, "SSL_read");
		}
		if (is_abuse(t))
			t->last = stream_fail(s, FAULT_ABUSE, 0);
	}
	if (total > 0) {
		t->last = t->last == IO_AGAIN ? IO_OK : t->last; /* to be asked again */
		return IO_OK;
	}
	buf_eat(to, s->pool, 0);
	if (t->last != IO_AGAIN)
		return t->last;
	t->last = IO_OK;
	return IO_AGAIN;
}

static enum io
tls_write(struct stream *s, struct buf *from)
{
	struct tls_stream *t = state_of(s);

	if (t->broken)
		return stream_fail(s, FAULT_TLS, 0);
	while (buf_len(from) > 0 && BUF_BLOCK - buf_len(&s->out) >= RECORD_MAX) {
		size_t len = buf_len(from) < RECORD_PAYLOAD ? buf_len(from) : RECORD_PAYLOAD;
		int n;

		if (s->cut != NULL && len < buf_len(from))
			len = s->cut(buf_head(from), len);
		errors_forget();
		if ((n = SSL_write(t->ssl, buf_head(from), (int)len)) <= 0)
			return outcome(s, t, n, "SSL_write");
		buf_eat(from, s->pool, (size_t)n);
	}
	return IO_OK;
}

static enum io
tls_end(struct stream *s)
{
	struct tls_stream *t = state_of(s);

	if (t->broken)
		return stream_fail(s, FAULT_TLS, 0);
	errors_forget();
	/* 0: our close_notify is out, the peer's is still to come, and is read like all its
	 * records. */
	if (SSL_shutdown(t->ssl) >= 0) {
		log_info(s->log, "SSL_shutdown successfully sent close_notify alert");
		return IO_OK;
	}
	return outcome(s, t, -1, "SSL_shutdown");
}

static void
tls_close(struct stream *s)
{
	struct tls_stream *t = state_of(s);

	/*
	 * A connection that was not shut down takes its session out of the cache with it, as
	 * SSL 2.0 wanted (SSL_set_shutdown(3)); that is right after an error only.
	 */
	if (!t->broken)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	ocsp_check_free(t->check);
	SSL_free(t->ssl);
	s->state = NULL;
	OBJ_FREE(t);
}

static void
tls_moved(struct stream *s)
{
	SSL *ssl = state_of(s)->ssl;

	BIO_set_data(SSL_get_rbio(ssl), s);
	SSL_set_msg_callback_arg(ssl, s);
	SSL_set_app_data(ssl, (void *)(uintptr_t)s->log);
}

static const struct filter tls_filter = {
	.start = tls_start,
	.read = tls_read,
	.write = tls_write,
	.end = tls_end,
	.moved = tls_moved,
	.close = tls_close,
};

/* Make the SSL and its BIO.  False: no memory; what was made goes with SSL_free(). */
static bool
make_ssl(struct tls_stream *t, struct stream *s)
{
	BIO *bio;

	if ((t->ssl = SSL_new(t->tc->ctx)) == NULL || (bio = BIO_new(bio_method)) == NULL)
		return false;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	/* A stranger gets room for one record; who has shaken hands, for several. */
	SSL_set_default_read_buffer_len(t->ssl, 0);
	SSL_set_msg_callback(t->ssl, on_message);
	SSL_set_msg_callback_arg(t->ssl, s);
	return SSL_set_app_data(t->ssl, (void *)(uintptr_t)s->log) == 1;
}

static bool
prepare_server(struct tls_stream *t, struct stream *s, const char *name)
{
	SSL_set_accept_state(t->ssl);
	return sni_bind(t->ssl, t->tc, name) &&
	       (t->tc->sessiond == NULL ||
		   sessiond_attach(t->ssl, t->tc, s->loop, s->watch.task, s->log));
}

static bool
prepare_client(
    struct tls_stream *t, struct stream *s, struct resume_cache *cache, const struct addr *peer)
{
	const struct ocsp_env env = { s->loop, s->pool, t->resolver, s->watch.task, s->log };

	SSL_set_connect_state(t->ssl);
	if (t->tc->ocsp != NULL && (t->check = ocsp_check_new(t->tc, &env, t->ssl)) == NULL)
		return false;
	if (t->tc->sni != NULL) {
		log_info(s->log, "SNI: sending servername: %s", t->tc->sni);
		if (SSL_set_tlsext_host_name(t->ssl, t->tc->sni) != 1)
			return false;
	} else {
		log_info(s->log, "SNI: extension disabled");
	}
	if (cache != NULL)
		resume_offer(cache, t->ssl, t->tc, peer);
	return true;
}

/* A state with its SSL, not yet on the stream; NULL: no memory. */
static struct tls_stream *
state_new(struct stream *s, const struct tls_context *tc, struct resolver *resolver)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls_stream *t;

	pthread_once(&once, make_bio_method);
	if (bio_method == NULL || OBJ_NEW(t, TLS_STREAM_MAGIC) == NULL)
		return NULL;
	t->tc = tc;
	t->resolver = resolver;
	errors_forget();
	log_info(s->log, "Peer certificate %srequired", tc->conf->verify.require ? "" : "not ");
	if (make_ssl(t, s))
		return t;
	errors_forget();
	ocsp_check_free(t->check);
	SSL_free(t->ssl);
	OBJ_FREE(t);
	return NULL;
}

/* Put it on the stream if it is `ready`, else give it back. */
static bool
put_on(struct stream *s, struct tls_stream *t, bool ready)
{
	if (!ready) {
		errors_forget();
		ocsp_check_free(t->check);
		SSL_free(t->ssl);
		OBJ_FREE(t);
		return false;
	}
	s->state = t;
	s->filter = &tls_filter;
	return true;
}

bool
tls_stream_accept(
    struct stream *s, const struct tls_context *tc, struct resolver *resolver, const char *name)
{
	struct tls_stream *t = state_new(s, tc, resolver);

	return t != NULL && put_on(s, t, prepare_server(t, s, name));
}

bool
tls_stream_connect(struct stream *s, const struct tls_context *tc, struct resolver *resolver,
    struct resume_cache *cache, const struct addr *peer)
{
	struct tls_stream *t = state_new(s, tc, resolver);

	return t != NULL && put_on(s, t, prepare_client(t, s, cache, peer));
}

bool
tls_stream_admit(struct stream *s)
{
	struct tls_stream *t = state_of(s);

	if (!t->unverified || !t->tc->conf->redirect)
		return false;
	if (s->fault != FAULT_CERT && s->fault != FAULT_NO_CERT && s->fault != FAULT_REVOKED)
		return false; /* it has died since */
	s->fault = FAULT_NONE;
	t->broken = false;
	begin_data(s, t);
	return true;
}

const char *
tls_stream_sni(const struct stream *s)
{
	return sni_name(state_of(s)->ssl);
}

const char *
tls_stream_version(const struct stream *s)
{
	return SSL_get_version(state_of(s)->ssl);
}

uint8_t *
tls_stream_server_cert(const struct stream *s, size_t *n)
{
	SSL *ssl = state_of(s)->ssl;
	/* Ours is the one that this handshake has used: SSL_get_certificate(3). */
	X509 *cert = SSL_is_server(ssl) ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
	int size = cert != NULL ? i2d_X509(cert, NULL) : -1;
	uint8_t *der = size > 0 ? malloc((size_t)size) : NULL, *end = der;

	if (der == NULL)
		return NULL;
	*n = (size_t)i2d_X509(cert, &end);
	return der;
}

bool
tls_stream_has_alpn(const struct stream *s)
{
	const unsigned char *name;
	unsigned n;

	SSL_get0_alpn_selected(state_of(s)->ssl, &name, &n);
	return n > 0;
}

const SSL *
tls_stream_ssl(const struct stream *s, const struct tls_context **tc)
{
	*tc = state_of(s)->tc;
	return state_of(s)->ssl;
}

bool
tls_stream_is_unverified(const struct stream *s)
{
	return state_of(s)->unverified;
}

/* Whole: verify_name() cuts what does not fit, and fills `size` nearly up then. */
static bool
whole_name(const X509_NAME *name, char *out, size_t size)
{
	verify_name(name, out, size);
	return name != NULL && strlen(out) + 8 < size;
}

bool
tls_stream_peer_names(const struct stream *s, char *subject, char *issuer, size_t size)
{
	const struct tls_stream *t = s->filter == &tls_filter ? s->state : NULL;
	X509 *cert = t != NULL ? SSL_get1_peer_certificate(t->ssl) : NULL;
	bool whole = cert != NULL && whole_name(X509_get_subject_name(cert), subject, size) &&
		     whole_name(X509_get_issuer_name(cert), issuer, size);

	X509_free(cert);
	errors_forget();
	return whole;
}

struct peer_id *
tls_stream_peer_id(const struct stream *s)
{
	const struct tls_stream *t = s->filter == &tls_filter ? s->state : NULL;
	bool verified = t != NULL && tls_verifies(t->tc->conf) && !t->unverified;
	X509 *cert = verified ? SSL_get1_peer_certificate(t->ssl) : NULL;
	struct peer_id *id = cert != NULL ? peer_id_new(cert) : NULL;

	X509_free(cert);
	errors_forget();
	return id;
}

uint64_t
tls_stream_visitor(const struct stream *s, bool *resumed)
{
	const struct tls_stream *t = s->filter == &tls_filter ? s->state : NULL;

	*resumed = t != NULL && SSL_session_reused(t->ssl);
	return t != NULL ? resume_visitor(t->ssl, t->tc) : 0;
}
