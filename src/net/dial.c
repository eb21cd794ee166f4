/* SPDX-License-Identifier: Apache-2.0 */
/* net/dial.c -- reach one of several targets. */
#include "net/dial.h"

#include "net/race.h"
#include "net/sock.h"

#include <errno.h>
#include <string.h>

enum {
	DIAL_MAGIC = 0x51c3e0f6,
	FULL_MS = 50, /* until a UNIX socket whose queue was full is tried again */
};

struct dial {
	unsigned magic;
	const struct dial_plan *plan;
	unsigned target; /* number of the one that is tried */
	int64_t since;	 /* ... from when on */
	unsigned left;	 /* targets not yet looked at, after this one */
	unsigned turn;	 /* at which of its addresses a target begins, going round */
	unsigned next;	 /* of lookup.addrs */
	bool looked_up;	 /* lookup holds the target's addresses */
	bool resolved;	 /* some target had an address */
	bool connecting;
	bool full;		  /* ... as soon as the target's queue has room */
	int64_t full_since;	  /* 0: it never was full */
	struct addr favourite;	  /* .len 0: none, or it had its turn */
	const struct addr *tried; /* the last one, or the one that has connected */
	struct race *race;	  /* NULL: one after the other */
	enum reason reason;
	int errnum; /* of the last address that failed */
	struct lookup lookup;
	struct timer timer;
	struct resolver *resolver;
	struct loop *loop;
	struct pool *pool;
	const struct log_ctx *log;
	struct task *task;
	struct stream *out;
};

struct dial *
dial_new(const struct dial_plan *plan, unsigned first, struct resolver *resolver, struct loop *loop,
    struct pool *pool, const struct log_ctx *log, struct task *task, struct stream *out)
{
	struct dial *d;

	MUST(plan->count > 0);
	if (OBJ_NEW(d, DIAL_MAGIC) == NULL)
		return NULL;
	d->plan = plan;
	d->target = first % plan->count;
	d->turn = first / plan->count;
	d->left = plan->count - 1;
	d->since = loop_now(loop);
	d->resolver = resolver;
	d->loop = loop;
	d->pool = pool;
	d->log = log;
	d->task = d->lookup.task = d->timer.task = task;
	d->out = out;
	d->out->watch.fd = -1;
	return d;
}

void
dial_favour(struct dial *d, const struct addr *address)
{
	d->favourite = *address;
}

static enum io
give_up(struct dial *d)
{
	log_err(d->log, d->resolved ? "No more addresses to connect" : "No remote host resolved");
	if (d->reason == R_NONE)
		d->reason = d->resolved ? R_CONNECT : R_RESOLVE;
	return IO_FAILED;
}

