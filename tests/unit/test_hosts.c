/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_hosts.c -- who serves a client that asks for a name. */
#include "tunnel/hosts.h"

#include "tls/alpn.h"
#include "tunnel/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { SERVICES = 8 };
static struct service services[SERVICES];
static struct service_conf confs[SERVICES];
static struct hosts *hosts;

static int
setup(void **state)
{
	static const char *const names[SERVICES] = { "main", "1", "2", "3", "4", "5", "6", "7" };

	(void)state;
	memset(services, 0, sizeof(services));
	memset(confs, 0, sizeof(confs));
	for (unsigned i = 0; i < SERVICES; i++) {
		confs[i].name = names[i];
		services[i].conf = &confs[i];
	}
	return (hosts = hosts_new()) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	hosts_free(hosts);
	return 0;
}

/* services[1], services[2], ... have these patterns. */
static void
add(const char *const *patterns)
{
	for (unsigned i = 0; patterns[i] != NULL; i++)
		assert_true(hosts_add(hosts, patterns[i], &services[i + 1]));
}

/* The number of the service that has `name`; 0: none. */
static unsigned
found(const char *name)
{
	const struct service *s = hosts_find(hosts, name);

	return s == NULL ? 0 : (unsigned)(s - services);
}

/* Who serves a client of services[0] that asks for `name`; `offer`: a list of ALPN. */
static struct service *
choose_by(const char *name, const char *offer)
{
	const struct log_ctx quiet = { .level = LOG_EMERG };
	struct hello hello = { .alpn_len = strlen(offer) };

	strcpy(hello.sni, name);
	memcpy(hello.alpn, offer, hello.alpn_len);
	return hosts_choose(&services[0], &hello, &quiet);
}

static struct service *
choose(const char *name)
{
	return choose_by(name, "");
}

static void
names_and_ends_match_as_in_the_incumbent(void **state)
{
	static const char *const patterns[] = { "www.a.com", "*.a.com", "*b.com", "C.com", "d.com.",
		"*.E.com.", NULL };
	static const struct {
		const char *name;
		unsigned service;
	} rows[] = {
		{ "www.a.com", 1 },
		{ "WWW.A.Com", 1 },
		{ "www.a.com.", 1 },
		{ "x.a.com", 2 },
		{ "x.y.a.com", 2 },
		{ ".a.com", 2 },
		{ "a.com", 0 },
		{ "xa.com", 0 },
		{ "b.com", 3 },
		{ "barb.com", 3 },
		{ "x.b.com", 3 },
		{ "b.com.org", 0 },
		{ "c.com", 4 },
		{ "x.c.com", 0 },
		{ "d.com", 5 },
		{ "d.com.", 5 },
		{ "d.com..", 0 },
		{ "x.e.com", 6 },
		{ "x.e.com.", 6 },
		{ "e.com", 0 },
		{ "om", 0 },
		{ "", 0 },
		{ ".", 0 },
		{ "*.a.com", 2 },
	};

	(void)state;
	add(patterns);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (found(rows[i].name) != rows[i].service)
			fail_msg("%s: %u", rows[i].name, found(rows[i].name));
}

static void
the_first_pattern_in_order_wins(void **state)
{
	static const char *const patterns[] = { "*.x.com", "a.x.com", "*.y.x.com", "*", "late.com",
		"*.x.com", NULL };

	(void)state;
	add(patterns);
	assert_int_equal(found("a.x.com"), 1);
	assert_int_equal(found("a.y.x.com"), 1);
	assert_int_equal(found("late.com"), 4);
	assert_int_equal(found("anything"), 4);
}

static void
an_exact_name_before_its_wildcard_wins(void **state)
{
	static const char *const patterns[] = { "a.x.com", "*.b.x.com", "*.x.com", NULL };

	(void)state;
	add(patterns);
	assert_int_equal(found("a.x.com"), 1);
	assert_int_equal(found("c.b.x.com"), 2);
	assert_int_equal(found("c.x.com"), 3);
}

static void
long_names_have_their_limit(void **state)
{
	char pattern[257], *name = pattern + 1;

	(void)state;
	memset(pattern, 'a', sizeof(pattern));
	pattern[0] = '*';
	pattern[256] = '\0';
	assert_true(hosts_add(hosts, pattern, &services[1]));
	assert_true(hosts_add(hosts, name, &services[2]));
	assert_int_equal(found(name), 1);
	assert_int_equal(found(name + 1), 0);
}

static void
who_has_all_names_of_a_pattern_is_known(void **state)
{
	static const char *const patterns[] = { "*.a.com", "x.b.com", "*c.com", NULL };
	static const struct {
		const char *pattern;
		unsigned owner;
	} rows[] = {
		{ "x.a.com", 1 },
		{ "*.a.com", 1 },
		{ "*.x.a.com", 1 },
		{ "a.com", 0 },
		{ "*a.com", 0 },
		{ "X.B.com", 2 },
		{ "*.b.com", 0 },
		{ "*x.b.com", 0 },
		{ "*.c.com", 3 },
		{ "*", 0 },
	};

	(void)state;
	add(patterns);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct service *s = hosts_owner(hosts, rows[i].pattern);

		if (s != (rows[i].owner == 0 ? NULL : &services[rows[i].owner]))
			fail_msg("%s", rows[i].pattern);
	}
	assert_true(hosts_has(hosts, &services[3]));
	assert_false(hosts_has(hosts, &services[4]));
	assert_false(hosts_has(NULL, &services[3]));
}

