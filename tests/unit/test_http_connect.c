/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_http_connect.c -- CONNECT through a proxy, and as one. */
#include "proto_kit.h"

#include <errno.h>

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

#define YES "HTTP/1.1 200 OK\r\n\r\n"

static struct proto_conf server_conf = { .proto = &http_connect };

static void
serve(const char *name, const struct kit_move *moves)
{
	kit_before_tls = false;
	kit_play(name, &http_connect.server, PROTO_REQUEST, &server_conf, moves);
}

/* An answer that ends the connection, with its body in a line. */
static const char *
refusal(const char *status, const char *error, const char *field, const char *body)
{
	static char text[1024];

	(void)snprintf(text, sizeof(text),
	    "HTTP/1.1 %s\r\nProxy-Status: ginnel; error=%s\r\n%s%sContent-Type: text/plain\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\r\n",
	    status, error, field, *field != '\0' ? "\r\n" : "", strlen(body) + 2, body);
	return text;
}

static void
a_server_takes_the_target(void **state)
{
	static const char *const cases[][2] = {
		{ "CONNECT a.test:1 HTTP/1.0\r\n\r\n", "a.test:1" },
		{ "CONNECT A.test.:65535 HTTP/1.0\r\n\r\n", "A.test.:65535" },
		{ "CONNECT 192.0.2.1:65535 HTTP/1.1\r\nHost: x\r\n\r\n", "192.0.2.1:65535" },
		{ "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nhost:\r\n\r\n", "2001:db8::1:443" },
		{ "CONNECT a:1 HTTP/1.0\r\nContent-Length: 0\r\n\r\n", "a:1" },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: b:2\r\nProxy-Connection: Keep-Alive\r\n"
		  "User-Agent: x\r\nProxy-Authorization: Basic zzz\r\n\r\n",
		    "a:1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct kit_move moves[] = { NEAR_(cases[i][0]), TARGET_(cases[i][1]),
			THEN_(PROTO_LATE), TO_NEAR(YES), DONE_, STOP_ };

		serve(cases[i][0], moves);
	}
}

static void
in_clear_before_tls_the_consent_comes_first(void **state)
{
	(void)state;
	kit_before_tls = true;
	kit_play("aimed", &http_connect.aimed, PROTO_EARLY, &server_conf,
	    (struct kit_move[]){ NEAR_("CONNECT a:1 HTTP/1.0\r\n\r\n"), TO_NEAR(YES),
		TARGET_("a:1"), THEN_(PROTO_LATE), DONE_, STOP_ });
	kit_play("aimed", &http_connect.aimed, PROTO_EARLY, &server_conf,
	    (struct kit_move[]){ NEAR_("CONNECT a:1 HTTP/1.0\r\n\r\n"), TO_NEAR(YES),
		FAILS_(R_CONNECT), DONE_, STOP_ });
}

static void
the_answer_waits_for_the_target(void **state)
{
	static const struct kit_move good[] = { NEAR_("CONNECT a:1 HTTP/1.0\r\n\r\nhello"),
		TARGET_("a:1"), THEN_(PROTO_LATE), TO_NEAR(YES), DONE_WITHOUT_NEAR, STOP_ };
	static const struct {
		enum reason reason;
		int errnum;
		const char *status, *error, *field, *body;
	} bad[] = {
		{ R_CONNECT, ECONNREFUSED, "502 Bad Gateway", "connection_refused", "",
		    "The target refuses connections." },
		{ R_CONNECT, ETIMEDOUT, "504 Gateway Timeout", "connection_timeout", "",
		    "The target does not answer." },
		{ R_CONNECT, ENETUNREACH, "502 Bad Gateway", "destination_ip_unroutable", "",
		    "No way leads to the target." },
		{ R_CONNECT, EMFILE, "503 Service Unavailable", "connection_limit_reached",
		    "Retry-After: 5", "This proxy has too many connections." },
		{ R_CONNECT, EIO, "502 Bad Gateway", "destination_unavailable", "",
		    "The target could not be reached." },
		{ R_RESOLVE, 0, "502 Bad Gateway", "dns_error", "",
		    "The host has no address that could be found." },
		{ R_LOOP, 0, "502 Bad Gateway", "proxy_loop_detected", "",
		    "The target is this proxy itself." },
		{ R_TARGET_REFUSED, 0, "403 Forbidden", "destination_ip_prohibited", "",
		    "The rules of this proxy do not allow this target." },
		{ R_IDENTITY_FULL, 0, "503 Service Unavailable", "connection_limit_reached",
		    "Retry-After: 5",
		    "You have as many connections as one user or certificate may have." },
		{ R_LOGIN_WANTED, 0, "407 Proxy Authentication Required", "http_request_denied",
		    "Proxy-Authenticate: Basic realm=\"ginnel\", charset=\"UTF-8\"",
		    "A user and a password are needed to reach this target." },
	};

	(void)state;
	serve("good", good);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const struct kit_move moves[] = { NEAR_("CONNECT a:1 HTTP/1.0\r\n\r\n"),
			FAILS_(bad[i].reason),
			TO_NEAR(refusal(bad[i].status, bad[i].error, bad[i].field, bad[i].body)),
			DONE_, STOP_ };

		kit_errnum = bad[i].errnum;
		serve(bad[i].status, moves);
	}
}

