/* SPDX-License-Identifier: Apache-2.0 */
/* app/control.c -- a running daemon answers its operator. */
#include "app/control.h"

#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CONTROL_MAGIC = 0x5be41d97,
	VISITORS = 8,	    /* at a time; more wait to be accepted */
	WORD = 32,	    /* the longest question, and its end of line */
	PATIENCE_MS = 5000, /* for a visitor that says or takes nothing */
	PAUSE_MS = 100,	    /* when the system has no descriptor or memory for one more */
};

struct visitor {
	struct control *control;
	struct watch watch; /* .fd is -1: nobody */
	struct task task;
	struct timer timer;
	char word[WORD];
	size_t heard;
	const struct word *asked; /* NULL: not known yet, or not answered by the crew */
	char *answer;		  /* NULL: not made yet */
	size_t size, sent;
};

struct control {
	unsigned magic;
	int dir; /* where the file is; it outlives chroot and chdir */
	char *name;
	ino_t inode;
	struct watch door;
	struct task task;
	struct timer pause;
	bool refused;	   /* the last accept() failed, and that is told */
	struct loop *loop; /* NULL: not started */
	struct crew *crew;
	const char *source;
	int64_t started; /* ms */
	struct report report;
	struct visitor *reports_to; /* for whom the crew is asked now */
	bool reporting;		    /* ... also if he has left since */
	struct visitor visitors[VISITORS];
};

/* ---- the words ---- */

struct word {
	const char *text;
	bool tunnels; /* the report is to have a line for each */
	void (*write)(struct control *, FILE *);
};

/* "2 d 3 h", "5 min 7 s", "7 s": the two largest parts. */
static void
write_age(int64_t ms, FILE *out)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} parts[] = { { "d", 86400 }, { "h", 3600 }, { "min", 60 }, { "s", 1 } };
	int64_t left = ms / 1000;
	unsigned written = 0;

	for (size_t i = 0; i < COUNT_OF(parts) && written < 2; i++) {
		if (written == 0 && left < parts[i].seconds && parts[i].seconds > 1)
			continue;
		fprintf(out, " %lld %s", (long long)(left / parts[i].seconds), parts[i].unit);
		left %= parts[i].seconds;
		written++;
	}
}

static void
write_status(struct control *c, FILE *out)
{
	fprintf(out, "ginnel %s, process %d, has served %s for", GINNEL_VERSION, (int)getpid(),
	    c->source);
	write_age(loop_now(c->loop) - c->started, out);
	(void)fputc('\n', out);
	report_people(&c->report, crew_plan(c->crew), out);
}

static void
write_metrics(struct control *c, FILE *out)
{
	report_metrics(&c->report, crew_plan(c->crew), out);
}

static const struct word words[] = {
	{ "status", true, write_status },
	{ "metrics", false, write_metrics },
};

/* ---- visitors ---- */

static void
dismiss(struct visitor *v)
{
	struct control *c = v->control;
	char rest[1024];

	/* unix(7): to close with bytes unread resets, and takes the answer away from him. */
	(void)!recv(v->watch.fd, rest, sizeof(rest), MSG_DONTWAIT);
	loop_untimer(c->loop, &v->timer);
	loop_unwatch(c->loop, &v->watch);
	close(v->watch.fd);
	loop_cancel(c->loop, &v->task);
	free(v->answer);
	if (c->reports_to == v)
		c->reports_to = NULL;
	*v = (struct visitor){ .control = c, .watch.fd = -1 };
	loop_queue(c->loop, &c->task); /* there is room for another */
}

/* Everything is said, or as much as he takes now. */
static void
send_answer(struct visitor *v)
{
	while (v->watch.writable && v->sent < v->size) {
		ssize_t n = send(v->watch.fd, v->answer + v->sent, v->size - v->sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			v->watch.writable = false;
			if (loop_watch_writes(v->control->loop, &v->watch))
				return;
		}
		if (n == -1) {
			dismiss(v);
			return;
		}
		v->sent += (size_t)n;
		loop_timer(v->control->loop, &v->timer, PATIENCE_MS);
	}
	if (v->sent == v->size)
		dismiss(v);
}

