/* SPDX-License-Identifier: Apache-2.0 */
/* net/sock.h -- sockets as the configuration wants them: socket = a|l|r:NAME=VALUE. */
#ifndef GINNEL_NET_SOCK_H
#define GINNEL_NET_SOCK_H

#include "base/option.h"
#include "net/addr.h"

#include <stddef.h>
#include <sys/types.h>

enum sock_side { SOCK_ACCEPT, SOCK_LOCAL, SOCK_REMOTE, SOCK_SIDES }; /* a: l: r: */

/* One setsockopt() to come.  Arrays of them lie in the configuration's arena. */
struct sockopt {
	const struct sockopt_kind *kind; /* the row of the table in sock.c */
	const void *value;
	socklen_t size;
};
struct sockopts {
	const struct sockopt *v;
	unsigned n;
};

/* The three lists of a service; filled by the option `socket`. */
struct sock_conf {
	struct sockopts side[SOCK_SIDES];
	/* l: again, as sock_split_inherited() parts it when a plan is made. */
	struct sockopts on_listener, on_accepted;
};
option_parse sock_parse_option; /* field: struct sock_conf */
/* The incumbent's defaults: a:SO_REUSEADDR, l:TCP_NODELAY, r:TCP_NODELAY.  False: no memory. */
bool sock_defaults(struct arena *, struct sock_conf *) MUST_CHECK;

/*
 * Set all of them; what this kind of socket does not know is passed over.  Returns the name of the
 * first that failed (errno set), or NULL.
 */
const char *sock_apply(int fd, const struct sockopts *);

/*
 * Linux hands an accepted socket nearly every option of its listener: each `inherited` row of the
 * table in sock.c was found so by getsockopt() on IPv4, IPv6 and IPv4-mapped sockets (TCP_NODELAY,
 * keep-alives, buffer sizes, linger, time-outs, TOS, TTL; also when set after listen()).  So the l:
 * options that `listener` gets can be set once, on a TCP listener behind sock_listen(), and only
 * those in `each`, mostly none, on every accepted socket.  False: no memory.
 */
bool sock_split_inherited(struct arena *, const struct sockopts *all, struct sockopts *listener,
    struct sockopts *each) MUST_CHECK;

/* A known option: its name, the kind of its value, and what sockets have unless told; "--":
 * nothing. */
struct sock_row {
	const char *name, *kind;
	const char *side[SOCK_SIDES]; /* by sock_defaults() */
	const char *system;
};
/* The table behind -sockets: calls `row` for each. */
void sock_each(void (*row)(void *arg, const struct sock_row *), void *arg);

/*
 * A non-blocking, close-on-exec listening socket; `uid`/`gid` own a UNIX socket's file (-1: leave).
 * -1 with errno set, nothing left behind.
 */
int sock_listen(const struct addr *, const struct sockopts *, uid_t, gid_t) MUST_CHECK;

/*
 * transparent = source: a non-blocking, close-on-exec socket that can be bound to an address of
 * another machine.  -1 with errno set: not without CAP_NET_ADMIN or CAP_NET_RAW.
 */
int sock_foreign(int family) MUST_CHECK;
bool sock_may_be_foreign(void); /* can this process have such sockets?  errno is set if not */

/* Who makes them for a process that may not. */
struct sock_maker {
	int (*foreign)(struct sock_maker *, int family);
};
/* From now on, wherever this process itself may not; before any thread.  NULL: nobody. */
void sock_use(struct sock_maker *);
/*
 * Bind to `local`: with its own port, if that is free and not privileged, otherwise with one that
 * is chosen together with the target.  False with errno set.
 */
bool sock_bind_source(int fd, const struct addr *local) MUST_CHECK;

/* Where the client of an accepted socket wanted to go before it was redirected.  False with errno.
 */
bool sock_original_destination(int fd, struct addr *out) MUST_CHECK;

/* Is that the address of our end? */
bool sock_is_named(int fd, const struct addr *);

/* Is that errno for want of a descriptor or memory here?  Then no peer is to blame. */
bool sock_lacked_means(int error);

/* shutdown-by-reset: the peer of a TCP socket will see RST when it is closed. */
void sock_reset_on_close(int fd);

#endif
