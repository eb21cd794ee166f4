/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/http_connect.c -- the method CONNECT (RFC 9110 9.3.6): through a proxy; http_proxy.c is
 * one.
 *
 * TLS begins behind the proxy's consent, with the server that it leads to.  In proxyVia the far
 * side is the proxy, and what begins behind its consent is for others to say.
 */
#include "base/text.h"
#include "proto/http_head.h"
#include "proto/http_proxy.h"
#include "proto/ntlm.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	/* Of user and password: all fits into a line of base64. */
	LOGIN_MAX = 2048,
	CHALLENGE_MAX = 4096, /* of NTLM, decoded */
	BODY_MAX = 1 << 20,   /* of a proxy's page that asks for the login */
};

struct connect_state {
	size_t at;   /* how far the head was looked through */
	size_t body; /* of the proxy's first answer, still to come */
	bool agreed; /* the proxy has consented */
	uint8_t challenge[NT_AUTH_CHALLENGE];
};

/* ---- client ---- */

static bool
logs_in(const struct proto_conf *conf)
{
	return conf->username != NULL && conf->password != NULL;
}

static bool
is_ntlm(const struct proto_conf *conf)
{
	return logs_in(conf) && conf->authentication != NULL &&
	       strcasecmp(conf->authentication, "ntlm") == 0;
}

/* "Proxy-Authorization: SCHEME BASE64", which the log does not get. */
static void
say_login(struct dialogue *d, const char *scheme, const void *bytes, size_t n)
{
	char line[PROTO_LINE_MAX];
	int used = snprintf(line, sizeof(line), "Proxy-Authorization: %s ", scheme);

	MUST(proto_base64(bytes, n, line + used, sizeof(line) - (size_t)used));
	log_debug(d->log, " -> Proxy-Authorization: %s ...", scheme);
	proto_say_secret(d, PROTO_FAR, line);
	explicit_bzero(line, sizeof(line));
}

static void
say_basic(struct dialogue *d)
{
	char login[LOGIN_MAX + 2];
	int n = snprintf(login, sizeof(login), "%s:%s", d->conf->username, d->conf->password);

	say_login(d, "basic", login, (size_t)n);
	explicit_bzero(login, sizeof(login));
}

/* A header of the configuration may be a login, too: the log has its name. */
static void
say_headers(struct dialogue *d)
{
	for (size_t i = 0; i < d->conf->headers.n; i++) {
		const char *line = d->conf->headers.v[i];

		log_debug(d->log, " -> %.*s: ...", (int)strcspn(line, ":"), line);
		proto_say_secret(d, PROTO_FAR, line);
	}
}

static void
say_request(struct dialogue *d)
{
	proto_say(d, PROTO_FAR, "CONNECT %s HTTP/1.1", d->conf->host);
	proto_say(d, PROTO_FAR, "Host: %s", d->conf->host);
}

static enum proto_verdict
ask(struct dialogue *d)
{
	uint8_t negotiate[NTLM_NEGOTIATE_SIZE];

	say_request(d);
	if (is_ntlm(d->conf)) {
		ntlm_negotiate(negotiate);
		proto_say(d, PROTO_FAR, "Proxy-Connection: keep-alive");
		say_login(d, "NTLM", negotiate, sizeof(negotiate));
	} else {
		if (logs_in(d->conf))
			say_basic(d);
		say_headers(d);
	}
	proto_say(d, PROTO_FAR, "%s", "");
	return PROTO_DONE;
}

/* The head of the proxy's final answer; interim ones (RFC 9110 15.2) are passed over. */
static enum proto_verdict
take_head(struct dialogue *d, struct http_head *head)
{
	struct connect_state *s = d->state;
	enum proto_verdict got;

	for (;;) {
		got = http_head_await(d, PROTO_FAR, HTTP_RESPONSE, &s->at, head);
		if (got != PROTO_DONE)
			return got;
		if (head->fault != HTTP_GOOD)
			return proto_end(d, R_PROTO_SERVER, "The proxy's answer is no HTTP: %s",
			    http_head_words(head->fault));
		log_debug(d->log, " <- %.*s", (int)head->start.n, head->start.p);
		if (head->status >= 200)
			return PROTO_DONE;
		proto_eat(d, PROTO_FAR, head->length);
	}
}

static enum proto_verdict
rejected(struct dialogue *d, const struct http_head *head)
{
	char safe[TEXT_SAFE_MAX + 4];

	return proto_end(d, head->status == 407 ? R_PROTO_AUTH : R_PROXY_REFUSED,
	    "CONNECT request rejected: %s",
	    text_safe(head->start.p, head->start.n, safe, sizeof(safe)));
}

/* The answer that counts.  A body behind a 2xx there is none, whatever the fields say. */
static enum proto_verdict
take_answer(struct dialogue *d)
{
	struct connect_state *s = d->state;
	struct http_head head;
	enum proto_verdict got;

	if (s->agreed)
		return PROTO_DONE;
	if ((got = take_head(d, &head)) != PROTO_DONE)
		return got;
	if (head.status >= 300)
		return rejected(d, &head);
	proto_eat(d, PROTO_FAR, head.length);
	return PROTO_DONE;
}

