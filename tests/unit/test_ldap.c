/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_ldap.c -- StartTLS of LDAP, both sides, and its BER. */
#include "proto_kit.h"

#define OID "1.3.6.1.4.1.1466.20037"
#define STARTTLS_OP "\x77\x18\x80\x16" OID
#define STARTTLS_1 "\x30\x1d\x02\x01\x01" STARTTLS_OP
#define YES_1 "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
#define BIND_2 "\x30\x0c\x02\x01\x02\x60\x07\x02\x01\x03\x04\x00\x80\x00"
#define NO_BIND_2 \
	"\x30\x1a\x02\x01\x02\x61\x15\x0a\x01\x0d\x04\x00\x04\x0e" \
	"StartTLS first"
#define REFUSED(tag) \
	"\x30\x1a\x02\x01\x02" tag "\x15\x0a\x01\x0d\x04\x00\x04\x0e" \
	"StartTLS first"

static const struct proto_conf conf = { .proto = &ldap_proto };

static void
server(const char *name, const struct kit_move *moves)
{
	kit_play(name, &ldap_proto.server, PROTO_EARLY, &conf, moves);
}

static void
client(const char *name, const struct kit_move *moves)
{
	kit_play(name, &ldap_proto.client, PROTO_CLEAR, &conf, moves);
}

static void
starttls_begins_tls(void **state)
{
	(void)state;
	server("as most write it",
	    (struct kit_move[]){ NEAR_BYTES(STARTTLS_1), TO_NEAR_BYTES(YES_1), DONE_, STOP_ });
	server("nothing behind it is taken", (struct kit_move[]){ NEAR_BYTES(STARTTLS_1 BIND_2),
						 TO_NEAR_BYTES(YES_1), DONE_WITHOUT_NEAR, STOP_ });
	server("lengths of four bytes",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x84\0\0\0\x25\x02\x01\x01\x77\x84\0\0\0\x1c"
					    "\x80\x84\0\0\0\x16" OID),
		TO_NEAR_BYTES(YES_1), DONE_, STOP_ });
	server("controls behind it",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x1f\x02\x01\x01" STARTTLS_OP "\xa0\x00"),
		TO_NEAR_BYTES(YES_1), DONE_, STOP_ });
}

static void
any_message_id_comes_back(void **state)
{
	(void)state;
	server("127",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x1d\x02\x01\x7f" STARTTLS_OP),
		TO_NEAR_BYTES("\x30\x0c\x02\x01\x7f\x78\x07\x0a\x01\0\4\0\4\0"), DONE_, STOP_ });
	server("128", (struct kit_move[]){ NEAR_BYTES("\x30\x1e\x02\x02\x00\x80" STARTTLS_OP),
			  TO_NEAR_BYTES("\x30\x0d\x02\x02\x00\x80\x78\x07\x0a\x01\0\4\0\4\0"),
			  DONE_, STOP_ });
	server("padded",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x20\x02\x04\x00\x00\x00\x05" STARTTLS_OP),
		TO_NEAR_BYTES("\x30\x0c\x02\x01\x05\x78\x07\x0a\x01\0\4\0\4\0"), DONE_, STOP_ });
	server("the largest",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x20\x02\x04\x7f\xff\xff\xff" STARTTLS_OP),
		TO_NEAR_BYTES("\x30\x0f\x02\x04\x7f\xff\xff\xff\x78\x07\x0a\x01\0\4\0\4\0"), DONE_,
		STOP_ });
	server("zero", (struct kit_move[]){ NEAR_BYTES("\x30\x1d\x02\x01\x00" STARTTLS_OP),
			   ENDS_(R_PROTO_CLIENT), STOP_ });
	server("negative", (struct kit_move[]){ NEAR_BYTES("\x30\x1d\x02\x01\xff" STARTTLS_OP),
			       ENDS_(R_PROTO_CLIENT), STOP_ });
	server("too large",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x21\x02\x05\x00\xff\xff\xff\xff" STARTTLS_OP),
		ENDS_(R_PROTO_CLIENT), STOP_ });
	server("empty", (struct kit_move[]){ NEAR_BYTES("\x30\x1c\x02\x00" STARTTLS_OP),
			    ENDS_(R_PROTO_CLIENT), STOP_ });
}

