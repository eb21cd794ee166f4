/* SPDX-License-Identifier: Apache-2.0 */
/* net/addr.c -- reading, finding and printing socket addresses. */
#include "net/addr.h"

#include "base/memo.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	HOST_MAX = 253, /* RFC 1035 2.3.4: 255 bytes on the wire are 253 as text */
	SERVENT_BUFFER = 1024,
};

static bool
unix_parse(struct target *t, const char *text, char *why, size_t size)
{
	size_t room = sizeof(t->numeric.un.sun_path);

	if (strlen(text) >= room) {
		snprintf(why, size,
		    "the path of a UNIX socket has at most %zu bytes, and this one has %zu",
		    room - 1, strlen(text));
		return false;
	}
	t->path = t->text;
	t->numeric.len = sizeof(t->numeric.un);
	t->numeric.un.sun_family = AF_UNIX;
	memcpy(t->numeric.un.sun_path, text, strlen(text) + 1);
	return true;
}

/* "imaps" by services(5). */
static bool
service_port(const char *name, uint16_t *port)
{
	char buffer[SERVENT_BUFFER];
	struct servent entry, *found = NULL;

	if (getservbyname_r(name, "tcp", &entry, buffer, sizeof(buffer), &found) != 0 ||
	    found == NULL)
		return memo_get(MEMO_SERVICE, name, port, sizeof(*port)) == sizeof(*port);
	*port = ntohs((uint16_t)found->s_port);
	memo_put(MEMO_SERVICE, name, port, sizeof(*port));
	return true;
}

static bool
port_parse(const char *text, uint16_t *port, char *why, size_t size)
{
	/* Port 0 lets the kernel choose; what cannot listen refuses it for itself. */
	if (strcmp(text, "0") == 0) {
		*port = 0;
		return true;
	}
	if (text_port(text, port))
		return true;
	if (text[0] == '\0')
		snprintf(why, size, "the port is missing; write HOST:PORT, PORT or /PATH");
	else if (strchr(text, '/') != NULL)
		snprintf(why, size,
		    "\"%s\" is not a port; write HOST:PORT, without \"http://\" and without a path",
		    text);
	else if (isdigit((unsigned char)text[0]) || text[0] == '-' || text[0] == '+')
		snprintf(why, size, "\"%s\" is not a port; write a number from 1 to 65535", text);
	else if (service_port(text, port))
		return true;
	else
		snprintf(why, size,
		    "\"%s\" is neither a port nor a TCP service of /etc/services; write HOST:PORT "
		    "with "
		    "a number from 1 to 65535",
		    text);
	return false;
}

/* The forms of inet_aton(3) and scoped IPv6 addresses are addresses too, so libc reads them. */
static bool
host_is_numeric(const char *host, struct addr *out)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return false;
	*out = addr_from(list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return true;
}

