/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/relay.c -- one direction of a tunnel. */
#include "tunnel/relay.h"

enum {
	/* Behind so many bytes (100 us of work under TLS) others have their turn. */
	FLOW_BUDGET = BUF_PAYLOAD,
	/* A read of so much is a full one; after so many in a row the flow is bulk. */
	FULL = 32 * 1024,
	FULL_MIN = 4,
};

static void
leave_conduit(struct flow *f)
{
	conduit_give(f->conduits, f->conduit);
	f->conduit = NULL;
}

/*
 * The receiver is gone: it closed before it had read everything.  Nothing more can be sent, but
 * what it sent before it left may still be on its way to the other side, so this is the end of one
 * direction.
 */
static enum io
receiver_gone(struct flow *f, struct stream *to)
{
	if (to->fault != FAULT_RESET)
		return IO_FAILED;
	flow_clear(f, to->pool);
	f->done = f->broken = true;
	return IO_OK;
}

/* Between plain sockets bulk goes through a conduit.  Nothing is in buf. */
static void
choose_way(struct flow *f, const struct stream *from, const struct stream *to)
{
	bool bulk = f->conduits != NULL && f->full >= FULL_MIN;

	if (bulk && f->conduit == NULL && buf_len(&from->in) == 0 && buf_len(&to->out) == 0)
		f->conduit = conduit_take(f->conduits);
	else if (!bulk && f->conduit != NULL)
		leave_conduit(f);
}

/* Hand over what was read.  IO_OK: all of it was taken. */
static enum io
deliver(struct flow *f, struct stream *to)
{
	size_t before = flow_held(f);
	enum io got =
	    f->conduit != NULL ? conduit_drain(f->conduit, to) : stream_write(to, &f->buf);
	size_t taken = before - flow_held(f);

	f->bytes += taken;
	f->moved += taken;
	return got == IO_FAILED ? receiver_gone(f, to) : got;
}

/* The sender has ended, and all it sent was taken: say so to the receiver. */
static enum io
pass_end(struct flow *f, struct stream *to, bool last)
{
	enum io got = stream_end(to, f->cut ? END_CUT : last ? END_LAST : END_CLEAN);

	if (got == IO_AGAIN)
		return IO_AGAIN;
	/* Someone who is gone need not be told of the end; that is no fault. */
	f->done = true;
	return IO_OK;
}

static enum io
fetch(struct flow *f, struct stream *from, size_t max)
{
	bool possible = true;
	enum io got = f->conduit != NULL ? conduit_fill(f->conduit, from, max, &possible)
					 : stream_read(from, &f->buf, max);

	pace_took(&f->pace, flow_held(f));
	if (!possible) {
		leave_conduit(f);
		f->conduits = NULL;
		return IO_OK; /* once more, by copying */
	}
	f->full = got != IO_OK ? f->full : flow_held(f) >= FULL ? f->full + 1 : 0;
	if (got == IO_AGAIN)
		f->more = from->watch.readable; /* not for lack of bytes, but for others' sake */
	f->cut |= got == IO_CUT;
	f->eof |= got == IO_CUT || got == IO_EOF;
	return f->eof ? IO_OK : got;
}

/* One step: hand over what there is, or fetch more.  IO_OK: and again. */
static enum io
step(struct flow *f, struct stream *from, struct stream *to, bool last)
{
	size_t room;

	if (flow_held(f) > 0 || !stream_has_room(to)) {
		enum io got = deliver(f, to);

		if (got != IO_OK || f->done)
			return got;
		if (!stream_has_room(to))
			return IO_AGAIN;
	}
	if (f->eof)
		return f->cut && f->strict ? IO_FAILED : pass_end(f, to, last);
	if (f->moved >= FLOW_BUDGET) {
		f->more = true;
		return IO_AGAIN;
	}
	choose_way(f, from, to);
	room = f->conduit != NULL ? SIZE_MAX : BUF_PAYLOAD;
	if ((room = pace_room(&f->pace, loop_now(from->loop), room)) == 0) {
		f->pause = pace_wait(&f->pace);
		return IO_AGAIN;
	}
	return fetch(f, from, room);
}

enum io
flow_run(struct flow *f, struct stream *from, struct stream *to, bool last)
{
	enum io got = IO_OK;

	f->moved = 0;
	f->pause = 0;
	f->more = false;
	while (!f->done && (got = step(f, from, to, last)) == IO_OK)
		;
	/* The end of a handshake waited for data to leave with, and met none. */
	if (got == IO_AGAIN && flow_held(f) == 0 && buf_len(&to->out) > 0)
		got = deliver(f, to) == IO_FAILED ? IO_FAILED : IO_AGAIN;
	if (f->conduit != NULL && f->conduit->held == 0)
		leave_conduit(f);
	if (f->done)
		return IO_OK;
	if (got == IO_AGAIN) {
		buf_settle(&f->buf, to->pool);
		buf_settle(&to->out, to->pool);
	}
	return got;
}

void
flow_clear(struct flow *f, struct pool *pool)
{
	buf_clear(&f->buf, pool);
	if (f->conduit != NULL)
		leave_conduit(f);
}
