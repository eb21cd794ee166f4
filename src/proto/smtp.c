/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/smtp.c -- STARTTLS of SMTP (RFC 5321, RFC 3207), of LMTP (RFC 2033), and AUTH (RFC 4954).
 *
 * LMTP is SMTP with LHLO in place of EHLO.
 */
#include "proto/starttls.h"
#include "proto/xclient.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	NAME_MAX_LEN = 255, /* RFC 5321 4.5.3.1.2 */
	CREDENTIALS_MAX =
	    2048, /* user and password together; RFC 4954 4 allows a line 12,288 octets */
};

struct smtp {
	struct starttls starttls;
	unsigned row;		       /* of the log-in */
	char domain[NAME_MAX_LEN + 1]; /* that the backend greets with */
	struct xclient xclient;
};

static const char *
hello_word(const struct dialogue *d)
{
	return d->conf->proto == &smtp_lmtp ? "LHLO" : "EHLO";
}

/* ---- a server ---- */

/* Is the line part of a reply with this code? */
static bool
is_reply(const struct dialogue *d, const char *code)
{
	return proto_begins(d, code) &&
	       (d->line[3] == '\0' || d->line[3] == ' ' || d->line[3] == '-');
}

/* The name that the backend greets with. */
static void
take_name(struct smtp *s, const char *greeting)
{
	const char *name = strlen(greeting) > 4 ? greeting + 4 : "localhost";

	(void)snprintf(s->domain, sizeof(s->domain), "%.*s", (int)strcspn(name, " "), name);
}

/*
 * The greeting goes through as it is: its first word is the name that the backend goes by.  So does
 * a refusal (RFC 5321 3.1), whose reader may then know when to come again.
 */
static enum proto_verdict
pass_welcome(struct dialogue *d)
{
	struct smtp *s = d->state;
	enum proto_verdict got;

	while ((got = proto_line(d, PROTO_FAR)) == PROTO_DONE) {
		const char *name = d->len > 4 ? d->line + 4 : "localhost";

		if (s->domain[0] == '\0')
			take_name(s, d->line);
		if (!is_reply(d, "220")) {
			if (d->line[0] == '4' || d->line[0] == '5')
				proto_say(d, PROTO_NEAR, "%.3s %s", d->line, name);
			return proto_end(d, R_PROTO_SERVER, "Unknown server welcome");
		}
		proto_say(d, PROTO_NEAR, "%s", d->line);
		if (d->line[3] != '-')
			break;
	}
	return got;
}

/* The same, behind XCLIENT if it is asked for: then the backend greets once more. */
static enum proto_verdict
welcome(struct dialogue *d)
{
	struct smtp *s = d->state;
	enum proto_verdict got;

	if (!d->conf->xclient)
		return pass_welcome(d);
	if ((got = xclient_run(d, &s->xclient)) != PROTO_DONE)
		return got;
	if (s->xclient.is_offered)
		return pass_welcome(d);
	take_name(s, s->xclient.greeting);
	proto_say(d, PROTO_NEAR, "%s", s->xclient.greeting);
	return PROTO_DONE;
}

/* May it be said to the backend as a name?  RFC 5321 4.1.2: a domain, or an address in brackets. */
static bool
is_name(const char *s)
{
	size_t n =
	    strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]");

	return n > 0 && n <= NAME_MAX_LEN && s[n] == '\0';
}

/*
 * What the backend offers is offered to the client, but not what needs TLS first: a password in
 * clear, or trust in what an address in clear claims; and STARTTLS is ours.
 */
static bool
is_hidden(const char *extension)
{
	static const char *const hidden[] = { "STARTTLS", "AUTH", "AUTH=", "XCLIENT", "XFORWARD" };

	for (size_t i = 0; i < COUNT_OF(hidden); i++) {
		size_t n = strlen(hidden[i]);

		if (strncasecmp(extension, hidden[i], n) == 0 &&
		    (extension[n] == '\0' || extension[n] == ' ' || hidden[i][n - 1] == '='))
			return true;
	}
	return false;
}

enum { HELLO_ASK, HELLO_FIRST, HELLO_REST, HELLO_REFUSED };

