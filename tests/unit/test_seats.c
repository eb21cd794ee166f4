/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_seats.c -- who has a seat in a service, and who waits for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tunnel/seats.h"

#include "ip.h"

#include <pthread.h>
#include <stdatomic.h>

/* A worker: a loop and a mailbox. */
struct desk {
	struct loop *loop;
	struct mailbox *mailbox;
	struct task stop;
};

static void
stop(void *owner)
{
	struct desk *d = owner;

	loop_stop(d->loop);
}

static void
desk_open(struct desk *d)
{
	d->loop = loop_new();
	assert_non_null(d->loop);
	d->mailbox = mailbox_new(d->loop, d);
	assert_non_null(d->mailbox);
	d->stop = (struct task){ .run = stop, .owner = d, .lane = LANE_RELAY };
}

static void
desk_close(struct desk *d)
{
	mailbox_free(d->mailbox);
	loop_free(d->loop);
}

/* Until the task that waits for the seat has run. */
static void
await_seat(struct desk *d, struct seat *seat)
{
	assert_true(seat_wake(seat, d->loop, &d->stop));
	assert_false(seat_wake(seat, d->loop, &d->stop)); /* said again: one wake-up, as before */
	loop_run(d->loop);
	assert_false(seat_waits(seat));
}

static void
test_service_limit(void **state)
{
	const struct limit_conf limits = { .connections = 2 };
	struct seats *s = seats_new();
	struct addr a = ip("192.0.2.1", 0);
	struct seat one, two, three;

	(void)state;
	assert_int_equal(seat_take(&one, s, &limits, &a, NULL), R_NONE);
	assert_int_equal(seat_take(&two, s, &limits, &a, NULL), R_NONE);
	assert_int_equal(seat_take(&three, s, &limits, &a, NULL), R_SERVICE_FULL);
	seat_leave(&three); /* has nothing: fine */
	seat_leave(&one);
	assert_int_equal(seat_take(&three, s, &limits, &a, NULL), R_NONE);
	assert_int_equal(seat_take(&one, s, &limits, &a, NULL), R_SERVICE_FULL);
	seat_leave(&two);
	seat_leave(&three);
	seats_release(s);
}

static void
test_no_limits(void **state)
{
	const struct limit_conf limits = { .connections = 0 };
	struct addr a = ip("192.0.2.1", 0);
	struct seat seat;

	(void)state;
	assert_int_equal(seat_take(&seat, NULL, &limits, &a, NULL), R_NONE);
	assert_false(seat_waits(&seat));
	seat_leave(&seat);
}

/* One IPv4 address in either form, one /64; a refused client leaves nothing behind. */
static void
test_sources(void **state)
{
	static const struct {
		const char *addr;
		enum reason want;
	} clients[] = {
		{ "192.0.2.1", R_NONE },
		{ "192.0.2.1", R_NONE },
		{ "192.0.2.1", R_SOURCE_FULL },
		{ "::ffff:192.0.2.1", R_SOURCE_FULL },
		{ "192.0.2.2", R_NONE },
		{ "2001:db8::1", R_NONE },
		{ "2001:db8::ffff:2", R_NONE },
		{ "2001:db8::3", R_SOURCE_FULL },
		{ "2001:db8:0:1::1", R_NONE },
	};
	const struct limit_conf limits = { .per_source = 2 };
	struct addr unix_peer = { .len = sizeof(sa_family_t), .un.sun_family = AF_UNIX };
	struct seat seats[COUNT_OF(clients)], local[3];
	struct seats *s = seats_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(clients); i++) {
		struct addr a = ip(clients[i].addr, 0);

		assert_int_equal(seat_take(&seats[i], s, &limits, &a, NULL), clients[i].want);
	}
	for (size_t i = 0; i < COUNT_OF(local); i++)
		assert_int_equal(seat_take(&local[i], s, &limits, &unix_peer, NULL), R_NONE);
	for (size_t i = 0; i < COUNT_OF(local); i++)
		seat_leave(&local[i]);
	for (size_t i = 0; i < COUNT_OF(clients); i++)
		seat_leave(&seats[i]);
	seats_release(s); /* checks that no source is left in the table */
}

