/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/spares.c -- connections to TLS targets that are ready before a client comes. */
#include "tunnel/spares.h"

#include "tls/tls_stream.h"
#include "tunnel/pick.h"
#include "tunnel/plan.h"
#include "tunnel/worker.h"

#include <utlist.h>

enum {
	SPARES_MAGIC = 0x2fa7c81e,
	SPARE_MAGIC = 0x7e13d5b4,
	/*
	 * Servers close a connection on which nobody speaks, mostly after a minute or so; one that
	 * leaves while a client is being given its connection would take the client along.
	 */
	AGE_MS = 30 * 1000,
	RETRY_MS = 1000,
	RETRY_MAX_MS = 60 * 1000,
};

struct spare {
	unsigned magic;
	struct spares *all;
	struct task task;
	struct timer timer; /* until it must be ready; then: until it is too old */
	struct pick *pick;
	struct dial *dial;
	struct standing *load;
	struct home home; /* where it leads, once it is ready */
	struct stream stream;
	struct buf early; /* what the server has said; nothing is hoped for */
	bool connected, ready;
	struct spare *prev, *next;
};

struct spares {
	unsigned magic;
	struct worker *worker;
	struct service *service;
	struct log_ctx log;
	unsigned wanted, count;
	struct spare *list; /* the oldest first */
	struct task task;
	struct timer timer; /* after a failure: until the next try */
	int retry_ms;
	bool useless; /* the server speaks first */
	struct spares *prev, *next;
};

/* ---- one ---- */

/* It is in nobody's list any more. */
static void
spare_free(struct spare *s)
{
	struct worker *w = s->all->worker;

	dial_free(s->dial);
	pick_free(s->pick);
	pick_leave(s->load);
	buf_clear(&s->early, w->pool);
	stream_close(&s->stream, false);
	loop_untimer(w->loop, &s->timer);
	loop_cancel(w->loop, &s->task);
	OBJ_FREE(s);
}

static void
drop(struct spare *s)
{
	DL_DELETE(s->all->list, s);
	s->all->count--;
	spare_free(s);
}

static enum io
choose(struct spare *s)
{
	struct spares *all = s->all;
	struct worker *w = all->worker;
	const struct picker picker = { w->loop, w->srv, w->grudges, &all->log, &s->task };
	const struct addr nobody = { .len = 0 };

	if (s->pick == NULL && (s->pick = pick_new(all->service->backend, &picker,
				    &all->service->dial, &nobody)) == NULL)
		return IO_FAILED;
	return pick_step(s->pick);
}

static enum io
reach(struct spare *s)
{
	struct spares *all = s->all;
	struct worker *w = all->worker;
	enum io got;

	if (s->dial == NULL) {
		if ((got = choose(s)) != IO_OK)
			return got;
		s->dial = dial_new(pick_plan(s->pick), 0, w->resolver, w->loop, w->pool, &all->log,
		    &s->task, &s->stream);
		if (s->dial == NULL)
			return IO_FAILED;
	}
	got = dial_step(s->dial);
	if (got == IO_OK)
		pick_reached(s->pick, dial_target(s->dial));
	else if (got == IO_FAILED && !dial_lacked_means(s->dial))
		pick_failed(s->pick, pick_plan(s->pick)->count);
	return got;
}

static enum io
secure(struct spare *s)
{
	const struct service *service = s->all->service;
	struct worker *w = s->all->worker;
	enum io got;

	if (s->stream.filter == NULL && !tls_stream_connect(&s->stream, service->far, w->resolver,
					    w->resume, dial_address(s->dial)))
		return IO_FAILED;
	if ((got = stream_start(&s->stream)) != IO_OK)
		return got;
	return stream_flush(&s->stream);
}

