/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_ftp.c -- FTP's dialogue, from the greeting to the last of its data connections.
 */
#include "ip.h"
#include "proto_kit.h"

#define MOVES(...) \
	(const struct kit_move[]) \
	{ \
		__VA_ARGS__, STOP_ \
	}

#define GREETED FAR_("220-Hello\r\n220 ftp.test\r\n"), TO_NEAR("220-Hello\r\n220 ftp.test\r\n")
#define GO "234 Begin TLS\r\n"
#define ASKS(near, far) NEAR_(near), TO_FAR(far)
#define HEARS(far) FAR_(far), TO_NEAR(far)
#define BOTH(near, answer) ASKS(near, near), HEARS(answer)
#define PASSIVE "227 Entering Passive Mode (192,0,2,1,195,80)\r\n"
#define EXTENDED "229 Entering Extended Passive Mode (|||50000|)\r\n"

/* How the client reaches us, and we the server. */
static void
between(const char *ours, const char *server)
{
	kit_facts.accepted = ip(ours, 21);
	kit_facts.server = ip(server, 21);
	kit_invites = ip(ours, 50000);
	kit_invited[0] = '\0';
}

static int
setup(void **state)
{
	(void)state;
	between("192.0.2.1", "198.51.100.1");
	return 0;
}

static void
play(const char *name, bool client, enum proto_point point, const char *host,
    const struct kit_move *moves)
{
	const struct proto_conf conf = { .proto = &ftp_proto, .host = host };

	kit_play(name, client ? &ftp_proto.client : &ftp_proto.server, point, &conf, moves);
}

/* A server of ours, in clear; and one that has TLS. */
static void
clear(const char *name, const struct kit_move *moves)
{
	play(name, false, PROTO_CLEAR, NULL, moves);
}

static void
server(const char *name, const struct kit_move *moves)
{
	play(name, false, PROTO_STAY, NULL, moves);
}

static void
client(const char *name, const struct kit_move *moves)
{
	play(name, true, PROTO_STAY, NULL, moves);
}

/* ---- before TLS ---- */

static void
a_server_begins_tls(void **state)
{
	(void)state;
	clear("at once", MOVES(GREETED, NEAR_("AUTH TLS\r\n"), TO_NEAR(GO), DONE_));
	clear("lower case", MOVES(GREETED, NEAR_("auth tls\n"), TO_NEAR(GO), DONE_));
	clear("under its older names", MOVES(GREETED, NEAR_("AUTH SSL\r\n"), TO_NEAR(GO), DONE_));
	clear("...", MOVES(GREETED, NEAR_("AUTH TLS-P\r\n"), TO_NEAR(GO), DONE_));
	clear("...", MOVES(GREETED, NEAR_("AUTH TLS-C\r\n"), TO_NEAR(GO), DONE_));
	clear("bytes behind it are for whoever comes next",
	    MOVES(GREETED, NEAR_("AUTH TLS\r\nUSER x\r\n"), TO_NEAR(GO), DONE_WITHOUT_NEAR));
	clear("after some words",
	    MOVES(GREETED, NEAR_("FEAT\r\n"),
		TO_NEAR("211-Extensions supported:\r\n AUTH TLS\r\n PBSZ\r\n PROT\r\n211 End\r\n"),
		NEAR_("AUTH GSSAPI\r\nPBSZ 0\r\nNOOP\r\nOPTS UTF8 ON\r\n"),
		TO_NEAR("504 AUTH TLS is the only security here\r\n503 AUTH TLS first\r\n"
			"200 OK\r\n530 AUTH TLS first\r\n"),
		NEAR_("AUTH TLS\r\n"), TO_NEAR(GO), DONE_));
	clear("a name", MOVES(GREETED, NEAR_("USER bob\r\n"), TO_NEAR("530 AUTH TLS first\r\n"),
			    ENDS_(R_NO_STARTTLS)));
	clear("farewell",
	    MOVES(GREETED, NEAR_("QUIT\r\n"), TO_NEAR("221 Bye\r\n"), ENDS_(R_PROTO_QUIT)));
	clear("a server that has no time", MOVES(FAR_("421 Later\r\n"), ENDS_(R_PROTO_SERVER)));
}

