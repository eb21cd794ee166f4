/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_account.c -- RADIUS is told of a VPN's sessions (RFC 2866). */
#include "tunnel/vpn_account.h"

#include "base/digest.h"
#include "base/text.h"
#include "tunnel/vpn_radius.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

enum {
	VPN_ACCOUNTS_MAGIC = 0x5d0be274,
	VPN_ACCOUNT_MAGIC = 0x36c2a91f,
	WAIT = 1000,	       /* ms, behind the first transmission; then twice as much each time */
	WAIT_MAX = 60 * 1000,  /* ... up to this */
	TELL_MAX = 600 * 1000, /* how long one record is told again and again */
	INTERIM_MIN = 60,      /* seconds; RFC 2869 5.16: not less */
	ORPHANS_MAX = 1024,    /* sessions of a worker that are over and not confirmed */
	PACKETS_MAX = 8,       /* read in one turn */
};

struct vpn_accounts {
	unsigned magic;
	struct loop *loop;
	struct vpn_account *living, *orphans; /* the oldest first */
	unsigned orphan_count;
};

/* What is being told. */
struct record {
	struct radius_request request; /* as it was sent last */
	struct radius_usage usage;
	int64_t since, due; /* ms: the event; the next transmission */
	unsigned wait;
};

struct vpn_account {
	unsigned magic;
	struct vpn_accounts *all;
	struct vpn_radius *radius;
	struct log_ctx log;
	struct task task;
	struct timer timer;
	struct watch watch;    /* fd -1: nothing is told */
	struct record *record; /* ... and this NULL */
	struct radius_facts facts;
	char *user, *client, *session, *connection; /* of the facts */
	struct radius_blob class;
	struct in_addr address;
	uint8_t prefix6[RADIUS_PREFIX6];
	bool has_prefix6;
	void (*read)(const void *owner, struct vpn_usage *);
	const void *owner;
	int64_t began, interim, next_interim; /* ms */
	uint8_t id;
	bool over;
	struct vpn_account *prev, *next;
};

/* ---- the accounts of a worker ---- */

struct vpn_accounts *
vpn_accounts_new(struct loop *loop)
{
	struct vpn_accounts *all;

	if (OBJ_NEW(all, VPN_ACCOUNTS_MAGIC) == NULL)
		return NULL;
	all->loop = loop;
	return all;
}

static void
hush(struct vpn_account *a)
{
	if (a->watch.fd != -1) {
		loop_unwatch(a->all->loop, &a->watch);
		(void)close(a->watch.fd);
	}
	a->watch.fd = -1;
	free(a->record);
	a->record = NULL;
}

static void
account_free(struct vpn_account *a)
{
	hush(a);
	loop_untimer(a->all->loop, &a->timer);
	loop_cancel(a->all->loop, &a->task);
	if (a->over) {
		DL_DELETE(a->all->orphans, a);
		a->all->orphan_count--;
	} else
		DL_DELETE(a->all->living, a);
	vpn_radius_free(a->radius);
	free(a->user);
	free(a->client);
	free(a->session);
	free(a->connection);
	OBJ_FREE(a);
}

void
vpn_accounts_free(struct vpn_accounts *all)
{
	const struct vpn_account *a;
	unsigned unheard = 0;

	if (all == NULL)
		return;
	CHECK_OBJ(all, VPN_ACCOUNTS_MAGIC);
	MUST(all->living == NULL);
	/* What was told but now is on its way, and nobody is worried. */
	DL_FOREACH (all->orphans, a)
		unheard += a->record->wait > 2 * WAIT;
	if (unheard > 0)
		log_warn(&log_main,
		    "RADIUS: %u session(s) have ended without a confirmation; check "
		    "vpnAccounting, vpnRadiusSecretFile, and the server's own log",
		    unheard);
	while (all->orphans != NULL)
		account_free(all->orphans);
	OBJ_FREE(all);
}

/* ---- telling ---- */

static int64_t
now_of(const struct vpn_account *a)
{
	return loop_now(a->all->loop);
}

static const char *
name_of(enum radius_event event)
{
	static const char *const names[] = { [RADIUS_START] = "Start",
		[RADIUS_STOP] = "Stop",
		[RADIUS_INTERIM] = "Interim-Update" };

	return names[event];
}

