/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/vpn_radius.h -- a VPN's server asks RADIUS who somebody is: vpnRadius.
 *
 * A call has an asker, and that one question at a time, each on a socket of its own: a port that
 * nobody can guess, and no number that two questions could share.  The socket wakes the call's
 * task.
 */
#ifndef GINNEL_TUNNEL_VPN_RADIUS_H
#define GINNEL_TUNNEL_VPN_RADIUS_H

#include "base/files.h"
#include "base/log.h"
#include "base/option.h"
#include "loop/loop.h"
#include "proto/radius.h"

/* Where it is, and what is shared with it.  Any thread. */
struct vpn_radius;

/*
 * `server` is HOST:PORT, the value of `option`, looked up now; the file's first line is the secret,
 * and others must not be able to read it.  `name`: what we call ourselves.  Faults go to the sink;
 * NULL: there was one.
 */
struct vpn_radius *vpn_radius_new(const char *option, const char *server, const char *secret_path,
    const char *name, struct files *, struct sink *) MUST_CHECK;
struct vpn_radius *vpn_radius_hold(struct vpn_radius *);
void vpn_radius_free(struct vpn_radius *); /* the last one wipes it; NULL is fine */

const char *vpn_radius_secret(const struct vpn_radius *);
const char *vpn_radius_name(const struct vpn_radius *);
const char *vpn_radius_server(const struct vpn_radius *); /* its address, for messages */
/* An answer of it is not signed with the secret: that is logged, once in a while. */
void vpn_radius_mistrust(struct vpn_radius *, const struct log_ctx *, int64_t now_ms);
/*
 * A socket of UDP, watched.  It is connected, so that only the server's packets come, and that its
 * absence is told.  -1 with errno.
 */
int vpn_radius_socket(const struct vpn_radius *, struct loop *, struct watch *) MUST_CHECK;

/* ---- one call's questions ---- */

struct vpn_asker;

/* Texts in the facts are copied; its NAS-Identifier is set here.  NULL: no memory. */
struct vpn_asker *vpn_radius_asker(const struct vpn_radius *, struct loop *, struct task *,
    const struct log_ctx *, const struct radius_facts *) MUST_CHECK;
void vpn_radius_asker_free(struct vpn_asker *); /* NULL is fine */

/* False: it cannot be asked; logged. */
bool vpn_radius_ask(struct vpn_asker *, const struct ppp_question *, int64_t now_ms) MUST_CHECK;

/* VPN_RADIUS_IDLE: nothing is asked, or the answer is not there yet. */
enum vpn_radius_news { VPN_RADIUS_IDLE, VPN_RADIUS_ANSWER, VPN_RADIUS_SILENT };
/* When the task runs.  With VPN_RADIUS_ANSWER, ->verdict is the answer to question *number. */
enum vpn_radius_news vpn_radius_run(
    struct vpn_asker *, int64_t now_ms, struct radius_answer *, unsigned *number) MUST_CHECK;
int64_t vpn_radius_deadline(const struct vpn_asker *); /* INT64_MAX: none */

#endif