/* A user is one wherever it comes from, and whatever its certificate; else a key is one. */
static void
test_identities(void **state)
{
	struct peer_id key = { .spki = { 1 } }, other = { .spki = { 2 } };
	const struct {
		struct identity who;
		enum reason want;
	} clients[] = {
		{ { .user = "ann" }, R_NONE },
		{ { .user = "ann", .cert = &key }, R_NONE },
		{ { .user = "ann", .cert = &other }, R_IDENTITY_FULL },
		{ { .user = "ann " }, R_NONE },
		{ { .cert = &key }, R_NONE },
		{ { .cert = &key }, R_NONE },
		{ { .cert = &key }, R_IDENTITY_FULL },
		{ { .cert = &other }, R_NONE },
		{ { .cert = NULL }, R_NONE }, /* who shows nothing is not counted */
		{ { .cert = NULL }, R_NONE },
		{ { .cert = NULL }, R_NONE },
	};
	const struct limit_conf limits = { .per_identity = 2 };
	struct addr a = ip("192.0.2.1", 0);
	struct seat seats[COUNT_OF(clients)];
	struct seats *s = seats_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(clients); i++) {
		assert_int_equal(seat_take(&seats[i], s, &limits, &a, NULL), R_NONE);
		assert_int_equal(
		    seat_identify(&seats[i], &limits, &clients[i].who), clients[i].want);
	}
	seat_leave(&seats[0]);
	assert_int_equal(seat_take(&seats[0], s, &limits, &a, NULL), R_NONE);
	assert_int_equal(seat_identify(&seats[0], &limits, &clients[0].who), R_NONE);
	for (size_t i = 0; i < COUNT_OF(clients); i++)
		seat_leave(&seats[i]);
	seats_release(s); /* checks that nobody is left in the table */
}

/* A source that finds the service full gives its own share back. */
static void
test_full_service_takes_no_share(void **state)
{
	const struct limit_conf limits = { .connections = 1, .per_source = 1 };
	struct addr a = ip("192.0.2.1", 0), b = ip("192.0.2.2", 0);
	struct seats *s = seats_new();
	struct seat one, two;

	(void)state;
	assert_int_equal(seat_take(&one, s, &limits, &a, NULL), R_NONE);
	assert_int_equal(seat_take(&two, s, &limits, &b, NULL), R_SERVICE_FULL);
	seat_leave(&one);
	assert_int_equal(seat_take(&two, s, &limits, &b, NULL), R_NONE);
	seat_leave(&two);
	seats_release(s);
}

/* First come, first served; beyond the queue's limit they are refused. */
static void
test_queue(void **state)
{
	const struct limit_conf limits = { .connections = 1, .queue = 2 };
	struct addr a = ip("192.0.2.1", 0);
	struct seats *s = seats_new();
	struct seat one, two, three, four;
	struct desk d;

	(void)state;
	desk_open(&d);
	assert_int_equal(seat_take(&one, s, &limits, &a, d.mailbox), R_NONE);
	assert_int_equal(seat_take(&two, s, &limits, &a, d.mailbox), R_NONE);
	assert_int_equal(seat_take(&three, s, &limits, &a, d.mailbox), R_NONE);
	assert_int_equal(seat_take(&four, s, &limits, &a, d.mailbox), R_SERVICE_FULL);
	assert_false(seat_waits(&one));
	assert_true(seat_waits(&two));
	assert_true(seat_waits(&three));
	seat_leave(&one);
	await_seat(&d, &two);
	assert_true(seat_waits(&three));
	seat_leave(&two);
	await_seat(&d, &three);
	seat_leave(&three);
	assert_int_equal(seat_take(&four, s, &limits, &a, d.mailbox), R_NONE);
	assert_false(seat_waits(&four));
	seat_leave(&four);
	seats_release(s);
	desk_close(&d);
}

