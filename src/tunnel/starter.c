/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/starter.c -- services without a client: exec and connect, and no accept. */
#include "tunnel/starter.h"

#include "tunnel/session.h"

#include <stdio.h>
#include <string.h>

enum {
	/* A VPN is dialled again and again, each time after twice as long; */
	REDIAL_FIRST_MS = 1000,
	REDIAL_MAX_MS = 60 * 1000,
	/* but a call that stood for so long was a good one. */
	REDIAL_GOOD_MS = 60 * 1000,
};

/* Milliseconds until the next run of a VPN client. */
static int
redial_wait(struct starter *t)
{
	if (loop_now(t->worker->loop) - t->begun >= REDIAL_GOOD_MS)
		t->redial_ms = 0;
	t->redial_ms = t->redial_ms == 0 ? REDIAL_FIRST_MS : 2 * t->redial_ms;
	if (t->redial_ms > REDIAL_MAX_MS)
		t->redial_ms = REDIAL_MAX_MS;
	return t->redial_ms;
}

/* Again after a while, if it is wanted. */
static void
rest(struct starter *t)
{
	bool redials = t->service->vpn != NULL;
	int wait;

	if (t->stopped)
		return;
	wait = redials ? redial_wait(t) : t->service->conf->retry_ms;
	if (wait < 0)
		return;
	log_info(
	    &t->log, redials ? "Calling again in %d ms" : "Retrying an exec+connect section", wait);
	loop_timer(t->worker->loop, &t->timer, wait);
}

static void
on_ended(void *arg, enum reason reason)
{
	struct starter *t = arg;

	(void)reason;
	t->run = NULL;
	rest(t);
}

/* The incumbent's names: "7", or with retry "7_0", "7_1" and so on. */
static void
name_run(struct starter *t)
{
	const struct service_conf *conf = t->service->conf;
	size_t len;

	t->log.level = conf->log_level;
	line_make_id(&t->log, (enum log_id)conf->log_id, t->seq);
	len = strlen(t->log.id);
	if (conf->retry_ms >= 0)
		(void)snprintf(t->log.id + len, sizeof(t->log.id) - len, "_%u", t->runs);
	t->runs++;
}

static void
starter_run(void *arg)
{
	struct starter *t = arg;

	loop_untimer(t->worker->loop, &t->timer);
	if (t->stopped)
		return;
	t->begun = loop_now(t->worker->loop);
	name_run(t);
	t->run = session_start_program(t->worker, t->service, &t->log, on_ended, t);
	if (t->run != NULL)
		return;
	log_err(&t->log, "Cannot start the program: out of memory");
	rest(t);
}

static void
begin(struct worker *w, struct service *s)
{
	struct starter *t = &s->starter;

	log_debug(&log_main, "Starting exec+connect service [%s]", s->conf->name);
	*t = (struct starter){ .service = s,
		.worker = w,
		.task = { .run = starter_run, .owner = t, .lane = LANE_SETUP },
		.seq = atomic_fetch_add_explicit(&w->common->seq, 1, memory_order_relaxed) };
	t->timer.task = &t->task;
}

/* The call of a VPN that stands, or is on its way, is this one's from now on. */
static bool
inherit(struct starter *t, struct plan *old)
{
	for (unsigned i = 0; old != NULL && i < old->service_count; i++) {
		struct starter *before = &old->services[i].starter;

		if (before->run == NULL || before->service->vpn == NULL ||
		    strcmp(before->service->conf->name, t->service->conf->name) != 0)
			continue;
		t->run = before->run;
		t->begun = before->begun;
		t->log = before->log;
		before->run = NULL;
		session_hand_over(t->run, t);
		return true;
	}
	return false;
}

/*
 * Calls that nobody has inherited.  They may outlive this plan, as they hold that with which they
 * began: nobody here is told of their end.
 */
static void
hang_up(struct plan *old)
{
	for (unsigned i = 0; old != NULL && i < old->service_count; i++) {
		struct starter *t = &old->services[i].starter;
		struct session *run = t->run;

		if (run == NULL || t->service->vpn == NULL)
			continue;
		t->run = NULL;
		session_forget(run);
		if (session_is_call(run))
			session_ask_to_end(run);
		else
			session_abort(run, R_SHUTDOWN);
	}
}

void
starter_adopt(struct worker *w, struct plan *p, struct plan *old)
{
	starter_stop_all(old);
	for (unsigned i = 0; i < p->service_count; i++) {
		struct service *s = &p->services[i];

		if (!service_starts_itself(s->conf))
			continue;
		begin(w, s);
		if (s->vpn == NULL || !inherit(&s->starter, old))
			loop_queue(w->loop, &s->starter.task);
	}
	hang_up(old);
}

void
starter_stop_all(struct plan *p)
{
	for (unsigned i = 0; p != NULL && i < p->service_count; i++) {
		struct starter *t = &p->services[i].starter;

		if (t->worker == NULL)
			continue;
		t->stopped = true;
		loop_untimer(t->worker->loop, &t->timer);
		loop_cancel(t->worker->loop, &t->task);
	}
}
