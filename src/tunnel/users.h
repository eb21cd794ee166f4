/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/users.h -- who may log in: a file of names and hashes, and what is remembered of sources
 * that tried and failed.
 */
#ifndef GINNEL_TUNNEL_USERS_H
#define GINNEL_TUNNEL_USERS_H

#include "base/files.h"
#include "base/option.h"
#include "tunnel/failures.h"

struct users;

/* Read `path`.  NULL: the sink has been told.  `strict`: others must not be able to read it. */
struct users *users_load(const char *path, bool strict, struct files *, struct sink *);
void users_free(struct users *); /* NULL is fine */

/*
 * The hash of that user's password; of an unknown one it is somebody's, always the same, so that to
 * check it costs as much as to check a known one, whatever the hashes of the file cost.
 */
const char *users_hash(const struct users *, const char *name, bool *known);

/* What is known of sources that failed to log in; the users' own. */
struct failures *users_failures(const struct users *);

#endif
