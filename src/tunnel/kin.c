/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/kin.c -- tunnels beside a tunnel. */
#include "tunnel/kin.h"

#include "net/sock.h"
#include "tunnel/gate.h"
#include "tunnel/life.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	KIN_MAGIC = 0x3e90c5d7,
	SIBLING_MAGIC = 0x7b21a84e,
	/* Who is not our client and comes all the same is turned away, so often; then nobody is
	   waited for. */
	STRANGERS_MAX = 16,
	TRIES_MAX = 256, /* ports that are taken */
};

struct kin {
	unsigned magic;
	unsigned refs;
	struct session *elder; /* NULL: it is over */
	struct addr server;
	struct resume_cache *sessions;
	/* Who is waited for; .fd -1: nobody. */
	struct watch watch;
	struct task task;
	struct timer timer;
	unsigned strangers;
	uint16_t port; /* where it will be led to */
	bool tls;
};

struct sibling {
	unsigned magic;
	struct kin *kin;
	struct target target;
	struct dial_plan dial;
	bool tls;
};

/* ---- what is shared ---- */

static void
release(struct kin *k)
{
	CHECK_OBJ(k, KIN_MAGIC);
	if (--k->refs > 0)
		return;
	resume_cache_free(k->sessions);
	OBJ_FREE(k);
}

static void await_nobody(struct kin *);
static void somebody(void *arg);

struct kin *
kin_new(struct session *elder, const struct addr *server)
{
	struct kin *k;

	if (OBJ_NEW(k, KIN_MAGIC) == NULL)
		return NULL;
	k->refs = 1;
	k->elder = elder;
	k->server = *server;
	k->watch.fd = -1;
	k->task = (struct task){ .run = somebody, .owner = k, .lane = LANE_RELAY };
	k->watch.task = k->timer.task = &k->task;
	if ((k->sessions = resume_cache_new()) != NULL)
		return k;
	release(k);
	return NULL;
}

void
kin_part(struct kin *k)
{
	if (k == NULL)
		return;
	await_nobody(k);
	k->elder = NULL;
	release(k);
}

struct resume_cache *
kin_sessions(const struct kin *k)
{
	return k->sessions;
}

const struct addr *
kin_server(const struct kin *k)
{
	return &k->server;
}

/* ---- a sibling ---- */

/* NULL without memory. */
static struct sibling *
sibling_new(struct kin *k)
{
	struct sibling *b;

	if (OBJ_NEW(b, SIBLING_MAGIC) == NULL)
		return NULL;
	b->kin = k;
	k->refs++;
	b->tls = k->tls;
	b->target = (struct target){ .text = "", .port = k->port, .numeric = k->server };
	addr_set_port(&b->target.numeric, k->port);
	b->dial = k->elder->service->dial;
	b->dial.targets = &b->target;
	b->dial.count = 1;
	return b;
}

void
sibling_free(struct sibling *b)
{
	if (b == NULL)
		return;
	CHECK_OBJ(b, SIBLING_MAGIC);
	release(b->kin);
	OBJ_FREE(b);
}

const struct kin *
sibling_kin(const struct sibling *b)
{
	return b->kin;
}

const struct dial_plan *
sibling_dial_plan(const struct sibling *b)
{
	return &b->dial;
}

bool
sibling_has_tls(const struct sibling *b)
{
	return b == NULL || b->tls;
}

/* ---- the one that is waited for ---- */

static void
await_nobody(struct kin *k)
{
	struct loop *loop = k->elder->worker->loop;

	if (k->watch.fd != -1) {
		loop_unwatch(loop, &k->watch);
		close(k->watch.fd);
	}
	k->watch.fd = -1;
	loop_untimer(loop, &k->timer);
	loop_cancel(loop, &k->task);
}

/* A host's address, to be compared. */
static struct addr
host_of(const struct addr *a)
{
	struct addr host = addr_unmapped(a);

	addr_set_port(&host, 0);
	return host;
}

/*
 * The elder's own client, by its address.  Whoever shares that may come first; TLS keeps him off
 * only where clients show certificates.
 */
static bool
is_client(const struct kin *k, const struct addr *peer)
{
	struct addr here = host_of(peer), there = host_of(&k->elder->peer);

	return addr_equal(&here, &there);
}

