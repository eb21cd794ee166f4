/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_backend.c -- the order in which targets are tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tunnel/backend.h"

#include <stdio.h>
#include <string.h>

enum { MAX = 8, SOURCES = 20000 };

struct made {
	struct target targets[MAX];
	char names[MAX][16];
	struct backend *backend;
};

/* Targets t0:1, t1:1, ... with these weights, 0 at the end; `without`: left out, or -1. */
static void
make(struct made *m, enum balance balance, const unsigned *weights, int without,
    const struct backend *previous)
{
	struct backend_conf conf = { .balance = balance };
	struct targets list = { .v = m->targets };

	for (int i = 0; weights[i] != 0; i++) {
		struct target *t = &m->targets[list.n];

		if (i == without)
			continue;
		(void)snprintf(m->names[list.n], sizeof(m->names[0]), "t%d:1", i);
		*t = (struct target){ .text = m->names[list.n], .weight = weights[i] };
		list.n++;
	}
	m->backend = backend_new(&conf, BALANCE_PRIO, &list, previous);
	assert_non_null(m->backend);
}

static struct addr
source(unsigned n)
{
	struct addr a = { .len = sizeof(a.in) };

	a.in.sin_family = AF_INET;
	a.in.sin_addr.s_addr = htonl(0x0a000000u + n);
	return a;
}

/* The name of the first choice; checks that the order has each of them once. */
static const char *
first(struct made *m, const struct addr *from)
{
	unsigned order[MAX], seen = 0;

	assert_true(backend_rank(m->backend, from, order));
	for (unsigned i = 0; i < m->backend->count; i++)
		seen |= 1u << order[i];
	assert_int_equal(seen, (1u << m->backend->count) - 1);
	return m->targets[order[0]].text;
}

static void
test_prio(void **state)
{
	static const unsigned weights[] = { 1, 5, 1, 0 };
	struct addr a = source(1);
	struct made m;
	unsigned order[MAX];

	(void)state;
	make(&m, BALANCE_PRIO, weights, -1, NULL);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(backend_rank(m.backend, &a, order));
		assert_int_equal(order[0], 0);
		assert_int_equal(order[1], 1);
		assert_int_equal(order[2], 2);
	}
	backend_free(m.backend);
}

/* Each as often as it weighs, and spread out rather than in a row. */
static void
test_rr(void **state)
{
	static const unsigned weights[] = { 50, 10, 20, 0 }; /* 5:1:2 */
	struct addr a = source(1);
	unsigned count[3] = { 0 }, row = 0, longest = 0;
	const char *last = "";
	struct made m;

	(void)state;
	make(&m, BALANCE_RR, weights, -1, NULL);
	assert_int_equal(m.backend->rounds_count, 8);
	for (unsigned i = 0; i < 80; i++) {
		const char *now = first(&m, &a);

		row = strcmp(now, last) == 0 ? row + 1 : 1;
		longest = row > longest ? row : longest;
		last = now;
		count[now[1] - '0']++;
	}
	assert_int_equal(count[0], 50);
	assert_int_equal(count[1], 10);
	assert_int_equal(count[2], 20);
	assert_true(longest <= 3);
	backend_free(m.backend);
}

static void
test_leastconn(void **state)
{
	static const unsigned weights[] = { 1, 2, 1, 0 };
	struct addr a = source(1);
	struct made m;

	(void)state;
	make(&m, BALANCE_LEASTCONN, weights, -1, NULL);
	for (unsigned i = 0; i < 400; i++) {
		const char *now = first(&m, &a);

		m.backend->members[now[1] - '0'].standing->tunnels++;
	}
	assert_int_equal(m.backend->members[0].standing->tunnels, 100);
	assert_int_equal(m.backend->members[1].standing->tunnels, 200);
	assert_int_equal(m.backend->members[2].standing->tunnels, 100);
	m.backend->members[2].standing->tunnels = 7;
	assert_string_equal(first(&m, &a), "t2:1");
	backend_free(m.backend);
}

/* With nothing to tell them apart, all have their turn. */
static void
test_leastconn_ties(void **state)
{
	static const unsigned weights[] = { 1, 1, 1, 0 };
	struct addr a = source(1);
	unsigned count[3] = { 0 };
	struct made m;

	(void)state;
	make(&m, BALANCE_LEASTCONN, weights, -1, NULL);
	for (unsigned i = 0; i < 30; i++)
		count[first(&m, &a)[1] - '0']++;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(count[i], 10);
	backend_free(m.backend);
}

/* Shares follow the weights; the chance that a right one strays so far is below one in a million.
 */
