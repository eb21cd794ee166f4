/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/kin.h -- tunnels beside a tunnel, to which its protocol invites the client: the data of
 * ftp.
 *
 * The first tunnel is the elder.  It waits for one client at a time, which must come from where its
 * own client came from; who has come is a sibling, a session of its own with the same service, and
 * may outlive the elder.  All in one worker.
 */
#ifndef GINNEL_TUNNEL_KIN_H
#define GINNEL_TUNNEL_KIN_H

#include "net/dial.h"
#include "tls/resume.h"

struct kin; /* what an elder and its siblings share; reference-counted */
struct session;
struct sibling; /* what makes a session one */

/* `elder` is connected to `server`.  NULL without memory. */
struct kin *kin_new(struct session *elder, const struct addr *server);
/* The elder is over: nobody else is waited for, and who has come goes on.  NULL is fine. */
void kin_part(struct kin *);

/* As struct proto_beside has it: the owner is the kin. */
bool kin_invite(void *kin, uint16_t port, bool tls, struct addr *at);

/* The sessions of TLS with the target, under this address. */
struct resume_cache *kin_sessions(const struct kin *);
const struct addr *kin_server(const struct kin *);

const struct kin *sibling_kin(const struct sibling *);
const struct dial_plan *sibling_dial_plan(const struct sibling *);
/* Does it have TLS where its service has?  NULL, which is no sibling, does. */
bool sibling_has_tls(const struct sibling *);
void sibling_free(struct sibling *); /* NULL is fine */

#endif
