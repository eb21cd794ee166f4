/* SPDX-License-Identifier: Apache-2.0 */
/* net/resolve.c -- c-ares on our loop, and the answers that it gave. */
#include "net/resolve.h"

#include "base/hash.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

/* Clients of a proxy choose names: without a secret key they could all share a bucket. */
static struct hash_key secret;
#define HASH_FUNCTION(key, len, hash) ((hash) = (unsigned)hash_bytes(&secret, key, len))
#include <uthash.h>
#include <utlist.h>

enum {
	RESOLVER_MAGIC = 0x2c5b90e3,
	NAME_MAGIC = 0x71f3a8d4,

	/* A record may say 0 or 68 years; neither is good for a server. */
	TTL_MIN_MS = 1000,
	TTL_MAX_MS = 3600 * 1000,
	FAILURE_MS = 1000,

	/* c-ares doubles the wait for each try: 2 + 4 + 8 s for each server, not its default of 75.
	 */
	TRY_MS = 2000,
	TRIES = 3,

	/* Names come from clients, too; what is kept of them, and asked for, has an end. */
	NAMES_MAX = 1024,
	ASKED_MAX = 4096, /* c-ares cannot forget a question */
};

static const char *use_servers; /* nameServers; NULL: those of resolv.conf */

/* One host and what is known of it.  The port is the asker's affair. */
struct name {
	unsigned magic;
	struct resolver *resolver;
	char *host; /* the key */
	UT_hash_handle hh;
	bool asking;
	int64_t until;			/* no new question before this time; loop_now() */
	struct addr addrs[RESOLVE_MAX]; /* the last good answer, kept when a later question fails */
	unsigned count;
	const char *error; /* of the last question that ended; NULL: it was answered */
	struct lookup *waiting;
	struct name *prev, *next; /* in ->resolver->known; .prev NULL: it is not */
};

/* A socket of c-ares. */
struct dns_socket {
	struct watch watch;
	struct task task;
	struct resolver *resolver;
	struct dns_socket *prev, *next;
};

struct resolver {
	unsigned magic;
	struct loop *loop;
	ares_channel channel;
	struct dns_socket *sockets;
	struct timer timer; /* c-ares' next try */
	struct task task;   /* the timer's */
	struct name *names;
	struct name *known; /* those not being asked for; who was not wanted for longest is first */
	unsigned asked;	    /* the others */
};

/* After every call into c-ares: it may have sent, received or given up. */
static void
set_timer(struct resolver *r)
{
	struct timeval tv;

	if (ares_timeout(r->channel, NULL, &tv) == NULL)
		loop_untimer(r->loop, &r->timer);
	else
		loop_timer(r->loop, &r->timer, tv.tv_sec * 1000 + tv.tv_usec / 1000 + 1);
}

static void
on_timer(void *owner)
{
	struct resolver *r = owner;

	CHECK_OBJ(r, RESOLVER_MAGIC);
	r->timer.fired = false;
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(r);
}

static void
on_socket(void *owner)
{
	struct dns_socket *s = owner;
	struct resolver *r = s->resolver;
	int in = s->watch.readable ? s->watch.fd : ARES_SOCKET_BAD;
	int out = s->watch.writable ? s->watch.fd : ARES_SOCKET_BAD;

	s->watch.readable = s->watch.writable = false;
	ares_process_fd(r->channel, in, out); /* may close, and so free, the socket */
	set_timer(r);
}

static void
socket_forget(struct dns_socket *s)
{
	loop_unwatch(s->resolver->loop, &s->watch);
	loop_cancel(s->resolver->loop, &s->task);
	DL_DELETE(s->resolver->sockets, s);
	free(s);
}

static struct dns_socket *
socket_find(struct resolver *r, int fd)
{
	struct dns_socket *s;

	DL_FOREACH (r->sockets, s)
		if (s->watch.fd == fd)
			return s;
	return NULL;
}