static void
a_client_begins_tls(void **state)
{
	(void)state;
#define ASKED GREETED, TO_FAR("AUTH TLS\r\n")
#define SIZED ASKED, FAR_("234 Go\r\n"), THEN_(PROTO_LATE), TO_FAR("PBSZ 0\r\n")
	play("good", true, PROTO_CLEAR, NULL,
	    MOVES(SIZED, FAR_("200 PBSZ=0\r\n"), TO_FAR("PROT P\r\n"), FAR_("200-Fine\r\n200 \r\n"),
		DONE_));
	play("bytes behind it", true, PROTO_CLEAR, NULL,
	    MOVES(ASKED, FAR_("234 Go\r\n200 x\r\n"), DONE_WITHOUT_FAR));
	play("no TLS", true, PROTO_CLEAR, NULL,
	    MOVES(ASKED, FAR_("500 What?\r\n"), ENDS_(R_NO_STARTTLS_FAR)));
	play("no PBSZ", true, PROTO_CLEAR, NULL,
	    MOVES(SIZED, FAR_("530 Who?\r\n"), ENDS_(R_NO_STARTTLS_FAR)));
	play("no TLS for data", true, PROTO_CLEAR, NULL,
	    MOVES(SIZED, FAR_("200 PBSZ=0\r\n"), TO_FAR("PROT P\r\n"), FAR_("536 No\r\n"),
		ENDS_(R_NO_STARTTLS_FAR)));
#undef ASKED
#undef SIZED
}

/* ---- commands and answers ---- */

static void
commands_go_one_by_one(void **state)
{
	(void)state;
	server(
	    "in turn", MOVES(BOTH("USER bob\r\n", "331 And?\r\n"), BOTH("PASS x\r\n", "230 In\r\n"),
			   BOTH("QUIT\r\n", "221-So\r\n long\r\n221 Bye\r\n"), WAITS_));
	server("in one breath",
	    MOVES(NEAR_("USER bob\r\nPASS x\r\nSYST\r\n"), TO_FAR("USER bob\r\n"),
		FAR_("331 And?\r\n"), TO_NEAR("331 And?\r\n"), TO_FAR("PASS x\r\n"),
		FAR_("230 In\r\n"), TO_NEAR("230 In\r\n"), TO_FAR("SYST\r\n"), WAITS_));
	server("ours wait for their turn, too",
	    MOVES(NEAR_("SYST\r\nAUTH TLS\r\n"), TO_FAR("SYST\r\n"), WAITS_, FAR_("215 UNIX\r\n"),
		TO_NEAR("215 UNIX\r\n503 TLS stands already\r\n"), WAITS_));
	server("a transfer, and who stops it",
	    MOVES(ASKS("RETR f\r\n", "RETR f\r\n"), HEARS("150 Here\r\n"), NEAR_("NOOP\r\n"),
		WAITS_, HEARS("226 Done\r\n"), TO_FAR("NOOP\r\n"), HEARS("200 OK\r\n"),
		ASKS("RETR f\r\n", "RETR f\r\n"), HEARS("150 Here\r\n"),
		{ NEAR_SENDS,
		    "\xff\xf4\xff\xf2"
		    "ABOR\r\n",
		    0, 0, 0 },
		TO_FAR("ABOR\r\n"), HEARS("426 Stopped\r\n"), HEARS("226 Done\r\n"),
		BOTH("NOOP\r\n", "200 OK\r\n"), WAITS_));
	server("an answer that nobody asked for", MOVES(HEARS("421 Too long\r\n"), WAITS_));
	server("lines of an answer that look like its end",
	    MOVES(ASKS("STAT\r\n", "STAT\r\n"), FAR_("211-So\r\n2115 x\r\n211-y\r\n226 z\r\n"),
		TO_NEAR("211-So\r\n2115 x\r\n211-y\r\n226 z\r\n"), NEAR_("NOOP\r\n"), WAITS_,
		HEARS("211 End\r\n"), TO_FAR("NOOP\r\n"), WAITS_));
	server("no answer",
	    MOVES(ASKS("NOOP\r\n", "NOOP\r\n"), FAR_("hello\r\n"), ENDS_(R_PROTO_SERVER)));
	server("no answer", MOVES(FAR_("22\r\n"), ENDS_(R_PROTO_SERVER)));
	server("no answer", MOVES(FAR_("2200 x\r\n"), ENDS_(R_PROTO_SERVER)));
	server("a NUL", MOVES(NEAR_BYTES("USER \0\r\n"), ENDS_(R_PROTO_CLIENT)));
}