/* Wake up for what is due first. */
static void
set_timer(struct vpn_account *a)
{
	int64_t due = a->over || a->interim == 0 ? INT64_MAX : a->next_interim, now = now_of(a);

	if (a->record != NULL && a->record->due < due)
		due = a->record->due;
	if (due == INT64_MAX)
		loop_untimer(a->all->loop, &a->timer);
	else
		loop_timer(a->all->loop, &a->timer, due > now ? due - now : 0);
}

/*
 * Each transmission says how late it is, so it is a request of its own, with a number of its own
 * (RFC 2866 5.2).  One that cannot be sent counts as lost.
 */
static void
transmit(struct vpn_account *a)
{
	struct record *r = a->record;

	r->usage.delay = (uint32_t)((now_of(a) - r->since) / 1000);
	if (!radius_account(
		&r->request, ++a->id, vpn_radius_secret(a->radius), &r->usage, &a->facts))
		log_err(&a->log, "RADIUS: cannot make a record of accounting");
	else if (send(a->watch.fd, r->request.bytes, r->request.n, 0) == -1)
		log_info(&a->log, "RADIUS: cannot send: %s", strerror(errno));
	r->due = now_of(a) + r->wait;
	r->wait = r->wait < WAIT_MAX / 2 ? 2 * r->wait : WAIT_MAX;
}

static void
read_usage(const struct vpn_account *a, struct radius_usage *u)
{
	struct vpn_usage so_far;

	a->read(a->owner, &so_far);
	u->user = a->user;
	u->address = a->address;
	u->prefix6 = a->has_prefix6 ? a->prefix6 : NULL;
	u->class = &a->class;
	u->in_bytes = so_far.in_bytes;
	u->in_packets = so_far.in_packets;
	u->out_bytes = so_far.out_bytes;
	u->out_packets = so_far.out_packets;
	u->seconds = (uint32_t)((now_of(a) - a->began) / 1000);
	u->when = (uint32_t)time(NULL);
}

/* A new record takes the place of one that is not confirmed. */
static void
tell(struct vpn_account *a, enum radius_event event, enum radius_cause cause)
{
	hush(a);
	if ((a->record = calloc(1, sizeof(*a->record))) == NULL ||
	    (a->watch.fd = vpn_radius_socket(a->radius, a->all->loop, &a->watch)) == -1) {
		log_err(
		    &a->log, "RADIUS: cannot tell of the %s: %s", name_of(event), strerror(errno));
		hush(a);
		return;
	}
	read_usage(a, &a->record->usage);
	a->record->usage.event = event;
	a->record->usage.cause = cause;
	a->record->since = now_of(a);
	a->record->wait = WAIT;
	transmit(a);
}

/* Has the server confirmed?  ICMP's errors are no news: it is told again in time. */
static bool
is_confirmed(struct vpn_account *a)
{
	uint8_t bytes[RADIUS_MAX];
	ssize_t n;

	for (int i = 0; i < PACKETS_MAX; i++) {
		n = recv(a->watch.fd, bytes, sizeof(bytes), 0);
		if (n == -1 && errno != ECONNREFUSED)
			break;
		if (n == -1)
			continue;
		switch (radius_read_account(
		    bytes, (size_t)n, &a->record->request, vpn_radius_secret(a->radius))) {
		case RADIUS_ANSWER:
			return true;
		case RADIUS_UNSIGNED:
			vpn_radius_mistrust(a->radius, &a->log, now_of(a));
			break;
		case RADIUS_NONE: /* to a transmission before, say */
			break;
		}
	}
	a->watch.readable = false;
	return false;
}

static void
go_on(struct vpn_account *a)
{
	int64_t now = now_of(a);
	char user[TEXT_SAFE_MAX];

	if (is_confirmed(a)) {
		log_debug(&a->log, "RADIUS: %s is confirmed", name_of(a->record->usage.event));
		hush(a);
	} else if (now - a->record->since >= TELL_MAX) {
		log_err(&a->log,
		    "RADIUS: nobody has confirmed the %s of \"%s\"; check vpnAccounting (%s) and "
		    "vpnRadiusSecretFile: a server that has another secret says nothing",
		    name_of(a->record->usage.event),
		    text_safe(a->user, strlen(a->user), user, sizeof(user)),
		    vpn_radius_server(a->radius));
		hush(a);
	} else if (now >= a->record->due)
		transmit(a);
}

