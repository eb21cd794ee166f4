/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/step_linger.c -- the end of a side that has got everything and is still sending.
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
	LINGER_MAX = 64 * 1024 * 1024,
	TURN_MAX = 256 * 1024, /* before others have their turn */
};

enum next
step_linger_begin(struct session *s)
{
	struct stream *side = s->up.broken ? &s->near : &s->far;
	const struct flow *sent = s->up.broken ? &s->up : &s->down;

	if (sent->eof || side->kind != STREAM_SOCKET || stream_was_reset(side) ||
	    shutdown(side->watch.fd, SHUT_WR) == -1)
		return life_finish(s, R_EARLY);
	s->dropped = 0;
	loop_timer(s->worker->loop, &s->timer, LINGER_MS);
	return life_go(s, STEP_LINGER);
}

enum next
step_linger(struct session *s)
{
	struct stream *side = s->up.broken ? &s->near : &s->far;
	unsigned char chunk[16 * 1024];
	ssize_t n = 1;

	if (s->timer.fired)
		return life_finish(s, R_EARLY);
	for (size_t turn = 0; n > 0 && turn < TURN_MAX; turn += (size_t)n) {
		do
			n = stream_recv(side, chunk, sizeof(chunk));
		while (n == -1 && errno == EINTR);
		s->dropped += n > 0 ? (size_t)n : 0;
		if (n == 0 || (n == -1 && errno != EAGAIN) || s->dropped > LINGER_MAX)
			return life_finish(s, R_EARLY);
	}
	if (n > 0)
		loop_queue(s->worker->loop, &s->task);
	return WAIT;
}
