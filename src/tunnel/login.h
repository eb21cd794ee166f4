/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/login.h -- is this a user, and its password?  Hashing takes its time, in another thread.
 */
#ifndef GINNEL_TUNNEL_LOGIN_H
#define GINNEL_TUNNEL_LOGIN_H

#include "net/stream.h"
#include "proto/proto.h"
#include "tunnel/users.h"
#include "tunnel/worker.h"

struct login;

/* NULL without memory. */
struct login *login_new(struct worker *, struct users *, const struct addr *source,
    const struct proto_login *, struct task *);
/* IO_OK: *state is LOGIN_GOOD, LOGIN_BAD or LOGIN_BUSY; IO_AGAIN. */
enum io login_step(struct login *, enum proto_login_state *state) MUST_CHECK;
void login_free(struct login *); /* NULL is fine */

#endif
