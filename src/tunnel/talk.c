/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/talk.c -- moves the bytes of a protocol's dialogue. */
#include "tunnel/talk.h"

#include "net/sock.h"
#include "tls/tls_stream.h"
#include "tunnel/login.h"
#include "tunnel/rules.h"

#include <errno.h>
#include <string.h>

enum {
	TALK_MAGIC = 0x2ad97c41,
	/* Bytes of one side that wait at most: more than any line and its end. */
	IN_MAX = 2 * PROTO_LINE_MAX,
	/* Rounds in one turn; a peer that never stops asking must not keep the worker. */
	ROUNDS_MAX = 16,
	/* As long as the incumbent waits for a client that begins with TLS at once. */
	DIRECT_MS = 200,
};

struct talk {
	unsigned magic;
	const struct proto_role *role;
	const struct service *service;
	struct worker *worker;
	struct loop *loop;
	struct task *task;
	struct timer timer; /* how long a client is waited for that begins with TLS */
	int64_t since;
	bool asked;   /* that time is over */
	bool said;    /* the script of this point is done, and what it said may still wait */
	bool over;    /* ... and nothing follows it */
	bool leaving; /* the client is told of the end */
	enum proto_point point;
	bool gathered;	     /* the facts, for this point */
	uint64_t counted[2]; /* bytes said at PROTO_STAY */
	struct proto_facts facts;
	struct login *login;	    /* that is being checked */
	const struct identity *who; /* from talk_judge() on */
	struct target target;	    /* that the client asked for */
	bool accepted_is_set;
	struct dial_plan dial;
	const struct dial_plan *base;
	struct dialogue d;
	max_align_t state[]; /* the role's */
};

struct talk *
talk_new(struct worker *w, const struct service *service, const struct log_ctx *log,
    struct task *task, const struct addr *client, int64_t since)
{
	const struct proto_role *role = service->role;
	struct talk *t = calloc(1, sizeof(*t) + role->state_size);

	if (t == NULL)
		return NULL;
	t->magic = TALK_MAGIC;
	t->role = role;
	t->service = service;
	t->worker = w;
	t->loop = w->loop;
	t->task = t->timer.task = task;
	t->since = since;
	t->facts.client = *client;
	if (service->conf->connect.n > 0)
		t->facts.target = &service->conf->connect.v[0];
	t->d.conf = &service->conf->proto;
	t->d.facts = role->wants_facts ? &t->facts : NULL;
	t->d.log = log;
	t->d.pool = w->pool;
	t->d.state = t->state;
	return t;
}

void
talk_set_accepted(struct talk *t, const struct addr *accepted)
{
	t->facts.accepted = *accepted;
	t->accepted_is_set = true;
}

void
talk_free(struct talk *t)
{
	if (t == NULL)
		return;
	CHECK_OBJ(t, TALK_MAGIC);
	loop_untimer(t->loop, &t->timer);
	login_free(t->login);
	buf_clear(&t->d.side[PROTO_NEAR].out, t->d.pool);
	buf_clear(&t->d.side[PROTO_FAR].out, t->d.pool);
	explicit_bzero(t, sizeof(*t) + t->role->state_size); /* a password may be in it */
	free(t);
}

void
talk_set_beside(struct talk *t, const struct proto_beside *beside)
{
	t->d.beside = *beside;
}

uint64_t
talk_said(const struct talk *t, enum proto_side side)
{
	return t->counted[side];
}

enum reason
talk_reason(const struct talk *t)
{
	return t->d.reason;
}

void
talk_regret(struct talk *t, enum reason reason, const struct dial *dial)
{
	const struct addr *found = NULL;

	t->d.reason = reason;
	t->d.errnum = dial != NULL ? dial_errnum(dial) : 0;
	if (reason == R_LOOKED_UP)
		found = dial_found(dial, t->d.target.family);
	if (found != NULL)
		t->d.found = *found;
}

bool
talk_took_leave(const struct talk *t)
{
	return t != NULL && t->leaving;
}

/* ---- the target that a client asks for ---- */

