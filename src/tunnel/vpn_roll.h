/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/vpn_roll.h -- which users are in a VPN, and with how many sessions: vpnSessions.
 *
 * One roll belongs to a network and lives as long.  A mutex, taken when a session begins and ends.
 */
#ifndef GINNEL_TUNNEL_VPN_ROLL_H
#define GINNEL_TUNNEL_VPN_ROLL_H

#include "loop/loop.h"
#include "loop/mailbox.h"

#include <stdatomic.h>
#include <uthash.h>

struct vpn_net;
struct vpn_roll;
struct vpn_user_roll;

struct vpn_roll *vpn_roll_new(void) MUST_CHECK; /* NULL with errno */
void vpn_roll_free(struct vpn_roll *);		/* nobody is in it; NULL is fine */

/* One session's place.  Embedded in its owner, one thread's; zeroed: it has none. */
struct vpn_place {
	struct vpn_user_roll *user; /* NULL: no place */
	struct task *task;	    /* runs when another session has taken the place */
	struct mailbox *mailbox;    /* of its worker */
	uint64_t id;
	uint32_t number;   /* of its address; 0: none yet */
	_Atomic bool lost; /* to another session */
	struct vpn_place *prev, *next;
	UT_hash_handle hh;
};

/* What a session wants. */
struct vpn_claim {
	const char *user;
	unsigned most; /* sessions of a user; 0: any number */
	bool replace;  /* the oldest ones make room */
	struct task *task;
	struct mailbox *mailbox; /* whose receiver is the worker */
};

/* False: the user has as many as may be (errno 0), or there is no memory.  `net`: whose it is. */
bool vpn_roll_enter(struct vpn_roll *, struct vpn_place *, struct vpn_net *net,
    const struct vpn_claim *) MUST_CHECK;
/* This is the number of its address, or the one that it wants. */
void vpn_roll_number(struct vpn_roll *, struct vpn_place *, uint32_t);
/* Has another session of that user this number, or does it want it? */
bool vpn_roll_has(struct vpn_roll *, const struct vpn_place *, uint32_t number);
/* Let those go.  False: there is none. */
bool vpn_roll_expel(
    struct vpn_roll *, const struct vpn_place *, struct vpn_net *net, uint32_t number) MUST_CHECK;
bool vpn_roll_is_lost(const struct vpn_place *);	    /* cheap; its owner's */
void vpn_roll_leave(struct vpn_roll *, struct vpn_place *); /* no place is fine */

#endif
