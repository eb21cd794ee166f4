/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/exec.h -- start a program whose standard input and output are one side of a tunnel.
 *
 * Starting takes place in a thread of a pool, as execve() reads the disk; the program's end is an
 * event of the worker's loop.  A program outlives its tunnel if it likes to: its end is logged, and
 * nothing is left behind of it.
 */
#ifndef GINNEL_NET_EXEC_H
#define GINNEL_NET_EXEC_H

#include "base/log.h"
#include "loop/offload.h"
#include "net/stream.h"

#include <stdbool.h>

/* What the configuration says. */
struct exec_conf {
	const char *path;	 /* NULL: no program */
	const char *const *argv; /* its own name first, NULL behind the last */
	bool pty;
};

/*
 * Once, as the process begins and before its limits are raised: what programs get as it was.
 * `keep_stderr`: their standard error is ours.
 */
void exec_prepare(void);
void exec_keep_stderr(bool);

/*
 * A copy of the environment for programs, without the names that tell of one client or are meant
 * for this process alone.  One block; free() it.  NULL without memory.  Main thread only, since
 * setEnv changes the environment there.
 */
char **exec_environment(void);

/* The programs of one worker. */
struct exec_host;
struct exec_host *exec_host_new(struct loop *, struct mailbox *, struct offload *, unsigned most);
void exec_host_free(struct exec_host *); /* programs that still run are nobody's; NULL is fine */

/* A start under way. */
struct exec_start;

/* `extra`: variables of this client, NULL behind the last; `environment`: see above.  Copies all.
 * NULL: logged. */
struct exec_start *exec_begin(struct exec_host *, const struct exec_conf *,
    const char *const *extra, char *const *environment, const struct log_ctx *, struct task *);
/* IO_OK: *fd is yours, non-blocking; IO_AGAIN: `task` will run; IO_FAILED: logged. */
enum io exec_step(struct exec_start *, int *fd) MUST_CHECK;
void exec_forget(struct exec_start *); /* done with it, or not interested any more; NULL is fine */

#endif
