/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/memory.h -- a fuzzer's bytes as the one file that there is. */
#ifndef GINNEL_TESTS_FUZZ_MEMORY_H
#define GINNEL_TESTS_FUZZ_MEMORY_H

#include "base/files.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The only file there is. */
struct memory {
	struct files files; /* first: readers hold this */
	const uint8_t *data;
	size_t n;
};

static inline bool
memory_read(struct files *files, const char *path, struct file *out)
{
	const struct memory *m = (const struct memory *)files;

	(void)path;
	*out = (struct file){ .data = malloc(m->n + 1), .size = m->n, .mode = 0100600 };
	if (out->data == NULL)
		return false;
	if (m->n > 0)
		memcpy(out->data, m->data, m->n);
	out->data[m->n] = '\0';
	return true;
}

#endif
