/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/proto_kit.h -- a protocol's script without a network: a test is a list of moves.
 *
 * Each list is played twice, with what the peers send in one piece and byte by byte; both must come
 * to the same.  What the script says is compared move by move, so nothing may be said too early.
 */
#ifndef GINNEL_TESTS_PROTO_KIT_H
#define GINNEL_TESTS_PROTO_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/proto.h"

#include <stdio.h>
#include <string.h>

enum kit_move_kind {
	KIT_STOP,
	NEAR_SENDS,
	FAR_SENDS,
	NEAR_GETS, /* exactly this, since the last such move */
	FAR_GETS,
	SCRIPT_DONE,  /* and nothing is left unread on the side of `text`: "near", "far", "both", ""
		       */
	SCRIPT_ENDS,  /* for ->reason */
	SCRIPT_WAITS, /* for more */
	NEXT_POINT,   /* go on with the script of ->point */
	TARGET_IS,    /* "HOST:PORT", or "look up HOST:PORT" */
	TARGET_FAILS, /* go on with PROTO_SORRY, and ->reason */
	LOGIN_IS,     /* "USER:PASSWORD" is asked about, and ->n is the answer */
};

struct kit_move {
	enum kit_move_kind kind;
	const char *text;
	enum reason reason;
	enum proto_point point;
	size_t n; /* bytes of text; 0: up to its NUL */
};

#define NEAR_(t) \
	{ \
		NEAR_SENDS, t, 0, 0, 0 \
	}
#define FAR_(t) \
	{ \
		FAR_SENDS, t, 0, 0, 0 \
	}
#define TO_NEAR(t) \
	{ \
		NEAR_GETS, t, 0, 0, 0 \
	}
#define TO_FAR(t) \
	{ \
		FAR_GETS, t, 0, 0, 0 \
	}
#define NEAR_BYTES(t) \
	{ \
		NEAR_SENDS, t, 0, 0, sizeof(t) - 1 \
	}
#define FAR_BYTES(t) \
	{ \
		FAR_SENDS, t, 0, 0, sizeof(t) - 1 \
	}
#define TO_NEAR_BYTES(t) \
	{ \
		NEAR_GETS, t, 0, 0, sizeof(t) - 1 \
	}
#define TO_FAR_BYTES(t) \
	{ \
		FAR_GETS, t, 0, 0, sizeof(t) - 1 \
	}
/* Done, and one side or both have bytes left. */
#define DONE_WITHOUT_NEAR \
	{ \
		SCRIPT_DONE, "far", 0, 0, 0 \
	}
#define DONE_WITHOUT_FAR \
	{ \
		SCRIPT_DONE, "near", 0, 0, 0 \
	}
#define DONE_WITH_REST \
	{ \
		SCRIPT_DONE, "", 0, 0, 0 \
	}
#define DONE_ \
	{ \
		SCRIPT_DONE, "both", 0, 0, 0 \
	}
#define WAITS_ \
	{ \
		SCRIPT_WAITS, NULL, 0, 0, 0 \
	}
#define ENDS_(r) \
	{ \
		SCRIPT_ENDS, NULL, r, 0, 0 \
	}
#define THEN_(p) \
	{ \
		NEXT_POINT, NULL, 0, p, 0 \
	}
#define TARGET_(t) \
	{ \
		TARGET_IS, t, 0, 0, 0 \
	}
#define FAILS_(r) \
	{ \
		TARGET_FAILS, NULL, r, PROTO_SORRY, 0 \
	}
#define LOGIN_(t, answer) \
	{ \
		LOGIN_IS, t, 0, 0, answer \
	}
#define STOP_ \
	{ \
		KIT_STOP, NULL, 0, 0, 0 \
	}

/* What the next lists are played with. */
static struct proto_facts kit_facts;
static bool kit_before_tls;
static struct addr kit_found;
static int kit_errnum;
/* The address that clients are invited to; .len 0: none.  And to where they are led. */
static struct addr kit_invites;
static char kit_invited[64];

struct kit {
	const struct proto_role *role;
	struct pool *pool;
	struct log_ctx log;
	struct buf in[2];
	struct dialogue *d;
	const struct proto_row *script;
	enum proto_verdict verdict;
	const char *name; /* of the case */
	size_t move;
};

static bool
kit_invite(void *kit, uint16_t port, bool tls, struct addr *at)
{
	(void)kit;
	(void)snprintf(kit_invited, sizeof(kit_invited), "%u%s", port, tls ? " tls" : "");
	*at = kit_invites;
	return kit_invites.len != 0;
}

static void
kit_run(struct kit *k)
{
	while (k->verdict == PROTO_MORE || k->verdict == PROTO_AGAIN)
		if ((k->verdict = proto_run(k->d, k->script)) == PROTO_MORE)
			break;
	assert_false(k->d->no_memory);
}

static void
kit_send(struct kit *k, enum proto_side side, const char *bytes, size_t n, bool in_pieces)
{
	size_t piece = in_pieces ? 1 : n;

	kit_run(k);
	for (size_t at = 0; at < n; at += piece) {
		assert_true(buf_append(&k->in[side], k->pool, bytes + at, piece));
		kit_run(k);
	}
}

static void
kit_said(struct kit *k, enum proto_side side, const char *text, size_t n)
{
	struct buf *out = &k->d->side[side].out;

	kit_run(k);
	if (buf_len(out) != n || (n > 0 && memcmp(buf_head(out), text, n) != 0))
		fail_msg("%s, move %zu: \"%.*s\" was said, not \"%s\"", k->name, k->move,
		    (int)buf_len(out), buf_len(out) > 0 ? (const char *)buf_head(out) : "", text);
	buf_eat(out, k->pool, n);
}

