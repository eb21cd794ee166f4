/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/backend.c -- the targets of a service: in which order a tunnel tries them. */
#include "tunnel/backend.h"

#include "base/hash.h"

#include <math.h>
#include <string.h>

enum { BACKEND_MAGIC = 0x3d6f20b9, STANDING_MAGIC = 0x68c1e57d };

static const struct option_word balance_words[] = {
	{ "prio", BALANCE_PRIO },
	{ "rr", BALANCE_RR },
	{ "leastconn", BALANCE_LEASTCONN },
	{ "source", BALANCE_SOURCE },
	{ NULL, 0 },
};

#define AT(field) offsetof(struct backend_conf, field)

const struct option backend_options[] = {
	{ .name = "balance",
	    .parse = option_keyword,
	    .offset = AT(balance),
	    .scope = OPTION_SERVICE,
	    .words = balance_words,
	    .arg = "prio|rr|leastconn|source",
	    .doc = "Which target of several a new connection tries first: with prio the first one, "
		   "with rr one after the other in turn, with leastconn the one that has the "
		   "fewest connections for its weight, with source always the same one for the "
		   "same client address (of IPv6, the first 64 bits): if a target goes or comes, "
		   "only its own clients change. The others follow. A target that could not be "
		   "reached is tried last for a second, and for longer each time, up to a minute. "
		   "Without balance, failover decides, and nothing is remembered." },
	{ .name = "spareConnections",
	    .parse = option_int,
	    .offset = AT(spares),
	    .scope = OPTION_SERVICE,
	    .min = 0,
	    .max = 1000,
	    .arg = "NUMBER",
	    .doc = "In a section that speaks TLS with its targets: how many connections are kept "
		   "ready, handshake done, for clients to come, shared out between the workers. "
		   "Each is replaced when a client has got it, and after half a minute. Only for "
		   "protocols in which the client speaks first: once a server has spoken on one "
		   "of them, no more are made. With 0 there are none." },
	{ .name = NULL },
};

const char *
backend_word(enum balance balance)
{
	for (const struct option_word *w = balance_words; w->name != NULL; w++)
		if (w->value == (long)balance)
			return w->name;
	return "unset";
}

void
backend_check(const struct backend_conf *conf, enum balance failover, const struct targets *targets,
    struct sink *sink)
{
	if ((conf->balance != BALANCE_UNSET ? (enum balance)conf->balance : failover) !=
	    BALANCE_PRIO)
		return;
	for (unsigned i = 0; i < targets->n; i++)
		if (targets->v[i].weight != 0)
			sink_warn(sink, "connect",
			    "the weight of %s has no effect; write balance = rr, leastconn or "
			    "source",
			    targets->v[i].text);
}

/* ---- standing ---- */

static struct standing *
standing_new(const char *target)
{
	struct standing *s;

	if (OBJ_NEW(s, STANDING_MAGIC) == NULL)
		return NULL;
	s->refs = 1;
	if ((s->target = strdup(target)) != NULL)
		return s;
	OBJ_FREE(s);
	return NULL;
}

static void
standing_release(struct standing *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	CHECK_OBJ(s, STANDING_MAGIC);
	free(s->target);
	OBJ_FREE(s);
}

/* What was known of this target before a reload. */
static struct standing *
standing_of(const struct backend *previous, const char *target)
{
	for (unsigned i = 0; previous != NULL && i < previous->count; i++) {
		struct standing *s = previous->members[i].standing;

		if (strcmp(s->target, target) == 0) {
			atomic_fetch_add(&s->refs, 1);
			return s;
		}
	}
	return standing_new(target);
}

/* ---- making one ---- */

static unsigned
weight_of(const struct member *m)
{
	return m->target->weight == 0 ? 1 : m->target->weight;
}

static unsigned
common_divisor(unsigned a, unsigned b)
{
	return b == 0 ? a : common_divisor(b, a % b);
}

/*
 * One round in which each has as many turns as it weighs, spread out: whoever has waited longest
 * for its share is next.
 */
static bool
make_rounds(struct backend *b)
{
	unsigned divisor = 0, sum = 0;
	long *due;

	for (unsigned i = 0; i < b->count; i++)
		divisor = common_divisor(divisor, weight_of(&b->members[i]));
	for (unsigned i = 0; i < b->count; i++)
		sum += weight_of(&b->members[i]) / divisor;
	due = calloc(b->count, sizeof(*due));
	b->rounds = calloc(sum, sizeof(*b->rounds));
	for (unsigned turn = 0; due != NULL && b->rounds != NULL && turn < sum; turn++) {
		unsigned next = 0;

		for (unsigned i = 0; i < b->count; i++) {
			due[i] += weight_of(&b->members[i]) / divisor;
			if (due[i] > due[next])
				next = i;
		}
		due[next] -= (long)sum;
		b->rounds[turn] = (uint16_t)next;
	}
	b->rounds_count = sum;
	free(due);
	return due != NULL && b->rounds != NULL;
}

