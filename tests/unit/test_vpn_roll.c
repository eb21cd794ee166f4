/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_vpn_roll.c -- how many sessions a user may have, who makes room, and no memory.
 */
#include "kit/starve.h"

#include "tunnel/vpn_net.h"
#include "tunnel/vpn_roll.h"
#include "tunnel/worker.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- the network to which the roll belongs: without its device ---- */

static struct vpn_roll *roll;
static unsigned held;
static struct vpn_net *const net = (struct vpn_net *)&held; /* never looked into */

struct vpn_net *__wrap_vpn_net_hold(struct vpn_net *);
void __wrap_vpn_net_release(struct vpn_net *);
struct vpn_roll *__wrap_vpn_net_roll(const struct vpn_net *);

struct vpn_net *
__wrap_vpn_net_hold(struct vpn_net *v)
{
	held++;
	return v;
}

void
__wrap_vpn_net_release(struct vpn_net *v)
{
	assert_ptr_equal(v, net);
	held--;
}

struct vpn_roll *
__wrap_vpn_net_roll(const struct vpn_net *v)
{
	assert_ptr_equal(v, net);
	return roll;
}

/* ---- sessions ---- */

enum { SESSIONS = 8 };

static struct worker worker;
static struct {
	struct task task;
	struct vpn_place place;
	unsigned woken;
} session[SESSIONS];

static void
wake(void *owner)
{
	++*(unsigned *)owner;
}

static int
setup(void **state)
{
	(void)state;
	memset(session, 0, sizeof(session));
	for (unsigned i = 0; i < SESSIONS; i++)
		session[i].task = (struct task){ .run = wake, .owner = &session[i].woken };
	worker = (struct worker){ .loop = loop_new() };
	if (worker.loop == NULL || (worker.mailbox = mailbox_new(worker.loop, &worker)) == NULL)
		return -1;
	return (roll = vpn_roll_new()) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	fail_at = -1;
	for (unsigned i = 0; i < SESSIONS; i++)
		vpn_roll_leave(roll, &session[i].place);
	mailbox_free(worker.mailbox); /* takes what is in it */
	for (unsigned i = 0; i < SESSIONS; i++)
		loop_cancel(worker.loop, &session[i].task);
	loop_free(worker.loop);
	vpn_roll_free(roll);
	assert_int_equal(held, 0);
	return 0;
}

static bool
enter(unsigned i, const char *user, unsigned most, bool replace)
{
	const struct vpn_claim claim = { .user = user,
		.most = most,
		.replace = replace,
		.task = &session[i].task,
		.mailbox = worker.mailbox };

	return vpn_roll_enter(roll, &session[i].place, net, &claim);
}

static void
leave(unsigned i)
{
	vpn_roll_leave(roll, &session[i].place);
}

static bool
is_lost(unsigned i)
{
	return vpn_roll_is_lost(&session[i].place);
}

static void
stop(void *owner)
{
	(void)owner;
	loop_stop(worker.loop);
}

/* Let those run that have been woken. */
static void
run(void)
{
	struct task task = { .run = stop };
	struct timer timer = { .task = &task };

	loop_timer(worker.loop, &timer, 50);
	loop_run(worker.loop);
	loop_untimer(worker.loop, &timer);
	loop_cancel(worker.loop, &task);
}

/* ---- tests ---- */

static void
so_many_and_no_more(void **state)
{
	(void)state;
	assert_true(enter(0, "alice", 2, false));
	assert_true(enter(1, "alice", 2, false));
	errno = ENOENT;
	assert_false(enter(2, "alice", 2, false));
	assert_int_equal(errno, 0);
	assert_null(session[2].place.user);
	assert_true(enter(3, "bob", 2, false)); /* others have their own */
	leave(0);
	leave(0); /* twice is fine */
	assert_true(enter(2, "alice", 2, false));
	run();
	for (unsigned i = 0; i < SESSIONS; i++) {
		assert_false(is_lost(i));
		assert_int_equal(session[i].woken, 0);
	}
}

static void
without_a_limit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SESSIONS; i++)
		assert_true(enter(i, "alice", 0, i % 2 == 0));
	for (unsigned i = 0; i < SESSIONS; i++)
		assert_false(is_lost(i));
}

