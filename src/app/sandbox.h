/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/sandbox.h -- what the serving process gives up beyond its user: new privileges, system calls,
 * files.
 *
 * Whether it does without being asked: only where nothing can be missed.  With the privileged
 * helper it has no business with files any more.  Without it a reload must be able to read whatever
 * the next configuration names, so that is for the operator to say (`sandbox = yes`).  Programs,
 * engines and providers may need anything, and inherit all of it, so with them it is, too.
 */
#ifndef GINNEL_APP_SANDBOX_H
#define GINNEL_APP_SANDBOX_H

#include "app/load.h"

enum sandbox { SANDBOX_UNSET, SANDBOX_YES, SANDBOX_NO };

/*
 * In the thread from which all others will be started, before the first of them.  Says in one line
 * what is in force.  False: `sandbox = yes`, and the system cannot; logged.
 */
bool sandbox_enter(const struct plan *, const struct globals *, bool helper) MUST_CHECK;
/* Can this plan be served from inside?  False: logged. */
bool sandbox_allows(const struct plan *);

#endif
