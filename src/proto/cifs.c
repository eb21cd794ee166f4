/* SPDX-License-Identifier: Apache-2.0 */
/* proto/cifs.c -- TLS behind a session request of NetBIOS (RFC 1002 4.3), as Samba once had it. */
#include "proto/proto.h"

enum {
	SESSION_MESSAGE_MAX = 124, /* two names and their scopes; the incumbent's limit */
	SESSION_REQUEST = 0x81,
	NEGATIVE_RESPONSE = 0x83,
	USE_TLS = 0x8e, /* an error code that no RFC has: come again, with TLS */
};

static const uint8_t request[] = { SESSION_REQUEST, 0, 0, 0 };
static const uint8_t begin_tls[] = { NEGATIVE_RESPONSE, 0, 0, 1, USE_TLS };
static const uint8_t refused[] = { NEGATIVE_RESPONSE, 0, 0, 1, 0x81 };

static enum proto_verdict
ask(struct dialogue *d)
{
	proto_put(d, PROTO_FAR, request, sizeof(request));
	return PROTO_DONE;
}

static enum proto_verdict
take_answer(struct dialogue *d)
{
	const uint8_t *p;
	enum proto_verdict got = proto_bytes(d, PROTO_FAR, sizeof(begin_tls), &p);

	if (got != PROTO_DONE)
		return got;
	if (p[0] != NEGATIVE_RESPONSE)
		return proto_end(d, R_PROTO_SERVER, "Negative response expected");
	if (p[2] != 0 || p[3] != 1)
		return proto_end(d, R_PROTO_SERVER, "Unexpected NetBIOS response size");
	if (p[4] != USE_TLS)
		return proto_end(d, R_NO_STARTTLS_FAR, "Remote server does not require TLS");
	proto_eat(d, PROTO_FAR, sizeof(begin_tls));
	return PROTO_DONE;
}

static enum proto_verdict
take_request(struct dialogue *d)
{
	const uint8_t *p;
	enum proto_verdict got = proto_bytes(d, PROTO_NEAR, 4, &p);
	size_t n;

	if (got != PROTO_DONE)
		return got;
	n = (size_t)p[2] << 8 | p[3];
	if (n > SESSION_MESSAGE_MAX)
		return proto_end(d, R_PROTO_CLIENT, "Received block too long");
	if ((got = proto_bytes(d, PROTO_NEAR, 4 + n, &p)) != PROTO_DONE)
		return got;
	if (p[0] != SESSION_REQUEST) {
		proto_put(d, PROTO_NEAR, refused, sizeof(refused));
		return proto_end(d, R_PROTO_CLIENT, "Client did not send session setup");
	}
	proto_eat(d, PROTO_NEAR, 4 + n);
	proto_put(d, PROTO_NEAR, begin_tls, sizeof(begin_tls));
	return PROTO_DONE;
}

static const struct proto_row client_clear[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, ask },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, take_answer },
	{ 0 },
};
static const struct proto_row server_early[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, take_request },
	{ 0 },
};

const struct proto cifs_proto = {
	.name = "cifs",
	.client = { .script[PROTO_CLEAR] = client_clear, .starts_tls = true },
	.server = { .script[PROTO_EARLY] = server_early, .starts_tls = true },
};
