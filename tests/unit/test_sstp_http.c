/* SPDX-License-Identifier: Apache-2.0 */
/* SSTP's HTTP exchange: what is let in, and what others get who knock at that door. */
#include "proto_kit.h"

#define PATH "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
#define LENGTH "Content-Length: 18446744073709551615\r\n"
#define REST LENGTH "Host: vpn.test\r\n\r\n"

static const struct proto_conf conf = { .proto = &sstp_http };

/* One script, fed in pieces; what was said is left in `said`. */
struct exchange {
	enum proto_verdict verdict;
	enum reason reason;
	char said[2048];
	size_t left; /* bytes that were not taken */
};

static struct exchange
exchange(enum proto_side side, const char *bytes, size_t piece, const struct proto_conf *with)
{
	static struct dialogue d;
	static max_align_t state[64];
	const struct proto_role *role = side == PROTO_NEAR ? &sstp_http.server : &sstp_http.client;
	const struct proto_row *script =
	    role->script[side == PROTO_NEAR ? PROTO_REQUEST : PROTO_LATE];
	struct exchange x = { .verdict = PROTO_MORE };
	struct log_ctx log = { .level = -1 };
	struct pool *pool = pool_new();
	struct buf in[2] = { { 0 }, { 0 } };
	size_t n = strlen(bytes), at = 0;

	memset(state, 0, sizeof(state));
	d = (struct dialogue){ .conf = with, .log = &log, .pool = pool, .state = state };
	d.facts = &kit_facts;
	d.side[0].in = &in[0];
	d.side[1].in = &in[1];
	x.verdict = proto_run(&d, script);
	while (at < n) {
		size_t some = n - at < piece ? n - at : piece;

		assert_true(buf_append(&in[side], pool, bytes + at, some));
		at += some;
		if (x.verdict == PROTO_MORE)
			x.verdict = proto_run(&d, script);
	}
	x.reason = d.reason;
	x.left = buf_len(&in[side]);
	memcpy(x.said, buf_head(&d.side[side].out), buf_len(&d.side[side].out));
	buf_clear(&d.side[side].out, pool);
	buf_clear(&in[side], pool);
	pool_free(pool);
	return x;
}

