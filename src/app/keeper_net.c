/* SPDX-License-Identifier: Apache-2.0 */
/* app/keeper_net.c -- what the privileged helper does for VPNs. */
#include "app/keeper_net.h"

#include "net/tun.h"
#include "proto/icmp6.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum { MTU_MOST = 65535 };

/* A device that was made here.  It goes with the last descriptor, which is the other side's. */
struct keeper_device {
	struct keeper_device *next;
	char name[IFNAMSIZ];
	unsigned index;
};

/* A route that was made here and does not go with a device. */
struct keeper_route {
	struct keeper_route *next;
	struct netlink_order order;
};

/* ---- is it well formed? ---- */

static unsigned
bits_of(int family)
{
	return family == AF_INET ? 32 : 128;
}

static bool
network_is_sound(const struct network *n)
{
	return (n->family == AF_INET || n->family == AF_INET6) && n->prefix <= bits_of(n->family);
}

bool
keeper_net_is_sound(const struct netlink_order *o)
{
	switch (o->what) {
	case NETLINK_UP:
		return o->device != 0 && o->mtu > 0 && o->mtu <= MTU_MOST;
	case NETLINK_ADD_ADDRESS:
		return o->device != 0 && network_is_sound(&o->to) &&
		       (o->peer.family == 0 ||
			   (network_is_sound(&o->peer) && o->peer.family == o->to.family));
	case NETLINK_ADD_ROUTE:
		return network_is_sound(&o->to) && o->hop.device != 0;
	case NETLINK_REMOVE_ROUTE: /* where it led through is known here */
		return network_is_sound(&o->to);
	}
	return false;
}

/* ---- what the configuration says ---- */

/* The `i`th VPN of both configurations; NULL: there are no more. */
static const struct vpn_conf *
vpn_at(const struct keeper_rights *r, unsigned i)
{
	const struct grants *both[] = { r->now, r->before };

	for (size_t k = 0; k < COUNT_OF(both); k++)
		for (unsigned j = 0; both[k] != NULL && grants_vpn(both[k], j) != NULL; j++)
			if (i-- == 0)
				return grants_vpn(both[k], j);
	return NULL;
}

static bool
same_network(const struct network *a, const struct network *b)
{
	return a->family == b->family && a->prefix == b->prefix &&
	       memcmp(a->bits, b->bits, bits_of(a->family) / 8) == 0;
}

static bool
names_route(const struct vpn_conf *conf, const struct network *to)
{
	/* In two halves. */
	if (conf->default_route && to->prefix == 1)
		return true;
	for (unsigned i = 0; i < conf->routes.n; i++)
		if (same_network(&conf->routes.v[i], to))
			return true;
	return false;
}

static struct addr
address_of(const struct network *n)
{
	struct addr a = { .sa.sa_family = (sa_family_t)n->family };

	if (n->family == AF_INET) {
		a.len = sizeof(a.in);
		memcpy(&a.in.sin_addr, n->bits, sizeof(a.in.sin_addr));
	} else {
		a.len = sizeof(a.in6);
		memcpy(&a.in6.sin6_addr, n->bits, sizeof(a.in6.sin6_addr));
	}
	return a;
}

/* Would vpnRoutes lead this address into the VPN? */
static bool
covers(const struct vpn_conf *conf, const struct addr *a)
{
	return conf->default_route || netset_holds(&conf->routes, a);
}

/* Is it an address of one, a link's own, or that of a server in its network? */
static bool
names_address(const struct vpn_conf *conf, const struct network *a)
{
	const struct network *pool = a->family == AF_INET ? &conf->pool : &conf->pool6;
	struct addr address = address_of(a);

	if (a->prefix == bits_of(a->family))
		return true;
	if (a->family == AF_INET6 && icmp6_is_link_local(a->bits))
		return true;
	return pool->family == a->family && a->prefix >= pool->prefix &&
	       network_holds(pool, &address);
}

typedef bool rule(const struct vpn_conf *, const void *);

static bool
rule_device(const struct vpn_conf *conf, const void *name)
{
	return strcmp(conf->device, name) == 0;
}

static bool
rule_mtu(const struct vpn_conf *conf, const void *order)
{
	return ((const struct netlink_order *)order)->mtu == (unsigned)conf->mtu;
}

static bool
rule_address(const struct vpn_conf *conf, const void *order)
{
	return names_address(conf, &((const struct netlink_order *)order)->to);
}

static bool
rule_route(const struct vpn_conf *conf, const void *order)
{
	return names_route(conf, &((const struct netlink_order *)order)->to);
}

static bool
rule_outside(const struct vpn_conf *conf, const void *order)
{
	struct addr to = address_of(&((const struct netlink_order *)order)->to);

	return covers(conf, &to);
}

static bool
rule_forward(const struct vpn_conf *conf, const void *family)
{
	return conf->setup && (*(const int *)family == AF_INET || conf->pool6.family != 0);
}

