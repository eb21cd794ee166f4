/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_proto_mail.c -- smtp, lmtp, imap, pop3, nntp and sieve, word for word. */
#include "proto_kit.h"

struct dialogue_case {
	const char *name;
	const struct kit_move *moves;
};
#define MOVES(...) \
	(const struct kit_move[]) \
	{ \
		__VA_ARGS__, STOP_ \
	}

static void
play_at(const struct proto *p, bool client, enum proto_point point, const struct proto_conf *more,
    const struct dialogue_case *cases, size_t n)
{
	struct proto_conf conf = { 0 };

	if (more != NULL)
		conf = *more;
	conf.proto = p;
	for (size_t i = 0; i < n; i++)
		kit_play(
		    cases[i].name, client ? &p->client : &p->server, point, &conf, cases[i].moves);
}

#define SERVER(p, cases) play_at(&(p), false, PROTO_CLEAR, NULL, cases, COUNT_OF(cases))
#define CLIENT(p, cases) play_at(&(p), true, PROTO_CLEAR, NULL, cases, COUNT_OF(cases))

/* ---- smtp ---- */

#define GREETED FAR_("220 mx.test ESMTP ready\r\n"), TO_NEAR("220 mx.test ESMTP ready\r\n")

static void
smtp_server(void **state)
{
	const struct dialogue_case cases[] = {
		{ "extensions are merged",
		    MOVES(GREETED, NEAR_("EHLO me.test\r\n"), TO_FAR("EHLO me.test\r\n"),
			FAR_("250-mx.test hello\r\n250-PIPELINING\r\n250-STARTTLS\r\n"
			     "250-AUTH PLAIN LOGIN\r\n250-AUTH=PLAIN\r\n250-XCLIENT "
			     "NAME\r\n250-AUTHOR\r\n"
			     "250 SIZE 100\r\n"),
			TO_NEAR(
			    "250-mx.test hello\r\n250-PIPELINING\r\n250-AUTHOR\r\n250-SIZE 100\r\n"
			    "250 STARTTLS\r\n"),
			NEAR_("starttls\r\n"), TO_NEAR("220 Go ahead\r\n"), DONE_) },
		{ "one line", MOVES(GREETED, NEAR_("ehlo [127.0.0.1]\r\n"),
				  TO_FAR("EHLO [127.0.0.1]\r\n"), FAR_("250 mx.test\r\n"),
				  TO_NEAR("250-mx.test\r\n250 STARTTLS\r\n"), WAITS_) },
		{ "a backend without EHLO",
		    MOVES(GREETED, NEAR_("EHLO me\r\n"), TO_FAR("EHLO me\r\n"),
			FAR_("502 what?\r\n"), TO_NEAR("250-mx.test\r\n250 STARTTLS\r\n"),
			WAITS_) },
		{ "HELO", MOVES(GREETED, NEAR_("HELO me\r\n"), TO_NEAR("250 mx.test\r\n"),
			      NEAR_("STARTTLS\r\n"), TO_NEAR("220 Go ahead\r\n"), DONE_) },
		{ "a long greeting", MOVES(FAR_("220-mx.test\r\n220-be nice\r\n220 ESMTP\r\n"),
					 TO_NEAR("220-mx.test\r\n220-be nice\r\n220 ESMTP\r\n"),
					 NEAR_("HELO x\r\n"), TO_NEAR("250 mx.test\r\n"), WAITS_) },
		{ "names that are none",
		    MOVES(GREETED, NEAR_("EHLO\r\n"), TO_NEAR("501 Syntax: EHLO hostname\r\n"),
			NEAR_("EHLO a b\r\n"), TO_NEAR("501 Syntax: EHLO hostname\r\n"),
			NEAR_("EHLO a;b\r\n"), TO_NEAR("501 Syntax: EHLO hostname\r\n"), WAITS_) },
		{ "NOOP and RSET", MOVES(GREETED, NEAR_("NOOP\r\n"), TO_NEAR("250 OK\r\n"),
				       NEAR_("RSET\r\n"), TO_NEAR("250 OK\r\n"), WAITS_) },
		{ "QUIT", MOVES(GREETED, NEAR_("QUIT\r\n"), TO_NEAR("221 Bye\r\n"),
			      ENDS_(R_PROTO_QUIT)) },
		{ "mail in clear", MOVES(GREETED, NEAR_("MAIL FROM:<a@b>\r\n"),
				       TO_NEAR("530 Must issue a STARTTLS command first\r\n"),
				       ENDS_(R_NO_STARTTLS)) },
		{ "a log-in in clear", MOVES(GREETED, NEAR_("AUTH PLAIN AGEAYg==\r\n"),
					   TO_NEAR("530 Must issue a STARTTLS command first\r\n"),
					   ENDS_(R_NO_STARTTLS)) },
		{ "STARTTLS with an argument",
		    MOVES(GREETED, NEAR_("STARTTLS now\r\n"),
			TO_NEAR("530 Must issue a STARTTLS command first\r\n"),
			ENDS_(R_NO_STARTTLS)) },
		{ "the backend is busy",
		    MOVES(FAR_("421-mx.test later\r\n"), TO_NEAR("421 mx.test later\r\n"),
			ENDS_(R_PROTO_SERVER)) },
		{ "the backend is something else",
		    MOVES(FAR_("SSH-2.0-x\r\n"), ENDS_(R_PROTO_SERVER)) },
	};
	const struct dialogue_case behind[] = {
		{ "nothing behind STARTTLS is read",
		    MOVES(GREETED, NEAR_("STARTTLS\r\nMAIL FROM:<a@b>\r\n"),
			TO_NEAR("220 Go ahead\r\n"), { SCRIPT_DONE, "far", 0, 0, 0 }) },
	};

	(void)state;
	SERVER(smtp_proto, cases);
	SERVER(smtp_proto, behind);
}

