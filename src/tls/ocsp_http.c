/* SPDX-License-Identifier: Apache-2.0 */
/* tls/ocsp_http.c -- just enough HTTP to ask an OCSP responder. */
#include "tls/ocsp_http.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HTTP_PORT = 80 };

/* ---- the URL ---- */

static const char scheme[] = "http://";

static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

/* What is wrong with the text as a whole; NULL: nothing. */
static const char *
url_fault(const char *text)
{
	if (strncasecmp(text, "https://", 8) == 0)
		return "OCSP is asked over http only (the answer is signed); write http://HOST/";
	if (strncasecmp(text, scheme, strlen(scheme)) != 0)
		return "not an http URL; write http://HOST:PORT/PATH";
	if (strlen(text) > OCSP_URL_MAX)
		return "the URL is too long";
	/* It becomes lines of a request. */
	if (!is_printable(text))
		return "the URL holds blanks, or characters that must be written as %XX";
	if (strchr(text, '@') != NULL || strchr(text, '#') != NULL)
		return "the URL holds a user name or a fragment; write http://HOST:PORT/PATH";
	return NULL;
}

/* "HOST", "HOST:PORT", "[ADDRESS]:PORT", of `n` bytes, into `out`. */
static bool
url_authority(const char *s, size_t n, struct ocsp_url *out)
{
	const char *end = s + n, *host_end = NULL;
	bool brackets = n > 0 && *s == '[';
	char port[8] = "";
	unsigned short number = HTTP_PORT;

	s += brackets;
	host_end = memchr(s, brackets ? ']' : ':', (size_t)(end - s));
	if (brackets && host_end == NULL)
		return false;
	if (host_end == NULL)
		host_end = end;
	if (host_end == s || host_end - s > OCSP_HOST_MAX)
		return false;
	(void)snprintf(out->host, sizeof(out->host), "%.*s", (int)(host_end - s), s);
	host_end += brackets;
	if (host_end != end) {
		if (*host_end != ':' || end - host_end > (ptrdiff_t)sizeof(port))
			return false;
		(void)snprintf(port, sizeof(port), "%.*s", (int)(end - host_end - 1), host_end + 1);
		if (!text_port(port, &number))
			return false;
	}
	out->target.port = number;
	return true;
}

static void
set_numeric(struct target *t)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, t->host, &in.sin_addr) == 1)
		t->numeric = addr_from((struct sockaddr *)&in, sizeof(in));
	else if (inet_pton(AF_INET6, t->host, &in6.sin6_addr) == 1)
		t->numeric = addr_from((struct sockaddr *)&in6, sizeof(in6));
	else
		return;
	addr_set_port(&t->numeric, t->port);
}

bool
ocsp_http_url(const char *text, struct ocsp_url *out, const char **why)
{
	const char *authority;
	size_t n;

	memset(out, 0, sizeof(*out));
	if ((*why = url_fault(text)) != NULL)
		return false;
	(void)snprintf(out->text, sizeof(out->text), "%s", text);
	authority = out->text + strlen(scheme);
	n = strcspn(authority, "/?");
	out->path = authority + n;
	*why = "no valid host and port in the URL; write http://HOST:PORT/PATH";
	if (*out->path == '?' || !url_authority(authority, n, out))
		return false;
	out->target.text = out->text;
	out->target.host = out->host;
	set_numeric(&out->target);
	return true;
}