static void
test_requests(void **state)
{
	static const struct {
		const char *request, *answer; /* its first line */
		bool good;
	} known[] = {
		{ "SSTP_DUPLEX_POST " PATH " HTTP/1.1\r\n" REST, "HTTP/1.1 200 OK\r\n", true },
		/* without regard to case, fields in any order, any correlation id, 1.0, a query */
		{ "sstp_duplex_post " PATH " HTTP/1.1\r\n" REST, "HTTP/1.1 200 OK\r\n", true },
		{ "SSTP_DUPLEX_POST /SRA_{ba195980-cd49-458b-9e23-c84ee0adcd75}/ HTTP/1.1\r\n" REST,
		    "HTTP/1.1 200 OK\r\n", true },
		{ "SSTP_DUPLEX_POST " PATH " HTTP/1.1\r\nHost: a\r\n"
		  "SSTPCORRELATIONID: {7361BC7A-7019-FBE5-362D5756}\r\ncontent-length: 7\r\n\r\n",
		    "HTTP/1.1 200 OK\r\n", true },
		{ "SSTP_DUPLEX_POST " PATH "?tenantid=x HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n",
		    true },
		/* a web server without pages */
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", false },
		{ "POST " PATH " HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found\r\n",
		    false },
		{ "SSTP_DUPLEX_POST / HTTP/1.1\r\n" REST, "HTTP/1.1 404 Not Found\r\n", false },
		{ "SSTP_DUPLEX_POST " PATH "x HTTP/1.1\r\n" REST, "HTTP/1.1 404 Not Found\r\n",
		    false },
		{ "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 501 Not Implemented\r\n", false },
		{ "SSTP_DUPLEX_POST " PATH " HTTP/2.0\r\n" REST, "HTTP/1.1 400 Bad Request\r\n",
		    false },
		{ "SSTP_DUPLEX_POST " PATH " HTTP/1.1\n\n", "HTTP/1.1 400 Bad Request\r\n", false },
		{ "nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++)
		for (size_t piece = 1; piece <= 4096; piece += 4095) {
			struct exchange x = exchange(PROTO_NEAR, known[i].request, piece, &conf);

			assert_memory_equal(x.said, known[i].answer, strlen(known[i].answer));
			assert_non_null(strstr(x.said, "\r\n\r\n"));
			assert_non_null(
			    strstr(x.said, known[i].good ? LENGTH : "Content-Length: 0"));
			assert_int_equal(x.verdict, known[i].good ? PROTO_DONE : PROTO_END);
			if (!known[i].good)
				assert_int_equal(x.reason, R_NOT_SSTP);
		}
}

/* What comes behind the request is SSTP's. */
static void
test_bytes_behind(void **state)
{
	struct exchange x = exchange(
	    PROTO_NEAR, "SSTP_DUPLEX_POST " PATH " HTTP/1.1\r\n" REST "\x10\x01", 4096, &conf);

	(void)state;
	assert_int_equal(x.verdict, PROTO_DONE);
	assert_int_equal(x.left, 2);
}

static void
test_head_without_end(void **state)
{
	static char head[16 * 1024];
	size_t n =
	    (size_t)snprintf(head, sizeof(head), "SSTP_DUPLEX_POST %s HTTP/1.1\r\nA: ", PATH);
	struct exchange x;

	(void)state;
	memset(head + n, 'a', sizeof(head) - 1 - n);
	x = exchange(PROTO_NEAR, head, 1024, &conf);
	assert_int_equal(x.verdict, PROTO_END);
	assert_memory_equal(x.said, "HTTP/1.1 400 ", 13);
}

static void
test_client(void **state)
{
	static const struct {
		const char *answer;
		bool good;
	} known[] = {
		{ "HTTP/1.1 200 OK\r\n" LENGTH "Server: x\r\n\r\n", true },
		{ "HTTP/1.0 200 Fine\r\n\r\n", true },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\n\r\n", true },
		{ "HTTP/1.1 404 Not Found\r\n\r\n", false },
		{ "HTTP/1.1 503 Busy\r\n\r\n", false },
		{ "SSH-2.0-OpenSSH\r\n\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++)
		for (size_t piece = 1; piece <= 4096; piece += 4095) {
			struct exchange x = exchange(PROTO_FAR, known[i].answer, piece, &conf);

			assert_int_equal(x.verdict, known[i].good ? PROTO_DONE : PROTO_END);
			if (!known[i].good)
				assert_int_equal(x.reason, R_VPN_REFUSED);
		}
}

static void
test_what_a_client_says(void **state)
{
	static const struct target usual = { .host = "vpn.test", .port = 443 };
	static const struct target other = { .host = "::1", .port = 4443 };
	static const struct proto_conf named = { .proto = &sstp_http, .host = "name.test" };
	struct exchange x, y;

	(void)state;
	kit_facts.target = &usual;
	x = exchange(PROTO_FAR, "HTTP/1.1 200 OK\r\n\r\n", 4096, &conf);
	assert_memory_equal(x.said,
	    "SSTP_DUPLEX_POST " PATH " HTTP/1.1\r\n" LENGTH
	    "Host: vpn.test\r\nSSTPCORRELATIONID: {",
	    strlen("SSTP_DUPLEX_POST " PATH " HTTP/1.1\r\n" LENGTH
		   "Host: vpn.test\r\nSSTPCORRELATIONID: {"));
	y = exchange(PROTO_FAR, "HTTP/1.1 200 OK\r\n\r\n", 4096, &conf);
	assert_string_not_equal(x.said, y.said);
	kit_facts.target = &other;
	x = exchange(PROTO_FAR, "HTTP/1.1 200 OK\r\n\r\n", 4096, &conf);
	assert_non_null(strstr(x.said, "Host: [::1]:4443\r\n"));
	x = exchange(PROTO_FAR, "HTTP/1.1 200 OK\r\n\r\n", 4096, &named);
	assert_non_null(strstr(x.said, "Host: name.test\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_bytes_behind),
		cmocka_unit_test(test_head_without_end),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_what_a_client_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