static void
the_unmatched_go_where_the_option_says(void **state)
{
	(void)state;
	/* Without patterns there is nothing to choose. */
	confs[0].sni_unmatched = UNMATCHED_REJECT;
	assert_ptr_equal(choose("a.com"), &services[0]);
	assert_ptr_equal(choose(""), &services[0]);

	services[0].hosts = hosts;
	assert_true(hosts_add(hosts, "*", &services[1]));
	assert_ptr_equal(choose("a.com"), &services[1]);
	assert_null(choose(""));
	confs[0].sni_unmatched = UNMATCHED_PRIMARY;
	assert_ptr_equal(choose(""), &services[0]);
}

static void
unmatched_names_are_rejected_or_the_primarys(void **state)
{
	(void)state;
	services[0].hosts = hosts;
	assert_true(hosts_add(hosts, "a.com", &services[1]));
	assert_true(hosts_add(hosts, "main.com", &services[0]));
	assert_ptr_equal(choose("b.com"), &services[0]);
	confs[0].sni_unmatched = UNMATCHED_REJECT;
	assert_null(choose("b.com"));
	assert_ptr_equal(choose("a.com"), &services[1]);
	assert_ptr_equal(choose("main.com"), &services[0]);
}

static void
protocols_are_asked_for_first(void **state)
{
	static const struct alpn h2 = { (const uint8_t *)"\2h2", 3 };
	static const struct alpn mail = { (const uint8_t *)"\4imap\4pop3", 10 };

	(void)state;
	services[0].hosts = hosts;
	assert_true(hosts_add(hosts, "a.com", &services[1]));
	assert_true(hosts_narrow(hosts, &h2, &services[2]));
	assert_true(hosts_add(hosts, "a.com", &services[2]));
	assert_true(hosts_narrow(hosts, &mail, &services[3]));
	assert_ptr_equal(choose_by("a.com", ""), &services[1]);
	assert_ptr_equal(choose_by("a.com", "\10http/1.1"), &services[1]);
	assert_ptr_equal(choose_by("a.com", "\10http/1.1\2h2"), &services[2]);
	assert_ptr_equal(choose_by("b.com", "\2h2"), &services[0]);
	assert_ptr_equal(choose_by("", "\2h2"), &services[0]);
	assert_ptr_equal(choose_by("a.com", "\4pop3"), &services[3]);
	assert_ptr_equal(choose_by("", "\4pop3"), &services[3]);
	assert_ptr_equal(choose_by("", "\4pop2"), &services[0]);
	assert_ptr_equal(choose_by("", "\3pop"), &services[0]);
	assert_ptr_equal(choose_by("a.com", "\2h2\4pop3"), &services[2]);
	confs[0].sni_unmatched = UNMATCHED_REJECT;
	assert_null(choose_by("b.com", "\2h2"));
	assert_ptr_equal(choose_by("b.com", "\4imap"), &services[3]);
	assert_true(hosts_has(hosts, &services[3]));
}

static double
seconds_for(unsigned lookups, const char *name)
{
	struct timespec begin, end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	for (unsigned i = 0; i < lookups; i++)
		if (hosts_find(hosts, name) == NULL)
			fail_msg("%s is not found", name);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

/* A scan of 20,000 patterns would take some thousand times as long as one of ten. */
static void
many_cost_what_few_cost(void **state)
{
	enum { MANY = 20000, FEW = 10, LOOKUPS = 20000 };
	char pattern[64];
	double few = 0, many;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(pattern, sizeof(pattern), "%shost%u.com", i % 2 == 0 ? "" : "*.", i & ~1u);
		assert_true(hosts_add(hosts, pattern, &services[1]));
		if (i + 1 == FEW)
			few = seconds_for(LOOKUPS, "www.host0.com");
	}
	many = seconds_for(LOOKUPS, "www.host0.com");
	if (many > 20 * few + 0.05)
		fail_msg("%d patterns: %g s, %d patterns: %g s", FEW, few, MANY, many);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names_and_ends_match_as_in_the_incumbent),
		CASE(the_first_pattern_in_order_wins),
		CASE(an_exact_name_before_its_wildcard_wins),
		CASE(long_names_have_their_limit),
		CASE(who_has_all_names_of_a_pattern_is_known),
		CASE(the_unmatched_go_where_the_option_says),
		CASE(unmatched_names_are_rejected_or_the_primarys),
		CASE(protocols_are_asked_for_first),
		CASE(many_cost_what_few_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
