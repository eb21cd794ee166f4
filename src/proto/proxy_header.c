/* SPDX-License-Identifier: Apache-2.0 */
/* proto/proxy_header.c -- the header of the PROXY protocol. */
#include "proto/proxy_header.h"

#include "base/rd.h"

#include <stdio.h>
#include <string.h>

enum {
	V2_PROXY = 0x21, /* version 2, and the addresses are a client's */
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,

	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_NOOP = 0x04,
	TLV_SSL = 0x20,
	SSL_VERSION = 0x21,
	SSL_CN = 0x22,
	SSL_CIPHER = 0x23,
	SSL_CLIENT_CERT = 0x28, /* of 2025 */

	CLIENT_SSL = 0x01,
	CLIENT_CERT_CONN = 0x02,
	CLIENT_CERT_SESS = 0x04,
};

/* The two addresses as a backend should see them. */
struct pair {
	struct addr from, to;
	int family; /* of both; AF_UNSPEC: nothing can be said of them */
};

static struct pair
pair_of(const struct addr *client, const struct addr *accepted)
{
	struct pair p = { addr_unmapped(client), addr_unmapped(accepted), AF_UNSPEC };

	if (p.from.len == 0 || p.to.len == 0 || p.from.sa.sa_family != p.to.sa.sa_family)
		return p;
	if (p.from.sa.sa_family == AF_INET || p.from.sa.sa_family == AF_INET6)
		p.family = p.from.sa.sa_family;
	/* The zone of a link-local address means something on this machine only. */
	if (p.family == AF_INET6)
		p.from.in6.sin6_scope_id = p.to.in6.sin6_scope_id = 0;
	return p;
}

size_t
proxy_header_v1(
    char out[PROXY_HEADER_V1_MAX + 1], const struct addr *client, const struct addr *accepted)
{
	struct pair p = pair_of(client, accepted);
	char from[ADDR_TEXT], to[ADDR_TEXT];

	if (p.family == AF_UNSPEC)
		return (size_t)snprintf(out, PROXY_HEADER_V1_MAX + 1, "PROXY UNKNOWN\r\n");
	return (size_t)snprintf(out, PROXY_HEADER_V1_MAX + 1, "PROXY %s %s %s %u %u\r\n",
	    p.family == AF_INET ? "TCP4" : "TCP6", addr_host_text(&p.from, from),
	    addr_host_text(&p.to, to), addr_port(&p.from), addr_port(&p.to));
}

/* ---- version 2 ---- */

const uint8_t proxy_header_signature[PROXY_HEADER_SIGNATURE] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
	0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

uint32_t
proxy_header_crc32c(uint32_t crc, const void *bytes, size_t n)
{
	static const uint32_t polynomial = 0x82f63b78; /* of Castagnoli, reflected */
	const uint8_t *p = bytes;

	crc = ~crc;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (polynomial & -(crc & 1));
	}
	return ~crc;
}

/* Where the header is written.  What does not fit is remembered, and nothing is written then. */
struct out {
	uint8_t *p, *end;
	bool full;
};

static void
put(struct out *o, const void *bytes, size_t n)
{
	if (o->full || n > (size_t)(o->end - o->p)) {
		o->full = true;
		return;
	}
	if (n > 0)
		memcpy(o->p, bytes, n);
	o->p += n;
}

static void
put_u8(struct out *o, unsigned v)
{
	uint8_t byte = (uint8_t)v;

	put(o, &byte, 1);
}

static void
put_u16(struct out *o, size_t v)
{
	put_u8(o, (unsigned)(v >> 8));
	put_u8(o, (unsigned)v);
}

static void
put_u32(struct out *o, uint32_t v)
{
	put_u16(o, v >> 16);
	put_u16(o, v & 0xffff);
}

/* Both addresses, and both ports, as they lie in memory: in network order. */
static void
put_addresses(struct out *o, const struct pair *p)
{
	if (p->family == AF_INET) {
		put(o, &p->from.in.sin_addr, 4);
		put(o, &p->to.in.sin_addr, 4);
	} else if (p->family == AF_INET6) {
		put(o, &p->from.in6.sin6_addr, 16);
		put(o, &p->to.in6.sin6_addr, 16);
	} else {
		return;
	}
	put_u16(o, addr_port(&p->from));
	put_u16(o, addr_port(&p->to));
}

