/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/ocsp_http.h -- just enough HTTP to ask an OCSP responder (RFC 6960 appendix A), as pure
 * functions over bytes.
 *
 * The request is HTTP/1.0, so that no answer may come in chunks.  The answer is read strictly: who
 * speaks for a CA has no reason to be odd, and whoever sits on the way has.
 */
#ifndef GINNEL_TLS_OCSP_HTTP_H
#define GINNEL_TLS_OCSP_HTTP_H

#include "base/check.h"
#include "net/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OCSP_URL_MAX = 1024,
	OCSP_HOST_MAX = 255,
	OCSP_HEAD_MAX = 8 * 1024,  /* of an answer: status line and headers */
	OCSP_LINE_MAX = 1024,	   /* of these, one */
	OCSP_BODY_MAX = 64 * 1024, /* the largest answers carry a chain of certificates: 10 KiB */
};

/* Not to be copied: ->target points into it. */
struct ocsp_url {
	struct target target;
	char text[OCSP_URL_MAX + 1];
	char host[OCSP_HOST_MAX + 1]; /* without brackets */
	const char *path;	      /* in ->text; "" stands for "/" */
};

/* Read "http://HOST[:PORT][/PATH]".  False with *why set: words on what to write instead. */
bool ocsp_http_url(const char *text, struct ocsp_url *out, const char **why) MUST_CHECK;

/* The head of a POST of `size` bytes.  Returns its length; 0: `out` is too small. */
size_t ocsp_http_head(const struct ocsp_url *, size_t size, char *out, size_t room);

enum http_result { HTTP_MORE, HTTP_DONE, HTTP_BAD };

/* An answer that is being read; zeroed it is at its beginning. */
struct http_reply {
	enum { HTTP_STATUS, HTTP_HEADER, HTTP_BODY } part;
	char line[OCSP_LINE_MAX];
	size_t line_len, head_len;
	bool has_length;
	size_t length;
	uint8_t *body; /* freed by ocsp_http_done() */
	size_t body_len, body_room;
	char why[128]; /* after HTTP_BAD */
};

/* Take the next bytes, however they were cut. */
enum http_result ocsp_http_feed(struct http_reply *, const void *bytes, size_t n) MUST_CHECK;
/* The responder has ended: HTTP_DONE or HTTP_BAD. */
enum http_result ocsp_http_end(struct http_reply *) MUST_CHECK;
void ocsp_http_done(struct http_reply *);

#endif
