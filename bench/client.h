/* SPDX-License-Identifier: Apache-2.0 */
/* bench/client.h -- one client connection: dial, ask or move, leave. */
#ifndef GINNEL_BENCH_CLIENT_H
#define GINNEL_BENCH_CLIENT_H

#include "load.h"
#include "transfer.h"

struct client;

/* What a kind of load does when a client has got so far.  All run from the loop. */
struct client_policy {
	void (*up)(struct client *);	/* connected; order something */
	void (*done)(struct client *);	/* what was ordered has come, and was right */
	void (*ended)(struct client *); /* gone, after client_leave() or a counted failure */
};

struct client {
	struct wire wire;
	struct job *job;
	const struct client_policy *policy;
	void (*step)(struct client *); /* what to do when the wire is ready */
	bool resuming;		       /* a session was offered */
	uint64_t seed, at;	       /* position in the pattern, at first and now */
	uint8_t out[MESSAGE], in[4 * MESSAGE];
	size_t sent, got; /* of these */
	size_t asked;	  /* bytes of the request to a proxy */
	struct transfer transfer;
};

/* Begin to connect.  If even that fails, ended() is called at once. */
void client_open(struct client *, struct job *, const struct client_policy *);

/* Send the next MESSAGE bytes and expect them back. */
void client_ask(struct client *);

/* Have `down` and `up` bytes moved. */
void client_move(struct client *, uint64_t down, uint64_t up);

/* End our side and wait for the other's. */
void client_leave(struct client *);

#endif
