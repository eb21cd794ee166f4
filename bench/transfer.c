/* SPDX-License-Identifier: Apache-2.0 */
/* bench/transfer.c -- bulk bytes through a wire, in either or both directions, each one verified.
 */
#include "transfer.h"

#include "pattern.h"

enum { PIECES = 4 }; /* of PATTERN_RUN per direction and turn: the others want theirs too */

static size_t
piece(uint64_t left)
{
	return left < PATTERN_RUN ? (size_t)left : PATTERN_RUN;
}

static int
send_some(struct wire *w, struct transfer *t)
{
	for (int i = 0; i < PIECES && t->out_left > 0; i++) {
		ssize_t n = wire_write(w, pattern_at(t->out_at), piece(t->out_left));

		if (n <= 0)
			return n == WIRE_AGAIN ? WIRE_AGAIN : WIRE_FAILED;
		t->out_at += (size_t)n;
		t->out_left -= (size_t)n;
	}
	return WIRE_AGAIN;
}

static int
receive_some(struct wire *w, struct transfer *t)
{
	static uint8_t bytes[PATTERN_RUN];

	for (int i = 0; i < PIECES && t->in_left > 0; i++) {
		ssize_t n = wire_read(w, bytes, piece(t->in_left));

		if (n <= 0)
			return n == WIRE_AGAIN ? WIRE_AGAIN : WIRE_FAILED;
		if (!pattern_is(t->in_at, bytes, (size_t)n)) {
			t->wrong = true;
			return WIRE_FAILED;
		}
		t->in_at += (size_t)n;
		t->in_left -= (size_t)n;
	}
	return WIRE_AGAIN;
}

int
transfer_turn(struct wire *w, struct transfer *t)
{
	if (send_some(w, t) == WIRE_FAILED || receive_some(w, t) == WIRE_FAILED)
		return WIRE_FAILED;
	wire_watch(w, (t->in_left > 0 ? EPOLLIN : 0u) | (t->out_left > 0 ? EPOLLOUT : 0u));
	return t->in_left == 0 && t->out_left == 0 ? 1 : WIRE_AGAIN;
}
