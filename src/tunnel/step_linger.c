/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/step_linger.c -- the end of a side that has got everything and may still be sending: its
 * receiver has left, or it was answered by us.
 *
 * A socket that is closed with bytes unread in it sends RST, and throws away what it still had to
 * send; a RST that arrives makes others do the same (RFC 1122 4.2.2.13, RFC 9112 9.6).  So what
 * comes is read and dropped for a while.
 */
#include "tunnel/steps.h"

#include <errno.h>
#include <sys/socket.h>

enum {
	LINGER_MS = 5000, /* in all */
	ANSWERED_MS =
	    1000, /* who was answered, and is silent for so long, has read it or never will */
	LINGER_MAX = 64 * 1024 * 1024,
	TURN_MAX = 256 * 1024, /* before others have their turn */
};

/* The client was answered, and nothing follows. */
static bool
was_answered(const struct session *s)
{
	return talk_took_leave(s->talk);
}

static struct stream *
side_of(struct session *s)
{
	return was_answered(s) || s->up.broken ? &s->near : &s->far;
}

static enum next
over(struct session *s)
{
	return life_finish(s, was_answered(s) ? talk_reason(s->talk) : R_EARLY);
}

enum next
step_linger_begin(struct session *s)
{
	struct stream *side = side_of(s);
	const struct flow *sent = side == &s->near ? &s->up : &s->down;

	if (sent->eof || side->kind != STREAM_SOCKET || stream_was_reset(side) ||
	    shutdown(side->watch.fd, SHUT_WR) == -1)
		return over(s);
	s->dropped = 0;
	s->lingers = loop_now(s->worker->loop);
	loop_timer(s->worker->loop, &s->timer, was_answered(s) ? ANSWERED_MS : LINGER_MS);
	return life_go(s, STEP_LINGER);
}

/* Something came: silence begins anew, but all of it has an end. */
static void
prolong(struct session *s)
{
	int64_t left = s->lingers + LINGER_MS - loop_now(s->worker->loop);

	if (was_answered(s))
		loop_timer(s->worker->loop, &s->timer, left < ANSWERED_MS ? left : ANSWERED_MS);
}

enum next
step_linger(struct session *s)
{
	struct stream *side = side_of(s);
	unsigned char chunk[16 * 1024];
	size_t before = s->dropped;
	ssize_t n = 1;

	if (s->timer.fired)
		return over(s);
	for (size_t turn = 0; n > 0 && turn < TURN_MAX; turn += (size_t)n) {
		do
			n = stream_recv(side, chunk, sizeof(chunk));
		while (n == -1 && errno == EINTR);
		s->dropped += n > 0 ? (size_t)n : 0;
		if (n == 0 || (n == -1 && errno != EAGAIN) || s->dropped > LINGER_MAX)
			return over(s);
	}
	if (s->dropped > before)
		prolong(s);
	if (n > 0)
		loop_queue(s->worker->loop, &s->task);
	return WAIT;
}
