/* SPDX-License-Identifier: Apache-2.0 */
/* config/vhost.h -- sections that serve clients of another section's port: sni = SERVICE:PATTERN,
 * alpn = SERVICE:NAMES. */
#ifndef GINNEL_CONFIG_VHOST_H
#define GINNEL_CONFIG_VHOST_H

#include "config/config.h"
#include "tunnel/plan.h"

/* The section of that name and its number, which services[] of a plan have, too.  NULL: none. */
const struct section *vhost_find(
    const struct config *, const char *name, size_t n, unsigned *number);
/* Check what `section`, services[number] of the plan, says about names, and attach it by them. */
void vhost_attach(
    struct config *, const struct section *, struct plan *, unsigned number, struct sink *);
/* Once all are attached: what can only be seen then. */
void vhost_check(struct config *, const struct plan *);

#endif
