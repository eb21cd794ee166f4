/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_proto.c -- any dialogue with any protocol.
 *
 * The input: the protocol's name and a newline, a byte for the role and the first point, and then
 * chunks, each with a byte before it: its top bit is the side that it comes from, the rest its
 * length.
 */
#include "base/rd.h"
#include "proto/proto.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct target sample_target = {
	.text = "host.test:443", .host = "host.test", .port = 443
};
static const struct proto_conf sample = {
	.host = "host.test:443",
	.host_name = "host.test",
	.host_target = &sample_target,
	.username = "user",
	.password = "secret",
	.domain = "DOMAIN",
	.users = "users",
	.datagrams = true,
};

struct run {
	struct pool *pool;
	struct buf in[2];
	struct dialogue d;
};

/* What holds for every script, whatever it was told. */
static void
check(const struct dialogue *d, enum proto_verdict got)
{
	MUST(d->len <= PROTO_LINE_MAX && d->line[d->len] == '\0');
	if (got == PROTO_MORE)
		MUST(d->waits != 0 || d->login.state == LOGIN_ASKED);
	if (got == PROTO_END)
		MUST(d->reason != R_NONE);
	MUST(memchr(d->target.host, '\0', sizeof(d->target.host)) != NULL);
}

/* What was said has left. */
static void
say_nothing(struct run *r)
{
	for (unsigned i = 0; i < 2; i++)
		buf_clear(&r->d.side[i].out, r->pool);
}

static bool
invite(void *owner, uint16_t port, bool tls, struct addr *at)
{
	(void)owner;
	(void)tls;
	*at = (struct addr){ .len = sizeof(at->in), .in.sin_family = AF_INET };
	addr_set_port(at, 50000);
	return port != 1;
}

/* On through the points from `point`, as far as the bytes reach. */
static enum proto_verdict
go_on(struct run *r, const struct proto_role *role, unsigned *point)
{
	enum proto_verdict got = PROTO_DONE;

	while (*point < PROTO_POINTS && !r->d.no_memory) {
		if (role->script[*point] != NULL) {
			while ((got = proto_run(&r->d, role->script[*point])) == PROTO_AGAIN)
				say_nothing(r);
			check(&r->d, got);
			if (got != PROTO_DONE)
				break;
		}
		++*point;
	}
	say_nothing(r);
	return got;
}

static void
feed(struct run *r, const struct proto_role *role, unsigned point, struct rd *input)
{
	enum proto_verdict got = go_on(r, role, &point);

	while (got == PROTO_MORE && rd_left(input) > 0) {
		uint8_t head = rd_u8(input);
		size_t n = head & 0x7f;
		const uint8_t *bytes;

		if (r->d.login.state == LOGIN_ASKED)
			r->d.login.state = LOGIN_GOOD + head % 3;
		if (n > rd_left(input))
			n = rd_left(input);
		if ((bytes = rd_bytes(input, n)) != NULL && n > 0 &&
		    !buf_append(&r->in[head >> 7], r->pool, bytes, n))
			break;
		got = go_on(r, role, &point);
	}
}

/* The protocol that the input names; NULL: none. */
static const struct proto *
named(struct rd *input)
{
	char name[32];

	for (size_t i = 0; i < sizeof(name) && rd_left(input) > 0; i++) {
		name[i] = (char)rd_u8(input);
		if (name[i] == '\n') {
			name[i] = '\0';
			return proto_find(name);
		}
	}
	return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct proto_facts facts = {
		.accepted = { .len = sizeof(facts.accepted.in), .in.sin_family = AF_INET },
		.server = { .len = sizeof(facts.server.in), .in.sin_family = AF_INET },
	};
	static struct log_ctx log;
	static max_align_t state[1024];
	static struct run r;
	struct rd input = rd_of(data, n);
	struct proto_conf conf = sample;
	const struct proto_role *role;
	uint8_t how;

	if ((conf.proto = named(&input)) == NULL)
		return 0;
	how = rd_u8(&input);
	conf.aimed = conf.inside = (how & 0x20) != 0;
	if ((role = proto_role(&conf, (how & 0x80) != 0)) == NULL)
		return 0;
	if ((how & 0x40) != 0 && role->authentications != NULL)
		conf.authentication = role->authentications[1];
	MUST(role->state_size <= sizeof(state));
	memset(state, 0, sizeof(state));
	r = (struct run){ .pool = pool_new() };
	MUST(r.pool != NULL);
	r.d = (struct dialogue){
		.conf = &conf,
		.facts = &facts,
		.log = &log,
		.pool = r.pool,
		.state = state,
		.beside.invite = invite,
	};
	r.d.side[PROTO_NEAR].in = &r.in[PROTO_NEAR];
	r.d.side[PROTO_FAR].in = &r.in[PROTO_FAR];
	feed(&r, role, (how & 0x1f) % PROTO_POINTS, &input);
	for (unsigned i = 0; i < 2; i++)
		buf_clear(&r.in[i], r.pool);
	pool_free(r.pool);
	return 0;
}
