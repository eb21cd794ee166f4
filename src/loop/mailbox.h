/* SPDX-License-Identifier: Apache-2.0 */
/* loop/mailbox.h -- the one way to another thread's data: ask that thread. */
#ifndef GINNEL_LOOP_MAILBOX_H
#define GINNEL_LOOP_MAILBOX_H

#include "loop/loop.h"

struct mailbox;

/* Embed it at the head of what you send; `take` runs in the receiver's thread and owns the message.
 */
struct message {
	void (*take)(struct message *, void *receiver);
	struct message *next; /* the mailbox's own */
};

struct mailbox *mailbox_new(struct loop *, void *receiver); /* NULL with errno set */
/* No sender may be left.  Messages still in it are taken first. */
void mailbox_free(struct mailbox *);
/* Any thread.  Takes the message; messages of one sender arrive in order. */
void mailbox_post(struct mailbox *, struct message *);

#endif