size_t
ocsp_http_head(const struct ocsp_url *url, size_t size, char *out, size_t room)
{
	const char *authority = url->text + strlen(scheme);
	int n = snprintf(out, room,
	    "POST %s HTTP/1.0\r\n"
	    "Host: %.*s\r\n"
	    "User-Agent: ginnel\r\n"
	    "Content-Type: application/ocsp-request\r\n"
	    "Content-Length: %zu\r\n"
	    "\r\n",
	    *url->path != '\0' ? url->path : "/", (int)(url->path - authority), authority, size);

	return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

/* ---- the answer ---- */

static enum http_result PRINTF_LIKE(2, 3) bad(struct http_reply *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	return HTTP_BAD;
}

/* "HTTP/1.x 200 words" */
static enum http_result
take_status(struct http_reply *r)
{
	const char *s = r->line;

	if (strncmp(s, "HTTP/1.", 7) != 0 || (s[7] != '0' && s[7] != '1') || s[8] != ' ' ||
	    strspn(s + 9, "0123456789") != 3 || (s[12] != ' ' && s[12] != '\0'))
		return bad(r, "not an HTTP answer");
	if (strncmp(s + 9, "200", 3) != 0)
		return bad(r, "HTTP status %.3s", s + 9);
	r->part = HTTP_HEADER;
	return HTTP_MORE;
}

static enum http_result
take_length(struct http_reply *r, const char *value)
{
	long n;

	if (!text_number(value, 1, OCSP_BODY_MAX, &n))
		return bad(r, "a length of nothing or of more than %d bytes", OCSP_BODY_MAX);
	if (r->has_length && r->length != (size_t)n)
		return bad(r, "two different lengths");
	r->has_length = true;
	r->length = (size_t)n;
	return HTTP_MORE;
}

static enum http_result
take_type(struct http_reply *r, const char *value)
{
	static const char type[] = "application/ocsp-response";
	size_t n = sizeof(type) - 1;

	if (strncasecmp(value, type, n) != 0 ||
	    (value[n] != '\0' && value[n] != ';' && value[n] != ' '))
		return bad(r, "its type is not application/ocsp-response");
	return HTTP_MORE;
}

static enum http_result
refuse_encoding(struct http_reply *r, const char *value)
{
	(void)value;
	return bad(r, "an encoding, which HTTP/1.0 does not have");
}

static const struct {
	const char *name;
	enum http_result (*take)(struct http_reply *, const char *value);
} headers[] = {
	{ "Content-Length", take_length },
	{ "Content-Type", take_type },
	{ "Transfer-Encoding", refuse_encoding },
	{ "Content-Encoding", refuse_encoding },
};

static enum http_result
take_header(struct http_reply *r)
{
	char *colon = strchr(r->line, ':'), *value, *end;

	if (*r->line == '\0') {
		r->part = HTTP_BODY;
		return HTTP_MORE;
	}
	/* A blank before the colon, or a line that goes on with the one before, is how requests
	 * are smuggled (RFC 9112 5.1, 5.2). */
	if (colon == NULL || colon == r->line || strcspn(r->line, " \t") < strcspn(r->line, ":"))
		return bad(r, "a malformed header");
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t'); end--)
		;
	*end = '\0';
	for (size_t i = 0; i < COUNT_OF(headers); i++)
		if (strcasecmp(r->line, headers[i].name) == 0)
			return headers[i].take(r, value);
	return HTTP_MORE;
}

/* One byte of the head; a line ends with LF, mostly behind a CR. */
static enum http_result
take_head(struct http_reply *r, uint8_t c)
{
	enum http_result got;

	if (++r->head_len > OCSP_HEAD_MAX)
		return bad(r, "more than %d bytes of headers", OCSP_HEAD_MAX);
	if (c != '\n') {
		if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
			return bad(r, "a control character in its headers");
		if (r->line_len == sizeof(r->line) - 1)
			return bad(r, "a header line of more than %d bytes", OCSP_LINE_MAX - 1);
		r->line[r->line_len++] = (char)c;
		return HTTP_MORE;
	}
	if (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	r->line[r->line_len] = '\0';
	if (strchr(r->line, '\r') != NULL)
		return bad(r, "a control character in its headers");
	got = r->part == HTTP_STATUS ? take_status(r) : take_header(r);
	r->line_len = 0;
	return got;
}

static bool
make_room(struct http_reply *r, size_t n)
{
	size_t room = r->body_room > 0 ? r->body_room : 2048;
	uint8_t *grown;

	while (room < r->body_len + n)
		room *= 2;
	if (room == r->body_room)
		return true;
	if ((grown = realloc(r->body, room)) == NULL)
		return false;
	r->body = grown;
	r->body_room = room;
	return true;
}

static enum http_result
take_body(struct http_reply *r, const uint8_t *bytes, size_t n)
{
	size_t most = (r->has_length ? r->length : OCSP_BODY_MAX) - r->body_len;

	if (n > most && !r->has_length)
		return bad(r, "more than 64 KiB");
	if (n > most) /* what lies behind the announced length is no part of the answer */
		n = most;
	if (n > 0 && !make_room(r, n))
		return bad(r, "no memory for its bytes");
	if (n > 0)
		memcpy(r->body + r->body_len, bytes, n);
	r->body_len += n;
	return r->has_length && r->body_len == r->length ? HTTP_DONE : HTTP_MORE;
}

enum http_result
ocsp_http_feed(struct http_reply *r, const void *bytes, size_t n)
{
	const uint8_t *p = bytes, *end = p + n;
	enum http_result got = HTTP_MORE;

	while (got == HTTP_MORE && p < end && r->part != HTTP_BODY)
		got = take_head(r, *p++);
	if (got == HTTP_MORE && p < end)
		got = take_body(r, p, (size_t)(end - p));
	return got;
}

enum http_result
ocsp_http_end(struct http_reply *r)
{
	if (r->part != HTTP_BODY || r->body_len == 0 || (r->has_length && r->body_len < r->length))
		return bad(r, "an end before it was complete");
	return HTTP_DONE;
}

void
ocsp_http_done(struct http_reply *r)
{
	free(r->body);
	memset(r, 0, sizeof(*r));
}