static void
test_source_distribution(void **state)
{
	static const unsigned weights[] = { 1, 2, 3, 4, 0 };
	unsigned count[4] = { 0 };
	struct made m;

	(void)state;
	make(&m, BALANCE_SOURCE, weights, -1, NULL);
	for (unsigned i = 0; i < SOURCES; i++) {
		struct addr a = source(i);

		count[first(&m, &a)[1] - '0']++;
	}
	for (unsigned i = 0; i < 4; i++) {
		unsigned due = SOURCES * (i + 1) / 10;

		assert_in_range(count[i], due - 350, due + 350);
	}
	backend_free(m.backend);
}

/* A target goes: its clients change, to all others by their weights, and no other client does. */
static void
test_source_is_stable(void **state)
{
	static const unsigned weights[] = { 1, 1, 1, 1, 1, 0 };
	struct made all, less;
	unsigned moved[5] = { 0 };

	(void)state;
	make(&all, BALANCE_SOURCE, weights, -1, NULL);
	make(&less, BALANCE_SOURCE, weights, 2, NULL);
	for (unsigned i = 0; i < SOURCES; i++) {
		struct addr a = source(i);
		const char *before = first(&all, &a), *after = first(&less, &a);

		if (strcmp(before, "t2:1") != 0)
			assert_string_equal(after, before);
		else
			moved[after[1] - '0']++;
	}
	assert_int_equal(moved[2], 0);
	for (unsigned i = 0; i < 5; i++)
		if (i != 2)
			assert_in_range(moved[i], SOURCES / 20 - 200, SOURCES / 20 + 200);
	backend_free(all.backend);
	backend_free(less.backend);
}

/* ... and they go where the order of the whole list would have sent them next. */
static void
test_source_falls_back_to_the_same(void **state)
{
	static const unsigned weights[] = { 1, 1, 1, 1, 1, 0 };
	struct made all, less;
	unsigned order[MAX];

	(void)state;
	make(&all, BALANCE_SOURCE, weights, -1, NULL);
	make(&less, BALANCE_SOURCE, weights, 2, NULL);
	for (unsigned i = 0; i < 1000; i++) {
		struct addr a = source(i);

		assert_true(backend_rank(all.backend, &a, order));
		assert_string_equal(first(&less, &a), all.targets[order[order[0] == 2]].text);
	}
	backend_free(all.backend);
	backend_free(less.backend);
}

/* One IPv6 network of 64 bits is one source; an IPv4 address is one in both its forms. */
static void
test_sources(void **state)
{
	struct addr v4 = source(77), mapped = { .len = sizeof(mapped.in6) };
	struct addr one = { .len = sizeof(one.in6), .in6.sin6_family = AF_INET6 }, two;

	(void)state;
	mapped.in6.sin6_family = AF_INET6;
	memset(&mapped.in6.sin6_addr.s6_addr[10], 0xff, 2);
	memcpy(&mapped.in6.sin6_addr.s6_addr[12], &v4.in.sin_addr, 4);
	assert_true(backend_source_seed(&v4) == backend_source_seed(&mapped));
	one.in6.sin6_addr.s6_addr[0] = 0x20;
	two = one;
	two.in6.sin6_addr.s6_addr[15] = 9;
	assert_true(backend_source_seed(&one) == backend_source_seed(&two));
	two.in6.sin6_addr.s6_addr[7] = 9;
	assert_true(backend_source_seed(&one) != backend_source_seed(&two));
}

/* What is known of a target outlives a reload; of one that is new, nothing is known. */
static void
test_standing_lives_on(void **state)
{
	static const unsigned weights[] = { 1, 1, 1, 0 };
	struct made old, new;

	(void)state;
	make(&old, BALANCE_LEASTCONN, weights, 0, NULL); /* t1 and t2 */
	old.backend->members[0].standing->tunnels = 5;
	make(&new, BALANCE_LEASTCONN, weights, -1, old.backend);
	assert_ptr_equal(new.backend->members[1].standing, old.backend->members[0].standing);
	backend_free(old.backend);
	assert_int_equal(new.backend->members[0].standing->tunnels, 0);
	assert_int_equal(new.backend->members[1].standing->tunnels, 5);
	backend_free(new.backend);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prio),
		cmocka_unit_test(test_rr),
		cmocka_unit_test(test_leastconn),
		cmocka_unit_test(test_leastconn_ties),
		cmocka_unit_test(test_source_distribution),
		cmocka_unit_test(test_source_is_stable),
		cmocka_unit_test(test_source_falls_back_to_the_same),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_standing_lives_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