/* Give `v` what `write` writes; without memory he gets nothing, and the end. */
static void
answer(struct visitor *v, void (*write)(struct control *, FILE *))
{
	FILE *out = open_memstream(&v->answer, &v->size);
	bool whole = false;

	if (out != NULL) {
		write(v->control, out);
		whole = ferror(out) == 0;
		whole &= fclose(out) == 0;
	}
	if (whole)
		send_answer(v);
	else
		dismiss(v);
}

static void
write_unknown(struct control *c, FILE *out)
{
	(void)c;
	fprintf(out, "Unknown word; known are:");
	for (size_t i = 0; i < COUNT_OF(words); i++)
		fprintf(out, " %s", words[i].text);
	(void)fputc('\n', out);
}

/* Ask the crew for the visitor who has waited longest, as far as their places tell. */
static void
ask_for_next(struct control *c)
{
	for (size_t i = 0; i < VISITORS && !c->reporting; i++) {
		struct visitor *v = &c->visitors[i];

		if (v->watch.fd == -1 || v->asked == NULL || v->answer != NULL)
			continue;
		if (!report_begin(&c->report, crew_plan(c->crew), v->asked->tunnels)) {
			dismiss(v);
			continue;
		}
		c->reporting = true;
		c->reports_to = v;
		crew_report(c->crew, &c->report);
	}
}

void
control_reported(struct control *c)
{
	struct visitor *v;

	if (c == NULL)
		return;
	CHECK_OBJ(c, CONTROL_MAGIC);
	v = c->reports_to;
	c->reporting = false;
	c->reports_to = NULL;
	if (v != NULL)
		answer(v, v->asked->write);
	report_free(&c->report);
	ask_for_next(c);
}

static void
understand(struct visitor *v)
{
	size_t n = strcspn(v->word, "\r\n");

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strlen(words[i].text) == n && strncmp(words[i].text, v->word, n) == 0)
			v->asked = &words[i];
	if (v->asked != NULL)
		ask_for_next(v->control);
	else
		answer(v, write_unknown);
}

static void
listen_to(struct visitor *v)
{
	ssize_t n =
	    recv(v->watch.fd, v->word + v->heard, sizeof(v->word) - 1 - v->heard, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		v->watch.readable = errno == EINTR;
		return;
	}
	if (n <= 0) {
		dismiss(v);
		return;
	}
	v->heard += (size_t)n;
	if (memchr(v->word, '\n', v->heard) != NULL || v->heard == sizeof(v->word) - 1)
		understand(v);
	else
		loop_queue(v->control->loop, &v->task);
}

static void
run_visitor(void *arg)
{
	struct visitor *v = arg;

	CHECK_OBJ(v->control, CONTROL_MAGIC);
	if (v->timer.fired)
		dismiss(v);
	else if (v->answer != NULL)
		send_answer(v);
	else if (v->asked == NULL && v->watch.readable)
		listen_to(v);
}

/* ---- the door ---- */

static struct visitor *
free_place(struct control *c)
{
	for (size_t i = 0; i < VISITORS; i++)
		if (c->visitors[i].watch.fd == -1)
			return &c->visitors[i];
	return NULL;
}

static void
welcome(struct visitor *v, int fd)
{
	struct control *c = v->control;

	v->task = (struct task){ .run = run_visitor, .owner = v };
	v->watch = (struct watch){ .fd = fd, .task = &v->task };
	v->timer.task = &v->task;
	if (!loop_watch(c->loop, &v->watch, WATCH_STREAM)) {
		close(fd);
		v->watch.fd = -1;
		return;
	}
	v->watch.readable = v->watch.writable = true;
	loop_timer(c->loop, &v->timer, PATIENCE_MS);
	loop_queue(c->loop, &v->task);
}

/* He stays in the queue, and there is no second edge for him: look again soon.  Told once. */
static void
try_later(struct control *c, int cause)
{
	if (!c->refused)
		log_warn(&log_main, "control: cannot accept: %s (%d); trying again every %d ms",
		    strerror(cause), cause, PAUSE_MS);
	c->refused = true;
	loop_timer(c->loop, &c->pause, PAUSE_MS);
}