static void
turn_away(struct kin *k, int fd, const struct addr *peer)
{
	char text[ADDR_TEXT];

	if (++k->strangers >= STRANGERS_MAX)
		await_nobody(k);
	log_warn(&k->elder->log, "A connection from %s is not from our client, and refused",
	    addr_text(peer, text));
	sock_reset_on_close(fd);
	close(fd);
}

static void
welcome(struct kin *k, int fd, const struct addr *peer)
{
	struct session *elder = k->elder;
	struct worker *w = elder->worker;
	struct client client = { .service = elder->service, .fd = fd, .peer = *peer };

	await_nobody(k);
	if (!gate_admits(w, elder->service, fd, peer))
		return;
	if ((client.sibling = sibling_new(k)) == NULL) {
		close(fd);
		return;
	}
	client.seq = atomic_fetch_add_explicit(&w->common->seq, 1, memory_order_relaxed);
	log_info(&elder->log, "A connection beside this one: %llu", (unsigned long long)client.seq);
	session_start(w, &client);
}

/* The task of a kin: somebody has come, or nobody in time. */
static void
somebody(void *arg)
{
	struct kin *k = arg;
	struct addr peer = { .len = sizeof(peer.un) };
	int fd;

	CHECK_OBJ(k, KIN_MAGIC);
	if (k->timer.fired) {
		await_nobody(k);
		log_info(&k->elder->log, "Nobody came to be led to port %u", k->port);
		return;
	}
	fd = accept4(k->watch.fd, &peer.sa, &peer.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd != -1 && is_client(k, &peer)) {
		welcome(k, fd, &peer);
	} else if (fd != -1) {
		turn_away(k, fd, &peer);
	} else if (sock_lacked_means(errno)) {
		log_err(&k->elder->log, "The connection for port %u cannot be accepted: %s (%d)",
		    k->port, strerror(errno), errno);
		await_nobody(k); /* a waiting one would wake us without end */
	}
}

/* A listening socket at one of the ports of the configuration, begun with any of them; -1 with
 * errno. */
static int
listen_in_range(const struct service_conf *conf, struct addr *here)
{
	const struct sockopts *options = &conf->sock.side[SOCK_ACCEPT];
	unsigned count = conf->proto.last_port - conf->proto.first_port + 1U, turn = 0;
	int fd = -1;

	if (conf->proto.first_port == 0)
		return sock_listen(here, options, (uid_t)-1, (gid_t)-1);
	(void)!getentropy(&turn, sizeof(turn)); /* so that the next port is not known before */
	for (unsigned i = 0; fd == -1 && i < count && i < TRIES_MAX; i++) {
		addr_set_port(
		    here, (uint16_t)(conf->proto.first_port + (turn % count + i) % count));
		fd = sock_listen(here, options, (uid_t)-1, (gid_t)-1);
	}
	return fd;
}

/* ... where the client has met us. */
static int
listen_here(const struct session *elder, struct addr *at)
{
	struct addr here = { .len = sizeof(here.un) };
	int fd;

	if (getsockname(elder->near.watch.fd, &here.sa, &here.len) == -1)
		return -1;
	if (addr_is_unix(&here)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	here = host_of(&here);
	if ((fd = listen_in_range(elder->service->conf, &here)) == -1)
		return -1;
	*at = (struct addr){ .len = sizeof(at->un) };
	if (getsockname(fd, &at->sa, &at->len) == 0)
		return fd;
	close(fd);
	return -1;
}

bool
kin_invite(void *arg, uint16_t port, bool tls, struct addr *at)
{
	struct kin *k = arg;
	struct session *elder;
	struct loop *loop;
	char text[ADDR_TEXT];

	CHECK_OBJ(k, KIN_MAGIC);
	elder = k->elder;
	loop = elder->worker->loop;
	await_nobody(k);
	k->watch.fd = listen_here(elder, at);
	if (k->watch.fd == -1 || !loop_watch(loop, &k->watch, WATCH_READ)) {
		log_err(&elder->log, "Cannot listen beside this connection: %s (%d)",
		    strerror(errno), errno);
		await_nobody(k);
		return false;
	}
	k->port = port;
	k->tls = tls;
	k->strangers = 0;
	loop_timer(loop, &k->timer, elder->service->conf->busy_ms);
	log_info(&elder->log, "Waiting for the client at %s, to be led to port %u",
	    addr_text(at, text), port);
	return true;
}