static void
begin_to_wait(struct spare *s)
{
	log_debug(&s->all->log, "Service [%s]: a connection is ready", s->all->service->conf->name);
	s->ready = true;
	s->all->retry_ms = 0;
	s->load = pick_settle(s->pick);
	s->home =
	    (struct home){ backend_hash(pick_plan(s->pick)->targets[dial_target(s->dial)].text),
		    *dial_address(s->dial) };
	dial_free(s->dial);
	pick_free(s->pick);
	s->dial = NULL;
	s->pick = NULL;
	loop_timer(s->all->worker->loop, &s->timer, AGE_MS);
}

/* Tickets and the like are read on the way.  Is it still there, and silent? */
static bool
is_alive(struct spare *s)
{
	enum io got;

	s->stream.watch.readable = true; /* the last word may not have been told of yet */
	got = stream_read(&s->stream, &s->early, 1);
	if (got == IO_OK && !s->all->useless) {
		s->all->useless = true;
		log_warn(&log_main,
		    "Service [%s]: the server speaks first, so no connection is kept ready; remove "
		    "spareConnections",
		    s->all->service->conf->name);
	}
	return got == IO_AGAIN;
}

static void refill(struct spares *);

/* It could not be made: the next try is later. */
static void
fail(struct spare *s)
{
	struct spares *all = s->all;

	drop(s);
	all->retry_ms = all->retry_ms == 0 ? RETRY_MS : all->retry_ms * 2;
	if (all->retry_ms > RETRY_MAX_MS)
		all->retry_ms = RETRY_MAX_MS;
	log_notice(&log_main,
	    "Service [%s]: no connection could be made ready; the next try is in %d s",
	    all->service->conf->name, all->retry_ms / 1000);
	loop_timer(all->worker->loop, &all->timer, all->retry_ms);
}

static void
make_ready(struct spare *s)
{
	enum io got = IO_OK;

	if (!s->connected && (got = reach(s)) == IO_OK)
		s->connected = true;
	if (s->connected)
		got = secure(s);
	if (got == IO_OK)
		begin_to_wait(s);
	else if (got != IO_AGAIN)
		fail(s);
	else if (s->connected && stream_wants_turn(&s->stream))
		loop_queue(s->all->worker->loop, &s->task);
}

static void
spare_run(void *arg)
{
	struct spare *s = arg;
	struct spares *all;

	CHECK_OBJ(s, SPARE_MAGIC);
	all = s->all;
	if (!s->ready && s->timer.fired) {
		fail(s);
	} else if (!s->ready) {
		make_ready(s);
	} else if (s->timer.fired) {
		drop(s);
		refill(all);
	} else if (!is_alive(s)) {
		/* The server did not want it for long: do not offer it the next one at once. */
		drop(s);
		loop_timer(all->worker->loop, &all->timer, RETRY_MS);
	}
}

static struct spare *
spare_new(struct spares *all)
{
	struct worker *w = all->worker;
	struct spare *s;

	if (OBJ_NEW(s, SPARE_MAGIC) == NULL)
		return NULL;
	s->all = all;
	s->stream.watch.fd = -1;
	s->task = (struct task){ .run = spare_run, .owner = s, .lane = LANE_SETUP };
	s->timer.task = &s->task;
	loop_timer(w->loop, &s->timer, all->service->conf->busy_ms);
	loop_queue(w->loop, &s->task);
	return s;
}

/* ---- all of a service ---- */

/* Make what is missing, unless the last try has failed a moment ago. */
static void
refill(struct spares *all)
{
	while (!all->useless && !all->timer.armed && all->count < all->wanted) {
		struct spare *s = spare_new(all);

		if (s == NULL) {
			loop_timer(all->worker->loop, &all->timer, RETRY_MAX_MS);
			return;
		}
		DL_APPEND(all->list, s);
		all->count++;
	}
}

static void
spares_run(void *arg)
{
	struct spares *all = arg;

	CHECK_OBJ(all, SPARES_MAGIC);
	loop_untimer(all->worker->loop, &all->timer);
	refill(all);
}

