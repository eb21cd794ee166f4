/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/listener.h -- a listening socket; it is opened once and survives reloads. */
#ifndef GINNEL_TUNNEL_LISTENER_H
#define GINNEL_TUNNEL_LISTENER_H

#include "net/addr.h"
#include "tunnel/service.h"

#include <stdatomic.h>

struct listener {
	unsigned magic;
	_Atomic unsigned refs; /* plans that have it */
	int fd;		       /* -1: closed */
	struct addr wanted;    /* as configured; the port may be 0 */
	struct addr bound;     /* as it is */
	char *service;	       /* whose it was first: two services may both ask for port 0 */
	unsigned given;	       /* activation.h's number of it, from 1; 0: it is our own */
	ino_t inode;	       /* of a UNIX socket's file: only this one is removed at the end */
};

/*
 * Who opens sockets and removes their files for a process that may not.  `inode`: of a UNIX
 * socket's file, 0 for others.
 */
struct binder {
	/* A socket as sock_listen() makes it; -1 with errno set. */
	int (*listen)(
	    struct binder *, const struct addr *, const struct service_conf *, ino_t *inode);
	void (*remove)(struct binder *, const struct addr *, ino_t inode);
};
/* From now on, and for all that listens already; before any thread.  NULL: the process itself. */
void listener_use(struct binder *);

/* Bind and listen; logged either way.  NULL: failed. */
struct listener *listener_open(const struct addr *wanted, const struct service_conf *);
/* The same for socket number `i` of activation.h. */
struct listener *listener_take(unsigned i, const struct service_conf *);
/* Set the l: options that accepted sockets have from their listener (a reload may bring new ones).
 */
void listener_configure(const struct listener *, const struct service_conf *);
struct listener *listener_hold(struct listener *);
void listener_release(struct listener *); /* the last one closes */
void listener_close(struct listener *);	  /* now; removes a UNIX socket's file; twice is fine */

/* Can a reload keep this socket for `service`, which asks for `wanted`? */
bool listener_serves(const struct listener *, const struct addr *wanted, const char *service);

/* Does a connection to `addr` on this machine arrive here? */
bool listener_answers(const struct listener *, const struct addr *addr);

#endif
