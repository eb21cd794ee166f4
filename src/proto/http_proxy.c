/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/http_proxy.c -- as a proxy for CONNECT.
 *
 * The request comes where the service has its clients: in clear, or inside TLS.  Success is told
 * when the target is connected.  Everything doubtful in a head is refused, and the connection ends
 * behind every refusal: nothing that follows could be taken for another request.
 *
 * With `connect` in its section the request comes in clear before TLS begins, as the incumbent has
 * it; then TLS begins with the client, and only then is the target connected: who has no
 * certificate reaches nothing.  So there the consent is given in advance.
 */
#include "proto/http_proxy.h"

#include "base/text.h"
#include "proto/http_head.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	LOGIN_BASE64_MAX = 4 * 512 / 3 + 4, /* of a user and a password of 255 bytes each */
	LOGIN_MAX = 512,
};

/* An answer: its status line, RFC 9209's word for the cause, and what a person can make of it. */
struct answer {
	const char *status;
	const char *error; /* RFC 9209 2.3 */
	const char *body;
	const char *field; /* one more field, or NULL */
};

static const struct answer bad_request = { "400 Bad Request", "http_request_error", NULL, NULL };
static const struct answer bad_method = { "405 Method Not Allowed", "http_request_denied",
	"This proxy knows the method CONNECT alone.", "Allow: CONNECT" };
static const struct answer too_large = { "431 Request Header Fields Too Large",
	"http_request_error",
	"The head of the request is longer than 8 KiB, or has more than 64 "
	"fields.",
	NULL };
static const struct answer login_wanted = { "407 Proxy Authentication Required",
	"http_request_denied", "A user and a password are needed to reach this target.",
	"Proxy-Authenticate: Basic realm=\"ginnel\", charset=\"UTF-8\"" };
static const struct answer busy = { "503 Service Unavailable", "connection_limit_reached",
	"Too many logins are being checked; try again later.", "Retry-After: 5" };

/* What has become of the target; the first row that fits. */
static const struct failure {
	enum reason reason;
	int errnum; /* 0: any */
	struct answer answer;
} failures[] = {
	{ R_TARGET_REFUSED, 0,
	    { "403 Forbidden", "destination_ip_prohibited",
		"The rules of this proxy do not allow this target.", NULL } },
	{ R_IDENTITY_FULL, 0,
	    { "503 Service Unavailable", "connection_limit_reached",
		"You have as many connections as one user or certificate may have.",
		"Retry-After: 5" } },
	{ R_SETUP_TIMEOUT, 0,
	    { "504 Gateway Timeout", "connection_timeout", "The target was not reached in time.",
		NULL } },
	{ R_TLS_CONNECT, 0,
	    { "502 Bad Gateway", "tls_protocol_error", "TLS with the target failed.", NULL } },
	{ R_RESET_FAR, 0,
	    { "502 Bad Gateway", "connection_terminated",
		"The target ended the connection at once.", NULL } },
	{ R_CERT_REJECTED, 0,
	    { "502 Bad Gateway", "tls_certificate_error",
		"The target could not show that it is what it should be.", NULL } },
	{ R_RESOLVE, 0,
	    { "502 Bad Gateway", "dns_error", "The host has no address that could be found.",
		NULL } },
	{ R_LOOP, 0,
	    { "502 Bad Gateway", "proxy_loop_detected", "The target is this proxy itself.",
		NULL } },
	{ R_CONNECT, ETIMEDOUT,
	    { "504 Gateway Timeout", "connection_timeout", "The target does not answer.", NULL } },
	{ R_CONNECT, ECONNREFUSED,
	    { "502 Bad Gateway", "connection_refused", "The target refuses connections.", NULL } },
	{ R_CONNECT, EHOSTUNREACH,
	    { "502 Bad Gateway", "destination_ip_unroutable", "No way leads to the target.",
		NULL } },
	{ R_CONNECT, ENETUNREACH,
	    { "502 Bad Gateway", "destination_ip_unroutable", "No way leads to the target.",
		NULL } },
	{ R_CONNECT, EMFILE,
	    { "503 Service Unavailable", "connection_limit_reached",
		"This proxy has too many connections.", "Retry-After: 5" } },
	{ R_NONE, 0,
	    { "502 Bad Gateway", "destination_unavailable", "The target could not be reached.",
		NULL } },
};

/* ---- answers ---- */

