/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_talk.c -- what a protocol says before the relay. */
#include "tunnel/heard.h"
#include "tunnel/steps.h"

/* The dialogue, if it has not begun.  False: no memory. */
bool
step_talk_begin(struct session *s)
{
	if (s->talk != NULL)
		return true;
	s->talk = talk_new(s->worker, s->service, &s->log, &s->task, &s->peer, s->started);
	if (s->talk != NULL && s->heard != NULL)
		talk_set_accepted(s->talk, &s->heard->accepted);
	return s->talk != NULL;
}

/* Where a side's bytes wait until the script takes them: behind TLS, where relaying will find them.
 */
static struct talk_side
talk_side(struct stream *stream, struct flow *from)
{
	return (struct talk_side){ stream, stream->filter != NULL ? &from->buf : &stream->in };
}

/* The stream on which TLS begins when the dialogue of this step is over; NULL: none. */
static struct stream *
upgraded(struct session *s)
{
	struct service *service = s->service;

	if (s->step == STEP_EARLY || (s->step == STEP_CLEAR && life_connects_first(s)))
		return service->near != NULL ? &s->near : NULL;
	if (s->step == STEP_CLEAR)
		return service->far != NULL ? &s->far : NULL;
	return NULL;
}

enum io
step_talk_run(struct session *s)
{
	const struct talk_side sides[] = {
		[PROTO_NEAR] = talk_side(&s->near, &s->up),
		[PROTO_FAR] = talk_side(&s->far, &s->down),
	};

	return talk_run(s->talk, life_point(s), sides, upgraded(s));
}

enum next
step_talk_failed(struct session *s)
{
	enum reason reason = talk_reason(s->talk);

	if (talk_took_leave(s->talk))
		return step_linger_begin(s);
	if (reason != R_NONE)
		return life_finish(s, reason);
	return life_finish(s, life_fault(s, s->near.fault != FAULT_NONE ? &s->near : &s->far));
}

enum next
step_talk(struct session *s)
{
	if (!step_talk_begin(s))
		return life_finish(s, R_NO_MEMORY);
	switch (step_talk_run(s)) {
	case IO_OK:
		return life_go_on(s);
	case IO_AGAIN:
		return stream_was_reset(&s->near) ? life_finish(s, R_RESET_NEAR) : WAIT;
	default:
		return step_talk_failed(s);
	}
}
