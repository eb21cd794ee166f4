/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_proto_chat.c -- irc and xmpp, word for word, and what is no XML. */
#include "proto_kit.h"

#include <unistd.h>

#define MOVES(...) \
	(const struct kit_move[]) \
	{ \
		__VA_ARGS__, STOP_ \
	}

/* In place of the C library's: IDs that can be compared. */
int
getentropy(void *bytes, size_t n)
{
	memset(bytes, 0xab, n);
	return 0;
}

static void
server(const struct proto *p, const char *name, const struct kit_move *moves)
{
	const struct proto_conf conf = { .proto = p };

	kit_play(name, &p->server, PROTO_EARLY, &conf, moves);
}

static void
client(const struct proto *p, const char *name, const struct kit_move *moves)
{
	const struct proto_conf conf = { .proto = p };

	kit_play(name, &p->client, PROTO_CLEAR, &conf, moves);
}

/* ---- irc ---- */

#define IRC_GO ":ginnel 670 * :STARTTLS successful, go ahead with TLS handshake\r\n"
#define IRC_NO TO_NEAR("ERROR :STARTTLS first\r\n"), ENDS_(R_NO_STARTTLS)

static void
irc_server(void **state)
{
	const struct proto *p = &irc_proto;

	(void)state;
	server(p, "at once", MOVES(NEAR_("STARTTLS\r\n"), TO_NEAR(IRC_GO), DONE_));
	server(p, "a bare line feed", MOVES(NEAR_("starttls\n"), TO_NEAR(IRC_GO), DONE_));
	server(p, "behind it",
	    MOVES(
		NEAR_("STARTTLS\r\nNICK x\r\n"), TO_NEAR(IRC_GO), { SCRIPT_DONE, "far", 0, 0, 0 }));
	server(p, "capabilities",
	    MOVES(NEAR_("CAP LS 302\r\n"), TO_NEAR(":ginnel CAP * LS :tls\r\n"),
		NEAR_("CAP LIST\r\n"), TO_NEAR(":ginnel CAP * LIST :\r\n"),
		NEAR_("CAP REQ :tls\r\n"), TO_NEAR(":ginnel CAP * ACK :tls\r\n"),
		NEAR_("cap req tls \r\n"), TO_NEAR(":ginnel CAP * ACK :tls \r\n"),
		NEAR_("CAP REQ :tls sasl\r\n"), TO_NEAR(":ginnel CAP * NAK :tls sasl\r\n"),
		NEAR_("CAP REQ :tlsx\r\n"), TO_NEAR(":ginnel CAP * NAK :tlsx\r\n"),
		NEAR_("CAP\r\nCAP NEW\r\n"),
		TO_NEAR(":ginnel 410 * :Invalid CAP subcommand\r\n"
			":ginnel 410 * :Invalid CAP subcommand\r\n"),
		NEAR_("STARTTLS\r\n"), TO_NEAR(IRC_GO), DONE_));
	server(p, "names in one breath with CAP LS",
	    MOVES(NEAR_("CAP LS\r\nNICK bob\r\nUSER bob 0 * :Bob\r\n"),
		TO_NEAR(":ginnel CAP * LS :tls\r\n"), NEAR_("STARTTLS\r\n"), TO_NEAR(IRC_GO),
		DONE_));
	server(p, "the end of negotiation",
	    MOVES(NEAR_("CAP LS\r\nCAP END\r\n"),
		TO_NEAR(":ginnel CAP * LS :tls\r\n"
			"ERROR :STARTTLS first\r\n"),
		ENDS_(R_NO_STARTTLS)));
	server(p, "a name", MOVES(NEAR_("NICK bob\r\n"), IRC_NO));
	server(p, "another name", MOVES(NEAR_("USER bob 0 * :Bob\r\n"), IRC_NO));
	server(p, "a password", MOVES(NEAR_("PASS secret\r\n"), IRC_NO));
	server(p, "an argument", MOVES(NEAR_("STARTTLS x\r\n"), IRC_NO));
	server(p, "an empty line", MOVES(NEAR_("\r\n"), IRC_NO));
	server(
	    p, "QUIT", MOVES(NEAR_("QUIT :x\r\n"), TO_NEAR("ERROR :Bye\r\n"), ENDS_(R_PROTO_QUIT)));
	server(p, "a NUL", MOVES(NEAR_BYTES("STARTTLS\0\r\n"), ENDS_(R_PROTO_CLIENT)));
	server(p, "a lone carriage return",
	    MOVES(NEAR_("CAP LS\rSTARTTLS\r\n"), ENDS_(R_PROTO_CLIENT)));
}

