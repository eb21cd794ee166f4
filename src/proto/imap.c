/* SPDX-License-Identifier: Apache-2.0 */
/* proto/imap.c -- STARTTLS of IMAP (RFC 3501 6.2.1). */
#include "proto/proto.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Our own commands to the server have this tag. */
#define TAG "ginnel"

enum { TAG_MAX = 64 };

struct imap {
	char tag[TAG_MAX + 1]; /* of the client's CAPABILITY, while the backend is asked; else "" */
};

/* ---- a server ---- */

/*
 * The greeting, without a list of capabilities: the client is to ask for it, and hear of STARTTLS.
 * PREAUTH is refused like all that is not OK: a session that is logged in cannot begin TLS.
 */
static enum proto_verdict
pass_welcome(struct dialogue *d)
{
	enum proto_verdict got = proto_line(d, PROTO_FAR);
	char *code, *end;

	if (got != PROTO_DONE)
		return got;
	if (!proto_is(d, "* OK"))
		return proto_end(d, R_PROTO_SERVER, "Unknown server welcome");
	if ((code = strcasestr(d->line, "[CAPABILITY")) != NULL &&
	    (end = strchr(code, ']')) != NULL) {
		end += strspn(end + 1, " ") + 1;
		memmove(code, end, strlen(end) + 1);
		d->len = strlen(d->line);
	}
	proto_say(d, PROTO_NEAR, "%s", d->line);
	return PROTO_DONE;
}

/* What needs TLS before it may be used, and what we say ourselves. */
static bool
is_hidden(const char *word, size_t n)
{
	static const char *const hidden[] = { "STARTTLS", "LOGINDISABLED", "SASL-IR" };

	for (size_t i = 0; i < COUNT_OF(hidden); i++)
		if (n == strlen(hidden[i]) && strncasecmp(word, hidden[i], n) == 0)
			return true;
	return n >= 5 && strncasecmp(word, "AUTH=", 5) == 0;
}

/* "* CAPABILITY ..." of the backend, as it is until TLS stands. */
static void
say_capabilities(struct dialogue *d)
{
	char line[PROTO_LINE_MAX + 1];
	const char *word = d->line + strlen("* CAPABILITY");
	int used = snprintf(line, sizeof(line), "* CAPABILITY");

	for (;;) {
		size_t n;

		word += strspn(word, " ");
		if ((n = strcspn(word, " ")) == 0)
			break;
		if (!is_hidden(word, n)) /* it is no longer than the line that it comes from */
			used += snprintf(
			    line + used, sizeof(line) - (size_t)used, " %.*s", (int)n, word);
		word += n;
	}
	proto_put(d, PROTO_NEAR, line, (size_t)used);
	proto_say(d, PROTO_NEAR, " STARTTLS LOGINDISABLED");
}

/* Hand on the backend's answer to CAPABILITY. */
static enum proto_verdict
answer_capability(struct dialogue *d, struct imap *s)
{
	enum proto_verdict got;

	while ((got = proto_line(d, PROTO_FAR)) == PROTO_DONE) {
		if (proto_is(d, "* CAPABILITY")) {
			say_capabilities(d);
		} else if (proto_is(d, TAG " OK")) {
			proto_say(d, PROTO_NEAR, "%s OK CAPABILITY completed", s->tag);
			s->tag[0] = '\0';
			return PROTO_DONE;
		} else if (!proto_begins(d, "* ") || proto_is(d, "* BYE")) {
			proto_say(d, PROTO_NEAR, "* BYE unexpected server response");
			return proto_end(d, R_PROTO_SERVER, "Unexpected answer to CAPABILITY");
		}
	}
	return got;
}

/* The tag of d->line; its length, 0 if it is none (RFC 3501 9: tag). */
static size_t
tag_length(const struct dialogue *d)
{
	size_t n = strcspn(d->line, " ");

	if (n > TAG_MAX || d->line[n] != ' ')
		return 0;
	for (size_t i = 0; i < n; i++)
		if (d->line[i] <= ' ' || d->line[i] > '~' ||
		    strchr("(){%*\"\\+", d->line[i]) != NULL)
			return 0;
	return n;
}

