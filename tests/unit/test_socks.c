/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_socks.c -- SOCKS 4, 4a and 5, as server and as client. */
#include "proto_kit.h"

#include <arpa/inet.h>

static const struct proto_conf conf = { .proto = &socks_proto };

static void
serve(const char *name, const struct kit_move *moves)
{
	kit_before_tls = false;
	kit_play(name, &socks_proto.server, PROTO_REQUEST, &conf, moves);
}

#define HELLO5 NEAR_BYTES("\5\1\0"), GETS("\5\0")
#define GETS(t) \
	{ \
		NEAR_GETS, t, 0, 0, sizeof(t) - 1 \
	}
#define FAR_GETS_(t) \
	{ \
		FAR_GETS, t, 0, 0, sizeof(t) - 1 \
	}
#define LATE THEN_(PROTO_LATE)

/* ---- server ---- */

static void
socks5_connects(void **state)
{
	static const struct kit_move v4[] = { HELLO5, NEAR_BYTES("\5\1\0\1\xc0\0\2\1\0\x50"),
		TARGET_("192.0.2.1:80"), LATE, GETS("\5\0\0\1\xc0\0\2\1\0\x50"), DONE_, STOP_ };
	static const struct kit_move v6[] = { HELLO5,
		NEAR_BYTES("\5\1\0\4\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb"),
		TARGET_("2001:db8::1:443"), LATE,
		GETS("\5\0\0\4\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb"), DONE_, STOP_ };
	static const struct kit_move name[] = { HELLO5, NEAR_BYTES("\5\1\0\3\6a.test\0\x50"),
		TARGET_("a.test:80"), LATE, GETS("\5\0\0\1\0\0\0\0\0\0"), DONE_, STOP_ };
	static const struct kit_move figures[] = { HELLO5,
		NEAR_BYTES("\5\1\0\3\x09"
			   "192.0.2.1\0\x50"),
		TARGET_("192.0.2.1:80"), LATE, GETS("\5\0\0\1\0\0\0\0\0\0"), DONE_, STOP_ };
	static const struct kit_move methods[] = { NEAR_BYTES("\5\3\2\1\0"), GETS("\5\0"), WAITS_,
		STOP_ };
	static const struct kit_move in_haste[] = { NEAR_BYTES(
							"\5\1\0\5\1\0\1\xc0\0\2\1\0\x50hello"),
		GETS("\5\0"), TARGET_("192.0.2.1:80"), LATE, GETS("\5\0\0\1\xc0\0\2\1\0\x50"),
		{ SCRIPT_DONE, "far", 0, 0, 0 }, STOP_ };

	(void)state;
	serve("IPv4", v4);
	serve("IPv6", v6);
	serve("name", name);
	serve("figures as a name", figures);
	serve("methods", methods);
	serve("in haste", in_haste);
}

