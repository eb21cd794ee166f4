/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/ppp_kit.h -- two links back to back, or one and a peer that the test plays; a clock
 * that stands still unless it is told to go on; and a wire that loses, doubles and reorders by a
 * seed.
 */
#ifndef GINNEL_TESTS_PPP_KIT_H
#define GINNEL_TESTS_PPP_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ppp/ppp.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { WIRE_QUEUE = 256, WIRE_FRAME = 1600 };

struct wire_frame {
	uint8_t bytes[WIRE_FRAME];
	size_t n;
};

/* What an end was told. */
struct wire_end {
	bool opens_late; /* the test calls ppp_open_network() */
	struct wire *wire;
	struct ppp *ppp;
	const char *name;
	unsigned asked, logins, ups[PPP_FAMILIES], losses, packets, downs;
	enum ppp_method method;
	enum ppp_end why;
	char detail[PPP_TEXT_MAX], user[PPP_NAME_MAX + 1];
	uint8_t key[PPP_KEY];
	struct ppp_network net;		     /* agreed */
	struct ppp_network wish;	     /* opened with when authenticated */
	struct wire_frame queue[WIRE_QUEUE]; /* on the way to the other end */
	size_t first, count, sent;
};

struct wire {
	struct wire_end end[2]; /* 0: server, 1: client; one of them may be NULL, the test's */
	int64_t now;
	uint32_t seed;
	unsigned loss, doubles, swaps; /* in 256 */
	bool keep_question;	       /* the test answers */
	unsigned question;
	const char *password; /* that the server knows; NULL: no such user */
	unsigned verdicts;
};

static inline uint32_t
wire_random(struct wire *k)
{
	k->seed = k->seed * 1664525u + 1013904223u;
	return k->seed >> 8;
}

static inline bool
wire_random_bytes(void *owner, void *out, size_t n)
{
	struct wire_end *end = owner;

	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)wire_random(end->wire);
	return true;
}

static inline void
wire_push(struct wire_end *end, const uint8_t *frame, size_t n)
{
	struct wire_frame *f = &end->queue[(end->first + end->count) % WIRE_QUEUE];

	assert_true(end->count < WIRE_QUEUE);
	assert_true(n <= sizeof(f->bytes));
	memcpy(f->bytes, frame, n);
	f->n = n;
	end->count++;
}

static inline void
wire_send(void *owner, uint8_t *frame, size_t n)
{
	struct wire_end *end = owner;
	struct wire *k = end->wire;

	assert_true(n >= 8 && n <= PPP_FRAME_MAX);
	assert_true(frame[0] == 0xff && frame[1] == 0x03);
	end->sent++;
	/* The head room and the frame are the owner's to write over. */
	if (k->loss == 0 || (wire_random(k) & 255) >= k->loss)
		wire_push(end, frame, n);
	if (k->doubles != 0 && (wire_random(k) & 255) < k->doubles)
		wire_push(end, frame, n);
	if (end->count > 1 && k->swaps != 0 && (wire_random(k) & 255) < k->swaps) {
		size_t last = (end->first + end->count - 1) % WIRE_QUEUE;
		struct wire_frame swap = end->queue[end->first];

		end->queue[end->first] = end->queue[last];
		end->queue[last] = swap;
	}
	memset(frame - PPP_HEADROOM, 0xa5, PPP_HEADROOM + n);
}

static inline void
wire_ask(void *owner, const struct ppp_question *q)
{
	struct wire_end *end = owner;
	struct ppp_secret secret = { .clear = end->wire->password };
	struct ppp_verdict verdict;

	end->asked++;
	(void)snprintf(end->user, sizeof(end->user), "%s", q->user);
	end->wire->question = q->number;
	if (end->wire->keep_question)
		return;
	auth_check(q, end->wire->password == NULL ? NULL : &secret, &verdict);
	end->wire->verdicts++;
	assert_true(ppp_auth_verdict(end->ppp, q->number, &verdict, end->wire->now));
}

static inline void
wire_authenticated(void *owner, const struct ppp_login *login)
{
	struct wire_end *end = owner;

	end->logins++;
	end->method = login->method;
	memcpy(end->key, login->key, sizeof(end->key));
	if (!end->opens_late && (end->wish.family[PPP_IPV4] || end->wish.family[PPP_IPV6]))
		ppp_open_network(end->ppp, &end->wish, end->wire->now);
}

static inline void
wire_up(void *owner, enum ppp_family family, const struct ppp_network *net)
{
	struct wire_end *end = owner;

	end->ups[family]++;
	end->net = *net;
	assert_true(ppp_is_up(end->ppp, family));
}

static inline void
wire_lost(void *owner, enum ppp_family family)
{
	struct wire_end *end = owner;

	end->losses++;
	assert_false(ppp_is_up(end->ppp, family));
}

