/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/control.h -- the UNIX socket on which a running daemon answers its operator.
 *
 * A visitor sends one word and the end of a line, and gets an answer and the end of the connection:
 * see `words` in control.c.  Whoever may write to the socket's file may ask; that is its owner,
 * who started the daemon, and root.
 */
#ifndef GINNEL_APP_CONTROL_H
#define GINNEL_APP_CONTROL_H

#include "tunnel/crew.h"

struct control;

/* Listen at `path`, before the root directory and the user change.  NULL: logged. */
struct control *control_open(const char *path);
/* Answer, in the main thread.  `source`: the name of the configuration, for the answers. */
bool control_start(struct control *, struct loop *, struct crew *, const char *source) MUST_CHECK;
void control_reported(struct control *); /* the crew's ->reported; NULL is fine */
/* Before the crew is freed: its report may still be on its way.  NULL is fine. */
void control_stop(struct control *);
void control_free(struct control *); /* after; removes the file.  NULL is fine */

#endif
