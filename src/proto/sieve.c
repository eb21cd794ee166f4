/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/sieve.c -- STARTTLS of ManageSieve (RFC 5804 2.2).
 *
 * The greeting is a list of capabilities that ends in OK, and it comes once more when TLS stands.
 */
#include "proto/starttls.h"

#include <string.h>
#include <strings.h>

enum { ASK, READ };

struct sieve {
	struct starttls starttls;
	bool has_starttls; /* the server offers it */
};

/* Is the line this capability?  The name is a quoted string. */
static bool
is_capability(const struct dialogue *d, const char *name)
{
	size_t n = strlen(name);

	return d->line[0] == '"' && strncasecmp(d->line + 1, name, n) == 0 && d->line[n + 1] == '"';
}

/*
 * The server's list of capabilities up to its OK.  `before_tls`: what the client may know until
 * then, no mechanism to log in by and our STARTTLS; `pass`: hand it on at all.
 */
static enum proto_verdict
read_capabilities(struct dialogue *d, bool pass, bool before_tls)
{
	struct sieve *s = d->state;
	enum proto_verdict got;

	while ((got = proto_line(d, PROTO_FAR)) == PROTO_DONE) {
		bool hidden =
		    is_capability(d, "STARTTLS") || (before_tls && is_capability(d, "SASL"));

		s->has_starttls |= is_capability(d, "STARTTLS");
		if (proto_is(d, "OK"))
			break;
		/* Such a line goes on behind its end (a literal, RFC 5804 1.2). */
		if (d->line[0] != '"' || d->line[d->len - 1] == '}')
			return proto_end(d, R_PROTO_SERVER, "Unknown server welcome");
		if (pass && !hidden)
			proto_say(d, PROTO_NEAR, "%s", d->line);
	}
	if (got != PROTO_DONE || !pass)
		return got;
	if (before_tls)
		proto_say(d, PROTO_NEAR, "\"SASL\" \"\"\r\n\"STARTTLS\"");
	proto_say(d, PROTO_NEAR, "%s", d->line);
	return PROTO_DONE;
}

/* ---- a server ---- */

static enum proto_verdict
pass_welcome(struct dialogue *d)
{
	return read_capabilities(d, true, true);
}

static enum proto_verdict
answer_capability(struct dialogue *d)
{
	struct sieve *s = d->state;

	if (s->starttls.step == ASK)
		proto_say(d, PROTO_FAR, "CAPABILITY");
	s->starttls.step = READ;
	return read_capabilities(d, true, true);
}

static const struct starttls_answer answers[] = {
	{ "STARTTLS", "OK \"Begin TLS negotiation now\"", STARTTLS_GO, NULL },
	{ "CAPABILITY", NULL, STARTTLS_STAY, answer_capability },
	{ "NOOP", "OK", STARTTLS_STAY, NULL }, { "LOGOUT", "OK \"Bye\"", STARTTLS_QUIT, NULL },
	{ NULL, "NO (ENCRYPT-NEEDED) \"STARTTLS first\"", STARTTLS_REFUSE,
	    NULL }, /* RFC 5804 1.3 */
};

static enum proto_verdict
serve(struct dialogue *d)
{
	return starttls_serve(d, answers);
}

static const struct proto_row server_clear[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, pass_welcome },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, serve },
	{ 0 },
};

/* Under TLS the server speaks first again, and tells all. */
static enum proto_verdict
pass_all(struct dialogue *d)
{
	return read_capabilities(d, true, false);
}

static const struct proto_row server_late[] = {
	{ PROTO_SAY, PROTO_FAR, "CAPABILITY", NULL, R_NONE, NULL },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, pass_all },
	{ 0 },
};

/* ---- a client ---- */

/* Nothing of it for the local client: the list that comes under TLS is its greeting. */
static enum proto_verdict
take_welcome(struct dialogue *d)
{
	const struct sieve *s = d->state;
	enum proto_verdict got = read_capabilities(d, false, true);

	if (got != PROTO_DONE || s->has_starttls)
		return got;
	return proto_end(d, R_NO_STARTTLS_FAR, "Server does not support TLS");
}

static const struct proto_row client_clear[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, take_welcome },
	{ PROTO_SAY, PROTO_FAR, "STARTTLS", NULL, R_NONE, NULL },
	{ PROTO_EXPECT, PROTO_FAR, "OK", "Server does not support TLS", R_NO_STARTTLS_FAR, NULL },
	{ 0 },
};

const struct proto sieve_proto = {
	.name = "sieve",
	.server = { .script[PROTO_CLEAR] = server_clear,
	    .script[PROTO_LATE] = server_late,
	    .connect_first = true,
	    .starts_tls = true,
	    .state_size = sizeof(struct sieve) },
	.client = { .script[PROTO_CLEAR] = client_clear,
	    .starts_tls = true,
	    .state_size = sizeof(struct sieve) },
};