/* One line of the backend's answer to EHLO, for the client. */
static void
merge_line(struct dialogue *d, struct smtp *s)
{
	const char *extension = d->len > 4 ? d->line + 4 : "";

	if (s->starttls.step == HELLO_FIRST && !is_reply(d, "250"))
		s->starttls.step = HELLO_REFUSED;
	if (s->starttls.step == HELLO_FIRST)
		proto_say(d, PROTO_NEAR, "250-%s", extension);
	else if (s->starttls.step == HELLO_REST && *extension != '\0' && !is_hidden(extension))
		proto_say(d, PROTO_NEAR, "250-%s", extension);
	if (s->starttls.step == HELLO_FIRST)
		s->starttls.step = HELLO_REST;
}

/* EHLO or LHLO: ask the backend, and add STARTTLS to what it says. */
static enum proto_verdict
answer_hello(struct dialogue *d)
{
	struct smtp *s = d->state;
	enum proto_verdict got;

	if (s->starttls.step == HELLO_ASK) {
		const char *name = d->line + strcspn(d->line, " ");

		name += strspn(name, " ");
		if (!is_name(name)) {
			proto_say(d, PROTO_NEAR, "501 Syntax: %s hostname", hello_word(d));
			return PROTO_DONE;
		}
		proto_say(d, PROTO_FAR, "%s %s", hello_word(d), name);
		s->starttls.step = HELLO_FIRST;
	}
	do {
		if ((got = proto_line(d, PROTO_FAR)) != PROTO_DONE)
			return got;
		merge_line(d, s);
	} while (d->len > 3 && d->line[3] == '-');
	if (s->starttls.step == HELLO_REFUSED)
		proto_say(d, PROTO_NEAR, "250-%s", s->domain);
	proto_say(d, PROTO_NEAR, "250 STARTTLS");
	return PROTO_DONE;
}

/* HELO knows of no extensions; who says it may still know STARTTLS. */
static enum proto_verdict
answer_helo(struct dialogue *d)
{
	const struct smtp *s = d->state;

	proto_say(d, PROTO_NEAR, "250 %s", s->domain);
	return PROTO_DONE;
}

static const struct starttls_answer smtp_answers[] = {
	{ "EHLO", NULL, STARTTLS_STAY, answer_hello }, { "HELO", NULL, STARTTLS_STAY, answer_helo },
	{ "STARTTLS", "220 Go ahead", STARTTLS_GO, NULL },
	{ "NOOP", "250 OK", STARTTLS_STAY, NULL }, { "RSET", "250 OK", STARTTLS_STAY, NULL },
	{ "QUIT", "221 Bye", STARTTLS_QUIT, NULL },
	{ NULL, "530 Must issue a STARTTLS command first", STARTTLS_REFUSE, NULL }, /* RFC 3207 4 */
};

/* RFC 2033 4.1: HELO and EHLO are no commands of LMTP. */
static const struct starttls_answer lmtp_answers[] = {
	{ "LHLO", NULL, STARTTLS_STAY, answer_hello },
	{ "STARTTLS", "220 Go ahead", STARTTLS_GO, NULL },
	{ "NOOP", "250 OK", STARTTLS_STAY, NULL },
	{ "RSET", "250 OK", STARTTLS_STAY, NULL },
	{ "QUIT", "221 Bye", STARTTLS_QUIT, NULL },
	{ NULL, "530 Must issue a STARTTLS command first", STARTTLS_REFUSE, NULL },
};

static enum proto_verdict
serve(struct dialogue *d)
{
	return starttls_serve(d, d->conf->proto == &smtp_lmtp ? lmtp_answers : smtp_answers);
}

static const struct proto_row server[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, welcome },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, serve },
	{ 0 },
};

/* ---- a client ---- */

static const struct proto_row smtp_client_clear[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, pass_welcome },
	{ PROTO_SAY, PROTO_FAR, "EHLO %h", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "250", "Remote server is not RFC 1425 compliant", R_NONE, NULL },
	{ PROTO_SAY, PROTO_FAR, "STARTTLS", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "220", "Remote server is not RFC 2487 compliant",
	    R_NO_STARTTLS_FAR, NULL },
	{ 0 },
};

static const struct proto_row lmtp_client_clear[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, pass_welcome },
	{ PROTO_SAY, PROTO_FAR, "LHLO %h", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "250", "Unknown answer to LHLO", R_NONE, NULL },
	{ PROTO_SAY, PROTO_FAR, "STARTTLS", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "220", "Server does not support TLS", R_NO_STARTTLS_FAR, NULL },
	{ 0 },
};

