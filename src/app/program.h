/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/program.h -- the name under which the program was called.
 *
 * Called stunnel, by a link that a package may install, it has the incumbent's command line, first
 * lines, exit statuses and form of errors, so that scripts and supervisors notice nothing.
 */
#ifndef GINNEL_APP_PROGRAM_H
#define GINNEL_APP_PROGRAM_H

#include <stdbool.h>

void program_called(const char *name); /* argv[0]; once, first of all */
bool program_stands_in(void);	       /* under the incumbent's name? */
const char *program_name(void);
const char *program_configuration(void); /* the file that is read when none is named */
/* An exit status as the caller expects it: the incumbent has only 0 and 1. */
int program_status(int status);

#endif
