/* SPDX-License-Identifier: Apache-2.0 */
/* proto/dhcp.c -- DHCPINFORM and its answer (RFC 2131, RFC 2132, RFC 3442). */
#include "proto/dhcp.h"

#include "base/checksum.h"
#include "base/rd.h"
#include "base/wr.h"

#include <string.h>

enum {
	IP_HEADER = 20,
	UDP_HEADER = 8,
	SERVER_PORT = 67,
	CLIENT_PORT = 68,
	REQUEST = 1, /* op */
	REPLY = 2,
	HARDWARE_MAX = 16,
	NAMES = 64 + 128, /* sname and file: unused */
	COOKIE = 0x63825363,
	MESSAGE_MIN = 300, /* RFC 1542 2.1 */
	HOPS = 64,
	FRAGMENT = 0x3fff, /* an offset, or more to come */

	OPTION_PAD = 0,
	OPTION_DNS = 6,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_ROUTES = 121,	     /* RFC 3442 */
	OPTION_ROUTES_WINDOWS = 249, /* the same, from before it had a number */
	OPTION_END = 255,
	OPTION_MAX = 255, /* bytes of a value */
	INFORM = 8,
	ACK = 5,
};

/* What comes back in the answer as it was. */
struct question {
	uint8_t htype, hlen;
	uint32_t xid, flags;
	const uint8_t *hardware;
};

/* ---- reading ---- */

/* What is in the datagram; ->bad: it is none from that client to a server of DHCP. */
static struct rd
datagram(const uint8_t *packet, size_t n, struct in_addr client)
{
	struct rd r = rd_of(packet, n);
	size_t header = n > 0 ? (size_t)(packet[0] & 0x0f) * 4 : 0, total, size;
	uint16_t from_port, to_port;
	const uint8_t *from;

	(void)rd_u16(&r);
	total = rd_u16(&r);
	(void)rd_u16(&r);
	if ((rd_u16(&r) & FRAGMENT) != 0)
		r.bad = true;
	(void)rd_u8(&r);
	if (rd_u8(&r) != IPPROTO_UDP)
		r.bad = true;
	(void)rd_u16(&r);
	from = rd_bytes(&r, 4);
	if (r.bad || header < IP_HEADER || total > n || total < header + UDP_HEADER ||
	    memcmp(from, &client, 4) != 0) {
		r.bad = true;
		return r;
	}
	r = rd_of(packet + header, total - header);
	from_port = rd_u16(&r);
	to_port = rd_u16(&r);
	size = rd_u16(&r);
	(void)rd_u16(&r); /* the checksum: TLS has seen to that */
	if (r.bad || from_port != CLIENT_PORT || to_port != SERVER_PORT || size < UDP_HEADER ||
	    size - UDP_HEADER > rd_left(&r)) {
		r.bad = true;
		return r;
	}
	return rd_of(r.p, size - UDP_HEADER);
}

/* Is DHCPINFORM among the options? */
static bool
informs(struct rd r)
{
	while (rd_left(&r) > 0) {
		uint8_t type = rd_u8(&r);
		const uint8_t *value;
		size_t n;

		if (type == OPTION_END)
			break;
		if (type == OPTION_PAD)
			continue;
		n = rd_u8(&r);
		if ((value = rd_bytes(&r, n)) != NULL && type == OPTION_TYPE)
			return n == 1 && *value == INFORM;
	}
	return false;
}

static bool
read_question(struct rd r, struct question *q)
{
	uint8_t op = rd_u8(&r);

	q->htype = rd_u8(&r);
	q->hlen = rd_u8(&r);
	(void)rd_u8(&r); /* hops */
	q->xid = rd_uint(&r, 4);
	(void)rd_u16(&r); /* seconds */
	q->flags = rd_u16(&r);
	(void)rd_bytes(&r, 4 * sizeof(struct in_addr));
	q->hardware = rd_bytes(&r, HARDWARE_MAX);
	(void)rd_bytes(&r, NAMES);
	return rd_uint(&r, 4) == COOKIE && !r.bad && op == REQUEST && q->hlen <= HARDWARE_MAX &&
	       informs(r);
}

