/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_conf.h -- what the configuration says about a VPN: the options vpn*. */
#ifndef GINNEL_TUNNEL_VPN_CONF_H
#define GINNEL_TUNNEL_VPN_CONF_H

#include "net/netset.h"
#include "ppp/auth.h"

#include <net/if.h>

enum {
	VPN_DNS_MAX = 2,
	VPN_MTU_MIN6 = 1280, /* IPv6 needs as much: RFC 8200 5 */
};

struct vpn_methods {
	enum ppp_method v[PPP_METHODS];
	size_t n; /* 0: not set */
};

struct vpn_servers {
	struct in_addr v[VPN_DNS_MAX];
	struct in6_addr v6[VPN_DNS_MAX];
	unsigned n, n6;
};

struct vpn_conf {
	const char *device; /* a name of at most IFNAMSIZ - 1 bytes, with or without a %d */
	int mtu;
	int timeout_ms, keepalive_ms;
	struct vpn_methods methods;
	bool setup;
	const char *up, *down; /* programs; NULL: none */
	/* server */
	const char *users_path;
	const char *ca_file;			 /* of users' certificates, for PPP_EAP_TLS */
	const char *radius, *radius_secret_path; /* NULL: only users_path */
	const char *accounting;			 /* NULL: nobody is told */
	int idle_limit, session_limit;		 /* seconds; 0: none */
	int sessions;				 /* of a user; 0: any number */
	bool replace;				 /* ... and the newest one wins */
	struct network pool, pool6;		 /* .family 0: not set */
	struct vpn_servers dns;
	bool peers; /* may clients reach one another? */
	struct netset client_routes;
	/* client */
	const char *username, *password, *password_path;
	bool default_route;
	struct netset routes;
};

extern const struct option vpn_options[];

bool vpn_conf_has(const struct vpn_conf *, enum ppp_method); /* is it in vpnAuth? */

/* Does all of it fit together for a service with `protocol = sstp`?  Complaints go to the sink. */
void vpn_check(const struct vpn_conf *, bool client, struct sink *);
/* ... and for one without. */
void vpn_check_unused(const struct vpn_conf *, struct sink *);

#endif
