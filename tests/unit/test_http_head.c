/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_http_head.c -- heads of HTTP: what is read, and all that is refused. */
#include "proto_kit.h"

#include "proto/http_head.h"

#include <stdlib.h>

static enum http_kind kind;

/* A protocol that shows what was read. */
static enum proto_verdict
show(struct dialogue *d)
{
	struct http_head h;
	struct http_text v;
	size_t *at = d->state;
	enum proto_verdict got = http_head_await(d, PROTO_NEAR, kind, at, &h);

	if (got != PROTO_DONE)
		return got;
	if (h.fault != HTTP_GOOD)
		return proto_end(d, R_PROTO_CLIENT, "%d", (int)h.fault);
	if (kind == HTTP_REQUEST)
		proto_say(d, PROTO_NEAR, "[%.*s] [%.*s] 1.%u", (int)h.method.n, h.method.p,
		    (int)h.target.n, h.target.p, h.minor);
	else
		proto_say(d, PROTO_NEAR, "%u 1.%u", h.status, h.minor);
	for (size_t i = 0; i < h.fields; i++)
		proto_say(d, PROTO_NEAR, "[%.*s] [%.*s]", (int)h.field[i].name.n, h.field[i].name.p,
		    (int)h.field[i].value.n, h.field[i].value.p);
	if (http_head_find(&h, "x-two", &v) == 2)
		proto_say(d, PROTO_NEAR, "two, %.*s", (int)v.n, v.p);
	proto_eat(d, PROTO_NEAR, h.length);
	return PROTO_DONE;
}

static const struct proto_row script[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, show },
	{ 0 },
};
static const struct proto kit_proto = {
	.name = "kit",
	.server = { .script[PROTO_EARLY] = script, .state_size = sizeof(size_t) },
};
static const struct proto_conf kit_conf = { .proto = &kit_proto };

static void
reads(const char *head, const char *shown)
{
	const struct kit_move moves[] = { NEAR_(head), TO_NEAR(shown), DONE_, STOP_ };

	kit_play(head, &kit_proto.server, PROTO_EARLY, &kit_conf, moves);
}

static void
refuses_bytes(const char *head, size_t n)
{
	const struct kit_move moves[] = { { NEAR_SENDS, head, 0, 0, n }, ENDS_(R_PROTO_CLIENT),
		STOP_ };

	kit_play(head, &kit_proto.server, PROTO_EARLY, &kit_conf, moves);
}

static void
a_request_is_read(void **state)
{
	(void)state;
	kind = HTTP_REQUEST;
	reads("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
	    "[CONNECT] [a:443] 1.1\r\n[Host] [a:443]\r\n");
	reads("GET / HTTP/1.0\r\n\r\n", "[GET] [/] 1.0\r\n");
	reads("GET / HTTP/1.1\r\nA:\r\nB: \t\r\nX-Two:1\r\nx-two: \t2 3\t \r\n\r\n",
	    "[GET] [/] 1.1\r\n[A] []\r\n[B] []\r\n[X-Two] [1]\r\n[x-two] [2 3]\r\ntwo, 2 3\r\n");
	reads("GET / HTTP/1.1\r\nX: \xc3\xa4:b\r\n\r\n", "[GET] [/] 1.1\r\n[X] [\xc3\xa4:b]\r\n");
}

static void
a_response_is_read(void **state)
{
	(void)state;
	kind = HTTP_RESPONSE;
	reads("HTTP/1.1 200 Connection established\r\n\r\n", "200 1.1\r\n");
	reads("HTTP/1.0 407 \r\nA: b\r\n\r\n", "407 1.0\r\n[A] [b]\r\n");
	reads("HTTP/1.1 200\r\n\r\n", "200 1.1\r\n");
	reads("HTTP/1.1 999 X\r\n\r\n", "999 1.1\r\n");
}

static void
what_is_behind_stays(void **state)
{
	const struct kit_move moves[] = { NEAR_("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.0\r\n\r\n"),
		TO_NEAR("[GET] [/a] 1.1\r\n"), THEN_(PROTO_EARLY), TO_NEAR("[GET] [/b] 1.0\r\n"),
		DONE_, STOP_ };

	(void)state;
	kind = HTTP_REQUEST;
	kit_play("two", &kit_proto.server, PROTO_EARLY, &kit_conf, moves);
}

static void
half_a_head_waits(void **state)
{
	static const char *const halves[] = { "G", "GET / HTTP/1.1", "GET / HTTP/1.1\r",
		"GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\n",
		"GET / HTTP/1.1\r\nA: b\r\n\r" };

	(void)state;
	kind = HTTP_REQUEST;
	for (size_t i = 0; i < COUNT_OF(halves); i++) {
		const struct kit_move moves[] = { NEAR_(halves[i]), WAITS_, STOP_ };

		kit_play(halves[i], &kit_proto.server, PROTO_EARLY, &kit_conf, moves);
	}
}

