/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_ppp.c -- any frames at any time, to a server or a client of PPP.
 *
 * The input: a byte for the role and the methods, and then frames, each behind two bytes.  Their
 * top bit says that 3 s pass first, the next one that the answer to the last request of ours comes
 * (the frame's bytes are then put over its own), the other fourteen are the length.
 */
#include "base/rd.h"
#include "ppp/ppp.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { FRAME_MAX = 4096, FRAMES = 200 };

struct run {
	struct ppp *ppp;
	int64_t now;
	uint8_t chance;
	unsigned logins, downs, sent;
	bool up[PPP_FAMILIES];
	uint8_t last[PPP_FRAME_MAX]; /* that was sent */
	size_t last_size;
	uint8_t room[FRAME_MAX];
};

static void
on_send(void *owner, uint8_t *frame, size_t n)
{
	struct run *r = owner;

	MUST(n >= PPP_HEADER + 4 && n <= PPP_FRAME_MAX && frame[0] == 0xff && frame[1] == 0x03);
	MUST(r->downs == 0);
	memcpy(r->last, frame, n);
	r->last_size = n;
	r->sent++;
	memset(frame - PPP_HEADROOM, 0, PPP_HEADROOM + n);
}

static void
on_ask(void *owner, const struct ppp_question *q)
{
	static const struct ppp_secret secret = { .clear = "secret" };
	struct run *r = owner;
	struct ppp_verdict verdict;

	MUST(strlen(q->user) > 0 && strlen(q->user) <= PPP_NAME_MAX);
	auth_check(q, &secret, &verdict);
	/* Nothing that is made up can be right, but a password in clear. */
	if (q->method == PPP_EAP_RELAY) {
		verdict.answer = q->secret[q->secret_size - 1] % 3;
		verdict.eap = q->secret;
		verdict.eap_size = q->secret_size;
	}
	if ((r->now / 3000) % 2 == 0)
		(void)ppp_auth_verdict(r->ppp, q->number, &verdict, r->now);
}

static void
on_authenticated(void *owner, const struct ppp_login *login)
{
	const struct ppp_network net = {
		.family = { true, true },
		.local.s_addr = 0x0100420a,
		.peer.s_addr = 0x0200420a,
		.dns[0].s_addr = 0x3500420a,
	};
	struct run *r = owner;

	(void)login;
	r->logins++;
	ppp_open_network(r->ppp, &net, r->now);
}

static void
on_up(void *owner, enum ppp_family family, const struct ppp_network *net)
{
	struct run *r = owner;

	(void)net;
	MUST(r->logins > 0 && !r->up[family] && r->downs == 0);
	r->up[family] = true;
}

static void
on_lost(void *owner, enum ppp_family family)
{
	struct run *r = owner;

	MUST(r->up[family]);
	r->up[family] = false;
}

static void
on_data(void *owner, enum ppp_family family, uint8_t *packet, size_t n)
{
	struct run *r = owner;

	MUST(r->up[family] && n >= 20 && packet >= r->room && packet + n <= r->room + FRAME_MAX);
}

static void
on_down(void *owner, enum ppp_end why, const char *detail)
{
	struct run *r = owner;

	MUST(why < PPP_ENDS && strlen(detail) < PPP_TEXT_MAX && ++r->downs == 1);
}

static bool
on_random(void *owner, void *out, size_t n)
{
	struct run *r = owner;

	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = ++r->chance;
	return true;
}

/* A machine of TLS that is content with two messages. */
struct tls {
	unsigned turns;
	size_t left;
};

static void *
tls_begin(void *arg, bool server)
{
	struct tls *t = calloc(1, sizeof(*t));

	(void)arg;
	(void)server;
	return t;
}

static bool
tls_put(void *tls, const uint8_t *bytes, size_t n)
{
	(void)tls;
	return bytes[0] != 0xee && n > 0;
}

static enum ppp_tls_state
tls_step(void *tls)
{
	struct tls *t = tls;

	t->left = 2000;
	return ++t->turns < 2 ? PPP_TLS_MORE : t->turns == 2 ? PPP_TLS_DONE : PPP_TLS_FAILED;
}

static size_t
tls_left(void *tls)
{
	return ((struct tls *)tls)->left;
}

static size_t
tls_take(void *tls, uint8_t *out, size_t n)
{
	struct tls *t = tls;

	n = n < t->left ? n : t->left;
	memset(out, 0, n);
	t->left -= n;
	return n;
}

static bool
tls_key(void *tls, uint8_t out[PPP_KEY])
{
	MUST(((struct tls *)tls)->turns == 2);
	memset(out, 1, PPP_KEY);
	return true;
}

static bool
tls_name(void *tls, char *out, size_t size)
{
	(void)tls;
	MUST(size > 4);
	memcpy(out, "user", 5);
	return true;
}

static const struct ppp_tls tls = { tls_begin, tls_put, tls_step, tls_left, tls_take, tls_key,
	tls_name, free };

static const struct ppp_events events = { on_send, on_ask, on_authenticated, on_up, on_lost,
	on_data, on_down, on_random };

/* The answer that our last packet waits for has its number, and mostly its bytes. */
static size_t
answer_last(struct run *r, const uint8_t *bytes, size_t n)
{
	size_t size = r->last_size;

	memcpy(r->room, r->last, size);
	if (size > 4)
		r->room[4]++; /* Request → Ack, Challenge → Response, ... */
	for (size_t i = 0; i < n && i + 6 < FRAME_MAX; i++) {
		r->room[6 + i] = bytes[i];
		size = 7 + i > size ? 7 + i : size;
	}
	return size;
}

static void
feed(struct run *r, struct rd *input)
{
	for (unsigned frames = 0; rd_left(input) > 2 && frames < FRAMES; frames++) {
		uint16_t head = rd_u16(input);
		size_t n = head & 0x3fff;
		const uint8_t *bytes;

		if (n > rd_left(input))
			n = rd_left(input);
		if (n > FRAME_MAX)
			n = FRAME_MAX;
		bytes = rd_bytes(input, n);
		if ((head & 0x8000) != 0) {
			r->now += 3000;
			ppp_tick(r->ppp, r->now);
		}
		if ((head & 0x4000) != 0)
			n = answer_last(r, bytes, n);
		else if (n > 0)
			memcpy(r->room, bytes, n);
		ppp_receive(r->ppp, r->room, n, r->now);
	}
}

/* However it was left, timers alone bring it to an end, and do not run hot. */
static void
run_out(struct run *r)
{
	unsigned ticks = 0;

	while (r->downs == 0 && ppp_deadline(r->ppp) < INT64_MAX) {
		MUST(ticks++ < 200);
		if (ppp_deadline(r->ppp) > r->now)
			r->now = ppp_deadline(r->ppp);
		ppp_tick(r->ppp, r->now);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct log_ctx log = { .level = LOG_EMERG };
	static struct run r;
	struct rd input = rd_of(data, n);
	uint8_t how = rd_u8(&input);
	struct ppp_conf conf = {
		.server = (how & 0x80) != 0,
		.method_count = how >> 4 & 3,
		.user = "user",
		.password = "secret",
		.tls = &tls,
	};

	for (size_t i = 0; i < conf.method_count; i++)
		conf.methods[i] = PPP_PAP + (how + 5 * i) % (conf.server ? 6 : 5);
	r = (struct run){ .now = 0 };
	r.ppp = ppp_new(&conf, &events, &r, &log);
	MUST(r.ppp != NULL);
	ppp_start(r.ppp, r.now);
	feed(&r, &input);
	run_out(&r);
	ppp_free(r.ppp);
	return 0;
}