/* What the rules say to one address, or, if that is NULL, to the request as such. */
static enum reason
by_rules(const struct talk *t, const struct proto_target *want, const struct addr *addr,
    const struct log_ctx *log)
{
	const struct rules *rules = &t->service->conf->rules;
	struct rules_question q = {
		.who = t->who,
		.host = want->addr.len == 0 ? want->host : NULL,
		.port = want->port,
		.addr = addr,
	};

	if (rules_ask(rules, &q, NULL) != RULES_DENY)
		return R_NONE;
	q.any_user = t->d.conf->users != NULL && t->d.login.state == LOGIN_NONE;
	if (q.any_user && rules_ask(rules, &q, NULL) != RULES_DENY)
		return R_LOGIN_WANTED;
	q.any_user = false;
	(void)rules_ask(rules, &q, log);
	return R_TARGET_REFUSED;
}

static bool
has_rules(const struct talk *t)
{
	return t->role->needs_rules || t->service->conf->rules.n > 0;
}

static enum reason
refuse(const void *talk, const struct addr *addr)
{
	const struct talk *t = talk;
	enum reason reason = R_NONE;

	/* To be told of an address that one may not reach is to learn how the inside looks. */
	if (t->d.target.look_up)
		return has_rules(t) ? by_rules(t, &t->d.target, addr, t->d.log) : R_NONE;
	if (t->base->refuse != NULL)
		reason = t->base->refuse(t->base->owner, addr);
	if (reason == R_NONE && has_rules(t))
		reason = by_rules(t, &t->d.target, addr, t->d.log);
	else if (reason == R_NONE && t->role->refuse != NULL)
		reason = t->role->refuse(t->d.conf, addr);
	return reason;
}

const char *
talk_host(const struct talk *t)
{
	const struct proto_target *want = &t->d.target;

	return want->host[0] != '\0' && want->addr.len == 0 ? want->host : NULL;
}

const char *
talk_user(const struct talk *t)
{
	return t != NULL && t->d.login.state == LOGIN_GOOD ? t->d.login.user : NULL;
}

enum reason
talk_judge(struct talk *t, const struct identity *who)
{
	const struct proto_target *want = &t->d.target;

	t->who = who;
	if (t->service->conf->inner_sni && want->addr.len != 0) {
		log_warn(t->d.log, "requireInnerSNI: the client asked for an address, which TLS "
				   "cannot ask for");
		return R_TARGET_REFUSED;
	}
	if ((want->host[0] == '\0' && want->addr.len == 0) || !has_rules(t))
		return R_NONE;
	return by_rules(t, want, want->addr.len != 0 ? &want->addr : NULL, t->d.log);
}

bool
talk_wants_datagrams(const struct talk *t)
{
	return t->d.target.datagrams;
}

void
talk_found(struct talk *t, const struct addr *addr)
{
	t->d.found = *addr;
}

/* In silence: a flood of datagrams must not become one of lines. */
enum reason
talk_judge_datagram(struct talk *t, const struct identity *who, const struct proto_target *want,
    const struct addr *addr)
{
	t->who = who;
	return by_rules(t, want, addr, NULL);
}

const struct dial_plan *
talk_dial_plan(struct talk *t, const struct dial_plan *plan)
{
	const struct proto_target *want = &t->d.target;

	if (want->host[0] == '\0' && want->addr.len == 0)
		return plan;
	t->target = (struct target){
		.text = want->host,
		.host = want->host,
		.port = want->port,
		.numeric = want->addr,
	};
	t->base = plan;
	t->dial = *plan;
	t->dial.targets = &t->target;
	t->dial.count = 1;
	t->dial.only_look_up = want->look_up;
	t->dial.refuse = refuse;
	t->dial.owner = t;
	return &t->dial;
}

/* ---- facts ---- */

static struct addr
name_of(const struct stream *s, int (*ask)(int, struct sockaddr *, socklen_t *))
{
	struct addr a = { .len = sizeof(a.un) };

	if (!stream_is_open(s) || ask(s->watch.fd, &a.sa, &a.len) == -1)
		a.len = 0;
	return a;
}

static void
gather_facts(struct talk *t, const struct talk_side sides[2])
{
	const struct stream *near = sides[PROTO_NEAR].stream, *far = sides[PROTO_FAR].stream;

	if (!t->accepted_is_set)
		t->facts.accepted = name_of(near, getsockname);
	if (!stream_is_open(near) || !sock_original_destination(near->watch.fd, &t->facts.wanted))
		t->facts.wanted.len = 0;
	t->facts.server = name_of(far, getpeername);
	t->facts.sni = near->filter != NULL ? tls_stream_sni(near) : NULL;
	t->facts.tls = near->filter != NULL ? tls_stream_version(near) : NULL;
	t->facts.alpn = near->filter != NULL && tls_stream_has_alpn(near);
}

/* ---- bytes ---- */

