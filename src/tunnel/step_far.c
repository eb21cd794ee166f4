/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_far.c -- the target: reach it, and TLS with it. */
#include "tls/tls_stream.h"
#include "tunnel/spares.h"
#include "tunnel/steps.h"

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

/* Where the configuration sends this tunnel. */
static const struct dial_plan *
targets_of(const struct session *s)
{
	if (s->sibling != NULL)
		return sibling_dial_plan(s->sibling);
	return s->redirected ? &s->service->redirect : &s->service->dial;
}

/* ... and with the client's own addresses, or where it asks to go. */
static const struct dial_plan *
plan_of(const struct session *s)
{
	const struct dial_plan *plan = s->route != NULL ? route_plan(s->route) : targets_of(s);

	return s->talk != NULL && !s->redirected ? talk_dial_plan(s->talk, plan) : plan;
}

/* Does it go to the targets of its service, and not where somebody else says? */
static bool
is_for_service(const struct session *s)
{
	return plan_of(s)->targets == s->service->dial.targets;
}

/* Has the tunnel a choice among the targets of its service? */
static bool
has_choice(const struct session *s)
{
	return s->service->backend != NULL && is_for_service(s);
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
	    (s->pick = pick_new(s->service->backend, &picker, plan_of(s), &s->peer)) == NULL)
		return IO_FAILED;
	return pick_step(s->pick);
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
step_far_leave(struct session *s, bool late)
{
	if (s->pick != NULL && s->dial != NULL)
		pick_failed(s->pick, dial_target(s->dial) + (late && had_its_time(s)));
	if (s->pick != NULL && s->connected != 0)
		s->load = pick_settle(s->pick);
	dial_free(s->dial);
	s->dial = NULL;
	pick_free(s->pick);
	s->pick = NULL;
}

/* What the dial goes by. */
static const struct dial_plan *
dialled_plan(const struct session *s)
{
	return s->pick != NULL ? pick_plan(s->pick) : plan_of(s);
}

/* The number of a client whose way back to its target is worth a memory; 0: it is not. */
static uint64_t
visitor_of(const struct session *s, bool *resumed)
{
	const struct dial_plan *plan = dialled_plan(s);
	bool several = plan->count > 1 || plan->targets[0].numeric.len == 0;

	return several && is_for_service(s) ? tls_stream_visitor(&s->near, resumed) : 0;
}

/* The number of the target that has this hash; plan->count: it is gone. */
static unsigned
target_of(const struct dial_plan *plan, uint64_t hash)
{
	unsigned i = 0;

	while (i < plan->count && backend_hash(plan->targets[i].text) != hash)
		i++;
	return i;
}

/*
 * A client that resumes its session goes back to the target of its last visit, if that is still
 * one.  True: *first and *home.
 */
static bool
find_home(struct session *s, const struct dial_plan *plan, unsigned *first, struct home *home)
{
	bool resumed = false;
	uint64_t visitor = visitor_of(s, &resumed);
	char text[ADDR_TEXT];

	if (visitor == 0 || !resumed)
		return false;
	if (!homes_find(s->worker->common->homes, visitor, home)) {
		log_notice(&s->log, "persistence: No cached address found");
		return false;
	}
	if (s->pick != NULL)
		*first = pick_favour(s->pick, home->target) ? 0 : plan->count;
	else
		*first = target_of(plan, home->target);
	if (*first < plan->count)
		return true;
	log_info(&s->log, "persistence: %s not available", addr_text(&home->addr, text));
	return false;
}

/* Has it been here before, and may come from a target to which it should go back? */
static bool
has_home(const struct session *s)
{
	bool resumed = false;
	uint64_t visitor = visitor_of(s, &resumed);
	struct home home;

	return visitor != 0 && resumed && homes_find(s->worker->common->homes, visitor, &home);
}

/* ... and for its next visit. */
static void
note_home(struct session *s, const struct home *home)
{
	bool resumed = false;
	uint64_t visitor = visitor_of(s, &resumed);
	char text[ADDR_TEXT];

	if (visitor == 0)
		return;
	homes_note(s->worker->common->homes, visitor, home);
	log_info(&s->log, "persistence: %s cached", addr_text(&home->addr, text));
}

/* The dial has found it. */
static void
note_dialled(struct session *s)
{
	const struct target *target = &dialled_plan(s)->targets[dial_target(s->dial)];

	if (dial_had_choice(s->dial))
		note_home(s, &(struct home){ backend_hash(target->text), *dial_address(s->dial) });
}

static bool
start_dial(struct session *s)
{
	struct worker *w = s->worker;
	const struct dial_plan *plan = dialled_plan(s);
	unsigned first = 0;
	struct home home;
	bool returns = find_home(s, plan, &first, &home);

	if (!returns)
		first = s->pick == NULL ? first_target(s, plan) : 0;
	s->dial = dial_new(plan, first, w->resolver, w->loop, w->pool, &s->log, &s->task, &s->far);
	if (s->dial != NULL && returns)
		dial_favour(s->dial, &home.addr);
	return s->dial != NULL;
}

/* The far socket stands: options, and the line that names our end of it. */
static void
greet_far(struct session *s)
{
	struct addr self = { .len = sizeof(self.un) };
	const char *option = sock_apply(s->far.watch.fd, &s->service->conf->sock.side[SOCK_REMOTE]);
	char text[ADDR_TEXT];

	if (option != NULL)
		log_warn(&s->log, "Failed to set remote socket options: %s", option);
	if (s->log.level >= LOG_NOTICE && getsockname(s->far.watch.fd, &self.sa, &self.len) == 0)
		log_notice(&s->log, "Service [%s] connected remote server from %s",
		    s->service->conf->name, addr_text(&self, text));
}