static void
tls_is_ours(void **state)
{
	(void)state;
	server("its commands",
	    MOVES(NEAR_("AUTH TLS\r\nPROT P\r\nPBSZ\r\nPBSZ x\r\nPBSZ 1024\r\n"),
		TO_NEAR("503 TLS stands already\r\n503 PBSZ first\r\n501 PBSZ wants a number\r\n"
			"501 PBSZ wants a number\r\n200 PBSZ=0\r\n"),
		NEAR_("PROT\r\nPROT X\r\nPROT PP\r\nPROT S\r\nPROT P\r\nprot c\r\n"),
		TO_NEAR("504 PROT P or PROT C\r\n504 PROT P or PROT C\r\n504 PROT P or PROT C\r\n"
			"536 TLS has PROT P and PROT C\r\n200 Data connections have TLS\r\n"
			"200 Data connections are in clear\r\n"),
		NEAR_("CCC\r\nREIN\r\nENC x\r\nMIC x\r\nCONF x\r\nADAT x\r\n"),
		TO_NEAR(
		    "533 The control connection stays under TLS\r\n502 Quit, and come again\r\n"
		    "502 TLS is the only security here\r\n502 TLS is the only security here\r\n"
		    "502 TLS is the only security here\r\n502 TLS is the only security here\r\n"),
		WAITS_));
	client("of the server's the local program knows nothing",
	    MOVES(NEAR_("PROT C\r\nPBSZ 0\r\nAUTH TLS\r\nCCC\r\n"),
		TO_NEAR("502 TLS with the server is not your business\r\n"
			"502 TLS with the server is not your business\r\n"
			"502 TLS with the server is not your business\r\n"
			"533 The control connection stays under TLS\r\n"),
		WAITS_));
}

#define ACTIVE "502 Only passive data connections work here, use EPSV or PASV\r\n"

static void
nobody_is_connected_to(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		play("active", i == 1, PROTO_STAY, NULL,
		    MOVES(NEAR_("PORT 127,0,0,1,0,22\r\neprt |1|127.0.0.1|22|\r\nLPRT 4,4,127\r\n"),
			TO_NEAR(ACTIVE ACTIVE ACTIVE), NEAR_("CPSV\r\nSPSV\r\nLPSV\r\nSSCN ON\r\n"),
			TO_NEAR(ACTIVE ACTIVE ACTIVE ACTIVE),
			{ NEAR_SENDS,
			    "\xff\xf4"
			    "PORT 1\r\n",
			    0, 0, 0 },
			TO_NEAR(ACTIVE), WAITS_));
}

static void
what_is_a_command_only_for_others_is_none(void **state)
{
	static const char *const lines[] = { " PORT 127,0,0,1,0,22\r\n", "PORT\t127,0,0,1,0,22\r\n",
		"PO\xff\xf4RT 127,0,0,1,0,22\r\n", "\tPASV\r\n", "PASV\t\r\n", "\vCCC\r\n", "\r\n",
		"1 x\r\n" };

	(void)state;
	for (unsigned i = 0; i < 2 * COUNT_OF(lines); i++)
		play("no command", i % 2 == 1, PROTO_STAY, NULL,
		    MOVES(NEAR_(lines[i / 2]), TO_NEAR("500 This is no command\r\n"),
			BOTH("NOOP\r\n", "200 OK\r\n"), WAITS_));
}

static void
features_are_ours_and_theirs(void **state)
{
	(void)state;
	server("among those of the server",
	    MOVES(ASKS("FEAT\r\n", "FEAT\r\n"),
		FAR_("211-Features:\r\n AUTH SSL\r\n EPRT\r\n EPSV\r\n UTF8\r\n PROT\r\n"),
		TO_NEAR("211-Features:\r\n EPSV\r\n UTF8\r\n"), FAR_("211 End\r\n"),
		TO_NEAR(" AUTH TLS\r\n PBSZ\r\n PROT\r\n211 End\r\n"),
		BOTH("STAT\r\n", "211-AUTH\r\n AUTH x\r\n211 End\r\n"), WAITS_));
#define OURS "211-Extensions supported:\r\n AUTH TLS\r\n PBSZ\r\n PROT\r\n211 End\r\n"
	server("if it has none",
	    MOVES(ASKS("FEAT\r\n", "FEAT\r\n"), FAR_("211 None\r\n"), TO_NEAR(OURS), WAITS_));
	server("if it does not know",
	    MOVES(ASKS("FEAT\r\n", "FEAT\r\n"), FAR_("500 What?\r\n"), TO_NEAR(OURS), WAITS_));
	client("without TLS for the local program",
	    MOVES(ASKS("FEAT\r\n", "FEAT\r\n"),
		FAR_("211-Features:\r\n211-AUTH TLS\r\n PBSZ\r\n PROT\r\n EPSV\r\n CCC\r\n211 "
		     "End\r\n"),
		TO_NEAR("211-Features:\r\n EPSV\r\n211 End\r\n"), WAITS_));
	client("if it does not know", MOVES(BOTH("FEAT\r\n", "500 What?\r\n"), WAITS_));
}

