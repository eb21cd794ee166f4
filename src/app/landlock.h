/* SPDX-License-Identifier: Apache-2.0 */
/* app/landlock.h -- the part of the file system that the serving process may touch. */
#ifndef GINNEL_APP_LANDLOCK_H
#define GINNEL_APP_LANDLOCK_H

#include <stdbool.h>

enum {
	LANDLOCK_READ = 1,
	LANDLOCK_WRITE = 2, /* make, write and remove files and sockets */
	LANDLOCK_RUN = 4,
};

/* What may be done with everything under `path`; one that does not exist is passed over. */
struct landlock_place {
	const char *path;
	unsigned may;
};

/* The version of Landlock that the kernel has; 0: none. */
int landlock_version(void);
/* From now on, for this thread and all that it starts: these places only.  0, or an errno. */
int landlock_enter(const struct landlock_place *, unsigned n);

#endif
