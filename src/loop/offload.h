/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop/offload.h -- a small pool of threads for calls that can block: starting a program, a file on
 * a slow disk, a library that asks the network.
 *
 * Jobs that strangers can cause, and that cost much, have a lane of their own with half of the
 * threads: however many of them wait, they hold up only each other.
 *
 * A job goes to a thread of the pool and comes back to the mailbox of whoever asked.  Nothing is
 * shared on the way: the job belongs to the pool until it is back.
 */
#ifndef GINNEL_LOOP_OFFLOAD_H
#define GINNEL_LOOP_OFFLOAD_H

#include "loop/mailbox.h"

#include <stdbool.h>

struct offload;

enum offload_lane { OFFLOAD_OWN, OFFLOAD_STRANGERS, OFFLOAD_LANES };

/*
 * Embed it at the head of what shall be done.  Whoever loses interest in the answer says so in the
 * job itself, in the thread that asked, where `done` will look; `run` must not read that.
 */
struct job {
	struct message message;	   /* the answer travels in it */
	void (*run)(struct job *); /* in the pool; may block */
	enum offload_lane lane;
	/*
	 * In the thread that asked, with its mailbox's receiver; owns the job.  NULL: the pool is
	 * closed and the receiver may be gone, so only give back what the job holds (any thread).
	 */
	void (*done)(struct job *, void *receiver);
	/* the pool's own */
	struct mailbox *home;
	struct job *next;
};

/* No thread yet: each is started when a job finds no idle one, up to `threads`.  NULL with errno.
 */
struct offload *offload_new(unsigned threads);
/* Any thread.  False with errno set: no thread could be started, and the job is still yours. */
bool offload_ask(struct offload *, struct job *, struct mailbox *home) MUST_CHECK;
/*
 * No answer is posted after this.  Jobs that wait are done(NULL); for those that run it waits a
 * second, and leaves a thread that is still stuck then to the end of the process.  NULL is fine.
 */
void offload_free(struct offload *);

#endif
