/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/https_redirect.c -- protocol = https-redirect: tell clients of plain HTTP to come again
 * with https.
 *
 * Only GET and HEAD are sent on: what else a client said in clear has been read by others already,
 * and it should learn that rather than repeat it.
 */
#include "proto/http_head.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct redirect_state {
	size_t at; /* how far the head was looked through */
};

enum { HTTP_PORT = 80 };

/* What the client asked for. */
struct request {
	struct http_text authority; /* host, and perhaps port */
	struct http_text path;
};

static enum proto_verdict
answer(struct dialogue *d, const char *status, const char *location, bool with_body)
{
	char body[128];
	int n = snprintf(body, sizeof(body), "%s\n", status);

	proto_say(d, PROTO_NEAR, "HTTP/1.1 %s", status);
	if (location != NULL)
		proto_say(d, PROTO_NEAR, "Location: %s", location);
	proto_say(d, PROTO_NEAR, "Content-Type: text/plain");
	proto_say(d, PROTO_NEAR, "Content-Length: %d", n);
	proto_say(d, PROTO_NEAR, "Connection: close");
	proto_say(d, PROTO_NEAR, "%s", "");
	if (with_body)
		proto_put(d, PROTO_NEAR, body, (size_t)n);
	return PROTO_END;
}

static enum proto_verdict
refuse(struct dialogue *d, const char *status, const char *why)
{
	(void)answer(d, status, NULL, true);
	return proto_end(d, R_PROTO_CLIENT, "HTTP request refused: %s", why);
}

/* RFC 9112 3.2.1 and 3.2.2: the path, or all of it; and else the field Host, which must be there.
 */
static bool
read_target(const struct http_head *head, struct request *r)
{
	static const char scheme[] = "http://";
	struct http_text target = head->target, host = { "", 0 };
	size_t hosts = http_head_find(head, "Host", &host);
	const char *slash;

	if (hosts > 1 || (hosts == 0 && head->minor > 0))
		return false;
	if (target.p[0] == '/') {
		*r = (struct request){ host, target };
		return true;
	}
	if (!http_head_begins(target, scheme))
		return false;
	target.p += strlen(scheme);
	target.n -= strlen(scheme);
	slash = target.n > 0 ? memchr(target.p, '/', target.n) : NULL;
	r->authority =
	    (struct http_text){ target.p, slash == NULL ? target.n : (size_t)(slash - target.p) };
	r->path = (struct http_text){ "/", 1 };
	if (slash != NULL)
		r->path = (struct http_text){ slash, target.n - r->authority.n };
	return true;
}

/* "host", "host:port" or "[::1]:port" as what stands in https: without the port of http. */
static bool
read_authority(struct http_text text, char out[300])
{
	char copy[280], *colon, *end;
	struct in6_addr six;
	unsigned short port = 0;

	if (text.n == 0 || text.n >= sizeof(copy) || memchr(text.p, '\0', text.n) != NULL)
		return false;
	(void)snprintf(copy, sizeof(copy), "%.*s", (int)text.n, text.p);
	end = copy[0] == '[' ? strchr(copy, ']') : copy;
	if (end == NULL)
		return false;
	if ((colon = strchr(end, ':')) != NULL) {
		*colon = '\0';
		if (colon[1] != '\0' && !text_port(colon + 1, &port))
			return false;
	}
	if (copy[0] == '[') {
		if (end[1] != '\0')
			return false;
		*end = '\0';
		if (inet_pton(AF_INET6, copy + 1, &six) != 1)
			return false;
		*end = ']';
	} else if (!addr_host_is_name(copy)) {
		return false;
	}
	if (port == 0 || port == HTTP_PORT)
		(void)snprintf(out, 300, "%s", copy);
	else
		(void)snprintf(out, 300, "%s:%u", copy, port);
	return true;
}

static enum proto_verdict
send_on(struct dialogue *d, const struct http_head *head)
{
	char authority[300], location[PROTO_LINE_MAX];
	struct request r;
	int n;

	if (!read_target(head, &r))
		return refuse(d, "400 Bad Request", "it does not say what it asks for");
	if (d->conf->host != NULL)
		(void)snprintf(authority, sizeof(authority), "%s", d->conf->host);
	else if (!read_authority(r.authority, authority))
		return refuse(d, "400 Bad Request", "it does not say whom it asks");
	n = snprintf(
	    location, sizeof(location), "https://%s%.*s", authority, (int)r.path.n, r.path.p);
	if ((size_t)n >= sizeof(location) - sizeof("Location: "))
		return refuse(d, "414 URI Too Long", "the new address would be too long");
	(void)answer(d, "301 Moved Permanently", location, !http_head_is(head->method, "HEAD"));
	log_info(d->log, "Sent on to https");
	d->reason = R_SENT_ON;
	return PROTO_END;
}

static enum proto_verdict
serve(struct dialogue *d)
{
	struct redirect_state *s = d->state;
	struct http_head head;
	enum proto_verdict got = http_head_await(d, PROTO_NEAR, HTTP_REQUEST, &s->at, &head);

	if (got != PROTO_DONE)
		return got;
	if (head.fault != HTTP_GOOD)
		return refuse(d,
		    head.fault == HTTP_TOO_LONG ? "431 Request Header Fields Too Large"
						: "400 Bad Request",
		    http_head_words(head.fault));
	if (head.method.n == 3 && memcmp(head.method.p, "GET", 3) == 0)
		return send_on(d, &head);
	if (head.method.n == 4 && memcmp(head.method.p, "HEAD", 4) == 0)
		return send_on(d, &head);
	return refuse(d, "403 Forbidden", "only GET and HEAD are sent on to https");
}

static void
check_host(const struct proto_conf *conf, struct sink *sink)
{
	char authority[300];

	if (conf->host != NULL &&
	    !read_authority((struct http_text){ conf->host, strlen(conf->host) }, authority))
		sink_error(sink, "protocolHost",
		    "\"%s\" cannot stand in an address; write HOST, HOST:PORT or [IPv6]:PORT",
		    conf->host);
}

static const struct proto_row early[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, serve },
	{ 0 },
};

const struct proto https_redirect = {
	.name = "https-redirect",
	.server = { .script[PROTO_EARLY] = early,
	    .is_all = true,
	    .in_clear = true,
	    .state_size = sizeof(struct redirect_state),
	    .check = check_host },
};
