/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/gate.c -- where a worker lets clients in. */
#include "tunnel/gate.h"

#include "tunnel/session.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	GATE_MAGIC = 0x05e7d93a,
	PAUSE_MS = 100, /* when the system has no descriptor or memory for one more */
	/*
	 * Once half of the room for unfinished connections is taken, one source may have a quarter
	 * of the newest.  So many are looked at, since this is done for each client of a flood.
	 */
	SOURCE_SHARE = 4,
	SOURCE_LOOK = 256,
};

struct gate {
	unsigned magic;
	struct worker *worker;
	struct listener *listener; /* held by ->plan's doors */
	struct service *service;
	struct watch watch;
	struct task task;
	struct timer pause;
};

/* A client on its way to another worker. */
struct handover {
	struct message message;
	struct plan *plan; /* held */
	struct client client;
};

/* ---- limits ---- */

/* One IPv4 address, or one IPv6 network of 64 bits: a host usually has all of it. */
static bool
same_source(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	if (a->sa.sa_family == AF_INET6)
		return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 8) == 0;
	return false;
}

/* Does this source have more than its share of the newest unfinished connections? */
static bool
has_its_share(const struct worker *w, const struct addr *source)
{
	unsigned seen = 0, its = 0;

	for (const struct session *s = w->pending; s != NULL && seen < SOURCE_LOOK;
	     s = session_next(s)) {
		its += same_source(session_peer(s), source);
		seen++;
	}
	return its * SOURCE_SHARE >= seen;
}

/* May one more client come in?  The reason why not, or R_NONE. */
static enum reason
refusal(const struct worker *w, const struct service *s, const struct addr *peer)
{
	const struct limits *limits = &w->common->limits;
	unsigned room = limits->pending / w->common->worker_count;

	if (worker_total_load(w->common) >= limits->sessions)
		return R_FULL;
	if (pool_held(w->pool) > limits->buffers / w->common->worker_count)
		return R_NO_MEMORY;
	if (w->pending_count >= room)
		return R_FLOOD;
	/* A proxy before us is the source of all its clients. */
	if (w->pending_count >= room / 2 && s->conf->front.proxy_from.n == 0 &&
	    has_its_share(w, peer))
		return R_FLOOD;
	return R_NONE;
}

/* The number that was reached. */
static unsigned
limit_of(const struct worker *w, const struct service_conf *conf, enum reason why)
{
	switch (why) {
	case R_FULL:
		return w->common->limits.sessions;
	case R_SERVICE_FULL:
		return (unsigned)conf->limits.connections;
	case R_SOURCE_FULL:
		return (unsigned)conf->limits.per_source;
	default:
		return w->common->limits.pending;
	}
}

static void
refuse(struct worker *w, struct service *s, int fd, const struct addr *peer, enum reason why)
{
	char text[ADDR_TEXT];
	unsigned swallowed;

	w->counters.ended[why]++;
	if (log_brake(&w->brakes[why], loop_now(w->loop), &swallowed)) {
		if (swallowed > 0)
			log_warn(&log_main, "%u more connections rejected: %s", swallowed,
			    reason_info(why)->words);
		log_warn(&log_main, "Connection rejected: %s (>=%u); end=%s service=%s peer=%s; %s",
		    reason_info(why)->words, limit_of(w, s->conf, why), reason_info(why)->code,
		    s->conf->name, addr_text(peer, text), reason_info(why)->hint);
	}
	sock_reset_on_close(fd);
	close(fd);
}

/* ---- hand-over to a worker with less to do ---- */

static void
take_handover(struct message *m, void *worker)
{
	struct handover *h = (struct handover *)m;
	struct worker *w = worker;

	if (w->stopping) {
		seat_leave(&h->client.seat);
		close(h->client.fd);
	} else {
		session_start(w, &h->client);
	}
	plan_release(h->plan);
	free(h);
	worker_session_gone(w); /* the sender counted it already; a session counts for itself */
}

