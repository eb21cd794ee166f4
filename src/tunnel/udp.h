/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/udp.h -- UDP ASSOCIATE: datagrams between one client and whom it may reach.
 *
 * It lives as long as the client's connection.  Only the client's own address may send here, and
 * only those answers pass that come from where the client has sent something.  Whatever does not
 * fit is dropped, as datagrams are.
 */
#ifndef GINNEL_TUNNEL_UDP_H
#define GINNEL_TUNNEL_UDP_H

#include "proto/proto.h"
#include "tunnel/worker.h"

struct udp;

/* What an association may do, and is part of; all of it outlives it. */
struct udp_terms {
	struct worker *worker;
	struct task *task;
	const struct addr *client; /* the peer of the connection */
	const struct addr *local;  /* the source towards targets, or NULL */
	/* May this address be reached, for which the client has asked by ->target? */
	enum reason (*judge)(void *owner, const struct proto_target *, const struct addr *);
	void *owner;
};

/*
 * `here`: our end of the client's connection, on whose address the client's datagrams are awaited;
 * its port is set.  NULL with errno set.
 */
struct udp *udp_new(const struct udp_terms *, struct addr *here);
/* Pass on what has come.  How many datagrams went in either direction. */
unsigned udp_step(struct udp *);
/* Bytes in datagrams that were passed on, from the client and to it; what was dropped. */
uint64_t udp_up(const struct udp *);
uint64_t udp_down(const struct udp *);
uint64_t udp_dropped(const struct udp *);
void udp_free(struct udp *); /* NULL is fine */

#endif
