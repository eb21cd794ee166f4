/* SPDX-License-Identifier: Apache-2.0 */
/* net/ident.h -- ask a client's machine who owns the connection (RFC 1413). */
#ifndef GINNEL_NET_IDENT_H
#define GINNEL_NET_IDENT_H

#include "net/stream.h"

struct ident;

/*
 * About the connection from `peer` to our `local`; the answer must come within `timeout_ms`.  NULL
 * without memory.
 */
struct ident *ident_new(struct loop *, struct pool *, const struct log_ctx *, struct task *,
    const struct addr *peer, const struct addr *local, int timeout_ms);
/* IO_OK: there is a user; IO_AGAIN; IO_FAILED: there is not, for whatever reason; logged. */
enum io ident_step(struct ident *) MUST_CHECK;
const char *ident_user(const struct ident *); /* after IO_OK; bytes from outside */
void ident_free(struct ident *);	      /* NULL is fine */

/* The user in an answer without its line end, in place; NULL: it names none. */
const char *ident_parse(char *line);

#endif