/* The target's addresses without asking anyone; false: they must be looked up. */
static bool
known_addresses(const struct target *t, struct lookup *l)
{
	if (t->numeric.len != 0) {
		l->addrs[0] = t->numeric;
		l->count = 1;
		return true;
	}
	if (t->host != NULL)
		return false;
	/*
	 * Only a port: this machine.  127.0.0.1 comes first, since a daemon that listens on one
	 * loopback address listens on that one.
	 */
	l->addrs[0] = (struct addr){ .len = sizeof(struct sockaddr_in),
		.in = { .sin_family = AF_INET,
		    .sin_port = htons(t->port),
		    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	l->addrs[1] = (struct addr){ .len = sizeof(struct sockaddr_in6),
		.in6 = { .sin6_family = AF_INET6,
		    .sin6_port = htons(t->port),
		    .sin6_addr = IN6ADDR_LOOPBACK_INIT } };
	l->count = 2;
	return true;
}

/* Begin with another address than the first. */
static void
turn_round(struct lookup *l, unsigned turn)
{
	for (turn = l->count > 0 ? turn % l->count : 0; turn > 0; turn--) {
		struct addr first = l->addrs[0];

		memmove(&l->addrs[0], &l->addrs[1], (l->count - 1) * sizeof(first));
		l->addrs[l->count - 1] = first;
	}
}

/* The words are the incumbent's. */
static void
put_favourite_first(struct dial *d)
{
	struct lookup *l = &d->lookup;
	char text[ADDR_TEXT];
	unsigned i = 0;

	while (i < l->count && !addr_equal(&l->addrs[i], &d->favourite))
		i++;
	addr_text(&d->favourite, text);
	if (i < l->count) {
		memmove(&l->addrs[1], &l->addrs[0], i * sizeof(l->addrs[0]));
		l->addrs[0] = d->favourite;
	}
	log_info(d->log, "persistence: %s %s", text, i < l->count ? "reused" : "not available");
	d->favourite.len = 0;
}

/* An answer that was waited for holds: to ask again for a fresher one would never end. */
static enum io
look_up(struct dial *d)
{
	const struct target *t = &d->plan->targets[d->target];

	if (!known_addresses(t, &d->lookup)) {
		if (!d->lookup.done && resolve(d->resolver, &d->lookup, t->host, t->port,
					   d->plan->fresh_names) == IO_AGAIN)
			return IO_AGAIN;
		if (d->lookup.count == 0)
			log_err(d->log, "Error resolving \"%s\": %s", t->host,
			    d->lookup.error != NULL ? d->lookup.error : "out of memory");
	}
	turn_round(&d->lookup, d->turn);
	if (d->favourite.len != 0)
		put_favourite_first(d); /* where a race leaves it */
	d->looked_up = true;
	d->resolved |= d->lookup.count > 0;
	d->next = 0;
	return IO_OK;
}

/* Go on to the next target.  False: there is none. */
static bool
next_target(struct dial *d)
{
	if (d->left == 0)
		return false;
	d->left--;
	d->target = (d->target + 1) % d->plan->count;
	d->since = loop_now(d->loop);
	d->lookup.count = 0;
	d->lookup.done = d->looked_up = false;
	d->full_since = 0;
	return true;
}

/* One address has failed: say so, and leave the stream closed. */
static void
failed(struct dial *d, bool timeout)
{
	char text[ADDR_TEXT];

	addr_text(dial_address(d), text);
	d->errnum = timeout ? ETIMEDOUT : d->out->errnum;
	if (timeout)
		log_err(d->log, "s_connect: s_poll_wait %s: TIMEOUTconnect exceeded", text);
	else
		log_err(d->log, "s_connect: connect %s: %s (%d)", text, strerror(d->out->errnum),
		    d->out->errnum);
	loop_untimer(d->loop, &d->timer);
	stream_close(d->out, false);
	d->connecting = false;
}

/* May this address be tried? */
static bool
may_try(struct dial *d, const struct addr *to)
{
	char text[ADDR_TEXT];

	if (d->plan->refuse != NULL &&
	    (d->reason = d->plan->refuse(d->plan->owner, to)) != R_NONE) {
		log_err(d->log, "Not connecting %s: %s", addr_text(to, text),
		    reason_info(d->reason)->words);
		return false;
	}
	if (d->plan->local != NULL && !addr_is_unix(to) &&
	    d->plan->local->sa.sa_family != to->sa.sa_family) {
		log_info(d->log, "s_connect: skipping %s: the source address is of another family",
		    addr_text(to, text));
		return false;
	}
	return true;
}

/*
 * unix(7): connect() answers EAGAIN at once where the listener's queue is full; TCP would try again
 * by itself.  True: wait a moment, as the timer tells, and try the same address once more.
 */
static bool
waits_for_room(struct dial *d, const struct addr *to)
{
	int64_t now = loop_now(d->loop);
	char text[ADDR_TEXT];

	if (d->out->errnum != EAGAIN || !addr_is_unix(to) || d->left > 0)
		return false; /* another target may have room now */
	if (d->full_since == 0) {
		log_info(d->log, "s_connect: the queue of %s is full; waiting for room",
		    addr_text(to, text));
		d->full_since = now;
	}
	if (d->plan->timeout_ms >= 0 && now - d->full_since >= d->plan->timeout_ms)
		return false;
	d->full = true;
	d->next--;
	loop_timer(d->loop, &d->timer, FULL_MS);
	return true;
}

/* Begin with the next address of this target. */
static void
try_address(struct dial *d)
{
	const struct addr *to = d->tried = &d->lookup.addrs[d->next++];
	char text[ADDR_TEXT];

	if (!may_try(d, to))
		return;
	if (d->full_since == 0)
		log_info(d->log, "s_connect: connecting %s", addr_text(to, text));
	if (stream_connect(d->out, d->loop, d->pool, d->log, to, d->plan->local, d->plan->foreign,
		d->task) == IO_FAILED) {
		if (!waits_for_room(d, to))
			failed(d, d->out->errnum == EAGAIN && d->full_since != 0);
		return;
	}
	d->connecting = true;
	if (d->plan->timeout_ms >= 0)
		loop_timer(d->loop, &d->timer, d->plan->timeout_ms);
}

/* ---- several at once ---- */

static bool
begin_race(struct dial *d)
{
	const struct race_terms terms = {
		.loop = d->loop,
		.pool = d->pool,
		.log = d->log,
		.task = d->task,
		.local = d->plan->local,
		.foreign = d->plan->foreign,
		.timeout_ms = d->plan->timeout_ms,
	};

	race_sort(d->lookup.addrs, d->lookup.count);
	return (d->race = race_new(&terms)) != NULL;
}

/* IO_FAILED: no address of this target is left to try. */
static enum io
run_race(struct dial *d)
{
	for (;;) {
		enum io got = race_step(d->race, d->out, &d->tried);
		const struct addr *to;

		if (got == IO_OK)
			return IO_OK;
		if (d->next == d->lookup.count && got == IO_FAILED)
			break;
		if (d->next == d->lookup.count || !race_has_room(d->race))
			return IO_AGAIN;
		to = &d->lookup.addrs[d->next++];
		if (may_try(d, to))
			race_start(d->race, to);
	}
	if (race_errnum(d->race) != 0)
		d->errnum = race_errnum(d->race);
	race_free(d->race);
	d->race = NULL;
	return IO_FAILED;
}

/* ---- all of it ---- */

/* The addresses alone were asked for: those that may be told. */
static enum io
tell(struct dial *d)
{
	struct lookup *l = &d->lookup;
	unsigned n = 0;

	for (unsigned i = 0; i < l->count; i++)
		if (d->plan->refuse == NULL ||
		    (d->reason = d->plan->refuse(d->plan->owner, &l->addrs[i])) == R_NONE)
			l->addrs[n++] = l->addrs[i];
	l->count = n;
	if (n > 0)
		d->reason = R_LOOKED_UP;
	return IO_FAILED;
}

static enum io
reached(struct dial *d)
{
	char text[ADDR_TEXT];

	loop_untimer(d->loop, &d->timer);
	log_notice(d->log, "s_connect: connected %s", addr_text(d->tried, text));
	return IO_OK;
}

enum io
dial_step(struct dial *d)
{
	enum io got;

	CHECK_OBJ(d, DIAL_MAGIC);
	for (;;) {
		if (d->race != NULL) {
			if ((got = run_race(d)) != IO_FAILED)
				return got == IO_OK ? reached(d) : got;
		} else if (d->connecting) {
			got = stream_connected(d->out, d->tried);
			if (got == IO_AGAIN && !d->timer.fired)
				return IO_AGAIN;
			if (got == IO_OK)
				return reached(d);
			failed(d, got == IO_AGAIN);
		} else if (d->full) {
			if (!d->timer.fired)
				return IO_AGAIN;
			d->full = false;
		} else if (!d->looked_up) {
			if (look_up(d) == IO_AGAIN)
				return IO_AGAIN;
		} else if (d->plan->only_look_up && d->lookup.count > 0) {
			return tell(d);
		} else if (d->next == 0 && d->lookup.count > 1 && d->plan->race) {
			if (!begin_race(d)) {
				d->reason = R_NO_MEMORY;
				return IO_FAILED;
			}
		} else if (d->next < d->lookup.count) {
			try_address(d);
		} else if (!next_target(d)) {
			return give_up(d);
		}
	}
}

enum reason
dial_reason(const struct dial *d)
{
	return d->reason;
}

int
dial_errnum(const struct dial *d)
{
	return d->errnum;
}

bool
dial_lacked_means(const struct dial *d)
{
	return sock_lacked_means(d->errnum);
}

const struct addr *
dial_found(const struct dial *d, int family)
{
	for (unsigned i = 0; i < d->lookup.count; i++)
		if (family == AF_UNSPEC || d->lookup.addrs[i].sa.sa_family == family)
			return &d->lookup.addrs[i];
	return NULL;
}

unsigned
dial_target(const struct dial *d)
{
	return d->target;
}

int64_t
dial_since(const struct dial *d)
{
	return d->since;
}

const struct addr *
dial_address(const struct dial *d)
{
	return d->tried;
}

bool
dial_had_choice(const struct dial *d)
{
	return d->plan->count > 1 || d->lookup.count > 1;
}

void
dial_free(struct dial *d)
{
	if (d == NULL)
		return;
	CHECK_OBJ(d, DIAL_MAGIC);
	resolve_cancel(&d->lookup);
	race_free(d->race);
	loop_untimer(d->loop, &d->timer);
	OBJ_FREE(d);
}
