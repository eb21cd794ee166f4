/* SPDX-License-Identifier: Apache-2.0 */
/* base/outlets.c -- where lines of the log go: a file, standard error, syslog. */
#include "base/outlets.h"

#include "base/line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

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
	o->lost += line_count(text + done, n - done);
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
	n = line_make(out, &self, level, fmt, ap);
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
	struct line_parts line;

	while (line_next(&text, end, &line))
		syslog(line.level, "%.*s", (int)(line.end - line.head), line.head);
	if (lost > 0)
		syslog(LOG_WARNING, "LOG%d[main]: %lu log lines were lost", LOG_WARNING, lost);
}

void
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

void
outlets_free(struct outlets *o)
{
	if (o == NULL)
		return;
	if (o->file.fd != -1)
		close(o->file.fd);
	free(o->path);
	free(o);
}

struct outlets *
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

struct outlets *
outlets_replace(struct outlets *old, struct outlets *next)
{
	/* An open connection to syslog is kept: in a chroot there may be no way to make a new one.
	 */
	if (next->syslog)
		openlog(next->ident, LOG_CONS | LOG_NDELAY, next->facility);
	else if (old != NULL && old->syslog)
		closelog();
	outlets_free(old);
	return next;
}

void
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

void
outlets_close(struct outlets *o)
{
	if (o->syslog)
		closelog();
	outlets_free(o);
}
