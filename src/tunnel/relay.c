/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/relay.c -- one direction of a tunnel. */
#include "tunnel/relay.h"

enum {
	/* Bytes that one flow moves before others have their turn: some 200 us of work under TLS.
	 */
	FLOW_BUDGET = 4 * BUF_PAYLOAD,
};

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
	buf_clear(&f->buf, to->pool);
	f->done = f->broken = true;
	return IO_OK;
}

/* Hand over what was read.  IO_OK: all of it was taken. */
static enum io
deliver(struct flow *f, struct stream *to)
{
	size_t before = buf_len(&f->buf);
	enum io got = stream_write(to, &f->buf);
	size_t taken = before - buf_len(&f->buf);

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
fetch(struct flow *f, struct stream *from)
{
	enum io got = stream_read(from, &f->buf, BUF_PAYLOAD);

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
	if (buf_len(&f->buf) > 0 || !stream_has_room(to)) {
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
	return fetch(f, from);
}

enum io
flow_run(struct flow *f, struct stream *from, struct stream *to, bool last)
{
	enum io got = IO_OK;

	f->moved = 0;
	f->more = false;
	while (!f->done && (got = step(f, from, to, last)) == IO_OK)
		;
	/* The end of a handshake waited for data to leave with, and met none. */
	if (got == IO_AGAIN && buf_len(&f->buf) == 0 && buf_len(&to->out) > 0)
		got = deliver(f, to) == IO_FAILED ? IO_FAILED : IO_AGAIN;
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
}
