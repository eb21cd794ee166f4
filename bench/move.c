/* SPDX-License-Identifier: Apache-2.0 */
/* bench/move.c -- bulk bytes down, up or both ways over some connections. */
#include <stdlib.h>

#include "client.h"

static uint64_t open_now;

static void
on_up(struct client *c)
{
	client_move(c, c->job->options->down, c->job->options->up);
}

static void
on_ended(struct client *c)
{
	(void)c;
	open_now--;
}

static const struct client_policy haul = {
	.up = on_up,
	.done = client_leave,
	.ended = on_ended,
};

void
move_run(struct job *job)
{
	struct client *clients;

	open_now = job_share(job, job->options->connections);
	if ((clients = calloc(open_now, sizeof(*clients))) == NULL)
		die("no memory for %llu clients", (unsigned long long)open_now);
	job_mark(job);
	for (uint64_t i = 0, n = open_now; i < n; i++)
		client_open(&clients[i], job, &haul);
	while (open_now > 0)
		wire_serve(job->epoll, -1);
	job_mark(job);
	free(clients);
}
