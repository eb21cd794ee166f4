/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_pgsql.c -- SSLRequest of PostgreSQL, both sides. */
#include "proto_kit.h"

#define SSL_REQUEST "\0\0\0\10\4\322\26\57"
#define GSS_REQUEST "\0\0\0\10\4\322\26\60"
#define CANCEL "\0\0\0\20\4\322\26\56"
#define STARTUP "\0\0\0\16\0\3\0\0user\0\0"
#define TLS_WANTED \
	"E\0\0\0\117SFATAL\0VFATAL\0C28000\0MTLS is required here; set sslmode=require or " \
	"higher\0\0"

static const struct proto_conf conf = { .proto = &pgsql_proto };

static void
server(const char *name, const struct kit_move *moves)
{
	kit_play(name, &pgsql_proto.server, PROTO_EARLY, &conf, moves);
}

static void
client(const char *name, enum proto_point point, const struct kit_move *moves)
{
	kit_play(name, &pgsql_proto.client, point, &conf, moves);
}

static void
a_request_begins_tls(void **state)
{
	(void)state;
	server(
	    "request", (struct kit_move[]){ NEAR_BYTES(SSL_REQUEST), TO_NEAR("S"), DONE_, STOP_ });
	server("half a request",
	    (struct kit_move[]){ NEAR_BYTES("\0\0\0\10\4\322\26"), WAITS_, STOP_ });
	server("nothing behind it is taken", (struct kit_move[]){ NEAR_BYTES(SSL_REQUEST STARTUP),
						 TO_NEAR("S"), DONE_WITHOUT_NEAR, STOP_ });
	server("after GSSAPI", (struct kit_move[]){ NEAR_BYTES(GSS_REQUEST), TO_NEAR("N"), WAITS_,
				   NEAR_BYTES(SSL_REQUEST), TO_NEAR("S"), DONE_, STOP_ });
}

static void
whatever_else_is_refused(void **state)
{
	(void)state;
	server("plain text", (struct kit_move[]){ NEAR_BYTES(STARTUP), TO_NEAR_BYTES(TLS_WANTED),
				 ENDS_(R_NO_STARTTLS), STOP_ });
	server("plain text after GSSAPI",
	    (struct kit_move[]){ NEAR_BYTES(GSS_REQUEST), TO_NEAR("N"), NEAR_BYTES(STARTUP),
		TO_NEAR_BYTES(TLS_WANTED), ENDS_(R_NO_STARTTLS), STOP_ });
	server("cancel", (struct kit_move[]){ NEAR_BYTES(CANCEL), ENDS_(R_NO_STARTTLS), STOP_ });
	server("GSSAPI twice", (struct kit_move[]){ NEAR_BYTES(GSS_REQUEST), TO_NEAR("N"),
				   NEAR_BYTES(GSS_REQUEST), ENDS_(R_PROTO_CLIENT), STOP_ });
	server("another length", (struct kit_move[]){ NEAR_BYTES("\0\0\0\11\4\322\26\57\0"),
				     ENDS_(R_PROTO_CLIENT), STOP_ });
	server("another protocol",
	    (struct kit_move[]){ NEAR_("EHLO you\r\n"), ENDS_(R_PROTO_CLIENT), STOP_ });
	server("TLS behind GSSAPI",
	    (struct kit_move[]){ NEAR_BYTES(GSS_REQUEST), TO_NEAR("N"),
		NEAR_BYTES("\26\3\1\0\5\1\0\0\1"), ENDS_(R_PROTO_CLIENT), STOP_ });
}

static void
tls_without_a_request_needs_alpn(void **state)
{
	(void)state; /* the kit's facts know of none */
	server("direct", (struct kit_move[]){ NEAR_BYTES("\26\3\1"), DONE_WITHOUT_NEAR,
			     THEN_(PROTO_REQUEST), ENDS_(R_PROTO_CLIENT), STOP_ });
	server("by request", (struct kit_move[]){ NEAR_BYTES(SSL_REQUEST), TO_NEAR("S"),
				 THEN_(PROTO_REQUEST), DONE_, STOP_ });
}

static void
a_client_hears_of_a_missing_server(void **state)
{
	(void)state;
	kit_play("sorry", &pgsql_proto.server, PROTO_SORRY, &conf,
	    (struct kit_move[]){ TO_NEAR_BYTES("E\0\0\0\116SFATAL\0VFATAL\0C08006\0MThe database "
					       "behind this address cannot be reached\0\0"),
		DONE_, STOP_ });
}

