/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/resolve.h -- names to addresses, asynchronously, by c-ares.
 *
 * One resolver a worker.  Answers are kept for their TTL; when a name cannot be looked up again,
 * the last good answer stays in use.  A failure is remembered for a second.
 *
 * resolv.conf and the hosts file are c-ares' affair: the former is read by resolver_new(), the
 * latter with every question.
 */
#ifndef GINNEL_NET_RESOLVE_H
#define GINNEL_NET_RESOLVE_H

#include "base/option.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "net/stream.h"

enum { RESOLVE_MAX = 16 }; /* addresses of one name that are tried */

struct resolver;

/* nameServers = ADDRESS[:PORT],... into what resolver_use() takes (const char *). */
option_parse resolver_parse_servers;
/* Before any thread: ask these in place of those of resolv.conf; NULL: do not. */
void resolver_use(const char *servers);

struct resolver *resolver_new(struct loop *); /* NULL: `errno` or c-ares says why, logged */
/* The same with these servers, "127.0.0.1:5353,[::1]:53". */
struct resolver *resolver_new_at(struct loop *, const char *servers);
void resolver_free(struct resolver *); /* no look-up may be under way; NULL is fine */

/* One question; embed it, zeroed. */
struct lookup {
	struct task *task; /* runs when the answer is there */
	bool done;
	struct addr addrs[RESOLVE_MAX];
	unsigned count;
	const char *error; /* with count 0: words, static */
	/* the resolver's own */
	uint16_t port;
	struct name *name;
	struct lookup *prev, *next;
};

/* Ask for `host`, `port` (host order).  `fresh`: do not take a kept answer.  IO_OK, IO_AGAIN,
 * IO_FAILED. */
enum io resolve(struct resolver *, struct lookup *, const char *host, uint16_t port, bool fresh);
/* No answer is wanted any more; also when none was asked for. */
void resolve_cancel(struct lookup *);

/*
 * For srv.c: a question for records of that type (RFC 1035 3.2.2).  `done` gets the whole message,
 * or c-ares' status; it runs later, or at once, or from resolver_free().
 */
void resolver_query(struct resolver *, const char *name, int type,
    void (*done)(void *owner, int status, int timeouts, unsigned char *message, int size),
    void *owner);

#endif