#define ASKED FAR_("220 mx.test ESMTP ready\r\n"), TO_FAR("EHLO localhost\r\n")

static void
smtp_server_with_xclient(void **state)
{
	static const struct proto_conf conf = { .xclient = true };
	const struct dialogue_case cases[] = {
		{ "the backend greets again",
		    MOVES(ASKED,
			FAR_("250-mx.test\r\n250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN "
			     "DESTADDR DESTPORT\r\n250 SIZE\r\n"),
			TO_FAR("XCLIENT ADDR=192.0.2.7 PORT=1234 DESTADDR=IPV6:2001:db8::1 "
			       "DESTPORT=25\r\n"),
			FAR_("220 mx.test again\r\n"), TO_NEAR("220 mx.test again\r\n"),
			NEAR_("HELO me\r\n"), TO_NEAR("250 mx.test\r\n"), NEAR_("STARTTLS\r\n"),
			TO_NEAR("220 Go ahead\r\n"), DONE_) },
		{ "only what is offered",
		    MOVES(ASKED, FAR_("250-mx.test\r\n250 xclient addr\r\n"),
			TO_FAR("XCLIENT ADDR=192.0.2.7\r\n"), FAR_("220 mx.test\r\n"),
			TO_NEAR("220 mx.test\r\n"), WAITS_) },
		{ "nothing is offered",
		    MOVES(ASKED, FAR_("250-mx.test\r\n250 XCLIENTS ADDR\r\n"),
			TO_NEAR("220 mx.test ESMTP ready\r\n"), NEAR_("HELO me\r\n"),
			TO_NEAR("250 mx.test\r\n"), WAITS_) },
		{ "not the address", MOVES(ASKED, FAR_("250 XCLIENT NAME PORT\r\n"),
					 TO_NEAR("220 mx.test ESMTP ready\r\n"), WAITS_) },
		{ "no EHLO", MOVES(ASKED, FAR_("502 what?\r\n"),
				 TO_NEAR("220 mx.test ESMTP ready\r\n"), WAITS_) },
		{ "we may not say it",
		    MOVES(ASKED, FAR_("250 XCLIENT ADDR\r\n"), TO_FAR("XCLIENT ADDR=192.0.2.7\r\n"),
			FAR_("550 5.7.0 no\r\n"), TO_NEAR("550 5.7.0 no\r\n"),
			ENDS_(R_PROTO_SERVER)) },
		{ "a refusal", MOVES(FAR_("421 mx.test busy\r\n"), TO_NEAR("421 mx.test busy\r\n"),
				   ENDS_(R_PROTO_SERVER)) },
	};

	(void)state;
	kit_facts.client = (struct addr){ .len = sizeof(struct sockaddr_in),
		.in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000207) } };
	addr_set_port(&kit_facts.client, 1234);
	kit_facts.accepted = (struct addr){ .len = sizeof(struct sockaddr_in6),
		.in6 = { .sin6_family = AF_INET6,
		    .sin6_addr.s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 } } };
	addr_set_port(&kit_facts.accepted, 25);
	play_at(&smtp_proto, false, PROTO_CLEAR, &conf, cases, COUNT_OF(cases));
	kit_facts = (struct proto_facts){ 0 };
}

