/* SPDX-License-Identifier: Apache-2.0 */
/* app/process.h -- the process as the configuration wants it: daemon, pid file, user, root. */
#ifndef GINNEL_APP_PROCESS_H
#define GINNEL_APP_PROCESS_H

#include "base/log.h"
#include "base/option.h"
#include "tls/library.h"

enum foreground { FOREGROUND_NO, FOREGROUND_YES, FOREGROUND_QUIET };

struct process_conf {
	int workers;	/* threads; 0: one for each core */
	int foreground; /* enum foreground */
	const char *pid;
	const char *chroot;
	const char *control;	  /* where it can be asked; NULL: nowhere */
	int uid, gid;		  /* -1: leave */
	int shutdown_ms;	  /* how long SIGTERM waits for tunnels to end */
	int sandbox;		  /* enum sandbox */
	const char *name_servers; /* as resolver_use() takes them; NULL: resolv.conf's */
};

/* The record of the global part. */
struct globals {
	struct process_conf process;
	struct library_conf library;
	struct log_conf log;
};

/* Every global option; ends with a NULL title.  Record: struct globals. */
extern const struct option_set process_sets[];

/*
 * Go on as a daemon in a child; the parent waits until process_tell_parent() and exits with the
 * status that it is told (1 if the child dies before).  False with errno set.  Before any thread is
 * started.
 */
bool process_daemonise(void) MUST_CHECK;
/* The daemon stands (0) or failed: let the parent go; on success also leave terminal and directory.
 */
void process_tell_parent(int status);

/* Raise the limit of descriptors to the most that is allowed; returns it. */
unsigned process_raise_descriptors(void);
/* No core dump, no ptrace by others: the process holds private keys. */
void process_hide_memory(void);

/* chroot.  False: logged. */
bool process_enter_root(const struct process_conf *) MUST_CHECK;
/* setgid, setgroups, setuid for good, and no way back.  False: logged. */
bool process_drop_privileges(const struct process_conf *) MUST_CHECK;

/* A reload cannot change these: warn of each that the new configuration has otherwise. */
void process_warn_fixed(const struct process_conf *old, const struct process_conf *now);

#endif