static enum proto_verdict
take_leave(struct dialogue *d, enum reason reason)
{
	proto_say(d, PROTO_FAR, TAG " LOGOUT");
	return proto_end(d, reason, "Client does not want TLS");
}

/* One command of the client is in d->line, with a tag of `n` bytes.  DONE: it was STARTTLS; MORE:
 * it was not the last. */
static enum proto_verdict
answer(struct dialogue *d, struct imap *s, size_t n)
{
	const char *command = d->line + n + 1;
	int tag = (int)n;

	if (strcasecmp(command, "STARTTLS") == 0) {
		proto_say(d, PROTO_NEAR, "%.*s OK Begin TLS negotiation now", tag, d->line);
		return PROTO_DONE;
	}
	if (strcasecmp(command, "CAPABILITY") == 0) {
		(void)snprintf(s->tag, sizeof(s->tag), "%.*s", tag, d->line);
		proto_say(d, PROTO_FAR, TAG " CAPABILITY");
		return PROTO_MORE;
	}
	if (strcasecmp(command, "NOOP") == 0) {
		proto_say(d, PROTO_NEAR, "%.*s OK NOOP completed", tag, d->line);
		return PROTO_MORE;
	}
	if (strcasecmp(command, "LOGOUT") == 0) {
		proto_say(d, PROTO_NEAR, "* BYE server terminating");
		proto_say(d, PROTO_NEAR, "%.*s OK LOGOUT completed", tag, d->line);
		return take_leave(d, R_PROTO_QUIT);
	}
	proto_say(d, PROTO_NEAR, "* BYE STARTTLS first");
	proto_say(d, PROTO_NEAR, "%.*s BAD STARTTLS first", tag, d->line);
	return take_leave(d, R_NO_STARTTLS);
}

static enum proto_verdict
serve(struct dialogue *d)
{
	struct imap *s = d->state;
	enum proto_verdict got;
	size_t n;

	for (;;) {
		if (s->tag[0] != '\0' && (got = answer_capability(d, s)) != PROTO_DONE)
			return got;
		if ((got = proto_line(d, PROTO_NEAR)) != PROTO_DONE)
			return got;
		if ((n = tag_length(d)) == 0) {
			proto_say(d, PROTO_NEAR, "* BYE no tag, or no command");
			return take_leave(d, R_PROTO_CLIENT);
		}
		if ((got = answer(d, s, n)) != PROTO_MORE)
			return got;
	}
}

static const struct proto_row server[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, pass_welcome },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, serve },
	{ 0 },
};

/* ---- a client ---- */

/* The answer to our STARTTLS; the server may have something else to say before it. */
static enum proto_verdict
await_go_ahead(struct dialogue *d)
{
	enum proto_verdict got;

	do {
		if ((got = proto_line(d, PROTO_FAR)) != PROTO_DONE)
			return got;
	} while (proto_begins(d, "* ") && !proto_is(d, "* BYE"));
	if (proto_is(d, TAG " OK"))
		return PROTO_DONE;
	proto_say(d, PROTO_NEAR, "* BYE Server does not support TLS");
	return proto_end(d, R_NO_STARTTLS_FAR, "Server does not support TLS");
}

static const struct proto_row client_clear[] = {
	{ PROTO_EXPECT, PROTO_FAR, "* OK", "Unknown server welcome", R_NONE, NULL },
	{ PROTO_SAY, PROTO_FAR, TAG " STARTTLS", NULL, R_NONE, NULL },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, await_go_ahead },
	{ 0 },
};

/* The local client gets a greeting of ours, when it is true: TLS stands. */
static const struct proto_row client_late[] = {
	{ PROTO_SAY, PROTO_NEAR, "* OK Connected.", NULL, R_NONE, NULL },
	{ 0 },
};

const struct proto imap_proto = {
	.name = "imap",
	.server = { .script[PROTO_CLEAR] = server,
	    .connect_first = true,
	    .starts_tls = true,
	    .direct_tls = true,
	    .state_size = sizeof(struct imap) },
	.client = { .script[PROTO_CLEAR] = client_clear,
	    .script[PROTO_LATE] = client_late,
	    .starts_tls = true },
};
