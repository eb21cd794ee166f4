/* SPDX-License-Identifier: Apache-2.0 */
/* proto/starttls.c -- STARTTLS in its simple form, and the protocols that are only words: pop3,
 * nntp. */
#include "proto/starttls.h"

#include <string.h>

static const struct starttls_answer *
find_answer(const struct dialogue *d, const struct starttls_answer *a)
{
	while (a->command != NULL) {
		bool alone = d->len == strlen(a->command);

		if (proto_is(d, a->command) && (alone || a->then != STARTTLS_GO))
			return a;
		a++;
	}
	return a;
}

enum proto_verdict
starttls_serve(struct dialogue *d, const struct starttls_answer *answers)
{
	struct starttls *s = d->state;
	enum proto_verdict got = PROTO_DONE;

	for (;;) {
		const struct starttls_answer *a = s->busy;

		if (a == NULL) {
			if ((got = proto_line(d, PROTO_NEAR)) != PROTO_DONE)
				return got;
			s->busy = a = find_answer(d, answers);
			s->step = 0;
		}
		if (a->call != NULL && (got = a->call(d)) != PROTO_DONE)
			return got;
		s->busy = NULL;
		if (a->answer != NULL)
			proto_say(d, PROTO_NEAR, "%s", a->answer);
		switch (a->then) {
		case STARTTLS_STAY:
			break;
		case STARTTLS_GO:
			return PROTO_DONE;
		case STARTTLS_QUIT:
			return proto_end(d, R_PROTO_QUIT, "Client does not want TLS");
		case STARTTLS_REFUSE:
			return proto_end(d, R_NO_STARTTLS, "Client does not want TLS");
		}
	}
}

/* ---- POP3: RFC 1939, RFC 2449 5 (CAPA), RFC 2595 4 (STLS) ---- */

/* After TLS the client asks again (RFC 2595 4), so this answer need not be the backend's. */
static const struct starttls_answer pop3_answers[] = {
	{ "STLS", "+OK Begin TLS negotiation now", STARTTLS_GO, NULL },
	{ "CAPA", "+OK Capability list follows\r\nSTLS\r\n.", STARTTLS_STAY, NULL },
	{ "QUIT", "+OK Bye", STARTTLS_QUIT, NULL },
	{ NULL, "-ERR STLS first", STARTTLS_REFUSE, NULL },
};

static enum proto_verdict
serve_pop3(struct dialogue *d)
{
	return starttls_serve(d, pop3_answers);
}

static const struct proto_row pop3_server[] = {
	{ PROTO_PASS, PROTO_FAR, "+OK", "Unknown server welcome", R_NONE, NULL },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, serve_pop3 },
	{ 0 },
};

static const struct proto_row pop3_client[] = {
	{ PROTO_PASS, PROTO_FAR, "+OK", "Unknown server welcome", R_NONE, NULL },
	{ PROTO_SAY, PROTO_FAR, "STLS", NULL, R_NONE, NULL },
	{ PROTO_EXPECT, PROTO_FAR, "+OK", "Server does not support TLS", R_NO_STARTTLS_FAR, NULL },
	{ 0 },
};

const struct proto starttls_pop3 = {
	.name = "pop3",
	.server = { .script[PROTO_CLEAR] = pop3_server,
	    .connect_first = true,
	    .starts_tls = true,
	    .state_size = sizeof(struct starttls) },
	.client = { .script[PROTO_CLEAR] = pop3_client, .starts_tls = true },
};

/* ---- NNTP: RFC 3977, RFC 4642 ---- */

/*
 * 483: "command unavailable until suitable privacy has been arranged" (RFC 3977 3.2.1).  Many
 * readers say MODE READER to whomever they meet; it is no attempt to go on without TLS.
 */
static const struct starttls_answer nntp_answers[] = {
	{ "STARTTLS", "382 Continue with TLS negotiation", STARTTLS_GO, NULL },
	{ "CAPABILITIES", "101 Capability list:\r\nVERSION 2\r\nSTARTTLS\r\n.", STARTTLS_STAY,
	    NULL },
	{ "MODE", "483 STARTTLS first", STARTTLS_STAY, NULL },
	{ "QUIT", "205 Bye", STARTTLS_QUIT, NULL },
	{ NULL, "483 STARTTLS first", STARTTLS_REFUSE, NULL },
};

static enum proto_verdict
serve_nntp(struct dialogue *d)
{
	return starttls_serve(d, nntp_answers);
}

/* 200: posting allowed, 201: not (RFC 3977 5.1.1). */
static enum proto_verdict
pass_nntp_welcome(struct dialogue *d)
{
	enum proto_verdict got = proto_line(d, PROTO_FAR);

	if (got != PROTO_DONE)
		return got;
	if (!proto_is(d, "200") && !proto_is(d, "201"))
		return proto_end(d, R_PROTO_SERVER, "Unknown server welcome");
	proto_say(d, PROTO_NEAR, "%s", d->line);
	return PROTO_DONE;
}

static const struct proto_row nntp_server[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, pass_nntp_welcome },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, serve_nntp },
	{ 0 },
};

static const struct proto_row nntp_client[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, pass_nntp_welcome },
	{ PROTO_SAY, PROTO_FAR, "STARTTLS", NULL, R_NONE, NULL },
	{ PROTO_EXPECT, PROTO_FAR, "382", "Server does not support TLS", R_NO_STARTTLS_FAR, NULL },
	{ 0 },
};

const struct proto starttls_nntp = {
	.name = "nntp",
	.server = { .script[PROTO_CLEAR] = nntp_server,
	    .connect_first = true,
	    .starts_tls = true,
	    .state_size = sizeof(struct starttls) },
	.client = { .script[PROTO_CLEAR] = nntp_client, .starts_tls = true },
};