static void
client_asks(void **state)
{
	(void)state;
	client("yes", PROTO_CLEAR,
	    (struct kit_move[]){ TO_FAR_BYTES(SSL_REQUEST), FAR_("S"), DONE_, STOP_ });
	client("more behind it", PROTO_CLEAR,
	    (struct kit_move[]){ TO_FAR_BYTES(SSL_REQUEST), FAR_("SE"), DONE_WITHOUT_FAR, STOP_ });
	client("no", PROTO_CLEAR,
	    (struct kit_move[]){
		TO_FAR_BYTES(SSL_REQUEST), FAR_("N"), ENDS_(R_NO_STARTTLS_FAR), STOP_ });
	client("error", PROTO_CLEAR,
	    (struct kit_move[]){
		TO_FAR_BYTES(SSL_REQUEST), FAR_("Eno"), ENDS_(R_NO_STARTTLS_FAR), STOP_ });
	client("nonsense", PROTO_CLEAR,
	    (struct kit_move[]){
		TO_FAR_BYTES(SSL_REQUEST), FAR_("+OK"), ENDS_(R_PROTO_SERVER), STOP_ });
}

#define NO_LOGIN "R\0\0\0\10\0\0\0\0"
#define METHODS "R\0\0\0\52\0\0\0\12SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
#define OLD_METHODS "R\0\0\0\27\0\0\0\12SCRAM-SHA-256\0\0"

static void
a_local_program_gets_no_tls_of_its_own(void **state)
{
	(void)state;
	client("asks for all", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES(GSS_REQUEST), TO_NEAR("N"), NEAR_BYTES(SSL_REQUEST),
		TO_NEAR("N"), NEAR_BYTES(STARTUP), TO_FAR_BYTES(STARTUP), WAITS_,
		FAR_BYTES(NO_LOGIN), DONE_WITHOUT_FAR, STOP_ });
	client("asks for nothing", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES(STARTUP "more"), TO_FAR_BYTES(STARTUP),
		FAR_BYTES(NO_LOGIN), DONE_WITH_REST, STOP_ });
	client("cancels", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES(CANCEL), DONE_WITHOUT_NEAR, STOP_ });
	client("asks twice", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES(SSL_REQUEST), TO_NEAR("N"), NEAR_BYTES(SSL_REQUEST),
		DONE_WITHOUT_NEAR, STOP_ });
	client("8 KiB", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES("\0\0\40\1\0\3\0\0"), DONE_WITHOUT_NEAR, STOP_ });
	client("a length of nothing", PROTO_LATE,
	    (struct kit_move[]){ NEAR_BYTES("\0\0\0\0\0\3\0\0"), DONE_WITHOUT_NEAR, STOP_ });
}

/* What the server says to the startup, what the client hears of it, and what is left. */
static void
told(const char *name, const char *said, size_t said_n, const char *heard, size_t heard_n)
{
	const struct kit_move moves[] = { NEAR_BYTES(STARTUP), TO_FAR_BYTES(STARTUP),
		{ FAR_SENDS, said, 0, 0, said_n }, { NEAR_GETS, heard, 0, 0, heard_n },
		DONE_WITHOUT_FAR, STOP_ };

	client(name, PROTO_LATE, moves);
}
#define TOLD(name, said, heard) told(name, said, sizeof(said) - 1, heard, sizeof(heard) - 1)

static void
a_login_bound_to_a_certificate_is_not_offered(void **state)
{
	(void)state;
	TOLD("both", METHODS "more", OLD_METHODS);
	TOLD("after a version", "v\0\0\0\14\0\3\0\0\0\0\0\0" METHODS,
	    "v\0\0\0\14\0\3\0\0\0\0\0\0" OLD_METHODS);
	TOLD("the other alone", OLD_METHODS, OLD_METHODS);
	TOLD("no end", "R\0\0\0\13\0\0\0\12abc", "R\0\0\0\13\0\0\0\12abc");
	TOLD("only the bound one", "R\0\0\0\16\0\0\0\12-PLUS\0", "R\0\0\0\10\0\0\0\12");
	TOLD("MD5", "R\0\0\0\14\0\0\0\5salt", "");
	TOLD("an error", "E\0\0\0\5\0", "");
	TOLD("too long", "R\0\0\40\0", "");
	TOLD("too short", "R\0\0\0\4", "");
	TOLD("4 GiB", "R\377\377\377\377", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_begins_tls),
		cmocka_unit_test(whatever_else_is_refused),
		cmocka_unit_test(tls_without_a_request_needs_alpn),
		cmocka_unit_test(a_client_hears_of_a_missing_server),
		cmocka_unit_test(client_asks),
		cmocka_unit_test(a_local_program_gets_no_tls_of_its_own),
		cmocka_unit_test(a_login_bound_to_a_certificate_is_not_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
