/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log.c -- lines into one of two buffers; a writer thread swaps them and writes the full one.
 *
 * Both buffers hold finished lines, so that a batch is one write() for each destination.  Before
 * log_open() nobody empties them, and so the first one grows: a thousand services have a lot to
 * say.  A producer formats on its own stack, and holds the lock for one memcpy(); it wakes the
 * writer only if that sleeps.  The writer holds the lock only to swap.
 */
#include "base/log.h"

#include "base/line.h"
#include "base/outlets.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	SIDE_SIZE = 256 * 1024, /* of each of the two buffers, as long as it is enough */
	RESERVE =
	    SIDE_SIZE / 4, /* of which chatter gets nothing: how a tunnel ended must be told */
	BATCH_MS = 20,	   /* how long a line may wait for company */
	CLOSE_MS = 2000,   /* how long log_close() waits for a destination that is stuck */
};

enum writer {
	WRITER_NONE,	 /* no thread: whoever logs writes */
	WRITER_IDLE,	 /* asleep until there is something to do */
	WRITER_BATCHING, /* asleep until the batch is old enough, or something is urgent */
	WRITER_BUSY,
};

static char space[2][SIDE_SIZE];

/* The two buffers: `space`, or what took its place. */
static struct side {
	char *text;
	size_t room;
} sides[2] = { { space[0], SIDE_SIZE }, { space[1], SIDE_SIZE } };

static struct {
	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t wake;  /* the writer waits here; made by log_start() */
	pthread_t thread;
	enum writer writer;
	unsigned side;	    /* the buffer that lines are added to */
	size_t used;	    /* its bytes */
	unsigned long lost; /* lines for which it had no room */
	bool urgent, reopen, stop;
	struct outlets *next; /* what log_reconfigure() hands over */
	size_t mark; /* with `reopen` or `next`: the bytes that still go to the old place */
} ring = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The writer thread's own; without a thread, guarded by the lock.  NULL before log_open(). */
static struct outlets *outlets;

/* The main thread's own. */
static enum { EARLY, OPEN, RUNNING } stage;
static bool also_stderr; /* as log_open() was told */

/* Every level is kept until the configuration names one. */
struct log_ctx log_main = { .id = "ui", .level = LOG_DEBUG };

/* ---- the ring ---- */

/* Empty the ring in the caller's thread.  The lock is held, and there is no writer. */
static void
drain(void)
{
	outlets_write(outlets, sides[ring.side].text, ring.used, ring.lost);
	ring.used = 0;
	ring.lost = 0;
	ring.urgent = false;
}

/* The lock is held.  If the writer sleeps so lightly that this wakes it, the caller must signal. */
static bool
rouse(bool urgent)
{
	ring.urgent |= urgent;
	if (ring.writer != WRITER_IDLE && !(ring.writer == WRITER_BATCHING && urgent))
		return false;
	ring.writer = WRITER_BUSY; /* so that one signal is enough */
	return true;
}

/* Is there room for `n` bytes?  While there is nobody to empty the ring, it is made.  The lock is
 * held. */
static bool
make_room(struct side *side, size_t n, int level)
{
	size_t kept = level > LOG_NOTICE ? RESERVE : 0;
	char *bigger;

	if (ring.used + n + kept <= side->room)
		return true;
	/* Whose the outlets are once there is a writer. */
	if (ring.writer != WRITER_NONE || outlets != NULL ||
	    (bigger = malloc(side->room * 2)) == NULL)
		return false;
	memcpy(bigger, side->text, ring.used);
	if (side->text != space[ring.side])
		free(side->text);
	*side = (struct side){ bigger, side->room * 2 };
	return true;
}

static void
ring_add(const char *line, size_t n, int level)
{
	struct side *side;
	bool signal;

	pthread_mutex_lock(&ring.lock);
	side = &sides[ring.side];
	if (!make_room(side, n, level)) {
		ring.lost++;
	} else {
		memcpy(side->text + ring.used, line, n);
		ring.used += n;
	}
	signal = rouse(level <= LOG_ERR || ring.used >= side->room / 2);
	if (ring.writer == WRITER_NONE && outlets != NULL)
		drain();
	pthread_mutex_unlock(&ring.lock);
	if (signal)
		pthread_cond_signal(&ring.wake);
}

