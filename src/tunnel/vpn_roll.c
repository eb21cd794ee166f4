/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_roll.c -- which users are in a VPN, and with how many sessions. */
#include "tunnel/vpn_roll.h"

#include "tunnel/vpn_net.h"
#include "tunnel/worker.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <utlist.h>

enum { VPN_ROLL_MAGIC = 0x3e8fd157 };

/* A user who has a session. */
struct vpn_user_roll {
	struct vpn_place *places; /* the oldest first */
	unsigned count;		  /* of them, less those that are lost */
	UT_hash_handle hh;
	char name[];
};

struct vpn_roll {
	unsigned magic;
	pthread_mutex_t lock;
	struct vpn_user_roll *users;
	struct vpn_place *places; /* by id, for messages: one may have gone when they arrive */
	uint64_t last;
};

/* To the worker of a session that has lost its place. */
struct wake {
	struct message message;
	struct vpn_net *net;
	uint64_t id;
};

struct vpn_roll *
vpn_roll_new(void)
{
	struct vpn_roll *r;

	if (OBJ_NEW(r, VPN_ROLL_MAGIC) == NULL)
		return NULL;
	if ((errno = pthread_mutex_init(&r->lock, NULL)) == 0)
		return r;
	OBJ_FREE(r);
	return NULL;
}

void
vpn_roll_free(struct vpn_roll *r)
{
	if (r == NULL)
		return;
	CHECK_OBJ(r, VPN_ROLL_MAGIC);
	MUST(r->users == NULL);
	pthread_mutex_destroy(&r->lock);
	OBJ_FREE(r);
}

/* ---- losing a place ---- */

/* In the worker of the session: nobody else could take it out of the roll meanwhile. */
static void
take_wake(struct message *m, void *worker)
{
	struct wake *wake = (struct wake *)m;
	struct vpn_roll *r = vpn_net_roll(wake->net);
	struct vpn_place *p;

	pthread_mutex_lock(&r->lock);
	HASH_FIND(hh, r->places, &wake->id, sizeof(wake->id), p);
	pthread_mutex_unlock(&r->lock);
	if (p != NULL)
		loop_queue(((const struct worker *)worker)->loop, p->task);
	vpn_net_release(wake->net);
	free(wake);
}

/* Without memory its session learns it when its task runs next. */
static void
expel(struct vpn_place *p, struct vpn_net *net)
{
	struct wake *wake = calloc(1, sizeof(*wake));

	p->lost = true;
	p->user->count--;
	if (wake == NULL)
		return;
	wake->message.take = take_wake;
	wake->net = vpn_net_hold(net);
	wake->id = p->id;
	mailbox_post(p->mailbox, &wake->message);
}

/* ---- places ---- */

static struct vpn_user_roll *
user_of(struct vpn_roll *r, const char *name)
{
	size_t n = strlen(name);
	struct vpn_user_roll *u;

	HASH_FIND(hh, r->users, name, n, u);
	if (u != NULL || (u = calloc(1, sizeof(*u) + n + 1)) == NULL)
		return u;
	memcpy(u->name, name, n);
	HASH_ADD_KEYPTR(hh, r->users, u->name, n, u);
	if (u->hh.tbl != NULL)
		return u;
	free(u);
	errno = ENOMEM;
	return NULL;
}

static void
forget_if_none(struct vpn_roll *r, struct vpn_user_roll *u)
{
	if (u->places != NULL)
		return;
	HASH_DEL(r->users, u);
	free(u);
}

static bool
enter_locked(
    struct vpn_roll *r, struct vpn_place *p, struct vpn_net *net, const struct vpn_claim *c)
{
	struct vpn_user_roll *u = user_of(r, c->user);
	struct vpn_place *other;

	if (u == NULL)
		return false;
	errno = 0;
	if (c->most != 0 && u->count >= c->most && !c->replace) {
		forget_if_none(r, u);
		return false;
	}
	*p = (struct vpn_place){
		.user = u, .task = c->task, .mailbox = c->mailbox, .id = ++r->last
	};
	HASH_ADD(hh, r->places, id, sizeof(p->id), p);
	if (p->hh.tbl == NULL) {
		p->user = NULL;
		forget_if_none(r, u);
		errno = ENOMEM;
		return false;
	}
	DL_FOREACH (u->places, other)
		if (c->most != 0 && u->count >= c->most && !other->lost)
			expel(other, net);
	DL_APPEND(u->places, p);
	u->count++;
	return true;
}

bool
vpn_roll_enter(
    struct vpn_roll *r, struct vpn_place *p, struct vpn_net *net, const struct vpn_claim *c)
{
	bool done;

	CHECK_OBJ(r, VPN_ROLL_MAGIC);
	pthread_mutex_lock(&r->lock);
	done = enter_locked(r, p, net, c);
	pthread_mutex_unlock(&r->lock);
	return done;
}

void
vpn_roll_number(struct vpn_roll *r, struct vpn_place *p, uint32_t number)
{
	CHECK_OBJ(r, VPN_ROLL_MAGIC);
	pthread_mutex_lock(&r->lock);
	p->number = number;
	pthread_mutex_unlock(&r->lock);
}

/* `net`: those that are found have to go; NULL: they may stay. */
static bool
find_others(struct vpn_roll *r, const struct vpn_place *p, uint32_t number, struct vpn_net *net)
{
	bool found = false;

	CHECK_OBJ(r, VPN_ROLL_MAGIC);
	pthread_mutex_lock(&r->lock);
	for (struct vpn_place *other = p->user->places; other != NULL; other = other->next) {
		bool is_it = other != p && other->number == number;

		found |= is_it;
		if (is_it && net != NULL && !other->lost)
			expel(other, net);
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

bool
vpn_roll_has(struct vpn_roll *r, const struct vpn_place *p, uint32_t number)
{
	return find_others(r, p, number, NULL);
}

bool
vpn_roll_expel(struct vpn_roll *r, const struct vpn_place *p, struct vpn_net *net, uint32_t number)
{
	return find_others(r, p, number, net);
}

bool
vpn_roll_is_lost(const struct vpn_place *p)
{
	return p->user != NULL && atomic_load_explicit(&p->lost, memory_order_relaxed);
}

void
vpn_roll_leave(struct vpn_roll *r, struct vpn_place *p)
{
	if (p->user == NULL)
		return;
	CHECK_OBJ(r, VPN_ROLL_MAGIC);
	pthread_mutex_lock(&r->lock);
	DL_DELETE(p->user->places, p);
	if (!p->lost)
		p->user->count--;
	HASH_DEL(r->places, p);
	forget_if_none(r, p->user);
	pthread_mutex_unlock(&r->lock);
	p->user = NULL;
}
