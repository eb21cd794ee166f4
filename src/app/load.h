/* SPDX-License-Identifier: Apache-2.0 */
/* app/load.h -- a configuration from a file or a descriptor, built and its problems told. */
#ifndef GINNEL_APP_LOAD_H
#define GINNEL_APP_LOAD_H

#include "app/process.h"
#include "config/config.h"
#include "tunnel/plan.h"

/* Where a configuration comes from. */
struct source {
	const char *path; /* as given; the descriptor's number for -fd */
	char *text;	  /* what was read from the descriptor; NULL: read the file each time */
};

/* Everything that can be read from descriptor `fd`, for source->text.  NULL with errno set. */
char *load_descriptor(int fd);

struct loaded {
	struct config *config; /* the plan's, if there is one */
	struct plan *plan;     /* NULL: there are errors */
	const struct globals *globals;
	unsigned warnings;
};

/*
 * Read and build.  Every problem is logged (or, with `print`, given to it).  `previous`: the plan
 * in force. Without a plan, loaded->config is for the caller to free.
 */
struct loaded load(const struct source *, const struct plan *previous, struct files *,
    void (*print)(const struct problem *));

#endif