/* True: another worker has taken the client. */
static bool
hand_over(struct gate *g, const struct client *client)
{
	struct worker *to = worker_least_loaded(g->worker);
	struct handover *h;

	/* Who waits for a seat is told so on this worker. */
	if (to == g->worker || g->worker->draining || seat_waits(&client->seat) ||
	    (h = malloc(sizeof(*h))) == NULL)
		return false;
	*h = (struct handover){
		.message.take = take_handover,
		.plan = plan_hold(g->service->plan),
		.client = *client,
	};
	atomic_fetch_add_explicit(&to->load, 1, memory_order_relaxed);
	mailbox_post(to->mailbox, &h->message);
	return true;
}

/* ---- accept ---- */

bool
gate_admits(struct worker *w, struct service *service, int fd, const struct addr *peer)
{
	enum reason why = refusal(w, service, peer);

	w->counters.accepted++;
	if (why != R_NONE)
		refuse(w, service, fd, peer, why);
	return why == R_NONE;
}

static void
let_in(struct gate *g, int fd, const struct addr *peer)
{
	struct worker *w = g->worker;
	struct client client = { .service = g->service, .fd = fd, .peer = *peer };
	enum reason why = R_NONE;

	if (!gate_admits(w, g->service, fd, peer))
		return;
	/* Whom a proxy speaks for gets a seat when it is known who that is. */
	if (g->service->conf->front.proxy_from.n == 0)
		why = seat_take(
		    &client.seat, g->service->seats, &g->service->conf->limits, peer, w->mailbox);
	if (why != R_NONE) {
		refuse(w, g->service, fd, peer, why);
		return;
	}
	client.seq = atomic_fetch_add_explicit(&w->common->seq, 1, memory_order_relaxed);
	if (!hand_over(g, &client))
		session_start(w, &client);
}

/*
 * No descriptor is left.  Give up the spare one to take the first in the queue and refuse it, so
 * that clients learn of it instead of waiting.
 */
static void
refuse_with_spare(struct gate *g)
{
	struct worker *w = g->worker;
	struct addr peer = { .len = sizeof(peer.un) };
	int fd;

	if (w->spare_fd == -1)
		return;
	close(w->spare_fd);
	w->spare_fd = -1;
	if ((fd = accept4(g->listener->fd, &peer.sa, &peer.len, SOCK_CLOEXEC | SOCK_NONBLOCK)) !=
	    -1)
		refuse(w, g->service, fd, &peer, R_FULL);
	worker_keep_spare(w);
}

/* Stop accepting for a moment: a level-triggered listener would wake the worker without end. */
static void
suspend(struct gate *g, int cause)
{
	struct worker *w = g->worker;
	unsigned swallowed;

	if (log_brake(&w->suspended, loop_now(w->loop), &swallowed))
		log_notice(&log_main, "Accepting new connections suspended for %d ms: %s (%d)",
		    PAUSE_MS, strerror(cause), cause);
	loop_timer(w->loop, &g->pause, PAUSE_MS);
}

