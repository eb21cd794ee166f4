/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of vpnUsers: good ones, and bad ones named without their secret. */
#include "kit/memory.h"
#include "tunnel/vpn_users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

/* One file in memory. */
struct listener {
	struct sink sink;
	char said[1024];
};

static void
say(struct sink *sink, bool fatal, const char *option, const char *text)
{
	struct listener *l = (struct listener *)sink;
	size_t n = strlen(l->said);

	(void)fatal;
	assert_string_equal(option, "vpnUsers");
	(void)snprintf(l->said + n, sizeof(l->said) - n, "%s\n", text);
}

static struct vpn_users *
load(const char *text, mode_t mode, struct listener *l)
{
	struct memory m = memory_of(text, strlen(text));

	m.mode = mode;
	*l = (struct listener){ .sink.say = say };
	return vpn_users_read(&m.files, "users", &l->sink);
}

static void
test_good_lines(void **state)
{
	static const uint8_t hash[16] = { 0x88, 0x46, 0xf7, 0xea, 0xee, 0x8f, 0xb1, 0x17, 0xad,
		0x06, 0xbd, 0xd8, 0x30, 0xb7, 0x58, 0x6c };
	struct listener l;
	struct vpn_users *u = load("# people\r\n\n"
				   "zoe:a:secret: with colons\n"
				   "  bob:$nt$8846f7eaee8fb117ad06bdd830b7586c:10.66.0.7\r\n"
				   "carol:x:300.1.1.1\n"
				   "alice@home:p w:10.66.0.9",
	    0600, &l);
	const struct vpn_user *user;

	(void)state;
	assert_non_null(u);
	assert_string_equal(l.said, "");
	user = vpn_users_find(u, "zoe");
	assert_string_equal(user->secret.clear, "a:secret: with colons");
	assert_int_equal(user->address.s_addr, 0);
	user = vpn_users_find(u, "bob");
	assert_null(user->secret.clear);
	assert_memory_equal(user->secret.hash, hash, sizeof(hash));
	assert_int_equal(user->address.s_addr, inet_addr("10.66.0.7"));
	assert_string_equal(vpn_users_find(u, "carol")->secret.clear, "x:300.1.1.1");
	assert_string_equal(vpn_users_find(u, "alice@home")->secret.clear, "p w");
	assert_null(vpn_users_find(u, "Bob"));
	assert_null(vpn_users_find(u, ""));
	assert_true(vpn_users_own(u, (struct in_addr){ inet_addr("10.66.0.9") }));
	assert_false(vpn_users_own(u, (struct in_addr){ inet_addr("10.66.0.8") }));
	assert_non_null(vpn_users_at(u, 3));
	assert_null(vpn_users_at(u, 4));
	vpn_users_free(u);
}

static void
test_bad_lines(void **state)
{
	static const struct {
		const char *text, *complaint;
	} known[] = {
		{ "alice\n", "users:1: write user:secret" },
		{ ":hunter2\n", "users:1: write user:secret" },
		{ "# x\nalice:\n", "users:2: the secret is empty" },
		{ "alice::10.0.0.1\n", "users:1: the secret is empty" },
		{ "alice:$nt$12hunter2\n", "users:1: behind $nt$" },
		{ "alice:hunter2\nalice:hunter2\n", "has a line already" },
		{ "alice:hunter2:10.0.0.2\nbob:hunter2:10.0.0.2\n",
		    "two users have the address 10.0.0.2" },
	};
	struct listener l;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		assert_null(load(known[i].text, 0600, &l));
		assert_non_null(strstr(l.said, known[i].complaint));
		assert_null(strstr(l.said, "hunter2"));
	}
}

static void
test_others_must_not_read_it(void **state)
{
	struct listener l;
	struct vpn_users *u;

	(void)state;
	assert_null(load("alice:secret\n", 0604, &l));
	assert_non_null(strstr(l.said, "everybody can read users"));
	assert_null(load("alice:secret\n", 0602, &l));
	u = load("alice:secret\n", 0640, &l);
	assert_non_null(u);
	vpn_users_free(u);
}

static void
test_nobody(void **state)
{
	struct listener l;
	struct vpn_users *u = load("# nobody yet\n", 0600, &l);

	(void)state;
	assert_non_null(u);
	assert_non_null(strstr(l.said, "names nobody"));
	vpn_users_free(u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_others_must_not_read_it),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
