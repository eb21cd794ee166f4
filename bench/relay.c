/* SPDX-License-Identifier: Apache-2.0 */
/* bench/relay.c -- a floor: accept, connect, copy, close, with nothing in between. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "listen.h"
#include "load.h"

enum { SIZE = 64 * 1024 };

struct pair;

struct side {
	struct wire wire;
	struct pair *pair;
	uint8_t *late; /* what this side could not be sent at once, or NULL */
	size_t late_at, late_len;
	bool eof; /* it will send no more */
};

struct pair {
	struct side near, far;
	struct pair *next_dead;
	bool dead;
};

static struct sockaddr_in backend;
static struct pair *dead; /* freed after the turn: both sides may have had an event in it */

static struct side *
other(struct side *s)
{
	return s == &s->pair->near ? &s->pair->far : &s->pair->near;
}

static void
bury(struct pair *p)
{
	p->dead = true;
	p->next_dead = dead;
	dead = p;
	wire_close(&p->near.wire);
	wire_close(&p->far.wire);
}

static void
free_dead(void)
{
	while (dead != NULL) {
		struct pair *p = dead;

		dead = p->next_dead;
		free(p->near.late);
		free(p->far.late);
		free(p);
	}
}

static void
keep_for_later(struct side *to, const uint8_t *bytes, size_t len)
{
	if ((to->late = malloc(len)) == NULL)
		die("no memory");
	memcpy(to->late, bytes, len);
	to->late_at = 0;
	to->late_len = len;
	wire_watch(&to->wire, to->wire.watched | EPOLLOUT);
	wire_watch(&other(to)->wire, other(to)->wire.watched & ~(uint32_t)EPOLLIN);
}

static void
pass_end_on(struct side *from)
{
	from->eof = true;
	wire_finish(&other(from)->wire);
	wire_watch(&from->wire, from->wire.watched & ~(uint32_t)EPOLLIN);
	if (other(from)->eof)
		bury(from->pair);
}

static void
copy(struct side *from)
{
	static uint8_t bytes[SIZE];
	struct side *to = other(from);
	ssize_t n = wire_read(&from->wire, bytes, sizeof(bytes)), sent;

	if (n == WIRE_AGAIN)
		return;
	if (n == WIRE_EOF) {
		pass_end_on(from);
		return;
	}
	sent = n < 0 ? WIRE_FAILED : wire_write(&to->wire, bytes, (size_t)n);
	if (sent == WIRE_FAILED) {
		bury(from->pair);
		return;
	}
	if (sent == WIRE_AGAIN)
		sent = 0;
	if (sent < n)
		keep_for_later(to, bytes + sent, (size_t)(n - sent));
}

/* False: it is still not all sent. */
static bool
send_late(struct side *to)
{
	ssize_t n = wire_write(&to->wire, to->late + to->late_at, to->late_len - to->late_at);

	if (n < 0) {
		if (n == WIRE_FAILED)
			bury(to->pair);
		return false;
	}
	to->late_at += (size_t)n;
	if (to->late_at < to->late_len)
		return false;
	free(to->late);
	to->late = NULL;
	wire_watch(&to->wire, to->wire.watched & ~(uint32_t)EPOLLOUT);
	wire_watch(&other(to)->wire, other(to)->wire.watched | EPOLLIN);
	return true;
}

static void
on_ready(struct wire *w)
{
	struct side *s = (struct side *)w;

	if (s->pair->dead)
		return;
	if (w->watched == 0) { /* only an error or a hang-up wakes such a one */
		bury(s->pair);
		return;
	}
	if (s->late != NULL && !send_late(s))
		return;
	if (w->watched & EPOLLIN)
		copy(s);
}

static void
on_far_up(struct wire *w)
{
	struct side *far = (struct side *)w;

	if (far->pair->dead)
		return;
	if (wire_handshake(w) != 1) {
		bury(far->pair);
		return;
	}
	w->ready = on_ready;
	if (far->late != NULL)
		on_ready(w);
	if (!far->pair->dead)
		wire_watch(w, (far->late != NULL ? EPOLLOUT : 0u) | EPOLLIN);
}

static void
on_taken(int epoll, int fd)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (p == NULL)
		die("no memory");
	p->near =
	    (struct side){ .wire = { .epoll = epoll, .fd = -1, .ready = on_ready }, .pair = p };
	p->far =
	    (struct side){ .wire = { .epoll = epoll, .fd = -1, .ready = on_far_up }, .pair = p };
	if (!wire_adopt(&p->near.wire, fd, NULL))
		close(fd);
	else if (wire_connect(&p->far.wire, &backend, NULL, NULL))
		return;
	bury(p);
}

/* One process per worker, as the tunnels have one thread or process each. */
static void
fork_workers(struct job *job)
{
	for (uint64_t i = 1; i < job->options->jobs; i++) {
		pid_t pid = fork();

		if (pid == -1)
			die("fork: %s", strerror(errno));
		if (pid > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if ((job->epoll = epoll_create1(EPOLL_CLOEXEC)) == -1)
			die("epoll: %s", strerror(errno));
		return;
	}
}

void
relay_run(struct job *job)
{
	struct wire listener;
	int fd = listen_open(&job->options->at);

	backend = job->options->to;
	fork_workers(job);
	listen_watch(&listener, job->epoll, fd, on_taken);
	for (;;) {
		wire_serve(job->epoll, -1);
		free_dead();
	}
}
