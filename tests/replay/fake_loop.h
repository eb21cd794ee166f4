/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/replay/fake_loop.h -- a loop that the test turns by hand.
 *
 * It takes the place of src/loop/loop.c.  Readiness comes from a real edge-triggered epoll, so an
 * edge that the program misses stays missed; but when it is told, in which order the tasks run,
 * whether they run early or twice, and what time it is, is for the test to say.
 */
#ifndef GINNEL_TESTS_FAKE_LOOP_H
#define GINNEL_TESTS_FAKE_LOOP_H

#include "loop/loop.h"

struct chaos {
	unsigned seed;	/* 0: tasks in order, nothing early, nothing twice */
	unsigned early; /* of 100 turns, in so many every known task is queued for nothing */
	unsigned late;	/* of 100 events, so many are told only in a later turn */
};

void fake_loop_chaos(struct loop *, const struct chaos *);
/* Move the time. */
void fake_loop_pass(struct loop *, int64_t ms);
/* One turn.  Returns how many tasks ran. */
unsigned fake_loop_turn(struct loop *);
/* Turn until nothing runs any more, at most `most` times.  False: it never came to rest. */
bool fake_loop_settle(struct loop *, unsigned most);

/* A random number below n, from the loop's seed. */
unsigned fake_loop_random(struct loop *, unsigned n);

#endif
