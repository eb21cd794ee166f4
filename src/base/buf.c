/* SPDX-License-Identifier: Apache-2.0 */
/* base/buf.c -- bytes in flight, and the pool that lends them their storage. */
#include "base/buf.h"

#include <string.h>

/* A free block begins with the pointer to the next one. */
struct block {
	struct block *next;
};

enum { POOL_MAGIC = 0x3b9f50c7 };

/* As buf.h says; a record of TLS 1.2 with AES-GCM is 5 + 8 + 16 bytes longer (RFC 5288 3). */
enum { SEGMENT = 65536 - 72, RECORD = 16 * 1024, RECORDS = (BUF_PAYLOAD + RECORD - 1) / RECORD };
_Static_assert(BUF_PAYLOAD + RECORDS * 29 <= 2 * SEGMENT, "a block leaves in two segments");
_Static_assert(RECORDS *(RECORD + 261) <= BUF_BLOCK, "a block holds its records");

struct pool {
	unsigned magic;
	struct block *free;
	unsigned free_count;
	unsigned out;	/* blocks that bufs hold */
	size_t trimmed; /* bytes of bufs that were moved out of their block */
};

struct pool *
pool_new(void)
{
	struct pool *p;

	return OBJ_NEW(p, POOL_MAGIC);
}

void
pool_free(struct pool *p)
{
	struct block *b;

	if (p == NULL)
		return;
	CHECK_OBJ(p, POOL_MAGIC);
	MUST(p->out == 0 && p->trimmed == 0);
	while ((b = p->free) != NULL) {
		p->free = b->next;
		free(b);
	}
	OBJ_FREE(p);
}

size_t
pool_held(const struct pool *p)
{
	return (size_t)p->out * BUF_BLOCK + p->trimmed;
}

static uint8_t *
pool_take(struct pool *p)
{
	struct block *b = p->free;

	if (b != NULL) {
		p->free = b->next;
		p->free_count--;
	} else if ((b = malloc(BUF_BLOCK)) == NULL) {
		return NULL;
	}
	p->out++;
	return (uint8_t *)b;
}

static void
pool_give(struct pool *p, uint8_t *data)
{
	struct block *b = (struct block *)(void *)data;

	p->out--;
	if (p->free_count >= POOL_KEEP) {
		free(b);
		return;
	}
	b->next = p->free;
	p->free = b;
	p->free_count++;
}

/* Give the storage back, to the pool or to malloc, wherever it came from. */
static void
release(struct buf *b, struct pool *p)
{
	if (b->size == BUF_BLOCK) {
		pool_give(p, b->data);
	} else if (b->data != NULL) {
		p->trimmed -= b->size;
		free(b->data);
	}
	*b = (struct buf){ 0 };
}

/* Change the storage for a full block that holds the same bytes. */
static bool
widen(struct buf *b, struct pool *p)
{
	size_t n = buf_len(b);
	uint8_t *block = pool_take(p);

	if (block == NULL)
		return false;
	if (n > 0)
		memcpy(block, buf_head(b), n);
	release(b, p);
	*b = (struct buf){ .data = block, .end = (uint32_t)n, .size = BUF_BLOCK };
	return true;
}

uint8_t *
buf_tail(struct buf *b, struct pool *p, size_t *room)
{
	*room = 0;
	if (b->size != BUF_BLOCK && !widen(b, p))
		return NULL;
	if (b->end == b->size && b->start > 0) {
		memmove(b->data, buf_head(b), buf_len(b));
		b->end -= b->start;
		b->start = 0;
	}
	*room = b->size - b->end;
	return *room > 0 ? b->data + b->end : NULL;
}

void
buf_added(struct buf *b, size_t n)
{
	MUST(n <= b->size - b->end);
	b->end += (uint32_t)n;
	/* A read that brought nothing leaves the block with nobody: buf_eat(b, p, 0) returns it. */
}

bool
buf_append(struct buf *b, struct pool *p, const void *bytes, size_t n)
{
	if (b->size != BUF_BLOCK && !widen(b, p))
		return false;
	if (n > b->size - b->end) {
		if (n > b->size - buf_len(b))
			return false;
		memmove(b->data, buf_head(b), buf_len(b));
		b->end -= b->start;
		b->start = 0;
	}
	memcpy(b->data + b->end, bytes, n);
	b->end += (uint32_t)n;
	return true;
}

void
buf_eat(struct buf *b, struct pool *p, size_t n)
{
	MUST(n <= buf_len(b));
	b->start += (uint32_t)n;
	if (b->start == b->end && b->data != NULL)
		release(b, p);
}

void
buf_settle(struct buf *b, struct pool *p)
{
	size_t n = buf_len(b);
	uint8_t *piece;

	if (b->size != BUF_BLOCK || p->out <= POOL_KEEP || (piece = malloc(n)) == NULL)
		return; /* without memory the block simply stays out */
	memcpy(piece, buf_head(b), n);
	release(b, p);
	p->trimmed += n;
	*b = (struct buf){ .data = piece, .end = (uint32_t)n, .size = (uint32_t)n };
}

void
buf_clear(struct buf *b, struct pool *p)
{
	release(b, p);
}
