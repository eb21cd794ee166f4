/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_mysql.c -- TLS of MySQL and MariaDB, both sides, and the numbers of packets. */
#include "proto_kit.h"

/* Capabilities: 0x0200 is CLIENT_PROTOCOL_41, 0x0800 CLIENT_SSL. */
#define GREETING(caps) \
	"\56\0\0\0\012" \
	"8.0\0" \
	"\1\0\0\0" \
	"saltsalt\0" caps "\41\2\0\0\0\25\0\0\0\0\0\0\0\0\0\0" \
	"saltsal\0" \
	"x\0"
#define PLAIN_GREETING GREETING("\205\242")
#define TLS_GREETING GREETING("\205\252")
/* 32 bytes without the first two of the capabilities. */
#define HEAD "\17\0\0\0\0\1\41\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define SSL_REQUEST "\40\0\0\1\205\252" HEAD
/* The login: a user "bob" and a password of two bytes. */
#define LOGIN(id, caps) "\47\0\0" id caps HEAD "bob\0\2pw"
#define OK(id) "\7\0\0" id "\0\0\0\2\0\0\0"
#define ERROR(id) "\10\0\0" id "\377\25\4#2800"
#define AUTH_SWITCH(id) "\7\0\0" id "\376name\0s"

static const struct proto_conf conf = { .proto = &mysql_proto };

static void
server(const char *name, enum proto_point point, const struct kit_move *moves)
{
	kit_play(name, &mysql_proto.server, point, &conf, moves);
}

static void
client(const char *name, enum proto_point point, const struct kit_move *moves)
{
	kit_play(name, &mysql_proto.client, point, &conf, moves);
}

static void
server_offers_tls(void **state)
{
	(void)state;
	server("request", PROTO_CLEAR,
	    (struct kit_move[]){ FAR_BYTES(PLAIN_GREETING), TO_NEAR_BYTES(TLS_GREETING), WAITS_,
		NEAR_BYTES(SSL_REQUEST), DONE_, STOP_ });
	server("a backend with TLS", PROTO_CLEAR,
	    (struct kit_move[]){ FAR_BYTES(TLS_GREETING), TO_NEAR_BYTES(TLS_GREETING),
		NEAR_BYTES(SSL_REQUEST), DONE_, STOP_ });
	server("nothing behind it is taken", PROTO_CLEAR,
	    (struct kit_move[]){ FAR_BYTES(PLAIN_GREETING), TO_NEAR_BYTES(TLS_GREETING),
		NEAR_BYTES(SSL_REQUEST LOGIN("\2", "\205\252")), DONE_WITHOUT_NEAR, STOP_ });
	server("the backend refuses", PROTO_CLEAR,
	    (struct kit_move[]){ FAR_BYTES("\7\0\0\0\377\20\4Too!"),
		TO_NEAR_BYTES("\7\0\0\0\377\20\4Too!"), ENDS_(R_PROTO_QUIT), STOP_ });
}

static void
bad_greeting(const char *name, const char *bytes, size_t n)
{
	struct kit_move moves[] = { { FAR_SENDS, bytes, 0, 0, n }, ENDS_(R_PROTO_SERVER), STOP_ };

	server(name, PROTO_CLEAR, moves);
	client(name, PROTO_CLEAR, moves);
}
#define BAD_GREETING(name, bytes) bad_greeting(name, bytes, sizeof(bytes) - 1)

static void
a_greeting_has_its_bounds(void **state)
{
	(void)state;
	BAD_GREETING("empty", "\0\0\0\0");
	BAD_GREETING("another number", "\1\0\0\1\012");
	BAD_GREETING("another version", "\2\0\0\0\11\0");
	BAD_GREETING("no end of the version", "\5\0\0\0\012vers");
	BAD_GREETING("cut before the salt", "\7\0\0\0\012v\0\1\0\0\0");
	BAD_GREETING("cut in the capabilities", "\21\0\0\0\012v\0\1\0\0\0saltsalt\0\205");
	BAD_GREETING("too old", GREETING("\205\240"));
	BAD_GREETING("8 KiB", "\375\37\0\0\012");
	BAD_GREETING("16 MiB", "\377\377\377\0\012");
	BAD_GREETING("another protocol", "+OK POP3\r\n");
}

static void
asks_badly(const char *name, const char *bytes, size_t n, const char *said, size_t said_n,
    enum reason reason)
{
	struct kit_move moves[] = { FAR_BYTES(PLAIN_GREETING), TO_NEAR_BYTES(TLS_GREETING),
		{ NEAR_SENDS, bytes, 0, 0, n }, { NEAR_GETS, said, 0, 0, said_n }, ENDS_(reason),
		STOP_ };

	server(name, PROTO_CLEAR, moves);
}
#define ASKS_BADLY(name, bytes, said, reason) \
	asks_badly(name, bytes, sizeof(bytes) - 1, said, sizeof(said) - 1, reason)

static void
a_request_is_only_that(void **state)
{
	(void)state;
	ASKS_BADLY("plain text", LOGIN("\1", "\205\242"),
	    "\35\0\0\2\377\127\14#HY000TLS is required here", R_NO_STARTTLS);
	ASKS_BADLY("the login in clear", LOGIN("\1", "\205\252"), "", R_PROTO_CLIENT);
	ASKS_BADLY("another number", "\40\0\0\2\205\252" HEAD, "", R_PROTO_CLIENT);
	ASKS_BADLY("too short", "\37\0\0\1\205\252", "", R_PROTO_CLIENT);
	ASKS_BADLY("too old", "\40\0\0\1\205\250", "", R_PROTO_CLIENT);
	ASKS_BADLY("text", "USER bob\r\n", "", R_PROTO_CLIENT);
}

