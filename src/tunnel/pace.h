/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/pace.h -- rateLimit: how much one direction of a tunnel may move now (a token bucket).
 *
 * Time is the worker's clock, which the caller brings.  Credit grows with it up to a quarter of a
 * second's worth; what is read is taken off.  Who has none left is told when to come back, so
 * nobody turns in a circle.
 */
#ifndef GINNEL_TUNNEL_PACE_H
#define GINNEL_TUNNEL_PACE_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed, it does not limit. */
struct pace {
	int64_t rate;	/* bytes a second; 0: no limit */
	int64_t credit; /* thousandths of a byte */
	int64_t at;	/* ms: when credit was counted */
};

enum { PACE_MIN = 1024 }; /* a slower tunnel is hardly one */

void pace_begin(struct pace *, int64_t rate, int64_t now);
/* How many bytes may be read now, at most `max`; 0: none. */
size_t pace_room(struct pace *, int64_t now, size_t max);
void pace_took(struct pace *, size_t bytes);
/* After pace_room() has said 0: ms until it is worth asking again, at least 1. */
int pace_wait(const struct pace *);

#endif
