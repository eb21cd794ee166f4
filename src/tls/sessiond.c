/* SPDX-License-Identifier: Apache-2.0 */
/* tls/sessiond.c -- an external cache of TLS sessions, asked over UDP by a server. */
#include "tls/sessiond.h"

#include "base/rd.h"
#include "tls/errors.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SESSIOND_MAGIC = 0x61d83ba9,
	ASK_MAGIC = 0x35fe0c72,
	ANSWER_MS = 200, /* as the incumbent means it */
	/* The packet: version, kind, lifetime, session id, session in ASN.1. */
	VERSION = 1,
	ID_SIZE = SSL_MAX_SSL_SESSION_ID_LENGTH,
	HEAD = 4 + ID_SIZE,
	SESSION_MAX = 512, /* a longer one stays here */
	LIFETIME_MAX = 64800,
};
enum kind { KIND_NEW = 0, KIND_GET = 1, KIND_REMOVE = 2, KIND_OK = 0x81 };

/* For what is only told: nobody reads the answers. */
struct sessiond {
	unsigned magic;
	int fd;
};

/* What one handshake asks. */
struct ask {
	unsigned magic;
	enum { NOT_YET, WAITING, DONE } state;
	const struct tls_context *tc;
	const struct log_ctx *log;
	struct loop *loop;
	struct watch watch;
	struct timer timer;
	unsigned char id[ID_SIZE];
	SSL_SESSION *found;
};

/* ---- packets ---- */

static size_t
put_packet(unsigned char out[HEAD + SESSION_MAX], enum kind kind, long lifetime,
    const unsigned char *id, size_t id_size)
{
	if (lifetime > LIFETIME_MAX)
		lifetime = LIFETIME_MAX;
	memset(out, 0, HEAD);
	out[0] = VERSION;
	out[1] = (unsigned char)kind;
	out[2] = (unsigned char)(lifetime >> 8);
	out[3] = (unsigned char)lifetime;
	memcpy(out + 4, id, id_size);
	return HEAD;
}

/* The session in an answer about `id`; NULL: there is none. */
static SSL_SESSION *
read_answer(const unsigned char *packet, size_t n, const unsigned char *id)
{
	const unsigned char *at = packet + HEAD;
	SSL_SESSION *session;

	if (n <= HEAD || n > HEAD + SESSION_MAX || packet[0] != VERSION || packet[1] != KIND_OK ||
	    memcmp(packet + 4, id, ID_SIZE) != 0)
		return NULL;
	session = d2i_SSL_SESSION(NULL, &at, (long)(n - HEAD));
	ERR_clear_error();
	return session;
}