static void
server_moves_the_numbers(void **state)
{
	(void)state;
	server("login", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES(LOGIN("\2", "\205\252")),
		TO_FAR_BYTES(LOGIN("\1", "\205\242")), WAITS_, FAR_BYTES(OK("\2")),
		TO_NEAR_BYTES("\7\0\0\3"), DONE_WITHOUT_FAR, STOP_ });
	server("auth switch", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES(LOGIN("\2", "\205\252")),
		TO_FAR_BYTES(LOGIN("\1", "\205\242")), FAR_BYTES(AUTH_SWITCH("\2")),
		TO_NEAR_BYTES(AUTH_SWITCH("\3")), NEAR_BYTES("\2\0\0\4hi"),
		TO_FAR_BYTES("\2\0\0\3hi"), FAR_BYTES("\2\0\0\4\1\4"),
		TO_NEAR_BYTES("\2\0\0\5\1\4"), NEAR_BYTES("\0\0\0\6"), TO_FAR_BYTES("\0\0\0\5"),
		FAR_BYTES("\0\0\0\6"), TO_NEAR_BYTES("\0\0\0\7"), FAR_BYTES(ERROR("\7")),
		TO_NEAR_BYTES("\10\0\0\10"), DONE_WITHOUT_FAR, STOP_ });
	server("two packets of the server", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES(LOGIN("\2", "\205\252")),
		TO_FAR_BYTES(LOGIN("\1", "\205\242")), FAR_BYTES("\2\0\0\2\1\3\7\0\0\3\0"),
		TO_NEAR_BYTES("\2\0\0\3\1\3\7\0\0\4"), DONE_WITHOUT_FAR, STOP_ });
	server("an error before the login", PROTO_LATE,
	    (struct kit_move[]){
		FAR_BYTES(ERROR("\1")), TO_NEAR_BYTES("\10\0\0\2"), DONE_WITHOUT_FAR, STOP_ });
	server("a command in haste", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES(LOGIN("\2", "\205\252") "\1\0\0\0\16"),
		TO_FAR_BYTES(LOGIN("\1", "\205\242")), WAITS_, FAR_BYTES(OK("\2")),
		TO_NEAR_BYTES("\7\0\0\3"), DONE_WITH_REST, STOP_ });
	server("another number", PROTO_LATE,
	    (struct kit_move[]){
		NEAR_BYTES(LOGIN("\1", "\205\252")), ENDS_(R_PROTO_CLIENT), STOP_ });
	server("too short", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES("\37\0\0\2\205\252"), ENDS_(R_PROTO_CLIENT), STOP_ });
}

static void
long_packets_go_through(void **state)
{
	static char sent[4 + 20000], passed[sizeof(sent)];
	const struct kit_move moves[] = { NEAR_BYTES(LOGIN("\2", "\205\252")),
		TO_FAR_BYTES(LOGIN("\1", "\205\242")), { FAR_SENDS, sent, 0, 0, sizeof(sent) },
		{ NEAR_GETS, passed, 0, 0, sizeof(passed) }, WAITS_, STOP_ };

	(void)state;
	memset(sent, 'x', sizeof(sent));
	memcpy(sent, "\40\116\0\2", 4);
	memcpy(passed, sent, sizeof(sent));
	passed[3] = 3;
	server("20,000 bytes", PROTO_LATE, moves);
}

static void
client_asks(void **state)
{
	(void)state;
	client("yes", PROTO_CLEAR,
	    (struct kit_move[]){ FAR_BYTES(TLS_GREETING), TO_NEAR_BYTES(PLAIN_GREETING), WAITS_,
		NEAR_BYTES(LOGIN("\1", "\205\242")), TO_FAR_BYTES(SSL_REQUEST), THEN_(PROTO_LATE),
		TO_FAR_BYTES(LOGIN("\2", "\205\252")), FAR_BYTES(AUTH_SWITCH("\3")),
		TO_NEAR_BYTES(AUTH_SWITCH("\2")), NEAR_BYTES("\2\0\0\3hi"),
		TO_FAR_BYTES("\2\0\0\4hi"), FAR_BYTES(OK("\5")), TO_NEAR_BYTES("\7\0\0\4"),
		DONE_WITHOUT_FAR, STOP_ });
	client("no TLS", PROTO_CLEAR,
	    (struct kit_move[]){ FAR_BYTES(PLAIN_GREETING),
		TO_NEAR_BYTES("\40\0\0\0\377\121\4The server does not offer TLS"),
		ENDS_(R_NO_STARTTLS_FAR), STOP_ });
	client("the server refuses", PROTO_CLEAR,
	    (struct kit_move[]){ FAR_BYTES("\7\0\0\0\377\20\4evil"),
		TO_NEAR_BYTES("\44\0\0\0\377\121\4The server refuses the connection"),
		ENDS_(R_PROTO_SERVER), STOP_ });
	client("the local client asks for TLS", PROTO_CLEAR,
	    (struct kit_move[]){ FAR_BYTES(TLS_GREETING), TO_NEAR_BYTES(PLAIN_GREETING),
		NEAR_BYTES(SSL_REQUEST), ENDS_(R_PROTO_CLIENT), STOP_ });
	client("the local client is too old", PROTO_CLEAR,
	    (struct kit_move[]){ FAR_BYTES(TLS_GREETING), TO_NEAR_BYTES(PLAIN_GREETING),
		NEAR_BYTES("\17\0\0\1\205\0"), ENDS_(R_PROTO_CLIENT), STOP_ });
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_offers_tls),
		cmocka_unit_test(a_greeting_has_its_bounds),
		cmocka_unit_test(a_request_is_only_that),
		cmocka_unit_test(server_moves_the_numbers),
		cmocka_unit_test(long_packets_go_through),
		cmocka_unit_test(client_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
