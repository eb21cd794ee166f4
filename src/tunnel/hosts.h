/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/hosts.h -- several services behind one port: who serves a client that asks for a name.
 *
 * Immutable once its plan is published.
 */
#ifndef GINNEL_TUNNEL_HOSTS_H
#define GINNEL_TUNNEL_HOSTS_H

#include "base/check.h"
#include "base/log.h"
#include "tls/hello.h"

#include <stdbool.h>

struct alpn;
struct service;
struct hosts; /* the patterns that lead away from one port's own service, in order */

struct hosts *hosts_new(void);	 /* NULL without memory */
void hosts_free(struct hosts *); /* NULL is fine */

/*
 * One more pattern: a name, or "*" and the end of names.  As in the incumbent, "*.a.com" is for
 * x.y.a.com and not for a.com, and "*b.com" also is for barb.com and b.com.  Letter case and a
 * final dot mean nothing.  False: no memory.
 */
bool hosts_add(struct hosts *, const char *pattern, struct service *) MUST_CHECK;

/*
 * Before its patterns: this service is only for clients that offer one of `names`.  It is asked
 * before those that take any; without a pattern it has all names.  False: no memory.
 */
bool hosts_narrow(struct hosts *, const struct alpn *names, struct service *) MUST_CHECK;

/* Whose pattern matches `name` first; NULL: nobody's.  Costs the same for few and for many. */
struct service *hosts_find(const struct hosts *, const char *name);
/* Who has all names of `pattern` already, so that it could never be taken; NULL: nobody. */
struct service *hosts_owner(const struct hosts *, const char *pattern);
/* Does some pattern lead to this service?  NULL has none. */
bool hosts_has(const struct hosts *, const struct service *);

/*
 * Who serves a client of the port of `service` that has said `hello`; NULL: nobody (sniUnmatched =
 * reject).  Logs the choice.
 */
struct service *hosts_choose(
    struct service *service, const struct hello *hello, const struct log_ctx *);

#endif