static void
a_server_asks_who_it_is(void **state)
{
#define WITH(words) "CONNECT a:1 HTTP/1.0\r\nProxy-Authorization: " words "\r\n\r\n"
	static const char *const none[] = { "Basic", "Basic ", "Basic !", "Basic YQ==", "Digest a",
		"Basic OmFiYw", "basic" };
	char text[128];

	(void)state;
	server_conf.users = "users";
	serve("good", /* RFC 7617 2 */
	    (struct kit_move[]){ NEAR_(WITH("basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
		LOGIN_("Aladdin:open sesame", LOGIN_GOOD), TARGET_("a:1"), STOP_ });
	serve("colons",
	    (struct kit_move[]){ NEAR_(WITH("Basic YTpiOmM=")), LOGIN_("a:b:c", LOGIN_BAD),
		TO_NEAR(refusal("407 Proxy Authentication Required", "http_request_denied",
		    "Proxy-Authenticate: Basic realm=\"ginnel\", charset=\"UTF-8\"",
		    "That is not a user of this proxy, or not its password.")),
		ENDS_(R_LOGIN_FAILED), STOP_ });
	serve("busy",
	    (struct kit_move[]){ NEAR_(WITH("Basic YTpi")), LOGIN_("a:b", LOGIN_BUSY),
		TO_NEAR(refusal("503 Service Unavailable", "connection_limit_reached",
		    "Retry-After: 5", "Too many logins are being checked; try again later.")),
		ENDS_(R_LOGIN_FAILED), STOP_ });
	serve("none",
	    (struct kit_move[]){ NEAR_("CONNECT a:1 HTTP/1.0\r\n\r\n"), TARGET_("a:1"), STOP_ });
	for (size_t i = 0; i < COUNT_OF(none); i++) {
		(void)snprintf(text, sizeof(text),
		    "CONNECT a:1 HTTP/1.0\r\nProxy-Authorization: %s\r\n\r\n", none[i]);
		serve(none[i],
		    (struct kit_move[]){ NEAR_(text),
			TO_NEAR(refusal("407 Proxy Authentication Required", "http_request_denied",
			    "Proxy-Authenticate: Basic realm=\"ginnel\", charset=\"UTF-8\"",
			    "That is not a user of this proxy, or not its password.")),
			ENDS_(R_LOGIN_FAILED), STOP_ });
	}
	server_conf.users = NULL;
}

#define LINE "The first line is malformed."
#define BYTE "There is a control byte in the head, or a line does not end with CRLF."
#define FIELD "A field is malformed."
#define VERSION "The version is neither HTTP/1.0 nor HTTP/1.1."
#define TARGET "The target is not HOST:PORT."
#define METHOD "This proxy knows the method CONNECT alone."
#define LENGTH "A request for a tunnel has no content, and no Content-Length."

static void
a_server_refuses_what_is_doubtful(void **state)
{
	static const char *const cases[][2] = {
		{ "GET / HTTP/1.0\r\n\r\n", METHOD },
		{ "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", METHOD },
		{ "connect a:1 HTTP/1.0\r\n\r\n", METHOD },
		{ "HELO\r\n\r\n", LINE },
		{ "CONNECT  a:1 HTTP/1.0\r\n\r\n", LINE },
		{ " CONNECT a:1 HTTP/1.0\r\n\r\n", LINE },
		{ "CONNECT\ta:1 HTTP/1.0\r\n\r\n", LINE },
		{ "\r\nCONNECT a:1 HTTP/1.0\r\n\r\n", LINE },
		{ "CONNECT a:1\r\n\r\n", VERSION },
		{ "CONNECT a:1 HTTP/2.0\r\n\r\n", VERSION },
		{ "CONNECT a:1 HTTP/1.2\r\n\r\n", VERSION },
		{ "CONNECT a:1 HTTP/01.1\r\n\r\n", VERSION },
		{ "CONNECT a:1 http/1.1\r\n\r\n", VERSION },
		{ "CONNECT a:1 x HTTP/1.0\r\n\r\n", VERSION },
		{ "CONNECT a:1 HTTP/1.0 \r\n\r\n", VERSION },
		{ "CONNECT a:1 HTTP/1.1\r\n\r\n", "There is no Host." },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		    "There is more than one Host." },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: a b\r\n\r\n", "Host is malformed." },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: http://a\r\n\r\n", "Host is malformed." },
		{ "CONNECT a:1 HTTP/1.1\r\nHost: u@a\r\n\r\n", "Host is malformed." },
		{ "CONNECT a:1 HTTP/1.0\r\nContent-Length: 1\r\n\r\n", LENGTH },
		{ "CONNECT a:1 HTTP/1.0\r\nContent-Length: 00\r\n\r\n", LENGTH },
		{ "CONNECT a:1 HTTP/1.0\r\nContent-Length: 0, 0\r\n\r\n", LENGTH },
		{ "CONNECT a:1 HTTP/1.0\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
		    LENGTH },
		{ "CONNECT a:1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		    "A request for a tunnel has no content, and no Transfer-Encoding." },
		{ "CONNECT a:1 HTTP/1.0\r\nProxy-Authorization: a\r\nproxy-authorization: "
		  "b\r\n\r\n",
		    "There is more than one Proxy-Authorization." },
		{ "CONNECT a:1 HTTP/1.0\n", BYTE },
		{ "CONNECT a:1 HTTP/1.0\r\nA: b\n", BYTE },
		{ "CONNECT a:1 HTTP/1.0\r\nA: b\r", NULL },
		{ "CONNECT a:1 HTTP/1.0\r\nA: b\rC: d\r\n\r\n", BYTE },
		{ "CONNECT a:1 HTTP/1.0\r\nA: b\r\n c\r\n\r\n", FIELD },
		{ "CONNECT a:1 HTTP/1.0\r\nA : b\r\n\r\n", FIELD },
		{ "CONNECT a:1 HTTP/1.0\r\n: b\r\n\r\n", FIELD },
		{ "CONNECT a:1 HTTP/1.0\r\nA\r\n\r\n", FIELD },
		{ "\x16\x03\x01\x02", BYTE },
		{ "CONNECT a HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT :1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a: HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:0 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:65536 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:65979 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:4294967739 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:000443 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:+1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:-1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:0x1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:1a HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:http HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT http://a:1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a:1/ HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT u@a:1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT a%2e:1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT .a:1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT ::1:443 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT [::1:443 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT []:443 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT [a]:443 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT [127.0.0.1]:443 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT [fe80::1%25lo]:443 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT 127.1:1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT 127.0.0.1.:1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT 2130706433:1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT 0x7f000001:1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT 0x7f.1:1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT 0177.0.0.01:1 HTTP/1.0\r\n\r\n", TARGET },
		{ "CONNECT /run/docker.sock HTTP/1.0\r\n\r\n", TARGET },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *body = cases[i][1];
		bool method = body != NULL && strcmp(body, METHOD) == 0;
		const struct kit_move moves[] = { NEAR_(cases[i][0]),
			TO_NEAR(method ? refusal("405 Method Not Allowed", "http_request_denied",
					     "Allow: CONNECT", body)
				       : refusal("400 Bad Request", "http_request_error", "",
					     body != NULL ? body : "")),
			ENDS_(R_PROTO_CLIENT), STOP_ };
		const struct kit_move waits[] = { NEAR_(cases[i][0]), WAITS_, STOP_ };

		serve(cases[i][0], body != NULL ? moves : waits);
	}
}

static void
a_server_refuses_a_nul_and_a_head_without_end(void **state)
{
	char head[9000] = "CONNECT a:1 HTTP/1.0\r\nA: ";
	char fields[2000] = "CONNECT a:1 HTTP/1.0\r\n";

	(void)state;
	serve("NUL", (struct kit_move[]){ NEAR_BYTES("CONNECT a:1 HTTP/1.0\r\nA: \0\r\n\r\n"),
			 TO_NEAR(refusal("400 Bad Request", "http_request_error", "", BYTE)),
			 ENDS_(R_PROTO_CLIENT), STOP_ });
	memset(head + strlen(head), 'a', sizeof(head) - strlen(head) - 1);
	for (int i = 0; i < 65; i++)
		strcat(fields, "A: b\r\n");
	strcat(fields, "\r\n");
	for (int i = 0; i < 2; i++)
		serve("long",
		    (struct kit_move[]){ NEAR_(i == 0 ? head : fields),
			TO_NEAR(
			    refusal("431 Request Header Fields Too Large", "http_request_error", "",
				"The head of the request is longer than 8 KiB, or has more than 64 "
				"fields.")),
			ENDS_(R_PROTO_CLIENT), STOP_ });
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
		cmocka_unit_test(in_clear_before_tls_the_consent_comes_first),
		cmocka_unit_test(the_answer_waits_for_the_target),
		cmocka_unit_test(a_server_asks_who_it_is),
		cmocka_unit_test(a_server_refuses_what_is_doubtful),
		cmocka_unit_test(a_server_refuses_a_nul_and_a_head_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