/* Each worker has its part of them, and none has nothing. */
static unsigned
share(const struct service_conf *conf, unsigned workers)
{
	return ((unsigned)conf->backend.spares + workers - 1) / workers;
}

unsigned
spares_count(const struct plan *p, unsigned workers)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->service_count; i++)
		n += share(p->services[i].conf, workers) * workers;
	return n;
}

void
spares_start(struct spares **list, struct worker *w, struct service *service)
{
	struct spares *all;

	if (service->conf->backend.spares == 0)
		return;
	if (OBJ_NEW(all, SPARES_MAGIC) == NULL) {
		log_err(&log_main, "Service [%s]: no memory to keep connections ready",
		    service->conf->name);
		return;
	}
	all->worker = w;
	all->service = service;
	all->wanted = share(service->conf, w->common->worker_count);
	/* Each would otherwise be told of like a tunnel. */
	all->log = (struct log_ctx){ .id = "spare",
		.level = service->conf->log_level >= LOG_DEBUG ? LOG_DEBUG : LOG_CRIT };
	all->task = (struct task){ .run = spares_run, .owner = all, .lane = LANE_SETUP };
	all->timer.task = &all->task;
	DL_APPEND(*list, all);
	loop_queue(w->loop, &all->task);
}

void
spares_stop(struct spares **list)
{
	struct spares *all, *next;

	DL_FOREACH_SAFE (*list, all, next) {
		DL_DELETE(*list, all);
		while (all->list != NULL)
			drop(all->list);
		loop_untimer(all->worker->loop, &all->timer);
		loop_cancel(all->worker->loop, &all->task);
		OBJ_FREE(all);
	}
}

/*
 * The oldest that is ready and alive; those that are not go, and all of them once the server has
 * spoken first on one: the others may be about to hear it.
 */
static struct spare *
best(struct spares *all)
{
	for (struct spare *s = all->list, *next; s != NULL; s = next) {
		next = s->next;
		if (!s->ready)
			continue;
		if (is_alive(s) && !all->useless)
			return s;
		drop(s);
	}
	return NULL;
}

static struct spares *
spares_of(struct spares *list, const struct service *service)
{
	struct spares *all;

	DL_FOREACH (list, all)
		if (all->service == service)
			return all;
	return NULL;
}

bool
spares_take(struct spares *list, const struct service *service, struct stream *to,
    const struct log_ctx *log, struct task *task, struct home *home, struct standing **load)
{
	struct spares *all = spares_of(list, service);
	struct spare *s;

	if (all == NULL)
		return false;
	if ((s = best(all)) == NULL) {
		refill(all);
		return false;
	}
	if (!stream_move(to, &s->stream, log, task)) {
		stream_close(to, true);
		drop(s);
		return false;
	}
	*home = s->home;
	*load = s->load;
	s->load = NULL;
	drop(s);
	/* Behind this client, who should not wait for the next one's handshake. */
	loop_queue(all->worker->loop, &all->task);
	return true;
}

/* ---- the option ---- */

void
spares_conf_check(const struct service_conf *conf, struct sink *sink)
{
	static const char option[] = "spareConnections";

	if (conf->backend.spares == 0)
		return;
	if (!service_connects_tls(conf) || conf->connect.n == 0)
		sink_error(sink, option,
		    "only TLS connections to connect are kept ready; it needs "
		    "client = yes (or connectTLS = yes)");
	if (conf->proto.proto != NULL)
		sink_error(sink, option,
		    "protocol = %s speaks for each client before there is a connection to keep; "
		    "remove one of the two",
		    conf->proto.proto->name);
	if (conf->transparent != TRANSPARENT_NONE || conf->front.proxy_out != PROXY_OFF)
		sink_error(sink, option,
		    "a connection that is made before its client is known cannot tell who the "
		    "client is; remove it, or transparent and proxyProtocol");
	if (conf->backend.balance == BALANCE_SOURCE)
		sink_error(sink, option,
		    "balance = source needs the client before it chooses a target; remove one of "
		    "the two");
}
