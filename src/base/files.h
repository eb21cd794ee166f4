/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/files.h -- every file that a configuration names is read through here.
 *
 * One seam for three needs: tests and fuzzers keep files in memory; relative names mean the
 * directory in which the program was started, also after it changed to "/"; and a privileged parent
 * can do the reading for a process that may not.
 */
#ifndef GINNEL_BASE_FILES_H
#define GINNEL_BASE_FILES_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A file's bytes and what fstat() said of the descriptor they came from. */
struct file {
	char *data; /* NUL behind the last byte, not counted in size */
	size_t size;
	mode_t mode;
	uid_t uid;
};

struct files {
	/* Fill `out`; on failure return false with errno set and nothing to free. */
	bool (*read)(struct files *, const char *path, struct file *out);
	/* The names in a directory, sorted by bytes, NULL-terminated; NULL with errno set. */
	char **(*list)(struct files *, const char *path);
};

/* The file system.  Relative paths are taken from the directory at the time of the call. */
struct files *files_system_new(void);
void files_system_free(struct files *);

/* Largest file that is read: no certificate, key or configuration is longer. */
enum { FILE_MAX_SIZE = 64 << 20 };

/*
 * What ->read and ->list give, from an open descriptor, which is closed.  It may be -1 from a
 * failed open, whose errno then stays.
 */
bool files_read_descriptor(int fd, struct file *out);
char **files_list_descriptor(int fd);

void file_done(struct file *); /* wipes and frees the bytes (they may be a key) */
void files_list_free(char **names);

#endif
