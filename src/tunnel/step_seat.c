/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_seat.c -- a place in the service: maxConnections and the like, and the queue. */
#include "tunnel/steps.h"

/* SNI has chosen another service: it has limits of its own. */
static enum reason
change_seat(struct session *s)
{
	seat_leave(&s->seat);
	return seat_take(
	    &s->seat, s->service->seats, &s->service->conf->limits, &s->peer, s->worker->mailbox);
}

enum next
step_seat(struct session *s)
{
	enum reason why;

	if (s->step != STEP_SEAT && s->seat.seats != s->service->seats &&
	    (why = change_seat(s)) != R_NONE)
		return life_finish(s, why);
	if (!seat_waits(&s->seat))
		return life_go_on(s);
	if (stream_was_reset(&s->near))
		return life_finish(s, R_RESET_NEAR);
	/* What the client sends meanwhile brings us here again. */
	if (seat_wake(&s->seat, s->worker->loop, &s->task))
		log_info(
		    &s->log, "Service [%s] is full; waiting in the queue", s->service->conf->name);
	return WAIT;
}

enum next
step_identify(struct session *s)
{
	const struct limit_conf *limits = &s->service->conf->limits;
	enum reason why;

	life_identify(s);
	if ((why = seat_identify(&s->seat, limits, &s->who)) == R_NONE)
		return life_go_on(s);
	if (why == R_IDENTITY_FULL)
		log_notice(&s->log, "%s%s has %d connections already",
		    s->who.user != NULL ? "User " : "The client's certificate",
		    s->who.user != NULL ? s->who.user : "", limits->per_identity);
	return step_far_unreachable(s, why);
}
