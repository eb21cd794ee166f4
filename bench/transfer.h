/* SPDX-License-Identifier: Apache-2.0 */
/* bench/transfer.h -- bulk bytes through a wire, in either or both directions, each one verified.
 */
#ifndef GINNEL_BENCH_TRANSFER_H
#define GINNEL_BENCH_TRANSFER_H

#include "wire.h"

/* The first bytes on every connection: what the client asks of the backend.  Host byte order. */
struct order {
	uint32_t magic;
	uint32_t verb;
	uint64_t seed; /* where in the pattern this connection begins */
	uint64_t down; /* bytes that the backend shall send */
	uint64_t up;   /* bytes that it shall expect */
};

enum { ORDER_MAGIC = 0x676e6c31 };
enum order_verb {
	ORDER_ECHO = 1, /* send everything back, this order included */
	ORDER_MOVE,	/* `down` and `up` bytes of the pattern, then VERDICT from the backend */
	ORDER_COUNT,	/* one line with the backend's counters */
};

/* What the backend says once all it received was right. */
#define VERDICT "all bytes were right\n"

/* The two directions never carry the same bytes, so that an echo is not taken for an answer. */
enum { DOWN_AHEAD = 31337 };

struct transfer {
	uint64_t in_at, in_left;   /* position in the pattern, and bytes still to come */
	uint64_t out_at, out_left; /* the same for what we send */
	bool wrong;		   /* a byte arrived that does not belong there */
};

/* Move what can be moved now, and watch for what is left.  1 when both directions are done. */
int transfer_turn(struct wire *, struct transfer *);

#endif