/* The field Proxy-Authenticate with NTLM's challenge. */
static bool
read_challenge(const struct http_head *head, uint8_t challenge[NT_AUTH_CHALLENGE])
{
	uint8_t message[CHALLENGE_MAX];
	size_t n;

	for (size_t i = 0; i < head->fields; i++) {
		struct http_text v = head->field[i].value;

		if (http_head_is(head->field[i].name, "Proxy-Authenticate") &&
		    http_head_begins(v, "NTLM "))
			return proto_unbase64(v.p + 5, v.n - 5, message, sizeof(message), &n) &&
			       ntlm_challenge(message, n, challenge);
	}
	return false;
}

/* The page behind the challenge has to be read over; its length must be told. */
static bool
read_length(const struct http_head *head, size_t *length)
{
	struct http_text v;
	char digits[8];
	long n;

	*length = 0;
	if (http_head_find(head, "Transfer-Encoding", &v) > 0)
		return false;
	switch (http_head_find(head, "Content-Length", &v)) {
	case 0:
		return true;
	case 1:
		break;
	default:
		return false;
	}
	if (v.n >= sizeof(digits))
		return false;
	memcpy(digits, v.p, v.n);
	digits[v.n] = '\0';
	if (!text_number(digits, 0, BODY_MAX, &n))
		return false;
	*length = (size_t)n;
	return true;
}

static enum proto_verdict
take_challenge(struct dialogue *d)
{
	struct connect_state *s = d->state;
	struct http_head head;
	enum proto_verdict got;

	if (!is_ntlm(d->conf))
		return PROTO_DONE;
	if ((got = take_head(d, &head)) != PROTO_DONE)
		return got;
	if (head.status < 300) /* it wants no login */
		s->agreed = true;
	else if (head.status != 407)
		return rejected(d, &head);
	else if (!read_challenge(&head, s->challenge))
		return proto_end(d, R_PROTO_AUTH, "Proxy-Authenticate: NTLM header not found");
	else if (!read_length(&head, &s->body))
		return proto_end(d, R_PROTO_SERVER,
		    "The proxy asks for the login with a page of unknown length");
	proto_eat(d, PROTO_FAR, head.length);
	return PROTO_DONE;
}

static enum proto_verdict
skip_body(struct dialogue *d)
{
	struct connect_state *s = d->state;
	const uint8_t *bytes;
	enum proto_verdict got;
	size_t n;

	while (s->body > 0) {
		if ((got = proto_some(d, PROTO_FAR, 0, &bytes, &n)) != PROTO_DONE)
			return got;
		if (n > s->body)
			n = s->body;
		proto_eat(d, PROTO_FAR, n);
		s->body -= n;
	}
	return PROTO_DONE;
}

static enum proto_verdict
ask_again(struct dialogue *d)
{
	struct connect_state *s = d->state;
	uint8_t message[NTLM_AUTHENTICATE_MAX];
	size_t n;

	if (!is_ntlm(d->conf) || s->agreed)
		return PROTO_DONE;
	n = ntlm_authenticate(
	    s->challenge, d->conf->domain, d->conf->username, d->conf->password, message);
	say_request(d);
	say_login(d, "NTLM", message, n);
	explicit_bzero(message, sizeof(message));
	say_headers(d);
	proto_say(d, PROTO_FAR, "%s", "");
	return PROTO_DONE;
}

static void
check_client(const struct proto_conf *conf, struct sink *sink)
{
	if (conf->host != NULL && strchr(conf->host, ':') == NULL)
		sink_warn(sink, "protocolHost",
		    "proxies want a port, too; write protocolHost = HOST:PORT");
	if (!logs_in(conf))
		return;
	if (strlen(conf->username) + strlen(conf->password) > LOGIN_MAX)
		sink_error(sink, "protocolPassword",
		    "user and password together have more than %d bytes", LOGIN_MAX);
	if (is_ntlm(conf) && (strlen(conf->username) > NTLM_NAME_MAX ||
				 (conf->domain != NULL && strlen(conf->domain) > NTLM_NAME_MAX)))
		sink_error(sink, "protocolUsername",
		    "NTLM takes at most %d bytes of a user or a domain", NTLM_NAME_MAX);
}

/* ---- what they are ---- */

#define CALL(side, function) \
	{ \
		PROTO_CALL, side, NULL, NULL, R_NONE, function \
	}

static const struct proto_row client_clear[] = {
	CALL(PROTO_FAR, ask),
	CALL(PROTO_FAR, take_challenge),
	CALL(PROTO_FAR, skip_body),
	CALL(PROTO_FAR, ask_again),
	CALL(PROTO_FAR, take_answer),
	{ 0 },
};
static const char *const authentications[] = { "basic", "ntlm", NULL };

const struct proto http_connect = {
	.name = "connect",
	.client = { .script[PROTO_CLEAR] = client_clear,
	    .needs_host = true,
	    .host_is_peer = true,
	    .authentications = authentications,
	    .state_size = sizeof(struct connect_state),
	    .check = check_client },
	.inside = { .script[PROTO_LATE] = client_clear,
	    .state_size = sizeof(struct connect_state),
	    .check = check_client },
	.server = { .script[PROTO_REQUEST] = http_proxy_request,
	    .script[PROTO_LATE] = http_proxy_late,
	    .script[PROTO_SORRY] = http_proxy_sorry,
	    .names_target = true,
	    .needs_rules = true,
	    .logs_in = true,
	    .wants_facts = true,
	    .state_size = sizeof(struct http_proxy_state) },
	.aimed = { .script[PROTO_EARLY] = http_proxy_request,
	    .script[PROTO_LATE] = http_proxy_late,
	    .script[PROTO_SORRY] = http_proxy_sorry,
	    .needs_rules = true,
	    .state_size = sizeof(struct http_proxy_state) },
};
