/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_port.c -- a worker's end of a network device. */
#include "tunnel/vpn_port.h"

#include "proto/sstp_packet.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	PACKETS_MAX = 128, /* in one turn, before others have theirs */
	PACKET_MAX = SSTP_PACKET_MAX,
	ERRORS_MAX = 100, /* of ICMP in a second */
};

void
vpn_port_flush(struct vpn_port *p)
{
	if (buf_len(&p->batch) > 0)
		p->to->take(p->to, &p->batch);
	buf_clear(&p->batch, p->pool);
	p->to = NULL;
}

void
vpn_port_forget(struct vpn_port *p, const struct vpn_guest *guest)
{
	if (p->to != guest)
		return;
	buf_clear(&p->batch, p->pool);
	p->to = NULL;
}

void
vpn_port_write(struct vpn_port *p, const uint8_t *packet, size_t n)
{
	ssize_t written;

	if (p->watch.fd == -1) {
		p->dropped++;
		return;
	}
	do
		written = write(p->watch.fd, packet, n);
	while (written == -1 && errno == EINTR);
	if (written == -1)
		p->dropped++;
}

/* Tell who sent it how large packets may be; not more often than a path is looked for. */
static void
refuse_large(struct vpn_port *p, const struct vpn_guest *guest, const uint8_t *packet, size_t n)
{
	uint8_t error[VPN_IP_ERROR_MAX];
	int64_t second = loop_now(p->loop) / 1000;
	size_t size;

	if (second != p->errors_second)
		p->errors = 0;
	p->errors_second = second;
	if (p->errors++ < ERRORS_MAX && (size = vpn_ip_too_big(packet, n, guest->mru, error)) > 0)
		vpn_port_write(p, error, size);
}

static bool
may_pass(struct vpn_port *p, struct vpn_guest *guest, enum ppp_family family, const uint8_t *packet,
    size_t n)
{
	if (!guest->open[family]) {
		guest->dropped++;
		return false;
	}
	if (n > guest->mru) {
		guest->too_large++;
		refuse_large(p, guest, packet, n);
		return false;
	}
	return true;
}

/* The headers of a packet of `n` bytes, which stands behind them. */
static void
put_headers(uint8_t *at, enum ppp_family family, size_t n)
{
	sstp_packet_data_header(PPP_HEADER + n, at);
	ppp_put_header(at + SSTP_HEADER, family);
}

static void
count(struct vpn_guest *guest, size_t n)
{
	guest->packets++;
	guest->bytes += n;
}

void
vpn_port_give(
    struct vpn_port *p, struct vpn_guest *guest, enum ppp_family family, uint8_t *at, size_t n)
{
	uint8_t copy[VPN_HEADERS + PACKET_MAX];
	bool in_place = p->batch.data != NULL && at == p->batch.data + p->batch.end;

	if (!may_pass(p, guest, family, at + VPN_HEADERS, n))
		return;
	vpn_ip_clamp(at + VPN_HEADERS, n, guest->mru < p->mtu ? guest->mru : p->mtu);
	put_headers(at, family, n);
	if (in_place && (p->to == guest || p->to == NULL)) {
		p->to = guest;
		buf_added(&p->batch, VPN_HEADERS + n);
		count(guest, n);
		return;
	}
	memcpy(copy, at, VPN_HEADERS + n); /* the batch takes its memory with it */
	vpn_port_flush(p);
	if (!buf_append(&p->batch, p->pool, copy, VPN_HEADERS + n)) {
		guest->dropped++;
		return;
	}
	p->to = guest;
	count(guest, n);
}

/* Room for a packet behind the batch; what is full goes first.  NULL: no memory. */
static uint8_t *
room_for_one(struct vpn_port *p)
{
	size_t room;
	uint8_t *tail = buf_tail(&p->batch, p->pool, &room);

	if (tail != NULL && room >= VPN_HEADERS + PACKET_MAX)
		return tail;
	if (p->to == NULL)
		return NULL;
	vpn_port_flush(p);
	return buf_tail(&p->batch, p->pool, &room);
}

/* The device has gone: nothing will come any more. */
static void
lose(struct vpn_port *p, int error)
{
	struct vpn_port_events events = *p->events;

	vpn_port_close(p);
	events.lost(p->owner, error);
}

/* One packet.  False: there is none, for now or for ever. */
static bool
read_one(struct vpn_port *p)
{
	uint8_t *at = room_for_one(p);
	struct vpn_guest *guest;
	struct vpn_ip ip;
	ssize_t n;

	if (at == NULL)
		return false;
	n = read(p->watch.fd, at + VPN_HEADERS, PACKET_MAX - VPN_HEADERS);
	if (n == -1 && errno == EINTR)
		return true;
	/* EIO: the interface is down, and may come up again. */
	if (n == -1 && errno != EAGAIN && errno != EIO)
		lose(p, errno);
	if (n == -1)
		return false;
	if (!vpn_ip_read(at + VPN_HEADERS, (size_t)n, &ip) ||
	    (guest = p->events->find(p->owner, &ip, at + VPN_HEADERS, (size_t)n)) == NULL) {
		p->unknown++;
		return true;
	}
	vpn_port_give(p, guest, ip.family, at, (size_t)n);
	return true;
}

static void
port_run(void *arg)
{
	struct vpn_port *p = arg;
	unsigned n = 0;

	while (n < PACKETS_MAX && read_one(p))
		n++;
	if (p->watch.fd == -1)
		return;
	vpn_port_flush(p);
	if (p->events->rest != NULL)
		p->events->rest(p->owner);
}

bool
vpn_port_open(struct vpn_port *p, struct loop *loop, struct pool *pool, int fd, unsigned mtu,
    const struct vpn_port_events *events, void *owner)
{
	*p = (struct vpn_port){ .watch = { .fd = fd, .task = &p->task },
		.task = { .run = port_run, .owner = p, .lane = LANE_RELAY },
		.loop = loop,
		.pool = pool,
		.mtu = mtu,
		.events = events,
		.owner = owner };
	if (loop_watch(loop, &p->watch, WATCH_READ))
		return true;
	p->watch.fd = -1;
	return false;
}

void
vpn_port_close(struct vpn_port *p)
{
	if (p->watch.fd == -1)
		return;
	loop_unwatch(p->loop, &p->watch);
	loop_cancel(p->loop, &p->task);
	buf_clear(&p->batch, p->pool);
	p->to = NULL;
	p->watch.fd = -1;
}
