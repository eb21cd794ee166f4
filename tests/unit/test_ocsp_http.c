/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_ocsp_http.c -- URLs of responders, and their answers in HTTP, however cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls/ocsp_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK_HEAD "HTTP/1.0 200 OK\r\n"
#define TYPE "Content-Type: application/ocsp-response\r\n"

/* ---- URLs ---- */

static void
urls_are_read(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned port;
		const char *path, *head;
		bool numeric;
	} cases[] = {
		{ "http://ocsp.test", "ocsp.test", 80, "", "POST / HTTP/1.0\r\nHost: ocsp.test\r\n",
		    false },
		{ "HTTP://ocsp.test:8080/a/b?c=d", "ocsp.test", 8080, "/a/b?c=d",
		    "POST /a/b?c=d HTTP/1.0\r\nHost: ocsp.test:8080\r\n", false },
		{ "http://192.0.2.1/", "192.0.2.1", 80, "/",
		    "POST / HTTP/1.0\r\nHost: 192.0.2.1\r\n", true },
		{ "http://[2001:db8::1]:81/x", "2001:db8::1", 81, "/x",
		    "POST /x HTTP/1.0\r\nHost: [2001:db8::1]:81\r\n", true },
	};
	struct ocsp_url url;
	const char *why;
	char head[512];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_true(ocsp_http_url(cases[i].text, &url, &why));
		assert_string_equal(url.target.host, cases[i].host);
		assert_int_equal(url.target.port, cases[i].port);
		assert_string_equal(url.path, cases[i].path);
		assert_int_equal(url.target.numeric.len != 0, cases[i].numeric);
		if (cases[i].numeric)
			assert_int_equal(addr_port(&url.target.numeric), cases[i].port);
		assert_true(ocsp_http_head(&url, 42, head, sizeof(head)) > 0);
		assert_memory_equal(head, cases[i].head, strlen(cases[i].head));
		assert_non_null(strstr(head, "\r\nContent-Length: 42\r\n"));
		assert_string_equal(head + strlen(head) - 4, "\r\n\r\n");
	}
	assert_int_equal(ocsp_http_head(&url, 42, head, 40), 0);
}

static void
other_urls_are_refused(void **state)
{
	static const char *const bad[] = { "", "ocsp.test", "https://ocsp.test/",
		"ldap://ocsp.test/", "http://", "http:///x", "http://:80/", "http://a:/",
		"http://a:0/", "http://a:65536/", "http://a:80x/", "http://a:123456789/",
		"http://u@a/", "http://a/#x", "http://a/ b", "http://a/\r\nX: y", "http://a\x80/",
		"http://[::1/", "http://[]/", "http://[::1]x/", "http://a?x" };
	char longest[OCSP_URL_MAX + 2], host[7 + OCSP_HOST_MAX + 2];
	struct ocsp_url url;
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (ocsp_http_url(bad[i], &url, &why))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_non_null(why);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, "http://a/", 9);
	assert_false(ocsp_http_url(longest, &url, &why));
	longest[OCSP_URL_MAX] = '\0';
	assert_true(ocsp_http_url(longest, &url, &why));
	memset(host, 'x', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	memcpy(host, "http://", 7);
	assert_false(ocsp_http_url(host, &url, &why));
	host[7 + OCSP_HOST_MAX] = '\0';
	assert_true(ocsp_http_url(host, &url, &why));
}

/* ---- answers ---- */

/* Read `n` bytes in pieces of `piece`, and then the end. */
static enum http_result
read_all(struct http_reply *r, const char *bytes, size_t n, size_t piece)
{
	enum http_result got = HTTP_MORE;

	memset(r, 0, sizeof(*r));
	for (size_t at = 0; at < n && got == HTTP_MORE; at += piece)
		got = ocsp_http_feed(r, bytes + at, n - at < piece ? n - at : piece);
	return got == HTTP_MORE ? ocsp_http_end(r) : got;
}

static void
check(const char *bytes, size_t n, const char *body, const char *why)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64, 100000 };
	struct http_reply r;

	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		enum http_result got = read_all(&r, bytes, n, pieces[i]);

		if (got != (why == NULL ? HTTP_DONE : HTTP_BAD))
			fail_msg("in pieces of %zu: %d (%s) for %s", pieces[i], got, r.why, bytes);
		if (why != NULL && strstr(r.why, why) == NULL)
			fail_msg("\"%s\" and not \"%s\" for %s", r.why, why, bytes);
		if (why == NULL) {
			assert_int_equal(r.body_len, strlen(body));
			assert_memory_equal(r.body, body, r.body_len);
		}
		ocsp_http_done(&r);
	}
}

