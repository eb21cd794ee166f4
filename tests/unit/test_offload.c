/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_offload.c -- jobs in other threads, and their way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/offload.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { MANY = 500, THREADS = 3 };

struct desk { /* the thread that asks */
	struct loop *loop;
	struct mailbox *mailbox;
	struct offload *pool;
	pthread_t self;
	unsigned expected, got, gone;
};

struct task_job {
	struct job job;
	struct desk *desk;
	sem_t *begun; /* told of it; NULL: nobody is */
	sem_t *gate;  /* wait for it; NULL: do not */
	_Atomic unsigned *busy, *most;
	pthread_t ran_in;
	unsigned square, n;
};

static void
work(struct job *j)
{
	struct task_job *t = (struct task_job *)j;
	unsigned busy = t->busy != NULL ? atomic_fetch_add(t->busy, 1) + 1 : 0;
	unsigned most = t->most != NULL ? atomic_load(t->most) : 0;

	while (
	    t->most != NULL && busy > most && !atomic_compare_exchange_weak(t->most, &most, busy))
		;
	if (t->begun != NULL)
		sem_post(t->begun);
	if (t->gate != NULL)
		sem_wait(t->gate);
	t->square = t->n * t->n;
	t->ran_in = pthread_self();
	if (t->busy != NULL)
		atomic_fetch_sub(t->busy, 1);
}

static void
take_back(struct job *j, void *receiver)
{
	struct task_job *t = (struct task_job *)j;
	struct desk *d = t->desk;

	if (receiver == NULL) {
		d->gone++;
		free(t);
		return;
	}
	assert_ptr_equal(receiver, d);
	assert_true(pthread_equal(pthread_self(), d->self));
	assert_false(pthread_equal(t->ran_in, d->self));
	assert_int_equal(t->square, t->n * t->n);
	free(t);
	if (++d->got == d->expected)
		loop_stop(d->loop);
}

static void
desk_open(struct desk *d, unsigned threads)
{
	*d = (struct desk){ .loop = loop_new(), .self = pthread_self() };
	assert_non_null(d->loop);
	d->mailbox = mailbox_new(d->loop, d);
	assert_non_null(d->mailbox);
	d->pool = offload_new(threads);
	assert_non_null(d->pool);
}

static void
desk_close(struct desk *d)
{
	offload_free(d->pool);
	mailbox_free(d->mailbox);
	loop_free(d->loop);
}

static struct task_job *
ask(struct desk *d, unsigned n, sem_t *gate)
{
	struct task_job *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->job.run = work;
	t->job.done = take_back;
	t->desk = d;
	t->gate = gate;
	t->n = n;
	return t;
}

static void
post(struct desk *d, struct task_job *t)
{
	assert_true(offload_ask(d->pool, &t->job, d->mailbox));
}

static void
test_answers_come_back_to_the_thread_that_asked(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, THREADS);
	d.expected = MANY;
	for (unsigned i = 0; i < MANY; i++)
		post(&d, ask(&d, i, NULL));
	loop_run(d.loop);
	assert_int_equal(d.got, MANY);
	desk_close(&d);
}

/* Two that block leave the third thread free; a fourth thread is never made. */
static void
test_a_blocked_thread_does_not_hold_the_others(void **state)
{
	_Atomic unsigned busy = 0, most = 0;
	struct desk d;
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	desk_open(&d, THREADS);
	post(&d, ask(&d, 1, &gate));
	post(&d, ask(&d, 2, &gate));
	d.expected = 50;
	for (unsigned i = 0; i < 50; i++) {
		struct task_job *t = ask(&d, i, NULL);

		t->busy = &busy;
		t->most = &most;
		post(&d, t);
	}
	loop_run(d.loop);
	assert_int_equal(atomic_load(&most), 1);
	d.expected = 52;
	sem_post(&gate);
	sem_post(&gate);
	loop_run(d.loop);
	assert_int_equal(d.got, 52);
	desk_close(&d);
	sem_destroy(&gate);
}

/* However many of a lane wait and block, the threads of the others go on. */
static void
test_strangers_hold_up_each_other_alone(void **state)
{
	_Atomic unsigned busy = 0, most = 0;
	sem_t gate, begun;
	struct desk d;

	(void)state;
	sem_init(&gate, 0, 0);
	sem_init(&begun, 0, 0);
	desk_open(&d, 4);
	for (unsigned i = 0; i < 20; i++) {
		struct task_job *t = ask(&d, i, &gate);

		t->job.lane = OFFLOAD_STRANGERS;
		t->begun = &begun;
		t->busy = &busy;
		t->most = &most;
		post(&d, t);
	}
	d.expected = 50;
	for (unsigned i = 0; i < 50; i++)
		post(&d, ask(&d, i, NULL));
	loop_run(d.loop);
	for (unsigned i = 0; i < 2; i++) /* half of the threads */
		sem_wait(&begun);
	for (unsigned i = 0; i < 20; i++)
		sem_post(&gate);
	d.expected = 70;
	loop_run(d.loop);
	assert_int_equal(atomic_load(&most), 2);
	desk_close(&d);
	sem_destroy(&begun);
	sem_destroy(&gate);
}

/* What waits at the end is given back, what runs is waited for, and nothing is posted any more. */
static void
test_the_end_gives_every_job_back_once(void **state)
{
	struct desk d;
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	desk_open(&d, 1);
	for (unsigned i = 0; i < 5; i++) {
		struct task_job *t = ask(&d, i, i == 0 ? &gate : NULL);

		t->job.lane = i % OFFLOAD_LANES;
		post(&d, t);
	}
	sem_post(&gate);
	offload_free(d.pool);
	d.pool = NULL;
	d.expected = 0;
	mailbox_free(d.mailbox); /* takes what was posted before */
	assert_int_equal(d.got + d.gone, 5);
	loop_free(d.loop);
	sem_destroy(&gate);
}

/* A call that never comes back must not keep the process from ending. */
static void
test_a_stuck_thread_does_not_hold_the_end(void **state)
{
	static sem_t gate; /* looked at after the test, too */
	struct desk d;

	(void)state;
	sem_init(&gate, 0, 0);
	desk_open(&d, 1);
	post(&d, ask(&d, 1, &gate));
	post(&d, ask(&d, 2, NULL));
	offload_free(d.pool); /* a second, and not for ever */
	d.pool = NULL;
	assert_true(d.gone >= 1);
	assert_int_equal(d.got, 0);
	desk_close(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_come_back_to_the_thread_that_asked),
		cmocka_unit_test(test_a_blocked_thread_does_not_hold_the_others),
		cmocka_unit_test(test_strangers_hold_up_each_other_alone),
		cmocka_unit_test(test_the_end_gives_every_job_back_once),
		cmocka_unit_test(test_a_stuck_thread_does_not_hold_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