static void
irc_client(void **state)
{
	const struct proto *p = &irc_proto;

	(void)state;
#define ASKED TO_FAR("STARTTLS\r\n")
	client(p, "yes", MOVES(ASKED, FAR_(":irc.test 670 * :go\r\n"), DONE_));
	client(p, "without a prefix", MOVES(ASKED, FAR_("670 * :go\r\n"), DONE_));
	client(p, "with tags", MOVES(ASKED, FAR_("@time=1 :irc.test 670\r\n"), DONE_));
	client(p, "notices are not handed on",
	    MOVES(ASKED, FAR_(":irc.test NOTICE Auth :*** Looking up\r\nNOTICE AUTH :x\r\n"),
		WAITS_, FAR_(":irc.test 020 * :wait\r\n:irc.test 670 * :go\r\n"), DONE_));
	client(p, "behind it",
	    MOVES(ASKED, FAR_(":irc.test 670 * :go\r\n:irc.test 001\r\n"), DONE_WITHOUT_FAR));
	client(p, "691", MOVES(ASKED, FAR_(":irc.test 691 * :no\r\n"), ENDS_(R_NO_STARTTLS_FAR)));
	client(p, "421",
	    MOVES(ASKED, FAR_(":irc.test 421 * STARTTLS :Unknown\r\n"), ENDS_(R_NO_STARTTLS_FAR)));
	client(p, "ERROR", MOVES(ASKED, FAR_("ERROR :full\r\n"), ENDS_(R_NO_STARTTLS_FAR)));
	client(p, "6700", MOVES(ASKED, FAR_(":irc.test 6700 * :go\r\n"), ENDS_(R_PROTO_SERVER)));
	client(p, "another protocol", MOVES(ASKED, FAR_("220 mx\r\n"), WAITS_));
	client(p, "one more", MOVES(ASKED, FAR_("SSH-2.0-x\r\n"), ENDS_(R_PROTO_SERVER)));
#undef ASKED
}

/* ---- xmpp ---- */

#define XML "<?xml version='1.0'?>"
#define NS_STREAM "xmlns:stream='http://etherx.jabber.org/streams'"
#define TLS_NS "xmlns='urn:ietf:params:xml:ns:xmpp-tls'"
#define OPEN(kind, more) \
	"<stream:stream xmlns='jabber:" kind "' " NS_STREAM " version='1.0'" more ">"
#define OURS(kind) XML "<stream:stream version='1.0' xmlns='jabber:" kind "' " NS_STREAM
#define ID " id='abababababababababababababababab'"
#define REQUIRED "<stream:features><starttls " TLS_NS "><required/></starttls></stream:features>"
#define ERROR(condition) \
	"<stream:error><" condition \
	" xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
#define OPENED \
	NEAR_(XML OPEN("client", " to='im.test'")), \
	    TO_NEAR(OURS("client") ID " from='im.test'>" REQUIRED)
#define PROCEED "<proceed " TLS_NS "/>"
#define STARTTLS "<starttls " TLS_NS "/>"

