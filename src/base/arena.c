/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena.c -- memory in a chain of chunks that grows at one end and goes all at once. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAGIC 0x945a5939u

enum { CHUNK_SIZE = 16 * 1024 };

struct chunk {
	struct chunk *next;
	size_t size, used; /* of bytes[] */
	max_align_t bytes[];
};

struct arena {
	unsigned magic;
	struct chunk *chunks; /* the first one has the room */
};

struct arena *
arena_new(void)
{
	struct arena *a;

	return OBJ_NEW(a, ARENA_MAGIC);
}

void
arena_free(struct arena *a)
{
	struct chunk *c, *next;

	if (a == NULL)
		return;
	CHECK_OBJ(a, ARENA_MAGIC);
	for (c = a->chunks; c != NULL; c = next) {
		next = c->next;
		explicit_bzero(c->bytes, c->used); /* there may be a pass phrase among it */
		free(c);
	}
	OBJ_FREE(a);
}

/* A chunk with room for `need` bytes.  A large piece gets one of its own, behind the first. */
static struct chunk *
chunk_add(struct arena *a, size_t need)
{
	bool large = need > CHUNK_SIZE / 4;
	size_t size = large ? need : CHUNK_SIZE;
	struct chunk *c;

	if ((c = calloc(1, sizeof(*c) + size)) == NULL)
		return NULL;
	c->size = size;
	if (large && a->chunks != NULL) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = a->chunks;
		a->chunks = c;
	}
	return c;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	const size_t align = _Alignof(max_align_t);
	struct chunk *c;
	size_t at;

	CHECK_OBJ(a, ARENA_MAGIC);
	if (n > PTRDIFF_MAX / 2)
		return NULL;
	n = (n + align - 1) / align * align;
	c = a->chunks;
	if ((c == NULL || n > c->size - c->used) && (c = chunk_add(a, n)) == NULL)
		return NULL;
	at = c->used;
	c->used += n;
	return (char *)c->bytes + at;
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy;

	if ((copy = arena_alloc(a, len + 1)) != NULL)
		memcpy(copy, s, len);
	return copy;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (out = arena_alloc(a, (size_t)n + 1)) == NULL)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(out, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return out;
}

bool
strv_append(struct arena *a, struct strv *list, const char *s)
{
	const char **v;

	if ((v = arena_alloc(a, (list->n + 1) * sizeof(*v))) == NULL)
		return false;
	if (list->n > 0)
		memcpy(v, list->v, list->n * sizeof(*v));
	if ((v[list->n] = arena_strdup(a, s)) == NULL)
		return false;
	*list = (struct strv){ v, list->n + 1 };
	return true;
}
