/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_addr.c -- addresses as a configuration writes them, good beside bad. */
#include "net/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;

static int
setup(void **state)
{
	(void)state;
	return (arena = arena_new()) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* A path of `n` bytes. */
static const char *
path_of(size_t n)
{
	static char path[256];

	memset(path, 'p', n);
	path[0] = '/';
	path[n] = '\0';
	return path;
}

static void
forms_that_are_read(void **state)
{
	static const struct {
		const char *text, *host, *path, *numeric; /* numeric: as addr_text() prints it */
		uint16_t port;
	} cases[] = {
		{ "443", NULL, NULL, NULL, 443 },
		{ "1", NULL, NULL, NULL, 1 },
		{ "65535", NULL, NULL, NULL, 65535 },
		{ "0", NULL, NULL, NULL, 0 },
		{ "https", NULL, NULL, NULL, 443 },
		{ "127.0.0.1:25", "127.0.0.1", NULL, "127.0.0.1:25", 25 },
		{ "0.0.0.0:0", "0.0.0.0", NULL, "0.0.0.0:0", 0 },
		{ "255.10.9.100:65535", "255.10.9.100", NULL, "255.10.9.100:65535", 65535 },
		{ "localhost:imaps", "localhost", NULL, NULL, 993 },
		{ "mail.example.org:smtp", "mail.example.org", NULL, NULL, 25 },
		{ "under_score-1.test.:25", "under_score-1.test.", NULL, NULL, 25 },
		{ "::1:443", "::1", NULL, "::1:443", 443 },
		{ "[::1]:443", "::1", NULL, "::1:443", 443 },
		{ ":::443", "::", NULL, ":::443", 443 },
		{ "[::]:443", "::", NULL, ":::443", 443 },
		{ "2001:db8::7:8443", "2001:db8::7", NULL, "2001:db8::7:8443", 8443 },
		{ "::ffff:192.0.2.1:25", "::ffff:192.0.2.1", NULL, "::ffff:192.0.2.1:25", 25 },
		{ "[fe80::1%lo]:25", "fe80::1%lo", NULL, "fe80::1%lo:25", 25 },
		{ "/run/x.sock", NULL, "/run/x.sock", "localhost:/run/x.sock", 0 },
		{ "/run/a:25", NULL, "/run/a:25", "localhost:/run/a:25", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct target t;
		char why[256] = "", text[ADDR_TEXT];

		if (!target_parse(arena, cases[i].text, &t, why, sizeof(why)))
			fail_msg("%s: %s", cases[i].text, why);
		assert_string_equal(t.text, cases[i].text);
		assert_int_equal(t.port, cases[i].port);
		assert_int_equal(t.host == NULL, cases[i].host == NULL);
		if (t.host != NULL)
			assert_string_equal(t.host, cases[i].host);
		assert_int_equal(t.path == NULL, cases[i].path == NULL);
		if (t.path != NULL)
			assert_string_equal(t.path, cases[i].path);
		assert_int_equal(t.numeric.len == 0, cases[i].numeric == NULL);
		if (cases[i].numeric != NULL)
			assert_string_equal(addr_text(&t.numeric, text), cases[i].numeric);
	}
}

static void
forms_that_are_refused(void **state)
{
	static const struct {
		const char *text, *why; /* a piece of the message */
	} cases[] = {
		{ "", "port is missing" },
		{ "host:", "port is missing" },
		{ "70000", "1 to 65535" },
		{ "65536", "1 to 65535" },
		{ "00", "1 to 65535" },
		{ "025000", "1 to 65535" },
		{ "-1", "1 to 65535" },
		{ "+25", "1 to 65535" },
		{ "25x", "1 to 65535" },
		{ " 25", "neither a port nor a TCP service" },
		{ "127.0.0.1", "1 to 65535" },
		{ "nosuchservice", "nosuchservice" },
		{ "host:nosuchservice", "write HOST:PORT" },
		{ ":443", "write PORT alone" },
		{ "[]:443", "host before the port is empty" },
		{ "[::1]", "[ADDRESS]:PORT" },
		{ "[::1", "[ADDRESS]:PORT" },
		{ "[::1:443", "[ADDRESS]:PORT" },
		{ "[127.0.0.1]:25", "not an IPv6 address" },
		{ "[name]:25", "not an IPv6 address" },
		{ "1:2:25", "not an IPv6 address" },
		{ "host name:25", "not a host name" },
		{ "h\xc3\xb6st:25", "not a host name" },
		{ ".host:25", "not a host name" },
		{ "http://host:80", "not an IPv6 address" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct target t;
		char why[256] = "";

		if (target_parse(arena, cases[i].text, &t, why, sizeof(why)))
			fail_msg("\"%s\" was accepted", cases[i].text);
		if (strstr(why, cases[i].why) == NULL)
			fail_msg("\"%s\": the message is: %s", cases[i].text, why);
	}
}

static void
a_unix_path_must_fit(void **state)
{
	size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	struct target t;
	char why[256] = "", text[ADDR_TEXT];

	(void)state;
	assert_true(target_parse(arena, path_of(most), &t, why, sizeof(why)));
	assert_int_equal(strlen(addr_text(&t.numeric, text)), strlen("localhost:") + most);
	assert_false(target_parse(arena, path_of(most + 1), &t, why, sizeof(why)));
	assert_non_null(strstr(why, "at most 107 bytes"));
}

static void
a_long_host_is_refused(void **state)
{
	char text[300], why[512];
	struct target t;

	(void)state;
	memset(text, 'h', 254);
	strcpy(text + 253, ":25");
	assert_true(target_parse(arena, text, &t, why, sizeof(why)));
	memset(text, 'h', 254);
	strcpy(text + 254, ":25");
	assert_false(target_parse(arena, text, &t, why, sizeof(why)));
}

static size_t
look_up(const char *text, bool passive, struct addr *out, size_t max, char *why, size_t size)
{
	struct target t;

	assert_true(target_parse(arena, text, &t, why, size));
	return target_lookup(&t, passive, out, max, why, size);
}

static void
a_missing_host_is_everywhere_or_here(void **state)
{
	struct addr found[8];
	char why[256];
	size_t n;

	(void)state;
	n = look_up("443", true, found, COUNT_OF(found), why, sizeof(why));
	assert_true(n >= 1);
	while (n-- > 0) {
		assert_true(addr_is_wildcard(&found[n]));
		assert_int_equal(addr_port(&found[n]), 443);
	}
	n = look_up("25", false, found, COUNT_OF(found), why, sizeof(why));
	assert_true(n >= 1);
	while (n-- > 0) {
		assert_false(addr_is_wildcard(&found[n]));
		assert_true(addr_is_local(&found[n]));
		assert_int_equal(addr_port(&found[n]), 25);
	}
}

static void
names_are_looked_up(void **state)
{
	struct addr found[8];
	char why[256] = "", text[ADDR_TEXT];

	(void)state;
	assert_int_equal(look_up("127.0.0.9:7", true, found, 8, why, sizeof(why)), 1);
	assert_string_equal(addr_text(&found[0], text), "127.0.0.9:7");
	assert_int_equal(look_up("/a", false, found, 8, why, sizeof(why)), 1);
	assert_true(addr_is_unix(&found[0]));
	assert_true(look_up("localhost:7", false, found, 1, why, sizeof(why)) == 1);
	assert_int_equal(addr_port(&found[0]), 7);
	/* RFC 6761 6.4: this name never exists. */
	assert_int_equal(look_up("no-such-host.invalid:7", false, found, 8, why, sizeof(why)), 0);
	assert_non_null(strstr(why, "Error resolving \"no-such-host.invalid\": "));
}

static void
equality(void **state)
{
	static const char *const texts[] = { "127.0.0.1:25", "127.0.0.1:26", "127.0.0.2:25",
		"::1:25", "::1:26", "[::]:25", "/a", "/ab" };
	struct target t[COUNT_OF(texts)];
	struct addr none = { .len = 0 };
	char why[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		assert_true(target_parse(arena, texts[i], &t[i], why, sizeof(why)));
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		for (size_t k = 0; k < COUNT_OF(texts); k++)
			assert_int_equal(addr_equal(&t[i].numeric, &t[k].numeric), i == k);
	assert_true(addr_equal(&none, &none));
	assert_false(addr_equal(&none, &t[0].numeric));
	assert_true(addr_is_wildcard(&t[5].numeric));
	assert_false(addr_is_wildcard(&t[0].numeric));
	assert_false(addr_is_wildcard(&none));
}

static void
addresses_without_a_name(void **state)
{
	struct addr none = { .len = 0 };
	struct addr unnamed = { .len = sizeof(sa_family_t), .un.sun_family = AF_UNIX };
	char text[ADDR_TEXT];

	(void)state;
	assert_string_equal(addr_text(&none, text), "no address");
	assert_string_equal(addr_text(&unnamed, text), "unnamed socket");
	assert_int_equal(addr_port(&unnamed), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_that_are_read),
		cmocka_unit_test(forms_that_are_refused),
		cmocka_unit_test(a_unix_path_must_fit),
		cmocka_unit_test(a_long_host_is_refused),
		cmocka_unit_test(a_missing_host_is_everywhere_or_here),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(equality),
		cmocka_unit_test(addresses_without_a_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
