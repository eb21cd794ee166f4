/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/seats.c -- how many clients a service has, in all and of one kind, and who waits. */
#include "tunnel/seats.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* Keys are chosen by clients: without a secret they could all be made to share a bucket. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct hash_key secret;
#define HASH_FUNCTION(key, len, hash) ((hash) = (unsigned)hash_bytes(&secret, key, len))
#include <uthash.h>
#include <utlist.h>

enum { SEATS_MAGIC = 0x5a0e92d7 };

/* Whose share it is; the first byte tells what the others are. */
struct share_key {
	size_t n; /* 0: nobody's */
	uint8_t bytes[1 + 255];
};

enum { SHARE_IPV4 = 4, SHARE_IPV6 = 6, SHARE_USER = 'u', SHARE_CERT = 'c' };

/* Who has seats of its own share; an entry goes with the last of them, so the table stays small. */
struct holder {
	int count;
	UT_hash_handle hh;
	uint8_t key[];
};

/*
 * A client in the queue.  It belongs to the queue until a seat is passed to it, and to the message
 * that tells so until that has arrived; only then, or by leaving the queue, does its client let go.
 */
struct waiter {
	struct message message;
	struct seats *seats; /* held: the message may outlive the service */
	struct mailbox *mailbox;
	bool granted; /* under the lock: the message is on its way */
	/* the worker's own */
	bool seated, deserted;
	struct loop *loop;
	struct task *task;
	struct waiter *prev, *next;
};

struct seats {
	unsigned magic;
	_Atomic unsigned refs;
	pthread_mutex_t lock;
	int limit; /* as the newest client brought it; 0: none */
	int taken, waiting;
	struct holder *holders;
	struct waiter *queue;
};

static void
make_secret(void)
{
	secret = hash_random_key();
}

struct seats *
seats_new(void)
{
	struct seats *s;

	pthread_once(&once, make_secret);
	if (OBJ_NEW(s, SEATS_MAGIC) == NULL)
		return NULL;
	s->refs = 1;
	pthread_mutex_init(&s->lock, NULL); /* pthread_mutex_init(3): always returns 0 */
	return s;
}

