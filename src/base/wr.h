/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/wr.h -- a writer of network bytes whose error sticks: the counterpart of base/rd.h.
 *
 * Numbers are big-endian.  What does not fit is not written, not even in part, and sets `bad`.
 */
#ifndef GINNEL_BASE_WR_H
#define GINNEL_BASE_WR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wr {
	uint8_t *start, *p, *end;
	bool bad; /* something did not fit */
};

static inline struct wr
wr_of(void *room, size_t n)
{
	return (struct wr){ room, room, (uint8_t *)room + n, false };
}

static inline size_t
wr_size(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

static inline size_t
wr_room(const struct wr *w)
{
	return w->bad ? 0 : (size_t)(w->end - w->p);
}

static inline void
wr_bytes(struct wr *w, const void *bytes, size_t n)
{
	if (w->bad || n > (size_t)(w->end - w->p)) {
		w->bad = true;
		return;
	}
	if (n > 0)
		memcpy(w->p, bytes, n);
	w->p += n;
}

static inline void
wr_uint(struct wr *w, uint32_t v, size_t bytes)
{
	uint8_t big[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	wr_bytes(w, big + 4 - bytes, bytes);
}

static inline void
wr_u8(struct wr *w, uint32_t v)
{
	wr_uint(w, v, 1);
}

static inline void
wr_u16(struct wr *w, uint32_t v)
{
	wr_uint(w, v, 2);
}

static inline void
wr_u32(struct wr *w, uint32_t v)
{
	wr_uint(w, v, 4);
}

/* Two bytes that were written at `at`, once the length that they hold is known. */
static inline void
wr_patch_u16(struct wr *w, size_t at, size_t v)
{
	if (w->bad || at + 2 > wr_size(w)) {
		w->bad = true;
		return;
	}
	w->start[at] = (uint8_t)(v >> 8);
	w->start[at + 1] = (uint8_t)v;
}

#endif
