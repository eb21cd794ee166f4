/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_radius.c -- questions to RADIUS by UDP, asked again until there is an answer. */
#include "tunnel/vpn_radius.h"

#include "base/digest.h"
#include "net/addr.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	VPN_RADIUS_MAGIC = 0x7e41c35d,
	VPN_ASKER_MAGIC = 0x1f6ab982,
	TEXT = 64,	  /* bytes of a fact: addresses and numbers */
	PACKETS_MAX = 16, /* read in one turn; more of them is a flood */
	HUSH_MS = 3600 * 1000,
};

/* A question is sent so often, so many milliseconds after the one before; then nobody is there. */
static const int64_t waits[] = { 1000, 2000, 3000, 4000 };

struct vpn_radius {
	unsigned magic;
	_Atomic unsigned refs;
	struct addr addr;
	char server[ADDR_TEXT]; /* the same */
	char *name, *secret;
	_Atomic int64_t hushed; /* ms: until then nothing is said of wrong signatures */
};

struct vpn_asker {
	unsigned magic;
	const struct vpn_radius *radius;
	struct loop *loop;
	const struct log_ctx *log;
	struct watch watch; /* fd -1: nothing is asked */
	struct radius_facts facts;
	char client[TEXT], session[TEXT]; /* of the facts */
	struct radius_request request;
	struct radius_blob state; /* of the answer before */
	enum ppp_method method;
	unsigned number, tries;
	bool unsigned_told;
	int64_t due;
};

/* ---- the server ---- */