static void
socks5_refuses(void **state)
{
	static const struct kit_move no_method[] = { NEAR_BYTES("\5\2\1\2"), GETS("\5\xff"),
		ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move none_at_all[] = { NEAR_BYTES("\5\0"), GETS("\5\xff"),
		ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move version[] = { HELLO5, NEAR_BYTES("\4\1\0\1\1"),
		GETS("\5\1\0\1\0\0\0\0\0\0"), ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move bind[] = { HELLO5, NEAR_BYTES("\5\2\0\1\1\2\3\4\0\x50"),
		GETS("\5\7\0\1\1\2\3\4\0\x50"), ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move udp[] = { HELLO5, NEAR_BYTES("\5\3\0\3\1a\0\x50"),
		GETS("\5\7\0\1\0\0\0\0\0\0"), ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move kind[] = { HELLO5, NEAR_BYTES("\5\1\0\2\1"),
		GETS("\5\7\0\1\0\0\0\0\0\0"), ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move no_name[] = { HELLO5, NEAR_BYTES("\5\1\0\3\0\0\x50"),
		GETS("\5\4\0\1\0\0\0\0\0\0"), ENDS_(R_RESOLVE), STOP_ };
	static const struct kit_move nul[] = { HELLO5, NEAR_BYTES("\5\1\0\3\3a\0b\0\x50"),
		GETS("\5\4\0\1\0\0\0\0\0\0"), ENDS_(R_RESOLVE), STOP_ };
	static const struct kit_move path[] = { HELLO5, NEAR_BYTES("\5\1\0\3\4/a/b\0\x50"),
		GETS("\5\4\0\1\0\0\0\0\0\0"), ENDS_(R_RESOLVE), STOP_ };
	static const struct kit_move port[] = { HELLO5, NEAR_BYTES("\5\1\0\3\1a\0\0"),
		GETS("\5\1\0\1\0\0\0\0\0\0"), ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move other[] = { NEAR_BYTES("\6"), ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move http[] = { NEAR_("CONNECT"), ENDS_(R_PROTO_CLIENT), STOP_ };

	(void)state;
	serve("no method", no_method);
	serve("none at all", none_at_all);
	serve("version", version);
	serve("bind", bind);
	serve("udp", udp);
	serve("kind of address", kind);
	serve("no name", no_name);
	serve("NUL", nul);
	serve("path", path);
	serve("port 0", port);
	serve("version 6", other);
	serve("HTTP", http);
}

/* A name of each length, from 1 to 255: one that is no host name is refused, none reads too far. */
static void
socks5_names_of_each_length(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 255; n++) {
		char request[5 + 255 + 2] = { 5, 1, 0, 3, (char)n };
		char target[255 + 4];
		struct kit_move moves[] = { HELLO5, { NEAR_SENDS, request, 0, 0, 7 + n },
			TARGET_(target), STOP_, STOP_ };

		memset(request + 5, 'a', n);
		request[5 + n + 1] = 80;
		(void)snprintf(target, sizeof(target), "%.*s:80", (int)n, request + 5);
		if (n > 253) { /* RFC 1035 2.3.4 */
			moves[3] = (struct kit_move)GETS("\5\4\0\1\0\0\0\0\0\0");
			moves[4] = (struct kit_move)STOP_;
		}
		serve("length", moves);
	}
}

static void
socks5_tells_of_failure(void **state)
{
	static const struct {
		enum reason reason;
		const char *reply;
	} cases[] = {
		{ R_CONNECT, "\5\1\0\1\xc0\0\2\1\0\x50" },
		{ R_RESOLVE, "\5\4\0\1\xc0\0\2\1\0\x50" },
		{ R_TARGET_REFUSED, "\5\2\0\1\xc0\0\2\1\0\x50" },
		{ R_IDENTITY_FULL, "\5\2\0\1\xc0\0\2\1\0\x50" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct kit_move moves[] = { HELLO5, NEAR_BYTES("\5\1\0\1\xc0\0\2\1\0\x50"),
			FAILS_(cases[i].reason), { NEAR_GETS, cases[i].reply, 0, 0, 10 }, DONE_,
			STOP_ };

		serve("failure", moves);
	}
}

static void
socks4_connects(void **state)
{
	static const struct kit_move v4[] = { NEAR_BYTES("\4\1\0\x50\xc0\0\2\1me\0"),
		TARGET_("192.0.2.1:80"), LATE, GETS("\0\x5a\0\x50\xc0\0\2\1"), DONE_, STOP_ };
	static const struct kit_move v4a[] = { NEAR_BYTES("\4\1\0\x50\0\0\0\1\0a.test\0hello"),
		TARGET_("a.test:80"), LATE, GETS("\0\x5a\0\x50\0\0\0\1"),
		{ SCRIPT_DONE, "far", 0, 0, 0 }, STOP_ };
	static const struct kit_move failed[] = { NEAR_BYTES("\4\1\0\x50\xc0\0\2\1\0"),
		FAILS_(R_CONNECT), GETS("\0\x5b\0\x50\xc0\0\2\1"), DONE_, STOP_ };
	static const struct kit_move half[] = { NEAR_BYTES("\4\1\0\x50\0\0\0\1\0a.test"), WAITS_,
		STOP_ };

	(void)state;
	serve("4", v4);
	serve("4a", v4a);
	serve("failed", failed);
	serve("half", half);
}

static void
socks4_refuses(void **state)
{
	static const struct kit_move bind[] = { NEAR_BYTES("\4\2\0\x50\1\2\3\4\0"),
		GETS("\0\x5b\0\x50\1\2\3\4"), ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move port[] = { NEAR_BYTES("\4\1\0\0\1\2\3\4\0"),
		GETS("\0\x5b\0\0\1\2\3\4"), ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move no_name[] = { NEAR_BYTES("\4\1\0\x50\0\0\0\1\0\0"),
		GETS("\0\x5b\0\x50\0\0\0\1"), ENDS_(R_PROTO_CLIENT), STOP_ };
	char user[8 + 300] = "\4\1\0\x50\1\2\3\4", host[8 + 300] = "\4\1\0\x50\0\0\0\1";
	const struct kit_move long_user[] = { { NEAR_SENDS, user, 0, 0, 8 + 256 },
		ENDS_(R_PROTO_CLIENT), STOP_ };
	const struct kit_move long_host[] = { { NEAR_SENDS, host, 0, 0, 8 + 1 + 256 },
		ENDS_(R_PROTO_CLIENT), STOP_ };

	(void)state;
	memcpy(user, "\4\1\0\x50\1\2\3\4", 8);
	memset(user + 8, 'x', 300);
	memcpy(host, "\4\1\0\x50\0\0\0\1", 8);
	memset(host + 9, 'x', 299);
	serve("bind", bind);
	serve("port 0", port);
	serve("no name", no_name);
	serve("long user", long_user);
	serve("long host", long_host);
}

static struct addr
ip4(const char *text, uint16_t port)
{
	struct addr a = { .len = sizeof(a.in), .in.sin_family = AF_INET };

	assert_int_equal(inet_pton(AF_INET, text, &a.in.sin_addr), 1);
	addr_set_port(&a, port);
	return a;
}

static void
names_are_looked_up(void **state)
{
	static const struct kit_move v5[] = { HELLO5, NEAR_BYTES("\5\xf0\0\3\6a.test\0\0"),
		TARGET_("look up a.test:0"), FAILS_(R_LOOKED_UP), GETS("\5\0\0\1\xc0\0\2\7\0\0"),
		DONE_, STOP_ };
	static const struct kit_move v5_6[] = { HELLO5, NEAR_BYTES("\5\xf0\0\3\6a.test\0\0"),
		FAILS_(R_LOOKED_UP), GETS("\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0"), DONE_,
		STOP_ };
	static const struct kit_move v4[] = { NEAR_BYTES("\4\xf0\0\0\0\0\0\1\0a.test\0"),
		TARGET_("look up a.test:0"), FAILS_(R_LOOKED_UP), GETS("\0\x5a\0\0\xc0\0\2\7"),
		DONE_, STOP_ };
	static const struct kit_move unknown[] = { HELLO5, NEAR_BYTES("\5\xf0\0\3\6a.test\0\0"),
		FAILS_(R_RESOLVE), GETS("\5\4\0\1\0\0\0\0\0\0"), DONE_, STOP_ };

	(void)state;
	kit_found = ip4("192.0.2.7", 0);
	serve("5", v5);
	serve("4", v4);
	kit_found = (struct addr){ .len = sizeof(kit_found.in6),
		.in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT } };
	serve("IPv6", v5_6);
	kit_found = (struct addr){ 0 };
	serve("unknown", unknown);
}

static void
loopback_is_refused_in_every_form(void **state)
{
	static const char *const bad[] = { "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "::1",
		"::", "::ffff:127.0.0.1", "::ffff:0.0.0.0" };
	static const char *const good[] = { "192.0.2.1", "10.0.0.1", "169.254.169.254", "128.0.0.1",
		"2001:db8::1", "::ffff:192.0.2.1", "1.0.0.127" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad) + COUNT_OF(good); i++) {
		bool is_bad = i < COUNT_OF(bad);
		const char *text = is_bad ? bad[i] : good[i - COUNT_OF(bad)];
		struct addr a = { .len = sizeof(a.in6), .in6.sin6_family = AF_INET6 };

		if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) != 1)
			a = ip4(text, 1);
		assert_int_equal(
		    socks_proto.server.refuse(&conf, &a), is_bad ? R_TARGET_REFUSED : R_NONE);
	}
}

/* ---- client ---- */

static void
ask(const char *name, const struct proto_conf *c, const struct kit_move *moves)
{
	kit_before_tls = false;
	kit_play(name, &socks_proto.client, PROTO_LATE, c, moves);
}

#define GREETED FAR_GETS_("\5\1\0"), FAR_BYTES("\5\0")

static void
a_client_asks_for_protocol_host(void **state)
{
	static const struct target target = { .text = "a.test:80", .host = "a.test", .port = 80 };
	static const struct target port = { .text = "80", .port = 80 };
	struct proto_conf c = {
		.proto = &socks_proto, .host = "a.test:80", .host_target = &target
	};
	static const struct kit_move v4[] = { GREETED, FAR_GETS_("\5\1\0\3\6a.test\0\x50"),
		FAR_BYTES("\5\0\0\1\1\2\3\4\0\1hi"), { SCRIPT_DONE, "near", 0, 0, 0 }, STOP_ };
	static const struct kit_move v6[] = { GREETED, FAR_GETS_("\5\1\0\3\6a.test\0\x50"),
		FAR_BYTES("\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1"), DONE_, STOP_ };
	static const struct kit_move name[] = { GREETED, FAR_GETS_("\5\1\0\3\6a.test\0\x50"),
		FAR_BYTES("\5\0\0\3\3abc\0\1"), DONE_, STOP_ };
	static const struct kit_move localhost[] = { GREETED,
		FAR_GETS_("\5\1\0\3\x9localhost\0\x50"), WAITS_, STOP_ };

	(void)state;
	ask("IPv4", &c, v4);
	ask("IPv6", &c, v6);
	ask("name", &c, name);
	c.host_target = &port;
	ask("port", &c, localhost);
}

static void
a_client_asks_for_where_it_was_going(void **state)
{
	static const struct kit_move v4[] = { GREETED, FAR_GETS_("\5\1\0\1\xc0\0\2\7\0\x50"),
		FAR_BYTES("\5\0\0\1\0\0\0\0\0\0"), DONE_, STOP_ };
	static const struct kit_move unknown[] = { GREETED, ENDS_(R_PROTO_CLIENT), STOP_ };

	(void)state;
	kit_facts.wanted = ip4("192.0.2.7", 80);
	ask("IPv4", &conf, v4);
	kit_facts.wanted = (struct addr){ .len = sizeof(kit_facts.wanted.in6),
		.in6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) } };
	memcpy(&kit_facts.wanted.in6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7", 16);
	ask("IPv4 on an IPv6 socket", &conf, v4);
	kit_facts.wanted = (struct addr){ 0 };
	ask("unknown", &conf, unknown);
}

static void
a_client_takes_no_for_an_answer(void **state)
{
	static const struct target target = { .text = "a:80", .host = "a", .port = 80 };
	struct proto_conf c = { .proto = &socks_proto, .host = "a:80", .host_target = &target };
	static const struct kit_move version[] = { FAR_GETS_("\5\1\0"), FAR_BYTES("\4\0"),
		ENDS_(R_PROTO_SERVER), STOP_ };
	static const struct kit_move method[] = { FAR_GETS_("\5\1\0"), FAR_BYTES("\5\xff"),
		ENDS_(R_PROXY_REFUSED), STOP_ };
	static const struct kit_move refused[] = { GREETED, FAR_GETS_("\5\1\0\3\1a\0\x50"),
		FAR_BYTES("\5\2\0\1\0\0\0\0\0\0"), ENDS_(R_PROXY_REFUSED), STOP_ };
	static const struct kit_move kind[] = { GREETED, FAR_GETS_("\5\1\0\3\1a\0\x50"),
		FAR_BYTES("\5\0\0\2\0"), ENDS_(R_PROTO_SERVER), STOP_ };

	(void)state;
	ask("version", &c, version);
	ask("method", &c, method);
	ask("refused", &c, refused);
	ask("kind", &c, kind);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(socks5_connects),
		cmocka_unit_test(socks5_refuses),
		cmocka_unit_test(socks5_names_of_each_length),
		cmocka_unit_test(socks5_tells_of_failure),
		cmocka_unit_test(socks4_connects),
		cmocka_unit_test(socks4_refuses),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(loopback_is_refused_in_every_form),
		cmocka_unit_test(a_client_asks_for_protocol_host),
		cmocka_unit_test(a_client_asks_for_where_it_was_going),
		cmocka_unit_test(a_client_takes_no_for_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
