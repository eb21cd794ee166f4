/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop/timer.h -- a timing wheel: setting, moving and stopping a timer cost the same for one timer
 * and for a hundred thousand (G. Varghese, T. Lauck: "Hashed and Hierarchical Timing Wheels", SOSP
 * 1987).
 *
 * Most timers are idle time-outs that are moved further away with every byte and never fire.  So
 * moving to a later time only stores it; the wheel meets the timer at its old place and puts it on.
 */
#ifndef GINNEL_LOOP_TIMER_H
#define GINNEL_LOOP_TIMER_H

#include "loop/loop.h"

enum {
	WHEEL_TICK_MS = 16,
	WHEEL_BITS = 6, /* 64 slots a level */
	WHEEL_SLOTS = 1 << WHEEL_BITS,
	WHEEL_LEVELS = 4, /* 64^4 ticks: three days; what lies beyond is put on again */
};

struct wheel {
	int64_t tick;		     /* the last one that was worked off */
	uint64_t used[WHEEL_LEVELS]; /* a bit for each slot that holds timers */
	struct timer *slots[WHEEL_LEVELS * WHEEL_SLOTS];
};

void wheel_init(struct wheel *, int64_t now_ms);
void wheel_set(struct wheel *, struct timer *, int64_t due_ms);
void wheel_unset(struct wheel *, struct timer *);
/* Work off all ticks up to now; `fire` is called for each timer that is due, unset by then. */
void wheel_advance(
    struct wheel *, int64_t now_ms, void (*fire)(struct timer *, void *arg), void *arg);
/* How long nothing can happen: ms from now_ms, or -1 for ever. */
int wheel_wait(const struct wheel *, int64_t now_ms);

#endif
