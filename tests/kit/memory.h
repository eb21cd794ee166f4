/* SPDX-License-Identifier: Apache-2.0 */
/* tests/kit/memory.h -- files that are not on a disk, for whoever reads by a struct files. */
#ifndef GINNEL_TESTS_KIT_MEMORY_H
#define GINNEL_TESTS_KIT_MEMORY_H

#include "base/files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A copy of some bytes as a file that was read.  False: no memory. */
static inline bool
memory_file(struct file *out, const void *bytes, size_t n, mode_t mode)
{
	*out = (struct file){ .data = malloc(n + 1), .size = n, .mode = mode };
	if (out->data == NULL)
		return false;
	if (n > 0)
		memcpy(out->data, bytes, n);
	out->data[n] = '\0';
	return true;
}

/* The only file that there is, under every name. */
struct memory {
	struct files files; /* first: readers hold this */
	const void *bytes;
	size_t n;
	mode_t mode;
};

static inline bool
memory_read(struct files *files, const char *path, struct file *out)
{
	const struct memory *m = (const struct memory *)files;

	(void)path;
	return memory_file(out, m->bytes, m->n, m->mode);
}

static inline struct memory
memory_of(const void *bytes, size_t n)
{
	return (struct memory){
		.files.read = memory_read, .bytes = bytes, .n = n, .mode = S_IFREG | 0600
	};
}

#endif
