/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/mysql.c -- TLS of MySQL and MariaDB (their manuals, "Connection Phase").
 *
 * A packet is three bytes of length and one that counts the packets of an exchange, in both
 * directions.  Where TLS begins, the client has sent one packet more than a peer without TLS knows
 * of: until the login is over, its numbers are those of the plain side and one.
 *
 *     server   greeting 0           -> offers TLS in its capabilities
 *     client   SSLRequest 1         -> the first 32 bytes of a login; TLS begins
 *     client   login 2              -> or 1 on a connection without TLS
 *     server   3 ... until OK or an error ends the login
 */
#include "proto/proto.h"

#include "base/rd.h"
#include "base/text.h"

#include <string.h>

enum {
	HEADER = 4,
	LOGIN_HEAD = 32, /* capabilities, largest packet, character set, nothing; then the user */
	VERSION = 10,	 /* of the greeting */
	SALT_1 = 8 + 1,
	/* Capabilities are little-endian; both of these are in the second byte. */
	CAP_41 = 0x02,	/* CLIENT_PROTOCOL_41: capabilities of four bytes */
	CAP_SSL = 0x08, /* CLIENT_SSL */
	TYPE_OK = 0x00,
	TYPE_ERROR = 0xff,
	ERROR_UNKNOWN = 1105,	 /* ER_UNKNOWN_ERROR */
	ERROR_TLS_NEEDED = 3159, /* ER_SECURE_TRANSPORT_REQUIRED */
};

struct packet {
	uint32_t length;
	uint8_t id;
};

struct mysql {
	bool login_seen, over;
	bool waits_for_server; /* the client has said its part */
	uint32_t left[2];      /* bytes of a packet from there that are still to be handed on */
};

static enum proto_verdict
peek_header(struct dialogue *d, enum proto_side side, struct packet *p)
{
	const uint8_t *b;
	enum proto_verdict got = proto_bytes(d, side, HEADER, &b);

	if (got != PROTO_DONE)
		return got;
	p->length = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16;
	p->id = b[3];
	return PROTO_DONE;
}

static void
put_header(struct dialogue *d, enum proto_side side, struct packet p)
{
	const uint8_t b[HEADER] = { (uint8_t)p.length, (uint8_t)(p.length >> 8),
		(uint8_t)(p.length >> 16), p.id };

	proto_put(d, side, b, sizeof(b));
}

/* Before the client has told its capabilities, it knows no SQLSTATE. */
static void
say_error(struct dialogue *d, uint8_t id, unsigned code, const char *state, const char *words)
{
	const uint8_t head[] = { TYPE_ERROR, (uint8_t)code, (uint8_t)(code >> 8) };
	size_t n = sizeof(head) + strlen(state) + strlen(words);

	put_header(d, PROTO_NEAR, (struct packet){ (uint32_t)n, id });
	proto_put(d, PROTO_NEAR, head, sizeof(head));
	proto_put(d, PROTO_NEAR, state, strlen(state));
	proto_put(d, PROTO_NEAR, words, strlen(words));
}

/* ---- the greeting ---- */

/* Where the second byte of the capabilities is; 0: this is no greeting that we know. */
static size_t
find_capabilities(const uint8_t *greeting, size_t n)
{
	struct rd r = rd_of(greeting, n);
	const uint8_t *end;

	if (rd_u8(&r) != VERSION || (end = memchr(r.p, '\0', rd_left(&r))) == NULL)
		return 0;
	(void)rd_bytes(&r, (size_t)(end + 1 - r.p)); /* the server's version */
	(void)rd_bytes(&r, 4 + SALT_1);		     /* the thread */
	(void)rd_u16(&r);
	return r.bad ? 0 : (size_t)(r.p - greeting) - 1;
}

/* The server's first packet whole, at *bytes. */
static enum proto_verdict
peek_greeting(struct dialogue *d, struct packet *p, const uint8_t **bytes)
{
	enum proto_verdict got = peek_header(d, PROTO_FAR, p);

	*bytes = (const uint8_t *)"";
	if (got != PROTO_DONE)
		return got;
	if (p->id != 0 || p->length == 0 || p->length > PROTO_LINE_MAX - HEADER)
		return proto_end(d, R_PROTO_SERVER, "Unknown server welcome");
	got = proto_bytes(d, PROTO_FAR, HEADER + p->length, bytes);
	if (got == PROTO_DONE)
		*bytes += HEADER;
	return got;
}

