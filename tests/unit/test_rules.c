/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a client may reach: reading rules, their order, and every form of an address. */
#include "net/special.h"
#include "tunnel/rules.h"

#include "ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;
static struct rules rules;
static char why[512];

static bool
add(const char *line)
{
	struct option_ctx ctx = { .arena = arena };
	const struct option allow = { .name = "allow" }, deny = { .name = "deny" };
	bool denies = strncmp(line, "deny ", 5) == 0;
	bool ok = rules_parse(&ctx, denies ? &deny : &allow, &rules, line + (denies ? 5 : 0));

	snprintf(why, sizeof(why), "%s", ctx.why);
	return ok;
}

/* Lines that begin with "deny " deny; NULL behind the last. */
static void
given(const char *const *lines)
{
	rules = (struct rules){ 0 };
	for (; *lines != NULL; lines++)
		if (!add(*lines))
			fail_msg("%s: %s", *lines, why);
}
#define GIVEN(...) given((const char *const[]){ __VA_ARGS__, NULL })

static enum rules_answer
ask_as(const struct identity *who, bool any_user, const char *host, const char *text, uint16_t port)
{
	struct addr a = ip(text != NULL ? text : "0.0.0.0", port);

	return rules_ask(&rules,
	    &(struct rules_question){ .who = who,
		.any_user = any_user,
		.host = host,
		.port = port,
		.addr = text != NULL ? &a : NULL },
	    NULL);
}

static enum rules_answer
ask(const char *host, const char *text, uint16_t port)
{
	struct addr source = ip("198.51.100.7", 1);

	return ask_as(&(struct identity){ .source = &source }, false, host, text, port);
}

static const char *const special[] = {
	"127.0.0.1",
	"127.1.2.3",
	"0.0.0.0",
	"0.1.2.3",
	"10.0.0.1",
	"100.64.0.1",
	"100.127.255.255",
	"169.254.169.254",
	"172.16.0.1",
	"172.31.255.255",
	"192.0.0.8",
	"192.88.99.1",
	"192.168.1.1",
	"224.0.0.1",
	"239.255.255.250",
	"240.0.0.1",
	"255.255.255.255",
	"::",
	"::1",
	"::127.0.0.1",
	"::8.8.8.8",
	"::ffff:127.0.0.1",
	"::ffff:0.0.0.0",
	"::ffff:10.0.0.1",
	"::ffff:169.254.169.254",
	"::ffff:8.8.8.8",
	"::ffff:0:127.0.0.1",
	"64:ff9b::7f00:1",
	"64:ff9b::8.8.8.8",
	"64:ff9b:1::10.0.0.1",
	"2002:7f00:1::",
	"2002:7f00:1::1",
	"2001:0:7f00:1::",
	"2001::80ff:fffe",
	"100::1",
	"fc00::1",
	"fd00:ec2::254",
	"fe80::1",
	"febf::1",
	"fec0::1",
	"ff02::1",
	"ff0e::1",
};
static const char *const ordinary[] = { "8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0",
	"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "172.15.255.255",
	"172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255", "2001:db8::1",
	"2606:4700::1111", "2001:4860:4860::8888", "2003::1" };

static void
test_nothing_special_is_reached_by_chance(void **state)
{
	static const char *const wide[] = { "* -> *", "* -> *:1-65535", "* -> 0.0.0.0/0",
		"* -> ::/0", "* -> 0.0.0.0/1", "* -> 126.0.0.0/7", "* -> *.test", "* -> a.test",
		"from:0.0.0.0/0 -> *" };

	(void)state;
	for (size_t w = 0; w < COUNT_OF(wide); w++) {
		GIVEN(wide[w]);
		for (size_t i = 0; i < COUNT_OF(special); i++)
			if (ask("a.test", special[i], 80) != RULES_DENY)
				fail_msg("%s lets %s pass", wide[w], special[i]);
	}
	GIVEN("* -> *");
	for (size_t i = 0; i < COUNT_OF(ordinary); i++)
		if (ask(NULL, ordinary[i], 80) != RULES_ALLOW)
			fail_msg("%s is an ordinary address", ordinary[i]);
}

