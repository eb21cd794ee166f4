/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/race.h -- several addresses of one host at once: the first that connects wins (RFC 8305).
 *
 * An address that does not answer holds up the next one for a quarter of a second, instead of for
 * the whole time-out.
 */
#ifndef GINNEL_NET_RACE_H
#define GINNEL_NET_RACE_H

#include "net/stream.h"

struct race;

/* How those run that are started; `timeout_ms` is for each, and negative for none. */
struct race_terms {
	struct loop *loop;
	struct pool *pool;
	const struct log_ctx *log;
	struct task *task;
	const struct addr *local; /* source address, or NULL */
	bool foreign;		  /* ... which is not of this machine */
	int timeout_ms;
};

/* Interleave the families, beginning with the first one's (RFC 8305 4). */
void race_sort(struct addr *, unsigned n);

struct race *race_new(const struct race_terms *); /* NULL without memory */
/* Begin with one more address, which outlives the race. */
void race_start(struct race *, const struct addr *to);
/* Is it time for one more: does nothing run, or has the last one had its quarter of a second? */
bool race_has_room(const struct race *);
/*
 * IO_OK: *out is connected to *winner, and the others are closed; IO_AGAIN; IO_FAILED: nothing
 * runs any more, see race_errnum().
 */
enum io race_step(struct race *, struct stream *out, const struct addr **winner) MUST_CHECK;
int race_errnum(const struct race *); /* of the last that failed; 0: none has */
void race_free(struct race *);	      /* NULL is fine */

#endif
