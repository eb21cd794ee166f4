/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_http_connect.c -- CONNECT through a proxy, and as one. */
#include "proto_kit.h"

/* ---- client ---- */

#define ASKED "CONNECT www.test:443 HTTP/1.1\r\nHost: www.test:443\r\n"
#define OK "HTTP/1.1 200 Connection established\r\n\r\n"
/* MS-NLMP 4.2.1: the user User, Password, Domain, and the challenge 0123456789abcdef. */
#define NEGOTIATE "TlRMTVNTUAABAAAAAgIAAAAAAAAgAAAAAAAAACAAAAA="
#define CHALLENGE "TlRMTVNTUAACAAAAAAAAADAAAAACAgAAASNFZ4mrze8AAAAAAAAAAAAAAAAAAAAA"
#define AUTHENTICATE \
	"TlRMTVNTUAADAAAAAAAAAGIAAAAYABgAQAAAAAYABgBYAAAABAAEAF4AAAAAAAAAYgAAAAAAAABiAAAAAgIAAGfE" \
	"MBHzApiirTXs5k8WMxxEvb7ZJ4QflERvbWFpblVzZXI="
#define NO_DOMAIN \
	"TlRMTVNTUAADAAAAAAAAAFwAAAAYABgAQAAAAAAAAABYAAAABAAEAFgAAAAAAAAAXAAAAAAAAABcAAAAAgIAAGfE" \
	"MBHzApiirTXs5k8WMxxEvb7ZJ4QflFVzZXI="
#define NTLM_1 \
	ASKED "Proxy-Connection: keep-alive\r\nProxy-Authorization: NTLM " NEGOTIATE "\r\n\r\n"
#define NTLM_3 ASKED "Proxy-Authorization: NTLM " AUTHENTICATE "\r\n\r\n"

static const struct proto_conf plain = { .proto = &http_connect, .host = "www.test:443" };

static void
play(const char *name, const struct proto_conf *conf, const struct kit_move *moves)
{
	kit_before_tls = true;
	kit_play(name, &http_connect.client, PROTO_CLEAR, conf, moves);
}

static void
a_client_asks_and_goes_on(void **state)
{
	struct proto_conf basic = plain;

	(void)state;
	play("plain", &plain, (struct kit_move[]){ TO_FAR(ASKED "\r\n"), FAR_(OK), DONE_, STOP_ });
	play("1.0", &plain,
	    (struct kit_move[]){
		TO_FAR(ASKED "\r\n"), FAR_("HTTP/1.0 299\r\nA: b\r\n\r\n"), DONE_, STOP_ });
	play("interim", &plain,
	    (struct kit_move[]){ TO_FAR(ASKED "\r\n"), FAR_("HTTP/1.1 100 Continue\r\n\r\n"),
		WAITS_, FAR_(OK), DONE_, STOP_ });
	basic.username = "Aladdin";
	play("no password", &basic,
	    (struct kit_move[]){ TO_FAR(ASKED "\r\n"), FAR_(OK), DONE_, STOP_ });
	basic.password = "open sesame"; /* RFC 7617 2 */
	basic.headers.v = (const char *[]){ "User-Agent: a", "X-B: c" };
	basic.headers.n = 2;
	play("basic", &basic,
	    (struct kit_move[]){
		TO_FAR(ASKED "Proxy-Authorization: basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
			     "\r\nUser-Agent: a\r\nX-B: c\r\n\r\n"),
		FAR_(OK), DONE_, STOP_ });
}

static void
a_body_length_behind_consent_means_nothing(void **state)
{
	(void)state;
	play("data", &plain,
	    (struct kit_move[]){ TO_FAR(ASKED "\r\n"),
		FAR_("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndata"),
		{ SCRIPT_DONE, "near", 0, 0, 0 }, STOP_ });
}

static void
a_client_takes_no_for_an_answer(void **state)
{
	static const struct {
		const char *answer;
		enum reason reason;
	} cases[] = {
		{ "HTTP/1.1 403 Forbidden\r\n\r\n", R_PROXY_REFUSED },
		{ "HTTP/1.0 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nsorry", R_PROXY_REFUSED },
		{ "HTTP/1.1 301 Moved\r\n\r\n", R_PROXY_REFUSED },
		{ "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", R_PROTO_AUTH },
		{ "HTTP/1.1 2000 OK\r\n\r\n", R_PROTO_SERVER },
		{ "HTTP/1.1 200 OK\n", R_PROTO_SERVER },
		{ "SSH-2.0-x\r\n\r\n", R_PROTO_SERVER },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct kit_move moves[] = { TO_FAR(ASKED "\r\n"), FAR_(cases[i].answer),
			ENDS_(cases[i].reason), STOP_ };

		play(cases[i].answer, &plain, moves);
	}
}

