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

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
	SIDE_SIZE = 256 * 1024, /* of each of the two buffers, as long as it is enough */
	RESERVE =
	    SIDE_SIZE / 4, /* of which chatter gets nothing: how a tunnel ended must be told */
	BATCH_MS = 20,	   /* how long a line may wait for company */
	CLOSE_MS = 2000,   /* how long log_close() waits for a destination that is stuck */
	STAMP = 20,	   /* "2026.01.31 12:00:00 " */
	HEAD_MAX = STAMP + sizeof("LOG7[]: ") + sizeof(((struct log_ctx *)0)->id),
};

/* A descriptor that lines go to. */
struct outlet {
	int fd;		    /* -1: none */
	unsigned long lost; /* lines that it did not get, and has not been told of */
	bool torn;	    /* the last write ended inside a line */
};

/* All destinations. */
struct outlets {
	char *path; /* of `file`, for opening it again; NULL: none */
	int flags;
	struct outlet file, error;
	int level; /* the global one */
	bool syslog;
	int facility;
	char ident[64]; /* syslog keeps the pointer */
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

/* ---- making a line ---- */

/* "2026.01.31 12:00:00 ", made once a second in each thread: localtime_r() takes a lock. */
static void
put_stamp(char out[STAMP])
{
	static _Thread_local time_t second = -1;
	static _Thread_local char text[64];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != second) {
		second = now.tv_sec;
		localtime_r(&second, &tm);
		(void)snprintf(text, sizeof(text), "%04d.%02d.%02d %02d:%02d:%02d ",
		    (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		    tm.tm_sec);
	}
	memcpy(out, text, STAMP);
}

/* The part before the text.  By hand: it is the same few bytes for every line. */
static size_t
put_head(char out[HEAD_MAX], const struct log_ctx *ctx, int level)
{
	size_t id = strnlen(ctx->id, sizeof(ctx->id));
	char *p = out;

	put_stamp(p);
	p += STAMP;
	memcpy(p, "LOG", 3);
	p += 3;
	*p++ = (char)('0' + (level & 7));
	*p++ = '[';
	memcpy(p, ctx->id, id);
	p += id;
	memcpy(p, "]: ", 3);
	return (size_t)(p + 3 - out);
}

/* The text, cut and made one line; names may be UTF-8. */
static size_t put_text(char out[LOG_LINE_MAX + 1], const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static size_t
put_text(char out[LOG_LINE_MAX + 1], const char *fmt, va_list ap)
{
	int made = vsnprintf(out, LOG_LINE_MAX + 1, fmt, ap);
	size_t n = made < 0 ? 0 : made < LOG_LINE_MAX ? (size_t)made : LOG_LINE_MAX;

	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
		n--;
	text_dot(out, n);
	return n;
}

static size_t put_line(char *out, const struct log_ctx *ctx, int level, const char *fmt, va_list ap)
    PRINTF_LIKE(4, 0);

static size_t
put_line(char *out, const struct log_ctx *ctx, int level, const char *fmt, va_list ap)
{
	size_t n = put_head(out, ctx, level);

	n += put_text(out + n, fmt, ap);
	out[n++] = '\n';
	return n;
}

enum { LINE_SIZE = HEAD_MAX + LOG_LINE_MAX + 2 };

/* ---- taking a batch apart again ---- */

/* One finished line, as syslog and the short form need it. */
struct line {
	int level;
	const char *head; /* "LOG5[17]: text" */
	const char *text;
	const char *end; /* its '\n' */
};

/* The line at *p, and *p behind it; false at the end. */
static bool
next_line(const char **p, const char *end, struct line *line)
{
	if (*p == end)
		return false;
	line->head = *p + STAMP;
	line->level = line->head[3] - '0';
	line->end = memchr(line->head, '\n', (size_t)(end - line->head));
	line->text = strchr(line->head, ']') + 3; /* no id contains a bracket */
	*p = line->end + 1;
	return true;
}

static unsigned long
count_lines(const char *text, size_t n)
{
	unsigned long lines = 0;

	for (const char *end = text + n; (text = memchr(text, '\n', (size_t)(end - text))) != NULL;
	     text++)
		lines++;
	return lines;
}

/* ---- destinations ---- */

/* How many bytes could be written; fewer than `n` with errno set. */
static size_t
write_all(int fd, const char *text, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t wrote = write(fd, text + done, n - done);

		if (wrote >= 0) {
			done += (size_t)wrote;
		} else if (errno ==
			   EAGAIN) { /* whoever else has this terminal or pipe wants it so */
			(void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
		} else if (errno != EINTR) {
			break;
		}
	}
	return done;
}

static bool
outlet_put(struct outlet *o, const char *text, size_t n)
{
	size_t done = 0;

	if (!o->torn || write_all(o->fd, "\n", 1) == 1) {
		o->torn = false;
		done = write_all(o->fd, text, n);
	}
	if (done == n)
		return true;
	o->lost += count_lines(text + done, n - done);
	o->torn |= done > 0 && text[done - 1] != '\n';
	return false;
}

/* A line of the writer's own: it must not wait for room in the ring. */
static size_t make_notice(char out[LINE_SIZE], int level, const char *fmt, ...) PRINTF_LIKE(3, 4);

static size_t
make_notice(char out[LINE_SIZE], int level, const char *fmt, ...)
{
	static const struct log_ctx self = { .id = "main" };
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = put_line(out, &self, level, fmt, ap);
	va_end(ap);
	return n;
}

static size_t
make_lost(char out[LINE_SIZE], unsigned long lost)
{
	return make_notice(out, LOG_WARNING, "%lu log lines were lost", lost);
}

static void
outlet_write(struct outlet *o, const char *text, size_t n, unsigned long lost)
{
	char notice[LINE_SIZE];
	bool well;

	if (o->fd == -1)
		return;
	well = outlet_put(o, text, n);
	o->lost += lost;
	if (well && o->lost > 0) {
		lost = o->lost;
		o->lost = 0;
		if (!outlet_put(o, notice, make_lost(notice, lost)))
			o->lost = lost;
	}
}

static void
syslog_write(const char *text, size_t n, unsigned long lost)
{
	const char *end = text + n;
	struct line line;

	while (next_line(&text, end, &line))
		syslog(line.level, "%.*s", (int)(line.end - line.head), line.head);
	if (lost > 0)
		syslog(LOG_WARNING, "LOG%d[main]: %lu log lines were lost", LOG_WARNING, lost);
}

static void
outlets_write(struct outlets *o, const char *text, size_t n, unsigned long lost)
{
	outlet_write(&o->file, text, n, lost);
	outlet_write(&o->error, text, n, lost);
	if (o->syslog)
		syslog_write(text, n, lost);
}

static int
open_file(const char *path, int flags)
{
	/* O_NONBLOCK: the open of a FIFO that nobody reads must fail, not wait.  Its writes may
	 * wait. */
	int fd = open(path, flags | O_NONBLOCK, 0640);

	if (fd != -1)
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

static void
outlets_free(struct outlets *o)
{
	if (o == NULL)
		return;
	if (o->file.fd != -1)
		close(o->file.fd);
	free(o->path);
	free(o);
}

/* The destinations of `conf`, open, or NULL with `why` set. */
static struct outlets *
outlets_new(const struct log_conf *conf, bool to_stderr, char *why, size_t size)
{
	struct outlets *o;

	if ((o = calloc(1, sizeof(*o))) == NULL)
		goto no_memory;
	o->file.fd = -1;
	o->error.fd = to_stderr ? STDERR_FILENO : -1;
	o->level = conf->level;
	o->syslog = conf->syslog;
	o->facility = conf->facility;
	(void)snprintf(
	    o->ident, sizeof(o->ident), "%s", conf->ident != NULL ? conf->ident : "ginnel");
	if (conf->output == NULL)
		return o;

	o->flags =
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | (conf->overwrite ? O_TRUNC : 0);
	if ((o->path = strdup(conf->output)) == NULL)
		goto no_memory;
	if ((o->file.fd = open_file(o->path, o->flags)) == -1) {
		(void)snprintf(why, size,
		    "cannot open the log file \"%s\": %s (%d); check `output` and who may write "
		    "there",
		    o->path, strerror(errno), errno);
		outlets_free(o);
		return NULL;
	}
	return o;

no_memory:
	(void)snprintf(why, size, "cannot open the log: out of memory");
	outlets_free(o);
	return NULL;
}

/* Use `o` from now on. */
static void
outlets_adopt(struct outlets *o)
{
	struct outlets *old = outlets;

	/* An open connection to syslog is kept: in a chroot there may be no way to make a new one.
	 */
	if (o->syslog)
		openlog(o->ident, LOG_CONS | LOG_NDELAY, o->facility);
	else if (old != NULL && old->syslog)
		closelog();
	outlets = o;
	outlets_free(old);
}

static void
outlets_reopen(struct outlets *o)
{
	char notice[LINE_SIZE];
	size_t n;
	int fd;

	if (o->path == NULL)
		return;
	if ((fd = open_file(o->path, o->flags)) == -1) {
		n = make_notice(notice, LOG_ERR,
		    "cannot reopen the log file \"%s\": %s (%d); the old one stays open", o->path,
		    strerror(errno), errno);
		outlets_write(o, notice, n, 0);
		return;
	}
	close(o->file.fd);
	o->file = (struct outlet){ .fd = fd, .lost = o->file.lost };
	if (o->level >= LOG_NOTICE) {
		n = make_notice(notice, LOG_NOTICE, "Log file reopened");
		outlets_write(o, notice, n, 0);
	}
}

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
	n = put_line(line, ctx, level, fmt, ap);
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
		outlets_adopt(next);
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
	struct line line;

	while (next_line(&p, end, &line)) {
		const char *start = line.head - STAMP;

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
	struct line line;

	if (stage != EARLY)
		return;
	pthread_mutex_lock(&ring.lock);
	p = sides[ring.side].text;
	end = p + ring.used;
	while (next_line(&p, end, &line))
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
	outlets_adopt(o);
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
		outlets_adopt(o);
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
	if (outlets->syslog)
		closelog();
	outlets_free(outlets);
	outlets = NULL;
	pthread_mutex_unlock(&ring.lock);
	stage = EARLY;
}

/* ---- names and brakes ---- */

/* 131 random bits as letters and digits; false if the kernel gives none. */
static bool
make_unique(char *out, size_t size)
{
	static const char letters[] =
	    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	unsigned char bytes[22];

	MUST(size > sizeof(bytes));
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		out[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	out[sizeof(bytes)] = '\0';
	return true;
}

void
log_make_id(struct log_ctx *ctx, enum log_id kind, uint64_t seq)
{
	if (kind == LOG_ID_UNIQUE && make_unique(ctx->id, sizeof(ctx->id)))
		return;
	if (kind == LOG_ID_THREAD)
		seq = (uint64_t)gettid();
	else if (kind == LOG_ID_PROCESS)
		seq = (uint64_t)getpid();
	(void)snprintf(ctx->id, sizeof(ctx->id), "%llu", (unsigned long long)seq);
}

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
