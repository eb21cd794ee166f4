/* SPDX-License-Identifier: Apache-2.0 */
/* base/shelf.c -- what a thread freed, kept by size for what it asks for next. */
#include "base/shelf.h"

#include "base/check.h"

#include <malloc.h>

enum {
	SHELF_MAGIC = 0x2d94be17,
	/* Bin k has room for 16 k + 8 bytes: glibc's blocks have 24, 40, 56 and so on. */
	GRAIN = 16,
	EXTRA = 8,
	BINS = 2048, /* below 32 KiB, where OpenSSL's buffers for a record and for a flight lie */
};

/* The beginning of a block while it lies here. */
struct block {
	struct block *next;
};

struct shelf {
	unsigned magic;
	size_t held;
	struct block *bins[BINS];
};

static _Thread_local struct shelf *mine;

static size_t
size_of_bin(size_t bin)
{
	return bin * GRAIN + EXTRA;
}

/* The first bin whose blocks are large enough.  BINS or more: none. */
static size_t
bin_that_holds(size_t n)
{
	if (n > (size_t)BINS * GRAIN)
		return BINS;
	return n <= GRAIN + EXTRA ? 1 : (n - EXTRA + GRAIN - 1) / GRAIN;
}

/* The last bin for which this block is large enough. */
static size_t
bin_of(size_t size)
{
	return size < GRAIN + EXTRA ? BINS : (size - EXTRA) / GRAIN;
}

void
shelf_open(void)
{
	if (mine == NULL)
		(void)OBJ_NEW(mine, SHELF_MAGIC);
}

void
shelf_clear(void)
{
	if (mine == NULL)
		return;
	for (size_t i = 0; i < BINS; i++)
		while (mine->bins[i] != NULL) {
			struct block *b = mine->bins[i];

			mine->bins[i] = b->next;
			free(b);
		}
	mine->held = 0;
}

void
shelf_close(void)
{
	shelf_clear();
	if (mine != NULL)
		OBJ_FREE(mine);
	mine = NULL;
}

size_t
shelf_held(void)
{
	return mine != NULL ? mine->held : 0;
}

void *
shelf_alloc(size_t n)
{
	size_t bin = bin_that_holds(n);
	struct block *b;

	if (mine == NULL || bin >= BINS || (b = mine->bins[bin]) == NULL)
		return malloc(n);
	mine->bins[bin] = b->next;
	mine->held -= size_of_bin(bin);
	return b;
}

void *
shelf_resize(void *p, size_t n)
{
	return p == NULL ? shelf_alloc(n) : realloc(p, n);
}

void
shelf_free(void *p)
{
	struct block *b = p;
	size_t bin;

	if (p == NULL) /* more often than not, from OpenSSL */
		return;
	bin = mine != NULL ? bin_of(malloc_usable_size(p)) : BINS;
	if (bin >= BINS) {
		free(p);
		return;
	}
	if (mine->held + size_of_bin(bin) > SHELF_MAX)
		shelf_clear();
	b->next = mine->bins[bin];
	mine->bins[bin] = b;
	mine->held += size_of_bin(bin);
}
