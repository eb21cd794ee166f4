/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/udp.c -- datagrams between one client and whom it may reach. */
#include "tunnel/udp.h"

#include "proto/socks_udp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	UDP_MAGIC = 0x69f3a10d,
	DATAGRAM_MAX = 65535,
	TURN = 32,	/* datagrams of one socket in one turn: others wait, too */
	PEERS = 64,	/* to whom the client has sent last */
	LOOKUPS = 4,	/* names that are asked for at a time */
	WAITING = 2048, /* a longer datagram does not wait for a name */
};

/* A datagram that waits for the address of its host. */
struct waiting {
	bool used;
	struct lookup lookup;
	struct proto_target target;
	size_t n;
	uint8_t data[WAITING];
};

struct udp {
	unsigned magic;
	struct udp_terms terms;
	struct addr client; /* its port is 0 until its first datagram has come */
	struct watch near, far4, far6;
	struct addr peers[PEERS];
	unsigned next_peer;
	uint64_t up, down, dropped;
	struct waiting waiting[LOOKUPS];
	uint8_t bytes[SOCKS_UDP_HEAD_MAX + DATAGRAM_MAX];
};

/* ---- sockets ---- */

static bool
open_socket(struct udp *u, struct watch *w, int family, const struct addr *bound)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*w = (struct watch){ .fd = fd, .task = u->terms.task };
	if (fd == -1)
		return false;
	if ((bound == NULL || bind(fd, &bound->sa, bound->len) == 0) &&
	    loop_watch(u->terms.worker->loop, w, WATCH_READ))
		return true;
	close(fd);
	w->fd = -1;
	return false;
}

static void
close_socket(struct udp *u, struct watch *w)
{
	if (w->fd == -1)
		return;
	loop_unwatch(u->terms.worker->loop, w);
	close(w->fd);
	w->fd = -1;
}

/* The socket towards targets of that family, made when the first is asked for; -1: there is none.
 */
static int
far_socket(struct udp *u, sa_family_t family)
{
	const struct addr *local = u->terms.local;
	struct watch *w = family == AF_INET ? &u->far4 : &u->far6;
	struct addr from;

	if (w->fd != -1)
		return w->fd;
	if (local != NULL && local->sa.sa_family != family)
		return -1;
	if (local != NULL) {
		from = *local;
		addr_set_port(&from, 0);
	}
	return open_socket(u, w, family, local != NULL ? &from : NULL) ? w->fd : -1;
}

struct udp *
udp_new(const struct udp_terms *terms, struct addr *here)
{
	struct udp *u;

	*here = addr_unmapped(here);
	addr_set_port(here, 0);
	if (OBJ_NEW(u, UDP_MAGIC) == NULL)
		return NULL;
	u->terms = *terms;
	u->client = addr_unmapped(terms->client);
	addr_set_port(&u->client, 0);
	u->near.fd = u->far4.fd = u->far6.fd = -1;
	for (unsigned i = 0; i < LOOKUPS; i++)
		u->waiting[i].lookup.task = terms->task;
	if (open_socket(u, &u->near, here->sa.sa_family, here) &&
	    getsockname(u->near.fd, &here->sa, &here->len) == 0)
		return u;
	udp_free(u);
	return NULL;
}

/* ---- from the client ---- */

static void
drop(struct udp *u)
{
	u->dropped++;
}

static bool
knows(const struct udp *u, const struct addr *peer)
{
	for (unsigned i = 0; i < PEERS; i++)
		if (u->peers[i].len != 0 && addr_equal(&u->peers[i], peer))
			return true;
	return false;
}

/* To the address that was judged, and to no other. */
static bool
send_to(struct udp *u, const struct addr *to, const uint8_t *data, size_t n)
{
	struct addr plain = addr_unmapped(to);
	int fd = far_socket(u, plain.sa.sa_family);

	if (fd == -1 ||
	    sendto(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL, &plain.sa, plain.len) == -1)
		return false;
	if (!knows(u, &plain))
		u->peers[u->next_peer++ % PEERS] = plain;
	u->up += n;
	return true;
}

static bool
may(struct udp *u, const struct proto_target *t, const struct addr *a)
{
	return u->terms.judge(u->terms.owner, t, a) == R_NONE;
}

/* The first of them that may be reached, and can. */
static bool
send_to_one(struct udp *u, const struct proto_target *t, const struct lookup *l,
    const uint8_t *data, size_t n)
{
	for (unsigned i = 0; i < l->count; i++)
		if (may(u, t, &l->addrs[i]) && send_to(u, &l->addrs[i], data, n))
			return true;
	return false;
}

static struct waiting *
free_place(struct udp *u)
{
	for (unsigned i = 0; i < LOOKUPS; i++)
		if (!u->waiting[i].used)
			return &u->waiting[i];
	return NULL;
}