static bool
add_members(struct backend *b, const struct targets *targets, const struct backend *previous)
{
	if ((b->members = calloc(targets->n, sizeof(*b->members))) == NULL)
		return false;
	for (; b->count < targets->n; b->count++) {
		struct member *m = &b->members[b->count];

		m->target = &targets->v[b->count];
		m->hash = backend_hash(m->target->text);
		if ((m->standing = standing_of(previous, m->target->text)) == NULL)
			return false;
	}
	return true;
}

struct backend *
backend_new(const struct backend_conf *conf, enum balance failover, const struct targets *targets,
    const struct backend *previous)
{
	struct backend *b;

	if (OBJ_NEW(b, BACKEND_MAGIC) == NULL)
		return NULL;
	b->checked = conf->health.kind != HEALTH_NONE;
	b->remembers = conf->balance != BALANCE_UNSET;
	b->balance = b->remembers ? (enum balance)conf->balance : failover;
	if (add_members(b, targets, previous) && (b->balance != BALANCE_RR || make_rounds(b)))
		return b;
	backend_free(b);
	return NULL;
}

void
backend_free(struct backend *b)
{
	if (b == NULL)
		return;
	CHECK_OBJ(b, BACKEND_MAGIC);
	for (unsigned i = 0; i < b->count; i++)
		standing_release(b->members[i].standing);
	free(b->members);
	free(b->rounds);
	OBJ_FREE(b);
}

/* ---- draws ---- */

/* The same on all machines and after each start, so that clients find their targets again. */
static const struct hash_key open_key = { 0x67696e6e656c2062, 0x616c616e63652031 };

uint64_t
backend_hash(const char *text)
{
	return hash_bytes(&open_key, text, strlen(text));
}

uint64_t
backend_source_seed(const struct addr *source)
{
	struct addr a = addr_unmapped(source);

	if (a.len == 0 || addr_is_unix(&a))
		return 0;
	if (a.sa.sa_family == AF_INET)
		return hash_bytes(&open_key, &a.in.sin_addr, sizeof(a.in.sin_addr));
	return hash_bytes(&open_key, &a.in6.sin6_addr, 8); /* a host may use all of its /64 */
}

uint64_t
backend_next_seed(struct backend *b)
{
	unsigned n = atomic_fetch_add_explicit(&b->draws, 1, memory_order_relaxed);

	return hash_bytes(&open_key, &n, sizeof(n));
}

double
backend_draw(uint64_t seed, uint64_t hash, double weight)
{
	const uint64_t both[] = { seed, hash };
	uint64_t bits = hash_bytes(&open_key, both, sizeof(both)) >> 11;

	/* From 53 bits, all that a double holds; never 0, which has no logarithm. */
	return -log(((double)bits + 1) * 0x1p-53) / weight;
}

/* ---- ranks ---- */

struct rank {
	double score; /* the smaller, the earlier */
	unsigned tie; /* ... and then this */
	unsigned number;
};

static void
rank_prio(struct backend *b, uint64_t seed, struct rank *ranks)
{
	(void)seed;
	for (unsigned i = 0; i < b->count; i++)
		ranks[i].score = i;
}

/* From this turn on, in the order in which each has its next one. */
static void
rank_rr(struct backend *b, uint64_t seed, struct rank *ranks)
{
	unsigned start = atomic_fetch_add_explicit(&b->turn, 1, memory_order_relaxed);

	(void)seed;
	for (unsigned k = b->rounds_count; k-- > 0;)
		ranks[b->rounds[(start + k) % b->rounds_count]].score = k;
}

static void
rank_leastconn(struct backend *b, uint64_t seed, struct rank *ranks)
{
	unsigned start = atomic_fetch_add_explicit(&b->turn, 1, memory_order_relaxed);

	(void)seed;
	for (unsigned i = 0; i < b->count; i++) {
		int tunnels =
		    atomic_load_explicit(&b->members[i].standing->tunnels, memory_order_relaxed);

		ranks[i].score = (tunnels + 1.0) / weight_of(&b->members[i]);
		ranks[i].tie = (i + b->count - start % b->count) % b->count;
	}
}

static void
rank_source(struct backend *b, uint64_t seed, struct rank *ranks)
{
	for (unsigned i = 0; i < b->count; i++)
		ranks[i].score = backend_draw(seed, b->members[i].hash, weight_of(&b->members[i]));
}

static void (*const rankings[])(struct backend *, uint64_t seed, struct rank *) = {
	[BALANCE_PRIO] = rank_prio,
	[BALANCE_RR] = rank_rr,
	[BALANCE_LEASTCONN] = rank_leastconn,
	[BALANCE_SOURCE] = rank_source,
};

static int
compare(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? -1 : 1;
	return x->tie < y->tie ? -1 : x->tie > y->tie;
}

bool
backend_rank(struct backend *b, const struct addr *source, unsigned *order)
{
	struct rank *ranks = calloc(b->count, sizeof(*ranks));

	if (ranks == NULL)
		return false;
	for (unsigned i = 0; i < b->count; i++)
		ranks[i].number = i;
	rankings[b->balance](b, backend_source_seed(source), ranks);
	qsort(ranks, b->count, sizeof(*ranks), compare);
	for (unsigned i = 0; i < b->count; i++)
		order[i] = ranks[i].number;
	free(ranks);
	return true;
}
