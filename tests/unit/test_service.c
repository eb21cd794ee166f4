/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_service.c -- the options of a service: what each line makes of the record. */
#include "tunnel/service.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include <cmocka.h>

static struct arena *arena;
static struct option_ctx ctx;
static struct service_conf conf;

static int
setup(void **state)
{
	(void)state;
	if ((arena = arena_new()) == NULL)
		return -1;
	ctx = (struct option_ctx){ .arena = arena };
	return service_init(arena, &conf) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const struct option *
find(const struct option *table, const char *name)
{
	for (; table->name != NULL; table++)
		if (strcasecmp(table->name, name) == 0)
			return table;
	return NULL;
}

/* The first set is the tunnels' own. */
static bool
line(const char *name, const char *value)
{
	const struct option *o = find(service_sets[0].table, name);

	if (o == NULL)
		fail_msg("there is no option %s", name);
	ctx.why[0] = '\0';
	return o->parse(&ctx, o, (char *)&conf + service_sets[0].offset + o->offset, value);
}

static void
must(const char *name, const char *value)
{
	if (!line(name, value))
		fail_msg("%s = %s: %s", name, value, ctx.why);
}

static void
set_defaults(void)
{
	for (const struct option *o = service_sets[0].table; o->name != NULL; o++)
		if (o->def != NULL)
			must(o->name, o->def);
}

static void
every_option_is_whole_and_there_once(void **state)
{
	(void)state;
	for (const struct option_set *s = service_sets; s->title != NULL; s++) {
		for (const struct option *o = s->table; o->name != NULL; o++) {
			if (o->doc == NULL || o->arg == NULL || o->scope != OPTION_SERVICE)
				fail_msg("%s lacks a text, a value's name or a scope", o->name);
			if (find(o + 1, o->name) != NULL)
				fail_msg("%s is there twice", o->name);
			for (const struct option_set *t = s + 1; t->title != NULL; t++)
				if (find(t->table, o->name) != NULL)
					fail_msg("%s is in two tables", o->name);
		}
	}
}

static void
defaults(void **state)
{
	(void)state;
	set_defaults();
	assert_false(conf.client);
	assert_int_equal(conf.accept_tls, TRI_UNSET);
	assert_int_equal(conf.connect_tls, TRI_UNSET);
	assert_int_equal(conf.failover, FAILOVER_PRIO);
	assert_true(conf.reset);
	assert_false(conf.strict_close);
	assert_false(conf.delay);
	assert_int_equal(conf.log_level, LOG_NOTICE);
	assert_int_equal(conf.log_id, LOG_ID_SEQUENTIAL);
	assert_int_equal(conf.uid, -1);
	assert_int_equal(conf.gid, -1);
	assert_int_equal(conf.busy_ms, 300 * 1000);
	assert_int_equal(conf.connect_ms, 10 * 1000);
	assert_int_equal(conf.idle_ms, 43200 * 1000);
	assert_int_equal(conf.close_ms, 60 * 1000);
	assert_int_equal(conf.near.security_level, -1);
	assert_int_equal(conf.far.security_level, -1);
	for (unsigned side = 0; side < SOCK_SIDES; side++)
		assert_int_equal(conf.sock.side[side].n, 1);
}

static void
which_side_speaks_tls(void **state)
{
	static const struct {
		const char *client, *accept_tls, *connect_tls;
		bool near, far;
	} cases[] = {
		{ "no", NULL, NULL, true, false },
		{ "yes", NULL, NULL, false, true },
		{ "no", NULL, "yes", true, true },
		{ "yes", "yes", NULL, true, true },
		{ "no", "no", NULL, false, false },
		{ "yes", NULL, "no", false, false },
		{ "no", "yes", "no", true, false },
		{ "no", "no", "yes", false, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_true(service_init(arena, &conf));
		/* The order of the lines must not matter here. */
		if (cases[i].accept_tls != NULL)
			must("acceptTLS", cases[i].accept_tls);
		must("client", cases[i].client);
		if (cases[i].connect_tls != NULL)
			must("connectTLS", cases[i].connect_tls);
		assert_int_equal(service_accepts_tls(&conf), cases[i].near);
		assert_int_equal(service_connects_tls(&conf), cases[i].far);
	}
}

static void
targets_add_up_and_copies_stay_as_they_are(void **state)
{
	struct service_conf section;

	(void)state;
	must("connect", "127.0.0.1:25");
	section = conf;
	must("connect", "[::1]:26");
	must("connect", "/run/x");
	assert_int_equal(conf.connect.n, 3);
	assert_string_equal(conf.connect.v[0].text, "127.0.0.1:25");
	assert_string_equal(conf.connect.v[2].path, "/run/x");
	assert_int_equal(section.connect.n, 1);
	must("accept", "465");
	must("accept", "127.0.0.1:0");
	assert_int_equal(conf.accept.n, 2);
	assert_int_equal(conf.accept.v[0].port, 465);
}

static void
local_prefers_ipv4(void **state)
{
	char text[ADDR_TEXT];

	(void)state;
	must("local", "127.0.0.2");
	assert_string_equal(addr_text(conf.local, text), "127.0.0.2:0");
	must("local", "::1");
	assert_string_equal(addr_text(conf.local, text), "::1:0");
	must("local", "[::1]");
	assert_string_equal(addr_text(conf.local, text), "::1:0");
	must("local", "localhost");
	assert_string_equal(addr_text(conf.local, text), "127.0.0.1:0");
}

static void
accounts_are_names_or_numbers(void **state)
{
	struct passwd *daemon = getpwnam("daemon");
	struct group *group = getgrnam("daemon");

	(void)state;
	must("setuid", "1234");
	assert_int_equal(conf.uid, 1234);
	must("setgid", "4321");
	assert_int_equal(conf.gid, 4321);
	must("setuid", "0");
	assert_int_equal(conf.uid, -1);
	must("setgid", "root");
	assert_int_equal(conf.gid, -1);
	assert_non_null(daemon);
	must("setuid", "daemon");
	assert_int_equal(conf.uid, daemon->pw_uid);
	assert_non_null(group);
	must("setgid", "daemon");
	assert_int_equal(conf.gid, group->gr_gid);
}

static void
words_and_numbers(void **state)
{
	(void)state;
	must("failover", "RR");
	assert_int_equal(conf.failover, FAILOVER_RR);
	must("logId", "thread");
	assert_int_equal(conf.log_id, LOG_ID_THREAD);
	must("debug", "7");
	assert_int_equal(conf.log_level, LOG_DEBUG);
	must("service", "mail");
	assert_string_equal(conf.name, "mail");
	must("TIMEOUTidle", "0");
	assert_int_equal(conf.idle_ms, 0);
	must("timeoutidle", "2147483");
	assert_int_equal(conf.idle_ms, 2147483000);
	must("TIMEOUTidle", "-1");
	assert_int_equal(conf.idle_ms, INT_MAX);
	must("strictClose", "yes");
	assert_true(conf.strict_close);
	must("socket", "r:SO_KEEPALIVE=1");
	assert_int_equal(conf.sock.side[SOCK_REMOTE].n, 2);
}

static void
bad_values_say_what_to_write(void **state)
{
	static const struct {
		const char *name, *value, *why;
	} cases[] = {
		{ "accept", "70000", "1 to 65535" },
		{ "accept", "", "port is missing" },
		{ "connect", "host", "neither a port" },
		{ "connect", "0", "port 0" },
		{ "connect", "host:0", "port 0" },
		{ "client", "true", "yes or no" },
		{ "acceptTLS", "unset", "yes or no" },
		{ "failover", "random", "prio or rr" },
		{ "local", "", "without a port" },
		{ "local", "/run/x", "without a port" },
		{ "local", "no-such-host.invalid", "no-such-host.invalid" },
		{ "local", "127.0.0.1:25", "127.0.0.1:25" },
		{ "logId", "pid", "sequential, unique, thread or process" },
		{ "service", "", "empty" },
		{ "setuid", "no-such-user", "/etc/passwd" },
		{ "setuid", "-1", "/etc/passwd" },
		{ "setuid", "", "/etc/passwd" },
		{ "setuid", "4294967295", "/etc/passwd" },
		{ "setgid", "no-such-group", "/etc/group" },
		{ "TIMEOUTidle", "-5", "from -1" },
		{ "TIMEOUTbusy", "-2", "from -1" },
		{ "TIMEOUTclose", "99999999999999", "from -1" },
		{ "TIMEOUTconnect", "10s", "from -1" },
		{ "TIMEOUTconnect", "", "from -1" },
		{ "socket", "l:HORSE=1", "-sockets" },
		{ "debug", "8", "" },
		{ "debug", "daemon.", "" },
		{ "debug", "local0.notice", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (line(cases[i].name, cases[i].value))
			fail_msg("%s = %s was accepted", cases[i].name, cases[i].value);
		if (ctx.why[0] == '\0' || strstr(ctx.why, cases[i].why) == NULL)
			fail_msg(
			    "%s = %s: the message is: %s", cases[i].name, cases[i].value, ctx.why);
	}
}

static void
the_sides_have_records_of_their_own(void **state)
{
	const struct option_set *tls = &service_sets[1];
	const struct option *cert = find(tls->table, "cert");
	char *record = (char *)&conf;

	(void)state;
	assert_string_equal(tls->prefix, "accept.");
	assert_string_equal(tls->prefix2, "connect.");
	assert_true(cert->parse(&ctx, cert, record + tls->offset + cert->offset, "near.pem"));
	assert_true(cert->parse(&ctx, cert, record + tls->offset2 + cert->offset, "far.pem"));
	assert_string_equal(conf.near.cert, "near.pem");
	assert_string_equal(conf.far.cert, "far.pem");
	for (const struct option_set *set = service_sets; set->title != NULL; set++)
		assert_non_null(set->table);
}

/* Else a process that has given its privileges up could not read them again. */
static void
options_that_name_files_say_so(void **state)
{
	(void)state;
	for (const struct option_set *set = service_sets; set->title != NULL; set++)
		for (const struct option *o = set->table; o->name != NULL; o++) {
			if (o->arg == NULL)
				continue;
			if (strcmp(o->arg, "FILE") == 0)
				assert_int_equal(o->reads, OPTION_READS_FILE);
			if (strcmp(o->arg, "DIRECTORY") == 0)
				assert_int_equal(o->reads, OPTION_READS_DIRECTORY);
		}
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(every_option_is_whole_and_there_once),
		CASE(defaults),
		CASE(which_side_speaks_tls),
		CASE(targets_add_up_and_copies_stay_as_they_are),
		CASE(local_prefers_ipv4),
		CASE(accounts_are_names_or_numbers),
		CASE(words_and_numbers),
		CASE(bad_values_say_what_to_write),
		CASE(options_that_name_files_say_so),
		CASE(the_sides_have_records_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
