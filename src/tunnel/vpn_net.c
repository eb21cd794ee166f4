/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_net.c -- a server's VPN: one network device, its addresses, and who has which. */
#include "tunnel/vpn_net.h"

#include "net/netlink.h"
#include "net/tun.h"
#include "proto/sstp_packet.h"
#include "tunnel/vpn_forward.h"
#include "tunnel/vpn_roll.h"
#include "tunnel/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum {
	VPN_NET_MAGIC = 0x6b0d93f4,
	PARCEL = 32 * 1024,
	PARCELS_MAX = 64, /* on their way to one worker; what comes on top is dropped */
};

/* Packets on their way to another worker: each with its length and number before it. */
struct parcel {
	struct message message;
	struct vpn_net *net;
	size_t used;
	uint8_t bytes[PARCEL];
};

struct parcel_head {
	uint32_t number, ticket; /* whose it was when it came */
	uint16_t size;
	uint16_t family;
};

/* One worker's. */
struct branch {
	struct vpn_net *net;
	struct worker *worker;
	int queue; /* of the device */
	struct vpn_port port;
	unsigned guests;
	struct vpn_guest **guest; /* by number; made with the first one */
	struct parcel **parcel;	  /* that is being filled, for each worker */
	_Atomic unsigned coming;  /* parcels on their way here */
};

struct vpn_net {
	unsigned magic;
	_Atomic unsigned refs;
	char *service;
	char device[IFNAMSIZ];
	struct network pool, pool6;
	unsigned mtu;
	bool peers;
	bool forwards[PPP_FAMILIES]; /* it has asked the kernel to forward packets */
	uint32_t base, size;
	uint64_t base6; /* the first /64 of ->pool6; each number has one */
	struct vpn_pool *numbers;
	struct vpn_roll *roll;
	_Atomic uint32_t *home; /* by number: see ticket_of() */
	unsigned branch_count;
	struct branch *branch;
};

/* ---- addresses ---- */

const char *
vpn_net_device(const struct vpn_net *v)
{
	return v->device;
}

struct vpn_pool *
vpn_net_pool(const struct vpn_net *v)
{
	return v->numbers;
}

struct vpn_roll *
vpn_net_roll(const struct vpn_net *v)
{
	return v->roll;
}

static uint32_t
number_of(const struct vpn_net *v, uint32_t address)
{
	return address - v->base < v->size ? address - v->base : 0;
}

uint32_t
vpn_net_number(const struct vpn_net *v, struct in_addr a)
{
	return number_of(v, ntohl(a.s_addr));
}

struct in_addr
vpn_net_address(const struct vpn_net *v, uint32_t number)
{
	return (struct in_addr){ htonl(v->base + number) };
}

static uint64_t
load_prefix(const uint8_t *at)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | at[i];
	return v;
}

bool
vpn_net_prefix6(const struct vpn_net *v, uint32_t number, uint8_t out[8])
{
	uint64_t prefix = v->base6 + number;

	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(prefix >> (56 - 8 * i));
	return v->pool6.family != 0;
}

/* The number that an address stands for; 0: it is none of this network's. */
static uint32_t
number_at(const struct vpn_net *v, enum ppp_family family, const uint8_t *address)
{
	uint64_t offset;
	uint32_t n;

	if (family == PPP_IPV4) {
		memcpy(&n, address, sizeof(n));
		return number_of(v, ntohl(n));
	}
	offset = load_prefix(address) - v->base6;
	return v->pool6.family != 0 && offset < v->size ? (uint32_t)offset : 0;
}

uint32_t
vpn_net_number6(const struct vpn_net *v, const struct network *n)
{
	return n->family == AF_INET6 && n->prefix == 64 ? number_at(v, PPP_IPV6, n->bits) : 0;
}

/*
 * Whose a number is at the moment: the worker's number and 1 (0: nobody's), and above these 16 bits
 * how often it has been lent.  So what was meant for one guest does not reach the next.
 */
static uint32_t
ticket_of(const struct vpn_net *v, uint32_t number)
{
	return atomic_load_explicit(&v->home[number], memory_order_relaxed);
}

static unsigned
worker_of(uint32_t ticket)
{
	return ticket & 0xffff;
}

