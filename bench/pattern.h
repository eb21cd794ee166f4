/* SPDX-License-Identifier: Apache-2.0 */
/* bench/pattern.h -- bytes that are a function of their position in the stream. */
#ifndef GINNEL_BENCH_PATTERN_H
#define GINNEL_BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PATTERN_RUN = 64 * 1024, /* what pattern_at() promises behind its pointer */
};

/* Once, before the others; the same table in every process. */
void pattern_init(void);

/* The bytes at `pos`: PATTERN_RUN of them are there to be sent as they are. */
const uint8_t *pattern_at(uint64_t pos);

/* Whether these `n` bytes are the ones that belong at `pos`. */
bool pattern_is(uint64_t pos, const void *bytes, size_t n);

#endif
