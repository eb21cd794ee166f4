/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/crew.c -- all workers together. */
#include "tunnel/crew.h"

#include <errno.h>
#include <string.h>

enum { CREW_MAGIC = 0x62f0917c };

struct crew {
	unsigned magic;
	struct common common;
	struct crew_events events;
	struct mailbox *mailbox; /* the main thread's */
	struct plan *plan;
	unsigned started;  /* threads */
	unsigned adopting; /* workers whose answer is still to come */
	unsigned drained;  /* workers that accept no more */
};

/* An order to one worker, or its answer; the same piece of memory goes there and back. */
struct order {
	struct message message;
	struct crew *crew;
	struct plan *plan, *old; /* for adopt; held */
	unsigned n;		 /* for list */
};

static void tell_idle(void *crew);

struct crew *
crew_new(unsigned workers, const struct limits *limits, struct loop *main, const struct crew_events *events)
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
	if ((c->mailbox = mailbox_new(main, c)) == NULL)
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

bool
crew_start(struct crew *c, struct plan *plan)
{
	c->plan = plan;
	for (unsigned i = 0; i < c->common.worker_count; i++)
		if (!worker_adopt(c->common.workers[i], plan))
			return false;
	for (; c->started < c->common.worker_count; c->started++)
		if (!worker_start(c->common.workers[c->started]))
			return false;
	return true;
}

/*
 * Send an order.  Without memory for a message of some 60 bytes nothing can be told to anyone any more;
 * that is not survived.
 */
static void
send_order(struct crew *c, struct worker *to, void (*take)(struct message *, void *), struct plan *plan,
    struct plan *old, unsigned n)
{
	struct order *o = malloc(sizeof(*o));

	MUST(o != NULL);
	*o = (struct order){ .message.take = take, .crew = c, .plan = plan, .old = old, .n = n };
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
	struct order *o = (struct order *)m;
	struct crew *c = crew;

	/* Now nobody watches the sockets that the new plan does without. */
	if (--c->adopting == 0) {
		plan_close_doors(o->old, c->plan);
		plan_release(o->old);
		c->events.adopted(c->events.owner);
	}
	free(o);
}

static void
worker_take_plan(struct message *m, void *worker)
{
	struct order *o = (struct order *)m;

	if (!worker_adopt(worker, o->plan))
		MUST(false); /* a few pointers; see send_order() */
	answer(o, main_adopted);
}

void
crew_adopt(struct crew *c, struct plan *plan)
{
	struct plan *old = c->plan;

	MUST(c->adopting == 0);
	c->plan = plan;
	c->adopting = c->common.worker_count;
	for (unsigned i = 0; i < c->common.worker_count; i++)
		send_order(c, c->common.workers[i], worker_take_plan, plan, old, 0);
}

/* ---- list: from worker to worker, so that the numbers run through ---- */

static void
worker_take_list(struct message *m, void *worker)
{
	struct order *o = (struct order *)m;
	struct worker *w = worker;
	struct crew *c = o->crew;

	o->n = worker_list(w, o->n);
	if (w->number + 1 < c->common.worker_count) {
		mailbox_post(c->common.workers[w->number + 1]->mailbox, &o->message);
		return;
	}
	log_line(&log_main, LOG_NOTICE, "Listed %u active connection(s)", o->n - 1);
	free(o);
}

void
crew_list(struct crew *c)
{
	log_line(&log_main, LOG_NOTICE, "Active connections:");
	send_order(c, c->common.workers[0], worker_take_list, NULL, NULL, 1);
}

/* ---- the end ---- */

/* Some worker is idle: are all of them, and will they stay so? */
static void
main_idle(struct message *m, void *crew)
{
	struct crew *c = crew;

	free(m);
	if (c->drained == c->common.worker_count && worker_total_load(&c->common) == 0)
		c->events.drained(c->events.owner);
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

	/* Nobody serves the doors any more: who comes now is refused, not kept waiting. */
	if (++c->drained == c->common.worker_count)
		plan_close_doors(c->plan, NULL);
	main_idle(m, crew);
}

static void
worker_take_drain(struct message *m, void *worker)
{
	worker_drain(worker);
	answer((struct order *)m, main_drained);
}

void
crew_drain(struct crew *c)
{
	for (unsigned i = 0; i < c->common.worker_count; i++)
		send_order(c, c->common.workers[i], worker_take_drain, NULL, NULL, 0);
}

static void
worker_take_stop(struct message *m, void *worker)
{
	free(m);
	worker_stop(worker);
}

void
crew_free(struct crew *c)
{
	if (c == NULL)
		return;
	CHECK_OBJ(c, CREW_MAGIC);
	for (unsigned i = 0; i < c->started; i++)
		send_order(c, c->common.workers[i], worker_take_stop, NULL, NULL, 0);
	for (unsigned i = 0; i < c->started; i++)
		pthread_join(c->common.workers[i]->thread, NULL);
	for (unsigned i = 0; c->common.workers != NULL && i < c->common.worker_count; i++)
		worker_free(c->common.workers[i]);
	free(c->common.workers);
	mailbox_free(c->mailbox);
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