static void
smtp_client(void **state)
{
	const struct dialogue_case cases[] = {
		{ "good", MOVES(GREETED, TO_FAR("EHLO localhost\r\n"),
			      FAR_("250-mx.test\r\n250 STARTTLS\r\n"), TO_FAR("STARTTLS\r\n"),
			      FAR_("220 go\r\n"), DONE_) },
		{ "long replies",
		    MOVES(FAR_("220-a\r\n220 b\r\n"), TO_NEAR("220-a\r\n220 b\r\n"),
			TO_FAR("EHLO localhost\r\n"), FAR_("250 x\r\n"), TO_FAR("STARTTLS\r\n"),
			FAR_("220-go\r\n220 on\r\n"), DONE_) },
		{ "no EHLO", MOVES(GREETED, TO_FAR("EHLO localhost\r\n"), FAR_("502 no\r\n"),
				 ENDS_(R_PROTO_SERVER)) },
		{ "no STARTTLS",
		    MOVES(GREETED, TO_FAR("EHLO localhost\r\n"), FAR_("250 x\r\n"),
			TO_FAR("STARTTLS\r\n"), FAR_("454 no\r\n"), ENDS_(R_NO_STARTTLS_FAR)) },
		{ "refused", MOVES(FAR_("554 go away\r\n"), TO_NEAR("554 go away\r\n"),
				 ENDS_(R_PROTO_SERVER)) },
	};

	(void)state;
	CLIENT(smtp_proto, cases);
}

static void
smtp_logs_in(void **state)
{
#define HELLO TO_FAR("EHLO me.test\r\n"), FAR_("250-mx.test\r\n250 AUTH PLAIN LOGIN\r\n")
	const struct dialogue_case plain[] = {
		{ "good", MOVES(HELLO, TO_FAR("AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n"),
			      FAR_("235 yes\r\n"), DONE_) },
		{ "bad", MOVES(HELLO, TO_FAR("AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n"), FAR_("535 no\r\n"),
			     ENDS_(R_PROTO_AUTH)) },
	};
	const struct dialogue_case login[] = {
		{ "good", MOVES(HELLO, TO_FAR("AUTH LOGIN\r\n"), FAR_("334 VXNlcm5hbWU6\r\n"),
			      TO_FAR("Ym9i\r\n"), FAR_("334 UGFzc3dvcmQ6\r\n"),
			      TO_FAR("c2VjcmV0\r\n"), FAR_("235 yes\r\n"), DONE_) },
		{ "unknown", MOVES(HELLO, TO_FAR("AUTH LOGIN\r\n"), FAR_("504 no\r\n"),
				 ENDS_(R_PROTO_AUTH)) },
	};
	const struct dialogue_case none[] = { { "no password", MOVES(DONE_) } };
	struct proto_conf conf = { .host = "me.test", .username = "bob", .password = "secret" };

	(void)state;
	play_at(&smtp_proto, true, PROTO_LATE, &conf, plain, COUNT_OF(plain));
	conf.authentication = "basic"; /* not one of ours: the default */
	play_at(&smtp_proto, true, PROTO_LATE, &conf, plain, COUNT_OF(plain));
	conf.authentication = "LOGIN";
	play_at(&smtp_proto, true, PROTO_LATE, &conf, login, COUNT_OF(login));
	conf.password = NULL;
	play_at(&smtp_proto, true, PROTO_LATE, &conf, none, COUNT_OF(none));
#undef HELLO
}

/* ---- lmtp ---- */