/* Without memory or a watch the socket stays mute, and the timer ends its question. */
static void
socket_watch(struct resolver *r, int fd, enum interest interest)
{
	struct dns_socket *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return;
	s->resolver = r;
	s->task = (struct task){ .run = on_socket, .owner = s, .lane = LANE_RELAY };
	s->watch = (struct watch){ .fd = fd, .task = &s->task };
	DL_APPEND(r->sockets, s);
	if (!loop_watch(r->loop, &s->watch, interest))
		socket_forget(s);
}

/* c-ares wants this of a descriptor; nothing at all means that it is about to close it. */
static void
on_interest(void *data, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = data;
	struct dns_socket *s = socket_find(r, fd);

	if (s != NULL)
		socket_forget(s);
	if (readable || writable)
		socket_watch(r, fd,
		    !writable  ? WATCH_READ
		    : readable ? WATCH_READ_WRITE
			       : WATCH_WRITE);
}

/* An address alone, with or without brackets, or one with its port. */
static bool
parse_server(struct option_ctx *ctx, const char *text, struct addr *out)
{
	enum { DNS_PORT = 53 };
	size_t len = strlen(text);
	bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
	char *host = arena_strndup(ctx->arena, text + brackets, len - 2U * brackets);
	struct in6_addr v6;
	struct in_addr v4;
	struct target t;

	if (host == NULL)
		return option_refuse(ctx, "out of memory");
	*out = (struct addr){ .len = 0 };
	if (inet_pton(AF_INET, host, &v4) == 1)
		*out = (struct addr){ .len = sizeof(out->in),
			.in = { .sin_family = AF_INET, .sin_addr = v4 } };
	else if (inet_pton(AF_INET6, host, &v6) == 1)
		*out = (struct addr){ .len = sizeof(out->in6),
			.in6 = { .sin6_family = AF_INET6, .sin6_addr = v6 } };
	if (out->len != 0) {
		addr_set_port(out, DNS_PORT);
		return true;
	}
	if (!target_parse(ctx->arena, text, &t, ctx->why, sizeof(ctx->why)))
		return false;
	*out = t.numeric;
	return (t.path == NULL && t.host != NULL && t.numeric.len != 0 && t.port != 0) ||
	       option_refuse(
		   ctx, "\"%s\" is no address; write one such as 192.0.2.53 or [::1]:53", text);
}

/* Field: const char *, as c-ares takes it: brackets around IPv6, and every port named. */
bool
resolver_parse_servers(
    struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	char *list = arena_strdup(ctx->arena, value), *rest = NULL, host[ADDR_TEXT];
	const char *all = "";

	(void)o;
	for (char *one = list == NULL ? NULL : strtok_r(list, ", \t", &rest);
	     one != NULL && all != NULL; one = strtok_r(NULL, ", \t", &rest)) {
		struct addr a = { .len = 0 };
		bool v6;

		if (!parse_server(ctx, one, &a))
			return false;
		v6 = a.sa.sa_family == AF_INET6;
		all = arena_printf(ctx->arena, "%s%s%s%s%s:%u", all, *all == '\0' ? "" : ",",
		    v6 ? "[" : "", addr_host_text(&a, host), v6 ? "]" : "",
		    (unsigned)addr_port(&a));
	}
	if (list == NULL || all == NULL)
		return option_refuse(ctx, "out of memory");
	if (*all == '\0')
		return option_refuse(ctx, "write the addresses of name servers");
	*(const char **)field = all;
	return true;
}

static void
start_library(void)
{
	(void)ares_library_init(ARES_LIB_INIT_ALL); /* on Unix it only sets up memory functions */
	secret = hash_random_key();
}

