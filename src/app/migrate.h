/* SPDX-License-Identifier: Apache-2.0 */
/* app/migrate.h -- ginnel check --migrate: what becomes of a stunnel.conf, line by line. */
#ifndef GINNEL_APP_MIGRATE_H
#define GINNEL_APP_MIGRATE_H

#include "app/load.h"

/*
 * Tell on standard output, for each line, whether it works as before, works better, or should be
 * changed and why; or, with `print`, write the file with those changes made.  Nothing is served and
 * no file is touched.  Returns an exit status: EXIT_BAD_CONFIG if something stands in the way.
 */
int migrate(const struct source *, bool print);

#endif
