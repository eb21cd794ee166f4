/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/reach.c -- pick, then dial; and tell who will choose next what came of it. */
#include "tunnel/reach.h"

#include "tunnel/aim.h"
#include "tunnel/persist.h"

/* The target of several to try first, and so on: see dial_new(). */
static unsigned
first_target(struct session *s, const struct dial_plan *plan)
{
	struct service *service = s->service;
	bool turns = service->conf->failover == FAILOVER_RR && !service->conf->delay;
	unsigned first = 0;

	if (turns)
		first = atomic_fetch_add_explicit(&service->turn, 1, memory_order_relaxed);
	if (plan->count > 1)
		log_info(&s->log, "failover: %s, starting at entry #%u",
		    turns ? "round-robin" : "priority", first % plan->count);
	return first;
}

/* Has the tunnel a choice among the targets of its service? */
static bool
has_choice(const struct session *s)
{
	return s->service->backend != NULL && aim_is_service(s);
}

/* IO_OK: s->pick has a plan, or none is needed. */
static enum io
choose(struct session *s)
{
	struct worker *w = s->worker;
	const struct picker picker = { w->loop, w->srv, w->grudges, &s->log, &s->task };

	if (s->pick == NULL && !has_choice(s))
		return IO_OK;
	if (s->pick == NULL &&
	    (s->pick = pick_new(s->service->backend, &picker, aim_plan(s), &s->peer)) == NULL)
		return IO_FAILED;
	return pick_step(s->pick);
}

static bool
start_dial(struct session *s)
{
	struct worker *w = s->worker;
	const struct dial_plan *plan = aim_plan(s);
	unsigned first = 0;
	struct home home;
	bool returns = persist_find(s, &first, &home);

	if (!returns)
		first = s->pick == NULL ? first_target(s, plan) : 0;
	s->dial = dial_new(plan, first, w->resolver, w->loop, w->pool, &s->log, &s->task, &s->far);
	if (s->dial != NULL && returns)
		dial_favour(s->dial, &home.addr);
	return s->dial != NULL;
}

/* The dial has found it. */
static void
note_dialled(struct session *s)
{
	const struct target *target = &aim_plan(s)->targets[dial_target(s->dial)];

	if (dial_had_choice(s->dial))
		persist_note(
		    s, &(struct home){ backend_hash(target->text), *dial_address(s->dial) });
}

enum io
reach_step(struct session *s, enum reason *why)
{
	enum io got = s->dial == NULL ? choose(s) : IO_OK;

	if (got != IO_OK) {
		*why = s->pick != NULL ? pick_reason(s->pick) : R_NO_MEMORY;
		return got;
	}
	if (s->dial == NULL && !start_dial(s)) {
		*why = R_NO_MEMORY;
		return IO_FAILED;
	}
	got = dial_step(s->dial);
	*why = got == IO_FAILED ? dial_reason(s->dial) : R_NONE;
	if (s->pick != NULL && got == IO_OK)
		pick_reached(s->pick, dial_target(s->dial));
	else if (s->pick != NULL && got == IO_FAILED && !dial_lacked_means(s->dial))
		pick_failed(s->pick, pick_plan(s->pick)->count);
	if (got == IO_OK)
		note_dialled(s);
	return got;
}

bool
reach_has_begun(const struct session *s)
{
	return s->pick != NULL || s->dial != NULL;
}

/*
 * The time for all of it is up while a target is tried.  Most of it may have been spent by the
 * client; a target that had less than half of it is not to blame.
 */
static bool
had_its_time(const struct session *s)
{
	int64_t tried = loop_now(s->worker->loop) - dial_since(s->dial);

	return s->connected == 0 && tried >= s->service->conf->busy_ms / 2;
}

void
reach_leave(struct session *s, bool late)
{
	if (s->pick != NULL && s->dial != NULL && !dial_lacked_means(s->dial))
		pick_failed(s->pick, dial_target(s->dial) + (late && had_its_time(s)));
	if (s->pick != NULL && s->connected != 0)
		s->load = pick_settle(s->pick);
	dial_free(s->dial);
	s->dial = NULL;
	pick_free(s->pick);
	s->pick = NULL;
}
