/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/homes.c -- the targets of clients that may come back. */
#include "tunnel/homes.h"

#include "base/check.h"

#include <pthread.h>

#include <uthash.h>

enum {
	HOMES_MAGIC = 0x5b20e7f4,
	KEPT_MAX = 16 * 1024, /* some 4 MB */
};

struct entry {
	uint64_t visitor; /* the key */
	struct home home;
	UT_hash_handle hh;
};

struct homes {
	unsigned magic;
	pthread_mutex_t mutex;
	struct entry *table; /* in the order of their noting */
};

struct homes *
homes_new(void)
{
	struct homes *all;

	if (OBJ_NEW(all, HOMES_MAGIC) != NULL)
		pthread_mutex_init(&all->mutex, NULL);
	return all;
}

static void
forget(struct homes *all, struct entry *e)
{
	HASH_DEL(all->table, e);
	free(e);
}

void
homes_free(struct homes *all)
{
	struct entry *e, *next;

	if (all == NULL)
		return;
	CHECK_OBJ(all, HOMES_MAGIC);
	HASH_ITER (hh, all->table, e, next)
		forget(all, e);
	pthread_mutex_destroy(&all->mutex);
	OBJ_FREE(all);
}

static struct entry *
find(const struct homes *all, uint64_t visitor)
{
	struct entry *e;

	HASH_FIND(hh, all->table, &visitor, sizeof(visitor), e);
	return e;
}

bool
homes_find(struct homes *all, uint64_t visitor, struct home *out)
{
	const struct entry *e;

	CHECK_OBJ(all, HOMES_MAGIC);
	pthread_mutex_lock(&all->mutex);
	if ((e = find(all, visitor)) != NULL)
		*out = e->home;
	pthread_mutex_unlock(&all->mutex);
	return e != NULL;
}

void
homes_note(struct homes *all, uint64_t visitor, const struct home *home)
{
	struct entry *fresh = calloc(1, sizeof(*fresh)), *old;

	if (fresh == NULL)
		return;
	CHECK_OBJ(all, HOMES_MAGIC);
	fresh->visitor = visitor;
	fresh->home = *home;
	pthread_mutex_lock(&all->mutex);
	if ((old = find(all, visitor)) == NULL && HASH_COUNT(all->table) >= KEPT_MAX)
		old = all->table;
	if (old != NULL)
		forget(all, old);
	HASH_ADD(hh, all->table, visitor, sizeof(fresh->visitor), fresh);
	if (fresh->hh.tbl == NULL) /* no memory: it is not in the table */
		free(fresh);
	pthread_mutex_unlock(&all->mutex);
}
