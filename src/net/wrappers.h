/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/wrappers.h -- ask hosts.allow and hosts.deny (libwrap = yes).
 *
 * The library waits for the name service, keeps its state in globals, and does what the files say:
 * it can start a shell, become another user, or replace its process (hosts_options(5), twist).  So
 * it is asked in a process of its own, which forks for each question, was started before root
 * directory and user changed, and does not have our memory.
 */
#ifndef GINNEL_NET_WRAPPERS_H
#define GINNEL_NET_WRAPPERS_H

#include "net/addr.h"
#include "net/stream.h"

/* How the program calls itself for that process: "ginnel -libwrap". */
#define WRAPPERS_COMMAND "-libwrap"

bool wrappers_are_built_in(void);
/* Start the process; in the main thread before any other, and once.  False: logged. */
bool wrappers_start(void) MUST_CHECK;
bool wrappers_run(void); /* has it been started? */
void wrappers_stop(void);
/* That process itself; the socket is its standard input.  Returns the exit status. */
int wrappers_serve(void);

/* A question under way; zeroed with watch.fd -1 before and after. */
struct wrappers_question {
	struct watch watch;
};
/* May `peer`, accepted on `fd`, use the service `name`?  False with errno set: it was not asked. */
bool wrappers_ask(struct wrappers_question *, struct loop *, struct task *, const char *name,
    int fd, const struct addr *peer) MUST_CHECK;
/* IO_OK: it may; IO_AGAIN; IO_FAILED: it may not, or nobody answers any more. */
enum io wrappers_answer(struct wrappers_question *) MUST_CHECK;
void wrappers_forget(struct wrappers_question *, struct loop *);

#endif
