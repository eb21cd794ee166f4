/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/vpn_pool.h -- the addresses of a VPN: who has which, and which is next.
 *
 * Every address has a number in its network, by which all tables of a VPN are kept.  Number 0 is
 * the network itself, 1 the server, and the last one IPv4's broadcast address; the rest are lent.
 * One that came back is the last to be lent again, so that packets under way to who had it before
 * do not reach the next.  Any thread.
 */
#ifndef GINNEL_TUNNEL_VPN_POOL_H
#define GINNEL_TUNNEL_VPN_POOL_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VPN_POOL_PREFIX_MIN = 16, VPN_POOL_PREFIX_MAX = 30, VPN_POOL_SERVER = 1 };

struct vpn_pool;

struct vpn_pool *vpn_pool_new(uint32_t size) MUST_CHECK; /* NULL without memory */
void vpn_pool_free(struct vpn_pool *);			 /* NULL is fine */

/* Is it one that is ever lent?  Those of the network, the server and broadcast are not. */
bool vpn_pool_can_lend(const struct vpn_pool *, uint32_t number);
/*
 * Lend a free number; not one of which `is_reserved` says so.  0: there is none.
 */
uint32_t vpn_pool_take(struct vpn_pool *, bool (*is_reserved)(const void *owner, uint32_t number),
    const void *owner) MUST_CHECK;
/* Lend this one.  False: somebody has it, or it cannot be lent. */
bool vpn_pool_take_this(struct vpn_pool *, uint32_t number) MUST_CHECK;
void vpn_pool_give(struct vpn_pool *, uint32_t number);
uint32_t vpn_pool_lent(struct vpn_pool *); /* how many */

#endif