/* The server does not let us in: its words are in the error. */
static void
log_refusal(const struct dialogue *d, const uint8_t *error, size_t n)
{
	struct rd r = rd_of(error, n);
	char safe[TEXT_SAFE_MAX];

	(void)rd_bytes(&r, 3); /* the type, the code */
	log_err(d->log, "The server refuses the connection: %s",
	    text_safe((const char *)r.p, rd_left(&r), safe, sizeof(safe)));
}

/* Hand the greeting on, with the capability set or cleared. */
static void
put_greeting(struct dialogue *d, struct packet p, const uint8_t *bytes, size_t at, bool tls)
{
	uint8_t caps = (uint8_t)(tls ? bytes[at] | CAP_SSL : bytes[at] & ~CAP_SSL);

	put_header(d, PROTO_NEAR, p);
	proto_put(d, PROTO_NEAR, bytes, at);
	proto_put(d, PROTO_NEAR, &caps, 1);
	proto_put(d, PROTO_NEAR, bytes + at + 1, p.length - at - 1);
	proto_eat(d, PROTO_FAR, HEADER + p.length);
}

static enum proto_verdict
check_greeting(struct dialogue *d, const uint8_t *bytes, size_t n, size_t *at)
{
	*at = find_capabilities(bytes, n);
	if (*at == 0 || (bytes[*at] & CAP_41) == 0)
		return proto_end(d, R_PROTO_SERVER, "Unknown server welcome");
	return PROTO_DONE;
}

/* ---- the login ---- */

/* As much of a packet's body as has come. */
static enum proto_verdict
pass_body(struct dialogue *d, enum proto_side from)
{
	uint32_t *left = &((struct mysql *)d->state)->left[from];

	while (*left > 0) {
		size_t n = buf_len(d->side[from].in);
		const uint8_t *bytes;
		enum proto_verdict got;

		n = n > PROTO_LINE_MAX ? PROTO_LINE_MAX : n > 0 ? n : 1;
		n = n > *left ? *left : n;
		if ((got = proto_bytes(d, from, n, &bytes)) != PROTO_DONE)
			return got;
		proto_put(d, from == PROTO_NEAR ? PROTO_FAR : PROTO_NEAR, bytes, n);
		proto_eat(d, from, n);
		*left -= (uint32_t)n;
	}
	return PROTO_DONE;
}

/* A packet of the server.  OK and an error end the login; whatever follows is as it should be. */
static enum proto_verdict
pass_far(struct dialogue *d, int shift)
{
	struct mysql *m = d->state;
	enum proto_verdict got = pass_body(d, PROTO_FAR);
	struct packet p;
	const uint8_t *bytes;

	if (got != PROTO_DONE || (got = peek_header(d, PROTO_FAR, &p)) != PROTO_DONE)
		return got;
	if ((got = proto_bytes(d, PROTO_FAR, HEADER + (p.length > 0), &bytes)) != PROTO_DONE)
		return got;
	m->over = p.length > 0 && (bytes[HEADER] == TYPE_OK || bytes[HEADER] == TYPE_ERROR);
	m->waits_for_server = false;
	m->left[PROTO_FAR] = p.length;
	p.id = (uint8_t)(p.id - shift);
	put_header(d, PROTO_NEAR, p);
	proto_eat(d, PROTO_FAR, HEADER);
	return PROTO_DONE;
}

