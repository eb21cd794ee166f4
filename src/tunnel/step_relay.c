/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_relay.c -- the tunnel stands: two flows, their ends, and silence. */
#include "tunnel/reach.h"
#include "tunnel/steps.h"

#include <string.h>
#include <utlist.h>

/* So many runs within a second without a byte moved are a fault of ours, not of the peers. */
enum { SPIN_MAX = 1000 };

/* The ends of programs and terminals have rules of their own, which splice() does not know. */
static bool
is_plain_socket(const struct stream *s)
{
	return s->filter == NULL && s->kind == STREAM_SOCKET;
}

static void
end_talk(struct session *s)
{
	talk_free(s->talk);
	s->talk = NULL;
}

/* The tunnel stands: from here on, time counts silence, and the session runs before new ones. */
static void
begin(struct session *s)
{
	life_leave_list(s);
	DL_APPEND(s->worker->standing, s);
	s->log.level = s->service->conf->log_level;
	s->relayed = loop_now(s->worker->loop);
	if (is_plain_socket(&s->near) && is_plain_socket(&s->far))
		s->up.conduits = s->down.conduits = s->worker->conduits;
	s->up.strict = s->down.strict = s->service->conf->strict_close;
	pace_begin(&s->up.pace, s->service->conf->limits.rate, s->relayed);
	pace_begin(&s->down.pace, s->service->conf->limits.rate, s->relayed);
	s->task.lane = LANE_RELAY;
	reach_leave(s, false);
	if (s->step != STEP_STAY)
		end_talk(s);
}

/* Silence has lasted too long, or the tunnel. */
static enum next
relay_timeout(struct session *s)
{
	if (life_left(s) == 0) {
		log_info(&s->log, "TIMEOUTtotal exceeded: sending reset");
		return life_finish(s, R_TOTAL);
	}
	if (s->up.done || s->down.done) {
		log_err(&s->log, "transfer: s_poll_wait: TIMEOUTclose exceeded: closing");
		return life_finish(s, R_CLOSE_TIMEOUT);
	}
	log_info(&s->log, "transfer: s_poll_wait: TIMEOUTidle exceeded: sending reset");
	return life_finish(s, R_IDLE);
}

/* A flow failed: name the call that met it, and the end that it is. */
static enum next
relay_failed(struct session *s)
{
	const struct stream *at = s->near.fault != FAULT_NONE ? &s->near : &s->far;
	bool tls = at->filter != NULL;

	if (at->fault == FAULT_NONE)
		return life_finish(s, R_TRUNCATED);
	/* Who was handed a cut may answer with an alert; that is not the cause. */
	if (at->fault == FAULT_TLS && (s->up.cut || s->down.cut))
		return life_finish(s, R_CUT);
	if (at->fault == FAULT_OS || at->fault == FAULT_RESET)
		log_err(&s->log, "transfer: %s: %s (%d)", tls ? "SSL_read" : "readsocket",
		    strerror(at->errnum), at->errnum);
	return life_finish(s, life_fault(s, at));
}

/* Both directions are done; how truthful an end was it? */
static enum next
relay_done(struct session *s)
{
	if (s->up.broken && s->down.broken)
		return life_finish(s, R_RESET_NEAR);
	if (s->up.broken || s->down.broken)
		return step_linger_begin(s);
	return life_finish(s, s->up.cut || s->down.cut ? R_CUT : R_DONE);
}

/* True: the session wakes again and again, though nothing came and nothing could leave. */
static bool
spins(struct session *s, int64_t now)
{
	uint64_t received = s->near.received + s->far.received;

	if (received != s->spin_received)
		s->spins = 0;
	s->spin_received = received;
	if (now - s->spin_since >= 1000) {
		s->spin_since = now;
		s->spins = 0;
	}
	return ++s->spins > SPIN_MAX;
}

/* The sooner of two pauses, either of which may be none. */
static int
sooner(int a, int b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* A side has sent its last byte; the words are the incumbent's. */
static void
log_ending(const struct session *s, const struct stream *side, const struct flow *flow)
{
	log_info(&s->log, "%s",
	    side->filter == NULL ? "Read socket closed (readsocket)"
	    : flow->cut		 ? "TLS socket closed (SSL_read)"
				 : "TLS closed (SSL_read)");
}

/* Bytes have moved, or not; until when may it be silent? */
static enum next
wait_on(struct session *s, bool begun, bool moved, int silence_ms)
{
	struct loop *loop = s->worker->loop;

	if (moved)
		s->spins = 0;
	else if (begun && spins(s, loop_now(loop)))
		return life_finish(s, R_BUG);
	if (silence_ms > life_left(s))
		silence_ms = life_left(s);
	loop_timer(loop, &s->timer, silence_ms);
	return WAIT;
}

enum next
step_relay(struct session *s)
{
	const struct service_conf *conf = s->service->conf;
	enum io up, down;
	bool begun = s->relayed != 0, up_ended, down_ended;
	int pause;

	if (!begun)
		begin(s);
	else if (s->timer.fired)
		return relay_timeout(s);

	up_ended = s->up.eof;
	down_ended = s->down.eof;
	up = flow_run(&s->up, &s->near, &s->far, s->down.done);
	down = flow_run(&s->down, &s->far, &s->near, s->up.done);
	if (s->up.eof && !up_ended)
		log_ending(s, &s->near, &s->up);
	if (s->down.eof && !down_ended)
		log_ending(s, &s->far, &s->down);
	if (up == IO_FAILED || down == IO_FAILED)
		return relay_failed(s);
	if (up == IO_OK && down == IO_OK)
		return relay_done(s);

	if ((pause = sooner(s->up.pause, s->down.pause)) > 0)
		loop_timer(s->worker->loop, &s->pause, pause);
	s->task.lane = s->up.full + s->down.full > 0 ? LANE_BULK : LANE_RELAY;
	if (s->up.more || s->down.more)
		loop_queue(s->worker->loop, &s->task);
	return wait_on(s, begun, s->up.moved + s->down.moved > 0,
	    s->up.done || s->down.done ? conf->close_ms : conf->idle_ms);
}

/* What a dialogue has said takes the place of what flows have moved.  True: that has grown. */
static bool
count_said(struct session *s)
{
	uint64_t before = s->up.bytes + s->down.bytes;

	s->up.bytes = talk_said(s->talk, PROTO_FAR);
	s->down.bytes = talk_said(s->talk, PROTO_NEAR);
	return s->up.bytes + s->down.bytes > before;
}

enum next
step_stay(struct session *s)
{
	bool begun = s->relayed != 0, moved;
	enum io got;

	if (!begun) {
		if (!step_talk_begin(s))
			return life_finish(s, R_NO_MEMORY);
		begin(s);
		if (s->kin != NULL)
			talk_set_beside(s->talk, &(struct proto_beside){ kin_invite, s->kin });
	} else if (s->timer.fired) {
		return relay_timeout(s);
	}
	got = step_talk_run(s);
	moved = count_said(s);
	if (got == IO_FAILED)
		return step_talk_failed(s);
	if (got == IO_AGAIN)
		return wait_on(s, begun, moved, s->service->conf->idle_ms);
	end_talk(s);
	return life_go_on(s);
}