struct seats *
seats_hold(struct seats *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
seats_release(struct seats *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	CHECK_OBJ(s, SEATS_MAGIC);
	MUST(s->queue == NULL && s->holders == NULL);
	pthread_mutex_destroy(&s->lock);
	OBJ_FREE(s);
}

/* ---- shares ---- */

static void
set_key(struct share_key *key, uint8_t kind, const void *bytes, size_t n)
{
	MUST(n < sizeof(key->bytes));
	key->bytes[0] = kind;
	memcpy(key->bytes + 1, bytes, n);
	key->n = 1 + n;
}

/* One IPv4 address, or one IPv6 network of 64 bits. */
static void
source_key(struct share_key *key, const struct addr *peer)
{
	struct addr a = addr_unmapped(peer);

	key->n = 0;
	if (a.len == 0 || addr_is_unix(&a))
		return;
	if (a.sa.sa_family == AF_INET)
		set_key(key, SHARE_IPV4, &a.in.sin_addr, 4);
	else
		set_key(key, SHARE_IPV6, &a.in6.sin6_addr, 8);
}

/* Who has logged in is that user, whatever certificate it has. */
static void
identity_key(struct share_key *key, const struct identity *id)
{
	key->n = 0;
	if (id->user != NULL)
		set_key(key, SHARE_USER, id->user, strlen(id->user));
	else if (id->cert != NULL)
		set_key(key, SHARE_CERT, id->cert->spki, sizeof(id->cert->spki));
}

static struct holder *
holder_of(struct seats *s, const struct share_key *key)
{
	struct holder *h;

	HASH_FIND(hh, s->holders, key->bytes, key->n, h);
	if (h != NULL || (h = calloc(1, sizeof(*h) + key->n)) == NULL)
		return h;
	memcpy(h->key, key->bytes, key->n);
	HASH_ADD_KEYPTR(hh, s->holders, h->key, key->n, h);
	if (h->hh.tbl != NULL) /* it is in the table */
		return h;
	free(h);
	return NULL;
}

static void
leave_share(struct seats *s, struct holder *h)
{
	if (h == NULL || --h->count > 0)
		return;
	MUST(s->holders != NULL); /* it has `h` */
	HASH_DEL(s->holders, h);
	free(h);
}

/* With the lock.  R_NONE, with *mine to leave (NULL: nothing was taken), or why not: `full`. */
static enum reason
take_share(
    struct seats *s, int limit, const struct share_key *key, enum reason full, struct holder **mine)
{
	struct holder *h;

	*mine = NULL;
	if (limit == 0 || key->n == 0)
		return R_NONE;
	if ((h = holder_of(s, key)) == NULL)
		return R_NO_MEMORY;
	if (h->count >= limit) /* by others, whose entry it is */
		return full;
	h->count++;
	*mine = h;
	return R_NONE;
}

/* ---- the queue ---- */

static void
waiter_free(struct waiter *w)
{
	seats_release(w->seats);
	free(w);
}

static void vacate(struct seats *);

/* In the waiter's thread: a seat has been passed to it. */
static void
take_grant(struct message *m, void *worker)
{
	struct waiter *w = (struct waiter *)m;

	(void)worker;
	if (w->deserted) {
		vacate(w->seats);
		waiter_free(w);
		return;
	}
	w->seated = true;
	if (w->task != NULL)
		loop_queue(w->loop, w->task);
}

static bool
is_full(const struct seats *s)
{
	return s->limit != 0 && s->taken >= s->limit;
}

/* With the lock: free seats pass to those who have waited longest. */
static void
seat_waiters(struct seats *s)
{
	while (s->queue != NULL && !is_full(s)) {
		struct waiter *first = s->queue;

		DL_DELETE(s->queue, first);
		s->waiting--;
		s->taken++;
		first->granted = true;
		mailbox_post(first->mailbox, &first->message);
	}
}

static void
vacate(struct seats *s)
{
	pthread_mutex_lock(&s->lock);
	s->taken--;
	seat_waiters(s);
	pthread_mutex_unlock(&s->lock);
}

/* With the lock. */
static enum reason
join_queue(struct seat *seat, int limit, struct mailbox *mailbox)
{
	struct seats *s = seat->seats;
	struct waiter *w;

	if (s->waiting >= limit)
		return R_SERVICE_FULL;
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return R_NO_MEMORY;
	w->message.take = take_grant;
	w->seats = seats_hold(s);
	w->mailbox = mailbox;
	DL_APPEND(s->queue, w);
	s->waiting++;
	seat->waiter = w;
	return R_NONE;
}

static void
leave_queue(struct waiter *w)
{
	bool on_its_way;

	pthread_mutex_lock(&w->seats->lock);
	on_its_way = w->granted;
	if (!on_its_way) {
		DL_DELETE(w->seats->queue, w);
		w->seats->waiting--;
	}
	pthread_mutex_unlock(&w->seats->lock);
	if (on_its_way)
		w->deserted = true;
	else
		waiter_free(w);
}

bool
seat_waits(const struct seat *seat)
{
	return seat->waiter != NULL && !seat->waiter->seated;
}

bool
seat_wake(struct seat *seat, struct loop *loop, struct task *task)
{
	bool first = seat->waiter->task == NULL;

	seat->waiter->loop = loop;
	seat->waiter->task = task;
	return first;
}

/* ---- seats ---- */

/* With the lock. */
static enum reason
take_place(struct seat *seat, const struct limit_conf *limits, struct mailbox *mailbox)
{
	struct seats *s = seat->seats;

	s->limit = limits->connections;
	seat_waiters(s); /* a reload may have brought a larger limit */
	if (is_full(s))
		return join_queue(seat, limits->queue, mailbox);
	s->taken++;
	return R_NONE;
}

enum reason
seat_take(struct seat *seat, struct seats *s, const struct limit_conf *limits,
    const struct addr *peer, struct mailbox *mailbox)
{
	struct share_key key;
	enum reason why;

	*seat = (struct seat){ .seats = s };
	if (s == NULL)
		return R_NONE;
	source_key(&key, peer);
	pthread_mutex_lock(&s->lock);
	why = take_share(s, limits->per_source, &key, R_SOURCE_FULL, &seat->source);
	if (why == R_NONE && (why = take_place(seat, limits, mailbox)) != R_NONE)
		leave_share(s, seat->source);
	pthread_mutex_unlock(&s->lock);
	if (why != R_NONE)
		*seat = (struct seat){ .seats = NULL };
	return why;
}

enum reason
seat_identify(struct seat *seat, const struct limit_conf *limits, const struct identity *id)
{
	struct seats *s = seat->seats;
	struct share_key key;
	enum reason why;

	CHECK_OBJ(s, SEATS_MAGIC);
	MUST(seat->identity == NULL);
	identity_key(&key, id);
	pthread_mutex_lock(&s->lock);
	why = take_share(s, limits->per_identity, &key, R_IDENTITY_FULL, &seat->identity);
	pthread_mutex_unlock(&s->lock);
	return why;
}

void
seat_leave(struct seat *seat)
{
	struct seats *s = seat->seats;

	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	leave_share(s, seat->source);
	leave_share(s, seat->identity);
	pthread_mutex_unlock(&s->lock);
	if (seat_waits(seat)) {
		leave_queue(seat->waiter);
	} else {
		if (seat->waiter != NULL)
			waiter_free(seat->waiter);
		vacate(s);
	}
	*seat = (struct seat){ .seats = NULL };
}
