/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/irc.c -- STARTTLS of IRC (IRCv3, extension "tls"; RFC 1459 for the form of a line).
 *
 * It comes before NICK and USER, and before the backend is reached: whatever a server says of its
 * own to a new connection is heard under TLS.
 */
#include "proto/starttls.h"

#include <string.h>
#include <strings.h>

/* Who we are in front of a line, where no server is known yet. */
#define US ":ginnel "

enum { ECHO_MAX = 400 }; /* of a list that is answered: a line has 512 bytes (RFC 1459 2.3) */

struct irc {
	struct starttls starttls;
	bool suspended; /* the client negotiates capabilities, and will register when it has done so
			 */
};

/* ---- a server ---- */

static enum proto_verdict
refuse(struct dialogue *d)
{
	proto_say(d, PROTO_NEAR, "ERROR :STARTTLS first");
	return proto_end(d, R_NO_STARTTLS, "Client does not want TLS");
}

/* The parameter behind the subcommand: a list, perhaps with its colon. */
static const char *
capabilities(const char *subcommand)
{
	const char *list = subcommand + strcspn(subcommand, " ");

	list += strspn(list, " ");
	return *list == ':' ? list + 1 : list;
}

/*
 * "A client may request the tls capability with CAP REQ, but this won't affect that client's
 * ability to later send the STARTTLS command": the answer is yes, and has no effect.  END is the
 * wish to register without TLS.
 */
static enum proto_verdict
answer_cap(struct dialogue *d)
{
	struct irc *s = d->state;
	const char *sub = d->line + strcspn(d->line, " ");
	const char *list;
	size_t n;

	sub += strspn(sub, " ");
	n = strcspn(sub, " ");
	list = capabilities(sub);
	if (n == 3 && strncasecmp(sub, "END", n) == 0)
		return refuse(d);
	s->suspended = true;
	if (n == 2 && strncasecmp(sub, "LS", n) == 0)
		proto_say(d, PROTO_NEAR, US "CAP * LS :tls");
	else if (n == 4 && strncasecmp(sub, "LIST", n) == 0)
		proto_say(d, PROTO_NEAR, US "CAP * LIST :");
	else if (n == 3 && strncasecmp(sub, "REQ", n) == 0)
		proto_say(d, PROTO_NEAR, US "CAP * %s :%.*s",
		    strncasecmp(list, "tls", 3) == 0 && strspn(list + 3, " ") == strlen(list + 3)
			? "ACK"
			: "NAK",
		    ECHO_MAX, list);
	else
		proto_say(d, PROTO_NEAR, US "410 * :Invalid CAP subcommand");
	return PROTO_DONE;
}

/*
 * A client that negotiates may say its names in one breath with CAP LS; they are forgotten, and it
 * says them again under TLS.  Any other begins to register without TLS.
 */
static enum proto_verdict
forget_name(struct dialogue *d)
{
	const struct irc *s = d->state;

	return s->suspended ? PROTO_DONE : refuse(d);
}

static const struct starttls_answer answers[] = {
	{ "STARTTLS", US "670 * :STARTTLS successful, go ahead with TLS handshake", STARTTLS_GO,
	    NULL },
	{ "CAP", NULL, STARTTLS_STAY, answer_cap },
	{ "NICK", NULL, STARTTLS_STAY, forget_name },
	{ "USER", NULL, STARTTLS_STAY, forget_name },
	{ "QUIT", "ERROR :Bye", STARTTLS_QUIT, NULL },
	{ NULL, "ERROR :STARTTLS first", STARTTLS_REFUSE, NULL },
};

static enum proto_verdict
serve(struct dialogue *d)
{
	return starttls_serve(d, answers);
}

static const struct proto_row server_early[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, serve },
	{ 0 },
};

/* ---- a client ---- */

/* The command or the numeric of a line, behind its tags and its prefix. */
static const char *
command_of(const struct dialogue *d)
{
	const char *at = d->line;

	for (const char *mark = "@:"; *mark != '\0'; mark++)
		if (*at == *mark) {
			at += strcspn(at, " ");
			at += strspn(at, " ");
		}
	return at;
}

/*
 * The answer.  A server may have notices of its own before it; they came in clear, and the local
 * program does not hear them.  691 is a refusal, and so are all errors (400 to 599: 421 is a
 * command that the server does not know).
 */
static enum proto_verdict
await_go_ahead(struct dialogue *d)
{
	enum proto_verdict got;

	while ((got = proto_line(d, PROTO_FAR)) == PROTO_DONE) {
		const char *command = command_of(d);
		bool numeric =
		    strspn(command, "0123456789") == 3 && (command[3] == ' ' || command[3] == '\0');

		if (numeric && strncmp(command, "670", 3) == 0)
			return PROTO_DONE;
		if (numeric &&
		    (strncmp(command, "691", 3) == 0 || *command == '4' || *command == '5'))
			return proto_end(d, R_NO_STARTTLS_FAR, "Server does not support TLS");
		if (strncasecmp(command, "ERROR", 5) == 0)
			return proto_end(d, R_NO_STARTTLS_FAR, "Server closes the connection");
		if (!numeric && strncasecmp(command, "NOTICE ", 7) != 0)
			return proto_end(d, R_PROTO_SERVER, "Unexpected answer to STARTTLS");
	}
	return got;
}

static const struct proto_row client_clear[] = {
	{ PROTO_SAY, PROTO_FAR, "STARTTLS", NULL, R_NONE, NULL },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, await_go_ahead },
	{ 0 },
};

const struct proto irc_proto = {
	.name = "irc",
	.server = { .script[PROTO_EARLY] = server_early,
	    .starts_tls = true,
	    .state_size = sizeof(struct irc) },
	.client = { .script[PROTO_CLEAR] = client_clear, .starts_tls = true },
};
