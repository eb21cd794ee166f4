/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_detect.c -- which of several protocols on one port does the client speak? */
#include "tunnel/steps.h"

static enum detect_layer
layer_of(const struct session *s)
{
	return s->step == STEP_DETECT ? DETECT_CLEAR : DETECT_INSIDE;
}

/* Where the first bytes are kept for whoever serves the client. */
static struct buf *
bytes_of(struct session *s)
{
	return layer_of(s) == DETECT_CLEAR ? &s->near.in : &s->up.buf;
}

static enum next
choose(struct session *s, enum detect_kind kind)
{
	struct service *chosen = s->service->detect->by[layer_of(s)][kind];

	loop_untimer(s->worker->loop, &s->pause);
	if (chosen != NULL && chosen != s->service) {
		log_notice(&s->log, "Detected %s: switched to service [%s]", detect_name(kind),
		    chosen->conf->name);
		life_hand_to(s, chosen);
	} else {
		log_info(&s->log, "Detected %s", detect_name(kind));
	}
	return life_go_on(s);
}

/* Some more of the first bytes. */
static enum io
fetch(struct session *s)
{
	struct buf *bytes = bytes_of(s);

	if (buf_len(bytes) >= DETECT_MAX)
		return IO_OK;
	return layer_of(s) == DETECT_CLEAR
		   ? stream_peek(&s->near, DETECT_MAX)
		   : stream_read(&s->near, bytes, DETECT_MAX - buf_len(bytes));
}

/* The client is silent.  Somebody may be there for those who wait for the server to begin. */
static enum next
wait_for_more(struct session *s)
{
	const struct service *service = s->service;

	buf_settle(bytes_of(s), s->worker->pool);
	if (stream_wants_turn(&s->near)) /* more has come than one turn may take */
		loop_queue(s->worker->loop, &s->task);
	if (service->detect->by[layer_of(s)][DETECT_TIMEOUT] == NULL)
		return WAIT;
	if (s->pause.fired)
		return choose(s, DETECT_TIMEOUT);
	if (!s->pause.armed)
		loop_timer(s->worker->loop, &s->pause, service->conf->front.detect.timeout_ms);
	return WAIT;
}

enum next
step_detect(struct session *s)
{
	const struct buf *bytes = bytes_of(s);
	enum detect_kind kind;
	enum io got = fetch(s);

	if (got == IO_FAILED)
		return life_finish(s, life_fault(s, &s->near));
	kind = buf_len(bytes) == 0 ? DETECT_MORE : detect_look(buf_head(bytes), buf_len(bytes));
	if (kind != DETECT_MORE)
		return choose(s, kind);
	if (got == IO_OK)
		return MORE;
	if (got == IO_AGAIN)
		return wait_for_more(s);
	/* It ends before it has said what it is. */
	return buf_len(bytes) == 0 ? life_finish(s, R_NO_BYTES) : choose(s, DETECT_OTHER);
}
