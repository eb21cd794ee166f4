/* SPDX-License-Identifier: Apache-2.0 */
/* proto/pgsql.c -- SSLRequest of PostgreSQL, and TLS without one (its manual, "Message Flow"). */
#include "proto/proto.h"

#include "base/rd.h"

#include <string.h>

/*
 * A client begins with a length of four bytes, itself included, and a code of four: a version, or
 * one of these, which no version will ever be.
 */
enum {
	REQUEST = 8,
	CODE_CANCEL = 80877102,
	CODE_SSL = 80877103,
	CODE_GSS = 80877104,   /* encryption by GSSAPI, since PostgreSQL 12 */
	AUTH_HEAD = 1 + 4 + 4, /* of the server's "R": the letter, a length, a kind */
	AUTH_SASL = 10,
	VERSION_MAJOR = 3,    /* in the upper half */
	TLS_HANDSHAKE = 0x16, /* RFC 8446 5.1: the first byte of TLS; a length that nobody sends */
};

static const uint8_t ssl_request[REQUEST] = { 0, 0, 0, REQUEST, 0x04, 0xd2, 0x16, 0x2f };

struct pgsql {
	bool direct;	       /* the client began with TLS */
	bool had_gss, had_ssl; /* it may ask once each */
	bool over;	       /* nothing is left to be changed */
};

/* The beginning of the client's packet, not yet eaten. */
static enum proto_verdict
peek_request(struct dialogue *d, uint32_t *length, uint32_t *code)
{
	const uint8_t *bytes;
	enum proto_verdict got = proto_bytes(d, PROTO_NEAR, REQUEST, &bytes);
	struct rd r;

	if (got != PROTO_DONE)
		return got;
	r = rd_of(bytes, REQUEST);
	*length = rd_uint(&r, 4);
	*code = rd_uint(&r, 4);
	return PROTO_DONE;
}

/* ErrorResponse: fields of a letter and a text, a NUL behind each and behind all. */
static void
say_error(struct dialogue *d, const char *code, const char *words)
{
	const char *const texts[] = { "SFATAL", "VFATAL", code, words };
	uint8_t head[5] = { 'E', 0, 0, 0, 4 + 1 }; /* the length counts itself, and the last NUL */

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		head[4] = (uint8_t)(head[4] + strlen(texts[i]) + 1);
	proto_put(d, PROTO_NEAR, head, sizeof(head));
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		proto_put(d, PROTO_NEAR, texts[i], strlen(texts[i]) + 1);
	proto_put(d, PROTO_NEAR, "", 1);
}

/* ---- server ---- */

/* No TLS is asked for.  Who can read an answer learns the reason. */
static enum proto_verdict
refuse_plain(struct dialogue *d, uint32_t code)
{
	bool startup = code >> 16 == VERSION_MAJOR;

	if (startup)
		say_error(d, "C28000", "MTLS is required here; set sslmode=require or higher");
	return proto_end(d, startup || code == CODE_CANCEL ? R_NO_STARTTLS : R_PROTO_CLIENT,
	    "PostgreSQL client did not request TLS, rejecting");
}

static enum proto_verdict
await_request(struct dialogue *d)
{
	struct pgsql *p = d->state;
	enum proto_verdict got;
	const uint8_t *first;
	uint32_t length, code;

	if ((got = proto_bytes(d, PROTO_NEAR, 1, &first)) != PROTO_DONE)
		return got;
	if (*first == TLS_HANDSHAKE && !p->had_gss) {
		p->direct = d->tls_began = true;
		return PROTO_DONE;
	}
	while ((got = peek_request(d, &length, &code)) == PROTO_DONE) {
		if (length != REQUEST || (code != CODE_SSL && (code != CODE_GSS || p->had_gss)))
			return refuse_plain(d, code);
		proto_eat(d, PROTO_NEAR, REQUEST);
		if (code == CODE_SSL) {
			proto_put(d, PROTO_NEAR, "S", 1);
			return PROTO_DONE;
		}
		log_info(
		    d->log, "PostgreSQL client asks for GSSAPI, which is refused; TLS may follow");
		proto_put(d, PROTO_NEAR, "N", 1);
		p->had_gss = true;
	}
	return got;
}

/*
 * Without SSLRequest only ALPN tells that the client means PostgreSQL, and was not led here by
 * somebody between us who has taken its TLS from another port (ALPACA; PostgreSQL 17 demands it,
 * too).
 */
static enum proto_verdict
check_direct(struct dialogue *d)
{
	const struct pgsql *p = d->state;

	if (!p->direct || d->facts->alpn)
		return PROTO_DONE;
	return proto_end(d, R_PROTO_CLIENT,
	    "PostgreSQL client began with TLS and without ALPN \"postgresql\", rejecting");
}

static enum proto_verdict
regret(struct dialogue *d)
{
	say_error(d, "C08006", "MThe database behind this address cannot be reached");
	return PROTO_DONE;
}

static const struct proto_row server_early[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, await_request },
	{ 0 },
};
static const struct proto_row server_request[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, check_direct },
	{ 0 },
};
static const struct proto_row server_sorry[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, regret },
	{ 0 },
};

/* ---- client ---- */

static enum proto_verdict
ask(struct dialogue *d)
{
	proto_put(d, PROTO_FAR, ssl_request, sizeof(ssl_request));
	return PROTO_DONE;
}

/* S: yes; N: no; E: the error of a server that is too old, or that will not talk to us. */
static enum proto_verdict
await_yes(struct dialogue *d)
{
	const uint8_t *answer;
	enum proto_verdict got = proto_bytes(d, PROTO_FAR, 1, &answer);

	if (got != PROTO_DONE)
		return got;
	if (*answer != 'S')
		return proto_end(d,
		    *answer == 'N' || *answer == 'E' ? R_NO_STARTTLS_FAR : R_PROTO_SERVER,
		    "PostgreSQL server rejected TLS");
	proto_eat(d, PROTO_FAR, 1);
	return PROTO_DONE;
}