static void
the_oldest_makes_room(void **state)
{
	(void)state;
	assert_true(enter(0, "alice", 2, true));
	assert_true(enter(1, "alice", 2, true));
	assert_true(enter(2, "bob", 2, true));
	assert_true(enter(3, "alice", 2, true));
	assert_true(is_lost(0));
	assert_false(is_lost(1) || is_lost(2) || is_lost(3));
	/* Who has lost its place does not count, whether it has left by now or not. */
	assert_true(enter(4, "alice", 2, true));
	assert_true(is_lost(1));
	assert_false(is_lost(3) || is_lost(4));
	leave(0);
	assert_true(enter(0, "alice", 3, false));
	assert_false(enter(5, "alice", 3, false));
	run();
	assert_int_equal(session[1].woken, 1);
	assert_int_equal(session[3].woken + session[4].woken, 0);
}

/* A reload has lowered the limit. */
static void
as_many_as_it_takes_make_room(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_true(enter(i, "alice", 5, true));
	assert_true(enter(5, "alice", 2, true));
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(is_lost(i), i < 4);
	assert_false(is_lost(5));
}

/* Who has the number, and who waits for it; nobody else's sessions, and no other ones. */
static void
who_has_the_number_makes_room(void **state)
{
	static const uint32_t numbers[] = { 7, 7, 7, 8, 0, 7 };
	const struct vpn_place *mine = &session[1].place;

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(numbers); i++) {
		assert_true(enter(i, i == 5 ? "bob" : "alice", 0, false));
		vpn_roll_number(roll, &session[i].place, numbers[i]);
	}
	assert_true(vpn_roll_has(roll, mine, 7));
	assert_true(vpn_roll_has(roll, mine, 8));
	assert_false(vpn_roll_has(roll, mine, 9));
	assert_false(vpn_roll_has(roll, &session[5].place, 7)); /* that is itself */
	assert_false(vpn_roll_expel(roll, mine, net, 9));
	assert_true(vpn_roll_expel(roll, mine, net, 7));
	assert_true(vpn_roll_expel(roll, mine, net, 7)); /* they have not left yet */
	for (unsigned i = 0; i < COUNT_OF(numbers); i++)
		assert_int_equal(is_lost(i), i == 0 || i == 2);
	run();
	for (unsigned i = 0; i < COUNT_OF(numbers); i++)
		assert_int_equal(session[i].woken, i == 0 || i == 2);
	leave(0);
	leave(2);
	assert_false(vpn_roll_has(roll, mine, 7));
	assert_false(vpn_roll_expel(roll, mine, net, 7));
	vpn_roll_number(roll, &session[3].place, 7); /* another one later */
	assert_true(vpn_roll_has(roll, mine, 7));
}

/* The message is on its way, and who it is for has gone: nobody is touched. */
static void
who_has_gone_is_not_woken(void **state)
{
	(void)state;
	assert_true(enter(0, "alice", 1, true));
	assert_true(enter(1, "alice", 1, true));
	assert_int_equal(held, 1);
	leave(0);
	assert_true(enter(0, "bob", 1, true)); /* another session at the same place */
	run();
	assert_int_equal(session[0].woken, 0);
	assert_int_equal(held, 0);
}

/* Each allocation fails in turn; then the session is refused, says so, and all is as it was. */
static void
without_memory_nobody_enters(void **state)
{
	unsigned failures = 0;

	(void)state;
	for (long n = 0;; n++) {
		bool entered;

		errno = 0;
		fail_at = n;
		entered = enter(0, "alice", 1, false);
		if (fail_at >= 0) { /* it needs no more than that */
			fail_at = -1;
			assert_true(entered);
			break;
		}
		assert_false(entered);
		assert_int_equal(errno, ENOMEM);
		assert_null(session[0].place.user);
		failures++;
		assert_true(enter(1, "alice", 1, false)); /* nothing of it is left */
		leave(1);
	}
	/* The user, and for each of the two tables itself and its buckets. */
	assert_int_equal(failures, 5);
}

/* Beside others, who keep their places. */
static void
without_memory_nobody_is_expelled(void **state)
{
	(void)state;
	assert_true(enter(0, "alice", 1, true));
	fail_at = 0; /* a second user needs memory, */
	assert_false(enter(1, "bob", 1, true));
	fail_at = 0; /* a further session of one who is there only for the message: it is lost */
	assert_true(enter(1, "alice", 1, true));
	assert_true(is_lost(0));
	assert_int_equal(held, 0);
	run();
	assert_int_equal(session[0].woken, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(so_many_and_no_more),
		TEST(without_a_limit),
		TEST(the_oldest_makes_room),
		TEST(as_many_as_it_takes_make_room),
		TEST(who_has_the_number_makes_room),
		TEST(who_has_gone_is_not_woken),
		TEST(without_memory_nobody_enters),
		TEST(without_memory_nobody_is_expelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
