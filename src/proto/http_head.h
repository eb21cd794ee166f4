/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/http_head.h -- the head of an HTTP/1 message, read to the letter of RFC 9112.
 *
 * What two readers could take in two ways is refused, also where the RFC lets a recipient be kind:
 * lines end with CRLF, there is one blank between the words of the first line, no folded fields, no
 * blank before a colon, no control bytes, version 1.0 or 1.1.
 */
#ifndef GINNEL_PROTO_HTTP_HEAD_H
#define GINNEL_PROTO_HTTP_HEAD_H

#include "proto/proto.h"

enum { HTTP_HEAD_MAX = PROTO_LINE_MAX, HTTP_FIELDS_MAX = 64 };

enum http_kind { HTTP_REQUEST, HTTP_RESPONSE };

enum http_fault {
	HTTP_GOOD,
	HTTP_BAD_BYTE,	  /* a control byte, or the end of a line that is not CRLF */
	HTTP_TOO_LONG,	  /* more than HTTP_HEAD_MAX bytes, or HTTP_FIELDS_MAX fields */
	HTTP_BAD_START,	  /* the first line */
	HTTP_BAD_VERSION, /* the first line's version */
	HTTP_BAD_FIELD,
};
const char *http_head_words(enum http_fault); /* for a log */

struct http_text {
	const char *p; /* no NUL behind it */
	size_t n;
};

/* The texts lie in the bytes that were read: they hold until those are eaten. */
struct http_head {
	enum http_fault fault;		 /* not HTTP_GOOD: only `start` may be used */
	size_t length;			 /* with the empty line */
	struct http_text start;		 /* the first line, as it came */
	struct http_text method, target; /* of a request */
	unsigned status;		 /* of a response: 100 to 999 */
	unsigned minor;			 /* HTTP/1.x */
	struct {
		struct http_text name, value; /* no blanks around it */
	} field[HTTP_FIELDS_MAX];
	size_t fields;
};

/*
 * The head that comes from a side.  *at is 0 for a new head, and remembers between calls how far
 * it was looked through.  DONE: see ->fault; nothing is eaten yet.
 */
enum proto_verdict http_head_await(
    struct dialogue *, enum proto_side, enum http_kind, size_t *at, struct http_head *) MUST_CHECK;

/* How many fields have that name; *value is the last one's. */
size_t http_head_find(const struct http_head *, const char *name, struct http_text *value);

/* Is it this word, without case? */
bool http_head_is(struct http_text, const char *word);
bool http_head_begins(struct http_text, const char *words);

#endif