static enum io
look_up(struct udp *u, struct waiting *w)
{
	return resolve(
	    u->terms.worker->resolver, &w->lookup, w->target.host, w->target.port, false);
}

static void
leave_place(struct udp *u, struct waiting *w)
{
	resolve_cancel(&w->lookup);
	w->used = false;
	w->lookup = (struct lookup){ .task = u->terms.task };
}

/* A name: its address may be known, and else is asked for, while there is a place to wait. */
static bool
send_to_name(struct udp *u, const struct socks_datagram *d)
{
	struct waiting *w = free_place(u);
	bool sent = true;

	if (w == NULL || u->terms.judge(u->terms.owner, &d->target, NULL) != R_NONE)
		return false;
	w->target = d->target;
	w->n = d->n;
	switch (look_up(u, w)) {
	case IO_OK:
		sent = send_to_one(u, &d->target, &w->lookup, d->data, d->n);
		break;
	case IO_AGAIN:
		if (d->n <= WAITING) {
			memcpy(w->data, d->data, d->n);
			w->used = true;
			return true;
		}
		sent = false;
		break;
	default:
		sent = false;
	}
	leave_place(u, w);
	return sent;
}

/* Who sends here first from the client's address is the client. */
static bool
is_client(struct udp *u, const struct addr *from)
{
	struct addr a = addr_unmapped(from), host = a;

	if (addr_port(&u->client) != 0)
		return addr_equal(&a, &u->client);
	addr_set_port(&host, 0);
	if (!addr_equal(&host, &u->client))
		return false;
	u->client = a;
	return true;
}

static ssize_t
receive(struct udp *u, struct watch *w, size_t at, struct addr *from)
{
	from->len = sizeof(from->un);
	return recvfrom(
	    w->fd, u->bytes + at, sizeof(u->bytes) - at, MSG_DONTWAIT, &from->sa, &from->len);
}

static unsigned
from_client(struct udp *u)
{
	struct socks_datagram d;
	struct addr from;
	unsigned done;
	ssize_t n;

	for (done = 0; done < TURN && (n = receive(u, &u->near, 0, &from)) >= 0; done++) {
		if (!is_client(u, &from) || !socks_udp_read(u->bytes, (size_t)n, &d))
			drop(u);
		else if (d.target.addr.len == 0) {
			if (!send_to_name(u, &d))
				drop(u);
		} else if (!may(u, &d.target, &d.target.addr) ||
			   !send_to(u, &d.target.addr, d.data, d.n))
			drop(u);
	}
	return done;
}

/* Names that are known by now, or never will be. */
static unsigned
from_waiting(struct udp *u)
{
	unsigned done = 0;

	for (unsigned i = 0; i < LOOKUPS; i++) {
		struct waiting *w = &u->waiting[i];
		enum io got = w->used ? look_up(u, w) : IO_AGAIN;

		if (got == IO_AGAIN)
			continue;
		if (got != IO_OK || !send_to_one(u, &w->target, &w->lookup, w->data, w->n))
			drop(u);
		leave_place(u, w);
		done++;
	}
	return done;
}

/* ---- to the client ---- */

static unsigned
from_target(struct udp *u, struct watch *w)
{
	uint8_t head[SOCKS_UDP_HEAD_MAX];
	struct addr from;
	unsigned done;
	ssize_t n;

	if (w->fd == -1)
		return 0;
	for (done = 0; done < TURN && (n = receive(u, w, SOCKS_UDP_HEAD_MAX, &from)) >= 0; done++) {
		size_t size = socks_udp_head(&from, head);
		uint8_t *begin = u->bytes + SOCKS_UDP_HEAD_MAX - size;

		memcpy(begin, head, size);
		if (!knows(u, &from) || addr_port(&u->client) == 0 ||
		    sendto(u->near.fd, begin, size + (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL,
			&u->client.sa, u->client.len) == -1)
			drop(u);
		else
			u->down += (uint64_t)n;
	}
	return done;
}

unsigned
udp_step(struct udp *u)
{
	CHECK_OBJ(u, UDP_MAGIC);
	return from_client(u) + from_waiting(u) + from_target(u, &u->far4) +
	       from_target(u, &u->far6);
}

uint64_t
udp_up(const struct udp *u)
{
	return u->up;
}

uint64_t
udp_down(const struct udp *u)
{
	return u->down;
}

uint64_t
udp_dropped(const struct udp *u)
{
	return u->dropped;
}

void
udp_free(struct udp *u)
{
	if (u == NULL)
		return;
	CHECK_OBJ(u, UDP_MAGIC);
	for (unsigned i = 0; i < LOOKUPS; i++)
		resolve_cancel(&u->waiting[i].lookup);
	close_socket(u, &u->near);
	close_socket(u, &u->far4);
	close_socket(u, &u->far6);
	OBJ_FREE(u);
}