static struct proto_conf
ntlm_conf(const char *domain)
{
	struct proto_conf conf = plain;

	conf.username = "User";
	conf.password = "Password";
	conf.domain = domain;
	conf.authentication = "NTLM";
	return conf;
}

static void
ntlm_answers_the_challenge(void **state)
{
	static const struct kit_move good[] = { TO_FAR(NTLM_1),
		FAR_("HTTP/1.1 407 Authenticate\r\nProxy-Authenticate: Negotiate\r\n"
		     "Proxy-Authenticate: NTLM " CHALLENGE "\r\nContent-Length: 5\r\n\r\n"),
		WAITS_, FAR_("sorry"), TO_FAR(NTLM_3), FAR_(OK), DONE_, STOP_ };
	static const struct kit_move not_needed[] = { TO_FAR(NTLM_1), FAR_(OK), DONE_, STOP_ };
	static const struct kit_move refused[] = { TO_FAR(NTLM_1),
		FAR_("HTTP/1.1 407 A\r\nProxy-Authenticate: NTLM " CHALLENGE "\r\n\r\n"),
		TO_FAR(NTLM_3), FAR_("HTTP/1.1 407 A\r\n\r\n"), ENDS_(R_PROTO_AUTH), STOP_ };
	static const struct kit_move no_domain[] = { TO_FAR(NTLM_1),
		FAR_("HTTP/1.1 407 A\r\nproxy-authenticate: ntlm " CHALLENGE "\r\n\r\n"),
		TO_FAR(ASKED "Proxy-Authorization: NTLM " NO_DOMAIN "\r\n\r\n"), FAR_(OK), DONE_,
		STOP_ };
	struct proto_conf conf = ntlm_conf("Domain");

	(void)state;
	play("good", &conf, good);
	play("not needed", &conf, not_needed);
	play("refused", &conf, refused);
	conf = ntlm_conf(NULL);
	play("no domain", &conf, no_domain);
}

static void
ntlm_ends_on_a_bad_challenge(void **state)
{
	static const struct {
		const char *fields;
		enum reason reason;
	} cases[] = {
		{ "", R_PROTO_AUTH },
		{ "Proxy-Authenticate: Basic realm=x\r\n", R_PROTO_AUTH },
		{ "Proxy-Authenticate: NTLM\r\n", R_PROTO_AUTH },
		{ "Proxy-Authenticate: NTLM \r\n", R_PROTO_AUTH },
		{ "Proxy-Authenticate: NTLM TlRMTVNTUAAC\r\n", R_PROTO_AUTH },
		{ "Proxy-Authenticate: NTLM " NEGOTIATE "\r\n", R_PROTO_AUTH },
		{ "Proxy-Authenticate: NTLM x" CHALLENGE "\r\n", R_PROTO_AUTH },
		{ "Proxy-Authenticate: NTLM ****" CHALLENGE "\r\n", R_PROTO_AUTH },
		{ "Proxy-Authenticate: NTLM " CHALLENGE "\r\nContent-Length: -1\r\n",
		    R_PROTO_SERVER },
		{ "Proxy-Authenticate: NTLM " CHALLENGE "\r\nContent-Length: 1048577\r\n",
		    R_PROTO_SERVER },
		{ "Proxy-Authenticate: NTLM " CHALLENGE
		  "\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
		    R_PROTO_SERVER },
		{ "Proxy-Authenticate: NTLM " CHALLENGE "\r\nTransfer-Encoding: chunked\r\n",
		    R_PROTO_SERVER },
	};
	struct proto_conf conf = ntlm_conf("Domain");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char answer[512];
		const struct kit_move moves[] = { TO_FAR(NTLM_1), FAR_(answer),
			ENDS_(cases[i].reason), STOP_ };

		(void)snprintf(answer, sizeof(answer), "HTTP/1.1 407 A\r\n%s\r\n", cases[i].fields);
		play(cases[i].fields, &conf, moves);
	}
}

/* ---- server ---- */

#define YES "HTTP/1.0 200 OK\r\nServer: ginnel\r\n\r\n"
#define NO(status) "HTTP/1.0 " status "\r\nServer: ginnel\r\n\r\n"

static const struct proto_conf server_conf = { .proto = &http_connect };

static void
serve(const char *name, bool tls, const struct kit_move *moves)
{
	kit_before_tls = tls;
	kit_play(name, &http_connect.server, PROTO_EARLY, &server_conf, moves);
}

