/* SPDX-License-Identifier: Apache-2.0 */
/* app/check.h -- ginnel check: parse, load and verify everything, without serving. */
#ifndef GINNEL_APP_CHECK_H
#define GINNEL_APP_CHECK_H

#include "app/load.h"

/* Problems go to stderr, the verdict to stdout.  Returns the exit status. */
int check(const struct source *);

#endif
