/* SPDX-License-Identifier: Apache-2.0 */
/* loop/offload.c -- a small pool of threads for calls that can block. */
#include "loop/offload.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

enum {
	OFFLOAD_MAGIC = 0x4be6d173,
	PATIENCE_S = 1, /* at the end: for calls that are under way */
};

struct queue {
	struct job *first, **last;
	unsigned at_work, most; /* threads */
};

struct offload {
	unsigned magic;
	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t work;  /* a job, or the end */
	pthread_cond_t quiet; /* a thread has left */
	struct queue lanes[OFFLOAD_LANES];
	unsigned most, running, idle; /* threads */
	bool closed;
};

struct offload *
offload_new(unsigned threads)
{
	struct offload *o;

	if (OBJ_NEW(o, OFFLOAD_MAGIC) == NULL)
		return NULL;
	for (enum offload_lane i = 0; i < OFFLOAD_LANES; i++)
		o->lanes[i] = (struct queue){ .last = &o->lanes[i].first, .most = threads };
	if (threads > 1)
		o->lanes[OFFLOAD_STRANGERS].most = threads / 2;
	o->most = threads;
	/* With default attributes, none of these can fail in glibc. */
	MUST(pthread_mutex_init(&o->lock, NULL) == 0);
	MUST(pthread_cond_init(&o->work, NULL) == 0);
	MUST(pthread_cond_init(&o->quiet, NULL) == 0);
	return o;
}

/* In the thread that asked. */
static void
job_take(struct message *m, void *receiver)
{
	struct job *j = (struct job *)m;

	j->done(j, receiver);
}

/* With the lock held: the first lane with a job that may run now; NULL: none has. */
static struct queue *
ready_lane(struct offload *o)
{
	for (enum offload_lane i = 0; i < OFFLOAD_LANES; i++)
		if (o->lanes[i].first != NULL && o->lanes[i].at_work < o->lanes[i].most)
			return &o->lanes[i];
	return NULL;
}

/* With the lock held: the next job, or NULL at the end. */
static struct job *
next_job(struct offload *o)
{
	struct queue *lane = NULL;
	struct job *j;

	o->idle++;
	while (!o->closed && (lane = ready_lane(o)) == NULL)
		pthread_cond_wait(&o->work, &o->lock);
	o->idle--;
	if (o->closed)
		return NULL;
	j = lane->first;
	if ((lane->first = j->next) == NULL)
		lane->last = &lane->first;
	lane->at_work++;
	return j;
}

/* With the lock held, so that nothing is posted once the pool is closed. */
static void
send_back(struct offload *o, struct job *j)
{
	if (o->closed) {
		j->done(j, NULL);
		return;
	}
	j->message.take = job_take;
	mailbox_post(j->home, &j->message);
}

static void *
offload_main(void *arg)
{
	struct offload *o = arg;
	struct job *j;

	CHECK_OBJ(o, OFFLOAD_MAGIC);
	pthread_mutex_lock(&o->lock);
	while ((j = next_job(o)) != NULL) {
		pthread_mutex_unlock(&o->lock);
		j->run(j);
		pthread_mutex_lock(&o->lock);
		o->lanes[j->lane].at_work--;
		send_back(o, j);
	}
	o->running--;
	pthread_cond_signal(&o->quiet);
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

/* With the lock held.  False: not one thread is there to do the work. */
static bool
add_thread(struct offload *o)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	if (pthread_attr_init(&attr) != 0)
		return o->running > 0;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* Its signal mask is that of the worker that asked: all are for the main thread. */
	error = pthread_create(&thread, &attr, offload_main, o);
	pthread_attr_destroy(&attr);
	o->running += error == 0;
	if (error != 0)
		errno = error;
	return o->running > 0;
}

/* With the lock held: is no idle thread there for one more job of that lane? */
static bool
is_short_of_threads(const struct offload *o, enum offload_lane lane)
{
	unsigned waiting = 1; /* the one that comes */

	if (o->lanes[lane].at_work >= o->lanes[lane].most)
		return false; /* it waits for one of its own */
	for (enum offload_lane i = 0; i < OFFLOAD_LANES; i++)
		for (const struct job *j = o->lanes[i].first; j != NULL && waiting <= o->idle;
		     j = j->next)
			waiting++;
	return waiting > o->idle && o->running < o->most;
}

bool
offload_ask(struct offload *o, struct job *j, struct mailbox *home)
{
	struct queue *lane = &o->lanes[j->lane];
	bool served;

	CHECK_OBJ(o, OFFLOAD_MAGIC);
	pthread_mutex_lock(&o->lock);
	served = !is_short_of_threads(o, j->lane) || add_thread(o);
	if (served) {
		j->home = home;
		j->next = NULL;
		*lane->last = j;
		lane->last = &j->next;
		pthread_cond_signal(&o->work);
	}
	pthread_mutex_unlock(&o->lock);
	return served;
}

/* With the lock held, for PATIENCE_S at most. */
static void
await_threads(struct offload *o)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_S;
	while (o->running > 0 && pthread_cond_timedwait(&o->quiet, &o->lock, &end) != ETIMEDOUT)
		;
}

void
offload_free(struct offload *o)
{
	struct job *left = NULL, *next;
	bool stuck;

	if (o == NULL)
		return;
	CHECK_OBJ(o, OFFLOAD_MAGIC);
	pthread_mutex_lock(&o->lock);
	o->closed = true;
	for (enum offload_lane i = 0; i < OFFLOAD_LANES; i++) {
		*o->lanes[i].last = left;
		left = o->lanes[i].first;
		o->lanes[i].first = NULL;
	}
	pthread_cond_broadcast(&o->work);
	await_threads(o);
	stuck = o->running > 0;
	pthread_mutex_unlock(&o->lock);
	for (; left != NULL; left = next) {
		next = left->next;
		left->done(left, NULL);
	}
	if (stuck)
		return; /* that thread will look at the pool once more */
	pthread_cond_destroy(&o->quiet);
	pthread_cond_destroy(&o->work);
	pthread_mutex_destroy(&o->lock);
	OBJ_FREE(o);
}
