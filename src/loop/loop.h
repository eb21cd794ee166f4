/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop/loop.h -- the heart of a worker: readiness, time, and whose turn it is.
 *
 * Everything that can happen does the same two things: it sets a bit (a descriptor is readable or
 * writable, a timer has fired) and queues the owner's task.  Tasks run when all events of a turn
 * have been taken in.  An event only means "look again", so a doubled or early one does no harm,
 * and nothing can be freed under an event that is still to come.
 *
 * Descriptors are watched edge-triggered for their whole life, mostly with one system call: the
 * bits say what is known, whoever meets EAGAIN clears them.
 *
 * One thread: the one in loop_run().  tests/replay/fake_loop.c takes the place of loop.c.
 */
#ifndef GINNEL_LOOP_LOOP_H
#define GINNEL_LOOP_LOOP_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

/*
 * Three lanes.  Tunnels that stand come first.  Those that move bulk, a block at a time, get as
 * much time as all others but at least one block, so that a request waits for one block and not
 * for one of each.  New tunnels, whose handshakes cost a thousand times as much as a small write,
 * get a bounded share of each turn.
 */
enum lane { LANE_RELAY, LANE_BULK, LANE_SETUP, LANE_COUNT };

struct task {
	void (*run)(void *owner);
	void *owner;
	enum lane lane;
	/* the loop's own */
	bool queued;
	struct task *prev, *next;
};

/* The kinds of interest; a watch keeps its kind. */
enum interest {
	WATCH_STREAM,	/* read, edge-triggered; `hung` when the peer ended or failed */
	WATCH_CONNECT,	/* ... and write */
	WATCH_LISTENER, /* read, level-triggered, only one worker is woken */
	WATCH_READ,	/* read, level-triggered */
	WATCH_WRITE,	/* write, level-triggered */
	WATCH_READ_WRITE,
};

struct watch {
	int fd;
	bool readable, writable;
	bool hung; /* a read may meet the end, an error or urgent data: do not trust a short one */
	bool writes; /* writability is told; the loop's own */
	struct task *task;
};

struct timer {
	struct task *task;
	bool fired; /* cleared by loop_timer() and loop_untimer() */
	/* the loop's own */
	bool armed;
	int64_t due;   /* ms; what the owner asked for */
	int64_t tick;  /* when the wheel looks at it next; not after `due` by more than a tick */
	unsigned slot; /* of the wheel */
	struct timer *prev, *next;
};

struct loop *loop_new(void); /* NULL with errno set */
void loop_free(struct loop *);
void loop_run(struct loop *); /* until loop_stop() */
void loop_stop(struct loop *);
int64_t loop_now(const struct loop *); /* ms, CLOCK_MONOTONIC, as the turn began */

/* w->fd and w->task are set; the bits begin cleared.  False with errno set. */
bool loop_watch(struct loop *, struct watch *, enum interest) MUST_CHECK;
/*
 * A stream met a full socket buffer: from now on, tell of room, too.  Most tunnels never come here,
 * and are spared the news that an empty buffer has room.  False with errno set.
 */
bool loop_watch_writes(struct loop *, struct watch *) MUST_CHECK;
/*
 * Forget the descriptor; always before closing it.  To close is not enough: a program that is being
 * started has a copy until execve(), the process of libwrap another, and while one of them is open
 * the kernel goes on telling (epoll(7), Q&A 6), of a watch whose owner is gone.
 */
void loop_unwatch(struct loop *, struct watch *);

void loop_queue(struct loop *, struct task *);	/* run it in this turn or the next; once */
void loop_cancel(struct loop *, struct task *); /* not queued is fine */

/*
 * (Re)arm `t` to fire in `ms` from now.  Moving a timer to a later time costs a store.  Fires
 * within 20 ms after its time.
 */
void loop_timer(struct loop *, struct timer *, int64_t ms);
void loop_untimer(struct loop *, struct timer *);

#endif
