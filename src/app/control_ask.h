/* SPDX-License-Identifier: Apache-2.0 */
/* app/control_ask.h -- ask a running daemon, and print what it says. */
#ifndef GINNEL_APP_CONTROL_ASK_H
#define GINNEL_APP_CONTROL_ASK_H

/*
 * Ask the daemon at the socket `path`, or the one whose configuration `path` is, with a word of
 * control.c.  Returns an exit status; what is wrong is said on standard error.
 */
int control_ask(const char *path, const char *word);

#endif
