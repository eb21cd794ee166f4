/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn.h -- the VPN of a service: what its calls have in common. */
#ifndef GINNEL_TUNNEL_VPN_H
#define GINNEL_TUNNEL_VPN_H

#include "base/files.h"
#include "ppp/ppp.h"
#include "proto/sstp.h"
#include "tls/context.h"
#include "tunnel/failures.h"
#include "tunnel/vpn_conf.h"
#include "tunnel/vpn_net.h"
#include "tunnel/vpn_radius.h"
#include "tunnel/vpn_users.h"

/* Immutable once its plan is published, but for ->net, which is set as doors are opened. */
struct vpn {
	unsigned magic;
	const char *service;
	const struct vpn_conf *conf;
	bool client;
	struct sstp_conf sstp;
	struct ppp_conf ppp;
	struct vpn_users *users;       /* server; NULL: none */
	struct vpn_radius *radius;     /* ... for those who are none of them; NULL: nobody else */
	struct vpn_radius *accounting; /* who is told of sessions; NULL: nobody */
	struct failures *failures;     /* of logins */
	struct vpn_net *net;
	char *password; /* client; wiped */
	struct tls_conf eap_conf;
	struct tls_context *eap; /* of EAP-TLS; NULL: no such method */
};

/*
 * Reads what the options name.  `tls`: of the service's side that the call comes by.  Faults go to
 * the sink; NULL: there was one.
 */
struct vpn *vpn_new(const char *service, const struct vpn_conf *, const struct tls_conf *tls,
    bool client, struct files *, struct sink *) MUST_CHECK;
void vpn_free(struct vpn *); /* NULL is fine */

/* A server's network: that of `previous` (NULL: none) if it will do, or a new one.  False: logged.
 */
bool vpn_open(struct vpn *, const struct vpn *previous, unsigned workers) MUST_CHECK;

#endif
