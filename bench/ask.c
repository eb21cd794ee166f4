/* SPDX-License-Identifier: Apache-2.0 */
/* bench/ask.c -- requests and answers over some connections, as fast as they go or at a fixed rate.
 */
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client.h"

struct asker {
	struct client client;
	uint64_t since; /* when the request was sent, or should have been */
	uint64_t due;	/* fixed rate: when the next one should be */
	bool busy;
};

static struct {
	struct asker *askers;
	uint64_t n, open;	/* of them */
	uint64_t greeted;	/* their first request, before the work, was answered */
	uint64_t asked, wanted; /* requests */
	uint64_t interval;	/* fixed rate: between two requests of one asker, ns */
} load;

enum { SECOND = 1000 * 1000 * 1000 };

static bool
is_open(const struct asker *a)
{
	return a->client.wire.fd != -1;
}

static void
ask(struct asker *a, uint64_t since)
{
	a->busy = true;
	a->since = since;
	load.asked++;
	client_ask(&a->client);
}

/*
 * At a fixed rate a request that had to wait for the answer before it is late from the moment it
 * should have been sent: a stall counts for all the requests it held up.
 */
static void
ask_if_due(struct asker *a)
{
	uint64_t since = a->due;

	if (a->busy || load.asked >= load.wanted || since > now_ns())
		return;
	a->due += load.interval;
	ask(a, since);
}

static void
ask_next(struct asker *a)
{
	if (load.interval > 0)
		ask_if_due(a);
	else if (load.asked < load.wanted)
		ask(a, now_ns());
}

static void
note_latency(struct job *job, uint64_t ns)
{
	if (job->tally->samples < SAMPLES_MAX)
		job->latency[job->tally->samples++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void
on_answer(struct client *c)
{
	struct asker *a = (struct asker *)c;

	a->busy = false;
	c->job->tally->done++;
	note_latency(c->job, now_ns() - a->since);
	ask_next(a);
}

static void
on_ended(struct client *c)
{
	(void)c;
	load.open--;
}

static const struct client_policy working = { .done = on_answer, .ended = on_ended };

static void
on_greeted(struct client *c)
{
	load.greeted++;
	c->policy = &working;
}

static const struct client_policy greeting = {
	.up = client_ask,
	.done = on_greeted,
	.ended = on_ended,
};

/* The clock of the fixed rate, watched like a connection. */
static void
on_tick(struct wire *w)
{
	uint64_t ticks;

	if (read(w->fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	for (uint64_t i = 0; i < load.n; i++)
		if (is_open(&load.askers[i]))
			ask_if_due(&load.askers[i]);
}

static void
start_clock(struct wire *clock, const struct job *job)
{
	uint64_t gap = SECOND * job->options->jobs / job->options->rate;
	struct itimerspec every = { .it_interval.tv_nsec = (long)gap,
		.it_value.tv_nsec = (long)gap };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = clock };
	uint64_t now = now_ns();

	clock->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	clock->ready = on_tick;
	if (clock->fd == -1 || timerfd_settime(clock->fd, 0, &every, NULL) == -1 ||
	    epoll_ctl(job->epoll, EPOLL_CTL_ADD, clock->fd, &event) == -1)
		die("cannot make a timer");
	load.interval = gap * load.n;
	load.wanted = job_share(job, job->options->rate * job->options->seconds);
	for (uint64_t i = 0; i < load.n; i++)
		load.askers[i].due = now + (i + 1) * gap;
}

/* All connections, up to the first answer on each: what they cost is not part of the work. */
static bool
open_all(struct job *job)
{
	enum { AT_ONCE = 128 }; /* within what a listening queue holds */
	uint64_t failed = job->tally->failed;

	load.n = load.open = job_share(job, job->options->connections);
	if ((load.askers = calloc(load.n, sizeof(*load.askers))) == NULL)
		die("no memory for %llu clients", (unsigned long long)load.n);
	for (uint64_t i = 0; i < load.n && job->tally->failed == failed; i++) {
		client_open(&load.askers[i].client, job, &greeting);
		while (load.greeted + AT_ONCE <= i && job->tally->failed == failed)
			wire_serve(job->epoll, -1);
	}
	while (load.greeted < load.n && job->tally->failed == failed)
		wire_serve(job->epoll, -1);
	return job->tally->failed == failed;
}

static void
start_asking(struct job *job, struct wire *clock)
{
	load.wanted = job_share(job, job->options->count);
	if (job->options->rate > 0) {
		start_clock(clock, job);
		return;
	}
	for (uint64_t i = 0; i < load.n; i++)
		if (is_open(&load.askers[i]))
			ask_next(&load.askers[i]);
}

static void
close_all(void)
{
	for (uint64_t i = 0; i < load.n; i++) {
		if (!is_open(&load.askers[i]))
			continue;
		wire_finish(&load.askers[i].client.wire);
		wire_close(&load.askers[i].client.wire);
	}
	free(load.askers);
}

void
ask_run(struct job *job)
{
	struct wire clock;

	if (!open_all(job))
		return;
	job_mark(job);
	start_asking(job, &clock);
	while (load.open > 0 && job->tally->done + job->tally->failed < load.wanted)
		wire_serve(job->epoll, -1);
	job_mark(job);
	close_all();
}
