/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_report.c -- what is told of services: counters that only ever go up. */
#include "tunnel/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct service_conf conf = { .name = "tls" };
static struct plan *plan;

static int
setup(void **state)
{
	(void)state;
	if ((plan = plan_new(1)) == NULL)
		return -1;
	plan->services[0].conf = &conf;
	return (plan->services[0].tally = tally_new()) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	plan_release(plan);
	return 0;
}

/* A report; a tunnel that is not over has passed so much (as report_worker() finds it), or there is
 * none. */
static void
collect(struct report *r, const struct passed *passed)
{
	struct tally *t = plan->services[0].tally;

	assert_true(report_begin(r, plan, false));
	if (passed == NULL)
		return;
	t->now.tunnels++;
	t->now.passed.to_tls += passed->to_tls;
	t->now.passed.to_socket += passed->to_socket;
}

/* The value of a sample. */
static uint64_t
value_of(const char *text, const char *sample)
{
	const char *at = strstr(text, sample);

	assert_non_null(at);
	return strtoull(at + strlen(sample), NULL, 10);
}

/* What the metrics say. */
static struct passed
told(struct report *r)
{
	struct passed out;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	report_metrics(r, plan, f);
	assert_int_equal(fclose(f), 0);
	report_free(r);
	out.to_tls = value_of(text, "ginnel_service_bytes_total{service=\"tls\",to=\"tls\"} ");
	out.to_socket =
	    value_of(text, "ginnel_service_bytes_total{service=\"tls\",to=\"socket\"} ");
	free(text);
	return out;
}

static void
what_tunnels_have_passed_is_added_up(void **state)
{
	struct report r;
	struct passed passed;

	(void)state;
	collect(&r, NULL);
	passed = told(&r);
	assert_int_equal(passed.to_tls, 0);
	tally_end(plan->services[0].tally, true, (struct passed){ 1000, 10 });
	collect(&r, &(struct passed){ 500, 5 });
	passed = told(&r);
	assert_int_equal(passed.to_tls, 1500);
	assert_int_equal(passed.to_socket, 15);
}

/* A worker has told of a tunnel, and before the report is written the tunnel ends. */
static void
a_tunnel_that_ends_meanwhile_makes_nothing_smaller(void **state)
{
	struct tally *t = plan->services[0].tally;
	const struct passed one = { 500, 5 };
	struct passed first, second, third;
	struct report r;

	(void)state;
	collect(&r, &one);
	tally_end(t, true, one);
	first = told(&r);
	collect(&r, NULL);
	second = told(&r);
	assert_true(second.to_tls >= first.to_tls);
	assert_true(second.to_socket >= first.to_socket);
	/* What counted twice is made good by what passes later. */
	tally_end(t, true, (struct passed){ 1000, 10 });
	collect(&r, NULL);
	third = told(&r);
	assert_int_equal(third.to_tls, 1500);
	assert_int_equal(third.to_socket, 15);
}

/* The tally is shared with the plan that a reload makes. */
static void
a_reload_makes_nothing_smaller(void **state)
{
	struct plan *next = plan_new(1);
	struct passed passed;
	struct report r;

	(void)state;
	tally_end(plan->services[0].tally, false, (struct passed){ 1000, 10 });
	collect(&r, NULL);
	(void)told(&r);
	assert_non_null(next);
	next->services[0].conf = &conf;
	next->services[0].tally = tally_hold(plan->services[0].tally);
	plan_release(plan);
	plan = next;
	collect(&r, NULL);
	passed = told(&r);
	assert_int_equal(passed.to_tls, 1000);
	assert_int_equal(passed.to_socket, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_tunnels_have_passed_is_added_up),
		TEST(a_tunnel_that_ends_meanwhile_makes_nothing_smaller),
		TEST(a_reload_makes_nothing_smaller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
