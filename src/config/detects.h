/* SPDX-License-Identifier: Apache-2.0 */
/* config/detects.h -- sections that serve clients of another section's port by what they begin
 * with: detect = SERVICE:KINDS. */
#ifndef GINNEL_CONFIG_DETECTS_H
#define GINNEL_CONFIG_DETECTS_H

#include "config/config.h"
#include "tunnel/plan.h"

/* Check what `section`, services[number] of the plan, says in detect, and attach it by that. */
void detects_attach(
    struct config *, const struct section *, struct plan *, unsigned number, struct sink *);
/* Once all are attached: what can only be seen then. */
void detects_check(struct config *, const struct plan *);

/*
 * The section that opens the TLS of a section's clients: itself, or the one inside of whose TLS
 * they come; of several one that verifies nobody, if there is such.  NULL: they come without TLS.
 */
const struct service_conf *detects_opener(const struct config *, const struct service_conf *);

#endif