/* Say `n` bytes in base64 behind `prefix`; the log does not have them. */
static enum proto_verdict
say_encoded(struct dialogue *d, const char *prefix, const void *bytes, size_t n)
{
	char line[2 * CREDENTIALS_MAX];
	size_t used = strlen(prefix);

	memcpy(line, prefix, used);
	MUST(proto_base64(bytes, n, line + used, sizeof(line) - used));
	proto_say_secret(d, PROTO_FAR, line);
	explicit_bzero(line, sizeof(line));
	return PROTO_DONE;
}

static enum proto_verdict
say_user(struct dialogue *d)
{
	return say_encoded(d, "", d->conf->username, strlen(d->conf->username));
}

static enum proto_verdict
say_password(struct dialogue *d)
{
	return say_encoded(d, "", d->conf->password, strlen(d->conf->password));
}

/* RFC 4616: no authorization identity, NUL, user, NUL, password. */
static enum proto_verdict
say_plain(struct dialogue *d)
{
	char text[CREDENTIALS_MAX + 3];
	int n = snprintf(
	    text, sizeof(text), "%c%s%c%s", '\0', d->conf->username, '\0', d->conf->password);

	(void)say_encoded(d, "AUTH PLAIN ", text, (size_t)n);
	explicit_bzero(text, sizeof(text));
	return PROTO_DONE;
}

#define REFUSED "The server refused the user or the password"

static const struct proto_row log_in_plain[] = {
	{ PROTO_SAY, PROTO_FAR, "EHLO %h", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "250", "Unknown answer to EHLO", R_NONE, NULL },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, say_plain },
	{ PROTO_REPLY, PROTO_FAR, "235", REFUSED, R_PROTO_AUTH, NULL },
	{ 0 },
};

static const struct proto_row log_in_login[] = {
	{ PROTO_SAY, PROTO_FAR, "EHLO %h", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "250", "Unknown answer to EHLO", R_NONE, NULL },
	{ PROTO_SAY, PROTO_FAR, "AUTH LOGIN", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "334", "The server does not know AUTH LOGIN", R_PROTO_AUTH,
	    NULL },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, say_user },
	{ PROTO_REPLY, PROTO_FAR, "334", REFUSED, R_PROTO_AUTH, NULL },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, say_password },
	{ PROTO_REPLY, PROTO_FAR, "235", REFUSED, R_PROTO_AUTH, NULL },
	{ 0 },
};

static const char *const authentications[] = { "plain", "login", NULL };

static enum proto_verdict
log_in(struct dialogue *d)
{
	const char *how = d->conf->authentication;
	struct smtp *s = d->state;

	if (d->conf->username == NULL || d->conf->password == NULL)
		return PROTO_DONE;
	return proto_rows(
	    d, how != NULL && strcasecmp(how, "login") == 0 ? log_in_login : log_in_plain, &s->row);
}

static const struct proto_row client_late[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, log_in },
	{ 0 },
};

static void
check_client(const struct proto_conf *conf, struct sink *sink)
{
	size_t n = (conf->username != NULL ? strlen(conf->username) : 0) +
		   (conf->password != NULL ? strlen(conf->password) : 0);

	if (n > CREDENTIALS_MAX)
		sink_error(sink, "protocolPassword",
		    "user and password are %zu bytes long; no more than %d are possible", n,
		    CREDENTIALS_MAX);
	if (conf->host != NULL && !is_name(conf->host))
		sink_error(sink, "protocolHost",
		    "\"%s\" is no name to introduce oneself with; write a host name", conf->host);
}

/* ---- the two protocols ---- */

const struct proto smtp_proto = {
	.name = "smtp",
	.server = { .script[PROTO_CLEAR] = server,
	    .connect_first = true,
	    .starts_tls = true,
	    .direct_tls = true,
	    .wants_facts = true,
	    .state_size = sizeof(struct smtp) },
	.client = { .script[PROTO_CLEAR] = smtp_client_clear,
	    .script[PROTO_LATE] = client_late,
	    .starts_tls = true,
	    .authentications = authentications,
	    .state_size = sizeof(struct smtp),
	    .check = check_client },
};

const struct proto smtp_lmtp = {
	.name = "lmtp",
	.server = { .script[PROTO_CLEAR] = server,
	    .connect_first = true,
	    .starts_tls = true,
	    .state_size = sizeof(struct smtp) },
	.client = { .script[PROTO_CLEAR] = lmtp_client_clear,
	    .starts_tls = true,
	    .state_size = sizeof(struct smtp),
	    .check = check_client },
};