/* ---- packets between workers ---- */

static void
take_parcel(struct message *m, void *receiver)
{
	struct parcel *parcel = (struct parcel *)m;
	struct vpn_net *v = parcel->net;
	const struct worker *w = receiver;
	struct branch *b = &v->branch[w->number];
	uint8_t at[SSTP_PACKET_MAX];

	for (size_t i = 0; i < parcel->used && b->guests > 0;) {
		struct parcel_head head;

		memcpy(&head, parcel->bytes + i, sizeof(head));
		i += sizeof(head);
		if (b->guest[head.number] != NULL && ticket_of(v, head.number) == head.ticket) {
			memcpy(at + VPN_HEADERS, parcel->bytes + i, head.size);
			vpn_port_give(&b->port, b->guest[head.number], (enum ppp_family)head.family,
			    at, head.size);
		}
		i += head.size;
	}
	if (b->guests > 0)
		vpn_port_flush(&b->port);
	atomic_fetch_sub_explicit(&b->coming, 1, memory_order_relaxed);
	free(parcel);
	vpn_net_release(v);
}

static void
post_parcel(struct branch *b, unsigned to)
{
	struct parcel *parcel = b->parcel[to];

	b->parcel[to] = NULL;
	if (parcel == NULL)
		return;
	parcel->message.take = take_parcel;
	parcel->net = vpn_net_hold(b->net);
	mailbox_post(b->worker->common->workers[to]->mailbox, &parcel->message);
}

static struct parcel *
parcel_for(struct branch *b, unsigned to, size_t more)
{
	struct parcel *parcel = b->parcel[to];

	if (parcel != NULL && sizeof(parcel->bytes) - parcel->used >= more)
		return parcel;
	post_parcel(b, to);
	if (atomic_fetch_add_explicit(&b->net->branch[to].coming, 1, memory_order_relaxed) <
		PARCELS_MAX &&
	    (parcel = malloc(sizeof(*parcel))) != NULL) {
		parcel->used = 0;
		b->parcel[to] = parcel;
		return parcel;
	}
	atomic_fetch_sub_explicit(&b->net->branch[to].coming, 1, memory_order_relaxed);
	return NULL;
}

static void
pass_on(struct branch *b, uint32_t number, uint32_t ticket, enum ppp_family family,
    const uint8_t *packet, size_t n)
{
	struct parcel_head head = { number, ticket, (uint16_t)n, (uint16_t)family };
	struct parcel *parcel = parcel_for(b, worker_of(ticket) - 1, sizeof(head) + n);

	if (parcel == NULL) {
		b->port.dropped++;
		return;
	}
	memcpy(parcel->bytes + parcel->used, &head, sizeof(head));
	memcpy(parcel->bytes + parcel->used + sizeof(head), packet, n);
	parcel->used += sizeof(head) + n;
}

/* ---- a worker's port ---- */

static struct vpn_guest *
find_guest(void *branch, const struct vpn_ip *ip, uint8_t *packet, size_t n)
{
	struct branch *b = branch;
	uint32_t number = number_at(b->net, ip->family, ip->to);
	uint32_t ticket;

	if (number == 0)
		return NULL;
	if (b->guest[number] != NULL)
		return b->guest[number];
	ticket = ticket_of(b->net, number);
	if (worker_of(ticket) != 0 && worker_of(ticket) - 1 != b->worker->number)
		pass_on(b, number, ticket, ip->family, packet, n);
	return NULL;
}

static void
post_all(void *branch)
{
	struct branch *b = branch;

	for (unsigned i = 0; i < b->net->branch_count; i++)
		post_parcel(b, i);
}

/* The device was removed: no call can go on. */
static void
lose_all(void *branch, int error)
{
	struct branch *b = branch;

	post_all(b);
	log_err(&log_main, "Service [%s]: the network device %s has gone: %s (%d)", b->net->service,
	    b->net->device, strerror(error), error);
	for (uint32_t i = 0; i < b->net->size; i++)
		if (b->guest[i] != NULL)
			b->guest[i]->lost(b->guest[i]);
}

static const struct vpn_port_events branch_events = { find_guest, post_all, lose_all };

