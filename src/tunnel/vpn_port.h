/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/vpn_port.h -- a worker's end of a network device: packets out of it, by the batch, to
 * those whose they are.
 *
 * A packet is read to where its SSTP and PPP headers can be put before it; packets for one guest
 * that come one after the other stay together, and their memory goes to the guest as it is.
 */
#ifndef GINNEL_TUNNEL_VPN_PORT_H
#define GINNEL_TUNNEL_VPN_PORT_H

#include "base/buf.h"
#include "loop/loop.h"
#include "tunnel/vpn_ip.h"

enum { VPN_HEADERS = 8 }; /* of SSTP and PPP, before each packet */

/* Whoever packets are for.  Embedded in its owner; one thread's. */
struct vpn_guest {
	bool open[PPP_FAMILIES]; /* may packets of that family pass? */
	unsigned mru;		 /* of the largest one */
	uint64_t packets, bytes; /* for it, less what was dropped */
	uint64_t too_large, dropped;
	/* Whole packets of SSTP; takes what it wants and leaves the buf empty. */
	void (*take)(struct vpn_guest *, struct buf *);
	void (*lost)(struct vpn_guest *); /* the device has gone */
};

struct vpn_port_events {
	/* Whose is it?  NULL: nobody's here; the packet may have been copied. */
	struct vpn_guest *(*find)(void *owner, const struct vpn_ip *, uint8_t *packet, size_t n);
	void (*rest)(void *owner);	      /* nothing more now; may be NULL */
	void (*lost)(void *owner, int error); /* the device has gone */
};

struct vpn_port {
	struct watch watch; /* .fd -1: not open */
	struct task task;
	struct loop *loop;
	struct pool *pool;
	unsigned mtu;
	const struct vpn_port_events *events;
	void *owner;
	struct buf batch;
	struct vpn_guest *to;  /* whose the batch is */
	int64_t errors_second; /* and how many errors of ICMP there were in it */
	unsigned errors;
	uint64_t unknown, dropped;
};

/* `fd` stays the caller's.  False with errno. */
bool vpn_port_open(struct vpn_port *, struct loop *, struct pool *, int fd, unsigned mtu,
    const struct vpn_port_events *, void *owner) MUST_CHECK;
void vpn_port_close(struct vpn_port *);

/* A packet into the network.  What the device does not take is dropped and counted. */
void vpn_port_write(struct vpn_port *, const uint8_t *packet, size_t n);

/* Give a packet to a guest, with VPN_HEADERS bytes before it. */
void vpn_port_give(struct vpn_port *, struct vpn_guest *, enum ppp_family, uint8_t *at, size_t n);
/* ... and let go of what was kept together for it. */
void vpn_port_flush(struct vpn_port *);
/* A guest leaves. */
void vpn_port_forget(struct vpn_port *, const struct vpn_guest *);

#endif
