/* SPDX-License-Identifier: Apache-2.0 */
/* bench/handshake.c -- connect, shake hands, one request, leave; and again. */
#include <stdlib.h>

#include "client.h"

static unsigned open_now;

static void
on_ended(struct client *c)
{
	struct job *job = c->job;
	uint64_t wanted = job_share(job, job->options->count);

	open_now--;
	/* A tunnel that fails all connections shall not be asked for ever. */
	if (job->opened >= wanted || job->tally->failed > wanted / 10)
		return;
	open_now++;
	client_open(c, job, c->policy);
}

static const struct client_policy visit = {
	.up = client_ask,
	.done = client_leave,
	.ended = on_ended,
};

static void
on_first_ended(struct client *c)
{
	(void)c;
	open_now--;
}

static const struct client_policy first_visit = {
	.up = client_ask,
	.done = client_leave,
	.ended = on_first_ended,
};

/* The one full handshake that the resumed ones resume; it is not counted. */
static bool
fetch_session(struct job *job)
{
	struct client c;

	open_now = 1;
	client_open(&c, job, &first_visit);
	while (open_now > 0)
		wire_serve(job->epoll, -1);
	if (job->tally->failed > 0)
		return false;
	if (job->session == NULL) {
		job_fail(job, "the server gave no session to resume");
		return false;
	}
	*job->tally = (struct tally){ 0 };
	job->opened = 0;
	return true;
}

void
handshake_run(struct job *job)
{
	uint64_t n = job_share(job, job->options->connections);
	struct client *clients = calloc(n, sizeof(*clients));

	if (clients == NULL)
		die("no memory for %llu clients", (unsigned long long)n);
	if (job->options->resume && !fetch_session(job))
		return;
	job_mark(job);
	for (uint64_t i = 0; i < n && job->opened < job_share(job, job->options->count); i++) {
		open_now++;
		client_open(&clients[i], job, &visit);
	}
	while (open_now > 0)
		wire_serve(job->epoll, -1);
	job_mark(job);
	free(clients);
}
