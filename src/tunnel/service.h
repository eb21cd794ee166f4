/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/service.h -- what the configuration says about one [service]. */
#ifndef GINNEL_TUNNEL_SERVICE_H
#define GINNEL_TUNNEL_SERVICE_H

#include "base/log.h"
#include "base/option.h"
#include "net/addr.h"
#include "net/exec.h"
#include "net/sock.h"
#include "proto/proto.h"
#include "tls/conf.h"
#include "tunnel/backend.h"
#include "tunnel/front_conf.h"
#include "tunnel/hops.h"
#include "tunnel/limit_conf.h"
#include "tunnel/rules.h"
#include "tunnel/vpn_conf.h"

enum tri { TRI_UNSET, TRI_NO, TRI_YES };
enum failover { FAILOVER_PRIO, FAILOVER_RR };
enum unmatched { UNMATCHED_PRIMARY, UNMATCHED_REJECT };
enum transparent { /* bits */
	TRANSPARENT_NONE = 0,
	TRANSPARENT_SOURCE = 1,
	TRANSPARENT_DESTINATION = 2,
	TRANSPARENT_BOTH = 3,
};

struct service_conf {
	const char *name; /* the section's, or what `service =` made of it */
	struct targets accept, connect;
	struct exec_conf exec;
	bool libwrap;
	const char *ident; /* the user that it must be; NULL: anyone */
	int retry_ms;	   /* exec and connect: until the next run; -1: there is none */
	bool client;
	bool passthrough;	     /* TLS is looked at, and never opened */
	int accept_tls, connect_tls; /* enum tri; unset: as `client` says */
	struct targets redirect;     /* of clients that may not pass; near.redirect is then set */
	int sni_unmatched;	     /* enum unmatched */
	int failover;
	bool delay;
	int eyeballs;		  /* enum tri; unset: where clients name their target */
	const struct addr *local; /* NULL: any */
	int transparent;	  /* enum transparent */
	bool reset;
	bool strict_close;
	int log_level;
	int log_id;
	int uid, gid;				    /* of UNIX accept sockets; -1: leave */
	int busy_ms, close_ms, connect_ms, idle_ms; /* TIMEOUT* */
	long stack;				    /* asked for; nothing obeys it */
	struct sock_conf sock;
	struct proto_conf proto;
	bool inner_sni;	    /* TLS in the tunnel must be with the host that was asked for */
	int total_ms;	    /* 0: as long as it likes */
	struct rules rules; /* whom a client may reach that names its target */
	struct hops hops;   /* the proxies on the way to connect */
	const struct service_conf *via; /* the service for the last of them; NULL: there is none */
	bool hop;			/* this is such a service, and in no file */
	struct backend_conf backend;
	struct limit_conf limits;
	struct front_conf front;
	struct vpn_conf vpn;
	struct tls_conf near, far; /* the accepted and the connected side */
};

/* All of a section, tables of tls/ and net/ included; ends with a NULL title.  Record: struct
 * service_conf. */
extern const struct option_set service_sets[];

/* A record with no option set yet, before the defaults of the tables.  False: no memory. */
bool service_init(struct arena *, struct service_conf *) MUST_CHECK;

/* No clients come in: the program of exec, or a network, is the near side, connect the far one. */
bool service_starts_itself(const struct service_conf *);
/* protocol = sstp: what is not TLS is a network. */
bool service_is_network(const struct service_conf *);
bool service_accepts_tls(const struct service_conf *);
/* Do its clients begin with TLS, which ends here or behind us? */
bool service_sees_tls(const struct service_conf *);
bool service_connects_tls(const struct service_conf *);

#endif