/* The client's first packet has its capabilities in front: TLS or not, as the server has it. */
static enum proto_verdict
pass_login(struct dialogue *d, struct packet *p, int shift)
{
	const uint8_t *bytes;
	enum proto_verdict got;
	uint8_t caps[2];

	if (p->id != (shift > 0 ? 1 : 2) || p->length < LOGIN_HEAD)
		return proto_end(d, R_PROTO_CLIENT, "mysql: a login was expected");
	if ((got = proto_bytes(d, PROTO_NEAR, HEADER + sizeof(caps), &bytes)) != PROTO_DONE)
		return got;
	caps[0] = bytes[HEADER];
	caps[1] = (uint8_t)(shift > 0 ? bytes[HEADER + 1] | CAP_SSL : bytes[HEADER + 1] & ~CAP_SSL);
	p->id = (uint8_t)(p->id + shift);
	put_header(d, PROTO_FAR, *p);
	proto_put(d, PROTO_FAR, caps, sizeof(caps));
	proto_eat(d, PROTO_NEAR, HEADER + sizeof(caps));
	p->length -= sizeof(caps);
	((struct mysql *)d->state)->login_seen = true;
	return PROTO_DONE;
}

static enum proto_verdict
pass_near(struct dialogue *d, int shift)
{
	struct mysql *m = d->state;
	struct packet p;
	enum proto_verdict got = peek_header(d, PROTO_NEAR, &p);

	if (got != PROTO_DONE)
		return got;
	if (!m->login_seen) {
		if ((got = pass_login(d, &p, shift)) != PROTO_DONE)
			return got;
	} else {
		p.id = (uint8_t)(p.id + shift);
		put_header(d, PROTO_FAR, p);
		proto_eat(d, PROTO_NEAR, HEADER);
	}
	m->left[PROTO_NEAR] = p.length;
	m->waits_for_server = true;
	return PROTO_DONE;
}

/*
 * Hand the login on, with the client's numbers `shift` higher for the server.  The client's next
 * packet is only looked at when the server has answered the last: a command that it sends without
 * waiting for the end of the login counts from 0 again.
 */
static enum proto_verdict
pass_all(struct dialogue *d, int shift)
{
	const struct mysql *m = d->state;
	enum proto_verdict got;

	for (;;) {
		while ((got = pass_far(d, shift)) == PROTO_DONE)
			if (m->over)
				return PROTO_DONE;
		if (got == PROTO_END)
			return got;
		if ((got = pass_body(d, PROTO_NEAR)) != PROTO_DONE)
			return got;
		if (m->waits_for_server)
			return PROTO_MORE; /* of the server, as pass_far() has asked */
		if ((got = pass_near(d, shift)) != PROTO_DONE)
			return got;
	}
}

/* ---- server ---- */

static enum proto_verdict
offer_tls(struct dialogue *d)
{
	const uint8_t *bytes;
	struct packet p;
	size_t at;
	enum proto_verdict got = peek_greeting(d, &p, &bytes);

	if (got != PROTO_DONE)
		return got;
	if (bytes[0] == TYPE_ERROR) {
		log_refusal(d, bytes, p.length);
		proto_put(d, PROTO_NEAR, bytes - HEADER, HEADER + p.length);
		return proto_end(d, R_PROTO_QUIT, "The client is told so");
	}
	if ((got = check_greeting(d, bytes, p.length, &at)) == PROTO_DONE)
		put_greeting(d, p, bytes, at, true);
	return got;
}

static enum proto_verdict
refuse_plain(struct dialogue *d)
{
	say_error(d, 2, ERROR_TLS_NEEDED, "#HY000", "TLS is required here");
	return proto_end(d, R_NO_STARTTLS, "Client does not want TLS");
}

static enum proto_verdict
await_request(struct dialogue *d)
{
	const uint8_t *bytes;
	struct packet p;
	enum proto_verdict got = peek_header(d, PROTO_NEAR, &p);

	if (got != PROTO_DONE)
		return got;
	if (p.id != 1 || p.length < LOGIN_HEAD)
		return proto_end(d, R_PROTO_CLIENT, "mysql: a request for TLS was expected");
	if ((got = proto_bytes(d, PROTO_NEAR, HEADER + 2, &bytes)) != PROTO_DONE)
		return got;
	if ((bytes[HEADER + 1] & CAP_SSL) == 0)
		return refuse_plain(d);
	if ((bytes[HEADER + 1] & CAP_41) == 0 || p.length != LOGIN_HEAD)
		return proto_end(d, R_PROTO_CLIENT, "mysql: the request for TLS is malformed");
	if ((got = proto_bytes(d, PROTO_NEAR, HEADER + LOGIN_HEAD, &bytes)) != PROTO_DONE)
		return got;
	proto_eat(d, PROTO_NEAR, HEADER + LOGIN_HEAD);
	d->tls_began = true; /* nothing is said in between */
	return PROTO_DONE;
}