/* ---- data connections ---- */

/* Asked for in one way, from a server that answers with `far`: the client is answered so, and led
 * there. */
static void
passive(const char *name, bool as_client, const char *ask, const char *asked, const char *far,
    const char *near, const char *led)
{
	kit_invited[0] = '\0';
	play(name, as_client, PROTO_STAY, NULL,
	    MOVES(ASKS(ask, asked), FAR_(far), TO_NEAR(near), BOTH("NOOP\r\n", "200 OK\r\n"),
		WAITS_));
	assert_string_equal(kit_invited, led);
}

static void
clients_are_invited(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const char *led = i == 1 ? "4097 tls" : "4097";

		passive("PASV", i == 1, "PASV\r\n", "PASV\r\n", "227 Go (10,0,0,1,16,1).\r\n",
		    PASSIVE, led);
		passive("EPSV", i == 1, "EPSV\r\n", "PASV\r\n", "227 Go (10,0,0,1,16,1).\r\n",
		    EXTENDED, led);
		passive("EPSV 1", i == 1, "EPSV 1\r\n", "PASV\r\n", "227 =10,0,0,1,16,1\r\n",
		    EXTENDED, led);
	}
	between("192.0.2.1", "2001:db8::1");
	passive("IPv4 to IPv6", false, "PASV\r\n", "EPSV\r\n", "229 Go (|||4097|)\r\n", PASSIVE,
	    "4097");
	between("2001:db8::2", "198.51.100.1");
	passive("IPv6 to IPv4", false, "EPSV 2\r\n", "PASV\r\n", "227 (1,1,1,1,16,1)\r\n", EXTENDED,
	    "4097");
	between("::ffff:192.0.2.1", "::ffff:198.51.100.1");
	kit_invites = ip("192.0.2.1", 50000);
	passive("IPv4 by sockets of both", false, "PASV\r\n", "PASV\r\n", "227 (1,1,1,1,16,1)\r\n",
	    PASSIVE, "4097");
}

static void
data_has_tls_as_asked(void **state)
{
	(void)state;
	server(
	    "PROT P", MOVES(NEAR_("PBSZ 0\r\nPROT P\r\nPASV\r\n"), FAR_("227 (1,1,1,1,16,1)\r\n"),
			  TO_NEAR("200 PBSZ=0\r\n200 Data connections have TLS\r\n" PASSIVE),
			  TO_FAR("PASV\r\n"), WAITS_));
	assert_string_equal(kit_invited, "4097 tls");
	play("older than PROT", false, PROTO_CLEAR, NULL,
	    MOVES(GREETED, NEAR_("AUTH SSL\r\n"), TO_NEAR(GO), THEN_(PROTO_STAY),
		ASKS("PASV\r\n", "PASV\r\n"), FAR_("227 (1,1,1,1,16,2)\r\n"), TO_NEAR(PASSIVE),
		WAITS_));
	assert_string_equal(kit_invited, "4098 tls");
	play("newer", false, PROTO_CLEAR, NULL,
	    MOVES(GREETED, NEAR_("AUTH TLS\r\n"), TO_NEAR(GO), THEN_(PROTO_STAY),
		ASKS("PASV\r\n", "PASV\r\n"), FAR_("227 (1,1,1,1,16,3)\r\n"), TO_NEAR(PASSIVE),
		WAITS_));
	assert_string_equal(kit_invited, "4099");
}

static void
the_address_outside_is_shown(void **state)
{
	(void)state;
	play("protocolHost", false, PROTO_STAY, "203.0.113.9",
	    MOVES(ASKS("PASV\r\n", "PASV\r\n"), FAR_("227 (1,1,1,1,16,1)\r\n"),
		TO_NEAR("227 Entering Passive Mode (203,0,113,9,195,80)\r\n"), WAITS_));
}

/* The server answers PASV with this, and that is the end. */
static void
nowhere(const char *answer)
{
	server(answer, MOVES(ASKS("PASV\r\n", "PASV\r\n"), FAR_(answer), ENDS_(R_PROTO_SERVER)));
	assert_string_equal(kit_invited, "");
}

