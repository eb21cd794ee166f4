/* SPDX-License-Identifier: Apache-2.0 */
/* bench/pattern.c -- bytes that are a function of their position in the stream. */
#include "pattern.h"

#include <string.h>

/*
 * The period is a prime near 64 KiB.  Tunnels work in buffers of round sizes, so a buffer lost,
 * sent twice or swapped with its neighbour moves the pattern by something that is no multiple of
 * it.
 */
enum { PERIOD = 65521 };

static uint8_t table[PERIOD + PATTERN_RUN];

void
pattern_init(void)
{
	uint64_t x = 0x9e3779b97f4a7c15; /* xorshift64, any start but zero */

	for (size_t i = 0; i < PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		table[i] = (uint8_t)(x >> 32);
	}
	for (size_t i = PERIOD; i < sizeof(table); i++)
		table[i] = table[i - PERIOD];
}

const uint8_t *
pattern_at(uint64_t pos)
{
	return table + pos % PERIOD;
}

bool
pattern_is(uint64_t pos, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t run; n > 0; p += run, pos += run, n -= run) {
		run = n < PATTERN_RUN ? n : PATTERN_RUN;
		if (memcmp(pattern_at(pos), p, run) != 0)
			return false;
	}
	return true;
}