/*
 * The local program speaks in clear to us.  If it asks for encryption first, as it does by default,
 * the answer is no: the server inside TLS would end the connection over it.
 */
static enum proto_verdict
refuse_local_tls(struct dialogue *d)
{
	struct pgsql *p = d->state;
	enum proto_verdict got;
	uint32_t length, code;

	while ((got = peek_request(d, &length, &code)) == PROTO_DONE) {
		bool *had = code == CODE_SSL ? &p->had_ssl : &p->had_gss;

		if (length != REQUEST || (code != CODE_SSL && code != CODE_GSS) || *had)
			return PROTO_DONE; /* of the tunnel */
		*had = true;
		proto_eat(d, PROTO_NEAR, REQUEST);
		proto_put(d, PROTO_NEAR, "N", 1);
	}
	return got;
}

/* Then it introduces itself.  The server's answer is of interest, unless this is something else. */
static enum proto_verdict
pass_startup(struct dialogue *d)
{
	struct pgsql *p = d->state;
	const uint8_t *bytes;
	uint32_t length, code;
	enum proto_verdict got = peek_request(d, &length, &code);

	if (got != PROTO_DONE)
		return got;
	if (code >> 16 != VERSION_MAJOR || length < REQUEST || length > PROTO_LINE_MAX) {
		p->over = true;
		return PROTO_DONE;
	}
	if ((got = proto_bytes(d, PROTO_NEAR, length, &bytes)) != PROTO_DONE)
		return got;
	proto_put(d, PROTO_FAR, bytes, length);
	proto_eat(d, PROTO_NEAR, length);
	return PROTO_DONE;
}

/*
 * Inside TLS a server offers a login that is bound to its certificate.  The local program sees no
 * TLS, and libpq ends the connection over such an offer; so it is not shown.  The server sees a
 * client that does not know of it (RFC 5802 6: "n"), which it accepts.  `n` bytes at `list`: names
 * with a NUL behind each and behind all.
 */
static void
put_methods(struct dialogue *d, const char *list, size_t n)
{
	static const char bound[] = "-PLUS";
	uint8_t head[] = { 'R', 0, 0, 0, 0, 0, 0, 0, AUTH_SASL };
	char kept[PROTO_LINE_MAX];
	size_t size = 0;

	for (size_t at = 0, next; at < n; at = next) {
		size_t length = strnlen(list + at, n - at);

		next = at + length + (at + length < n);
		if (length >= strlen(bound) &&
		    memcmp(list + at + length - strlen(bound), bound, strlen(bound)) == 0)
			continue;
		memcpy(kept + size, list + at, next - at);
		size += next - at;
	}
	head[3] = (uint8_t)((sizeof(head) - 1 + size) >> 8);
	head[4] = (uint8_t)(sizeof(head) - 1 + size);
	proto_put(d, PROTO_NEAR, head, sizeof(head));
	proto_put(d, PROTO_NEAR, kept, size);
}

/* A message of the server whole: a letter, and a length that counts itself.  END: none of ours. */
static enum proto_verdict
peek_message(struct dialogue *d, const uint8_t **bytes, size_t *size)
{
	enum proto_verdict got = proto_bytes(d, PROTO_FAR, 1 + 4, bytes);
	struct rd r;

	*size = 0;
	if (got != PROTO_DONE)
		return got;
	if (**bytes != 'R' && **bytes != 'v')
		return PROTO_END;
	r = rd_of(*bytes + 1, 4);
	*size = 1 + (size_t)rd_uint(&r, 4);
	if (*size < AUTH_HEAD || *size > PROTO_LINE_MAX)
		return PROTO_END;
	return proto_bytes(d, PROTO_FAR, *size, bytes);
}

/* The server's answer; before it, perhaps, NegotiateProtocolVersion ("v"). */
static enum proto_verdict
hide_binding(struct dialogue *d)
{
	struct pgsql *p = d->state;

	while (!p->over) {
		const uint8_t *bytes;
		size_t size;
		enum proto_verdict got = peek_message(d, &bytes, &size);

		if (got == PROTO_MORE)
			return got;
		if (got == PROTO_END || (*bytes == 'R' && bytes[AUTH_HEAD - 1] != AUTH_SASL))
			return PROTO_DONE; /* of the tunnel */
		p->over = *bytes == 'R';
		if (p->over)
			put_methods(d, (const char *)bytes + AUTH_HEAD, size - AUTH_HEAD);
		else
			proto_put(d, PROTO_NEAR, bytes, size);
		proto_eat(d, PROTO_FAR, size);
	}
	return PROTO_DONE;
}

static const struct proto_row client_clear[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, ask },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, await_yes },
	{ 0 },
};
static const struct proto_row client_late[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, refuse_local_tls },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, pass_startup },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, hide_binding },
	{ 0 },
};

const struct proto pgsql_proto = {
	.name = "pgsql",
	.server = { .script[PROTO_EARLY] = server_early,
	    .script[PROTO_REQUEST] = server_request,
	    .script[PROTO_SORRY] = server_sorry,
	    .starts_tls = true,
	    .wants_facts = true,
	    .alpn = "postgresql",
	    .state_size = sizeof(struct pgsql) },
	.client = { .script[PROTO_CLEAR] = client_clear,
	    .script[PROTO_LATE] = client_late,
	    .starts_tls = true,
	    .state_size = sizeof(struct pgsql) },
};