static void
lmtp(void **state)
{
	const struct dialogue_case server[] = {
		{ "good", MOVES(GREETED, NEAR_("LHLO me\r\n"), TO_FAR("LHLO me\r\n"),
			      FAR_("250-mx.test\r\n250 8BITMIME\r\n"),
			      TO_NEAR("250-mx.test\r\n250-8BITMIME\r\n250 STARTTLS\r\n"),
			      NEAR_("STARTTLS\r\n"), TO_NEAR("220 Go ahead\r\n"), DONE_) },
		{ "EHLO is no LMTP", MOVES(GREETED, NEAR_("EHLO me\r\n"),
					 TO_NEAR("530 Must issue a STARTTLS command first\r\n"),
					 ENDS_(R_NO_STARTTLS)) },
	};
	const struct dialogue_case client[] = {
		{ "good", MOVES(GREETED, TO_FAR("LHLO localhost\r\n"), FAR_("250 x\r\n"),
			      TO_FAR("STARTTLS\r\n"), FAR_("220 go\r\n"), DONE_) },
	};

	(void)state;
	SERVER(smtp_lmtp, server);
	CLIENT(smtp_lmtp, client);
}

/* ---- imap ---- */

#define IMAP_GREETED FAR_("* OK ready\r\n"), TO_NEAR("* OK ready\r\n")

static void
imap_server(void **state)
{
	const struct dialogue_case cases[] = {
		{ "good", MOVES(IMAP_GREETED, NEAR_("a.1 STARTTLS\r\n"),
			      TO_NEAR("a.1 OK Begin TLS negotiation now\r\n"), DONE_) },
		{ "capabilities in the greeting",
		    MOVES(FAR_("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] Dovecot ready.\r\n"),
			TO_NEAR("* OK Dovecot ready.\r\n"), WAITS_) },
		{ "another code in the greeting", MOVES(FAR_("* ok [ALERT] late\r\n"),
						      TO_NEAR("* ok [ALERT] late\r\n"), WAITS_) },
		{ "capabilities are merged",
		    MOVES(IMAP_GREETED, NEAR_("x CAPABILITY\r\n"), TO_FAR("ginnel CAPABILITY\r\n"),
			FAR_("* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN auth=login IDLE "
			     "STARTTLS\r\n"),
			TO_NEAR("* CAPABILITY IMAP4rev1 IDLE STARTTLS LOGINDISABLED\r\n"),
			FAR_("* OK by the way\r\nginnel OK done\r\n"),
			TO_NEAR("x OK CAPABILITY completed\r\n"), NEAR_("y starttls\r\n"),
			TO_NEAR("y OK Begin TLS negotiation now\r\n"), DONE_) },
		{ "a bad answer to it",
		    MOVES(IMAP_GREETED, NEAR_("x CAPABILITY\r\n"), TO_FAR("ginnel CAPABILITY\r\n"),
			FAR_("ginnel BAD no\r\n"), TO_NEAR("* BYE unexpected server response\r\n"),
			ENDS_(R_PROTO_SERVER)) },
		{ "NOOP", MOVES(IMAP_GREETED, NEAR_("x NOOP\r\n"),
			      TO_NEAR("x OK NOOP completed\r\n"), WAITS_) },
		{ "LOGOUT", MOVES(IMAP_GREETED, NEAR_("x logout\r\n"),
				TO_NEAR("* BYE server terminating\r\nx OK LOGOUT completed\r\n"),
				ENDS_(R_PROTO_QUIT), TO_FAR("ginnel LOGOUT\r\n")) },
		{ "a log-in in clear",
		    MOVES(IMAP_GREETED, NEAR_("x LOGIN bob secret\r\n"),
			TO_NEAR("* BYE STARTTLS first\r\nx BAD STARTTLS first\r\n"),
			ENDS_(R_NO_STARTTLS), TO_FAR("ginnel LOGOUT\r\n")) },
		{ "STARTTLS with an argument",
		    MOVES(IMAP_GREETED, NEAR_("x STARTTLS y\r\n"),
			TO_NEAR("* BYE STARTTLS first\r\nx BAD STARTTLS first\r\n"),
			ENDS_(R_NO_STARTTLS), TO_FAR("ginnel LOGOUT\r\n")) },
		{ "no tag", MOVES(IMAP_GREETED, NEAR_("STARTTLS\r\n"),
				TO_NEAR("* BYE no tag, or no command\r\n"), ENDS_(R_PROTO_CLIENT),
				TO_FAR("ginnel LOGOUT\r\n")) },
		{ "a tag that is none", MOVES(IMAP_GREETED, NEAR_("* STARTTLS\r\n"),
					    TO_NEAR("* BYE no tag, or no command\r\n"),
					    ENDS_(R_PROTO_CLIENT), TO_FAR("ginnel LOGOUT\r\n")) },
		{ "logged in already", MOVES(FAR_("* PREAUTH hello\r\n"), ENDS_(R_PROTO_SERVER)) },
		{ "busy", MOVES(FAR_("* BYE later\r\n"), ENDS_(R_PROTO_SERVER)) },
	};

	(void)state;
	SERVER(imap_proto, cases);
}