/* ---- writing ---- */

static void
put(struct wr *w, uint8_t type, const void *value, size_t n)
{
	wr_u8(w, type);
	wr_u8(w, (uint32_t)n);
	wr_bytes(w, value, n);
}

/* Each: the length of its prefix, as many bytes as that needs, and the router. */
static void
put_routes(struct wr *w, uint8_t type, const struct dhcp_facts *facts)
{
	uint8_t room[OPTION_MAX];
	struct wr value = wr_of(room, sizeof(room));

	for (unsigned i = 0; i < facts->routes->n; i++) {
		const struct network *to = &facts->routes->v[i];
		size_t bytes = (to->prefix + 7) / 8;

		if (to->family != AF_INET || wr_room(&value) < 1 + bytes + 4)
			continue;
		wr_u8(&value, to->prefix);
		wr_bytes(&value, to->bits, bytes);
		wr_bytes(&value, &facts->server, 4);
	}
	if (wr_size(&value) > 0)
		put(w, type, room, wr_size(&value));
}

static void
put_zeros(struct wr *w, size_t n)
{
	while (n-- > 0)
		wr_u8(w, 0);
}

static void
put_message(struct wr *w, const struct question *q, const struct dhcp_facts *facts)
{
	static const uint8_t ack = ACK;
	size_t begin = wr_size(w), size;

	wr_u8(w, REPLY);
	wr_u8(w, q->htype);
	wr_u8(w, q->hlen);
	wr_u8(w, 0);
	wr_u32(w, q->xid);
	wr_u16(w, 0);
	wr_u16(w, q->flags);
	wr_bytes(w, &facts->client, 4);
	put_zeros(w, 3 * sizeof(struct in_addr));
	wr_bytes(w, q->hardware, HARDWARE_MAX);
	put_zeros(w, NAMES);
	wr_u32(w, COOKIE);
	put(w, OPTION_TYPE, &ack, 1);
	put(w, OPTION_SERVER, &facts->server, 4);
	if (facts->dns_count > 0)
		put(w, OPTION_DNS, facts->dns, facts->dns_count * sizeof(facts->dns[0]));
	put_routes(w, OPTION_ROUTES, facts);
	put_routes(w, OPTION_ROUTES_WINDOWS, facts);
	wr_u8(w, OPTION_END);
	size = wr_size(w) - begin;
	if (size < MESSAGE_MIN)
		put_zeros(w, MESSAGE_MIN - size);
}

size_t
dhcp_answer(uint8_t out[DHCP_MAX], const uint8_t *packet, size_t n, const struct dhcp_facts *facts)
{
	struct rd r = datagram(packet, n, facts->client);
	struct wr w = wr_of(out, DHCP_MAX);
	struct question q;
	size_t size;

	if (r.bad || !read_question(r, &q))
		return 0;
	wr_u32(&w, 0x45000000);
	wr_u32(&w, 0);
	wr_u8(&w, HOPS);
	wr_u8(&w, IPPROTO_UDP);
	wr_u16(&w, 0);
	wr_bytes(&w, &facts->server, 4);
	wr_bytes(&w, &facts->client, 4);
	wr_u16(&w, SERVER_PORT);
	wr_u16(&w, CLIENT_PORT);
	wr_u32(&w, 0);
	put_message(&w, &q, facts);
	size = wr_size(&w);
	wr_patch_u16(&w, 2, size);
	wr_patch_u16(&w, IP_HEADER + 4, size - IP_HEADER);
	if (w.bad)
		return 0;
	wr_patch_u16(&w, 10, checksum_of(checksum_add(0, out, IP_HEADER)));
	/* The pseudo header: both addresses, the protocol, and the length. */
	wr_patch_u16(&w, IP_HEADER + 6,
	    checksum_of(
		checksum_add((uint32_t)(size - IP_HEADER) + IPPROTO_UDP, out + 12, size - 12)));
	return size;
}