static inline void
wire_data(void *owner, enum ppp_family family, uint8_t *packet, size_t n)
{
	struct wire_end *end = owner;

	assert_int_equal(packet[0] >> 4, family == PPP_IPV4 ? 4 : 6);
	assert_true(n >= (family == PPP_IPV4 ? 20 : 40));
	assert_int_equal(end->logins > 0, true);
	end->packets++;
}

static inline void
wire_down(void *owner, enum ppp_end why, const char *detail)
{
	struct wire_end *end = owner;

	assert_int_equal(end->downs, 0);
	end->downs++;
	end->why = why;
	(void)snprintf(end->detail, sizeof(end->detail), "%s", detail);
}

static const struct ppp_events wire_events = { wire_send, wire_ask, wire_authenticated, wire_up,
	wire_lost, wire_data, wire_down, wire_random_bytes };

static const struct log_ctx wire_log = { .id = "test", .level = LOG_EMERG };

static inline struct in_addr
wire_ip(const char *text)
{
	struct in_addr a;

	assert_int_equal(inet_pton(AF_INET, text, &a), 1);
	return a;
}

/* A server that knows "secret" and gives 10.66.0.2; a client "user". */
static const struct ppp_conf wire_server_conf = {
	.server = true,
	.methods = { PPP_MSCHAPV2 },
	.method_count = 1,
};
static const struct ppp_conf wire_client_conf = {
	.methods = { PPP_MSCHAPV2 },
	.method_count = 1,
	.user = "user",
	.password = "secret",
};

static inline void
wire_add(struct wire *k, size_t i, const struct ppp_conf *conf)
{
	struct wire_end *end = &k->end[i];

	end->wire = k;
	end->wish = (struct ppp_network){ .family = { true, true } };
	if (conf->server) {
		end->wish.local = wire_ip("10.66.0.1");
		end->wish.peer = wire_ip("10.66.0.2");
		end->wish.dns[0] = wire_ip("10.66.0.53");
	}
	end->ppp = ppp_new(conf, &wire_events, end, &wire_log);
	assert_non_null(end->ppp);
}

static inline void
wire_open(struct wire *k, const struct ppp_conf *server, const struct ppp_conf *client)
{
	memset(k, 0, sizeof(*k));
	k->seed = 1;
	k->now = 1000000;
	k->password = "secret";
	if (server != NULL)
		wire_add(k, 0, server);
	if (client != NULL)
		wire_add(k, 1, client);
}

static inline void
wire_close(struct wire *k)
{
	ppp_free(k->end[0].ppp);
	ppp_free(k->end[1].ppp);
}

/* Take the next frame that `end` has sent; false: there is none. */
static inline bool
wire_take(struct wire_end *end, struct wire_frame *out)
{
	if (end->count == 0)
		return false;
	*out = end->queue[end->first];
	end->first = (end->first + 1) % WIRE_QUEUE;
	end->count--;
	return true;
}

/* A frame to a link, in memory of just its size. */
static inline void
wire_give(struct wire_end *end, const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);

	assert_non_null(copy);
	if (n > 0)
		memcpy(copy, bytes, n);
	ppp_receive(end->ppp, copy, n, end->wire->now);
	free(copy);
}

/* Carry frames until nobody has any; false: it never ends. */
static inline bool
wire_settle(struct wire *k)
{
	for (unsigned i = 0; i < 2000; i++) {
		struct wire_frame f;
		unsigned from = i % 2;

		if (wire_take(&k->end[from], &f))
			wire_give(&k->end[1 - from], f.bytes, f.n);
		else if (k->end[1 - from].count == 0)
			return true;
	}
	return false;
}

/* On to the next timer of either; false: there is none before `until`. */
static inline bool
wire_next(struct wire *k, int64_t until)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < 2; i++)
		if (k->end[i].ppp != NULL && ppp_deadline(k->end[i].ppp) < due)
			due = ppp_deadline(k->end[i].ppp);
	if (due > until)
		return false;
	if (due > k->now)
		k->now = due;
	for (size_t i = 0; i < 2; i++)
		if (k->end[i].ppp != NULL)
			ppp_tick(k->end[i].ppp, k->now);
	return true;
}

/* Let `ms` pass, and everything happen that happens in it. */
static inline void
wire_pass(struct wire *k, int64_t ms)
{
	int64_t until = k->now + ms;
	unsigned ticks = 0;

	do {
		if (k->end[0].ppp != NULL && k->end[1].ppp != NULL)
			assert_true(wire_settle(k));
		assert_true(ticks++ < 10000);
	} while (wire_next(k, until));
	k->now = until;
}

static inline void
wire_start(struct wire *k)
{
	for (size_t i = 0; i < 2; i++)
		if (k->end[i].ppp != NULL)
			ppp_start(k->end[i].ppp, k->now);
}

#endif
