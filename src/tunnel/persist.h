/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/persist.h -- clients that come back are led to the target of their last visit. */
#ifndef GINNEL_TUNNEL_PERSIST_H
#define GINNEL_TUNNEL_PERSIST_H

#include "tunnel/homes.h"
#include "tunnel/life.h"

/* Has it been here before, and may come from a target to which it should go back? */
bool persist_leads_back(const struct session *);
/*
 * A client that resumes its session goes back to the target of its last visit, if that is still
 * one of its plan.  True: *first and *home.
 */
bool persist_find(struct session *, unsigned *first, struct home *) MUST_CHECK;
/* ... and for its next visit. */
void persist_note(struct session *, const struct home *);

#endif
