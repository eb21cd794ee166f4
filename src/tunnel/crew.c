/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/crew.c -- all workers together. */
#include "tunnel/crew.h"

#include "tunnel/gate.h"
#include "tunnel/session.h"
#include "tunnel/spares.h"
#include "tunnel/starter.h"

#include <errno.h>
#include <string.h>

enum {
	CREW_MAGIC = 0x62f0917c,
	OFFLOAD_THREADS = 4, /* what they do waits for a disk, rarely for long */
};

/*
 * An order to one worker, or its answer; the same piece of memory goes there and back.  All are
 * made with the crew, so that a daemon without memory can still be reloaded, asked and stopped.
 */
struct order {
	struct message message;
	struct crew *crew;
	struct plan *plan;   /* adopt: the new one, */
	struct gate **gates; /* and the gates for it */
	unsigned n;	     /* list: the next number */
	struct report *to;   /* report */
};

struct orders {
	struct order adopt, drain, stop;
};

struct crew {
	unsigned magic;
	struct common common;
	struct crew_events events;
	struct mailbox *mailbox;	 /* the main thread's */
	struct plan *plan, *old;	 /* old: until every worker has the new one */
	struct orders *orders;		 /* for each worker */
	struct order list, beat, report; /* go from one to the next */
	_Atomic bool listing;
	bool beating, reporting; /* the main thread's own */
	bool leaving;		 /* crew_free() has begun: what still comes meets no worker */
	unsigned started;	 /* threads */
	unsigned adopting;	 /* workers whose answer is still to come */
	unsigned drained;	 /* workers that accept no more */
};

static void tell_idle(void *crew);

struct crew *
crew_new(unsigned workers, const struct limits *limits, struct loop *main,
    const struct crew_events *events)
{
	struct crew *c;

	if (OBJ_NEW(c, CREW_MAGIC) == NULL)
		goto no_memory;
	c->common = (struct common){
		.limits = *limits, .worker_count = workers, .idle = tell_idle, .owner = c
	};
	c->events = *events;
	if ((c->common.workers = calloc(workers, sizeof(struct worker *))) == NULL)
		goto no_memory;
	if ((c->orders = calloc(workers, sizeof(struct orders))) == NULL)
		goto no_memory;
	if ((c->mailbox = mailbox_new(main, c)) == NULL ||
	    (c->common.offload = offload_new(OFFLOAD_THREADS)) == NULL ||
	    (c->common.homes = homes_new()) == NULL)
		goto no_memory;
	for (unsigned i = 0; i < workers; i++)
		if ((c->common.workers[i] = worker_new(&c->common, i)) == NULL)
			goto fail;
	return c;
no_memory:
	log_err(&log_main, "Cannot start the workers: %s (%d)", strerror(errno), errno);
fail:
	crew_free(c);
	return NULL;
}

/* In the worker's thread, or before it runs: act on `plan` from now on. */
static void
adopt(struct worker *w, struct plan *plan, struct gate **gates)
{
	struct plan *old = w->plan;

	w->plan = plan_hold(plan);
	gates_adopt(w, plan, gates);
	if (w->number == 0)
		starter_adopt(w, plan, old);
	stapler_stop(&w->staplers);
	for (unsigned i = 0; w->number == 0 && i < plan->service_count; i++)
		stapler_start(&w->staplers, plan->services[i].near, w->loop, w->pool, w->resolver);
	spares_stop(&w->spares);
	health_stop(&w->health);
	for (unsigned i = 0; w->number == 0 && i < plan->service_count; i++)
		health_start(&w->health, w, &plan->services[i]);
	for (unsigned i = 0; i < plan->service_count; i++)
		spares_start(&w->spares, w, &plan->services[i]);
	for (unsigned i = 0; old != NULL && i < old->service_count; i++)
		resume_forget(w->resume, old->services[i].far);
	plan_release(old);
}

bool
crew_start(struct crew *c, struct plan *plan)
{
	c->plan = plan;
	for (unsigned i = 0; i < c->common.worker_count; i++) {
		struct gate **gates = gates_new(plan);

		if (gates == NULL) {
			log_err(&log_main, "Cannot start the workers: out of memory");
			return false;
		}
		adopt(c->common.workers[i], plan, gates);
	}
	for (; c->started < c->common.worker_count; c->started++)
		if (!worker_start(c->common.workers[c->started]))
			return false;
	return true;
}

static void
give(struct order *o, struct crew *c, struct worker *to, void (*take)(struct message *, void *))
{
	MUST(to != NULL);
	o->crew = c;
	o->message.take = take;
	mailbox_post(to->mailbox, &o->message);
}

