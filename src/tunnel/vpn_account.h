/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/vpn_account.h -- RADIUS is told of a VPN's sessions (RFC 2866): vpnAccounting.
 *
 * An account is one session's: Start when it is made, Interim-Update from time to time, Stop at its
 * end.  No session ever waits for it.  What nobody confirms is told again, ever more rarely, and
 * the Stop also when the session has long gone; a newer record takes the place of an older one, as
 * it says all that that one would have.
 */
#ifndef GINNEL_TUNNEL_VPN_ACCOUNT_H
#define GINNEL_TUNNEL_VPN_ACCOUNT_H

#include "base/log.h"
#include "loop/loop.h"
#include "proto/radius.h"

struct vpn_account;
struct vpn_accounts; /* a worker's */
struct vpn_radius;

struct vpn_accounts *vpn_accounts_new(struct loop *) MUST_CHECK; /* NULL with errno */
void vpn_accounts_free(struct vpn_accounts *); /* what is not confirmed is lost; NULL is fine */

/* Of a session so far. */
struct vpn_usage {
	uint64_t in_bytes, out_bytes, in_packets, out_packets; /* in: from the user */
};

struct vpn_account_facts {
	struct radius_facts radius; /* who tells of whom */
	const char *user;
	struct in_addr address;
	const uint8_t *prefix6;		 /* the 8 bytes of its /64; NULL: none */
	const struct radius_blob *class; /* NULL: none */
	uint32_t interim;		 /* seconds between two Interim-Updates; 0: none */
	void (*read)(const void *owner, struct vpn_usage *);
	const void *owner; /* must be there until vpn_account_end() */
};

/* All else is copied; its NAS-Identifier is set here.  NULL: no memory; logged. */
struct vpn_account *vpn_account_begin(struct vpn_accounts *, struct vpn_radius *,
    const struct vpn_account_facts *, const struct log_ctx *) MUST_CHECK;
/* The session is over; the account goes by itself.  NULL is fine. */
void vpn_account_end(struct vpn_account *, enum radius_cause);

#endif