/* The first guest of this worker comes. */
static bool
wake(struct branch *b, struct worker *w)
{
	struct vpn_net *v = b->net;

	if (b->guest == NULL)
		b->guest = calloc(v->size, sizeof(struct vpn_guest *));
	if (b->parcel == NULL)
		b->parcel = calloc(v->branch_count, sizeof(struct parcel *));
	b->worker = w;
	if (b->guest != NULL && b->parcel != NULL && tun_use(b->queue, true)) {
		if (vpn_port_open(&b->port, w->loop, w->pool, b->queue, v->mtu, &branch_events, b))
			return true;
		(void)!tun_use(b->queue, false);
	}
	log_err(&log_main, "Service [%s]: cannot use the network device %s: %s (%d)", v->service,
	    v->device, strerror(errno), errno);
	return false;
}

/* The last one has left. */
static void
rest(struct branch *b)
{
	if (b->port.watch.fd != -1) {
		post_all(b);
		vpn_port_close(&b->port);
	}
	(void)!tun_use(b->queue, false); /* fails if the device has gone */
}

bool
vpn_net_join(struct vpn_net *v, struct worker *w, uint32_t number, struct vpn_guest *guest)
{
	struct branch *b = &v->branch[w->number];

	MUST(number > VPN_POOL_SERVER && number < v->size && w->number < v->branch_count);
	if (b->guests == 0 && !wake(b, w))
		return false;
	MUST(b->guest[number] == NULL);
	b->guest[number] = guest;
	b->guests++;
	atomic_store_explicit(&v->home[number],
	    ((ticket_of(v, number) >> 16) + 1) << 16 | (w->number + 1), memory_order_relaxed);
	return true;
}

void
vpn_net_leave(struct vpn_net *v, struct worker *w, uint32_t number)
{
	struct branch *b = &v->branch[w->number];

	MUST(b->guest[number] != NULL);
	vpn_port_forget(&b->port, b->guest[number]);
	atomic_store_explicit(
	    &v->home[number], ticket_of(v, number) & ~UINT32_C(0xffff), memory_order_relaxed);
	b->guest[number] = NULL;
	if (--b->guests == 0)
		rest(b);
}

enum vpn_pass
vpn_net_write(struct vpn_net *v, struct worker *w, uint32_t number, uint8_t *packet, size_t n)
{
	struct branch *b = &v->branch[w->number];
	uint32_t to;
	struct vpn_ip ip;

	if (!vpn_ip_read(packet, n, &ip))
		return VPN_MALFORMED;
	if (number_at(v, ip.family, ip.from) != number)
		return ip.family == PPP_IPV6 && vpn_ip_is_of_link(ip.from) ? VPN_OF_LINK
									   : VPN_FOREIGN;
	if (ip.family == PPP_IPV6 && vpn_ip_is_of_link(ip.to))
		return VPN_OF_LINK;
	to = number_at(v, ip.family, ip.to);
	if (to > VPN_POOL_SERVER && !v->peers)
		return VPN_TO_PEER;
	vpn_ip_clamp(packet, n, v->mtu);
	vpn_port_write(&b->port, packet, n);
	return VPN_PASSED;
}

/* ---- forwarding ---- */

static bool
begin_forwarding(struct vpn_net *v)
{
	for (enum ppp_family i = 0; i < PPP_FAMILIES; i++) {
		if (i == PPP_IPV6 && v->pool6.family == 0)
			continue;
		if (!vpn_forward_begin(i))
			return false;
		v->forwards[i] = true;
	}
	return true;
}

static void
end_forwarding(struct vpn_net *v)
{
	for (enum ppp_family i = 0; i < PPP_FAMILIES; i++)
		if (v->forwards[i] && !vpn_forward_end(i))
			log_warn(&log_main, "Service [%s]: cannot set %s back to 0: %s (%d)",
			    v->service, vpn_forward_file(i), strerror(errno), errno);
}

/* ---- the device ---- */