static void
answer(struct dialogue *d, const struct answer *a, const char *body)
{
	struct http_proxy_state *s = d->state;

	s->answered = true;
	proto_say(d, PROTO_NEAR, "HTTP/1.1 %s", a->status);
	proto_say(d, PROTO_NEAR, "Proxy-Status: ginnel; error=%s", a->error);
	if (a->field != NULL)
		proto_say(d, PROTO_NEAR, "%s", a->field);
	proto_say(d, PROTO_NEAR, "Content-Type: text/plain");
	proto_say(d, PROTO_NEAR, "Content-Length: %zu", strlen(body) + 2);
	proto_say(d, PROTO_NEAR, "Connection: close");
	proto_say(d, PROTO_NEAR, "%s", "");
	proto_say(d, PROTO_NEAR, "%s", body);
}

/* No length and no body belong to it (RFC 9110 9.3.6). */
static void
consent(struct dialogue *d)
{
	struct http_proxy_state *s = d->state;
	const struct addr *hop = d->facts != NULL ? &d->facts->server : NULL;
	char text[ADDR_TEXT];

	s->answered = true;
	proto_say(d, PROTO_NEAR, "HTTP/1.1 200 OK");
	if (hop != NULL && hop->len != 0)
		proto_say(d, PROTO_NEAR, "Proxy-Status: ginnel; next-hop=\"%s\"",
		    addr_host_text(hop, text));
	proto_say(d, PROTO_NEAR, "%s", "");
}

static enum proto_verdict
refuse(struct dialogue *d, const struct answer *a, const char *why)
{
	answer(d, a, a->body != NULL ? a->body : why);
	return proto_end(d, R_PROTO_CLIENT, "CONNECT: %s: %s", a->status, why);
}

/* ---- the request ---- */

/* RFC 9112 3.2.3, authority-form: host and port, an IPv6 address in brackets. */
static bool
read_authority(struct dialogue *d, struct http_text t)
{
	const char *colon = memrchr(t.p, ':', t.n);
	size_t host = colon != NULL ? (size_t)(colon - t.p) : 0, digits;
	bool brackets = host > 2 && t.p[0] == '[' && t.p[host - 1] == ']';
	char text[8];
	uint16_t port;

	if (colon == NULL || (digits = t.n - host - 1) >= sizeof(text))
		return false;
	memcpy(text, colon + 1, digits);
	text[digits] = '\0';
	if (!text_port(text, &port) || (!brackets && memchr(t.p, ':', host) != NULL))
		return false;
	if (!brackets)
		return proto_ask_for(d, t.p, host, port);
	return proto_ask_for(d, t.p + 1, host - 2, port) &&
	       d->target.addr.len == sizeof(struct sockaddr_in6);
}

/* RFC 9112 3.2: what it says does not matter to a proxy, but it must be a host. */
static bool
is_good_host(struct http_text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] <= ' ' || strchr("/\\@?#,<>\"'{}|^`;", t.p[i]) != NULL)
			return false;
	return true;
}

/* Some clients say that there is no content, which is the truth. */
static bool
is_zero(struct http_text t)
{
	return t.n == 1 && t.p[0] == '0';
}

/* A request is one line for us, but what would make others read more into it is refused. */
static const char *
doubtful_field(const struct http_head *head)
{
	struct http_text v;
	size_t n = http_head_find(head, "Host", &v);

	if (n > 1)
		return "There is more than one Host.";
	if (n == 0 && head->minor > 0)
		return "There is no Host.";
	if (n == 1 && !is_good_host(v))
		return "Host is malformed.";
	n = http_head_find(head, "Content-Length", &v);
	if (n > 1 || (n == 1 && !is_zero(v)))
		return "A request for a tunnel has no content, and no Content-Length.";
	if (http_head_find(head, "Transfer-Encoding", &v) > 0)
		return "A request for a tunnel has no content, and no Transfer-Encoding.";
	if (http_head_find(head, "Proxy-Authorization", &v) > 1)
		return "There is more than one Proxy-Authorization.";
	return NULL;
}

static const char *
head_fault_words(enum http_fault fault)
{
	static const char *const words[] = {
		[HTTP_GOOD] = "",
		[HTTP_BAD_BYTE] =
		    "There is a control byte in the head, or a line does not end with CRLF.",
		[HTTP_TOO_LONG] = "The head is too long.",
		[HTTP_BAD_START] = "The first line is malformed.",
		[HTTP_BAD_VERSION] = "The version is neither HTTP/1.0 nor HTTP/1.1.",
		[HTTP_BAD_FIELD] = "A field is malformed.",
	};

	return words[fault];
}

