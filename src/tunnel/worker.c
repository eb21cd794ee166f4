/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/worker.c -- one thread with its own loop, sessions and counters. */
#include "tunnel/worker.h"

#include "base/heap.h"
#include "base/sanitized.h"
#include "base/shelf.h"
#include "tunnel/spares.h"
#include "tunnel/vpn_account.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WORKER_MAGIC = 0x39b5a40d };

/*
 * Handshakes leave holes in the heap and blocks on the shelf.  While sessions come and go the next
 * ones fill and take them; when that has ended, they go back to the system.
 */
enum { TIDY_MS = 2000, TIDY_CHANGES = 64 };

static void
tidy(void *arg)
{
	struct worker *w = arg;

	CHECK_OBJ(w, WORKER_MAGIC);
	if (w->tidy.changes != w->tidy.seen) {
		w->tidy.seen = w->tidy.changes;
		loop_timer(w->loop, &w->tidy.timer, TIDY_MS);
		return;
	}
	w->tidy.changes = w->tidy.seen = 0;
	loop_untimer(w->loop, &w->tidy.timer);
	shelf_clear();
	heap_give_back();
}

static void
note_change(struct worker *w)
{
	if (++w->tidy.changes == TIDY_CHANGES)
		loop_timer(w->loop, &w->tidy.timer, TIDY_MS);
}

/* Anything that needs no name: after chroot there may be no /dev. */
void
worker_keep_spare(struct worker *w)
{
	if (w->spare_fd == -1)
		w->spare_fd = eventfd(0, EFD_CLOEXEC);
}

struct worker *
worker_new(struct common *common, unsigned number)
{
	struct worker *w;

	if (OBJ_NEW(w, WORKER_MAGIC) == NULL)
		return NULL;
	w->common = common;
	w->number = number;
	w->tidy.task = (struct task){ .run = tidy, .owner = w, .lane = LANE_SETUP };
	w->tidy.timer.task = &w->tidy.task;
	w->spare_fd = -1;
	worker_keep_spare(w);
	if ((w->loop = loop_new()) == NULL || (w->pool = pool_new()) == NULL ||
	    (w->conduits = conduits_new()) == NULL || (w->resume = resume_cache_new()) == NULL ||
	    (w->resolver = resolver_new(w->loop)) == NULL ||
	    (w->srv = srv_finder_new(w->resolver, w->loop)) == NULL ||
	    (w->grudges = grudges_new()) == NULL ||
	    (w->mailbox = mailbox_new(w->loop, w)) == NULL ||
	    (w->accounts = vpn_accounts_new(w->loop)) == NULL ||
	    (w->programs = exec_host_new(
		 w->loop, w->mailbox, common->offload, common->limits.sessions)) == NULL) {
		log_err(
		    &log_main, "Cannot start worker %u: %s (%d)", number, strerror(errno), errno);
		worker_free(w);
		return NULL;
	}
	return w;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	CHECK_OBJ(w, WORKER_MAGIC);
	if (w->loop != NULL)
		loop_untimer(w->loop, &w->tidy.timer);
	mailbox_free(w->mailbox);
	exec_host_free(w->programs); /* the mailbox may have brought one more */
	stapler_stop(&w->staplers);
	health_stop(&w->health);
	spares_stop(&w->spares);
	vpn_accounts_free(w->accounts);
	resolver_free(w->resolver);
	srv_finder_free(w->srv);
	grudges_free(w->grudges);
	resume_cache_free(w->resume);
	pool_free(w->pool);
	conduits_free(w->conduits);
	loop_free(w->loop);
	if (w->spare_fd != -1)
		close(w->spare_fd);
	plan_release(w->plan);
	OBJ_FREE(w);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	CHECK_OBJ(w, WORKER_MAGIC);
	/* A sanitizer wants to see each block come and go. */
	if (!SANITIZED)
		shelf_open();
	loop_run(w->loop);
	shelf_close();
	return NULL;
}

bool
worker_start(struct worker *w)
{
	int error = pthread_create(&w->thread, NULL, worker_main, w);

	if (error != 0)
		log_err(&log_main, "Cannot start worker %u: %s (%d)", w->number, strerror(error),
		    error);
	return error == 0;
}

void
worker_session_came(struct worker *w)
{
	atomic_fetch_add_explicit(&w->load, 1, memory_order_relaxed);
	note_change(w);
}

void
worker_session_gone(struct worker *w)
{
	note_change(w);
	if (atomic_fetch_sub(&w->load, 1) == 1 && w->draining)
		w->common->idle(w->common->owner);
}

static unsigned
load_of(const struct worker *w)
{
	return atomic_load_explicit(&w->load, memory_order_relaxed);
}

unsigned
worker_total_load(const struct common *c)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < c->worker_count; i++)
		sum += load_of(c->workers[i]);
	return sum;
}

struct worker *
worker_least_loaded(struct worker *me)
{
	const struct common *c = me->common;
	struct worker *least = me;

	for (unsigned i = 0; i < c->worker_count; i++)
		if (load_of(c->workers[i]) < load_of(least))
			least = c->workers[i];
	/* A hand-over costs a wake-up: not for a difference that the next few clients level out. */
	return load_of(me) > load_of(least) + 2 + load_of(least) / 8 ? least : me;
}
