/* SPDX-License-Identifier: Apache-2.0 */
/* proto/pop3.c -- STLS of POP3 (RFC 2595 4). */
#include "proto/proto.h"

#include <string.h>

/* Until TLS stands, the client gets its answers from us; the backend has only been connected. */
static enum proto_verdict
answer_client(struct dialogue *d)
{
	enum proto_verdict got;

	while ((got = proto_line(d, PROTO_NEAR)) == PROTO_DONE) {
		if (proto_is(d, "STLS") && d->len == strlen("STLS")) {
			proto_say(d, PROTO_NEAR, "+OK Begin TLS negotiation now");
			return PROTO_DONE;
		}
		if (proto_is(d, "CAPA")) {
			proto_say(d, PROTO_NEAR, "+OK Capability list follows");
			proto_say(d, PROTO_NEAR, "STLS");
			proto_say(d, PROTO_NEAR, ".");
		} else if (proto_is(d, "QUIT")) {
			proto_say(d, PROTO_NEAR, "+OK Bye");
			return proto_end(d, R_PROTO_QUIT, "Client does not want TLS");
		} else {
			proto_say(d, PROTO_NEAR, "-ERR STLS first");
			return proto_end(d, R_NO_STARTTLS, "Client does not want TLS");
		}
	}
	return got;
}

static const struct proto_row server_clear[] = {
	{ PROTO_PASS, PROTO_FAR, "+OK", "Unknown server welcome", R_NONE, NULL },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, answer_client },
	{ 0 },
};

static const struct proto_row client_clear[] = {
	{ PROTO_PASS, PROTO_FAR, "+OK ", "Unknown server welcome", R_NONE, NULL },
	{ PROTO_SAY, PROTO_FAR, "STLS", NULL, R_NONE, NULL },
	{ PROTO_EXPECT, PROTO_FAR, "+OK", "Server does not support TLS", R_NO_STARTTLS_FAR, NULL },
	{ 0 },
};

const struct proto pop3_proto = {
	.name = "pop3",
	.server = { .script[PROTO_CLEAR] = server_clear,
	    .connect_first = true,
	    .starts_tls = true },
	.client = { .script[PROTO_CLEAR] = client_clear, .starts_tls = true },
};