static void
nobody_is_invited(void **state)
{
	(void)state;
	nowhere("227\r\n");
	nowhere("227-(1,1,1,1,16,1)\r\n227 (1,1,1,1,16,1)\r\n");
	nowhere("229-(|||80|)\r\n229 (|||80|)\r\n");
	nowhere("227 Go\r\n");
	nowhere("227 (1,1,1,1,16)\r\n");
	nowhere("227 (1,1,1,1,16,)\r\n");
	nowhere("227 (1,1,1,1,16,256)\r\n");
	nowhere("227 (1,1,1,1,16,-1)\r\n");
	nowhere("227 (1,1,1,1, 16,1)\r\n");
	nowhere("227 (1,1,1,1,0,0)\r\n");
	nowhere("227 (1,1,1,1,0000016,1)\r\n");
	nowhere("229 (|||0|)\r\n");
	nowhere("229 (|||65536|)\r\n");
	nowhere("229 (|||99999999999999999999|)\r\n");
	nowhere("229 (|1||80|)\r\n");
	nowhere("229 (|||80)\r\n");
	nowhere("229 (|||80|\r\n");
	nowhere("229 (1111801)\r\n");
	nowhere("229 (\r\n");
	nowhere("229 |||80|\r\n");
	server("unasked", MOVES(FAR_("227 (1,1,1,1,16,1)\r\n"), ENDS_(R_PROTO_SERVER)));
	server("unasked",
	    MOVES(ASKS("NOOP\r\n", "NOOP\r\n"), FAR_("229 (|||80|)\r\n"), ENDS_(R_PROTO_SERVER)));
	server("asked once", MOVES(BOTH("PASV\r\n", "530 Who?\r\n"), FAR_("227 (1,1,1,1,16,1)\r\n"),
				 ENDS_(R_PROTO_SERVER)));
	assert_string_equal(kit_invited, "");
}

static void
some_ways_are_closed(void **state)
{
	(void)state;
	server("another family", MOVES(NEAR_("EPSV 2\r\nEPSV 3\r\nEPSV x\r\n"),
				     TO_NEAR("522 Network protocol not supported, use (1)\r\n"
					     "522 Network protocol not supported, use (1)\r\n"
					     "522 Network protocol not supported, use (1)\r\n"),
				     WAITS_));
	server("EPSV ALL", MOVES(NEAR_("EPSV ALL\r\nPASV\r\n"),
			       TO_NEAR("200 EPSV ALL it is\r\n503 EPSV ALL was asked for\r\n"),
			       ASKS("EPSV\r\n", "PASV\r\n"), WAITS_));
	between("2001:db8::2", "2001:db8::1");
	server("PASV of IPv6", MOVES(NEAR_("PASV\r\nEPSV 1\r\n"),
				   TO_NEAR("425 PASV is for IPv4, use EPSV\r\n"
					   "522 Network protocol not supported, use (2)\r\n"),
				   WAITS_));
	between("192.0.2.1", "198.51.100.1");
	kit_invites.len = 0;
	server("no socket", MOVES(ASKS("PASV\r\n", "PASV\r\n"), FAR_("227 (1,1,1,1,16,1)\r\n"),
				TO_NEAR("425 Cannot open a data connection\r\n"), WAITS_));
	kit_facts.server.len = 0;
	server("no address",
	    MOVES(NEAR_("PASV\r\n"),
		TO_NEAR("425 There are no data connections to this server\r\n"), WAITS_));
}

/* ---- the configuration ---- */

static void
say_nothing(struct sink *sink, bool fatal, const char *option, const char *text)
{
	(void)sink, (void)fatal, (void)option, (void)text;
}

static unsigned
errors_of(const char *host)
{
	const struct proto_conf conf = { .proto = &ftp_proto, .host = host };
	struct sink sink = { .say = say_nothing };

	proto_check(&conf, false, true, &sink);
	return sink.errors;
}

static void
a_server_wants_an_address_outside(void **state)
{
	(void)state;
	assert_int_equal(errors_of(NULL), 0);
	assert_int_equal(errors_of("203.0.113.9"), 0);
	assert_int_equal(errors_of("203.0.113.9:21"), 1);
	assert_int_equal(errors_of("2001:db8::1"), 1);
	assert_int_equal(errors_of("ftp.test"), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_begins_tls),
		cmocka_unit_test(a_client_begins_tls),
		cmocka_unit_test_setup(commands_go_one_by_one, setup),
		cmocka_unit_test_setup(what_is_a_command_only_for_others_is_none, setup),
		cmocka_unit_test_setup(tls_is_ours, setup),
		cmocka_unit_test_setup(nobody_is_connected_to, setup),
		cmocka_unit_test_setup(features_are_ours_and_theirs, setup),
		cmocka_unit_test_setup(clients_are_invited, setup),
		cmocka_unit_test_setup(data_has_tls_as_asked, setup),
		cmocka_unit_test_setup(the_address_outside_is_shown, setup),
		cmocka_unit_test_setup(nobody_is_invited, setup),
		cmocka_unit_test_setup(some_ways_are_closed, setup),
		cmocka_unit_test(a_server_wants_an_address_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