static void
test_special_addresses_can_be_named(void **state)
{
	(void)state;
	GIVEN("* -> *!");
	for (size_t i = 0; i < COUNT_OF(special); i++)
		assert_int_equal(ask(NULL, special[i], 80), RULES_ALLOW);
	GIVEN("* -> *.corp!:443");
	assert_int_equal(ask("db.corp", "10.0.0.1", 443), RULES_ALLOW);
	assert_int_equal(ask("db.corp", "10.0.0.1", 80), RULES_DENY);
	assert_int_equal(ask("db.test", "10.0.0.1", 443), RULES_DENY);
	GIVEN("* -> 10.0.0.0/8");
	assert_int_equal(ask("any.test", "10.1.2.3", 80), RULES_ALLOW);
	assert_int_equal(ask("any.test", "::ffff:10.1.2.3", 80), RULES_ALLOW);
	assert_int_equal(ask("any.test", "64:ff9b::10.1.2.3", 80), RULES_DENY);
	assert_int_equal(ask("any.test", "127.0.0.1", 80), RULES_DENY);
	GIVEN("* -> 127.0.0.1:8080");
	assert_int_equal(ask(NULL, "127.0.0.1", 8080), RULES_ALLOW);
	assert_int_equal(ask(NULL, "127.0.0.2", 8080), RULES_DENY);
	assert_int_equal(ask(NULL, "127.0.0.1", 8081), RULES_DENY);
	assert_int_equal(ask(NULL, "::1", 8080), RULES_DENY);
	GIVEN("* -> localhost:80");
	assert_int_equal(ask("localhost", "::1", 80), RULES_ALLOW);
	assert_int_equal(ask("LocalHost.", "127.0.0.1", 80), RULES_ALLOW);
	assert_int_equal(ask("localhost", "10.0.0.1", 80), RULES_DENY);
	assert_int_equal(ask(NULL, "127.0.0.1", 80), RULES_DENY);
	GIVEN("* -> [::1]:80");
	assert_int_equal(ask(NULL, "::1", 80), RULES_ALLOW);
}

static void
test_denied_networks_have_many_forms(void **state)
{
	static const char *const forms[] = { "192.0.2.1", "::ffff:192.0.2.1", "::192.0.2.1",
		"64:ff9b::192.0.2.1", "64:ff9b:1::192.0.2.1", "2002:c000:201::5",
		"2001:0:4136:e378:8000:63bf:3fff:fdfe" /* RFC 4380's own example: 192.0.2.1 */ };

	(void)state;
	GIVEN("deny * -> 192.0.2.0/24", "* -> *!");
	for (size_t i = 0; i < COUNT_OF(forms); i++)
		assert_int_equal(ask(NULL, forms[i], 80), RULES_DENY);
	assert_int_equal(ask(NULL, "192.0.3.1", 80), RULES_ALLOW);
	assert_int_equal(ask(NULL, "64:ff9b::192.0.3.1", 80), RULES_ALLOW);
}

static void
test_hosts_and_ports(void **state)
{
	(void)state;
	GIVEN("deny * -> bad.Example.com", "* -> *.example.com.:443", "* -> one.test:8000-8010");
	assert_int_equal(ask("www.example.com", "8.8.8.8", 443), RULES_ALLOW);
	assert_int_equal(ask("WWW.EXAMPLE.COM.", "8.8.8.8", 443), RULES_ALLOW);
	assert_int_equal(ask("example.com", "8.8.8.8", 443), RULES_DENY);
	assert_int_equal(ask("wwwexample.com", "8.8.8.8", 443), RULES_DENY);
	assert_int_equal(ask("www.example.com.test", "8.8.8.8", 443), RULES_DENY);
	assert_int_equal(ask("BAD.example.com.", "8.8.8.8", 443), RULES_DENY);
	assert_int_equal(ask("www.example.com", "8.8.8.8", 80), RULES_DENY);
	assert_int_equal(ask("one.test", "8.8.8.8", 7999), RULES_DENY);
	assert_int_equal(ask("one.test", "8.8.8.8", 8000), RULES_ALLOW);
	assert_int_equal(ask("one.test", "8.8.8.8", 8010), RULES_ALLOW);
	assert_int_equal(ask("one.test", "8.8.8.8", 8011), RULES_DENY);
	assert_int_equal(ask(NULL, "8.8.8.8", 443), RULES_DENY);
}

static void
test_the_first_that_fits_decides(void **state)
{
	(void)state;
	GIVEN("* -> 192.0.2.1", "deny * -> 192.0.2.0/24", "* -> *:80");
	assert_int_equal(ask("a.test", "192.0.2.1", 80), RULES_ALLOW);
	assert_int_equal(ask("a.test", "192.0.2.2", 80), RULES_DENY);
	assert_int_equal(ask("a.test", "8.8.8.8", 80), RULES_ALLOW);
	rules = (struct rules){ 0 };
	assert_int_equal(ask("a.test", "8.8.8.8", 80), RULES_DENY);
}

