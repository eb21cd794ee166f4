/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/priv.h -- what the serving process still can do through its helper, once it is nobody.
 *
 * See keeper.h.  Everything here is asked and answered at once, from the main thread or, for a
 * socket of transparent = source and where a plan ends with its last session, from a worker.
 */
#ifndef GINNEL_APP_PRIV_H
#define GINNEL_APP_PRIV_H

#include "app/keeper.h"
#include "app/load.h"
#include "base/files.h"
#include "tunnel/listener.h"

struct priv;

/* Does this process have something to give up that a reload will want? */
bool priv_is_needed(const struct process_conf *);

/*
 * Before the chroot: remember where the root and the beginning of relative paths are.  NULL with
 * errno set.
 */
struct priv *priv_new(void);
/* Start the helper, which keeps the privileges of now; before any thread.  False: logged. */
bool priv_start(struct priv *, const struct source *, const struct process_conf *,
    struct pid_file *) MUST_CHECK;

struct files *priv_files(struct priv *);       /* reads through the helper */
struct binder *priv_binder(struct priv *);     /* listens through it */
struct sock_maker *priv_maker(struct priv *);  /* sockets for transparent = source */
struct netlink_hand *priv_hand(struct priv *); /* network devices and routes */
int priv_socket(const struct priv *);	       /* readable when the helper has gone */
bool priv_is_gone(const struct priv *);
/* The helper reads the configuration, as a reload begins.  Faults are logged. */
void priv_read_again(struct priv *);
/* As pid_file_remove(), by the helper, which may. */
int priv_remove_pid_file(struct priv *);
/* The helper ends, and has ended.  NULL is fine. */
void priv_free(struct priv *);

#endif