static bool
open_channel(struct resolver *r, const char *servers)
{
	struct ares_options options = {
		.sock_state_cb = on_interest,
		.sock_state_cb_data = r,
		.timeout = TRY_MS,
		.tries = TRIES,
	};
	int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
	int status = ares_init_options(&r->channel, &options, mask);

	if (status == ARES_SUCCESS && servers != NULL)
		status = ares_set_servers_ports_csv(r->channel, servers);
	if (status != ARES_SUCCESS)
		log_err(&log_main, "The resolver cannot start: %s", ares_strerror(status));
	return status == ARES_SUCCESS;
}

struct resolver *
resolver_new_at(struct loop *loop, const char *servers)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct resolver *r;

	pthread_once(&once, start_library);
	if (OBJ_NEW(r, RESOLVER_MAGIC) == NULL) {
		log_err(&log_main, "The resolver cannot start: %s", strerror(errno));
		return NULL;
	}
	r->loop = loop;
	r->task = (struct task){ .run = on_timer, .owner = r, .lane = LANE_RELAY };
	r->timer.task = &r->task;
	if (open_channel(r, servers))
		return r;
	resolver_free(r);
	return NULL;
}

void
resolver_use(const char *servers)
{
	use_servers = servers;
}

struct resolver *
resolver_new(struct loop *loop)
{
	return resolver_new_at(loop, use_servers);
}

static void
leave_list(struct name *n)
{
	if (n->prev != NULL)
		DL_DELETE(n->resolver->known, n);
	n->prev = NULL;
}

static void
name_free(struct name *n)
{
	HASH_DEL(n->resolver->names, n);
	leave_list(n);
	free(n->host);
	OBJ_FREE(n);
}

void
resolver_free(struct resolver *r)
{
	struct name *n, *next;

	if (r == NULL)
		return;
	CHECK_OBJ(r, RESOLVER_MAGIC);
	HASH_ITER (hh, r->names, n, next)
		MUST(n->waiting == NULL);
	/* Answers every open question and closes every socket, through the functions above. */
	if (r->channel != NULL)
		ares_destroy(r->channel);
	MUST(r->sockets == NULL);
	HASH_ITER (hh, r->names, n, next)
		name_free(n);
	loop_untimer(r->loop, &r->timer);
	loop_cancel(r->loop, &r->task);
	OBJ_FREE(r);
}

/* Hand over what is known. */
static enum io
give(const struct name *n, struct lookup *l)
{
	memcpy(l->addrs, n->addrs, n->count * sizeof(n->addrs[0]));
	for (unsigned i = 0; i < n->count; i++)
		addr_set_port(&l->addrs[i], l->port);
	l->count = n->count;
	l->error = n->count > 0 ? NULL : n->error;
	l->done = true;
	return n->count > 0 ? IO_OK : IO_FAILED;
}

static void
give_all(struct name *n)
{
	struct lookup *l, *next;

	DL_FOREACH_SAFE (n->waiting, l, next) {
		DL_DELETE(n->waiting, l);
		l->name = NULL;
		(void)give(n, l);
		loop_queue(n->resolver->loop, l->task);
	}
}

/* Replace the addresses by the answer's; returns the shortest TTL in ms. */
static int64_t
take_answer(struct name *n, const struct ares_addrinfo *answer)
{
	int64_t ttl = TTL_MAX_MS;

	n->count = 0;
	for (const struct ares_addrinfo_node *a = answer->nodes; a != NULL; a = a->ai_next) {
		if (n->count == RESOLVE_MAX ||
		    (a->ai_family != AF_INET && a->ai_family != AF_INET6))
			continue;
		n->addrs[n->count++] = addr_from(a->ai_addr, a->ai_addrlen);
		if ((int64_t)a->ai_ttl * 1000 < ttl)
			ttl = (int64_t)a->ai_ttl * 1000;
	}
	return ttl < TTL_MIN_MS ? TTL_MIN_MS : ttl;
}

static bool
has_address(const struct ares_addrinfo *answer)
{
	const struct ares_addrinfo_node *a = answer != NULL ? answer->nodes : NULL;

	while (a != NULL && a->ai_family != AF_INET && a->ai_family != AF_INET6)
		a = a->ai_next;
	return a != NULL;
}