static void
imap_client(void **state)
{
	const struct dialogue_case cases[] = {
		{ "good", MOVES(FAR_("* OK [CAPABILITY LOGINDISABLED] ready\r\n"),
			      TO_FAR("ginnel STARTTLS\r\n"), FAR_("* OK soon\r\nginnel OK go\r\n"),
			      THEN_(PROTO_LATE), TO_NEAR("* OK Connected.\r\n"), DONE_) },
		{ "refused",
		    MOVES(FAR_("* OK ready\r\n"), TO_FAR("ginnel STARTTLS\r\n"),
			FAR_("ginnel BAD no\r\n"), TO_NEAR("* BYE Server does not support TLS\r\n"),
			ENDS_(R_NO_STARTTLS_FAR)) },
		{ "logged in already", MOVES(FAR_("* PREAUTH hello\r\n"), ENDS_(R_PROTO_SERVER)) },
		{ "another tag's answer",
		    MOVES(FAR_("* OK ready\r\n"), TO_FAR("ginnel STARTTLS\r\n"),
			FAR_("ginnel2 OK go\r\n"), TO_NEAR("* BYE Server does not support TLS\r\n"),
			ENDS_(R_NO_STARTTLS_FAR)) },
	};

	(void)state;
	CLIENT(imap_proto, cases);
}

/* ---- pop3 and nntp ---- */

static void
pop3(void **state)
{
	const struct dialogue_case server[] = {
		{ "good",
		    MOVES(FAR_("+OK ready <1.2@x>\r\n"), TO_NEAR("+OK ready <1.2@x>\r\n"),
			NEAR_("CAPA\r\n"), TO_NEAR("+OK Capability list follows\r\nSTLS\r\n.\r\n"),
			NEAR_("stls\r\n"), TO_NEAR("+OK Begin TLS negotiation now\r\n"), DONE_) },
		{ "a log-in in clear",
		    MOVES(FAR_("+OK\r\n"), TO_NEAR("+OK\r\n"), NEAR_("USER bob\r\n"),
			TO_NEAR("-ERR STLS first\r\n"), ENDS_(R_NO_STARTTLS)) },
		{ "QUIT", MOVES(FAR_("+OK\r\n"), TO_NEAR("+OK\r\n"), NEAR_("QUIT\r\n"),
			      TO_NEAR("+OK Bye\r\n"), ENDS_(R_PROTO_QUIT)) },
		{ "busy", MOVES(FAR_("-ERR later\r\n"), ENDS_(R_PROTO_SERVER)) },
	};
	const struct dialogue_case client[] = {
		{ "good", MOVES(FAR_("+OK hi\r\n"), TO_NEAR("+OK hi\r\n"), TO_FAR("STLS\r\n"),
			      FAR_("+OK\r\n"), DONE_) },
		{ "refused", MOVES(FAR_("+OK hi\r\n"), TO_NEAR("+OK hi\r\n"), TO_FAR("STLS\r\n"),
				 FAR_("-ERR no\r\n"), ENDS_(R_NO_STARTTLS_FAR)) },
	};

	(void)state;
	SERVER(starttls_pop3, server);
	CLIENT(starttls_pop3, client);
}

