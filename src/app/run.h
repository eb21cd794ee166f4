/* SPDX-License-Identifier: Apache-2.0 */
/* app/run.h -- serve a configuration until told to stop. */
#ifndef GINNEL_APP_RUN_H
#define GINNEL_APP_RUN_H

#include "app/load.h"

/* Returns the exit status. */
int run(const struct source *);

#endif