/* Runs inside a call into c-ares, and so must not make one. */
static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *answer)
{
	struct name *n = arg;
	int64_t now, keep = FAILURE_MS;

	(void)timeouts;
	CHECK_OBJ(n, NAME_MAGIC);
	now = loop_now(n->resolver->loop);
	n->error = status != ARES_SUCCESS ? ares_strerror(status) : "the name has no address";
	if (status == ARES_SUCCESS && has_address(answer)) {
		n->error = NULL;
		keep = take_answer(n, answer);
	}
	n->asking = false;
	n->resolver->asked--;
	DL_APPEND(n->resolver->known, n);
	n->until = now + keep;
	if (answer != NULL)
		ares_freeaddrinfo(answer);
	give_all(n);
}

static void
ask(struct name *n)
{
	const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };

	n->asking = true;
	n->resolver->asked++;
	leave_list(n);
	ares_getaddrinfo(n->resolver->channel, n->host, NULL, &hints, on_answer, n);
	set_timer(n->resolver);
}

/* The known ones that were not wanted for longest go.  False: too many are being asked for. */
static bool
make_room(struct resolver *r)
{
	if (r->asked >= ASKED_MAX)
		return false;
	while (r->known != NULL && HASH_COUNT(r->names) - r->asked >= NAMES_MAX)
		name_free(r->known);
	return true;
}

static struct name *
name_new(struct resolver *r, const char *host)
{
	struct name *n;

	if (!make_room(r) || OBJ_NEW(n, NAME_MAGIC) == NULL)
		return NULL;
	n->resolver = r;
	if ((n->host = strdup(host)) != NULL)
		HASH_ADD_KEYPTR(hh, r->names, n->host, strlen(n->host), n);
	if (n->hh.tbl != NULL) /* it is in the table */
		return n;
	free(n->host);
	OBJ_FREE(n);
	return NULL;
}

static struct name *
name_find(struct resolver *r, const char *host)
{
	struct name *n;

	HASH_FIND_STR(r->names, host, n);
	return n != NULL ? n : name_new(r, host);
}

enum io
resolve(struct resolver *r, struct lookup *l, const char *host, uint16_t port, bool fresh)
{
	struct name *n;

	CHECK_OBJ(r, RESOLVER_MAGIC);
	resolve_cancel(l);
	l->done = false;
	l->count = 0;
	l->port = port;
	if ((n = name_find(r, host)) == NULL) {
		l->done = true;
		l->error =
		    r->asked < ASKED_MAX ? "out of memory" : "too many names are being asked for";
		return IO_FAILED;
	}
	/* A failure is kept for the impatient too, or each of their connections would ask again. */
	if (!n->asking && (loop_now(r->loop) >= n->until || (fresh && n->error == NULL)))
		ask(n);
	if (!n->asking) { /* known, or answered at once from the hosts file */
		leave_list(n);
		DL_APPEND(r->known, n);
		return give(n, l);
	}
	/* The name service fails: only the first to ask waits for it, the others take the last good
	 * answer. */
	if (n->error != NULL && n->count > 0)
		return give(n, l);
	l->name = n;
	DL_APPEND(n->waiting, l);
	return IO_AGAIN;
}

void
resolve_cancel(struct lookup *l)
{
	if (l->name == NULL)
		return;
	CHECK_OBJ(l->name, NAME_MAGIC);
	DL_DELETE(l->name->waiting, l);
	l->name = NULL;
}

void
resolver_query(struct resolver *r, const char *name, int type,
    void (*done)(void *owner, int status, int timeouts, unsigned char *message, int size),
    void *owner)
{
	enum { CLASS_IN = 1 };

	CHECK_OBJ(r, RESOLVER_MAGIC);
	ares_query(r->channel, name, CLASS_IN, type, done, owner);
	set_timer(r);
}