/* Who finds no place waits in the socket's queue, and is met when another one leaves. */
static void
accept_visitors(void *arg)
{
	struct control *c = arg;
	struct visitor *v;
	int fd;

	CHECK_OBJ(c, CONTROL_MAGIC);
	loop_untimer(c->loop, &c->pause);
	while ((v = free_place(c)) != NULL) {
		fd = accept4(c->door.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			if (errno != EAGAIN)
				try_later(c, errno);
			return;
		}
		c->refused = false;
		welcome(v, fd);
	}
}

/* ---- its life ---- */

/* The directory is held open: the file is still found there from inside a chroot. */
static bool
remember_place(struct control *c, const char *path)
{
	char *copy = strdup(path), *copy2 = strdup(path);
	struct stat st;

	if (copy != NULL && copy2 != NULL) {
		c->dir = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
		c->name = strdup(basename(copy2));
	}
	free(copy);
	free(copy2);
	if (c->dir == -1 || c->name == NULL ||
	    fstatat(c->dir, c->name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return false;
	c->inode = st.st_ino;
	return true;
}

static int
listen_at(const char *path)
{
	static const struct sockopts none = { 0 };
	struct addr a = { .len = sizeof(a.un), .un = { .sun_family = AF_UNIX } };
	mode_t mask;
	int fd;

	if (strlen(path) >= sizeof(a.un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(a.un.sun_path, path, strlen(path));
	mask = umask(S_IRWXG | S_IRWXO); /* unix(7): to connect needs the right to write */
	fd = sock_listen(&a, &none, (uid_t)-1, (gid_t)-1);
	umask(mask);
	return fd;
}

struct control *
control_open(const char *path)
{
	struct control *c;
	int saved;

	if (OBJ_NEW(c, CONTROL_MAGIC) == NULL) {
		log_err(&log_main, "control: out of memory");
		return NULL;
	}
	c->dir = -1;
	for (size_t i = 0; i < VISITORS; i++)
		c->visitors[i] = (struct visitor){ .control = c, .watch.fd = -1 };
	c->door.fd = listen_at(path);
	if (c->door.fd != -1 && remember_place(c, path))
		return c;
	saved = errno;
	log_err(&log_main, "control: cannot listen at %s: %s (%d)%s", path, strerror(saved), saved,
	    saved == EADDRINUSE ? "; another daemon answers there, or it is no socket" : "");
	control_free(c);
	errno = saved;
	return NULL;
}

bool
control_start(struct control *c, struct loop *loop, struct crew *crew, const char *source)
{
	c->loop = loop;
	c->crew = crew;
	c->source = source;
	c->started = loop_now(loop);
	c->task = (struct task){ .run = accept_visitors, .owner = c };
	c->door.task = c->pause.task = &c->task;
	return loop_watch(loop, &c->door, WATCH_STREAM); /* by edges: a full house is no news */
}

void
control_stop(struct control *c)
{
	if (c == NULL || c->loop == NULL)
		return;
	for (size_t i = 0; i < VISITORS; i++)
		if (c->visitors[i].watch.fd != -1)
			dismiss(&c->visitors[i]);
	loop_unwatch(c->loop, &c->door);
	loop_untimer(c->loop, &c->pause);
	loop_cancel(c->loop, &c->task);
}

void
control_free(struct control *c)
{
	struct stat st;

	if (c == NULL)
		return;
	CHECK_OBJ(c, CONTROL_MAGIC);
	report_free(&c->report);
	if (c->door.fd != -1)
		close(c->door.fd);
	/* Ours, and not one that another daemon has put in its place. */
	if (c->inode != 0 && fstatat(c->dir, c->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == c->inode)
		(void)unlinkat(
		    c->dir, c->name, 0); /* who is not allowed to leaves it to the next start */
	if (c->dir != -1)
		close(c->dir);
	free(c->name);
	OBJ_FREE(c);
}
