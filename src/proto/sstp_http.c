/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/sstp_http.c -- protocol = sstp: the one HTTP request and its answer, before SSTP's packets.
 *
 * MS-SSTP 3.2.4.1 and 3.3.5.1.  The method and the path decide; the length is 2^64 - 1 and frames
 * nothing.  Whoever asks for anything else is answered as a web server without pages would.
 */
#include "base/digest.h"
#include "proto/http_head.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATH "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
#define METHOD "SSTP_DUPLEX_POST"
#define LENGTH "Content-Length: 18446744073709551615"

enum { ID_MAX = 64 }; /* of a correlation id in the log */

struct sstp_http_state {
	size_t at; /* http_head_await() */
};

/* ---- server ---- */

static void
say_date(struct dialogue *d)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[64];

	if (gmtime_r(&now, &tm) != NULL &&
	    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		proto_say(d, PROTO_NEAR, "Date: %s", text);
}

/* Four fields: one client of old has room for seven. */
static void
answer(struct dialogue *d, const char *status, const char *length)
{
	proto_say(d, PROTO_NEAR, "HTTP/1.1 %s", status);
	proto_say(d, PROTO_NEAR, "%s", length);
	proto_say(d, PROTO_NEAR, "Server: ginnel");
	say_date(d);
}

/* The path alone: a query may name a tenant for a proxy in front. */
static bool
is_our_path(struct http_text target)
{
	const char *query = memchr(target.p, '?', target.n);

	if (query != NULL)
		target.n = (size_t)(query - target.p);
	return http_head_is(target, PATH);
}

/* The answer to a request that is not SSTP's; NULL: it is. */
static const char *
refusal(const struct http_head *head)
{
	static const char *const methods_of_the_web[] = { "GET", "HEAD", "POST", "PUT", "DELETE",
		"OPTIONS", "PROPFIND" };

	if (head->fault != HTTP_GOOD)
		return "400 Bad Request";
	if (http_head_is(head->method, METHOD))
		return is_our_path(head->target) ? NULL : "404 Not Found";
	for (size_t i = 0; i < COUNT_OF(methods_of_the_web); i++)
		if (http_head_is(head->method, methods_of_the_web[i]))
			return "404 Not Found";
	return "501 Not Implemented";
}

static void
log_request(struct dialogue *d, const struct http_head *head)
{
	struct http_text id = { "", 0 };

	(void)http_head_find(head, "SSTPCORRELATIONID", &id);
	/* The head has no control bytes; what clients put there is never looked at. */
	log_info(d->log, "SSTP: the client asks for a call, correlation id %.*s",
	    id.n < ID_MAX ? (int)id.n : ID_MAX, id.p);
}

static enum proto_verdict
take_request(struct dialogue *d)
{
	struct sstp_http_state *s = d->state;
	struct http_head head;
	enum proto_verdict got = http_head_await(d, PROTO_NEAR, HTTP_REQUEST, &s->at, &head);
	const char *no;

	if (got != PROTO_DONE)
		return got;
	if ((no = refusal(&head)) != NULL) {
		answer(d, no, "Content-Length: 0");
		proto_say(d, PROTO_NEAR, "Connection: close");
		proto_say(d, PROTO_NEAR, "%s", "");
		return proto_end(d, R_NOT_SSTP, "SSTP: answered %s%s%s", no,
		    head.fault != HTTP_GOOD ? ": " : "",
		    head.fault != HTTP_GOOD ? http_head_words(head.fault) : "");
	}
	log_request(d, &head);
	proto_eat(d, PROTO_NEAR, head.length);
	answer(d, "200 OK", LENGTH);
	proto_say(d, PROTO_NEAR, "%s", "");
	return PROTO_DONE;
}

/* ---- client ---- */

/* A new one for each attempt. */
static bool
say_correlation_id(struct dialogue *d)
{
	uint8_t r[16];

	if (!digest_random(r, sizeof(r)))
		return false;
	proto_say(d, PROTO_FAR,
	    "SSTPCORRELATIONID: {%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%"
	    "02X}",
	    r[0], r[1], r[2], r[3], r[4], r[5], (r[6] & 0x0f) | 0x40, r[7], (r[8] & 0x3f) | 0x80,
	    r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
	return true;
}

/* With the port only if it is not the usual one. */
static void
say_host(struct dialogue *d)
{
	const struct target *t = d->facts->target;
	const char *host = t != NULL && t->host != NULL ? t->host : "localhost";
	bool brackets = strchr(host, ':') != NULL;
	char port[8] = "";

	if (d->conf->host != NULL) {
		proto_say(d, PROTO_FAR, "Host: %s", d->conf->host);
		return;
	}
	if (t != NULL && t->port != 443)
		(void)snprintf(port, sizeof(port), ":%u", t->port);
	proto_say(
	    d, PROTO_FAR, "Host: %s%s%s%s", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

static enum proto_verdict
ask(struct dialogue *d)
{
	proto_say(d, PROTO_FAR, "%s %s HTTP/1.1", METHOD, PATH);
	proto_say(d, PROTO_FAR, "%s", LENGTH);
	say_host(d);
	if (!say_correlation_id(d))
		return proto_end(d, R_VPN_FAULT, "SSTP: no random numbers");
	proto_say(d, PROTO_FAR, "%s", "");
	return PROTO_DONE;
}

static enum proto_verdict
take_answer(struct dialogue *d)
{
	struct sstp_http_state *s = d->state;
	struct http_head head;
	enum proto_verdict got = http_head_await(d, PROTO_FAR, HTTP_RESPONSE, &s->at, &head);

	if (got != PROTO_DONE)
		return got;
	if (head.fault != HTTP_GOOD)
		return proto_end(d, R_VPN_REFUSED, "SSTP: the server's answer is no HTTP: %s",
		    http_head_words(head.fault));
	if (head.status != 200)
		return proto_end(d, R_VPN_REFUSED, "SSTP: the server answered \"%.*s\"",
		    (int)head.start.n, head.start.p);
	proto_eat(d, PROTO_FAR, head.length);
	return PROTO_DONE;
}

/* ---- what it is ---- */

static const struct proto_row server_request[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, take_request },
	{ 0 },
};
static const struct proto_row client_late[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, ask },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, take_answer },
	{ 0 },
};

const struct proto sstp_http = {
	.name = "sstp",
	.server = { .script[PROTO_REQUEST] = server_request,
	    .is_network = true,
	    .alpn = "http/1.1",
	    .state_size = sizeof(struct sstp_http_state) },
	.client = { .script[PROTO_LATE] = client_late,
	    .is_network = true,
	    .wants_facts = true,
	    .state_size = sizeof(struct sstp_http_state) },
};