static void
xmpp_servers(void **state)
{
	const struct proto *p = &xmpp_client;

	(void)state;
	server(p, "good", MOVES(OPENED, NEAR_(STARTTLS), TO_NEAR(PROCEED), DONE_));
	server(p, "two tags, and blanks",
	    MOVES(NEAR_("\n" XML "\r\n" OPEN("client", "\tto = \"im.test\" \n")),
		TO_NEAR(OURS("client") ID " from='im.test'>" REQUIRED),
		NEAR_(" <starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\" ></starttls >"),
		TO_NEAR(PROCEED), DONE_));
	server(p, "nothing behind it is read",
	    MOVES(OPENED, NEAR_(STARTTLS "<auth/>"), TO_NEAR(PROCEED), DONE_WITHOUT_NEAR));
	server(p, "who calls is answered",
	    MOVES(NEAR_(OPEN("client", " from='bob@im.test' to='im.test'")),
		TO_NEAR(OURS("client") ID " from='im.test' to='bob@im.test'>" REQUIRED), WAITS_));
	server(p, "a name to be escaped is not said again",
	    MOVES(NEAR_(OPEN("client", " from='b&apos;ob@im.test' to='im.test'")),
		TO_NEAR(OURS("client") ID " from='im.test'>" REQUIRED), WAITS_));
	server(&xmpp_server, "servers",
	    MOVES(NEAR_(OPEN("server", " to='im.test' from='b.test'")),
		TO_NEAR(OURS("server") ID " from='im.test' to='b.test'>" REQUIRED), NEAR_(STARTTLS),
		TO_NEAR(PROCEED), DONE_));
	server(p, "a password in clear",
	    MOVES(OPENED, NEAR_("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"),
		TO_NEAR(ERROR("policy-violation")), ENDS_(R_NO_STARTTLS)));
	server(p, "another starttls",
	    MOVES(OPENED, NEAR_("<starttls/>"), TO_NEAR(ERROR("policy-violation")),
		ENDS_(R_NO_STARTTLS)));
	server(p, "starttls with something in it",
	    MOVES(OPENED, NEAR_("<starttls " TLS_NS "><required/>"), ENDS_(R_PROTO_CLIENT)));
	server(p, "farewell",
	    MOVES(OPENED, NEAR_("</stream:stream>"), TO_NEAR("</stream:stream>"),
		ENDS_(R_PROTO_QUIT)));
	server(p, "to nobody",
	    MOVES(NEAR_(OPEN("client", "")), TO_NEAR(OURS("client") ID ">" ERROR("host-unknown")),
		ENDS_(R_PROTO_CLIENT)));
	server(p, "to a person",
	    MOVES(NEAR_(OPEN("client", " to='bob@im.test'")),
		TO_NEAR(OURS("client") ID ">" ERROR("host-unknown")), ENDS_(R_PROTO_CLIENT)));
	server(p, "of the last century",
	    MOVES(NEAR_("<stream:stream xmlns='jabber:client' " NS_STREAM " to='im.test'>"),
		TO_NEAR(OURS("client") ID " from='im.test'>" ERROR("unsupported-version")),
		ENDS_(R_NO_STARTTLS)));
}

/* A client begins like this, and that is the end. */
static void
no_stream(const char *bytes)
{
	server(&xmpp_client, bytes, MOVES(NEAR_(bytes), ENDS_(R_PROTO_CLIENT)));
}

/* One with so many attributes. */
static const char *
declaration(unsigned attributes)
{
	static char text[PROTO_LINE_MAX];
	int n = snprintf(text, sizeof(text), "<?xml");

	for (unsigned i = 0; i < attributes; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " a%u=''", i);
	(void)snprintf(text + n, sizeof(text) - (size_t)n, "?>");
	return text;
}