/* Where the length of what follows will stand. */
static uint8_t *
begin_length(struct out *o)
{
	uint8_t *at = o->p;

	put_u16(o, 0);
	return at;
}

static void
end_length(struct out *o, uint8_t *at)
{
	struct out field = { at, at + 2, o->full };

	if (!o->full)
		put_u16(&field, (size_t)(o->p - at) - 2);
}

static void
put_tlv(struct out *o, uint8_t type, struct proxy_bytes value)
{
	uint8_t *length;

	if (value.n == 0)
		return;
	if (value.n > UINT16_MAX)
		o->full = true;
	put_u8(o, type);
	length = begin_length(o);
	put(o, value.p, value.n);
	end_length(o, length);
}

/* 2.2.6 */
static void
put_tls(struct out *o, const struct proxy_facts *f)
{
	unsigned client = CLIENT_SSL;
	uint8_t *length;

	if (f->tls.has_cert)
		client |= CLIENT_CERT_SESS | (f->tls.cert_is_old ? 0 : CLIENT_CERT_CONN);
	put_u8(o, TLV_SSL);
	length = begin_length(o);
	put_u8(o, client);
	put_u32(o, f->tls.has_cert && f->tls.verified ? 0 : 1);
	put_tlv(o, SSL_VERSION, f->tls.version);
	put_tlv(o, SSL_CN, f->tls.cn);
	put_tlv(o, SSL_CIPHER, f->tls.cipher);
	put_tlv(o, SSL_CLIENT_CERT, f->tls.cert);
	end_length(o, length);
}

/* Is this type told by `f` itself?  Padding and the checksum were of the other header. */
static bool
is_told_anew(const struct proxy_facts *f, uint8_t type)
{
	switch (type) {
	case TLV_ALPN:
		return f->alpn.n > 0;
	case TLV_AUTHORITY:
		return f->authority.n > 0;
	case PROXY_HEADER_UNIQUE_ID:
		return f->unique_id.n > 0;
	case TLV_SSL:
		return f->tls.is_there;
	default:
		return type == TLV_CRC32C || type == TLV_NOOP;
	}
}

/* A reader of none must not begin at NULL. */
static struct rd
tlvs_of(const struct proxy_bytes *tlvs)
{
	return rd_of(tlvs->n > 0 ? tlvs->p : "", tlvs->n);
}

static void
pass_on(struct out *o, const struct proxy_facts *f)
{
	struct rd r = tlvs_of(&f->passed_on);

	while (rd_left(&r) > 0) {
		uint8_t type = rd_u8(&r);
		struct rd value = rd_block(&r, 2);

		if (!is_told_anew(f, type)) {
			put_u8(o, type);
			put_u16(o, rd_left(&value));
			put(o, value.p, rd_left(&value));
		}
	}
}

bool
proxy_header_has(const struct proxy_bytes *tlvs, uint8_t type)
{
	struct rd r = tlvs_of(tlvs);

	while (rd_left(&r) > 0) {
		bool found = rd_u8(&r) == type;

		rd_block(&r, 2);
		if (found)
			return true;
	}
	return false;
}

size_t
proxy_header_v2(uint8_t out[PROXY_HEADER_V2_MAX], const struct addr *client,
    const struct addr *accepted, const struct proxy_facts *f)
{
	struct pair p = pair_of(client, accepted);
	struct out o = { out, out + PROXY_HEADER_V2_MAX, false }, crc = { 0 };
	uint8_t *length;

	put(&o, proxy_header_signature, sizeof(proxy_header_signature));
	put_u8(&o, V2_PROXY);
	put_u8(&o, p.family == AF_INET ? V2_TCP4 : p.family == AF_INET6 ? V2_TCP6 : 0);
	length = begin_length(&o);
	put_addresses(&o, &p);
	put_tlv(&o, TLV_ALPN, f->alpn);
	put_tlv(&o, TLV_AUTHORITY, f->authority);
	put_tlv(&o, PROXY_HEADER_UNIQUE_ID, f->unique_id);
	if (f->tls.is_there)
		put_tls(&o, f);
	pass_on(&o, f);
	if (f->checksum) {
		put_u8(&o, TLV_CRC32C);
		put_u16(&o, 4);
		crc = o;
		put_u32(&o, 0);
	}
	end_length(&o, length);
	if (o.full)
		return 0;
	if (f->checksum)
		put_u32(&crc, proxy_header_crc32c(0, out, (size_t)(o.p - out)));
	return (size_t)(o.p - out);
}
