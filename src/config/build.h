/* SPDX-License-Identifier: Apache-2.0 */
/* config/build.h -- from a configuration that was read to a plan that workers can act on. */
#ifndef GINNEL_CONFIG_BUILD_H
#define GINNEL_CONFIG_BUILD_H

#include "config/config.h"
#include "tunnel/plan.h"

/*
 * Check every section, load every certificate, and make the plan (its listening sockets are not
 * opened yet).  All that is wrong is added to config->problems.  NULL: there are errors, and
 * `config` is still the caller's; otherwise the plan owns it.  `previous`: the plan in force, or
 * NULL.
 */
struct plan *config_build(struct config *, const struct plan *previous, struct files *);

#endif
