/* SPDX-License-Identifier: Apache-2.0 */
/* loop/loop.c -- the event loop: the only file that knows epoll. */
#include "loop/loop.h"

#include "loop/timer.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
	LOOP_MAGIC = 0x6e01d2a9,
	EVENTS_PER_TURN = 256,
	/*
	 * Tasks of LANE_SETUP in one turn: a handshake step takes up to a millisecond, and a tunnel
	 * that stands should not wait for more than a few of them.
	 */
	SETUP_PER_TURN = 4,
	/* A block of LANE_BULK takes as long as so many requests: half of the time each. */
	SMALL_PER_BLOCK = 8,
};

struct loop {
	unsigned magic;
	int epoll;
	bool stopping;
	int64_t now;
	struct wheel wheel;
	struct task lanes[LANE_COUNT]; /* heads of rings */
};

static int64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
ring_init(struct task *head)
{
	head->prev = head->next = head;
}

static void
ring_remove(struct task *t)
{
	t->prev->next = t->next;
	t->next->prev = t->prev;
}

static void
ring_append(struct task *head, struct task *t)
{
	t->prev = head->prev;
	t->next = head;
	head->prev->next = t;
	head->prev = t;
}

struct loop *
loop_new(void)
{
	struct loop *l;

	if (OBJ_NEW(l, LOOP_MAGIC) == NULL)
		return NULL;
	if ((l->epoll = epoll_create1(EPOLL_CLOEXEC)) == -1) {
		OBJ_FREE(l);
		return NULL;
	}
	for (unsigned i = 0; i < LANE_COUNT; i++)
		ring_init(&l->lanes[i]);
	l->now = clock_ms();
	wheel_init(&l->wheel, l->now);
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	CHECK_OBJ(l, LOOP_MAGIC);
	close(l->epoll);
	OBJ_FREE(l);
}

int64_t
loop_now(const struct loop *l)
{
	return l->now;
}

void
loop_stop(struct loop *l)
{
	l->stopping = true;
}

bool
loop_watch(struct loop *l, struct watch *w, enum interest interest)
{
	static const uint32_t masks[] = {
		[WATCH_STREAM] = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET,
		[WATCH_CONNECT] = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		[WATCH_LISTENER] = EPOLLIN | EPOLLEXCLUSIVE,
		[WATCH_READ] = EPOLLIN,
		[WATCH_WRITE] = EPOLLOUT,
		[WATCH_READ_WRITE] = EPOLLIN | EPOLLOUT,
	};
	struct epoll_event ev = { .events = masks[interest], .data.ptr = w };

	w->readable = w->writable = w->hung = false;
	w->writes = (ev.events & EPOLLOUT) != 0;
	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, w->fd, &ev) == 0;
}

bool
loop_watch_writes(struct loop *l, struct watch *w)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = w };

	if (w->writes)
		return true;
	/* Modifying looks at the descriptor anew: room that came meanwhile is told. */
	return w->writes = epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &ev) == 0;
}

void
loop_unwatch(struct loop *l, struct watch *w)
{
	/* It may have been closed meanwhile; then the kernel has forgotten it already. */
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
}

void
loop_queue(struct loop *l, struct task *t)
{
	if (t->queued)
		return;
	t->queued = true;
	ring_append(&l->lanes[t->lane], t);
}

void
loop_cancel(struct loop *l, struct task *t)
{
	(void)l;
	if (t->queued)
		ring_remove(t);
	t->queued = false;
}

void
loop_timer(struct loop *l, struct timer *t, int64_t ms)
{
	wheel_set(&l->wheel, t, l->now + ms);
}

void
loop_untimer(struct loop *l, struct timer *t)
{
	wheel_unset(&l->wheel, t);
}

/* Run what is queued now, at most `most` tasks; what they queue is for the next turn.  How many. */
static unsigned
run_lane(struct task *lane, unsigned most)
{
	struct task marker = { 0 }, *t;
	unsigned ran = 0;

	ring_append(lane, &marker);
	while ((t = lane->next) != &marker && ran < most) {
		ring_remove(t);
		t->queued = false;
		t->run(t->owner);
		ran++;
	}
	ring_remove(&marker);
	return ran;
}

static void
queue_fired(struct timer *t, void *arg)
{
	loop_queue(arg, t->task);
}

static void
take_event(struct loop *l, const struct epoll_event *ev)
{
	struct watch *w = ev->data.ptr;

	/* A read also stops at the mark of urgent data, with more behind it. */
	if (ev->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		w->hung = w->readable = true;
	if (ev->events & (EPOLLHUP | EPOLLERR))
		w->writable = true;
	if (ev->events & EPOLLIN)
		w->readable = true;
	if (ev->events & EPOLLOUT)
		w->writable = true;
	loop_queue(l, w->task);
}

static bool
has_work(struct loop *l)
{
	for (unsigned i = 0; i < LANE_COUNT; i++)
		if (l->lanes[i].next != &l->lanes[i])
			return true;
	return false;
}

void
loop_run(struct loop *l)
{
	struct epoll_event events[EVENTS_PER_TURN];

	CHECK_OBJ(l, LOOP_MAGIC);
	for (l->stopping = false; !l->stopping;) {
		int wait = has_work(l) ? 0 : wheel_wait(&l->wheel, l->now);
		int n = epoll_wait(l->epoll, events, EVENTS_PER_TURN, wait);
		unsigned ran;

		MUST(n >= 0 || errno == EINTR);
		l->now = clock_ms();
		for (int i = 0; i < n; i++)
			take_event(l, &events[i]);
		wheel_advance(&l->wheel, l->now, queue_fired, l);
		ran = run_lane(&l->lanes[LANE_RELAY], UINT32_MAX);
		run_lane(&l->lanes[LANE_BULK], 1 + ran / SMALL_PER_BLOCK);
		run_lane(&l->lanes[LANE_SETUP], SETUP_PER_TURN);
	}
}
