/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_far.c -- the way to the target: a connection that is ready, proxies, or a dial. */
#include "tunnel/aim.h"
#include "tunnel/persist.h"
#include "tunnel/reach.h"
#include "tunnel/spares.h"
#include "tunnel/steps.h"

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
	if (reach_has_begun(s) || s->redirected || s->worker->spares == NULL ||
	    persist_leads_back(s) ||
	    !spares_take(
		s->worker->spares, s->service, &s->far, &s->log, &s->task, &home, &s->load))
		return false;
	s->connected = s->secured = loop_now(s->worker->loop);
	log_notice(&s->log, "s_connect: connected %s", addr_text(&home.addr, text));
	log_info(&s->log, "The connection was ready, TLS included");
	persist_note(s, &home);
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
		 s->service, aim_configured(s), s->near.watch.fd, &s->peer, &s->log, &why)) == NULL)
		return step_far_unreachable(s, why);
	if (!reach_has_begun(s) && (why = judge(s)) != R_NONE)
		return step_far_unreachable(s, why);
	if (take_spare(s))
		return life_go_on(s);
	switch (reach_step(s, &why)) {
	case IO_AGAIN:
		return stream_was_reset(&s->near) ? life_finish(s, R_RESET_NEAR) : WAIT;
	case IO_OK:
		break;
	default:
		return step_far_unreachable(s, why);
	}
	s->connected = loop_now(s->worker->loop);
	greet_far(s);
	if (wants_kin(s) && (s->kin = kin_new(s, dial_address(s->dial))) == NULL)
		return life_finish(s, R_NO_MEMORY);
	return life_go_on(s);
}
