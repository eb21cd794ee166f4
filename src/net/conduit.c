/* SPDX-License-Identifier: Apache-2.0 */
/* net/conduit.c -- from socket to socket without passing through our memory. */
#include "net/conduit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	CONDUITS_MAGIC = 0x60c3a91f,
	/* Lent at once; tunnels beyond copy. A conduit costs two of the process's descriptors. */
	LEND_MAX = 64,
	KEEP_MAX = 8,
	/* Bytes that one takes, if the system allows more than its default of 64 KiB. */
	CAPACITY = 256 * 1024,
};

struct conduits {
	unsigned magic;
	unsigned lent, kept;
	struct conduit *free;
};

struct conduits *
conduits_new(void)
{
	struct conduits *all;

	return OBJ_NEW(all, CONDUITS_MAGIC);
}

static void
destroy(struct conduit *c)
{
	close(c->in);
	close(c->out);
	free(c);
}

void
conduits_free(struct conduits *all)
{
	struct conduit *c;

	if (all == NULL)
		return;
	CHECK_OBJ(all, CONDUITS_MAGIC);
	MUST(all->lent == 0);
	while ((c = all->free) != NULL) {
		all->free = c->next;
		destroy(c);
	}
	OBJ_FREE(all);
}

static struct conduit *
make(void)
{
	struct conduit *c = calloc(1, sizeof(*c));
	int ends[2];

	if (c == NULL)
		return NULL;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1) {
		free(c);
		return NULL;
	}
	c->out = ends[0];
	c->in = ends[1];
	(void)fcntl(
	    c->in, F_SETPIPE_SZ, CAPACITY); /* less will do: pipe(7), pipe-user-pages-soft */
	return c;
}

struct conduit *
conduit_take(struct conduits *all)
{
	struct conduit *c = all->free;

	if (all->lent >= LEND_MAX)
		return NULL;
	if (c != NULL) {
		all->free = c->next;
		all->kept--;
	} else if ((c = make()) == NULL) {
		return NULL;
	}
	all->lent++;
	return c;
}

void
conduit_give(struct conduits *all, struct conduit *c)
{
	if (c == NULL)
		return;
	all->lent--;
	if (c->held > 0 || all->kept >= KEEP_MAX) {
		destroy(c);
		return;
	}
	c->next = all->free;
	all->free = c;
	all->kept++;
}

static ssize_t
move(int from, int to, size_t max)
{
	ssize_t n;

	do
		n = splice(from, NULL, to, NULL, max, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n == -1 && errno == EINTR);
	return n;
}

enum io
conduit_fill(struct conduit *c, struct stream *from, size_t max, bool *possible)
{
	ssize_t n;

	MUST(c->held == 0);
	if (!from->watch.readable)
		return IO_AGAIN;
	if ((n = move(from->watch.fd, c->in, max < CAPACITY ? max : CAPACITY)) > 0) {
		c->held = (size_t)n;
		from->received += (size_t)n;
		return IO_OK;
	}
	if (n == 0) {
		from->socket_eof = true;
		return IO_EOF;
	}
	/* An empty pipe takes something, so it is the socket that had nothing. */
	if (errno == EAGAIN) {
		from->watch.readable = false;
		return IO_AGAIN;
	}
	if (errno == EINVAL) {
		*possible = false;
		return IO_AGAIN;
	}
	return stream_fail_errno(from);
}

enum io
conduit_drain(struct conduit *c, struct stream *to)
{
	ssize_t n;

	while (c->held > 0) {
		if (!to->watch.writable)
			return IO_AGAIN;
		if ((n = move(c->out, to->watch.fd, c->held)) > 0) {
			c->held -= (size_t)n;
		} else if (errno == EAGAIN) {
			to->watch.writable = false; /* full: an edge will tell of room */
			if (!loop_watch_writes(to->loop, &to->watch))
				return stream_fail_errno(to);
		} else {
			return stream_fail_errno(to);
		}
	}
	return IO_OK;
}
