/* SPDX-License-Identifier: Apache-2.0 */
/* app/explain.h -- one option, or one end of a tunnel, in the words of the manual. */
#ifndef GINNEL_APP_EXPLAIN_H
#define GINNEL_APP_EXPLAIN_H

#include <stdbool.h>
#include <stdio.h>

/* False: nothing is called so; then it says what comes near, to standard error. */
bool explain(const char *word, FILE *to);

#endif