/* One accept().  False: no more for now. */
static bool
accept_one(struct gate *g)
{
	struct addr peer = { .len = sizeof(peer.un) };
	int fd = accept4(g->listener->fd, &peer.sa, &peer.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int cause = errno;

	if (fd != -1) {
		let_in(g, fd, &peer);
		return true;
	}
	switch (cause) {
	case EAGAIN:
	case EBADF: /* the listener was closed by a reload; the watch goes in a moment */
	case EINVAL:
		return false;
	case EMFILE:
	case ENFILE:
		refuse_with_spare(g);
		__attribute__((fallthrough));
	case ENOBUFS:
	case ENOMEM:
		loop_unwatch(g->worker->loop, &g->watch);
		suspend(g, cause);
		return false;
	default:
		/* accept(2): errors of that one connection, which is gone; the next may be fine. */
		return true;
	}
}

static void
gate_run(void *arg)
{
	struct gate *g = arg;

	CHECK_OBJ(g, GATE_MAGIC);
	if (g->pause.armed)
		return;
	if (g->pause.fired) {
		loop_untimer(g->worker->loop, &g->pause);
		worker_keep_spare(g->worker); /* another thread may have been faster */
		if (!loop_watch(g->worker->loop, &g->watch, WATCH_LISTENER))
			loop_timer(g->worker->loop, &g->pause, PAUSE_MS);
	}
	/* One a turn: who else waits is told again (level-triggered), which is cheaper than to ask.
	 */
	(void)accept_one(g);
}

/* ---- opening and closing ---- */

struct gate **
gates_new(const struct plan *plan)
{
	struct gate **gates = calloc(plan->door_count + 1, sizeof(struct gate *));

	for (unsigned i = 0; gates != NULL && i < plan->door_count; i++)
		if (OBJ_NEW(gates[i], GATE_MAGIC) == NULL) {
			gates_free(gates);
			return NULL;
		}
	return gates;
}

void
gates_free(struct gate **gates)
{
	for (struct gate **g = gates; g != NULL && *g != NULL; g++)
		OBJ_FREE(*g);
	free(gates);
}

static void
gate_open(struct gate *g, struct worker *w, const struct door *door)
{
	g->worker = w;
	g->listener = door->listener;
	g->service = door->service;
	g->task = (struct task){ .run = gate_run, .owner = g, .lane = LANE_RELAY };
	g->pause.task = &g->task;
	g->watch = (struct watch){ .fd = door->listener->fd, .task = &g->task };
	if (!loop_watch(w->loop, &g->watch, WATCH_LISTENER))
		suspend(g, errno); /* and try again soon */
}

static void
gate_close(struct gate *g)
{
	struct loop *loop = g->worker->loop;

	if (!g->pause.armed)
		loop_unwatch(loop, &g->watch);
	loop_untimer(loop, &g->pause);
	loop_cancel(loop, &g->task);
	OBJ_FREE(g);
}

/* The worker's gate at that listener, taken out of its list. */
static struct gate *
take_gate(struct worker *w, const struct listener *l)
{
	for (unsigned i = 0; i < w->gate_count; i++) {
		struct gate *g = w->gates[i];

		if (g != NULL && g->listener == l) {
			w->gates[i] = NULL;
			return g;
		}
	}
	return NULL;
}

void
gates_adopt(struct worker *w, struct plan *plan, struct gate **gates)
{
	for (unsigned i = 0; i < plan->door_count; i++) {
		struct gate *open = take_gate(w, plan->doors[i].listener);

		if (open == NULL) {
			gate_open(gates[i], w, &plan->doors[i]);
			continue;
		}
		OBJ_FREE(gates[i]);
		gates[i] = open;
		open->service = plan->doors[i].service;
	}
	for (unsigned i = 0; i < w->gate_count; i++)
		if (w->gates[i] != NULL)
			gate_close(w->gates[i]);
	free(w->gates);
	w->gates = gates;
	w->gate_count = plan->door_count;
}

void
gates_close(struct worker *w)
{
	for (unsigned i = 0; i < w->gate_count; i++)
		gate_close(w->gates[i]);
	free(w->gates);
	w->gates = NULL;
	w->gate_count = 0;
}

void
gates_drain(struct worker *w)
{
	/*
	 * Who is in the queue already was promised service; a close would reset them.  Of those who
	 * come while it is emptied, a flood must not keep us: listen(2) was asked for SOMAXCONN.
	 */
	for (unsigned i = 0; i < w->gate_count; i++)
		for (unsigned n = 0; n < SOMAXCONN && !w->gates[i]->pause.armed; n++)
			if (!accept_one(w->gates[i]))
				break;
	gates_close(w);
}