/* RFC 7617.  False: that is no login. */
static bool
read_login(struct http_text v, uint8_t out[LOGIN_MAX], size_t *len)
{
	if (!http_head_begins(v, "Basic "))
		return false;
	v.p += 6;
	v.n -= 6;
	while (v.n > 0 && v.p[0] == ' ') {
		v.p++;
		v.n--;
	}
	return v.n <= LOGIN_BASE64_MAX && proto_unbase64(v.p, v.n, out, LOGIN_MAX, len) &&
	       memchr(out, ':', *len) != NULL;
}

/* Has the client shown a good login, or none?  DONE: see ->login. */
static enum proto_verdict
check_login(struct dialogue *d, const struct http_head *head)
{
	uint8_t login[LOGIN_MAX];
	struct http_text v;
	enum proto_verdict got;
	const uint8_t *colon;
	size_t n, user;

	if (d->conf->users == NULL || http_head_find(head, "Proxy-Authorization", &v) == 0)
		return PROTO_DONE;
	if (!read_login(v, login, &n)) {
		d->login.state = LOGIN_BAD;
		return PROTO_DONE;
	}
	colon = memchr(login, ':', n);
	user = (size_t)(colon - login);
	got = proto_login(d, login, user, colon + 1, n - user - 1);
	explicit_bzero(login, sizeof(login));
	return got;
}

static enum proto_verdict
take_good_head(struct dialogue *d, const struct http_head *head)
{
	enum proto_verdict got;
	const char *why;

	if (head->method.n != 7 || memcmp(head->method.p, "CONNECT", 7) != 0)
		return refuse(d, &bad_method, "the method is not CONNECT");
	if ((why = doubtful_field(head)) != NULL)
		return refuse(d, &bad_request, why);
	if (!read_authority(d, head->target))
		return refuse(d, &bad_request, "The target is not HOST:PORT.");
	if ((got = check_login(d, head)) != PROTO_DONE)
		return got;
	if (d->login.state == LOGIN_BUSY) {
		answer(d, &busy, busy.body);
		return proto_end(d, R_LOGIN_FAILED, "CONNECT: too many logins are being checked");
	}
	if (d->login.state == LOGIN_BAD) {
		answer(d, &login_wanted, "That is not a user of this proxy, or not its password.");
		return proto_end(d, R_LOGIN_FAILED, "CONNECT: wrong user or password");
	}
	return PROTO_DONE;
}

static enum proto_verdict
take_request(struct dialogue *d)
{
	struct http_proxy_state *s = d->state;
	struct http_head head;
	enum proto_verdict got;

	got = http_head_await(d, PROTO_NEAR, HTTP_REQUEST, &s->at, &head);
	if (got != PROTO_DONE)
		return got;
	if (d->login.state == LOGIN_NONE)
		log_debug(
		    d->log, " <- %.*s", (int)head.start.n, head.start.n > 0 ? head.start.p : "");
	if (head.fault == HTTP_TOO_LONG)
		return refuse(d, &too_large, "the head is too long");
	if (head.fault != HTTP_GOOD)
		return refuse(d, &bad_request, head_fault_words(head.fault));
	if ((got = take_good_head(d, &head)) != PROTO_DONE)
		return got;
	proto_eat(d, PROTO_NEAR, head.length);
	log_info(d->log, "CONNECT request to %s port %u%s%s", d->target.host, d->target.port,
	    d->login.state == LOGIN_GOOD ? " by user " : "",
	    d->login.state == LOGIN_GOOD ? d->login.user : "");
	if (d->before_tls)
		consent(d);
	return PROTO_DONE;
}

/* ---- what has become of it ---- */

static enum proto_verdict
agree(struct dialogue *d)
{
	const struct http_proxy_state *s = d->state;

	if (!s->answered)
		consent(d);
	return PROTO_DONE;
}

static enum proto_verdict
regret(struct dialogue *d)
{
	const struct http_proxy_state *s = d->state;
	const struct failure *f = failures;

	if (s->answered)
		return PROTO_DONE;
	if (d->reason == R_LOGIN_WANTED) {
		answer(d, &login_wanted, login_wanted.body);
		return PROTO_DONE;
	}
	while (f->reason != R_NONE &&
	       (f->reason != d->reason || (f->errnum != 0 && f->errnum != d->errnum)))
		f++;
	answer(d, &f->answer, f->answer.body);
	return PROTO_DONE;
}

/* ---- what they are ---- */

#define CALL(function) \
	{ \
		PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, function \
	}

const struct proto_row http_proxy_request[] = { CALL(take_request), { 0 } };
const struct proto_row http_proxy_late[] = { CALL(agree), { 0 } };
const struct proto_row http_proxy_sorry[] = { CALL(regret), { 0 } };
