/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_netset.c -- networks as a configuration writes them, and who is in them. */
#include "net/netset.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct addr
address(const char *text)
{
	struct addr v4 = { .len = sizeof(v4.in), .in.sin_family = AF_INET };
	struct addr v6 = { .len = sizeof(v6.in6), .in6.sin6_family = AF_INET6 };
	struct addr local = { .len = sizeof(local.un), .un.sun_family = AF_UNIX };

	if (strcmp(text, "unix") == 0)
		return local;
	if (inet_pton(AF_INET, text, &v4.in.sin_addr) == 1)
		return v4;
	assert_int_equal(inet_pton(AF_INET6, text, &v6.in6.sin6_addr), 1);
	return v6;
}

static struct network
network(const char *text)
{
	struct network net;
	char why[256] = "";

	if (!network_parse(text, strlen(text), &net, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
	return net;
}

static void
who_is_in_a_network(void **state)
{
	static const struct {
		const char *net, *in[6], *out[8];
	} cases[] = {
		{ "192.0.2.0/24", { "192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7" },
		    { "192.0.1.255", "192.0.3.0", "::192.0.2.7", "2001:db8::1", "unix" } },
		{ "192.0.2.1", { "192.0.2.1", "::ffff:192.0.2.1" }, { "192.0.2.0", "192.0.2.2" } },
		{ "10.128.0.0/9", { "10.128.0.0", "10.255.255.255" },
		    { "10.127.255.255", "11.128.0.0" } },
		{ "192.0.2.248/29", { "192.0.2.248", "192.0.2.255" },
		    { "192.0.2.247", "192.0.3.0" } },
		{ "0.0.0.0/0", { "0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4" },
		    { "::", "::1", "unix" } },
		{ "2001:db8::/32", { "2001:db8::", "2001:db8:ffff::1" },
		    { "2001:db7:ffff::", "2001:db9::", "32.1.13.184" } },
		{ "2001:db8::/33", { "2001:db8:7fff::" }, { "2001:db8:8000::" } },
		{ "[::1]", { "::1" }, { "::2", "127.0.0.1" } },
		{ "[2001:db8::]/32", { "2001:db8::1" }, { "::1" } },
		{ "::/0", { "::", "2001:db8::1" }, { "192.0.2.1", "::ffff:192.0.2.1", "unix" } },
		{ "::ffff:192.0.2.0/120", { "192.0.2.9", "::ffff:192.0.2.9" }, { "192.0.3.9" } },
		{ "::ffff:192.0.2.1", { "192.0.2.1" }, { "192.0.2.2" } },
		{ "unix", { "unix" }, { "127.0.0.1", "::1" } },
	};
	const struct network nothing = { 0 };
	const struct addr none = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct network net = network(cases[i].net);

		for (size_t k = 0; k < COUNT_OF(cases[i].in) && cases[i].in[k] != NULL; k++) {
			struct addr a = address(cases[i].in[k]);

			if (!network_holds(&net, &a))
				fail_msg("%s is not in %s", cases[i].in[k], cases[i].net);
			assert_false(network_holds(&nothing, &a));
		}
		for (size_t k = 0; k < COUNT_OF(cases[i].out) && cases[i].out[k] != NULL; k++) {
			struct addr a = address(cases[i].out[k]);

			if (network_holds(&net, &a))
				fail_msg("%s is in %s", cases[i].out[k], cases[i].net);
		}
		assert_false(network_holds(&net, &none));
	}
}

static void
what_is_no_network(void **state)
{
	static const struct {
		const char *text, *why; /* a piece of the message */
	} cases[] = {
		{ "", "not a network" },
		{ "/", "not a network" },
		{ "/8", "not a network" },
		{ "host.test", "not a network" },
		{ "127.1", "not a network" },
		{ "0177.0.0.1", "not a network" },
		{ "0x7f.0.0.1", "not a network" },
		{ "2130706433", "not a network" },
		{ "10.0.0.0.0/8", "not a network" },
		{ "10.0.0/8", "not a network" },
		{ "fe80::1%lo", "not a network" },
		{ "[192.0.2.1]", "not a network" },
		{ "[::1", "not a network" },
		{ "::1]", "not a network" },
		{ "[]", "not a network" },
		{ "192.0.2.1:25", "not a network" },
		{ " 192.0.2.1", "not a network" },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222/64",
		    "not a network" },
		{ "192.0.2.0/33", "from 0 to 32" },
		{ "192.0.2.0/", "from 0 to 32" },
		{ "192.0.2.0/-1", "from 0 to 32" },
		{ "192.0.2.0/24/8", "from 0 to 32" },
		{ "192.0.2.0/255.255.255.0", "from 0 to 32" },
		{ "::/129", "from 0 to 128" },
		{ "192.0.2.7/24", "192.0.2.0/24" },
		{ "10.128.0.0/8", "10.0.0.0/8" },
		{ "2001:db8::1/32", "2001:db8::/32" },
		{ "::ffff:192.0.2.7/120", "192.0.2.0/24" },
	};
	struct network net;
	char why[512];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (network_parse(cases[i].text, strlen(cases[i].text), &net, why, sizeof(why)))
			fail_msg("\"%s\" was taken", cases[i].text);
		if (strstr(why, cases[i].why) == NULL)
			fail_msg("\"%s\": the message is: %s", cases[i].text, why);
	}
	assert_false(network_parse("10.0.0.0/8\0/9", 13, &net, why, sizeof(why)));
	assert_true(network_parse("10.0.0.0/8 -> *", 10, &net, why, sizeof(why)));
	assert_int_equal(net.prefix, 8);
}

static void
a_list_grows_by_a_copy(void **state)
{
	struct option_ctx ctx = { .arena = arena_new() };
	struct netset first = { 0 }, second;
	const struct addr v4 = address("192.0.2.9"), v6 = address("::1"),
			  other = address("10.0.0.1");

	(void)state;
	assert_true(netset_parse(&ctx, NULL, &first, "192.0.2.0/24, ::1"));
	second = first;
	assert_true(netset_parse(&ctx, NULL, &second, "10.0.0.0/8"));
	assert_int_equal(first.n, 2);
	assert_int_equal(second.n, 3);
	assert_true(netset_holds(&first, &v4) && netset_holds(&first, &v6));
	assert_false(netset_holds(&first, &other));
	assert_true(netset_holds(&second, &v4) && netset_holds(&second, &other));
	assert_false(netset_parse(&ctx, NULL, &first, " , "));
	assert_non_null(strstr(ctx.why, "is empty"));
	assert_false(netset_parse(&ctx, NULL, &first, "10.0.0.0/8 nonsense"));
	assert_non_null(strstr(ctx.why, "\"nonsense\" is not a network"));
	arena_free(ctx.arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_in_a_network),
		cmocka_unit_test(what_is_no_network),
		cmocka_unit_test(a_list_grows_by_a_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
