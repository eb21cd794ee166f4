/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/login.c -- a password is checked by the pool, and a wrong one is answered late. */
#include "tunnel/login.h"

#include "loop/offload.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>

enum {
	LOGIN_MAGIC = 0x0c7d9e51,
	CHECKS_MAX = 64, /* under way in the process: the pool has other things to do, too */
};

static _Atomic unsigned checks;

/* What goes to the pool: copies, as the tunnel may end before it is back. */
struct check {
	struct job job;
	struct login *login; /* NULL: nobody waits for it */
	bool known, good;
	char hash[CRYPT_OUTPUT_SIZE];
	char password[256];
};

struct login {
	unsigned magic;
	struct worker *worker;
	struct users *users;
	struct addr source;
	struct task *task;
	struct timer timer; /* until a bad answer may be given */
	struct check *check;
	bool waits; /* for the timer */
	enum proto_login_state state;
};

/* As many steps whatever is in them. */
static bool
equal(const char *a, const char *b, size_t n)
{
	unsigned char differs = 0;

	for (size_t i = 0; i < n; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return differs == 0;
}

static bool
fits(const char *password, const char *hash)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	char made[CRYPT_OUTPUT_SIZE] = { 0 };
	const char *text = data != NULL ? crypt_r(password, hash, data) : NULL;
	bool good = false;

	/* A failure gives "*0", which is no hash of the table. */
	if (text != NULL && text[0] != '*') {
		(void)snprintf(made, sizeof(made), "%s", text);
		good = equal(made, hash, sizeof(made));
	}
	if (data != NULL)
		explicit_bzero(data, sizeof(*data));
	free(data);
	return good;
}

static void
check_run(struct job *j)
{
	struct check *c = (struct check *)j;
	bool good = fits(c->password, c->hash);

	c->good = good && c->known;
	explicit_bzero(c->password, sizeof(c->password));
}

/* Not good: the answer waits, the longer the more often the source has failed. */
static void
hold_back(struct login *l)
{
	l->state = LOGIN_BAD;
	l->waits = true;
	loop_timer(l->worker->loop, &l->timer,
	    failures_delay(users_failures(l->users), &l->source, loop_now(l->worker->loop)));
}

static void
check_done(struct job *j, void *worker)
{
	struct check *c = (struct check *)j;
	struct login *l = c->login;

	atomic_fetch_sub(&checks, 1);
	if (worker != NULL && l != NULL) {
		l->check = NULL;
		if (c->good)
			l->state = LOGIN_GOOD;
		else
			hold_back(l);
		loop_queue(l->worker->loop, l->task);
	}
	explicit_bzero(c, sizeof(*c));
	free(c);
}

/* False: the pool has too much to do already, or there is no memory. */
static bool
begin_check(struct login *l, const struct proto_login *shown)
{
	struct check *c;

	if (atomic_fetch_add(&checks, 1) >= CHECKS_MAX || (c = calloc(1, sizeof(*c))) == NULL) {
		atomic_fetch_sub(&checks, 1);
		return false;
	}
	c->job = (struct job){ .run = check_run, .done = check_done, .lane = OFFLOAD_STRANGERS };
	c->login = l;
	(void)snprintf(c->password, sizeof(c->password), "%s", shown->password);
	(void)snprintf(
	    c->hash, sizeof(c->hash), "%s", users_hash(l->users, shown->user, &c->known));
	if (offload_ask(l->worker->common->offload, &c->job, l->worker->mailbox)) {
		l->check = c;
		return true;
	}
	atomic_fetch_sub(&checks, 1);
	explicit_bzero(c, sizeof(*c));
	free(c);
	return false;
}

struct login *
login_new(struct worker *w, struct users *users, const struct addr *source,
    const struct proto_login *shown, struct task *task)
{
	struct login *l;

	if (OBJ_NEW(l, LOGIN_MAGIC) == NULL)
		return NULL;
	l->worker = w;
	l->users = users;
	l->source = *source;
	l->task = l->timer.task = task;
	if (failures_refuse(users_failures(users), source, loop_now(w->loop)))
		hold_back(l);
	else if (!begin_check(l, shown))
		l->state = LOGIN_BUSY;
	return l;
}

enum io
login_step(struct login *l, enum proto_login_state *state)
{
	CHECK_OBJ(l, LOGIN_MAGIC);
	if (l->check != NULL || (l->waits && !l->timer.fired))
		return IO_AGAIN;
	*state = l->state;
	return IO_OK;
}

void
login_free(struct login *l)
{
	if (l == NULL)
		return;
	CHECK_OBJ(l, LOGIN_MAGIC);
	loop_untimer(l->worker->loop, &l->timer);
	if (l->check != NULL)
		l->check->login = NULL; /* check_done() frees it */
	OBJ_FREE(l);
}