/* A request of two bytes, and what it is answered with. */
static void
refused(const char *request, const char *answered)
{
	struct kit_move moves[] = { { NEAR_SENDS, request, 0, 0, 7 },
		{ NEAR_GETS, answered, 0, 0, answered != NULL ? 28 : 0 }, WAITS_,
		NEAR_BYTES(STARTTLS_1), TO_NEAR_BYTES(YES_1), DONE_, STOP_ };

	server("refused", moves);
}

static void
other_requests_must_wait_for_tls(void **state)
{
	(void)state;
	server("bind, then StartTLS",
	    (struct kit_move[]){ NEAR_BYTES(BIND_2), TO_NEAR_BYTES(NO_BIND_2), WAITS_,
		NEAR_BYTES(STARTTLS_1), TO_NEAR_BYTES(YES_1), DONE_, STOP_ });
	refused("\x30\x05\x02\x01\x02\x60\x00", REFUSED("\x61"));
	refused("\x30\x05\x02\x01\x02\x63\x00", REFUSED("\x65"));
	refused("\x30\x05\x02\x01\x02\x66\x00", REFUSED("\x67"));
	refused("\x30\x05\x02\x01\x02\x68\x00", REFUSED("\x69"));
	refused("\x30\x05\x02\x01\x02\x4a\x00", REFUSED("\x6b"));
	refused("\x30\x05\x02\x01\x02\x6c\x00", REFUSED("\x6d"));
	refused("\x30\x05\x02\x01\x02\x6e\x00", REFUSED("\x6f"));
	refused("\x30\x05\x02\x01\x02\x77\x00", REFUSED("\x78"));
	refused("\x30\x05\x02\x01\x02\x50\x00", NULL);
	server("unbind", (struct kit_move[]){ NEAR_BYTES("\x30\x05\x02\x01\x02\x42\x00"),
			     ENDS_(R_PROTO_QUIT), STOP_ });
	server("an unknown one", (struct kit_move[]){ NEAR_BYTES("\x30\x05\x02\x01\x02\x7f\x00"),
				     ENDS_(R_PROTO_CLIENT), STOP_ });
	server("an answer", (struct kit_move[]){ NEAR_BYTES(YES_1), ENDS_(R_PROTO_CLIENT), STOP_ });
}

static void
an_oid_is_compared_whole(void **state)
{
	(void)state;
	server("shorter", (struct kit_move[]){ NEAR_BYTES("\x30\x1c\x02\x01\x02\x77\x17\x80\x15"
							  "1.3.6.1.4.1.1466.2003"),
			      TO_NEAR_BYTES(REFUSED("\x78")), WAITS_, STOP_ });
	server("longer",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x1e\x02\x01\x02\x77\x19\x80\x17" OID "0"),
		TO_NEAR_BYTES(REFUSED("\x78")), WAITS_, STOP_ });
	server("with a value",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x1f\x02\x01\x02\x77\x1a\x80\x16" OID "\x81\x00"),
		TO_NEAR_BYTES("\x30\x21\x02\x01\x02\x78\x1c\x0a\x01\x02\x04\x00\x04\x15"
			      "StartTLS has no value"),
		WAITS_, STOP_ });
}

