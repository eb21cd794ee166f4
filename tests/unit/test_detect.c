/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_detect.c -- protocols by their first bytes, however these were cut. */
#include "tunnel/detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
first_bytes_tell(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum detect_kind kind;
	} cases[] = {
#define CASE(text, kind) { text, sizeof(text) - 1, kind }
		CASE("\x16\x03\x01", DETECT_TLS),
		CASE("\x16\x03\xff", DETECT_TLS),
		CASE("\x16\x02\x01", DETECT_OTHER),
		CASE("SSH-2.0-OpenSSH", DETECT_SSH),
		CASE("SSH 2.0", DETECT_OTHER),
		CASE("SSTP_DUPLEX_POST /", DETECT_SSTP),
		CASE("SSTP_DUPLEX_POST\r", DETECT_OTHER),
		CASE("GET / HTTP", DETECT_HTTP),
		CASE("GET\t/", DETECT_OTHER),
		CASE("HEAD /", DETECT_HTTP),
		CASE("POST /", DETECT_HTTP),
		CASE("PUT /", DETECT_HTTP),
		CASE("PATCH /", DETECT_HTTP),
		CASE("PRI * HTTP/2.0", DETECT_HTTP),
		CASE("DELETE /", DETECT_HTTP),
		CASE("OPTIONS *", DETECT_HTTP),
		CASE("TRACE /", DETECT_HTTP),
		CASE("get / HTTP", DETECT_OTHER),
		CASE("CONNECT a:1", DETECT_CONNECT),
		CASE("CONNECTED ", DETECT_OTHER),
		CASE("\4\1", DETECT_SOCKS4),
		CASE("\4\2\0", DETECT_SOCKS4),
		CASE("\4\3", DETECT_OTHER),
		CASE("\5\1\0", DETECT_SOCKS5),
		CASE("\0", DETECT_OTHER),
		CASE("\xff", DETECT_OTHER),
		CASE("\r\n", DETECT_OTHER),
#undef CASE
	};

	(void)state;
	assert_int_equal(detect_look((const uint8_t *)"", 0), DETECT_MORE);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		bool told = false;

		for (size_t n = 1; n <= cases[i].n; n++) {
			enum detect_kind kind = detect_look((const uint8_t *)cases[i].bytes, n);

			if (kind == DETECT_MORE ? told : kind != cases[i].kind)
				fail_msg("%s after %zu bytes", cases[i].bytes, n);
			told = kind != DETECT_MORE;
		}
		assert_true(told);
		assert_non_null(detect_name(cases[i].kind));
	}
}

/* Any three bytes: told, and never told otherwise, once enough are there. */
static void
so_many_bytes_tell_any(void **state)
{
	uint8_t bytes[DETECT_MAX] = { 0 };

	(void)state;
	for (unsigned first = 0; first < 256; first++)
		for (unsigned second = 0; second < 256; second++) {
			bytes[0] = (uint8_t)first;
			bytes[1] = (uint8_t)second;
			assert_int_not_equal(detect_look(bytes, sizeof(bytes)), DETECT_MORE);
		}
}

static void
kinds_are_read(void **state)
{
	struct option_ctx ctx = { .arena = arena_new() };
	struct detect_conf conf = { 0 }, copy;

	(void)state;
	assert_true(detect_parse(&ctx, NULL, &conf, "main:ssh, HTTP"));
	copy = conf;
	assert_true(detect_parse(&ctx, NULL, &conf, "other one:sstp,tls/socks,timeout"));
	assert_int_equal(copy.n, 1);
	assert_int_equal(conf.n, 2);
	assert_string_equal(conf.v[0].service, "main");
	assert_string_equal(conf.v[1].service, "other one");
	assert_int_equal(detect_kinds(&copy, DETECT_CLEAR), 1 << DETECT_SSH | 1 << DETECT_HTTP);
	assert_int_equal(detect_kinds(&copy, DETECT_INSIDE), 0);
	assert_int_equal(detect_kinds(&conf, DETECT_CLEAR),
	    1 << DETECT_SSH | 1 << DETECT_HTTP | 1 << DETECT_TIMEOUT);
	assert_int_equal(detect_kinds(&conf, DETECT_INSIDE),
	    1 << DETECT_SSTP | 1 << DETECT_SOCKS4 | 1 << DETECT_SOCKS5);
	assert_false(detect_parse(&ctx, NULL, &conf, "main:tls/"));
	assert_false(detect_parse(&ctx, NULL, &conf, "main:tls/tls/ssh"));
	assert_false(detect_parse(&ctx, NULL, &conf, "main:sshd"));
	assert_int_equal(conf.n, 2);
	arena_free(ctx.arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_bytes_tell),
		cmocka_unit_test(so_many_bytes_tell_any),
		cmocka_unit_test(kinds_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