/* Does any VPN allow it? */
static bool
is_allowed(const struct keeper_rights *r, rule *allows, const void *what)
{
	const struct vpn_conf *conf;

	for (unsigned i = 0; (conf = vpn_at(r, i)) != NULL; i++)
		if (allows(conf, what))
			return true;
	return false;
}

/* ---- devices ---- */

/* What has gone is no device of ours any more, whoever has its name then. */
static void
forget_gone(struct keeper_net *k)
{
	struct keeper_device *d, *next;

	LL_FOREACH_SAFE (k->devices, d, next) {
		if (if_nametoindex(d->name) == d->index)
			continue;
		LL_DELETE(k->devices, d);
		free(d);
	}
}

static bool
is_ours(struct keeper_net *k, unsigned index)
{
	const struct keeper_device *d;

	forget_gone(k);
	LL_SEARCH_SCALAR(k->devices, d, index, index);
	return d != NULL;
}

static bool
has_name(struct keeper_net *k, const char *name)
{
	const struct keeper_device *d;

	forget_gone(k);
	LL_FOREACH (k->devices, d)
		if (strcmp(d->name, name) == 0)
			return true;
	return false;
}

int
keeper_net_device(struct keeper_net *k, const struct keeper_rights *r, const char *name,
    bool several, char full[IFNAMSIZ])
{
	bool known = has_name(k, name);
	struct keeper_device *d;
	int fd;

	errno = EPERM;
	if (strlen(name) >= IFNAMSIZ || (!known && !is_allowed(r, rule_device, name)))
		return -1;
	strncpy(full, name, IFNAMSIZ - 1);
	if ((fd = tun_open(full, several)) == -1 || known)
		return fd;
	if ((d = calloc(1, sizeof(*d))) == NULL) {
		close(fd);
		errno = ENOMEM;
		return -1;
	}
	memcpy(d->name, full, IFNAMSIZ);
	d->index = if_nametoindex(full);
	LL_PREPEND(k->devices, d);
	return fd;
}

/* ---- routes ---- */

static bool
refuse(void)
{
	errno = EPERM;
	return false;
}

/*
 * The way that packets to one address have now is kept, whatever leads into a VPN.  The kernel says
 * which way that is, and not the other side; but that one must have meant the same, or what was to
 * go into a device of ours that has gone meanwhile would be led around every VPN.
 */
static bool
keep_way(struct keeper_net *k, const struct keeper_rights *r, const struct netlink_order *o)
{
	struct netlink_order own = { .what = NETLINK_ADD_ROUTE, .to = o->to };
	struct addr to = address_of(&o->to);
	struct keeper_route *route;

	if (o->to.prefix != bits_of(o->to.family) || !is_allowed(r, rule_outside, o))
		return refuse();
	if (!netlink_find(&to, &own.hop))
		return false;
	if (is_ours(k, own.hop.device) || own.hop.device != o->hop.device)
		return refuse();
	if ((route = calloc(1, sizeof(*route))) == NULL)
		return false;
	route->order = own;
	if (netlink_do(&own)) {
		LL_PREPEND(k->routes, route);
		return true;
	}
	free(route);
	return false;
}

static bool
remove_way(struct keeper_net *k, const struct netlink_order *o)
{
	struct keeper_route *route;

	LL_FOREACH (k->routes, route)
		if (same_network(&route->order.to, &o->to))
			break;
	if (route == NULL)
		return refuse();
	LL_DELETE(k->routes, route);
	route->order.what = NETLINK_REMOVE_ROUTE;
	errno = netlink_do(&route->order) ? 0 : errno;
	free(route);
	return errno == 0;
}

/* The device that an order is about: that of a route is the one through which it leads. */
static unsigned
device_of(const struct netlink_order *o)
{
	bool is_route = o->what == NETLINK_ADD_ROUTE || o->what == NETLINK_REMOVE_ROUTE;

	return is_route ? o->hop.device : o->device;
}

bool
keeper_net_order(struct keeper_net *k, const struct keeper_rights *r, const struct netlink_order *o)
{
	bool ours = is_ours(k, device_of(o));

	switch (o->what) {
	case NETLINK_UP:
		return ours && is_allowed(r, rule_mtu, o) ? netlink_do(o) : refuse();
	case NETLINK_ADD_ADDRESS:
		return ours && is_allowed(r, rule_address, o) ? netlink_do(o) : refuse();
	case NETLINK_ADD_ROUTE:
		if (!ours)
			return keep_way(k, r, o);
		return !o->hop.has_gateway && is_allowed(r, rule_route, o) ? netlink_do(o)
									   : refuse();
	case NETLINK_REMOVE_ROUTE: /* one into a device of ours goes with it */
		return ours ? refuse() : remove_way(k, o);
	}
	return refuse();
}

char
keeper_net_forward(const struct keeper_rights *r, int family, char to)
{
	if (is_allowed(r, rule_forward, &family))
		return netlink_forward(family, to);
	errno = EPERM;
	return '\0';
}

void
keeper_net_undo(struct keeper_net *k)
{
	while (k->routes != NULL)
		(void)!remove_way(k, &k->routes->order);
}