static void
test_before_the_address_is_known(void **state)
{
	(void)state;
	GIVEN("deny * -> evil.test", "* -> 192.0.2.0/24:80", "* -> *.test:443");
	assert_int_equal(ask("evil.test", NULL, 443), RULES_DENY);
	assert_int_equal(ask("a.test", NULL, 443), RULES_DEPENDS);
	assert_int_equal(ask("a.other", NULL, 443), RULES_DENY);
	assert_int_equal(ask("a.other", NULL, 80), RULES_DEPENDS);
}

static void
test_who(void **state)
{
	struct peer_name names[] = { { PEER_ID_CN, (char *)"Alice" },
		{ PEER_ID_SAN, (char *)"spiffe://corp/web" }, { PEER_ID_SAN, (char *)"a.corp" } };
	struct peer_id cert = { .spki = { 0xab, 1 }, .count = 3, .names = names };
	struct addr source = ip("192.0.2.7", 1), other = ip("192.0.3.7", 1);
	struct identity nobody = { .source = &other }, alice = { &source, &cert, "alice" };
	static const struct {
		const char *rule;
		bool alice, nobody, helped;
	} cases[] = {
		{ "* -> *", true, true, true },
		{ "user:alice -> *", true, false, true },
		{ "user:* -> *", true, false, true },
		{ "user:bob -> *", false, false, true },
		{ "user:ALICE -> *", false, false, true },
		{ "cn:Alice -> *", true, false, false },
		{ "cn:Ali -> *", false, false, false },
		{ "cn:A* -> *", true, false, false },
		{ "san:spiffe://corp/* -> *", true, false, false },
		{ "san:*.corp -> *", true, false, false },
		{ "san:Alice -> *", false, false, false },
		{ "spki:ab:01:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:"
		  "00:00:00:00:00:00:00 -> *",
		    true, false, false },
		{ "spki:ab02000000000000000000000000000000000000000000000000000000000000 -> *",
		    false, false, false },
		{ "from:192.0.2.0/24 -> *", true, false, false },
		{ "from:192.0.3.7 -> *", false, true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GIVEN(cases[i].rule);
		if ((ask_as(&alice, false, NULL, "8.8.8.8", 1) == RULES_ALLOW) != cases[i].alice ||
		    (ask_as(&nobody, false, NULL, "8.8.8.8", 1) == RULES_ALLOW) !=
			cases[i].nobody ||
		    (ask_as(&nobody, true, NULL, "8.8.8.8", 1) == RULES_ALLOW) != cases[i].helped)
			fail_msg("%s", cases[i].rule);
	}
}

static void
test_what_is_no_rule(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "*", "there is no ->" },
		{ " -> *", "names nobody" },
		{ "alice -> *", "names nobody" },
		{ "user: -> *", "names nobody" },
		{ "from:10.0.0.1/8 -> *", "10.0.0.0/8" },
		{ "spki:12 -> *", "hash of a public key" },
		{ "* -> ", "neither a host nor a network" },
		{ "* -> a b", "neither a host nor a network" },
		{ "* -> a..b", "neither a host nor a network" },
		{ "* -> 10.0.*", "neither a host nor a network" },
		{ "* -> 10.1", "not a network" },
		{ "* -> 0x7f.1", "not a network" },
		{ "* -> 10.0.0.0/33", "number from 0 to 32" },
		{ "* -> a:0", "no port" },
		{ "* -> a:65536", "no port" },
		{ "* -> a:80-79", "no port" },
		{ "* -> a:http", "no port" },
		{ "* -> [::1", "not a network" },
		{ "* -> http://a", "no port" },
		{ "* -> *!!", "neither a host nor a network" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		rules = (struct rules){ 0 };
		if (add(cases[i].line) || strstr(why, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].line, why);
	}
}

static void
test_forms_of_where(void **state)
{
	static const char *const forms[] = { "* -> 2001:db8::/32", "*->[2001:db8::/32]:80",
		"* -> [2001:db8::]/32:80", "* -> 2001:db8::/32:80", "* ->  [2001:db8::1]:1-100",
		"* -> 2001:db8::1", "* -> *:*", "* -> *:80" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		GIVEN(forms[i]);
		if (ask(NULL, "2001:db8::1", 80) != RULES_ALLOW)
			fail_msg("%s", forms[i]);
	}
}

static int
set_up(void **state)
{
	(void)state;
	return (arena = arena_new()) == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_special_is_reached_by_chance),
		cmocka_unit_test(test_special_addresses_can_be_named),
		cmocka_unit_test(test_denied_networks_have_many_forms),
		cmocka_unit_test(test_hosts_and_ports),
		cmocka_unit_test(test_the_first_that_fits_decides),
		cmocka_unit_test(test_before_the_address_is_known),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_what_is_no_rule),
		cmocka_unit_test(test_forms_of_where),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