static int
open_socket(const struct addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* Connected: the kernel drops what comes from others. */
	if (fd != -1 && connect(fd, &addr->sa, addr->len) == 0)
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

/* ---- what is told ---- */

static const struct sessiond *
sessiond_of(const struct tls_context *tc)
{
	CHECK_OBJ(tc->sessiond, SESSIOND_MAGIC);
	return tc->sessiond;
}

/* A lost packet is a session that is not found: nothing to be done about it. */
static void
tell(const struct tls_context *tc, const unsigned char *packet, size_t n)
{
	(void)!send(sessiond_of(tc)->fd, packet, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* An SSL_CTX_sess_set_new_cb(3): 0, we keep nothing of it. */
static int
on_new(SSL *ssl, SSL_SESSION *session)
{
	const struct tls_context *tc = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	unsigned char packet[HEAD + SESSION_MAX], *at = packet + HEAD;
	unsigned id_size;
	const unsigned char *id = SSL_SESSION_get_id(session, &id_size);
	int size = i2d_SSL_SESSION(session, NULL);

	if (size <= 0 || size > SESSION_MAX)
		return 0;
	put_packet(packet, KIND_NEW, SSL_SESSION_get_timeout(session), id, id_size);
	i2d_SSL_SESSION(session, &at);
	tell(tc, packet, HEAD + (size_t)size);
	OPENSSL_cleanse(packet, sizeof(packet));
	return 0;
}

static void
on_remove(SSL_CTX *ctx, SSL_SESSION *session)
{
	unsigned char packet[HEAD + SESSION_MAX];
	unsigned id_size;
	const unsigned char *id = SSL_SESSION_get_id(session, &id_size);

	tell(SSL_CTX_get_app_data(ctx), packet, put_packet(packet, KIND_REMOVE, 0, id, id_size));
}

/* ---- what is asked ---- */

/* The waiting is over, one way or the other. */
static void
ask_done(struct ask *a)
{
	a->state = DONE;
	loop_untimer(a->loop, &a->timer);
	if (a->watch.fd == -1)
		return;
	loop_unwatch(a->loop, &a->watch);
	close(a->watch.fd);
	a->watch.fd = -1;
}

/* A CRYPTO_EX_free: the SSL is gone. */
static void
ask_free(void *ssl, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	struct ask *a = ptr;

	(void)ssl;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	if (a == NULL)
		return;
	CHECK_OBJ(a, ASK_MAGIC);
	ask_done(a);
	SSL_SESSION_free(a->found);
	OBJ_FREE(a);
}

static int ask_index = -1;

static void
make_ask_index(void)
{
	ask_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, ask_free);
}

static int
ask_slot(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_ask_index);
	return ask_index;
}

static struct ask *
ask_of(const SSL *ssl)
{
	struct ask *a = ask_slot() < 0 ? NULL : SSL_get_ex_data(ssl, ask_slot());

	if (a != NULL)
		CHECK_OBJ(a, ASK_MAGIC);
	return a;
}

bool
sessiond_attach(SSL *ssl, const struct tls_context *tc, struct loop *loop, struct task *task,
    const struct log_ctx *log)
{
	struct ask *a;

	if (OBJ_NEW(a, ASK_MAGIC) == NULL)
		return false;
	a->tc = tc;
	a->log = log;
	a->loop = loop;
	a->watch.fd = -1;
	a->watch.task = a->timer.task = task;
	if (ask_slot() >= 0 && SSL_set_ex_data(ssl, ask_slot(), a))
		return true;
	OBJ_FREE(a);
	return false;
}

/* Is TLS 1.3 in the list of this hello's supported_versions (RFC 8446 4.2.1)? */
static bool
offers_tls13(SSL *ssl)
{
	const unsigned char *ext;
	struct rd rd;
	size_t n;

	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &ext, &n))
		return false;
	rd = rd_of(ext, n);
	(void)rd_u8(&rd); /* the length of the list, which is all that there is */
	while (rd_left(&rd) >= 2)
		if (rd_u16(&rd) == TLS1_3_VERSION)
			return true;
	return false;
}

/*
 * The id of a session that the client wants to take up.  In TLS 1.3 it is its first pre-shared key
 * (RFC 8446 4.2.11), and the field that was made for it holds random bytes.
 */
static bool
wanted_id(SSL *ssl, unsigned char out[ID_SIZE])
{
	const unsigned char *id = NULL, *ext;
	struct rd rd;
	size_t n = 0, ext_size;
	long most = SSL_get_max_proto_version(ssl);

	if (!offers_tls13(ssl) || (most != 0 && most < TLS1_3_VERSION)) {
		n = SSL_client_hello_get0_session_id(ssl, &id);
	} else if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &ext, &ext_size)) {
		rd = rd_of(ext, ext_size);
		(void)rd_u16(&rd); /* the length of the list of identities */
		n = rd_u16(&rd);
		id = rd_bytes(&rd, n);
	}
	if (id == NULL || n != ID_SIZE)
		return false;
	memcpy(out, id, ID_SIZE);
	return true;
}

