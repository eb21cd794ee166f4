/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_admit.c -- who may come in. */
#include "tunnel/steps.h"

/* The line of the incumbent that tells of a client. */
void
step_admit_greet(struct session *s)
{
	char text[ADDR_TEXT];

	log_notice(&s->log, "Service [%s] accepted connection%s%s", s->service->conf->name,
	    s->peer.len == 0 ? "" : " from ", s->peer.len == 0 ? "" : addr_text(&s->peer, text));
}

enum next
step_admit(struct session *s)
{
	bool again = s->step != STEP_ADMIT;

	if (s->guard == NULL && (s->guard = guard_new(s->worker, s->service, again,
				     s->near.watch.fd, &s->peer, &s->log, &s->task)) == NULL)
		return life_finish(s, R_NO_MEMORY);
	switch (guard_step(s->guard)) {
	case IO_OK:
		break;
	case IO_AGAIN:
		return stream_was_reset(&s->near) ? life_finish(s, R_RESET_NEAR) : WAIT;
	default:
		return life_finish(s, guard_reason(s->guard));
	}
	guard_free(s->guard);
	s->guard = NULL;
	s->admitted = s->service;
	if (!again)
		step_admit_greet(s);
	return life_go_on(s);
}