static void
answer(struct order *o, void (*take)(struct message *, void *))
{
	o->message.take = take;
	mailbox_post(o->crew->mailbox, &o->message);
}

/* ---- reload ---- */

static void
main_adopted(struct message *m, void *crew)
{
	struct crew *c = crew;

	(void)m;
	if (--c->adopting > 0)
		return;
	/* Now nobody watches the sockets that the new plan does without. */
	plan_close_doors(c->old, c->plan);
	plan_release(c->old);
	c->old = NULL;
	c->events.adopted(c->events.owner);
}

static void
worker_take_plan(struct message *m, void *worker)
{
	struct order *o = (struct order *)m;

	adopt(worker, o->plan, o->gates);
	answer(o, main_adopted);
}

/* The gates for every worker, before any hears of the plan.  False: no memory, nothing made. */
static bool
prepare_gates(struct crew *c, const struct plan *plan)
{
	for (unsigned i = 0; i < c->common.worker_count; i++)
		if ((c->orders[i].adopt.gates = gates_new(plan)) == NULL) {
			while (i-- > 0)
				gates_free(c->orders[i].adopt.gates);
			return false;
		}
	return true;
}

bool
crew_adopt(struct crew *c, struct plan *plan)
{
	MUST(c->adopting == 0);
	if (!prepare_gates(c, plan))
		return false;
	c->old = c->plan;
	c->plan = plan;
	c->adopting = c->common.worker_count;
	for (unsigned i = 0; i < c->common.worker_count; i++) {
		c->orders[i].adopt.plan = plan;
		give(&c->orders[i].adopt, c, c->common.workers[i], worker_take_plan);
	}
	return true;
}

/* ---- list: from worker to worker, so that the numbers run through ---- */

static unsigned
list_some(const struct session *s, unsigned n)
{
	char line[SESSION_LINE];

	for (; s != NULL; s = session_next(s))
		log_line(
		    &log_main, LOG_NOTICE, "Active connection %u: %s", n++, session_line(s, line));
	return n;
}

/* A line for each session, numbered from n; returns the next number. */
static unsigned
list(const struct worker *w, unsigned n)
{
	return list_some(w->pending, list_some(w->standing, n));
}

static void
worker_take_list(struct message *m, void *worker)
{
	struct order *o = (struct order *)m;
	struct worker *w = worker;
	struct crew *c = o->crew;

	o->n = list(w, o->n);
	if (w->number + 1 < c->common.worker_count) {
		give(o, c, c->common.workers[w->number + 1], worker_take_list);
		return;
	}
	log_line(&log_main, LOG_NOTICE, "Listed %u active connection(s)", o->n - 1);
	atomic_store(&c->listing, false);
}

void
crew_list(struct crew *c)
{
	if (atomic_exchange(&c->listing, true))
		return; /* one is being made; it serves both */
	log_line(&log_main, LOG_NOTICE, "Active connections:");
	c->list.n = 1;
	give(&c->list, c, c->common.workers[0], worker_take_list);
}

/* ---- report: the same way ---- */

static void
main_reported(struct message *m, void *crew)
{
	struct crew *c = crew;

	(void)m;
	c->reporting = false;
	c->events.reported(c->events.owner);
}

static void
worker_take_report(struct message *m, void *worker)
{
	struct order *o = (struct order *)m;
	struct worker *w = worker;
	struct crew *c = o->crew;

	report_worker(o->to, w);
	if (w->number + 1 < c->common.worker_count)
		give(o, c, c->common.workers[w->number + 1], worker_take_report);
	else
		answer(o, main_reported);
}

void
crew_report(struct crew *c, struct report *r)
{
	MUST(!c->reporting);
	c->reporting = true;
	c->report.to = r;
	give(&c->report, c, c->common.workers[0], worker_take_report);
}

/* ---- signs of life ---- */

static void
main_beaten(struct message *m, void *crew)
{
	struct crew *c = crew;

	(void)m;
	c->beating = false;
	c->events.beaten(c->events.owner);
}

static void
worker_take_beat(struct message *m, void *worker)
{
	struct order *o = (struct order *)m;
	struct worker *w = worker;
	struct crew *c = o->crew;

	if (w->number + 1 < c->common.worker_count)
		give(o, c, c->common.workers[w->number + 1], worker_take_beat);
	else
		answer(o, main_beaten);
}

void
crew_beat(struct crew *c)
{
	if (c->beating)
		return;
	c->beating = true;
	give(&c->beat, c, c->common.workers[0], worker_take_beat);
}

/* ---- the end ---- */

