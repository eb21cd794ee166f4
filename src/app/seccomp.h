/* SPDX-License-Identifier: Apache-2.0 */
/* app/seccomp.h -- the system calls that the serving process may make. */
#ifndef GINNEL_APP_SECCOMP_H
#define GINNEL_APP_SECCOMP_H

#include <stdbool.h>

/*
 * From now on, for this thread and all that it starts, only the calls of the list; every other one
 * fails with ENOSYS.  `programs`: and those that start programs.  0, or an errno; ENOSYS: built
 * without libseccomp, or the kernel has no filters.
 */
int seccomp_enter(bool programs);

#endif