void
log_line(const struct log_ctx *ctx, int level, const char *fmt, ...)
{
	char line[LINE_SIZE];
	int error = errno; /* callers may still want to look at it */
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = line_make(line, ctx, level, fmt, ap);
	va_end(ap);
	ring_add(line, n, level);
	errno = error;
}

/* ---- the writer thread ---- */

static bool
work_waits(void)
{
	return ring.used > 0 || ring.lost > 0 || ring.reopen || ring.next != NULL;
}

static struct timespec
in_ms(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* Sleep until there is a batch to write, or something else to do.  The lock is held. */
static void
writer_wait(void)
{
	struct timespec due;

	while (!work_waits() && !ring.stop) {
		ring.writer = WRITER_IDLE;
		pthread_cond_wait(&ring.wake, &ring.lock);
	}
	due = in_ms(CLOCK_MONOTONIC, BATCH_MS);
	while (!ring.urgent) {
		ring.writer = WRITER_BATCHING;
		if (pthread_cond_timedwait(&ring.wake, &ring.lock, &due) == ETIMEDOUT)
			break;
	}
	ring.writer = WRITER_BUSY;
}

/* Swap the buffers and write the one that was filled.  The lock is held, but not while writing. */
static void
writer_turn(void)
{
	const char *batch = sides[ring.side].text;
	unsigned long lost = ring.lost;
	bool reopen = ring.reopen;
	struct outlets *next = ring.next;
	size_t n = ring.used, old = reopen || next != NULL ? ring.mark : 0;

	ring.side ^= 1;
	ring.used = 0;
	ring.lost = 0;
	ring.urgent = ring.stop;
	ring.reopen = false;
	ring.next = NULL;
	pthread_mutex_unlock(&ring.lock);

	outlets_write(outlets, batch, old, 0);
	if (next != NULL)
		outlets = outlets_replace(outlets, next);
	if (reopen)
		outlets_reopen(outlets);
	outlets_write(outlets, batch + old, n - old, lost);

	pthread_mutex_lock(&ring.lock);
}

static void *
writer_run(void *arg)
{
	pthread_mutex_lock(&ring.lock);
	while (!ring.stop || work_waits()) {
		writer_wait();
		writer_turn();
	}
	pthread_mutex_unlock(&ring.lock);
	return arg;
}

/* ---- the life of the log ---- */

/* Of the lines kept so far, forget those above `level`.  The lock is held. */
static void
keep_passing(int level)
{
	char *kept = sides[ring.side].text;
	const char *p = kept, *end = kept + ring.used;
	struct line_parts line;

	while (line_next(&p, end, &line)) {
		const char *start = line.start;

		if (line.level > level)
			continue;
		memmove(kept, start, (size_t)(p - start));
		kept += p - start;
	}
	ring.used = (size_t)(kept - sides[ring.side].text);
}

void
log_abandon(void)
{
	static const char marks[] = "***!:.  "; /* the incumbent's, by level */
	const char *p, *end;
	struct line_parts line;

	if (stage != EARLY)
		return;
	pthread_mutex_lock(&ring.lock);
	p = sides[ring.side].text;
	end = p + ring.used;
	while (line_next(&p, end, &line))
		fprintf(stderr, "[%c] %.*s\n", marks[line.level], (int)(line.end - line.text),
		    line.text);
	if (ring.lost > 0)
		fprintf(stderr, "[:] %lu log lines were lost\n", ring.lost);
	ring.used = 0;
	ring.lost = 0;
	pthread_mutex_unlock(&ring.lock);
}

bool
log_open(const struct log_conf *conf, bool to_stderr, char *why, size_t size)
{
	struct outlets *o;

	MUST(stage == EARLY);
	if ((o = outlets_new(conf, to_stderr, why, size)) == NULL)
		return false;
	pthread_mutex_lock(&ring.lock);
	keep_passing(conf->level);
	outlets = outlets_replace(outlets, o);
	/* Nothing is written here: a pipe that nobody reads is for the writer thread to wait on. */
	pthread_mutex_unlock(&ring.lock);
	log_main.level = conf->level;
	also_stderr = to_stderr;
	stage = OPEN;
	return true;
}

static int
wake_init(void)
{
	pthread_condattr_t attr;
	int error;

	if ((error = pthread_condattr_init(&attr)) != 0)
		return error;
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	error = pthread_cond_init(&ring.wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	return error;
}

/* The writer, with every signal blocked: they are for the main thread. */
static int
writer_new(void)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&ring.thread, NULL, writer_run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

bool
log_start(void)
{
	int error;

	MUST(stage == OPEN);
	if ((error = wake_init()) != 0) {
		errno = error;
		return false;
	}
	pthread_mutex_lock(&ring.lock);
	if ((error = writer_new()) == 0)
		ring.writer = WRITER_BUSY;
	pthread_mutex_unlock(&ring.lock);
	if (error != 0) {
		pthread_cond_destroy(&ring.wake);
		errno = error;
		return false;
	}
	stage = RUNNING;
	return true;
}

/* What was logged until now belongs to the destinations of now.  The lock is held. */
static void
mark(void)
{
	if (!ring.reopen && ring.next == NULL)
		ring.mark = ring.used;
}

void
log_reopen(void)
{
	bool signal;

	pthread_mutex_lock(&ring.lock);
	mark();
	ring.reopen = stage == RUNNING;
	signal = rouse(true);
	if (stage == OPEN)
		outlets_reopen(outlets);
	pthread_mutex_unlock(&ring.lock);
	if (signal)
		pthread_cond_signal(&ring.wake);
}

bool
log_reconfigure(const struct log_conf *conf, char *why, size_t size)
{
	struct outlets *o, *unused = NULL;
	bool signal;

	MUST(stage != EARLY);
	if ((o = outlets_new(conf, also_stderr, why, size)) == NULL)
		return false;
	pthread_mutex_lock(&ring.lock);
	mark();
	if (stage == RUNNING) {
		unused = ring.next; /* the writer may be stuck since the last reload */
		ring.next = o;
	} else {
		outlets = outlets_replace(outlets, o);
	}
	signal = rouse(true);
	pthread_mutex_unlock(&ring.lock);
	if (signal)
		pthread_cond_signal(&ring.wake);
	outlets_free(unused);
	__atomic_store_n(&log_main.level, conf->level, __ATOMIC_RELAXED);
	return true;
}

/* False: a destination is stuck, and so is the writer. */
static bool
writer_stop(void)
{
	struct timespec due = in_ms(CLOCK_REALTIME, CLOSE_MS);

	pthread_mutex_lock(&ring.lock);
	ring.stop = true;
	ring.urgent = true;
	pthread_mutex_unlock(&ring.lock);
	pthread_cond_signal(&ring.wake);
	if (pthread_timedjoin_np(ring.thread, NULL, &due) != 0)
		return false;
	pthread_cond_destroy(&ring.wake);
	return true;
}

void
log_close(void)
{
	/* A stuck writer keeps what it has; the end of the process takes it along. */
	if (stage == EARLY || (stage == RUNNING && !writer_stop()))
		return;
	pthread_mutex_lock(&ring.lock);
	ring.writer = WRITER_NONE;
	ring.stop = false;
	drain();
	outlets_close(outlets);
	outlets = NULL;
	pthread_mutex_unlock(&ring.lock);
	stage = EARLY;
}

/* ---- brakes ---- */

bool
log_brake(struct log_brake *b, int64_t now_ms, unsigned *suppressed)
{
	int64_t second = now_ms / 1000;

	if (b->second != second) {
		b->second = second;
		b->count = 0;
	}
	if (b->count == LOG_BURST) {
		b->suppressed++;
		*suppressed = 0;
		return false;
	}
	b->count++;
	*suppressed = b->suppressed;
	b->suppressed = 0;
	return true;
}
