/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_seat.c -- a place in the service: maxConnections, and the queue for it. */
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
	log_info(&s->log, "Service [%s] is full; waiting in the queue", s->service->conf->name);
	seat_wake(&s->seat, s->worker->loop, &s->task);
	return WAIT;
}
