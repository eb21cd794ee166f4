/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/rd.h -- a reader of network bytes whose error sticks: read every field, then ask once.
 *
 * Numbers are big-endian.  After a read past the end, `bad` is set and every further read gives 0.
 */
#ifndef GINNEL_BASE_RD_H
#define GINNEL_BASE_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rd {
	const uint8_t *p, *end;
	bool bad; /* some read went past the end */
};

/* No bytes may also be NULL. */
static inline struct rd
rd_of(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	return (struct rd){ p, n > 0 ? p + n : p, false };
}

static inline size_t
rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

/* `n` bytes, or NULL and bad. */
static inline const uint8_t *
rd_bytes(struct rd *r, size_t n)
{
	if (r->bad || n > (size_t)(r->end - r->p)) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return r->p - n;
}

static inline uint32_t
rd_uint(struct rd *r, size_t bytes)
{
	const uint8_t *p = rd_bytes(r, bytes);
	uint32_t v = 0;

	if (p == NULL)
		return 0;
	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static inline uint8_t
rd_u8(struct rd *r)
{
	return (uint8_t)rd_uint(r, 1);
}

static inline uint16_t
rd_u16(struct rd *r)
{
	return (uint16_t)rd_uint(r, 2);
}

static inline uint32_t
rd_u24(struct rd *r)
{
	return rd_uint(r, 3);
}

/* The block behind a length of `bytes` bytes, as a reader that cannot leave it. */
static inline struct rd
rd_block(struct rd *r, size_t bytes)
{
	size_t n = rd_uint(r, bytes);
	const uint8_t *p = rd_bytes(r, n);

	if (p == NULL)
		return (struct rd){ r->end, r->end, true };
	return rd_of(p, n);
}

#endif