static char *
read_secret(const char *path, struct files *files, struct sink *sink)
{
	static const char option[] = "vpnRadiusSecretFile";
	char *secret = NULL;
	struct file f;

	if (!files->read(files, path, &f)) {
		sink_error(sink, option, "cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	if ((f.mode & S_IROTH) != 0)
		sink_error(sink, option,
		    "everybody can read %s, and a secret is in it; set chmod 600 (or 640)", path);
	else if (strcspn(f.data, "\r\n") == 0)
		sink_error(sink, option, "%s is empty; write the secret into its first line", path);
	else if ((secret = strndup(f.data, strcspn(f.data, "\r\n"))) == NULL)
		sink_error(sink, option, "out of memory");
	file_done(&f);
	return secret;
}

static bool
find_server(const char *option, const char *server, struct addr *out, struct sink *sink)
{
	struct arena *arena = arena_new();
	struct target target;
	char why[256] = "out of memory";
	bool ok = arena != NULL && target_parse(arena, server, &target, why, sizeof(why)) &&
		  target_lookup(&target, false, out, 1, why, sizeof(why)) == 1;

	if (ok && addr_is_unix(out)) {
		(void)snprintf(why, sizeof(why), "write HOST:PORT, such as 192.0.2.1:1812");
		ok = false;
	}
	if (!ok)
		sink_error(sink, option, "%s: %s", server, why);
	arena_free(arena);
	return ok;
}

struct vpn_radius *
vpn_radius_new(const char *option, const char *server, const char *secret_path, const char *name,
    struct files *files, struct sink *sink)
{
	struct vpn_radius *r;

	if (OBJ_NEW(r, VPN_RADIUS_MAGIC) == NULL) {
		sink_error(sink, option, "out of memory");
		return NULL;
	}
	r->refs = 1;
	if ((r->name = strdup(name)) == NULL)
		sink_error(sink, option, "out of memory");
	else if ((r->secret = read_secret(secret_path, files, sink)) != NULL &&
		 find_server(option, server, &r->addr, sink)) {
		(void)addr_text(&r->addr, r->server);
		return r;
	}
	vpn_radius_free(r);
	return NULL;
}

struct vpn_radius *
vpn_radius_hold(struct vpn_radius *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void
vpn_radius_free(struct vpn_radius *r)
{
	if (r == NULL)
		return;
	CHECK_OBJ(r, VPN_RADIUS_MAGIC);
	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	if (r->secret != NULL)
		explicit_bzero(r->secret, strlen(r->secret));
	free(r->secret);
	free(r->name);
	OBJ_FREE(r);
}

const char *
vpn_radius_secret(const struct vpn_radius *r)
{
	return r->secret;
}

const char *
vpn_radius_name(const struct vpn_radius *r)
{
	return r->name;
}

const char *
vpn_radius_server(const struct vpn_radius *r)
{
	return r->server;
}

void
vpn_radius_mistrust(struct vpn_radius *r, const struct log_ctx *log, int64_t now_ms)
{
	int64_t hushed = atomic_load(&r->hushed);

	/* Of several workers one says it. */
	if (now_ms >= hushed &&
	    atomic_compare_exchange_strong(&r->hushed, &hushed, now_ms + HUSH_MS))
		log_err(log,
		    "RADIUS: an answer of %s is not signed with the secret of "
		    "vpnRadiusSecretFile, so it does not count; let both sides have the same",
		    r->server);
}

int
vpn_radius_socket(const struct vpn_radius *r, struct loop *loop, struct watch *watch)
{
	const struct addr *to = &r->addr;
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd == -1)
		return -1;
	watch->fd = fd;
	if (connect(fd, &to->sa, to->len) == 0 && loop_watch(loop, watch, WATCH_READ))
		return fd;
	error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

/* ---- questions ---- */

static void
stop(struct vpn_asker *a)
{
	if (a->watch.fd != -1) {
		loop_unwatch(a->loop, &a->watch);
		(void)close(a->watch.fd);
	}
	a->watch.fd = -1;
	a->due = INT64_MAX;
	explicit_bzero(&a->request, sizeof(a->request));
}

struct vpn_asker *
vpn_radius_asker(const struct vpn_radius *radius, struct loop *loop, struct task *task,
    const struct log_ctx *log, const struct radius_facts *facts)
{
	struct vpn_asker *a;

	CHECK_OBJ(radius, VPN_RADIUS_MAGIC);
	if (OBJ_NEW(a, VPN_ASKER_MAGIC) == NULL)
		return NULL;
	a->radius = radius;
	a->loop = loop;
	a->log = log;
	a->watch.fd = -1;
	a->watch.task = task;
	a->due = INT64_MAX;
	a->facts = *facts;
	a->facts.nas_name = radius->name;
	(void)snprintf(a->client, sizeof(a->client), "%s", facts->client);
	(void)snprintf(a->session, sizeof(a->session), "%s", facts->session);
	a->facts.client = a->client;
	a->facts.session = a->session;
	return a;
}

void
vpn_radius_asker_free(struct vpn_asker *a)
{
	if (a == NULL)
		return;
	CHECK_OBJ(a, VPN_ASKER_MAGIC);
	stop(a);
	OBJ_FREE(a);
}

/* What cannot be sent counts as lost: it is sent again. */
static void
transmit(struct vpn_asker *a, int64_t now_ms)
{
	if (send(a->watch.fd, a->request.bytes, a->request.n, 0) == -1)
		log_info(a->log, "RADIUS: cannot send: %s", strerror(errno));
	a->due = now_ms + waits[a->tries++];
}

bool
vpn_radius_ask(struct vpn_asker *a, const struct ppp_question *q, int64_t now_ms)
{
	uint8_t authenticator[RADIUS_AUTHENTICATOR], id;

	CHECK_OBJ(a, VPN_ASKER_MAGIC);
	stop(a);
	if (!digest_random(authenticator, sizeof(authenticator)) || !digest_random(&id, 1) ||
	    !radius_ask(
		&a->request, id, authenticator, a->radius->secret, q, &a->facts, &a->state)) {
		log_err(
		    a->log, "RADIUS: there is no way to ask for %s", auth_method_name(q->method));
		return false;
	}
	a->state.n = 0;
	a->method = q->method;
	a->number = q->number;
	a->tries = 0;
	if ((a->watch.fd = vpn_radius_socket(a->radius, a->loop, &a->watch)) == -1) {
		log_err(a->log, "RADIUS: no socket: %s", strerror(errno));
		stop(a);
		return false;
	}
	transmit(a, now_ms);
	return true;
}

/* Is what came the answer? */
static bool
take(struct vpn_asker *a, const uint8_t *bytes, size_t n, struct radius_answer *answer)
{
	const struct ppp_question question = { .method = a->method };

	switch (radius_read(answer, bytes, n, &a->request, a->radius->secret, &question)) {
	case RADIUS_ANSWER:
		return true;
	case RADIUS_UNSIGNED:
		if (!a->unsigned_told)
			log_err(a->log, "RADIUS: the answer has no Message-Authenticator, so "
					"anybody could have "
					"sent it; let the server add one to every answer");
		a->unsigned_told = true;
		break;
	case RADIUS_NONE:
		log_warn(a->log, "RADIUS: a packet that is no answer of who knows the secret of "
				 "vpnRadiusSecretFile");
		break;
	}
	return false;
}

static bool
receive(struct vpn_asker *a, struct radius_answer *answer)
{
	uint8_t bytes[RADIUS_MAX];
	ssize_t n;

	/* Each error that ICMP brings is told once, and the question is asked again in time. */
	for (int i = 0; i < PACKETS_MAX; i++) {
		n = recv(a->watch.fd, bytes, sizeof(bytes), 0);
		if (n == -1 && errno != ECONNREFUSED)
			break;
		if (n != -1 && take(a, bytes, (size_t)n, answer))
			return true;
	}
	a->watch.readable = false; /* what is left wakes us again */
	return false;
}

enum vpn_radius_news
vpn_radius_run(struct vpn_asker *a, int64_t now_ms, struct radius_answer *answer, unsigned *number)
{
	CHECK_OBJ(a, VPN_ASKER_MAGIC);
	if (a->watch.fd == -1)
		return VPN_RADIUS_IDLE;
	*number = a->number;
	if (receive(a, answer)) {
		if (answer->no_keys)
			log_err(a->log,
			    "RADIUS: the server accepts, and sends no MS-MPPE keys and no "
			    "MS-CHAP2-Success; MS-CHAPv2 cannot do without them");
		a->state = answer->state;
		stop(a);
		return VPN_RADIUS_ANSWER;
	}
	if (now_ms < a->due)
		return VPN_RADIUS_IDLE;
	if (a->tries < COUNT_OF(waits)) {
		transmit(a, now_ms);
		return VPN_RADIUS_IDLE;
	}
	log_err(a->log, "RADIUS: no answer that could be used");
	stop(a);
	return VPN_RADIUS_SILENT;
}

int64_t
vpn_radius_deadline(const struct vpn_asker *a)
{
	return a == NULL ? INT64_MAX : a->due;
}