static enum io
fail(struct talk *t, enum reason reason)
{
	t->d.reason = reason;
	return IO_FAILED;
}

/* The peer of a side will send no more, and something was still expected of it. */
static enum io
left(struct talk *t, enum proto_side side, const struct stream *s, enum io how)
{
	/* A dialogue that stays ends like a tunnel, when what it has said has left. */
	if (t->point == PROTO_STAY) {
		t->d.reason = how == IO_CUT ? R_CUT : R_DONE;
		t->said = t->over = true;
		return IO_OK;
	}
	if (side == PROTO_FAR)
		return fail(t, R_SERVER_LEFT);
	return fail(t, s->received == 0 ? R_NO_BYTES : R_CLIENT_LEFT);
}

/* Fetch what one side has.  IO_OK: something came. */
static enum io
fetch_side(struct talk *t, enum proto_side side, const struct talk_side *from)
{
	struct stream *s = from->stream;
	size_t have = buf_len(from->in);
	enum io got;

	MUST(stream_is_open(s));
	if (have >= IN_MAX)
		return fail(t, side == PROTO_NEAR ? R_PROTO_CLIENT : R_PROTO_SERVER);
	got = s->filter != NULL ? stream_read(s, from->in, IN_MAX - have) : stream_peek(s, IN_MAX);
	if (got == IO_EOF || got == IO_CUT)
		return left(t, side, s, got);
	if (got == IO_AGAIN) {
		buf_settle(from->in, t->d.pool);
		if (s->watch.readable) /* more has come than one turn may take */
			loop_queue(t->loop, t->task);
	}
	return got;
}

/* Fetch what the script waits for.  IO_OK: something came. */
static enum io
fetch(struct talk *t, const struct talk_side sides[2])
{
	enum io got = IO_AGAIN;

	MUST(t->d.waits != 0);
	for (enum proto_side i = PROTO_NEAR; i <= PROTO_FAR; i++) {
		enum io one = IO_AGAIN;

		if ((t->d.waits & 1u << i) != 0)
			one = fetch_side(t, i, &sides[i]);

		if (one == IO_FAILED)
			return IO_FAILED;
		if (one == IO_OK)
			got = IO_OK;
	}
	return got;
}

/* The target, about which the client is told that it cannot be reached. */
static bool
is_lost(const struct talk *t, enum proto_side side)
{
	return t->point == PROTO_SORRY && side == PROTO_FAR;
}

/*
 * Send what was said, and the end of a handshake that waited for something to leave with.  IO_OK:
 * all of it was taken.
 */
static enum io
deliver(struct talk *t, const struct talk_side sides[2])
{
	for (enum proto_side i = PROTO_NEAR; i <= PROTO_FAR; i++) {
		struct buf *out = &t->d.side[i].out;
		size_t before = buf_len(out);
		enum io got = IO_OK;

		if (!stream_is_open(sides[i].stream) || is_lost(t, i))
			continue;
		if (buf_len(out) > 0)
			got = stream_write(sides[i].stream, out);
		else if (buf_len(&sides[i].stream->out) > 0)
			got = stream_flush(sides[i].stream);
		if (t->point == PROTO_STAY)
			t->counted[i] += before - buf_len(out);
		if (got != IO_OK)
			return got;
	}
	return IO_OK;
}

/*
 * The script is done, and TLS begins on `upgraded`.  What came in clear before that must not reach
 * anyone as if it had come through TLS (CVE-2011-0411, CVE-2021-23222).  Bytes that are still under
 * way go to TLS, which knows its own.
 */
static enum io
nothing_behind(struct talk *t, struct stream *upgraded)
{
	enum io got = IO_AGAIN;

	if (buf_len(&upgraded->in) == 0)
		got = stream_peek(upgraded, IN_MAX);
	if (got == IO_FAILED || got == IO_EOF) /* TLS will meet it */
		return IO_OK;
	if (buf_len(&upgraded->in) == 0)
		return IO_OK;
	buf_clear(&t->d.side[PROTO_NEAR].out, t->d.pool);
	buf_clear(&t->d.side[PROTO_FAR].out, t->d.pool);
	return fail(t, R_INJECTION);
}

/*
 * Nothing follows.  What was said last must arrive, so the sides are ended and not just closed; who
 * has left by now need not be told.
 */