static enum proto_verdict
pass_down(struct dialogue *d)
{
	return pass_all(d, -1);
}

static enum proto_verdict
regret(struct dialogue *d)
{
	say_error(d, 0, ERROR_UNKNOWN, "", "The database behind this address cannot be reached");
	return PROTO_DONE;
}

static const struct proto_row server_clear[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, offer_tls },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, await_request },
	{ 0 },
};
static const struct proto_row server_late[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, pass_down },
	{ 0 },
};
static const struct proto_row server_sorry[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, regret },
	{ 0 },
};

/* ---- client ---- */

/* The local client must not try TLS of its own.  What a server in clear says in an error, anybody
 * on the way may have written: the log has it, the client has not. */
static enum proto_verdict
hide_tls(struct dialogue *d)
{
	const uint8_t *bytes;
	struct packet p;
	size_t at;
	enum proto_verdict got = peek_greeting(d, &p, &bytes);

	if (got != PROTO_DONE)
		return got;
	if (bytes[0] == TYPE_ERROR) {
		log_refusal(d, bytes, p.length);
		say_error(d, 0, ERROR_UNKNOWN, "", "The server refuses the connection");
		return proto_end(d, R_PROTO_SERVER, "No TLS with this server");
	}
	if ((got = check_greeting(d, bytes, p.length, &at)) != PROTO_DONE)
		return got;
	if ((bytes[at] & CAP_SSL) == 0) {
		say_error(d, 0, ERROR_UNKNOWN, "", "The server does not offer TLS");
		return proto_end(d, R_NO_STARTTLS_FAR, "Server does not support TLS");
	}
	put_greeting(d, p, bytes, at, false);
	return PROTO_DONE;
}

/*
 * The head of the client's login is what asks for TLS, for MariaDB takes the capabilities from
 * there; the login itself waits until it may be sent.
 */
static enum proto_verdict
ask(struct dialogue *d)
{
	const struct packet request = { LOGIN_HEAD, 1 };
	uint8_t head[LOGIN_HEAD];
	const uint8_t *bytes;
	struct packet p;
	enum proto_verdict got = peek_header(d, PROTO_NEAR, &p);

	if (got != PROTO_DONE)
		return got;
	if (p.id != 1 || p.length < LOGIN_HEAD)
		return proto_end(d, R_PROTO_CLIENT, "mysql: a login was expected");
	if ((got = proto_bytes(d, PROTO_NEAR, HEADER + LOGIN_HEAD, &bytes)) != PROTO_DONE)
		return got;
	memcpy(head, bytes + HEADER, sizeof(head));
	if ((head[1] & CAP_41) == 0 || (head[1] & CAP_SSL) != 0)
		return proto_end(d, R_PROTO_CLIENT,
		    "mysql: the client asks for TLS itself, or is too old; set it to plain text");
	head[1] |= CAP_SSL;
	put_header(d, PROTO_FAR, request);
	proto_put(d, PROTO_FAR, head, sizeof(head));
	return PROTO_DONE;
}

static enum proto_verdict
pass_up(struct dialogue *d)
{
	return pass_all(d, 1);
}

static const struct proto_row client_clear[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, hide_tls },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, ask },
	{ 0 },
};
static const struct proto_row client_late[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, pass_up },
	{ 0 },
};

const struct proto mysql_proto = {
	.name = "mysql",
	.server = { .script[PROTO_CLEAR] = server_clear,
	    .script[PROTO_LATE] = server_late,
	    .script[PROTO_SORRY] = server_sorry,
	    .connect_first = true,
	    .starts_tls = true,
	    .state_size = sizeof(struct mysql) },
	.client = { .script[PROTO_CLEAR] = client_clear,
	    .script[PROTO_LATE] = client_late,
	    .starts_tls = true,
	    .state_size = sizeof(struct mysql) },
};