static void
answers_are_read_in_any_pieces(void **state)
{
	static const char *const good[] = {
		OK_HEAD TYPE "Content-Length: 4\r\n\r\nbody",
		OK_HEAD "\r\nbody",
		"HTTP/1.1 200\nContent-length:4\n\nbody",
		OK_HEAD "content-type: Application/OCSP-Response; x=y \r\nX: \r\n\r\nbody",
		OK_HEAD "Content-Length: 4\r\nContent-Length: 4 \t\r\n\r\nbody",
		OK_HEAD "Content-Length: 4\r\n\r\nbody and what is none of it",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		check(good[i], strlen(good[i]), "body", NULL);
}

static void
other_answers_are_refused(void **state)
{
	static const struct {
		const char *bytes, *why;
	} bad[] = {
		{ "", "an end before" },
		{ "HTTP/1.0 200 OK", "an end before" },
		{ OK_HEAD TYPE, "an end before" },
		{ OK_HEAD "\r\n", "an end before" },
		{ OK_HEAD "Content-Length: 5\r\n\r\nbody", "an end before" },
		{ OK_HEAD "Content-Length: 0\r\n\r\n", "a length of nothing" },
		{ OK_HEAD "Content-Length: -1\r\n\r\nbody", "a length of nothing" },
		{ OK_HEAD "Content-Length: 4x\r\n\r\nbody", "a length of nothing" },
		{ OK_HEAD "Content-Length: 65537\r\n\r\nbody", "a length of nothing" },
		{ OK_HEAD "Content-Length: 4\r\nContent-Length: 3\r\n\r\nbody", "two different" },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "encoding" },
		{ OK_HEAD "Content-Encoding: gzip\r\n\r\nbody", "encoding" },
		{ OK_HEAD "Content-Type: text/html\r\n\r\nbody", "its type" },
		{ OK_HEAD "Content-Type: application/ocsp-responses\r\n\r\nbody", "its type" },
		{ OK_HEAD "no colon\r\n\r\nbody", "malformed" },
		{ OK_HEAD ": value\r\n\r\nbody", "malformed" },
		{ OK_HEAD "Content-Length : 4\r\n\r\nbody", "malformed" },
		{ OK_HEAD "A: b\r\n folded: c\r\n\r\nbody", "malformed" },
		{ OK_HEAD "A: b\rc\r\n\r\nbody", "control character" },
		{ OK_HEAD "A: \x01\r\n\r\nbody", "control character" },
		{ "HTTP/1.0 404 Not Found\r\n\r\nbody", "HTTP status 404" },
		{ "HTTP/1.0 301 Moved\r\nLocation: http://x/\r\n\r\n", "HTTP status 301" },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody", "HTTP status 100" },
		{ "HTTP/2 200 OK\r\n\r\nbody", "not an HTTP" },
		{ "HTTP/1.0 2000 OK\r\n\r\nbody", "not an HTTP" },
		{ "HTTP/1.0 20\r\n\r\nbody", "not an HTTP" },
		{ "ICY 200 OK\r\n\r\nbody", "not an HTTP" },
		{ "\r\n\r\nbody", "not an HTTP" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		check(bad[i].bytes, strlen(bad[i].bytes), "", bad[i].why);
	check(OK_HEAD "A: \0\r\n\r\nbody", sizeof(OK_HEAD "A: \0\r\n\r\nbody") - 1, "",
	    "control character");
}

/* Both limits, at the last byte that passes and the first that does not. */
static void
answers_are_bounded(void **state)
{
	const size_t n = sizeof(OK_HEAD) - 1 + 2 + OCSP_BODY_MAX + 1;
	char *bytes = malloc(n + OCSP_HEAD_MAX);
	struct http_reply r;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'x', n);
	memcpy(bytes, OK_HEAD "\r\n", sizeof(OK_HEAD) - 1 + 2);
	assert_int_equal(read_all(&r, bytes, n - 1, 1000), HTTP_DONE);
	assert_int_equal(r.body_len, OCSP_BODY_MAX);
	ocsp_http_done(&r);
	assert_int_equal(read_all(&r, bytes, n, 1000), HTTP_BAD);
	assert_non_null(strstr(r.why, "64 KiB"));
	ocsp_http_done(&r);

	memset(bytes, 'x', OCSP_HEAD_MAX);
	memcpy(bytes, OK_HEAD "A:", sizeof(OK_HEAD) - 1 + 2);
	assert_int_equal(read_all(&r, bytes, OCSP_HEAD_MAX, 1), HTTP_BAD);
	assert_non_null(strstr(r.why, "header line"));
	ocsp_http_done(&r);

	memcpy(bytes, OK_HEAD, sizeof(OK_HEAD) - 1);
	for (size_t at = sizeof(OK_HEAD) - 1; at + 8 < n; at += 8)
		memcpy(bytes + at, "A: bcd\r\n", 8);
	assert_int_equal(read_all(&r, bytes, n, 1), HTTP_BAD);
	assert_non_null(strstr(r.why, "bytes of headers"));
	ocsp_http_done(&r);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_read),
		cmocka_unit_test(other_urls_are_refused),
		cmocka_unit_test(answers_are_read_in_any_pieces),
		cmocka_unit_test(other_answers_are_refused),
		cmocka_unit_test(answers_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
