/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/srv.h -- where a service of a domain is: SRV records (RFC 2782), asynchronously.
 *
 * One finder a worker, on its resolver.  As with addresses, answers are kept for their TTL, the
 * last good one stays in use when the name service fails, and a failure is remembered for a second.
 */
#ifndef GINNEL_NET_SRV_H
#define GINNEL_NET_SRV_H

#include "net/resolve.h"

enum { SRV_MAX = 16, SRV_HOST = 254 }; /* records of one name that are used; a host's name */

struct srv_record {
	char host[SRV_HOST];
	uint16_t priority, weight, port;
};

struct srv_finder;

struct srv_finder *srv_finder_new(struct resolver *, struct loop *); /* NULL without memory */
/* After the resolver, which answers what is still open; no question may wait.  NULL is fine. */
void srv_finder_free(struct srv_finder *);

/* One question; embed it, zeroed. */
struct srv_query {
	struct task *task; /* runs when the answer is there */
	bool done;
	struct srv_record records[SRV_MAX]; /* as they came */
	unsigned count;
	const char *error; /* with count 0: words, static */
	/* the finder's own */
	struct srv_name *name;
	struct srv_query *prev, *next;
};

/* Ask for `name` ("_imaps._tcp.example.org").  IO_OK, IO_AGAIN, IO_FAILED. */
enum io srv_find(struct srv_finder *, struct srv_query *, const char *name);
void srv_cancel(struct srv_query *); /* also when none was asked for */

/*
 * All records of a message that answers such a question, at most SRV_MAX, and their shortest TTL in
 * seconds.  False with `error` set: it has none, or is no such message.
 */
bool srv_parse(const uint8_t *message, size_t size, struct srv_record records[SRV_MAX],
    unsigned *count, uint32_t *ttl, const char **error);

#endif