static void
take_leave(struct talk *t, const struct talk_side sides[2])
{
	for (enum proto_side i = PROTO_NEAR; i <= PROTO_FAR; i++) {
		struct stream *s = sides[i].stream;
		bool told = t->leaving || reason_info(t->d.reason)->clean;

		if (!stream_is_open(s) || is_lost(t, i) || !told ||
		    stream_end(s, END_LAST) == IO_FAILED)
			continue;
		/* A socket that is closed with bytes unread sends a reset after all. */
		if (s->filter == NULL && buf_len(&s->in) < IN_MAX)
			(void)!stream_peek(s, IN_MAX);
	}
}

/*
 * Some clients of old begin with TLS on a port of STARTTLS.  Only their haste tells them: who
 * expects a greeting is silent.  IO_OK with ->said: this is one.
 */
static enum io
await_haste(struct talk *t, const struct talk_side *near)
{
	int64_t wait = t->since + DIRECT_MS - loop_now(t->loop);
	enum io got = buf_len(near->in) > 0 ? IO_OK : stream_peek(near->stream, IN_MAX);

	if (got == IO_EOF)
		return left(t, PROTO_NEAR, near->stream, got);
	if (got == IO_AGAIN && wait > 0) {
		loop_timer(t->loop, &t->timer, wait);
		return IO_AGAIN;
	}
	loop_untimer(t->loop, &t->timer);
	t->asked = true;
	if (got == IO_FAILED)
		return IO_FAILED;
	if ((t->said = got == IO_OK))
		log_info(t->d.log, "The client begins without STARTTLS");
	return IO_OK;
}

/* Ask whether that is a user, and its password.  IO_OK: run the script again. */
static enum io
check_login(struct talk *t)
{
	enum io got;

	MUST(t->service->users != NULL);
	if (t->login == NULL && (t->login = login_new(t->worker, t->service->users,
				     &t->facts.client, &t->d.login, t->task)) == NULL)
		return fail(t, R_NO_MEMORY);
	if ((got = login_step(t->login, &t->d.login.state)) != IO_OK)
		return got;
	explicit_bzero(t->d.login.password, sizeof(t->d.login.password));
	login_free(t->login);
	t->login = NULL;
	return IO_OK;
}

/* What the script's answer means.  IO_OK: see ->said and ->over; or, with neither, again. */
static enum io
run_script(struct talk *t, const struct talk_side sides[2], struct stream *upgraded)
{
	enum proto_verdict got;

	t->d.before_tls = upgraded != NULL;
	got = proto_run(&t->d, t->role->script[t->point]);
	if (t->d.no_memory)
		return fail(t, R_NO_MEMORY);
	if (got == PROTO_AGAIN)
		return IO_OK;
	if (got == PROTO_MORE) {
		/* What was asked goes out before the answer is waited for. */
		if (deliver(t, sides) == IO_FAILED)
			return IO_FAILED;
		return t->d.login.state == LOGIN_ASKED ? check_login(t) : fetch(t, sides);
	}
	if (got == PROTO_DONE && upgraded != NULL && !t->d.tls_began &&
	    nothing_behind(t, upgraded) != IO_OK)
		return IO_FAILED;
	t->said = true;
	t->over = got == PROTO_END || t->point == PROTO_SORRY;
	t->leaving = t->over && buf_len(&t->d.side[PROTO_NEAR].out) > 0;
	return IO_OK;
}

enum io
talk_run(struct talk *t, enum proto_point point, const struct talk_side sides[2],
    struct stream *upgraded)
{
	unsigned rounds = 0;
	enum io got;

	CHECK_OBJ(t, TALK_MAGIC);
	for (enum proto_side i = PROTO_NEAR; i <= PROTO_FAR; i++)
		t->d.side[i].in = sides[i].in;
	t->point = point;
	if (t->role->wants_facts && !t->gathered)
		gather_facts(t, sides);
	t->gathered = true;
	if (point == PROTO_CLEAR && t->role->direct_tls && !t->d.conf->xclient && !t->asked &&
	    (got = await_haste(t, &sides[PROTO_NEAR])) != IO_OK)
		return got;
	while ((got = deliver(t, sides)) == IO_OK && !t->said) {
		if (++rounds > ROUNDS_MAX) {
			loop_queue(t->loop, t->task);
			return IO_AGAIN;
		}
		if ((got = run_script(t, sides, upgraded)) != IO_OK)
			return got;
	}
	if (got != IO_OK)
		return got;
	t->said = t->gathered = false;
	if (!t->over)
		return IO_OK;
	take_leave(t, sides);
	return IO_FAILED;
}
