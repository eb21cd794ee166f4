/* SPDX-License-Identifier: Apache-2.0 */
/* tests/replay/fake_loop.c -- a loop that the test turns by hand. */
#include "fake_loop.h"

#include "loop/timer.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	FAKE_MAGIC = 0x0c9e41d7,
	TASKS_MAX = 1024,
	LATE_MAX = 1024,
};

struct loop {
	unsigned magic;
	int epoll;
	int64_t now;
	struct wheel wheel;
	struct chaos chaos;
	struct task *queue[TASKS_MAX]; /* in the order in which they were queued */
	unsigned queued;
	struct task *known[TASKS_MAX]; /* every task that has a watch, for early wake-ups */
	int known_fd[TASKS_MAX];
	unsigned known_count;
	struct epoll_event late[LATE_MAX];
	unsigned late_count;
	bool stopping;
};

/* For close(), which tells no loop of it. */
static struct loop *only;

int __real_close(int fd);
int __wrap_close(int fd);

static void
forget(struct loop *l, int fd)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < l->known_count; i++)
		if (l->known_fd[i] != fd) {
			l->known[kept] = l->known[i];
			l->known_fd[kept++] = l->known_fd[i];
		}
	l->known_count = kept;
	kept = 0;
	for (unsigned i = 0; i < l->late_count; i++)
		if (((struct watch *)l->late[i].data.ptr)->fd != fd)
			l->late[kept++] = l->late[i];
	l->late_count = kept;
}

int
__wrap_close(int fd)
{
	if (only != NULL)
		forget(only, fd);
	return __real_close(fd);
}

struct loop *
loop_new(void)
{
	struct loop *l;

	if (OBJ_NEW(l, FAKE_MAGIC) == NULL)
		return NULL;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->now = 1000000;
	wheel_init(&l->wheel, l->now);
	return only = l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	CHECK_OBJ(l, FAKE_MAGIC);
	if (only == l)
		only = NULL;
	close(l->epoll);
	OBJ_FREE(l);
}

void
loop_run(struct loop *l)
{
	for (l->stopping = false; !l->stopping;)
		(void)fake_loop_turn(l);
}

void
loop_stop(struct loop *l)
{
	l->stopping = true;
}

int64_t
loop_now(const struct loop *l)
{
	return l->now;
}

bool
loop_watch(struct loop *l, struct watch *w, enum interest interest)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };

	if (interest == WATCH_STREAM || interest == WATCH_CONNECT)
		ev.events |= EPOLLPRI | EPOLLRDHUP | EPOLLET;
	if (interest == WATCH_CONNECT)
		ev.events |= EPOLLOUT;
	if (interest == WATCH_WRITE || interest == WATCH_READ_WRITE)
		ev.events |= EPOLLOUT;
	if (interest == WATCH_WRITE)
		ev.events &= ~(uint32_t)EPOLLIN;
	w->readable = w->writable = w->hung = false;
	w->writes = (ev.events & EPOLLOUT) != 0;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, w->fd, &ev) == -1)
		return false;
	MUST(l->known_count < TASKS_MAX);
	l->known[l->known_count] = w->task;
	l->known_fd[l->known_count++] = w->fd;
	return true;
}

bool
loop_watch_writes(struct loop *l, struct watch *w)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = w };

	if (w->writes)
		return true;
	return w->writes = epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &ev) == 0;
}

void
loop_unwatch(struct loop *l, struct watch *w)
{
	forget(l, w->fd);
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
}

void
loop_queue(struct loop *l, struct task *t)
{
	if (t->queued)
		return;
	MUST(l->queued < TASKS_MAX);
	t->queued = true;
	l->queue[l->queued++] = t;
}

void
loop_cancel(struct loop *l, struct task *t)
{
	for (unsigned i = 0; t->queued && i < l->queued; i++)
		if (l->queue[i] == t) {
			memmove(&l->queue[i], &l->queue[i + 1],
			    (l->queued - i - 1) * sizeof(struct task *));
			l->queued--;
			break;
		}
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

/* ---- the test's side ---- */

void
fake_loop_chaos(struct loop *l, const struct chaos *chaos)
{
	l->chaos = *chaos;
}

unsigned
fake_loop_random(struct loop *l, unsigned n)
{
	/* A linear congruential generator: the same on every machine. */
	l->chaos.seed = l->chaos.seed * 1103515245u + 12345u;
	return (l->chaos.seed >> 8) % n;
}

static bool
happens(struct loop *l, unsigned percent)
{
	return percent > 0 && fake_loop_random(l, 100) < percent;
}

static void
tell(struct loop *l, const struct epoll_event *ev)
{
	struct watch *w = ev->data.ptr;

	if (ev->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		w->hung = w->readable = true;
	if (ev->events & (EPOLLHUP | EPOLLERR | EPOLLOUT))
		w->writable = true;
	if (ev->events & EPOLLIN)
		w->readable = true;
	loop_queue(l, w->task);
}

static void
on_fired(struct timer *t, void *loop)
{
	loop_queue(loop, t->task);
}

void
fake_loop_pass(struct loop *l, int64_t ms)
{
	l->now += ms;
	wheel_advance(&l->wheel, l->now, on_fired, l);
}

static void
collect(struct loop *l)
{
	struct epoll_event events[64];
	unsigned kept = l->late_count;
	int n = epoll_wait(l->epoll, events, 64, 0);

	/* What was held back comes now, before anything new can be held back. */
	for (unsigned i = 0; i < kept; i++)
		tell(l, &l->late[i]);
	l->late_count = 0;
	for (int i = 0; i < n; i++) {
		if (happens(l, l->chaos.late) && l->late_count < LATE_MAX)
			l->late[l->late_count++] = events[i];
		else
			tell(l, &events[i]);
	}
}

unsigned
fake_loop_turn(struct loop *l)
{
	unsigned ran = 0, rest;

	collect(l);
	if (happens(l, l->chaos.early))
		for (unsigned i = 0; i < l->known_count; i++)
			loop_queue(l, l->known[i]);
	for (rest = l->queued; rest > 0 && l->queued > 0; rest--, ran++) {
		struct task *t = l->queue[l->chaos.seed != 0 ? fake_loop_random(l, l->queued) : 0];

		loop_cancel(l, t);
		t->run(t->owner);
	}
	return ran;
}

bool
fake_loop_settle(struct loop *l, unsigned most)
{
	struct chaos chaos = l->chaos;
	bool rested = false;

	l->chaos.early = l->chaos.late = 0;
	while (most-- > 0 && !rested)
		rested = fake_loop_turn(l) == 0;
	l->chaos.early = chaos.early;
	l->chaos.late = chaos.late;
	return rested;
}
