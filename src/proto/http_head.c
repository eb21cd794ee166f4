/* SPDX-License-Identifier: Apache-2.0 */
/* proto/http_head.c -- the head of an HTTP/1 message. */
#include "proto/http_head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

const char *
http_head_words(enum http_fault fault)
{
	static const char *const words[] = {
		[HTTP_GOOD] = "nothing is wrong with it",
		[HTTP_BAD_BYTE] = "a control byte, or a line that does not end with CRLF",
		[HTTP_TOO_LONG] = "it is too long",
		[HTTP_BAD_START] = "its first line is malformed",
		[HTTP_BAD_VERSION] = "its version is neither HTTP/1.0 nor HTTP/1.1",
		[HTTP_BAD_FIELD] = "a header field is malformed",
	};

	return words[fault];
}

/* ---- where it ends ---- */

/* May this byte stand where it does?  Only tabs, and CR and LF in a pair, are control bytes. */
static bool
fits(const char *p, size_t i)
{
	unsigned char c = (unsigned char)p[i];

	if (i > 0 && p[i - 1] == '\r')
		return c == '\n';
	return (c >= ' ' && c != 0x7f) || c == '\t' || c == '\r';
}

/*
 * Look on from *at.  True: the end is known, *at is behind the empty line, or `fault` says what is
 * wrong.  Each byte is looked at once, however small the pieces are in which they come.
 */
static bool
ends(const char *p, size_t n, size_t *at, enum http_fault *fault)
{
	*fault = HTTP_GOOD;
	for (; *at < n; ++*at) {
		size_t i = *at;

		if (i == HTTP_HEAD_MAX)
			*fault = HTTP_TOO_LONG;
		else if (!fits(p, i))
			*fault = HTTP_BAD_BYTE;
		else if (i == 1 && p[1] == '\n') /* RFC 9112 2.2 would let it pass */
			*fault = HTTP_BAD_START;
		if (*fault != HTTP_GOOD)
			return true;
		if (i >= 3 && memcmp(p + i - 3, "\r\n\r\n", 4) == 0) {
			*at = i + 1;
			return true;
		}
	}
	return false;
}

/* ---- what it says ---- */

/* RFC 9110 5.6.2 */
static bool
is_token(struct http_text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (!isalnum((unsigned char)t.p[i]) && strchr("!#$%&'*+-.^_`|~", t.p[i]) == NULL)
			return false;
	return t.n > 0;
}

static bool
is_visible(struct http_text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] < '!' || t.p[i] > '~')
			return false;
	return t.n > 0;
}

/* Cut `rest` at the first `c`: what stands before it; all of it if there is none. */
static struct http_text
cut(struct http_text *rest, char c)
{
	const char *found = rest->n > 0 ? memchr(rest->p, c, rest->n) : NULL;
	struct http_text word = { rest->p, found != NULL ? (size_t)(found - rest->p) : rest->n };
	size_t skip = found != NULL ? word.n + 1 : word.n;

	*rest = (struct http_text){ rest->p + skip, rest->n - skip };
	return word;
}

static bool
is_version(struct http_text t, unsigned *minor)
{
	if (t.n != 8 || memcmp(t.p, "HTTP/1.", 7) != 0 || (t.p[7] != '0' && t.p[7] != '1'))
		return false;
	*minor = (unsigned)(t.p[7] - '0');
	return true;
}

/* RFC 9112 3 */
static enum http_fault
read_request_line(struct http_head *h)
{
	struct http_text rest = h->start;

	h->method = cut(&rest, ' ');
	h->target = cut(&rest, ' ');
	if (!is_token(h->method) || !is_visible(h->target))
		return HTTP_BAD_START;
	return is_version(rest, &h->minor) ? HTTP_GOOD : HTTP_BAD_VERSION;
}

/* RFC 9112 4, but servers leave out the blank before a reason that is empty. */
static enum http_fault
read_status_line(struct http_head *h)
{
	struct http_text rest = h->start, version = cut(&rest, ' '), status = cut(&rest, ' ');

	if (!is_version(version, &h->minor))
		return HTTP_BAD_VERSION;
	if (status.n != 3 || status.p[0] < '1' || status.p[0] > '9')
		return HTTP_BAD_START;
	for (size_t i = 0; i < status.n; i++) {
		if (!isdigit((unsigned char)status.p[i]))
			return HTTP_BAD_START;
		h->status = h->status * 10 + (unsigned)(status.p[i] - '0');
	}
	return HTTP_GOOD;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 9112 5; a name that does not end right before the colon is refused by is_token(). */
static enum http_fault
read_field(struct http_head *h, struct http_text line)
{
	struct http_text value = line, name = cut(&value, ':');

	if (h->fields == HTTP_FIELDS_MAX)
		return HTTP_TOO_LONG;
	if (name.n == line.n || !is_token(name))
		return HTTP_BAD_FIELD;
	while (value.n > 0 && is_blank(value.p[0])) {
		value.p++;
		value.n--;
	}
	while (value.n > 0 && is_blank(value.p[value.n - 1]))
		value.n--;
	h->field[h->fields].name = name;
	h->field[h->fields].value = value;
	h->fields++;
	return HTTP_GOOD;
}

/* The next line, without the CRLF that it is known to have. */
static struct http_text
next_line(struct http_text *rest)
{
	struct http_text line = cut(rest, '\n');

	line.n--;
	return line;
}

static void
parse(struct http_head *h, enum http_kind kind, const char *p)
{
	struct http_text rest = { p, h->length }, line;

	h->start = next_line(&rest);
	h->fault = kind == HTTP_REQUEST ? read_request_line(h) : read_status_line(h);
	for (line = next_line(&rest); h->fault == HTTP_GOOD && line.n > 0; line = next_line(&rest))
		h->fault = read_field(h, line);
}

enum proto_verdict
http_head_await(
    struct dialogue *d, enum proto_side side, enum http_kind kind, size_t *at, struct http_head *h)
{
	const uint8_t *bytes;
	enum proto_verdict got;
	enum http_fault fault;
	size_t n;

	do {
		if ((got = proto_some(d, side, *at, &bytes, &n)) != PROTO_DONE)
			return got;
	} while (!ends((const char *)bytes, n, at, &fault));
	*h = (struct http_head){ .fault = fault, .length = *at };
	if (fault == HTTP_GOOD)
		parse(h, kind, (const char *)bytes);
	*at = 0;
	return PROTO_DONE;
}

bool
http_head_is(struct http_text t, const char *word)
{
	return t.n == strlen(word) && strncasecmp(t.p, word, t.n) == 0;
}

bool
http_head_begins(struct http_text t, const char *words)
{
	return t.n >= strlen(words) && strncasecmp(t.p, words, strlen(words)) == 0;
}

size_t
http_head_find(const struct http_head *h, const char *name, struct http_text *value)
{
	size_t found = 0;

	for (size_t i = 0; i < h->fields; i++)
		if (http_head_is(h->field[i].name, name)) {
			*value = h->field[i].value;
			found++;
		}
	return found;
}
