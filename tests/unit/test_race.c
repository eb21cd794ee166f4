/* SPDX-License-Identifier: Apache-2.0 */
/* Several addresses at once: their order, the head start, who wins, and all that fail. */
#include "net/race.h"

#include "ip.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;
static struct pool *pool;
static struct log_ctx quiet;
static struct race *race;
static struct stream out;
static const struct addr *winner;
static enum io result;

static void
families_take_turns(void **state)
{
	static const struct {
		const char *given[6], *sorted[6];
	} cases[] = {
		{ { NULL }, { NULL } },
		{ { "1.0.0.1" }, { "1.0.0.1" } },
		{ { "::1", "::2", "1.0.0.1", "1.0.0.2" }, { "::1", "1.0.0.1", "::2", "1.0.0.2" } },
		{ { "1.0.0.1", "::1", "::2", "::3" }, { "1.0.0.1", "::1", "::2", "::3" } },
		{ { "::1", "::2", "::3", "1.0.0.1" }, { "::1", "1.0.0.1", "::2", "::3" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct addr v[6];
		unsigned n = 0;

		for (; cases[i].given[n] != NULL; n++)
			v[n] = ip(cases[i].given[n], 1);
		race_sort(v, n);
		for (unsigned k = 0; k < n; k++) {
			struct addr want = ip(cases[i].sorted[k], 1);

			assert_true(addr_equal(&v[k], &want));
		}
	}
}

/* A listening socket; `full`: it takes no more connections, and drops who asks. */
static int
listener(struct addr *a, bool full)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*a = ip("127.0.0.1", 0);
	assert_int_equal(bind(fd, &a->sa, a->len), 0);
	assert_int_equal(getsockname(fd, &a->sa, &a->len), 0);
	assert_int_equal(listen(fd, full ? 0 : 8), 0);
	for (int i = 0; full && i < 2; i++) {
		int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		(void)!connect(filler, &a->sa, a->len); /* stays open to the end of the process */
	}
	return fd;
}

static void
step(void *arg)
{
	(void)arg;
	if (race != NULL && (result = race_step(race, &out, &winner)) != IO_AGAIN)
		loop_stop(loop);
}

static struct task task = { .run = step };

static void
begin(int timeout_ms)
{
	race = race_new(&(struct race_terms){ loop, pool, &quiet, &task, NULL, false, timeout_ms });
	assert_non_null(race);
	out.watch.fd = -1;
	winner = NULL;
}

static void
end(void)
{
	race_free(race);
	race = NULL;
	if (stream_is_open(&out))
		stream_close(&out, false);
	loop_cancel(loop, &task);
}

/* How many are open. */
static int
descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static void
run(void)
{
	loop_queue(loop, &task);
	loop_run(loop);
}

static void
the_first_that_connects_wins(void **state)
{
	struct addr silent, good, refuses;
	int a = listener(&silent, true), b = listener(&good, false), c = listener(&refuses, false);
	char byte = 'x';
	int accepted, before;

	(void)state;
	close(c);
	before = descriptors();
	begin(5000);
	assert_true(race_has_room(race));
	race_start(race, &refuses);
	run();
	assert_int_equal(result, IO_FAILED);
	assert_int_equal(race_errnum(race), ECONNREFUSED);
	assert_true(race_has_room(race));
	race_start(race, &silent);
	assert_int_equal(race_step(race, &out, &winner), IO_AGAIN);
	assert_false(race_has_room(race)); /* it has its head start */
	race_start(race, &good);
	run();
	assert_int_equal(result, IO_OK);
	assert_ptr_equal(winner, &good);
	assert_int_equal(descriptors(), before + 1); /* who has lost is closed at once */
	assert_true((accepted = accept(b, NULL, NULL)) != -1);
	assert_int_equal(write(out.watch.fd, &byte, 1), 1);
	assert_int_equal(read(accepted, &byte, 1), 1);
	close(accepted);
	end();
	close(a);
	close(b);
}

static void
each_has_its_time(void **state)
{
	struct addr silent;
	int a = listener(&silent, true);

	(void)state;
	begin(100);
	race_start(race, &silent);
	run();
	assert_int_equal(result, IO_FAILED);
	assert_int_equal(race_errnum(race), ETIMEDOUT);
	end();
	close(a);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_take_turns),
		cmocka_unit_test(the_first_that_connects_wins),
		cmocka_unit_test(each_has_its_time),
	};

	loop = loop_new();
	pool = pool_new();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