/* Are all workers idle, and will they stay so? */
static void
check_drained(struct crew *c)
{
	if (!c->leaving && c->drained == c->common.worker_count &&
	    worker_total_load(&c->common) == 0)
		c->events.drained(c->events.owner);
}

static void
main_idle(struct message *m, void *crew)
{
	struct crew *c = crew;

	free(m);
	check_drained(c);
}

static void
tell_idle(void *crew)
{
	struct crew *c = crew;
	struct message *m = malloc(sizeof(*m));

	if (m == NULL)
		return; /* the drain then lasts until its time is up */
	m->take = main_idle;
	mailbox_post(c->mailbox, m);
}

static void
main_drained(struct message *m, void *crew)
{
	struct crew *c = crew;

	(void)m;
	/* Nobody serves the doors any more: who comes now is refused, not kept waiting. */
	if (++c->drained == c->common.worker_count)
		plan_close_doors(c->plan, NULL);
	check_drained(c);
}

static void
stop_starters(struct worker *w)
{
	if (w->number == 0)
		starter_stop_all(w->plan);
}

static void
ask_to_end(struct session *first)
{
	for (struct session *s = first; s != NULL; s = session_next(s))
		session_ask_to_end(s);
}

static void
worker_take_drain(struct message *m, void *worker)
{
	struct worker *w = worker;

	w->draining = true;
	gates_drain(w);
	spares_stop(&w->spares);
	stop_starters(w);
	ask_to_end(w->standing);
	ask_to_end(w->pending);
	answer((struct order *)m, main_drained);
}

/* A client from elsewhere than a door, to the first worker. */
struct guest {
	struct message message;
	int fd;
	struct addr peer;
};

static void
worker_take_guest(struct message *m, void *worker)
{
	struct guest *g = (struct guest *)m;
	struct worker *w = worker;
	struct client client = {
		.service = &w->plan->services[0],
		.fd = g->fd,
		.peer = g->peer,
		.seq = atomic_fetch_add_explicit(&w->common->seq, 1, memory_order_relaxed),
	};

	session_start(w, &client);
	free(g);
}

bool
crew_serve(struct crew *c, int fd, const struct addr *peer)
{
	struct guest *g = malloc(sizeof(*g));

	if (g == NULL)
		return false;
	*g = (struct guest){ .message.take = worker_take_guest, .fd = fd, .peer = *peer };
	mailbox_post(c->common.workers[0]->mailbox, &g->message);
	return true;
}

bool
crew_has_failed(const struct crew *c)
{
	for (unsigned i = 0; i < c->common.worker_count; i++)
		for (unsigned r = 0; r < REASON_COUNT; r++)
			if (c->common.workers[i]->counters.ended[r] > 0 &&
			    !reason_info((enum reason)r)->clean)
				return true;
	return false;
}

void
crew_drain(struct crew *c)
{
	for (unsigned i = 0; i < c->common.worker_count; i++)
		give(&c->orders[i].drain, c, c->common.workers[i], worker_take_drain);
}

static void
worker_take_stop(struct message *m, void *worker)
{
	struct worker *w = worker;

	(void)m;
	w->draining = false; /* nobody waits any more */
	w->stopping = true;
	gates_close(w);
	stop_starters(w);
	while (w->standing != NULL)
		session_abort(w->standing, R_SHUTDOWN);
	while (w->pending != NULL)
		session_abort(w->pending, R_SHUTDOWN);
	loop_stop(w->loop);
}

/* Its thread has ended, or never began. */
static void
dismiss(struct worker *w)
{
	if (w != NULL)
		gates_close(w);
	worker_free(w);
}

void
crew_free(struct crew *c)
{
	if (c == NULL)
		return;
	CHECK_OBJ(c, CREW_MAGIC);
	c->leaving = true;
	for (unsigned i = 0; i < c->started; i++)
		give(&c->orders[i].stop, c, c->common.workers[i], worker_take_stop);
	for (unsigned i = 0; i < c->started; i++)
		pthread_join(c->common.workers[i]->thread, NULL);
	/* Before the mailboxes that it answers to. */
	offload_free(c->common.offload);
	for (unsigned i = 0; c->common.workers != NULL && i < c->common.worker_count; i++)
		dismiss(c->common.workers[i]);
	homes_free(c->common.homes);
	mailbox_free(c->mailbox);
	free(c->common.workers);
	free(c->orders);
	if (c->plan != NULL)
		plan_close_doors(c->plan, NULL);
	plan_release(c->plan);
	OBJ_FREE(c);
}

const struct plan *
crew_plan(const struct crew *c)
{
	return c->plan;
}