/* Send the question.  False: it cannot be asked. */
static bool
ask_begin(struct ask *a)
{
	unsigned char packet[HEAD + SESSION_MAX];
	size_t n = put_packet(packet, KIND_GET, 0, a->id, ID_SIZE);

	a->watch.fd = open_socket(a->tc->conf->sessiond);
	if (a->watch.fd == -1)
		return false;
	if (!loop_watch(a->loop, &a->watch, WATCH_READ)) {
		close(a->watch.fd);
		a->watch.fd = -1;
		return false;
	}
	if (send(a->watch.fd, packet, n, MSG_NOSIGNAL) != (ssize_t)n)
		return false;
	loop_timer(a->loop, &a->timer, ANSWER_MS);
	return true;
}

/* Is there an answer, or no hope of one?  Then it is in a->found. */
static bool
ask_look(struct ask *a)
{
	unsigned char packet[HEAD + SESSION_MAX + 1]; /* one more: longer ones are seen as such */
	ssize_t n = recv(a->watch.fd, packet, sizeof(packet), 0);

	if (n >= 0)
		a->found = read_answer(packet, (size_t)n, a->id);
	else if (errno == EAGAIN && !a->timer.fired)
		return false;
	else
		log_info(a->log, "sessiond: no answer: %s",
		    errno == EAGAIN ? "time is up" : strerror(errno));
	OPENSSL_cleanse(packet, sizeof(packet));
	return true;
}

bool
sessiond_must_wait(SSL *ssl)
{
	struct ask *a = ask_of(ssl);

	if (a == NULL || a->state == DONE)
		return false;
	if (a->state == NOT_YET && wanted_id(ssl, a->id) && ask_begin(a))
		a->state = WAITING;
	if (a->state == NOT_YET || ask_look(a))
		ask_done(a);
	return a->state == WAITING;
}

/* An SSL_CTX_sess_set_get_cb(3). */
static SSL_SESSION *
on_get(SSL *ssl, const unsigned char *id, int size, int *copy)
{
	struct ask *a = ask_of(ssl);
	SSL_SESSION *found = NULL;

	*copy = 0; /* the reference is OpenSSL's from now on */
	if (a != NULL && size == ID_SIZE && memcmp(id, a->id, ID_SIZE) == 0) {
		found = a->found;
		a->found = NULL;
	}
	return found;
}

/* ---- the context ---- */

/* Where a forged answer would let somebody in. */
static bool
is_guarded(const struct tls_context *tc)
{
	const struct tls_verify *v = &tc->conf->verify;

	return v->request || v->chain || v->peer || tc->psk != NULL;
}

bool
sessiond_install(struct tls_context *tc, struct sink *sink)
{
	const struct tls_conf *conf = tc->conf;

	if (conf->sessiond == NULL || tc->role != TLS_SERVER || !conf->session_resume)
		return true;
	if (is_guarded(tc)) {
		sink_warn(sink, "sessiond",
		    "is not used here: its answers are not authenticated, and this service asks "
		    "who its clients are");
		return true;
	}
	if (OBJ_NEW(tc->sessiond, SESSIOND_MAGIC) == NULL)
		return false;
	tc->sessiond->fd = open_socket(conf->sessiond);
	if (tc->sessiond->fd == -1) {
		sink_error(sink, "sessiond", "cannot be reached: %s", strerror(errno));
		return false;
	}
	SSL_CTX_sess_set_new_cb(tc->ctx, on_new);
	SSL_CTX_sess_set_remove_cb(tc->ctx, on_remove);
	SSL_CTX_sess_set_get_cb(tc->ctx, on_get);
	return true;
}

void
sessiond_free(struct tls_context *tc)
{
	if (tc->sessiond == NULL)
		return;
	CHECK_OBJ(tc->sessiond, SESSIOND_MAGIC);
	/* What is forgotten here with the context stays known there. */
	SSL_CTX_sess_set_remove_cb(tc->ctx, NULL);
	if (tc->sessiond->fd != -1)
		close(tc->sessiond->fd);
	OBJ_FREE(tc->sessiond);
	tc->sessiond = NULL;
}
