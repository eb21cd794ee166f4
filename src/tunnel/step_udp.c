/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_udp.c -- the client has asked for datagrams: they pass as long as it is connected. */
#include "tunnel/steps.h"
#include "tunnel/udp.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

static enum reason
judge(void *owner, const struct proto_target *target, const struct addr *addr)
{
	struct session *s = owner;

	return talk_judge_datagram(s->talk, &s->who, target, addr);
}

/* The sockets, and the reply that tells of them. */
static bool
begin(struct session *s)
{
	const struct udp_terms terms = {
		.worker = s->worker,
		.task = &s->task,
		.client = &s->peer,
		.local = s->service->conf->local,
		.judge = judge,
		.owner = s,
	};
	struct addr here = { .len = sizeof(here.un) };

	life_identify(s);
	if (getsockname(s->near.watch.fd, &here.sa, &here.len) == -1 ||
	    (s->udp = udp_new(&terms, &here)) == NULL)
		return false;
	talk_found(s->talk, &here);
	return true;
}

/* From here on time counts silence, as in a relay. */
static void
stand(struct session *s)
{
	life_leave_list(s);
	DL_APPEND(s->worker->standing, s);
	s->log.level = s->service->conf->log_level;
	s->relayed = loop_now(s->worker->loop);
	s->task.lane = LANE_RELAY;
}

static enum next
over(struct session *s, enum reason reason)
{
	s->up.bytes = udp_up(s->udp);
	s->down.bytes = udp_down(s->udp);
	if (udp_dropped(s->udp) > 0)
		log_info(&s->log, "SOCKS5: %llu datagrams were dropped",
		    (unsigned long long)udp_dropped(s->udp));
	return life_finish(s, reason);
}

static void
set_timer(struct session *s)
{
	int wait = s->service->conf->idle_ms;

	loop_timer(s->worker->loop, &s->timer, wait < life_left(s) ? wait : life_left(s));
}

/* What the client says on its connection means nothing; that it is there is what counts. */
static enum next
watch_connection(struct session *s)
{
	enum io got = stream_read(&s->near, &s->up.buf, BUF_PAYLOAD);

	buf_clear(&s->up.buf, s->worker->pool);
	if (got == IO_FAILED)
		return over(s, life_fault(s, &s->near));
	if (got == IO_EOF || got == IO_CUT) {
		(void)!stream_end(&s->near, END_LAST);
		return over(s, R_DONE);
	}
	if (got == IO_OK || stream_wants_turn(&s->near))
		loop_queue(s->worker->loop, &s->task);
	return WAIT;
}

/* The client hears where its datagrams are awaited. */
static enum next
introduce(struct session *s)
{
	if (s->udp == NULL && !begin(s)) {
		log_err(
		    &s->log, "SOCKS5: no socket for datagrams: %s (%d)", strerror(errno), errno);
		return life_finish(s, R_IO_NEAR);
	}
	switch (step_talk_run(s)) {
	case IO_OK:
		stand(s);
		set_timer(s);
		return MORE;
	case IO_AGAIN:
		return stream_was_reset(&s->near) ? life_finish(s, R_RESET_NEAR) : WAIT;
	default:
		return step_talk_failed(s);
	}
}

enum next
step_udp(struct session *s)
{
	if (s->relayed == 0)
		return introduce(s);
	if (s->timer.fired)
		return over(s, life_left(s) == 0 ? R_TOTAL : R_IDLE);
	if (udp_step(s->udp) > 0)
		set_timer(s);
	return watch_connection(s);
}