static void
account_run(void *arg)
{
	struct vpn_account *a = arg;

	CHECK_OBJ(a, VPN_ACCOUNT_MAGIC);
	if (a->record != NULL)
		go_on(a);
	if (a->over && a->record == NULL) {
		account_free(a);
		return;
	}
	if (!a->over && a->interim != 0 && now_of(a) >= a->next_interim) {
		a->next_interim = now_of(a) + a->interim;
		tell(a, RADIUS_INTERIM, 0);
	}
	set_timer(a);
}

/* ---- a session ---- */

/* A text of the facts, of the account's own. */
static bool
keep(char **own, const char **text)
{
	*own = strdup(*text == NULL ? "" : *text);
	*text = *own;
	return *own != NULL;
}

static bool
keep_texts(struct vpn_account *a, const char *user)
{
	a->facts.nas_name = vpn_radius_name(a->radius);
	a->facts.called = NULL;
	return keep(&a->user, &user) && keep(&a->client, &a->facts.client) &&
	       keep(&a->session, &a->facts.session) && keep(&a->connection, &a->facts.connection);
}

static int64_t
interval(uint32_t seconds)
{
	if (seconds == 0)
		return 0;
	return (int64_t)1000 * (seconds < INTERIM_MIN ? INTERIM_MIN : seconds);
}

struct vpn_account *
vpn_account_begin(struct vpn_accounts *all, struct vpn_radius *radius,
    const struct vpn_account_facts *facts, const struct log_ctx *log)
{
	struct vpn_account *a;

	CHECK_OBJ(all, VPN_ACCOUNTS_MAGIC);
	if (OBJ_NEW(a, VPN_ACCOUNT_MAGIC) == NULL) {
		log_err(log, "RADIUS: no memory for an account");
		return NULL;
	}
	a->all = all;
	a->radius = vpn_radius_hold(radius);
	a->log = *log;
	a->watch.fd = -1;
	a->watch.task = a->timer.task = &a->task;
	a->task = (struct task){ .run = account_run, .owner = a, .lane = LANE_SETUP };
	a->facts = facts->radius;
	a->address = facts->address;
	a->has_prefix6 = facts->prefix6 != NULL;
	if (a->has_prefix6)
		memcpy(a->prefix6, facts->prefix6, sizeof(a->prefix6));
	a->read = facts->read;
	a->owner = facts->owner;
	a->began = now_of(a);
	a->interim = interval(facts->interim);
	a->next_interim = a->began + a->interim;
	if (facts->class != NULL)
		a->class = *facts->class;
	DL_APPEND(all->living, a);
	if (!keep_texts(a, facts->user) || !digest_random(&a->id, sizeof(a->id))) {
		log_err(log, "RADIUS: no memory for an account");
		account_free(a);
		return NULL;
	}
	tell(a, RADIUS_START, 0);
	set_timer(a);
	return a;
}

/* The oldest ones make room. */
static void
count_orphan(struct vpn_accounts *all, struct vpn_account *a)
{
	char user[TEXT_SAFE_MAX];

	DL_DELETE(all->living, a);
	a->over = true;
	DL_APPEND(all->orphans, a);
	if (++all->orphan_count <= ORPHANS_MAX)
		return;
	a = all->orphans;
	log_err(&a->log,
	    "RADIUS: too many sessions wait for a confirmation; that of \"%s\" is lost",
	    text_safe(a->user, strlen(a->user), user, sizeof(user)));
	account_free(all->orphans);
}

void
vpn_account_end(struct vpn_account *a, enum radius_cause cause)
{
	if (a == NULL)
		return;
	CHECK_OBJ(a, VPN_ACCOUNT_MAGIC);
	tell(a, RADIUS_STOP, cause);
	a->owner = NULL;
	count_orphan(a->all, a);
	if (a->record == NULL)
		account_free(a);
	else
		set_timer(a);
}