static void
kit_verdict(struct kit *k, enum proto_verdict want, enum reason reason)
{
	kit_run(k);
	if (k->verdict != want || (want == PROTO_END && k->d->reason != reason))
		fail_msg("%s, move %zu: verdict %d, end=%s", k->name, k->move, k->verdict,
		    reason_info(k->d->reason)->code);
}

static void
kit_target(const struct kit *k, const char *want)
{
	const struct proto_target *t = &k->d->target;
	char text[ADDR_TEXT], got[sizeof(t->host) + 32];

	if (t->addr.len != 0)
		addr_text(&t->addr, text);
	if (t->addr.len != 0)
		(void)snprintf(got, sizeof(got), "%s%s", t->look_up ? "look up " : "", text);
	else
		(void)snprintf(
		    got, sizeof(got), "%s%s:%u", t->look_up ? "look up " : "", t->host, t->port);
	assert_string_equal(got, want);
}

static void
kit_point(struct kit *k, enum proto_point point)
{
	kit_verdict(k, PROTO_DONE, R_NONE);
	k->script = k->role->script[point];
	assert_non_null(k->script);
	k->verdict = PROTO_MORE;
}

static void
kit_move(struct kit *k, const struct kit_move *m, bool in_pieces)
{
	size_t n = m->n > 0 || m->text == NULL ? m->n : strlen(m->text);
	char login[600];
	bool all_read;

	switch (m->kind) {
	case NEAR_SENDS:
	case FAR_SENDS:
		kit_send(k, m->kind == NEAR_SENDS ? PROTO_NEAR : PROTO_FAR, m->text, n, in_pieces);
		break;
	case NEAR_GETS:
	case FAR_GETS:
		kit_said(k, m->kind == NEAR_GETS ? PROTO_NEAR : PROTO_FAR, m->text, n);
		break;
	case SCRIPT_DONE:
		kit_verdict(k, PROTO_DONE, R_NONE);
		all_read = strcmp(m->text, "both") == 0;
		if (all_read || strcmp(m->text, "near") == 0)
			assert_int_equal(buf_len(&k->in[PROTO_NEAR]), 0);
		if (all_read || strcmp(m->text, "far") == 0)
			assert_int_equal(buf_len(&k->in[PROTO_FAR]), 0);
		break;
	case SCRIPT_ENDS:
		kit_verdict(k, PROTO_END, m->reason);
		break;
	case SCRIPT_WAITS:
		kit_verdict(k, PROTO_MORE, R_NONE);
		assert_int_not_equal(k->d->waits, 0);
		break;
	case NEXT_POINT:
		kit_point(k, m->point);
		break;
	case TARGET_IS:
		kit_verdict(k, PROTO_DONE, R_NONE);
		kit_target(k, m->text);
		break;
	case TARGET_FAILS:
		kit_point(k, m->point);
		k->d->reason = m->reason;
		k->d->found = kit_found;
		k->d->errnum = kit_errnum;
		break;
	case LOGIN_IS:
		kit_run(k);
		assert_int_equal(k->verdict, PROTO_MORE);
		assert_int_equal(k->d->login.state, LOGIN_ASKED);
		(void)snprintf(
		    login, sizeof(login), "%s:%s", k->d->login.user, k->d->login.password);
		assert_string_equal(login, m->text);
		k->d->login.state = (enum proto_login_state)m->n;
		break;
	case KIT_STOP:
		break;
	}
}

static void
kit_play_once(const char *name, const struct proto_role *role, enum proto_point point,
    const struct proto_conf *conf, const struct kit_move *moves, bool in_pieces)
{
	static struct dialogue d;
	static max_align_t state[1024];
	struct kit k = { .role = role,
		.pool = pool_new(),
		.d = &d,
		.script = role->script[point],
		.verdict = PROTO_MORE,
		.name = name };

	assert_non_null(k.pool);
	assert_non_null(k.script);
	assert_true(role->state_size <= sizeof(state));
	memset(state, 0, sizeof(state));
	d = (struct dialogue){ .conf = conf, .log = &k.log, .pool = k.pool, .state = state };
	d.facts = role->wants_facts ? &kit_facts : NULL;
	d.before_tls = kit_before_tls;
	d.beside = (struct proto_beside){ .invite = kit_invite };
	d.side[PROTO_NEAR].in = &k.in[PROTO_NEAR];
	d.side[PROTO_FAR].in = &k.in[PROTO_FAR];
	for (; moves[k.move].kind != KIT_STOP; k.move++)
		kit_move(&k, &moves[k.move], in_pieces);
	/* Whatever was not awaited must not have been said. */
	kit_said(&k, PROTO_NEAR, "", 0);
	kit_said(&k, PROTO_FAR, "", 0);
	buf_clear(&k.in[PROTO_NEAR], k.pool);
	buf_clear(&k.in[PROTO_FAR], k.pool);
	pool_free(k.pool);
}

/* Play `moves` in both ways. */
static inline void
kit_play(const char *name, const struct proto_role *role, enum proto_point point,
    const struct proto_conf *conf, const struct kit_move *moves)
{
	kit_play_once(name, role, point, conf, moves, false);
	kit_play_once(name, role, point, conf, moves, true);
}

#endif
