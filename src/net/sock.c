/* SPDX-License-Identifier: Apache-2.0 */
/* net/sock.c -- the table of socket options, and the making of listening sockets. */
#include "net/sock.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* The largest value that any kind of option takes. */
union value {
	int number; /* flags too */
	struct linger linger;
	struct timeval time;
	char name[IFNAMSIZ];
};

/* How a kind of value is written and shown. */
struct value_type {
	const char *name;
	const char *form; /* for messages: what to write */
	bool (*read)(const char *text, union value *);
	void (*show)(const union value *, char *out, size_t size);
	socklen_t size;
};

struct sockopt_kind {
	const char *name;
	int level, option;
	const struct value_type *type;
	/*
	 * An accepted socket gets the value of its listener, and the listener may bear it.  Not so
	 * SO_BINDTODEVICE, which would narrow what is accepted at all, nor what only matters to
	 * bind().
	 */
	bool inherited;
};

static bool
flag_read(const char *text, union value *v)
{
	bool on = strcasecmp(text, "yes") == 0 || strcmp(text, "1") == 0;

	v->number = on;
	return on || strcasecmp(text, "no") == 0 || strcmp(text, "0") == 0;
}

static void
flag_show(const union value *v, char *out, size_t size)
{
	snprintf(out, size, "%s", v->number != 0 ? "yes" : "no");
}

static bool
int_of(const char *text, int *out)
{
	long n;

	if (!text_number(text, 0, INT32_MAX, &n))
		return false;
	*out = (int)n;
	return true;
}

/* "SO_RCVBUF=" has always meant 0. */
static bool
number_read(const char *text, union value *v)
{
	v->number = 0;
	return text[0] == '\0' || int_of(text, &v->number);
}

static void
number_show(const union value *v, char *out, size_t size)
{
	snprintf(out, size, "%d", v->number);
}

/* "A" or "A:B"; without B, `b` stays as it is. */
static bool
pair_read(const char *text, int *a, int *b)
{
	const char *colon = strchr(text, ':');
	char head[16];

	if (colon == NULL)
		return int_of(text, a);
	if ((size_t)(colon - text) >= sizeof(head))
		return false;
	snprintf(head, sizeof(head), "%.*s", (int)(colon - text), text);
	return int_of(head, a) && int_of(colon + 1, b);
}

static bool
linger_read(const char *text, union value *v)
{
	v->linger = (struct linger){ 0 };
	return pair_read(text, &v->linger.l_onoff, &v->linger.l_linger);
}

static void
linger_show(const union value *v, char *out, size_t size)
{
	snprintf(out, size, "%d:%d", v->linger.l_onoff, v->linger.l_linger);
}

static bool
time_read(const char *text, union value *v)
{
	int sec, usec = 0;

	if (!pair_read(text, &sec, &usec) || usec > 999999)
		return false;
	v->time = (struct timeval){ .tv_sec = sec, .tv_usec = usec };
	return true;
}

static void
time_show(const union value *v, char *out, size_t size)
{
	snprintf(out, size, "%lld:%06ld", (long long)v->time.tv_sec, (long)v->time.tv_usec);
}

static bool
name_read(const char *text, union value *v)
{
	if (strlen(text) >= sizeof(v->name))
		return false;
	memset(v->name, 0, sizeof(v->name));
	memcpy(v->name, text, strlen(text));
	return true;
}

static void
name_show(const union value *v, char *out, size_t size)
{
	snprintf(out, size, "%.*s", (int)sizeof(v->name), v->name[0] != '\0' ? v->name : "--");
}

static const struct value_type flag = {
	.name = "flag",
	.form = "yes or no",
	.read = flag_read,
	.show = flag_show,
	.size = sizeof(int),
};

static const struct value_type number = {
	.name = "number",
	.form = "a number from 0 to 2147483647",
	.read = number_read,
	.show = number_show,
	.size = sizeof(int),
};

static const struct value_type linger = {
	.name = "linger",
	.form = "ON[:SECONDS], for example 1:5, or 0 for off",
	.read = linger_read,
	.show = linger_show,
	.size = sizeof(struct linger),
};

static const struct value_type timeout = {
	.name = "time",
	.form = "SECONDS[:MICROSECONDS], for example 5 or 0:500000",
	.read = time_read,
	.show = time_show,
	.size = sizeof(struct timeval),
};

static const struct value_type device = {
	.name = "name",
	.form = "the name of a network interface, at most 15 characters",
	.read = name_read,
	.show = name_show,
	.size = IFNAMSIZ,
};

