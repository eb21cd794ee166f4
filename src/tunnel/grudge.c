/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/grudge.c -- which targets have failed lately. */
#include "tunnel/grudge.h"

#include "base/check.h"

#include <string.h>

#include <uthash.h>

enum {
	GRUDGES_MAGIC = 0x4f81b3c6,
	FIRST_MS = 1000,
	LONGEST_MS = 60 * 1000,
	/* Targets come from the configuration and from SRV records, which others write. */
	KEPT_MAX = 1024,
};

struct grudge {
	char *target; /* the key */
	int wait;     /* ms, for the last failure that counted */
	int64_t failed, until;
	UT_hash_handle hh;
};

struct grudges {
	unsigned magic;
	struct grudge *table;
};

struct grudges *
grudges_new(void)
{
	struct grudges *all;

	return OBJ_NEW(all, GRUDGES_MAGIC);
}

static void
grudge_free(struct grudges *all, struct grudge *g)
{
	HASH_DEL(all->table, g);
	free(g->target);
	free(g);
}

void
grudges_free(struct grudges *all)
{
	struct grudge *g, *next;

	if (all == NULL)
		return;
	CHECK_OBJ(all, GRUDGES_MAGIC);
	HASH_ITER (hh, all->table, g, next)
		grudge_free(all, g);
	OBJ_FREE(all);
}

static struct grudge *
find(const struct grudges *all, const char *target)
{
	struct grudge *g;

	HASH_FIND_STR(all->table, target, g);
	return g;
}

bool
grudges_has(struct grudges *all, const char *target, int64_t now)
{
	struct grudge *g = find(all, target);

	if (g == NULL || now < g->until)
		return g != NULL;
	g->until = now + g->wait; /* the caller tries it, the next ones wait for what comes of it */
	return false;
}

/* Without memory the failure is not remembered. */
static struct grudge *
remember(struct grudges *all, const char *target)
{
	struct grudge *g;

	/* The table keeps the order of insertion: the oldest goes. */
	if (HASH_COUNT(all->table) >= KEPT_MAX)
		grudge_free(all, all->table);
	if ((g = calloc(1, sizeof(*g))) == NULL)
		return NULL;
	if ((g->target = strdup(target)) != NULL)
		HASH_ADD_KEYPTR(hh, all->table, g->target, strlen(g->target), g);
	if (g->hh.tbl != NULL) /* it is in the table */
		return g;
	free(g->target);
	free(g);
	return NULL;
}

int
grudges_add(struct grudges *all, const char *target, int64_t now)
{
	struct grudge *g = find(all, target);

	if (g != NULL && now < g->failed + g->wait)
		return 0; /* it was tried for want of a better one; that tells nothing new */
	if (g == NULL && (g = remember(all, target)) == NULL)
		return 0;
	g->wait = g->wait == 0 ? FIRST_MS : g->wait * 2;
	if (g->wait > LONGEST_MS)
		g->wait = LONGEST_MS;
	g->failed = now;
	g->until = now + g->wait;
	return g->wait;
}

bool
grudges_drop(struct grudges *all, const char *target)
{
	struct grudge *g = find(all, target);

	if (g == NULL)
		return false;
	grudge_free(all, g);
	return true;
}
