/* SPDX-License-Identifier: Apache-2.0 */
/* bench/backend.c -- the server behind the tunnel: echoes, sends and verifies what it is told to.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "listen.h"
#include "load.h"
#include "pattern.h"
#include "transfer.h"

/* One connection; it begins with an order. */
struct guest {
	struct wire wire;
	void (*step)(struct guest *);
	struct order order;
	size_t got; /* bytes of the order */
	struct transfer transfer;
	uint8_t *back; /* what could not be sent at once, or NULL */
	size_t back_at, back_len;
};

static SSL_CTX *tls; /* NULL: plain */
static bool aside;   /* transfers have processes of their own */
static bool alone;   /* this is one of them */

/* What ORDER_COUNT asks for. */
static struct {
	unsigned long long full, resumed, failed, wrong;
} counters;

static void
leave(struct guest *g)
{
	wire_finish(&g->wire);
	wire_close(&g->wire);
	free(g->back);
	free(g);
	if (alone)
		exit(0);
}

/* False: the guest is gone. */
static bool
send_back(struct guest *g, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = wire_write(&g->wire, bytes, len);

		if (n == WIRE_AGAIN)
			break;
		if (n <= 0) {
			leave(g);
			return false;
		}
		bytes += n;
		len -= (size_t)n;
	}
	if (len == 0)
		return true;
	if ((g->back = malloc(len)) == NULL)
		die("no memory");
	memcpy(g->back, bytes, len);
	g->back_at = 0;
	g->back_len = len;
	wire_watch(&g->wire, EPOLLOUT);
	return true;
}

/* False: there is still something to send, or the guest is gone. */
static bool
send_rest(struct guest *g)
{
	while (g->back_at < g->back_len) {
		ssize_t n = wire_write(&g->wire, g->back + g->back_at, g->back_len - g->back_at);

		if (n <= 0) {
			if (n != WIRE_AGAIN)
				leave(g);
			return false;
		}
		g->back_at += (size_t)n;
	}
	free(g->back);
	g->back = NULL;
	wire_watch(&g->wire, EPOLLIN);
	return true;
}

static void
step_echo(struct guest *g)
{
	static uint8_t bytes[PATTERN_RUN];

	if (g->back != NULL && !send_rest(g))
		return;
	while (g->back == NULL) {
		ssize_t n = wire_read(&g->wire, bytes, sizeof(bytes));

		if (n == WIRE_AGAIN)
			return;
		if (n <= 0) {
			leave(g);
			return;
		}
		if (!send_back(g, bytes, (size_t)n))
			return;
	}
}

/* Our part is done; the client says when it has had enough. */
static void
step_farewell(struct guest *g)
{
	uint8_t byte;

	if (g->back != NULL && !send_rest(g))
		return;
	if (wire_read(&g->wire, &byte, 1) != WIRE_AGAIN)
		leave(g);
}

static void
say_and_await_end(struct guest *g, const char *text)
{
	g->step = step_farewell;
	wire_watch(&g->wire, EPOLLIN);
	send_back(g, (const uint8_t *)text, strlen(text));
}

static void
step_move(struct guest *g)
{
	int n = transfer_turn(&g->wire, &g->transfer);

	if (n == WIRE_AGAIN)
		return;
	if (n == WIRE_FAILED) {
		counters.wrong += g->transfer.wrong;
		leave(g);
		return;
	}
	say_and_await_end(g, VERDICT);
}

/* In a process of its own, so that no echo waits for it. */
static void
move_aside(struct guest *g)
{
	unsigned fd = (unsigned)g->wire.fd;
	pid_t pid = fork();
	int epoll;

	if (pid == -1)
		die("fork: %s", strerror(errno));
	if (pid > 0) {
		wire_close(&g->wire);
		free(g);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alone = true;
	/* A copy would keep another connection from its end. */
	close_range(STDERR_FILENO + 1, fd - 1, 0);
	close_range(fd + 1, UINT_MAX, 0);
	if ((epoll = epoll_create1(EPOLL_CLOEXEC)) == -1 || !wire_move(&g->wire, epoll))
		die("epoll: %s", strerror(errno));
	step_move(g);
	for (;;)
		wire_serve(epoll, -1);
}

static void
say_counters(struct guest *g)
{
	char line[200];

	snprintf(line, sizeof(line),
	    "{\"full\": %llu, \"resumed\": %llu, \"failed\": %llu, \"wrong\": %llu}\n",
	    counters.full, counters.resumed, counters.failed, counters.wrong);
	say_and_await_end(g, line);
}

static void
obey(struct guest *g)
{
	const struct order *o = &g->order;

	if (o->magic != ORDER_MAGIC) {
		counters.wrong++;
		leave(g);
		return;
	}
	switch ((enum order_verb)o->verb) {
	case ORDER_ECHO:
		g->step = step_echo;
		if (send_back(g, (const uint8_t *)o, sizeof(*o)))
			step_echo(g); /* the rest of the first message is here already */
		return;
	case ORDER_MOVE:
		g->transfer = (struct transfer){ .in_at = o->seed,
			.in_left = o->up,
			.out_at = o->seed + DOWN_AHEAD,
			.out_left = o->down };
		g->step = step_move;
		(aside ? move_aside : step_move)(g);
		return;
	case ORDER_COUNT:
		say_counters(g);
		return;
	}
	counters.wrong++;
	leave(g);
}

static void
step_order(struct guest *g)
{
	while (g->got < sizeof(g->order)) {
		ssize_t n =
		    wire_read(&g->wire, (uint8_t *)&g->order + g->got, sizeof(g->order) - g->got);

		if (n == WIRE_AGAIN)
			return;
		if (n <= 0) { /* run.py's looking whether the port is open ends here too */
			leave(g);
			return;
		}
		g->got += (size_t)n;
	}
	obey(g);
}

static void
step_handshake(struct guest *g)
{
	int n = wire_handshake(&g->wire);

	if (n == WIRE_AGAIN)
		return;
	if (n == WIRE_FAILED) {
		counters.failed++;
		leave(g);
		return;
	}
	if (g->wire.ssl != NULL) {
		counters.resumed += (unsigned)SSL_session_reused(g->wire.ssl);
		counters.full += !SSL_session_reused(g->wire.ssl);
	}
	g->step = step_order;
	wire_watch(&g->wire, EPOLLIN);
	step_order(g);
}

static void
on_ready(struct wire *w)
{
	struct guest *g = (struct guest *)w;

	g->step(g);
}

static void
on_taken(int epoll, int fd)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (g == NULL)
		die("no memory");
	g->step = step_handshake;
	g->wire.epoll = epoll;
	g->wire.ready = on_ready;
	if (wire_adopt(&g->wire, fd, tls))
		return;
	close(fd);
	free(g);
}

void
backend_run(struct job *job)
{
	struct wire listener;

	if (job->options->tls != 0)
		tls = tls_server(job->options);
	aside = job->options->aside;
	signal(SIGCHLD, SIG_IGN); /* they need not be waited for */
	listen_watch(&listener, job->epoll, listen_open(&job->options->at), on_taken);
	for (;;)
		wire_serve(job->epoll, -1);
}