static void
xmpp_has_bounds(void **state)
{
	static char big[PROTO_LINE_MAX + 2];

	(void)state;
	no_stream("GET / HTTP/1.0\r\n");
	no_stream("x<stream:stream>");
	no_stream("<!DOCTYPE x>");
	no_stream("<!-- x -->");
	no_stream(XML XML);
	no_stream("<?php?>");
	no_stream("<?xml>");
	no_stream("<>");
	no_stream("</stream:stream>");
	no_stream("<stream:stream/>");
	no_stream("<stream:stream>");
	no_stream("<stream xmlns='http://etherx.jabber.org/streams'>");
	no_stream(OPEN("server", " to='im.test'"));
	no_stream(OPEN("client", " to='im.test' to='b.test'"));
	no_stream(OPEN("client", " to=im.test"));
	no_stream(OPEN("client", " to"));
	no_stream(OPEN("client", " to='im.test'from='x'"));
	no_stream("<stream:stream to='<'");
	no_stream("<stream:stream <");
	no_stream(declaration(33));
	server(&xmpp_client, "attributes enough", MOVES(NEAR_(declaration(32)), WAITS_));
	server(&xmpp_client, "a NUL",
	    MOVES(NEAR_BYTES("<stream:stream to='\0'>"), ENDS_(R_PROTO_CLIENT)));
	server(&xmpp_client, "a tag that has begun", MOVES(NEAR_("<stream:stream to='>"), WAITS_));
	memset(big, ' ', PROTO_LINE_MAX);
	big[0] = '<';
	no_stream(big);
	big[0] = ' ';
	no_stream(big);
	big[PROTO_LINE_MAX - 1] = '\0';
	server(&xmpp_client, "nearly too long", MOVES(NEAR_(big), WAITS_));
}

#define LOCAL(kind, more) XML OPEN(kind, more)
#define CALLED \
	NEAR_(LOCAL("client", " to='im.test' from='bob@im.test'")), \
	    TO_FAR(OURS("client") " to='im.test'>")
#define SERVES FAR_(XML OPEN("client", " id='x' from='im.test'"))
#define OFFER \
	"<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" \
	"<mechanism>PLAIN</mechanism></mechanisms><starttls " TLS_NS \
	"><required/></starttls></stream:features>"

static void
xmpp_clients(void **state)
{
	const struct proto *p = &xmpp_client;

	(void)state;
	client(p, "good, and the local stream is not read",
	    MOVES(CALLED, SERVES, FAR_(OFFER), TO_FAR(STARTTLS), FAR_(PROCEED), DONE_WITHOUT_NEAR));
	client(&xmpp_server, "servers",
	    MOVES(NEAR_(LOCAL("server", " to='im.test' from='b.test'")),
		TO_FAR(OURS("server") " to='im.test' from='b.test'>"),
		FAR_(OPEN("server", "") "\n" OFFER), TO_FAR(STARTTLS),
		FAR_("<proceed " TLS_NS "></proceed>"), DONE_WITHOUT_NEAR));
	client(p, "behind it",
	    MOVES(CALLED, SERVES, FAR_(OFFER), TO_FAR(STARTTLS), FAR_(PROCEED "<success/>"),
		DONE_WITH_REST));
	client(p, "refused",
	    MOVES(CALLED, SERVES, FAR_(OFFER), TO_FAR(STARTTLS),
		FAR_("<failure " TLS_NS "/></stream:stream>"), ENDS_(R_NO_STARTTLS_FAR)));
	client(p, "no offer",
	    MOVES(CALLED, SERVES, FAR_("<stream:features/>"), ENDS_(R_NO_STARTTLS_FAR)));
	client(p, "an offer of something else",
	    MOVES(CALLED, SERVES,
		FAR_("<stream:features><x><starttls " TLS_NS "/></x></stream:features>"),
		ENDS_(R_NO_STARTTLS_FAR)));
	client(p, "an error",
	    MOVES(CALLED, SERVES, FAR_(ERROR("host-unknown")), ENDS_(R_PROTO_SERVER)));
	client(p, "an old server",
	    MOVES(CALLED, FAR_("<stream:stream xmlns='jabber:client' " NS_STREAM ">"),
		ENDS_(R_NO_STARTTLS_FAR)));
	client(p, "another protocol", MOVES(CALLED, FAR_("220 mx\r\n"), ENDS_(R_PROTO_SERVER)));
	client(p, "another kind of stream",
	    MOVES(CALLED, FAR_(OPEN("server", "")), ENDS_(R_PROTO_SERVER)));
	client(p, "comments",
	    MOVES(CALLED, SERVES, FAR_("<stream:features><!-- x -->"), ENDS_(R_PROTO_SERVER)));
	client(p, "a local program that calls nobody",
	    MOVES(NEAR_(OPEN("client", "")), ENDS_(R_PROTO_CLIENT)));
	client(p, "a local program that calls with a quotation",
	    MOVES(NEAR_(OPEN("client", " to='&apos;x'")), ENDS_(R_PROTO_CLIENT)));
}