/* Leaves while it waits, and while the news is on its way: the next one gets the seat. */
static void
test_leaving_the_queue(void **state)
{
	const struct limit_conf limits = { .connections = 1, .queue = 9 };
	struct addr a = ip("192.0.2.1", 0);
	struct seats *s = seats_new();
	struct seat one, two, three, four;
	struct desk d;

	(void)state;
	desk_open(&d);
	assert_int_equal(seat_take(&one, s, &limits, &a, d.mailbox), R_NONE);
	assert_int_equal(seat_take(&two, s, &limits, &a, d.mailbox), R_NONE);
	assert_int_equal(seat_take(&three, s, &limits, &a, d.mailbox), R_NONE);
	assert_int_equal(seat_take(&four, s, &limits, &a, d.mailbox), R_NONE);
	seat_leave(&two);
	seat_leave(&one);   /* the seat is on its way to three */
	seat_leave(&three); /* who does not wait for it */
	await_seat(&d, &four);
	seat_leave(&four);
	seats_release(s);
	desk_close(&d);
}

/* The last reference is that of a message which nobody waits for any more. */
static void
test_news_outlives_all(void **state)
{
	const struct limit_conf limits = { .connections = 1, .queue = 9 };
	struct addr a = ip("192.0.2.1", 0);
	struct seats *s = seats_new();
	struct seat one, two;
	struct desk d;

	(void)state;
	desk_open(&d);
	assert_int_equal(seat_take(&one, s, &limits, &a, d.mailbox), R_NONE);
	assert_int_equal(seat_take(&two, s, &limits, &a, d.mailbox), R_NONE);
	seat_leave(&one);
	seat_leave(&two);
	seats_release(s);
	desk_close(&d); /* takes the message */
}

static void
test_a_larger_limit_seats_the_queue(void **state)
{
	const struct limit_conf small = { .connections = 1, .queue = 9 };
	const struct limit_conf large = { .connections = 3, .queue = 9 };
	struct addr a = ip("192.0.2.1", 0);
	struct seats *s = seats_new();
	struct seat one, two, three, four;
	struct desk d;

	(void)state;
	desk_open(&d);
	assert_int_equal(seat_take(&one, s, &small, &a, d.mailbox), R_NONE);
	assert_int_equal(seat_take(&two, s, &small, &a, d.mailbox), R_NONE);
	assert_int_equal(seat_take(&three, s, &large, &a, d.mailbox), R_NONE);
	assert_false(seat_waits(&three));
	await_seat(&d, &two);
	assert_int_equal(seat_take(&four, s, &small, &a, d.mailbox), R_NONE);
	seat_leave(&one);
	seat_leave(&two);
	assert_true(seat_waits(&four)); /* one of one seat is still taken */
	seat_leave(&three);
	await_seat(&d, &four);
	seat_leave(&four);
	seats_release(s);
	desk_close(&d);
}

/* ---- several threads ---- */

enum { THREADS = 3, ROUNDS = 2000, PLACES = 2 };

static struct seats *shared;
static _Atomic int inside, refused;

static void *
visitor(void *arg)
{
	const struct limit_conf limits = { .connections = PLACES, .queue = THREADS };
	struct addr a = ip("192.0.2.1", 0);
	struct desk d;

	(void)arg;
	desk_open(&d);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct seat seat;

		if (seat_take(&seat, shared, &limits, &a, d.mailbox) != R_NONE) {
			atomic_fetch_add(&refused, 1);
			continue;
		}
		if (seat_waits(&seat) && i % 5 != 0)
			await_seat(&d, &seat);
		if (!seat_waits(&seat)) {
			MUST(atomic_fetch_add(&inside, 1) < PLACES);
			atomic_fetch_sub(&inside, 1);
		}
		seat_leave(&seat);
	}
	desk_close(&d); /* and passes on what was granted to those who did not wait for it */
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	shared = seats_new();
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, visitor, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(refused, 0);
	seats_release(shared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service_limit),
		cmocka_unit_test(test_no_limits),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_full_service_takes_no_share),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_leaving_the_queue),
		cmocka_unit_test(test_news_outlives_all),
		cmocka_unit_test(test_a_larger_limit_seats_the_queue),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
