/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/users.h -- who may log in: a file of names and hashes, and what is remembered of sources
 * that tried and failed.
 */
#ifndef GINNEL_TUNNEL_USERS_H
#define GINNEL_TUNNEL_USERS_H

#include "base/files.h"
#include "base/option.h"
#include "net/addr.h"

struct users;

/* Read `path`.  NULL: the sink has been told.  `strict`: others must not be able to read it. */
struct users *users_load(const char *path, bool strict, struct files *, struct sink *);
void users_free(struct users *); /* NULL is fine */

/*
 * The hash of that user's password; of an unknown one it is somebody's, so that to check it costs
 * the same.
 */
const char *users_hash(const struct users *, const char *name, bool *known);

/* Any thread; `now` is loop_now(). */
bool users_are_refused(struct users *, const struct addr *source, int64_t now);
/* It has failed again.  So many ms shall its answer wait. */
int users_delay(struct users *, const struct addr *source, int64_t now);

#endif