/* Choose, and dial.  IO_FAILED: `why`. */
static enum io
reach(struct session *s, enum reason *why)
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
	else if (s->pick != NULL && got == IO_FAILED)
		pick_failed(s->pick, pick_plan(s->pick)->count);
	return got;
}

/* No target could be reached; some protocols have a word for it. */
enum next
step_far_unreachable(struct session *s, enum reason reason)
{
	if (!life_wants(s, STEP_SORRY) || !step_talk_begin(s))
		return life_finish(s, reason);
	talk_regret(s->talk, reason, s->dial);
	return life_go(s, STEP_SORRY);
}

bool
step_far_is_owed(const struct session *s)
{
	return (s->step == STEP_CONNECT || s->step == STEP_INTRODUCE || s->step == STEP_UPGRADE) &&
	       life_wants(s, STEP_SORRY);
}

/* Is a connection ready?  Then there is no more to do for the far side. */
static bool
take_spare(struct session *s)
{
	struct home home;
	char text[ADDR_TEXT];

	/* Who goes back to the target of its last visit, rather waits for a connection to that. */
	if (s->pick != NULL || s->dial != NULL || s->redirected || s->worker->spares == NULL ||
	    has_home(s) ||
	    !spares_take(
		s->worker->spares, s->service, &s->far, &s->log, &s->task, &home, &s->load))
		return false;
	s->connected = s->secured = loop_now(s->worker->loop);
	log_notice(&s->log, "s_connect: connected %s", addr_text(&home.addr, text));
	log_info(&s->log, "The connection was ready, TLS included");
	note_home(s, &home);
	greet_far(s);
	return true;
}

/* May the client go where it has asked for?  Who may not gets no name looked up for it. */
static enum reason
judge(struct session *s)
{
	if (s->talk == NULL || s->redirected)
		return R_NONE;
	life_identify(s);
	return talk_judge(s->talk, &s->who);
}

/* May there be connections beside this one? */
static bool
wants_kin(const struct session *s)
{
	return s->service->role != NULL && s->service->role->invites && s->sibling == NULL &&
	       !s->redirected;
}

/* The target is behind proxies.  That it was reached is for those to say: they end otherwise. */
static enum next
connect_via(struct session *s)
{
	if ((s->via = via_new(s->worker, s->service->via, &s->log, &s->far, &s->task)) == NULL)
		return life_finish(s, R_NO_MEMORY);
	s->connected = loop_now(s->worker->loop);
	return life_go_on(s);
}

enum next
step_far_connect(struct session *s)
{
	enum reason why;

	if (s->service->via != NULL && !s->redirected && s->sibling == NULL)
		return connect_via(s);
	if (s->service->conf->transparent != TRANSPARENT_NONE && s->route == NULL &&
	    (s->route = route_new(
		 s->service, targets_of(s), s->near.watch.fd, &s->peer, &s->log, &why)) == NULL)
		return step_far_unreachable(s, why);
	if (s->dial == NULL && s->pick == NULL && (why = judge(s)) != R_NONE)
		return step_far_unreachable(s, why);
	if (take_spare(s))
		return life_go_on(s);
	switch (reach(s, &why)) {
	case IO_AGAIN:
		return stream_was_reset(&s->near) ? life_finish(s, R_RESET_NEAR) : WAIT;
	case IO_OK:
		break;
	default:
		return step_far_unreachable(s, why);
	}
	s->connected = loop_now(s->worker->loop);
	note_dialled(s);
	greet_far(s);
	if (wants_kin(s) && (s->kin = kin_new(s, dial_address(s->dial))) == NULL)
		return life_finish(s, R_NO_MEMORY);
	return life_go_on(s);
}

static bool
open_far_tls(struct session *s)
{
	const struct addr *peer = s->dial != NULL ? dial_address(s->dial) : NULL;
	struct resume_cache *cache = NULL;
	const struct kin *kin = s->sibling != NULL ? sibling_kin(s->sibling) : s->kin;

	/*
	 * All of them use the session of the first one.  Servers of FTP know by that whose data it
	 * is: "which proves that they know the same master secret as the control channel"
	 * (vsftpd.conf(5), require_ssl_reuse).
	 */
	if (kin != NULL)
		return tls_stream_connect(&s->far, s->service->far, s->worker->resolver,
		    kin_sessions(kin), kin_server(kin));
	/*
	 * The worker has forgotten the sessions of an older plan; they must not come back.  A
	 * program has no address by which its sessions could be found again.
	 */
	if (s->service->plan == s->worker->plan && peer != NULL)
		cache = s->worker->resume;
	return tls_stream_connect(&s->far, s->service->far, s->worker->resolver, cache, peer);
}

enum next
step_far_upgrade(struct session *s)
{
	if (s->far.filter == NULL && !open_far_tls(s))
		return life_finish(s, R_NO_MEMORY);
	switch (stream_start(&s->far)) {
	case IO_OK:
		s->secured = loop_now(s->worker->loop);
		return life_go_on(s);
	case IO_AGAIN:
		if (stream_wants_turn(&s->far))
			loop_queue(s->worker->loop, &s->task);
		return stream_was_reset(&s->near) ? life_finish(s, R_RESET_NEAR) : WAIT;
	case IO_EOF:
	case IO_CUT:
		return step_far_unreachable(s, R_TLS_CONNECT);
	case IO_FAILED:
		break;
	}
	return step_far_unreachable(s, life_fault(s, &s->far));
}