static void
doubtful_requests_are_refused(void **state)
{
	static const char *const heads[] = { "\r\nGET / HTTP/1.1\r\n\r\n", "\n", "\r\n",
		"GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nA: b\n\r\n",
		"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "GET / HTTP/1.1\r\r\n\r\n",
		"GET  / HTTP/1.1\r\n\r\n", "GET /  HTTP/1.1\r\n\r\n", " GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1 \r\n\r\n", "GET\t/ HTTP/1.1\r\n\r\n", "GET /\r\n\r\n",
		"GET\r\n\r\n", "G(T / HTTP/1.1\r\n\r\n", "GET /\x80 HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.2\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / http/1.1\r\n\r\n",
		"GET / HTTP/1.1x\r\n\r\n", "GET / HTTP/1.\r\n\r\n", "GET / HTTP/01.1\r\n\r\n",
		"GET / HTTP/1.1\r\nA\r\n\r\n", "GET / HTTP/1.1\r\nA : b\r\n\r\n",
		"GET / HTTP/1.1\r\n: b\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\r\n\tc: d\r\n\r\n", "GET / HTTP/1.1\r\n A: b\r\n\r\n",
		"GET / HTTP/1.1\r\nA: \x01\r\n\r\n", "GET / HTTP/1.1\r\nA: \x7f\r\n\r\n",
		"GET / HTTP/1.1\r\nA\x80: b\r\n\r\n", "\x16\x03\x01" };

	(void)state;
	kind = HTTP_REQUEST;
	for (size_t i = 0; i < COUNT_OF(heads); i++)
		refuses_bytes(heads[i], strlen(heads[i]));
	refuses_bytes("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 27);
	refuses_bytes("GET /\0 HTTP/1.1\r\n\r\n", 19);
	refuses_bytes("\0", 1);
}

static void
doubtful_responses_are_refused(void **state)
{
	static const char *const heads[] = { "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 +20 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 \r\n\r\n",
		"HTTP/1.12 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\n", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n" };

	(void)state;
	kind = HTTP_RESPONSE;
	for (size_t i = 0; i < COUNT_OF(heads); i++)
		refuses_bytes(heads[i], strlen(heads[i]));
}

/* A head of exactly `n` bytes, in `fields` fields. */
static void
of_size(size_t n, size_t fields, bool fits)
{
	static const char start[] = "HTTP/1.1 200 OK\r\n", field[] = "A: b\r\n";
	char *text = malloc(n + 1), *at = text;
	struct kit_move moves[] = { { NEAR_SENDS, text, 0, 0, n }, ENDS_(R_PROTO_CLIENT), STOP_,
		STOP_ };
	char shown[HTTP_HEAD_MAX + 1024];
	int used = snprintf(shown, sizeof(shown), "200 1.1\r\n");

	assert_non_null(text);
	at = stpcpy(at, start);
	for (size_t i = 0; i + 1 < fields; i++) {
		at = stpcpy(at, field);
		used += snprintf(shown + used, sizeof(shown) - (size_t)used, "[A] [b]\r\n");
	}
	at = stpcpy(at, "B: ");
	memset(at, 'x', (size_t)(text + n - at) - 4);
	used += snprintf(shown + used, sizeof(shown) - (size_t)used, "[B] [%.*s]\r\n",
	    (int)(text + n - at) - 4, at);
	memcpy(text + n - 4, "\r\n\r\n", 5);
	if (fits) {
		moves[1] = (struct kit_move)TO_NEAR(shown);
		moves[2] = (struct kit_move)DONE_;
	}
	kit_play("size", &kit_proto.server, PROTO_EARLY, &kit_conf, moves);
	free(text);
}

static void
a_head_has_limits(void **state)
{
	(void)state;
	kind = HTTP_RESPONSE;
	/* The program that shows it has a limit of its own, in one line: so many fields share it.
	 */
	of_size(4000, 1, true);
	of_size(HTTP_HEAD_MAX, 60, true);
	of_size(HTTP_HEAD_MAX + 1, 60, false);
	of_size(1000, HTTP_FIELDS_MAX, true);
	of_size(1000, HTTP_FIELDS_MAX + 1, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read),
		cmocka_unit_test(a_response_is_read),
		cmocka_unit_test(what_is_behind_stays),
		cmocka_unit_test(half_a_head_waits),
		cmocka_unit_test(doubtful_requests_are_refused),
		cmocka_unit_test(doubtful_responses_are_refused),
		cmocka_unit_test(a_head_has_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