static void
nntp(void **state)
{
	const struct dialogue_case server[] = {
		{ "good",
		    MOVES(FAR_("201 news\r\n"), TO_NEAR("201 news\r\n"), NEAR_("MODE READER\r\n"),
			TO_NEAR("483 STARTTLS first\r\n"), NEAR_("CAPABILITIES\r\n"),
			TO_NEAR("101 Capability list:\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n"),
			NEAR_("STARTTLS\r\n"), TO_NEAR("382 Continue with TLS negotiation\r\n"),
			DONE_) },
		{ "a log-in in clear",
		    MOVES(FAR_("200 news\r\n"), TO_NEAR("200 news\r\n"),
			NEAR_("AUTHINFO USER bob\r\n"), TO_NEAR("483 STARTTLS first\r\n"),
			ENDS_(R_NO_STARTTLS)) },
		{ "closed", MOVES(FAR_("400 closed\r\n"), ENDS_(R_PROTO_SERVER)) },
		{ "nearly a number", MOVES(FAR_("2000 news\r\n"), ENDS_(R_PROTO_SERVER)) },
	};
	const struct dialogue_case client[] = {
		{ "good", MOVES(FAR_("200 hi\r\n"), TO_NEAR("200 hi\r\n"), TO_FAR("STARTTLS\r\n"),
			      FAR_("382 go\r\n"), DONE_) },
		{ "refused",
		    MOVES(FAR_("200 hi\r\n"), TO_NEAR("200 hi\r\n"), TO_FAR("STARTTLS\r\n"),
			FAR_("580 no\r\n"), ENDS_(R_NO_STARTTLS_FAR)) },
	};

	(void)state;
	SERVER(starttls_nntp, server);
	CLIENT(starttls_nntp, client);
}

/* ---- sieve ---- */

#define SIEVE_SAYS(starttls) \
	"\"IMPLEMENTATION\" \"x\"\r\n\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"fileinto\"\r\n" starttls \
	"OK \"ready\"\r\n"
#define SIEVE_BEFORE \
	"\"IMPLEMENTATION\" \"x\"\r\n\"SIEVE\" \"fileinto\"\r\n\"SASL\" \"\"\r\n\"STARTTLS\"\r\n" \
	"OK \"ready\"\r\n"

static void
sieve(void **state)
{
	const struct dialogue_case server[] = {
		{ "good",
		    MOVES(FAR_(SIEVE_SAYS("")), TO_NEAR(SIEVE_BEFORE), NEAR_("CAPABILITY\r\n"),
			TO_FAR("CAPABILITY\r\n"), FAR_(SIEVE_SAYS("\"STARTTLS\"\r\n")),
			TO_NEAR(SIEVE_BEFORE), NEAR_("STARTTLS\r\n"),
			TO_NEAR("OK \"Begin TLS negotiation now\"\r\n"), THEN_(PROTO_LATE),
			TO_FAR("CAPABILITY\r\n"), FAR_(SIEVE_SAYS("\"starttls\"\r\n")),
			TO_NEAR(SIEVE_SAYS("")), DONE_) },
		{ "a log-in in clear", MOVES(FAR_(SIEVE_SAYS("")), TO_NEAR(SIEVE_BEFORE),
					   NEAR_("AUTHENTICATE \"PLAIN\" \"AGEAYg==\"\r\n"),
					   TO_NEAR("NO (ENCRYPT-NEEDED) \"STARTTLS first\"\r\n"),
					   ENDS_(R_NO_STARTTLS)) },
		{ "busy", MOVES(FAR_("BYE \"later\"\r\n"), ENDS_(R_PROTO_SERVER)) },
		{ "an empty line", MOVES(FAR_("\r\n"), ENDS_(R_PROTO_SERVER)) },
		{ "a literal", MOVES(FAR_("\"SASL\" {5}\r\nPLAIN\r\n"), ENDS_(R_PROTO_SERVER)) },
	};
	const struct dialogue_case client[] = {
		{ "good", MOVES(FAR_(SIEVE_SAYS("\"STARTTLS\"\r\n")), TO_FAR("STARTTLS\r\n"),
			      FAR_("OK \"go\"\r\n"), DONE_) },
		{ "not offered", MOVES(FAR_(SIEVE_SAYS("")), ENDS_(R_NO_STARTTLS_FAR)) },
		{ "refused", MOVES(FAR_(SIEVE_SAYS("\"STARTTLS\"\r\n")), TO_FAR("STARTTLS\r\n"),
				 FAR_("NO\r\n"), ENDS_(R_NO_STARTTLS_FAR)) },
	};

	(void)state;
	SERVER(sieve_proto, server);
	CLIENT(sieve_proto, client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smtp_server),
		cmocka_unit_test(smtp_server_with_xclient),
		cmocka_unit_test(smtp_client),
		cmocka_unit_test(smtp_logs_in),
		cmocka_unit_test(lmtp),
		cmocka_unit_test(imap_server),
		cmocka_unit_test(imap_client),
		cmocka_unit_test(pop3),
		cmocka_unit_test(nntp),
		cmocka_unit_test(sieve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
