/* SPDX-License-Identifier: Apache-2.0 */
/* loop/mailbox.c -- messages between threads: a stack without locks, an eventfd to wake. */
#include "loop/mailbox.h"

#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MAILBOX_MAGIC = 0x2d7be841 };

struct mailbox {
	unsigned magic;
	struct loop *loop;
	void *receiver;
	struct watch watch;
	struct task task;
	_Atomic(struct message *) top; /* newest first */
};

static void
take_all(struct mailbox *m)
{
	struct message *stack = atomic_exchange(&m->top, NULL), *queue = NULL, *next;

	for (; stack != NULL; stack = next) {
		next = stack->next;
		stack->next = queue;
		queue = stack;
	}
	for (; queue != NULL; queue = next) {
		next = queue->next;
		queue->take(queue, m->receiver);
	}
}

static void
mailbox_run(void *arg)
{
	struct mailbox *m = arg;
	uint64_t count;

	CHECK_OBJ(m, MAILBOX_MAGIC);
	/* Empty the eventfd first: a message that comes now raises it again. */
	(void)!read(m->watch.fd, &count, sizeof(count));
	take_all(m);
}

struct mailbox *
mailbox_new(struct loop *loop, void *receiver)
{
	struct mailbox *m;

	if (OBJ_NEW(m, MAILBOX_MAGIC) == NULL)
		return NULL;
	m->loop = loop;
	m->receiver = receiver;
	m->task = (struct task){ .run = mailbox_run, .owner = m, .lane = LANE_RELAY };
	m->watch.task = &m->task;
	if ((m->watch.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
		goto fail;
	if (!loop_watch(loop, &m->watch, WATCH_READ))
		goto fail;
	return m;
fail:
	if (m->watch.fd != -1)
		close(m->watch.fd);
	OBJ_FREE(m);
	return NULL;
}

void
mailbox_free(struct mailbox *m)
{
	if (m == NULL)
		return;
	CHECK_OBJ(m, MAILBOX_MAGIC);
	take_all(m);
	loop_cancel(m->loop, &m->task);
	loop_unwatch(m->loop, &m->watch);
	close(m->watch.fd);
	OBJ_FREE(m);
}

void
mailbox_post(struct mailbox *m, struct message *msg)
{
	static const uint64_t one = 1;
	struct message *below = atomic_load(&m->top);

	do
		msg->next = below;
	while (!atomic_compare_exchange_weak(&m->top, &below, msg));
	/*
	 * The message is the receiver's now, and may be gone already.  Not the first: whoever
	 * posted that one has raised the eventfd.
	 */
	if (below == NULL)
		(void)!write(m->watch.fd, &one, sizeof(one));
}
