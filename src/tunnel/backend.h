/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/backend.h -- the targets of a service: in which order a tunnel tries them.
 *
 * A service whose targets are neither balanced nor checked has none, and goes by `failover`.
 */
#ifndef GINNEL_TUNNEL_BACKEND_H
#define GINNEL_TUNNEL_BACKEND_H

#include "base/check.h"
#include "base/option.h"
#include "net/addr.h"
#include "tunnel/health.h"

#include <stdatomic.h>

enum balance {
	BALANCE_UNSET, /* as `failover` says, and without a memory of failures */
	BALANCE_PRIO,
	BALANCE_RR,
	BALANCE_LEASTCONN,
	BALANCE_SOURCE,
};

struct backend_conf {
	int balance; /* enum balance */
	struct health_conf health;
	int spares; /* connections that are kept ready, over all workers */
};
extern const struct option backend_options[];

/* A list of addresses in the configuration's arena; appending makes a new array. */
struct targets {
	const struct target *v;
	unsigned n;
};

/* How a target stands; it lives on over reloads, and all workers see it. */
struct standing {
	unsigned magic;
	_Atomic unsigned refs; /* of backends */
	char *target;	       /* its text */
	_Atomic int tunnels;   /* leastconn: so many go there, or are about to */
	_Atomic bool down;     /* says its health check */
};

struct member {
	const struct target *target;
	uint64_t hash; /* of its text: its place does not depend on its number */
	struct standing *standing;
};

struct backend {
	unsigned magic;
	enum balance balance; /* never BALANCE_UNSET */
	bool remembers;	      /* who failed lately */
	bool checked;	      /* standing.down counts */
	struct member *members;
	unsigned count;
	uint16_t *rounds; /* rr: member after member, each as often as it weighs */
	unsigned rounds_count;
	_Atomic unsigned turn, draws;
};

/* Warn of weights that nobody looks at. */
void backend_check(
    const struct backend_conf *, enum balance failover, const struct targets *, struct sink *);

/* `failover`: the balance if there is none in `conf`.  `previous`: before a reload, or NULL. */
struct backend *backend_new(const struct backend_conf *, enum balance failover,
    const struct targets *, const struct backend *previous);
void backend_free(struct backend *); /* NULL is fine */
const char *backend_word(enum balance);

/* The numbers of all members in the order for the next tunnel of `source`, into order[count].
 * False: no memory. */
bool backend_rank(struct backend *, const struct addr *source, unsigned *order) MUST_CHECK;

/*
 * The draw of one of several by weight: the smallest number wins.  The winner for a seed stays the
 * same while others come and go (rendezvous hashing: D. Thaler, C. Ravishankar, "Using Name-Based
 * Mappings to Increase Hit Rates", 1998; weights by -ln(u)/w).
 */
double backend_draw(uint64_t seed, uint64_t hash, double weight);
/* A seed for a source; one that differs each time. */
uint64_t backend_source_seed(const struct addr *source);
uint64_t backend_next_seed(struct backend *);
uint64_t backend_hash(const char *text);

#endif
