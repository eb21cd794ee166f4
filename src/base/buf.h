/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/buf.h -- bytes in flight, in storage that is borrowed only while there are any.
 *
 * A worker has one pool of equal blocks.  A buf takes a block with its first byte and gives it back
 * with its last one, so an idle tunnel owns none.  When many blocks are out at once, a buf that
 * must wait is moved into a piece of memory of just its size: slow readers then cost what they
 * hold.
 *
 * One thread: the pool's worker.
 */
#ifndef GINNEL_BASE_BUF_H
#define GINNEL_BASE_BUF_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/*
	 * With what TLS adds to it, two segments on the loopback device, where most backends are:
	 * twice 65,536 bytes less 72 of IPv6, TCP and its timestamps, less up to 8 x 29 of records.
	 * A segment of a few bytes more each time costs CPU time (10 % per byte behind one whole
	 * segment), smaller blocks cost more system calls, larger ones gain nothing.
	 */
	BUF_PAYLOAD = 128 * 1024 - 384,
	/* Eight records, each at most 16 KiB + 256 + 5 by RFC 8446 5.2. */
	BUF_BLOCK = 8 * (16 * 1024 + 261),
	POOL_KEEP = 8, /* free blocks that a pool keeps, and blocks out before bufs are trimmed */
};

struct pool;

struct pool *pool_new(void);	       /* NULL without memory */
void pool_free(struct pool *);	       /* every buf must be empty */
size_t pool_held(const struct pool *); /* bytes of storage that bufs hold now */

/* Zero-initialised is an empty buf.  Embed it; look, but change it only through the functions. */
struct buf {
	uint8_t *data; /* storage, or NULL */
	uint32_t start, end, size;
};

static inline size_t
buf_len(const struct buf *b)
{
	return b->end - b->start;
}

/* The bytes; NULL may stand for none. */
static inline const uint8_t *
buf_head(const struct buf *b)
{
	return b->data != NULL ? b->data + b->start : NULL;
}

/* Storage for at least one more byte.  Returns where to write and *room; NULL if full or no memory.
 */
uint8_t *buf_tail(struct buf *, struct pool *, size_t *room) MUST_CHECK;
void buf_added(struct buf *, size_t n); /* n bytes were written at the tail */
bool buf_append(
    struct buf *, struct pool *, const void *, size_t n) MUST_CHECK; /* all or nothing */
void buf_eat(struct buf *, struct pool *, size_t n); /* n bytes at the head are done with */
/* The turn ends and bytes stay: change a scarce block for memory of the right size. */
void buf_settle(struct buf *, struct pool *);
void buf_clear(struct buf *, struct pool *);

#endif
