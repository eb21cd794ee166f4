/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/vpn_link.h -- what a call changes on this machine: a device with its routes, and programs.
 *
 * All of it is done, and undone, in a thread of the pool, as it may take its time.  What was done
 * is undone whatever happens to the call; a device and its routes go even with a killed process.
 */
#ifndef GINNEL_TUNNEL_VPN_LINK_H
#define GINNEL_TUNNEL_VPN_LINK_H

#include "net/stream.h"
#include "ppp/ppp.h"
#include "tunnel/vpn_conf.h"

struct vpn_link;
struct worker;

struct vpn_link_facts {
	const struct vpn_conf *conf;
	const char *service, *user;
	const char *device; /* server: that of its network; NULL: the link makes one */
	struct in_addr local, peer, dns[PPP_DNS];  /* 0.0.0.0: none */
	struct in6_addr local6, dns6[VPN_DNS_MAX]; /* ::, none */
	const char *peer6;			   /* server: the client's network; "": none */
	const struct addr *outside; /* who is called; its packets must not go into the VPN */
};

/* Copies all.  `task` runs when it is done.  NULL: logged. */
struct vpn_link *vpn_link_begin(const struct vpn_link_facts *, struct worker *,
    const struct log_ctx *, struct task *) MUST_CHECK;
/* IO_OK: it stands; IO_AGAIN; IO_FAILED: logged. */
enum io vpn_link_step(struct vpn_link *) MUST_CHECK;
int vpn_link_queue(const struct vpn_link *);	      /* of its device */
const char *vpn_link_device(const struct vpn_link *); /* its name */
void vpn_link_end(struct vpn_link *);		      /* undo it; NULL is fine */

#endif