/*
 * The incumbent's list for Linux, with its spelling, and two more: TCP_USER_TIMEOUT, by which a
 * tunnel that has bytes to send notices a vanished peer, and TCP_DEFER_ACCEPT, by which the system
 * keeps clients back until they have said something, for so many seconds (tcp(7)).  That spares a
 * wake-up for each, but nobody hears of those who reset before their first byte: not by default.
 */
static const struct sockopt_kind kinds[] = {
	{ "SO_DEBUG", SOL_SOCKET, SO_DEBUG, &flag, true },
	{ "SO_DONTROUTE", SOL_SOCKET, SO_DONTROUTE, &flag, false },
	{ "SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, &flag, true },
	{ "SO_LINGER", SOL_SOCKET, SO_LINGER, &linger, true },
	{ "SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, &flag, true },
	{ "SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, &number, true },
	{ "SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, &number, true },
	{ "SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, &number, true },
	/* Linux knows the name and refuses every value. */
	{ "SO_SNDLOWAT", SOL_SOCKET, SO_SNDLOWAT, &number, false },
	{ "SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO, &timeout, true },
	{ "SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO, &timeout, true },
	{ "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, &flag, false },
	{ "SO_BINDTODEVICE", SOL_SOCKET, SO_BINDTODEVICE, &device, false },
	{ "TCP_DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT, &number, false },
	{ "TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, &number, true },
	{ "TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, &number, true },
	{ "TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, &number, true },
	{ "TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, &number, true },
	{ "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, &flag, true },
	{ "IP_FREEBIND", IPPROTO_IP, IP_FREEBIND, &flag, false },
	{ "IP_TOS", IPPROTO_IP, IP_TOS, &number, true },
	{ "IP_TTL", IPPROTO_IP, IP_TTL, &number, true },
	{ "IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, &flag, false },
};

/* Names are compared with case, as the incumbent does: a constant of the C library is one word. */
static const struct sockopt_kind *
kind_find(const char *name, size_t len)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (strlen(kinds[i].name) == len && memcmp(kinds[i].name, name, len) == 0)
			return &kinds[i];
	return NULL;
}

static const struct sockopt_kind *
kind_nearest(const char *name)
{
	enum { NEAR = 4 }; /* so many edits, or half of the word, make it another word */
	const struct sockopt_kind *best = NULL;
	unsigned least = strlen(name) < 2 * NEAR ? (unsigned)strlen(name) / 2 : NEAR;

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		unsigned edits = text_distance(kinds[i].name, name);

		if (edits < least) {
			least = edits;
			best = &kinds[i];
		}
	}
	return best;
}

static bool
unknown_name(struct option_ctx *ctx, const char *name, size_t len)
{
	char text[64];
	const struct sockopt_kind *near;

	snprintf(text, sizeof(text), "%.*s", len < sizeof(text) ? (int)len : (int)sizeof(text) - 1,
	    name);
	near = kind_nearest(text);
	if (near != NULL)
		return option_refuse(
		    ctx, "there is no socket option \"%s\"; write %s", text, near->name);
	return option_refuse(
	    ctx, "there is no socket option \"%s\"; \"ginnel -sockets\" lists them", text);
}

/* Put `o` in the place of the same option, or behind the last.  Earlier copies of the list stay as
 * they are. */
static bool
sockopts_set(struct arena *arena, struct sockopts *list, struct sockopt o)
{
	struct sockopt *v = arena_alloc(arena, (list->n + 1) * sizeof(*v));
	unsigned n = 0;

	if (v == NULL)
		return false;
	for (unsigned i = 0; i < list->n; i++)
		if (list->v[i].kind != o.kind)
			v[n++] = list->v[i];
	v[n++] = o;
	*list = (struct sockopts){ v, n };
	return true;
}

static bool
sockopts_add(struct option_ctx *ctx, struct sockopts *list, const struct sockopt_kind *kind,
    const char *text)
{
	union value *v = arena_alloc(ctx->arena, sizeof(*v));

	if (v == NULL)
		return option_refuse(ctx, "out of memory");
	if (!kind->type->read(text, v))
		return option_refuse(
		    ctx, "\"%s\" is no value for %s; write %s", text, kind->name, kind->type->form);
	if (!sockopts_set(ctx->arena, list, (struct sockopt){ kind, v, kind->type->size }))
		return option_refuse(ctx, "out of memory");
	return true;
}

bool
sock_parse_option(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	static const char letters[SOCK_SIDES + 1] = "alr"; /* in the order of enum sock_side */
	struct sock_conf *conf = field;
	const char *side = value[0] == '\0' ? NULL : strchr(letters, value[0]);
	const char *name = value + 2, *equals;
	const struct sockopt_kind *kind;

	(void)o;
	if (side == NULL || value[1] != ':')
		return option_refuse(ctx,
		    "\"%s\" does not say which socket; write a:, l: or r: (accepting, local, "
		    "remote) and "
		    "NAME=VALUE, for example l:TCP_NODELAY=1",
		    value);
	equals = strchr(name, '=');
	if (equals == NULL)
		return option_refuse(
		    ctx, "\"%s\" has no value; write %.2sNAME=VALUE", value, value);
	kind = kind_find(name, (size_t)(equals - name));
	if (kind == NULL)
		return unknown_name(ctx, name, (size_t)(equals - name));
	return sockopts_add(ctx, &conf->side[side - letters], kind, equals + 1);
}

bool
sock_defaults(struct arena *arena, struct sock_conf *conf)
{
	static const char *const defaults[] = { "a:SO_REUSEADDR=yes", "l:TCP_NODELAY=yes",
		"r:TCP_NODELAY=yes" };
	struct option_ctx ctx = { .arena = arena };

	for (size_t i = 0; i < COUNT_OF(defaults); i++)
		if (!sock_parse_option(&ctx, NULL, conf, defaults[i]))
			return false;
	return true;
}

bool
sock_split_inherited(struct arena *arena, const struct sockopts *all, struct sockopts *listener,
    struct sockopts *each)
{
	*listener = *each = (struct sockopts){ NULL, 0 };
	for (unsigned i = 0; i < all->n; i++)
		if (!sockopts_set(arena, all->v[i].kind->inherited ? listener : each, all->v[i]))
			return false;
	return true;
}

/* One list serves TCP and UNIX sockets: what a socket has no notion of is passed over. */
static bool
unknown_here(int error)
{
	return error == EOPNOTSUPP || error == ENOPROTOOPT;
}

const char *
sock_apply(int fd, const struct sockopts *opts)
{
	for (unsigned i = 0; i < opts->n; i++) {
		const struct sockopt *o = &opts->v[i];

		if (setsockopt(fd, o->kind->level, o->kind->option, o->value, o->size) == -1 &&
		    !unknown_here(errno))
			return o->kind->name;
	}
	return NULL;
}

enum { SHOWN = 64 }; /* bytes of a value as text */

/* What is set there on sockets of `side`. */
static void
show_default(const struct sock_conf *conf, enum sock_side side, const struct sockopt_kind *k,
    char out[SHOWN])
{
	const struct sockopts *opts = &conf->side[side];

	(void)snprintf(out, SHOWN, "--");
	for (unsigned i = 0; i < opts->n; i++)
		if (opts->v[i].kind == k)
			k->type->show(opts->v[i].value, out, SHOWN);
}

/* What a new socket has. */
static void
show_system(int fd, const struct sockopt_kind *k, char out[SHOWN])
{
	union value v = { 0 };
	socklen_t size = k->type->size;

	(void)snprintf(out, SHOWN, "--");
	if (getsockopt(fd, k->level, k->option, &v, &size) == 0)
		k->type->show(&v, out, SHOWN);
}

void
sock_each(void (*row)(void *arg, const struct sock_row *), void *arg)
{
	int fd4 = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct arena *arena = arena_new();
	struct sock_conf conf = { 0 };

	if (arena == NULL || !sock_defaults(arena, &conf))
		conf = (struct sock_conf){ 0 }; /* no memory: there is less to show */
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		const struct sockopt_kind *k = &kinds[i];
		char sides[SOCK_SIDES][SHOWN], system[SHOWN];
		struct sock_row r = { .name = k->name, .kind = k->type->name, .system = system };

		for (enum sock_side side = SOCK_ACCEPT; side < SOCK_SIDES; side++) {
			show_default(&conf, side, k, sides[side]);
			r.side[side] = sides[side];
		}
		show_system(k->level == IPPROTO_IPV6 ? fd6 : fd4, k, system);
		row(arg, &r);
	}
	arena_free(arena);
	if (fd4 != -1)
		close(fd4);
	if (fd6 != -1)
		close(fd6);
}

/* Is this a socket file whose process is gone?  Then nobody is deprived by its removal. */
static bool
unix_is_stale(const struct addr *a)
{
	struct stat st;
	bool refused;
	int fd;

	if (lstat(a->un.sun_path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	refused = connect(fd, &a->sa, a->len) == -1 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static bool
bind_unix(int fd, const struct addr *a)
{
	if (bind(fd, &a->sa, a->len) == 0)
		return true;
	if (errno != EADDRINUSE)
		return false;
	/* A daemon that was killed leaves its file behind, and must be able to start again. */
	if (!unix_is_stale(a) || unlink(a->un.sun_path) == -1) {
		errno = EADDRINUSE;
		return false;
	}
	return bind(fd, &a->sa, a->len) == 0;
}

/* net.ipv6.bindv6only may say otherwise; the configuration's IPV6_V6ONLY comes later and wins. */
static bool
make_dual_stack(int fd)
{
	int off = 0;

	return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0;
}

static int
socket_with(const struct addr *a, const struct sockopts *opts)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved;

	if (fd == -1)
		return -1;
	if (a->sa.sa_family == AF_INET6 && !make_dual_stack(fd))
		goto fail;
	if (sock_apply(fd, opts) != NULL)
		goto fail;
	return fd;

fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
listen_unix(int fd, const struct addr *a, uid_t uid, gid_t gid)
{
	int saved;

	if (!bind_unix(fd, a))
		return -1;
	/* Before listen(): nobody connects while the file still has the wrong owner. */
	if (uid != (uid_t)-1 || gid != (gid_t)-1)
		if (lchown(a->un.sun_path, uid, gid) == -1)
			goto fail;
	if (listen(fd, SOMAXCONN) == 0)
		return 0;

fail:
	saved = errno;
	unlink(a->un.sun_path);
	errno = saved;
	return -1;
}

static int
listen_tcp(int fd, const struct addr *a)
{
	return bind(fd, &a->sa, a->len) == 0 ? listen(fd, SOMAXCONN) : -1;
}

int
sock_listen(const struct addr *a, const struct sockopts *opts, uid_t uid, gid_t gid)
{
	int fd = socket_with(a, opts);
	int saved;

	if (fd == -1)
		return -1;
	if ((addr_is_unix(a) ? listen_unix(fd, a, uid, gid) : listen_tcp(fd, a)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void
sock_reset_on_close(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	/* Best effort: a UNIX socket takes it without effect, and a dead one needs no reset. */
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* ---- transparent ---- */

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif
/* For connect(): the port is chosen together with the target, so that few ports go a long way. */
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
/* linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h; the former clashes with netinet/in.h.
 */
enum { ORIGINAL_DST = 80 };

static struct sock_maker *maker; /* NULL: this process itself */

static int
own_foreign(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, done, saved;

	if (fd == -1)
		return -1;
	if (family == AF_INET6)
		done = setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
	else
		done = setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
	if (done == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
sock_foreign(int family)
{
	return maker != NULL ? maker->foreign(maker, family) : own_foreign(family);
}

bool
sock_may_be_foreign(void)
{
	int fd = sock_foreign(AF_INET);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

void
sock_use(struct sock_maker *m)
{
	maker = NULL;
	if (m != NULL && !sock_may_be_foreign())
		maker = m;
}

bool
sock_bind_source(int fd, const struct addr *local)
{
	struct addr any_port = *local;
	int on = 1;

	/* The client's own port, so that the target sees what it would have seen. */
	if (addr_port(local) >= IPPORT_RESERVED && bind(fd, &local->sa, local->len) == 0)
		return true;
	addr_set_port(&any_port, 0);
	/* An old kernel chooses the port now instead; that is only a smaller supply. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, &any_port.sa, any_port.len) == 0;
}

bool
sock_original_destination(int fd, struct addr *out)
{
	*out = (struct addr){ .len = sizeof(out->in6) };
	if (getsockopt(fd, IPPROTO_IPV6, ORIGINAL_DST, &out->sa, &out->len) == 0)
		return true;
	out->len = sizeof(out->in);
	if (getsockopt(fd, IPPROTO_IP, ORIGINAL_DST, &out->sa, &out->len) == 0)
		return true;
	/* Nothing was rewritten: TPROXY, or no packet filter at all. */
	out->len = sizeof(out->un);
	if (getsockname(fd, &out->sa, &out->len) == -1)
		return false;
	*out = addr_unmapped(out);
	if (out->sa.sa_family == AF_INET || out->sa.sa_family == AF_INET6)
		return true;
	errno = EAFNOSUPPORT;
	return false;
}

bool
sock_is_named(int fd, const struct addr *name)
{
	struct addr own = { .len = sizeof(own.un) };

	return !addr_is_unix(name) && getsockname(fd, &own.sa, &own.len) == 0 &&
	       addr_equal(&own, name);
}

bool
sock_lacked_means(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}
