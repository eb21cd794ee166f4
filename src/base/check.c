/* SPDX-License-Identifier: Apache-2.0 */
/* base/check.c -- the last words of a process that met the impossible. */
#include "base/check.h"

#include <stdio.h>

void
must_failed(const char *what, const char *file, int line, const char *func)
{
	fprintf(stderr, "INTERNAL ERROR: %s:%d: %s(): \"%s\" does not hold; please report this\n",
	    file, line, func, what);
	abort();
}