static bool
set_up_device(struct vpn_net *v)
{
	unsigned device = if_nametoindex(v->device);
	struct in_addr own = vpn_net_address(v, VPN_POOL_SERVER);
	struct network a = v->pool;

	memcpy(a.bits, &own, sizeof(own));
	if (device == 0 || !netlink_up(device, v->mtu) || !netlink_add_address(device, &a, NULL))
		return false;
	a = v->pool6;
	if (!vpn_net_prefix6(v, VPN_POOL_SERVER, a.bits))
		return true;
	a.bits[15] = 1;
	return netlink_add_address(device, &a, NULL);
}

static bool
open_queues(struct vpn_net *v)
{
	for (unsigned i = 0; i < v->branch_count; i++)
		if ((v->branch[i].queue = tun_open(v->device, true)) == -1)
			return false;
	/* A device without a queue in use is down to the kernel's eyes, so addresses come first. */
	if (!set_up_device(v))
		return false;
	for (unsigned i = 0; i < v->branch_count; i++)
		if (!tun_use(v->branch[i].queue, false))
			return false;
	return true;
}

static void
net_free(struct vpn_net *v)
{
	end_forwarding(v);
	for (unsigned i = 0; v->branch != NULL && i < v->branch_count; i++) {
		struct branch *b = &v->branch[i];

		MUST(b->guests == 0);
		if (b->queue != -1)
			close(b->queue);
		free(b->guest);
		free(b->parcel);
	}
	free(v->branch);
	free(v->home);
	vpn_pool_free(v->numbers);
	vpn_roll_free(v->roll);
	free(v->service);
	OBJ_FREE(v);
}

static bool
allocate(struct vpn_net *v, const char *service, unsigned workers)
{
	v->branch_count = workers;
	v->service = strdup(service);
	v->numbers = vpn_pool_new(v->size);
	v->roll = vpn_roll_new();
	v->home = calloc(v->size, sizeof(*v->home));
	v->branch = calloc(workers, sizeof(*v->branch));
	for (unsigned i = 0; v->branch != NULL && i < workers; i++) {
		v->branch[i].net = v;
		v->branch[i].queue = v->branch[i].port.watch.fd = -1;
	}
	return v->service != NULL && v->numbers != NULL && v->roll != NULL && v->home != NULL &&
	       v->branch != NULL;
}

struct vpn_net *
vpn_net_open(const char *service, const struct vpn_conf *conf, unsigned workers)
{
	struct vpn_net *v;
	uint32_t base;

	if (OBJ_NEW(v, VPN_NET_MAGIC) == NULL)
		goto failed;
	v->refs = 1;
	v->pool = conf->pool;
	v->pool6 = conf->pool6;
	v->base6 = load_prefix(conf->pool6.bits);
	v->mtu = (unsigned)conf->mtu;
	v->peers = conf->peers;
	memcpy(&base, conf->pool.bits, sizeof(base));
	v->base = ntohl(base);
	v->size = UINT32_C(1) << (32 - conf->pool.prefix);
	strncpy(v->device, conf->device, IFNAMSIZ - 1);
	if (allocate(v, service, workers) && open_queues(v) &&
	    (!conf->setup || begin_forwarding(v))) {
		log_notice(&log_main, "Service [%s]: network device %s, %u queue(s)", service,
		    v->device, workers);
		return v;
	}
failed:
	log_err(&log_main, "Service [%s]: cannot make the network device %s: %s (%d)", service,
	    conf->device, strerror(errno), errno);
	if (v != NULL)
		net_free(v);
	return NULL;
}

bool
vpn_net_serves(const struct vpn_net *v, const char *service, const struct vpn_conf *conf)
{
	return strcmp(v->service, service) == 0 &&
	       memcmp(&v->pool, &conf->pool, sizeof(v->pool)) == 0 &&
	       memcmp(&v->pool6, &conf->pool6, sizeof(v->pool6)) == 0 &&
	       v->mtu == (unsigned)conf->mtu && v->peers == conf->peers &&
	       v->forwards[PPP_IPV4] == conf->setup;
}

struct vpn_net *
vpn_net_hold(struct vpn_net *v)
{
	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void
vpn_net_release(struct vpn_net *v)
{
	if (v == NULL)
		return;
	CHECK_OBJ(v, VPN_NET_MAGIC);
	if (atomic_fetch_sub(&v->refs, 1) == 1)
		net_free(v);
}