static void
ber_has_its_bounds(void **state)
{
	(void)state;
	server("no sequence",
	    (struct kit_move[]){ NEAR_BYTES("\x31\x1d"), ENDS_(R_PROTO_CLIENT), STOP_ });
	server("text",
	    (struct kit_move[]){ NEAR_("GET / HTTP/1.0\r\n"), ENDS_(R_PROTO_CLIENT), STOP_ });
	server("indefinite length", (struct kit_move[]){ NEAR_BYTES("\x30\x80\x02\x01\x01"),
					ENDS_(R_PROTO_CLIENT), STOP_ });
	server("a length of five bytes",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x85\0\0\0\0\1"), ENDS_(R_PROTO_CLIENT), STOP_ });
	server("4 GiB", (struct kit_move[]){
			    NEAR_BYTES("\x30\x84\xff\xff\xff\xff"), ENDS_(R_PROTO_CLIENT), STOP_ });
	server("8 KiB",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x82\x20\x00"), ENDS_(R_PROTO_CLIENT), STOP_ });
	server(
	    "nearly 8 KiB", (struct kit_move[]){ NEAR_BYTES("\x30\x82\x1f\xfc"), WAITS_, STOP_ });
	server("an id that leaves the message",
	    (struct kit_move[]){
		NEAR_BYTES("\x30\x05\x02\x05\x01\x77\x00"), ENDS_(R_PROTO_CLIENT), STOP_ });
	server("an operation that leaves the message",
	    (struct kit_move[]){
		NEAR_BYTES("\x30\x05\x02\x01\x01\x77\x18"), ENDS_(R_PROTO_CLIENT), STOP_ });
	server("a name that leaves the operation",
	    (struct kit_move[]){ NEAR_BYTES("\x30\x08\x02\x01\x02\x77\x03\x80\x16\x31"),
		TO_NEAR_BYTES(REFUSED("\x78")), WAITS_, STOP_ });
	server("no operation", (struct kit_move[]){ NEAR_BYTES("\x30\x03\x02\x01\x01"),
				   ENDS_(R_PROTO_CLIENT), STOP_ });
	server(
	    "empty", (struct kit_move[]){ NEAR_BYTES("\x30\x00"), ENDS_(R_PROTO_CLIENT), STOP_ });
}

static void
answered(const char *name, const char *bytes, size_t n, enum reason reason)
{
	struct kit_move moves[] = { TO_FAR_BYTES(STARTTLS_1), { FAR_SENDS, bytes, 0, 0, n },
		ENDS_(reason), STOP_ };

	client(name, moves);
}
#define ANSWERED(name, bytes, reason) answered(name, bytes, sizeof(bytes) - 1, reason)

static void
client_asks(void **state)
{
	(void)state;
	client("yes", (struct kit_move[]){
			  TO_FAR_BYTES(STARTTLS_1), WAITS_, FAR_BYTES(YES_1), DONE_, STOP_ });
	client("yes, with its name",
	    (struct kit_move[]){ TO_FAR_BYTES(STARTTLS_1),
		FAR_BYTES("\x30\x84\0\0\0\x24\x02\x01\x01\x78\x1f\x0a\x01\0\4\0\4\0\x8a\x16" OID),
		DONE_, STOP_ });
	client("more behind it", (struct kit_move[]){ TO_FAR_BYTES(STARTTLS_1),
				     FAR_BYTES(YES_1 "\x30"), DONE_WITHOUT_FAR, STOP_ });
	ANSWERED(
	    "no", "\x30\x0e\x02\x01\x01\x78\x09\x0a\x01\x02\x04\x00\x04\x02no", R_NO_STARTTLS_FAR);
	ANSWERED("no, and no words", "\x30\x08\x02\x01\x01\x78\x03\x0a\x01\x34", R_NO_STARTTLS_FAR);
	ANSWERED("no result", "\x30\x05\x02\x01\x01\x78\x00", R_PROTO_SERVER);
	ANSWERED("an empty result", "\x30\x07\x02\x01\x01\x78\x02\x0a\x00", R_PROTO_SERVER);
	ANSWERED("another id", "\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
	    R_PROTO_SERVER);
	ANSWERED("another answer", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
	    R_PROTO_SERVER);
	ANSWERED("text", "220 mail", R_PROTO_SERVER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starttls_begins_tls),
		cmocka_unit_test(any_message_id_comes_back),
		cmocka_unit_test(other_requests_must_wait_for_tls),
		cmocka_unit_test(an_oid_is_compared_whole),
		cmocka_unit_test(ber_has_its_bounds),
		cmocka_unit_test(client_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
