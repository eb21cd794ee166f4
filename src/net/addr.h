/* SPDX-License-Identifier: Apache-2.0 */
/* net/addr.h -- socket addresses, and the ways to write them. */
#ifndef GINNEL_NET_ADDR_H
#define GINNEL_NET_ADDR_H

#include "base/arena.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addr {
	socklen_t len; /* 0: none */
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

/*
 * One address as the configuration writes it: "PORT", "HOST:PORT", "[::1]:443", "::1:443" (split at
 * the last colon), "/path/of/socket".  A port may be a service name.
 */
struct target {
	const char *text;  /* as written */
	const char *host;  /* without brackets; NULL: none was written */
	const char *path;  /* UNIX socket; then host and port mean nothing */
	const char *given; /* a socket from the service manager, by its name; nothing else is set */
	const char *srv;   /* the name of SRV records; then host is their domain, without a port */
	unsigned weight;   /* among several; 0: none was written */
	uint16_t port;
	struct addr numeric; /* .len != 0: host is an address or a path, no look-up is needed */
};

/* Read `text` into *out, in `arena`.  False with `why` set. */
bool target_parse(
    struct arena *, const char *text, struct target *out, char *why, size_t size) MUST_CHECK;

/*
 * All addresses of `t` by the blocking resolver, at most `max` (for start-up and reload only).
 * `passive`: a missing host means the wildcard, else loopback.  0 with `why` set.
 */
size_t target_lookup(
    const struct target *, bool passive, struct addr *out, size_t max, char *why, size_t size);

/*
 * "127.0.0.1:25", "::1:443" (no brackets, as the incumbent prints it), "localhost:/path", or
 * "unnamed socket".  Returns out.
 */
enum { ADDR_TEXT = 128 };
const char *addr_text(const struct addr *, char out[ADDR_TEXT]);
/* The host alone, in figures; "" if it has none.  Returns out. */
const char *addr_host_text(const struct addr *, char out[ADDR_TEXT]);

/* May it stand for a host: letters, digits, '-', '_' and '.', at most 253 of them? */
bool addr_host_is_name(const char *);
struct addr addr_from(const struct sockaddr *, socklen_t); /* of a length that struct addr holds */
void addr_set_port(struct addr *, uint16_t port);	   /* host order; a UNIX socket has none */
/* An IPv4 address that a socket of both families shows as ::ffff:1.2.3.4, as what it is. */
struct addr addr_unmapped(const struct addr *);
bool addr_equal(const struct addr *, const struct addr *); /* family, address and port */
bool addr_is_wildcard(const struct addr *);		   /* 0.0.0.0 or :: */
bool addr_is_unix(const struct addr *);
/* Does it lead to this machine whatever its addresses are: loopback, the wildcard, in any form? */
bool addr_is_loopback(const struct addr *);
bool addr_is_local(const struct addr *); /* loopback, the wildcard, or an address of this machine */
uint16_t addr_port(const struct addr *);

#endif