bool
addr_host_is_name(const char *host)
{
	for (const char *p = host; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-._", *p) == NULL)
			return false;
	return host[0] != '\0' && host[0] != '.' && strlen(host) <= HOST_MAX;
}

static bool
host_parse(struct target *t, bool brackets, char *why, size_t size)
{
	if (host_is_numeric(t->host, &t->numeric) &&
	    (!brackets || t->numeric.sa.sa_family == AF_INET6)) {
		addr_set_port(&t->numeric, t->port);
		return true;
	}
	if (t->host[0] == '\0')
		snprintf(
		    why, size, "the host before the port is empty; write PORT alone or HOST:PORT");
	else if (brackets)
		snprintf(why, size,
		    "\"%s\" is not an IPv6 address; brackets hold one, as in [::1]:443", t->host);
	else if (strchr(t->host, ':') != NULL)
		snprintf(why, size,
		    "\"%s\" is not an IPv6 address; write [ADDRESS]:PORT, the port behind the last "
		    "colon",
		    t->host);
	else if (addr_host_is_name(t->host))
		return true;
	else
		snprintf(why, size,
		    "\"%s\" is not a host name; write letters, digits, '-', '_' and '.' (at most "
		    "%d)",
		    t->host, HOST_MAX);
	return false;
}

bool
target_parse(struct arena *arena, const char *text, struct target *out, char *why, size_t size)
{
	const char *colon = strrchr(text, ':');
	const char *host = text, *end = colon;
	bool brackets;

	*out = (struct target){ .text = arena_strdup(arena, text) };
	if (out->text == NULL)
		goto no_memory;
	if (text[0] == '/')
		return unix_parse(out, text, why, size);
	/* "[::1]" and an unclosed "[::1:443" would otherwise be split inside the address. */
	brackets = text[0] == '[';
	if (brackets && (colon == NULL || colon[-1] != ']')) {
		snprintf(why, size, "\"%s\" has no port behind its brackets; write [ADDRESS]:PORT",
		    text);
		return false;
	}
	if (!port_parse(colon == NULL ? text : colon + 1, &out->port, why, size))
		return false;
	if (colon == NULL)
		return true;
	if (brackets) {
		host++;
		end--;
	}
	out->host = arena_strndup(arena, host, (size_t)(end - host));
	if (out->host == NULL)
		goto no_memory;
	return host_parse(out, brackets, why, size);

no_memory:
	snprintf(why, size, "out of memory");
	return false;
}

static int
ask_libc(const struct target *t, bool passive, struct addrinfo **list)
{
	/* With neither host nor service libc refuses; ports are filled in afterwards. */
	const char *service = t->host == NULL ? "0" : NULL;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	int code;

	if (passive)
		hints.ai_flags |= AI_PASSIVE;
	code = getaddrinfo(t->host, service, &hints, list);
	if (code == 0)
		return 0;
	/* A machine with nothing but loopback has no "configured" family at all. */
	hints.ai_flags &= ~AI_ADDRCONFIG;
	return getaddrinfo(t->host, service, &hints, list);
}

size_t
target_lookup(
    const struct target *t, bool passive, struct addr *out, size_t max, char *why, size_t size)
{
	struct addrinfo *list;
	size_t n;
	int code;

	if (t->numeric.len != 0 && max > 0) {
		out[0] = t->numeric;
		return 1;
	}
	code = ask_libc(t, passive, &list);
	if (code != 0 && t->host != NULL &&
	    (n = memo_get(MEMO_HOST, t->text, out, max * sizeof(*out)) / sizeof(*out)) > 0)
		return n;
	if (code != 0) {
		snprintf(why, size, "Error resolving \"%s\": %s",
		    t->host != NULL ? t->host : t->text,
		    code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
		return 0;
	}
	n = 0;
	for (const struct addrinfo *ai = list; ai != NULL && n < max; ai = ai->ai_next) {
		if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
			continue;
		out[n] = addr_from(ai->ai_addr, ai->ai_addrlen);
		addr_set_port(&out[n], t->port);
		n++;
	}
	freeaddrinfo(list);
	if (t->host != NULL && n > 0)
		memo_put(MEMO_HOST, t->text, out, n * sizeof(*out));
	if (n == 0)
		snprintf(
		    why, size, "Error resolving \"%s\": it has no IPv4 or IPv6 address", t->text);
	return n;
}

/* How many bytes of sun_path are a path; 0: unnamed.  The kernel need not end it with a NUL. */
static size_t
unix_path_len(const struct addr *a)
{
	size_t head = offsetof(struct sockaddr_un, sun_path);

	return a->len <= head ? 0 : strnlen(a->un.sun_path, a->len - head);
}

static char *
put_number(char *p, unsigned n)
{
	if (n >= 10)
		p = put_number(p, n / 10);
	*p++ = (char)('0' + n % 10);
	return p;
}

/* By hand: it stands in four lines of the log for each connection. */
static void
put_ipv4(char *p, const struct sockaddr_in *in)
{
	const uint8_t *bytes = (const uint8_t *)&in->sin_addr;

	for (unsigned i = 0; i < 4; i++) {
		p = put_number(p, bytes[i]);
		*p++ = i < 3 ? '.' : ':';
	}
	*put_number(p, ntohs(in->sin_port)) = '\0';
}

const char *
addr_text(const struct addr *a, char out[ADDR_TEXT])
{
	/* An IPv6 address, '%' and an interface's name: INET6_ADDRSTRLEN alone is too little. */
	char host[NI_MAXHOST];

	if (a->len != 0 && a->sa.sa_family == AF_INET)
		put_ipv4(out, &a->in);
	else if (a->len == 0)
		snprintf(out, ADDR_TEXT, "no address");
	else if (addr_is_unix(a) && unix_path_len(a) == 0)
		snprintf(out, ADDR_TEXT, "unnamed socket");
	else if (addr_is_unix(a))
		snprintf(out, ADDR_TEXT, "localhost:%.*s", (int)unix_path_len(a), a->un.sun_path);
	else if (getnameinfo(&a->sa, a->len, host, sizeof(host), NULL, 0, NI_NUMERICHOST) != 0)
		snprintf(out, ADDR_TEXT, "address of family %d", a->sa.sa_family);
	else
		snprintf(out, ADDR_TEXT, "%.100s:%u", host, addr_port(a));
	return out;
}

struct addr
addr_unmapped(const struct addr *a)
{
	struct addr v4 = { .len = sizeof(v4.in), .in = { .sin_family = AF_INET } };

	if (a->len == 0 || a->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return *a;
	v4.in.sin_port = a->in6.sin6_port;
	memcpy(&v4.in.sin_addr, &a->in6.sin6_addr.s6_addr[12], sizeof(v4.in.sin_addr));
	return v4;
}

const char *
addr_host_text(const struct addr *a, char out[ADDR_TEXT])
{
	if (a->len == 0 ||
	    getnameinfo(&a->sa, a->len, out, ADDR_TEXT, NULL, 0, NI_NUMERICHOST) != 0)
		out[0] = '\0';
	return out;
}

struct addr
addr_from(const struct sockaddr *sa, socklen_t len)
{
	struct addr a = { .len = len };

	MUST(len <= sizeof(a.un));
	memcpy(&a.un, sa, len);
	return a;
}

void
addr_set_port(struct addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET)
		a->in.sin_port = htons(port);
	else if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	if (a->len == 0 || b->len == 0)
		return a->len == b->len;
	if (a->sa.sa_family != b->sa.sa_family || addr_port(a) != addr_port(b))
		return false;
	switch (a->sa.sa_family) {
	case AF_INET:
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	case AF_INET6:
		return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) &&
		       a->in6.sin6_scope_id == b->in6.sin6_scope_id;
	case AF_UNIX:
		return unix_path_len(a) == unix_path_len(b) &&
		       memcmp(a->un.sun_path, b->un.sun_path, unix_path_len(a)) == 0;
	default:
		return false;
	}
}

bool
addr_is_wildcard(const struct addr *a)
{
	if (a->len == 0)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

bool
addr_is_unix(const struct addr *a)
{
	return a->len != 0 && a->sa.sa_family == AF_UNIX;
}

uint16_t
addr_port(const struct addr *a)
{
	if (a->len == 0)
		return 0;
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	return a->sa.sa_family == AF_INET6 ? ntohs(a->in6.sin6_port) : 0;
}

static bool
is_loopback(const struct addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr) && a->in6.sin6_addr.s6_addr[12] == 127);
}

bool
addr_is_loopback(const struct addr *a)
{
	struct addr plain = addr_unmapped(a);

	if (plain.len == 0 || addr_is_unix(&plain))
		return false;
	/* Linux takes 0.0.0.0 and :: for its own loopback, and knows no other host in 0/8. */
	if (plain.sa.sa_family == AF_INET && ntohl(plain.in.sin_addr.s_addr) >> 24 == 0)
		return true;
	return addr_is_wildcard(&plain) || is_loopback(&plain);
}

bool
addr_is_local(const struct addr *a)
{
	struct addr probe = *a;
	bool local;
	int fd;

	if (addr_is_unix(a) || addr_is_wildcard(a) || is_loopback(a))
		return true;
	/* Only an address of this machine can be bound to; the port must be any, for it may be in
	 * use. */
	if (a->sa.sa_family == AF_INET)
		probe.in.sin_port = 0;
	else
		probe.in6.sin6_port = 0;
	if ((fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return false;
	local = bind(fd, &probe.sa, probe.len) == 0;
	close(fd);
	return local;
}