static void
a_server_takes_the_target(void **state)
{
	static const char *const cases[][2] = {
		{ "CONNECT a.test:1 HTTP/1.0\r\n\r\n", "a.test:1" },
		{ "CONNECT 192.0.2.1:65535 HTTP/1.1\r\nHost: x\r\n\r\n", "192.0.2.1:65535" },
		{ "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nhost:\r\n\r\n", "2001:db8::1:443" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct kit_move moves[] = { NEAR_(cases[i][0]), TO_NEAR(YES),
			TARGET_(cases[i][1]), THEN_(PROTO_LATE), DONE_, STOP_ };

		serve(cases[i][0], true, moves);
	}
}

static void
without_tls_the_answer_waits_for_the_target(void **state)
{
	static const struct kit_move good[] = { NEAR_("CONNECT a:1 HTTP/1.0\r\n\r\nhello"),
		TARGET_("a:1"), THEN_(PROTO_LATE), TO_NEAR(YES), { SCRIPT_DONE, "far", 0, 0, 0 },
		STOP_ };
	static const struct kit_move bad[] = { NEAR_("CONNECT a:1 HTTP/1.0\r\n\r\n"),
		FAILS_(R_CONNECT), TO_NEAR(NO("502 Bad Gateway")), DONE_, STOP_ };
	static const struct kit_move unknown[] = { NEAR_("CONNECT a:1 HTTP/1.0\r\n\r\n"),
		FAILS_(R_RESOLVE), TO_NEAR(NO("404 Not Found")), DONE_, STOP_ };

	(void)state;
	serve("good", false, good);
	serve("bad", false, bad);
	serve("unknown", false, unknown);
	serve("said already", true,
	    (struct kit_move[]){ NEAR_("CONNECT a:1 HTTP/1.0\r\n\r\n"), TO_NEAR(YES),
		FAILS_(R_CONNECT), DONE_, STOP_ });
}

static void
a_server_refuses_what_is_doubtful(void **state)
{
	static const char *const cases[][2] = {
		{ "GET / HTTP/1.0\r\n\r\n", NO("400 Bad Request Method") },
		{ "connect a:1 HTTP/1.0\r\n\r\n", NO("400 Bad Request Method") },
		{ "HELO\r\n\r\n", NO("400 Bad Request Method") },
		{ "CONNECT  a:1 HTTP/1.0\r\n\r\n", NO("400 Bad Request Method") },
		{ "CONNECT a:1\r\n\r\n", NO("400 Bad Request Protocol") },
		{ "CONNECT a:1 HTTP/2.0\r\n\r\n", NO("400 Bad Request Protocol") },
		{ "CONNECT a:1 x HTTP/1.0\r\n\r\n", NO("400 Bad Request Protocol") },
		{ "CONNECT a:1 HTTP/1.1\r\n\r\n", NO("400 Bad Request") },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", NO("400 Bad Request") },
		{ "CONNECT a:1 HTTP/1.0\r\nContent-Length: 0\r\n\r\n", NO("400 Bad Request") },
		{ "CONNECT a:1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		    NO("400 Bad Request") },
		{ "CONNECT a:1 HTTP/1.0\n", NO("400 Bad Request") },
		{ "CONNECT a:1 HTTP/1.0\r\nA: b\r\n c\r\n\r\n", NO("400 Bad Request") },
		{ "\x16\x03\x01\x02", NO("400 Bad Request") },
		{ "CONNECT a HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT :1 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT a: HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT a:0 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT a:65536 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT a:65537443 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT a:+1 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT a:0x1 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT a:http HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT http://a:1 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT u@a:1 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT a%2e:1 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT ::1:443 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT [::1:443 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT []:443 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT [a]:443 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT [127.0.0.1]:443 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT [fe80::1%25lo]:443 HTTP/1.0\r\n\r\n", NO("404 Not Found") },
		{ "CONNECT /run/docker.sock HTTP/1.0\r\n\r\n", NO("404 Not Found") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct kit_move moves[] = { NEAR_(cases[i][0]), TO_NEAR(cases[i][1]),
			ENDS_(R_PROTO_CLIENT), STOP_ };

		serve(cases[i][0], i % 2 == 0, moves);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_asks_and_goes_on),
		cmocka_unit_test(a_body_length_behind_consent_means_nothing),
		cmocka_unit_test(a_client_takes_no_for_an_answer),
		cmocka_unit_test(ntlm_answers_the_challenge),
		cmocka_unit_test(ntlm_ends_on_a_bad_challenge),
		cmocka_unit_test(a_server_takes_the_target),
		cmocka_unit_test(without_tls_the_answer_waits_for_the_target),
		cmocka_unit_test(a_server_refuses_what_is_doubtful),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
