/* SPDX-License-Identifier: Apache-2.0 */
/* proto/socks_udp.c -- two zeros, a fragment's number, the kind of address, the address, a port. */
#include "proto/socks_udp.h"

#include "base/rd.h"

#include <string.h>

enum { ATYP_IP4 = 1, ATYP_NAME = 3, ATYP_IP6 = 4 };

static bool
set_address(struct proto_target *t, const uint8_t *bytes, size_t n, uint16_t port)
{
	struct addr *a = &t->addr;

	if (bytes == NULL)
		return false;
	if (n == 4) {
		a->len = sizeof(a->in);
		a->in.sin_family = AF_INET;
		memcpy(&a->in.sin_addr, bytes, n);
	} else {
		a->len = sizeof(a->in6);
		a->in6.sin6_family = AF_INET6;
		memcpy(&a->in6.sin6_addr, bytes, n);
	}
	addr_set_port(a, port);
	t->port = port;
	return true;
}

bool
socks_udp_read(const uint8_t *bytes, size_t n, struct socks_datagram *out)
{
	struct rd r = rd_of(bytes, n);
	uint32_t zeros_and_fragment = rd_u24(&r);
	uint8_t atyp = rd_u8(&r);
	size_t size = atyp == ATYP_IP4 ? 4 : atyp == ATYP_IP6 ? 16 : 0;
	const uint8_t *host;
	uint16_t port;

	*out = (struct socks_datagram){ .data = NULL };
	if (atyp == ATYP_NAME)
		size = rd_u8(&r);
	host = rd_bytes(&r, size);
	port = rd_u16(&r);
	if (r.bad || zeros_and_fragment != 0 || size == 0 || port == 0)
		return false;
	out->n = rd_left(&r);
	out->data = rd_bytes(&r, out->n);
	if (atyp == ATYP_NAME)
		return proto_target_set(&out->target, (const char *)host, size, port);
	return set_address(&out->target, host, size, port);
}

size_t
socks_udp_head(const struct addr *from, uint8_t out[SOCKS_UDP_HEAD_MAX])
{
	struct addr a = addr_unmapped(from);
	bool v4 = a.sa.sa_family == AF_INET;
	const uint16_t port = addr_port(&a);
	size_t n = v4 ? 4 : 16;

	memset(out, 0, 3);
	out[3] = v4 ? ATYP_IP4 : ATYP_IP6;
	memcpy(out + 4, v4 ? (const void *)&a.in.sin_addr : (const void *)&a.in6.sin6_addr, n);
	out[4 + n] = (uint8_t)(port >> 8);
	out[5 + n] = (uint8_t)port;
	return 6 + n;
}