/* protocolHost takes the place of what the local program says, and of what it does not say. */
static void
xmpp_calls_the_domain_that_is_set(void **state)
{
	const struct proto_conf conf = {
		.proto = &xmpp_client, .host = "b.test", .host_name = "b.test"
	};

	(void)state;
	kit_play("another one", &xmpp_client.client, PROTO_CLEAR, &conf,
	    MOVES(NEAR_(OPEN("client", " to='im.test'")), TO_FAR(OURS("client") " to='b.test'>"),
		WAITS_));
	kit_play("none", &xmpp_client.client, PROTO_CLEAR, &conf,
	    MOVES(NEAR_(OPEN("client", "")), TO_FAR(OURS("client") " to='b.test'>"), WAITS_));
}

static void
say_nothing(struct sink *sink, bool fatal, const char *option, const char *text)
{
	(void)sink, (void)fatal, (void)option, (void)text;
}

static unsigned
errors_of(const char *host, const char *name)
{
	const struct proto_conf conf = { .proto = &xmpp_server, .host = host, .host_name = name };
	struct sink sink = { .say = say_nothing };

	proto_check(&conf, true, true, &sink);
	return sink.errors;
}

static void
xmpp_wants_a_domain(void **state)
{
	(void)state;
	assert_int_equal(errors_of(NULL, NULL), 0);
	assert_int_equal(errors_of("im.test", "im.test"), 0);
	assert_int_equal(errors_of("im.test:5222", "im.test"), 0);
	assert_int_equal(errors_of("192.0.2.1:5222", NULL), 1);
	assert_int_equal(errors_of("bob@im.test", "bob@im.test"), 1);
	assert_int_equal(errors_of("im.test' x='", "im.test' x='"), 1);
}

static void
xmpp_features_have_an_end(void **state)
{
	static char deep[64 * 3 + 1], many[16385];

	(void)state;
	for (size_t i = 0; i < 64; i++)
		memcpy(deep + 3 * i, "<x>", 4);
	client(&xmpp_client, "deep",
	    MOVES(CALLED, SERVES, FAR_("<stream:features>"), FAR_(deep), ENDS_(R_PROTO_SERVER)));
	for (size_t i = 0; i < 16384; i += 4)
		memcpy(many + i, "<x/>", 5);
	client(&xmpp_client, "many",
	    MOVES(CALLED, SERVES, FAR_("<stream:features>"), FAR_(many), FAR_(many), FAR_(many),
		WAITS_, FAR_(many), FAR_(many), ENDS_(R_PROTO_SERVER)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(irc_server),
		cmocka_unit_test(irc_client),
		cmocka_unit_test(xmpp_servers),
		cmocka_unit_test(xmpp_has_bounds),
		cmocka_unit_test(xmpp_clients),
		cmocka_unit_test(xmpp_calls_the_domain_that_is_set),
		cmocka_unit_test(xmpp_wants_a_domain),
		cmocka_unit_test(xmpp_features_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
