/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_loop.c -- whose turn it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"

#include <string.h>
#include <unistd.h>

enum { SMALL = 16, BULK = 5, SETUP = 7, TURNS = 10 };

/* What ran, in its order: a letter for each task. */
static struct {
	struct loop *loop;
	char ran[1024];
	size_t len;
} turn;

struct job {
	struct task task;
	char letter;
	bool again; /* there is always more to do */
	int knock;  /* a descriptor to write to, or -1 */
};

static void
run(void *owner)
{
	struct job *j = owner;

	assert_true(turn.len < sizeof(turn.ran) - 1);
	turn.ran[turn.len++] = j->letter;
	if (j->knock != -1)
		assert_int_equal(write(j->knock, "k", 1), 1);
	if (j->again)
		loop_queue(turn.loop, &j->task);
}

static struct job
job(struct job *at, char letter, enum lane lane)
{
	return (struct job){
		.task = { .run = run, .owner = at, .lane = lane },
		.letter = letter,
		.again = true,
		.knock = -1,
	};
}

static void
queue(struct job *jobs, unsigned n, char letter, enum lane lane)
{
	for (unsigned i = 0; i < n; i++) {
		jobs[i] = job(&jobs[i], letter, lane);
		loop_queue(turn.loop, &jobs[i].task);
	}
}

static void
cancel(struct job *jobs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		loop_cancel(turn.loop, &jobs[i].task);
}

/* Ends the loop after some turns: it is in the lane that runs in full, and last in it. */
struct bell {
	struct task task;
	unsigned left;
};

static void
ring(void *owner)
{
	struct bell *b = owner;

	turn.ran[turn.len++] = '|';
	if (--b->left == 0)
		loop_stop(turn.loop);
	loop_queue(turn.loop, &b->task);
}

static int
setup(void **state)
{
	(void)state;
	memset(&turn, 0, sizeof(turn));
	return (turn.loop = loop_new()) == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(turn.loop);
	return 0;
}

static void
run_turns(unsigned turns)
{
	struct bell bell = { .task = { .run = ring, .owner = &bell }, .left = turns };

	loop_queue(turn.loop, &bell.task);
	loop_run(turn.loop);
	loop_cancel(turn.loop, &bell.task);
}

static unsigned
count(char letter)
{
	unsigned n = 0;

	for (size_t i = 0; i < turn.len; i++)
		n += turn.ran[i] == letter;
	return n;
}

/* A request that comes while many move bulk waits for the block that is being moved, no other. */
static void
test_request_waits_for_one_block(void **state)
{
	struct job bulk[BULK], request;
	struct watch watch;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	queue(bulk, BULK, 'b', LANE_BULK);
	bulk[1].knock = ends[1];
	request = job(&request, 'r', LANE_RELAY);
	request.again = false;
	watch = (struct watch){ .fd = ends[0], .task = &request.task };
	assert_true(loop_watch(turn.loop, &watch, WATCH_STREAM));
	run_turns(TURNS);
	/* The second one's blocks bring a request: it runs before the third one's. */
	assert_string_equal(turn.ran, "|b|b|rb|b|b|b|b|rb|b|b");
	loop_unwatch(turn.loop, &watch);
	close(ends[0]);
	close(ends[1]);
	cancel(bulk, BULK);
}

/* Who moves bulk gets on, however many small ones there are, and they all have their turn. */
static void
test_lanes_share(void **state)
{
	struct job small[SMALL], bulk[BULK], fresh[SETUP];

	(void)state;
	queue(fresh, SETUP, 's', LANE_SETUP);
	queue(bulk, BULK, 'b', LANE_BULK);
	queue(small, SMALL, 'r', LANE_RELAY);
	run_turns(TURNS);
	/* In the last turn, too, all lanes run. */
	assert_int_equal(count('r'), TURNS * SMALL);
	assert_int_equal(count('b'), TURNS * (1 + (SMALL + 1) / 8));
	assert_int_equal(count('s'), TURNS * 4);
	cancel(small, SMALL);
	cancel(bulk, BULK);
	cancel(fresh, SETUP);
}

/* What was queued is run once; what was cancelled is not. */
static void
test_queue_and_cancel(void **state)
{
	struct job one = job(&one, 'o', LANE_BULK), other = job(&other, 'x', LANE_BULK);

	(void)state;
	one.again = other.again = false;
	loop_queue(turn.loop, &one.task);
	loop_queue(turn.loop, &one.task);
	loop_queue(turn.loop, &other.task);
	loop_cancel(turn.loop, &other.task);
	loop_cancel(turn.loop, &other.task);
	run_turns(TURNS);
	assert_int_equal(count('o'), 1);
	assert_int_equal(count('x'), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_request_waits_for_one_block, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lanes_share, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue_and_cancel, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
