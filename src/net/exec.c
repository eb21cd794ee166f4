/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/exec.c -- start programs, and notice their end.
 *
 * Why vfork(): a copy of a process with threads may only call what is safe in a signal handler
 * (fork(2), signal-safety(7)), and copying the page tables of a daemon with many tunnels takes
 * milliseconds.  posix_spawn() does the same, but cannot give the program its own limit of
 * descriptors back.  The child here makes nothing but system calls, on the stack of a thread that
 * sleeps until execve() has succeeded or failed, and allocates nothing.
 */
#include "net/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

enum {
	HOST_MAGIC = 0x5d90a4c7,
	CHILD_MAGIC = 0x136be8f2,
	START_MAGIC = 0x7c25d10e,
};

/* A program that runs; stands in its host's list. */
struct child {
	unsigned magic;
	struct exec_host *host;
	pid_t pid;
	struct watch watch; /* its pidfd: readable when it has ended */
	struct task task;
	struct log_ctx log;
	struct child *prev, *next;
};

struct exec_host {
	unsigned magic;
	struct loop *loop;
	struct mailbox *mailbox;
	struct offload *offload;
	unsigned most, count; /* programs that may run, and that do or are being started */
	struct child *children;
};

struct exec_start {
	struct job job; /* first: the pool's */
	unsigned magic;
	/* what to do; read in the pool */
	char *path;
	char **argv, **env; /* one block each */
	bool pty;
	/* how it went; written there */
	int fd, pidfd;
	pid_t pid;
	int error;	   /* errno; 0: it runs */
	const char *place; /* the call that failed */
	/* the worker's alone */
	struct exec_host *host;
	struct child *child;
	struct task *task; /* NULL: nobody waits for it */
	bool ready;
};

/* ---- what a program is given ---- */

/* As they were when the process began. */
static struct rlimit descriptors = { 1024, 4096 };
static bool stderr_is_ours;

void
exec_prepare(void)
{
	(void)getrlimit(RLIMIT_NOFILE, &descriptors);
	/* Whoever started us may ignore it; the kernel would then reap unasked (wait(2)). */
	(void)signal(SIGCHLD, SIG_DFL);
}

void
exec_keep_stderr(bool keep)
{
	stderr_is_ours = keep;
}

/*
 * Variables that a program must not get from us: those that say who the client is, which must not
 * come from anywhere else, and those by which systemd speaks to this process.
 */
static bool
is_withheld(const char *variable)
{
	static const char *const names[] = { "REMOTE_HOST=", "REMOTE_PORT=", "SSL_CLIENT_DN=",
		"SSL_CLIENT_I_DN=", "LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=",
		"NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC=" };

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static bool
is_passed_on(const char *variable)
{
	return !is_withheld(variable);
}

/* Those of a list that are wanted (`want` NULL: all) into `to`, if it is there; counts them. */
static size_t
gather(char *const *list, bool (*want)(const char *), const char **to, size_t *bytes)
{
	size_t n = 0;

	for (; list != NULL && *list != NULL; list++) {
		if (want != NULL && !want(*list))
			continue;
		*bytes += strlen(*list) + 1;
		if (to != NULL)
			to[n] = *list;
		n++;
	}
	return n;
}

/* Two lists in one block: pointers, NULL, and the strings behind them.  NULL without memory. */
static char **
pack(char *const *a, char *const *b, bool (*want)(const char *))
{
	size_t bytes = 0, unused = 0;
	size_t na = gather(a, NULL, NULL, &bytes), n = na + gather(b, want, NULL, &bytes);
	char **block = malloc((n + 1) * sizeof(*block) + bytes), *text;

	if (block == NULL)
		return NULL;
	(void)gather(a, NULL, (const char **)block, &unused);
	(void)gather(b, want, (const char **)block + na, &unused);
	text = (char *)(block + n + 1);
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(block[i]) + 1;

		block[i] = memcpy(text, block[i], size);
		text += size;
	}
	block[n] = NULL;
	return block;
}

char **
exec_environment(void)
{
	return pack(NULL, environ, is_passed_on);
}

/* ---- in the pool: the start ---- */

static bool
failed(struct exec_start *s, const char *place)
{
	s->error = errno;
	s->place = place;
	return false;
}

/* dup2() onto itself would leave a descriptor close-on-exec. */
static int
above_stdio(int fd)
{
	int higher;

	if (fd == -1 || fd > STDERR_FILENO)
		return fd;
	higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return higher;
}

static int
open_pty(int *other)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if (grantpt(fd) == 0 && unlockpt(fd) == 0) {
		/* By the master's descriptor: the name would mean another one in a chroot. */
		*other = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (*other != -1)
			return fd;
	}
	close(fd);
	return -1;
}

/* Our end into s->fd, the program's into *theirs. */
static bool
open_ends(struct exec_start *s, int *theirs)
{
	int fds[2];

	if (s->pty) {
		if ((s->fd = open_pty(theirs)) == -1)
			return failed(s, "pty");
	} else {
		/* No TCP pair: another user could be faster to connect to it. */
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == -1)
			return failed(s, "socketpair");
		s->fd = fds[0];
		*theirs = fds[1];
	}
	*theirs = above_stdio(*theirs);
	if (*theirs == -1 || fcntl(s->fd, F_SETFL, O_RDWR | O_NONBLOCK) == -1)
		return failed(s, "fcntl");
	return true;
}

static void
reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &action, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The child, in the memory of its parent: system calls only. */
_Noreturn static void
become(const struct exec_start *s, int end, int report)
{
	int error;

	/* A session and process group of its own: no key at our terminal reaches it. */
	(void)setsid();
	if (s->pty)
		(void)ioctl(end, TIOCSCTTY, 0);
	if (dup2(end, STDIN_FILENO) == -1 || dup2(end, STDOUT_FILENO) == -1 ||
	    (!stderr_is_ours && dup2(end, STDERR_FILENO) == -1))
		goto fail;
	/*
	 * Every descriptor is close-on-exec from its making on; this is for those that were
	 * inherited without.  A kernel before 5.11 does not know it.
	 */
	(void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	(void)setrlimit(RLIMIT_NOFILE, &descriptors);
	reset_signals();
	(void)execve(s->path, s->argv, s->env);
fail:
	error = errno;
	(void)!write(report, &error, sizeof(error));
	_exit(1);
}

/*
 * vfork() returns twice in one frame, so nothing here changes between the two.  The child may have
 * changed errno.
 */
__attribute__((noinline)) static pid_t
split(const struct exec_start *s, int end, int report)
{
	pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): see above */

	if (pid == 0)
		become(s, end, report); /* NOLINT(clang-analyzer-unix.Vfork): system calls only */
	return pid;
}

/* False: it could not be executed. */
static bool
spawn(struct exec_start *s, int theirs)
{
	int report[2], error = 0;
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) == -1)
		return failed(s, "pipe2");
	if ((report[1] = above_stdio(report[1])) == -1) {
		close(report[0]);
		return failed(s, "fcntl");
	}
	if ((s->pid = split(s, theirs, report[1])) == -1)
		(void)failed(s, "vfork");
	close(report[1]);
	/* Nothing: execve() has closed the other end. */
	do
		n = s->pid == -1 ? 0 : read(report[0], &error, sizeof(error));
	while (n == -1 && errno == EINTR);
	close(report[0]);
	if (s->pid != -1 && n != 0) {
		(void)waitpid(s->pid, NULL, 0);
		s->pid = -1;
		errno = error;
		(void)failed(s, s->path);
	}
	return s->pid != -1;
}

static void
start_run(struct job *j)
{
	struct exec_start *s = (struct exec_start *)j;
	int theirs = -1;

	if (open_ends(s, &theirs) && spawn(s, theirs) &&
	    (s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0)) == -1) {
		(void)failed(s, "pidfd_open");
		kill(s->pid, SIGKILL);
		(void)waitpid(s->pid, NULL, 0);
	}
	if (theirs != -1)
		close(theirs);
}

/* ---- in the worker ---- */

static void
child_free(struct child *c)
{
	struct exec_host *h = c->host;

	h->count--;
	if (c->watch.fd != -1) {
		DL_DELETE(h->children, c);
		loop_unwatch(h->loop, &c->watch);
		close(c->watch.fd);
	}
	loop_cancel(h->loop, &c->task);
	OBJ_FREE(c);
}

/* Its pidfd became readable: it has ended. */
static void
child_run(void *arg)
{
	struct child *c = arg;
	siginfo_t how = { 0 };
	const char *name;

	CHECK_OBJ(c, CHILD_MAGIC);
	if (waitid(P_PID, (id_t)c->pid, &how, WEXITED | WNOHANG) == 0 && how.si_pid == 0)
		return;
	name = how.si_code == CLD_EXITED ? NULL : sigabbrev_np(how.si_status);
	if (how.si_code == CLD_EXITED)
		log_info(
		    &c->log, "Child process %d finished with code %d", (int)c->pid, how.si_status);
	else
		log_info(&c->log, "Child process %d terminated on SIG%s", (int)c->pid,
		    name != NULL ? name : "?");
	child_free(c);
}

/* It runs: be told of its end. */
static bool
child_adopt(struct child *c, struct exec_start *s)
{
	c->pid = s->pid;
	c->watch.fd = s->pidfd;
	if (!loop_watch(c->host->loop, &c->watch, WATCH_READ)) {
		(void)failed(s, "epoll_ctl");
		c->watch.fd = -1;
		/* Cut off from its tunnel it ends by itself; init will reap what we cannot. */
		close(s->pidfd);
		return false;
	}
	DL_APPEND(c->host->children, c);
	log_info(&c->log, "Local mode child started (PID=%d)", (int)c->pid);
	return true;
}

static void
start_free(struct exec_start *s)
{
	if (s->fd != -1)
		close(s->fd);
	free(s->path);
	free(s->argv);
	free(s->env);
	OBJ_FREE(s);
}

static void
start_done(struct job *j, void *worker)
{
	struct exec_start *s = (struct exec_start *)j;
	struct child *c = s->child;

	s->child = NULL;
	if (worker == NULL) { /* the worker and its host are gone */
		if (s->pidfd != -1)
			close(s->pidfd);
		free(c);
		start_free(s);
		return;
	}
	if (s->error == 0)
		(void)child_adopt(c, s);
	if (s->error != 0)
		log_err(&c->log, "Cannot start the program: %s: %s (%d)", s->place,
		    strerror(s->error), s->error);
	if (c->watch.fd == -1)
		child_free(c);
	s->ready = true;
	if (s->task != NULL)
		loop_queue(s->host->loop, s->task);
	else
		start_free(s);
}

static struct child *
child_new(struct exec_host *h, const struct log_ctx *log)
{
	struct child *c;

	if (OBJ_NEW(c, CHILD_MAGIC) == NULL)
		return NULL;
	c->host = h;
	c->log = *log;
	c->task = (struct task){ .run = child_run, .owner = c, .lane = LANE_RELAY };
	c->watch = (struct watch){ .fd = -1, .task = &c->task };
	h->count++;
	return c;
}

static struct exec_start *
start_new(struct exec_host *h, const struct exec_conf *conf, const char *const *extra,
    char *const *environment, const struct log_ctx *log)
{
	struct exec_start *s;

	if (OBJ_NEW(s, START_MAGIC) == NULL)
		return NULL;
	s->job = (struct job){ .run = start_run, .done = start_done };
	s->fd = s->pidfd = -1;
	s->pid = -1;
	s->host = h;
	s->pty = conf->pty;
	s->path = strdup(conf->path);
	s->argv = pack((char *const *)(uintptr_t)conf->argv, NULL, NULL);
	s->env = pack((char *const *)(uintptr_t)extra, environment, NULL);
	if (s->path != NULL && s->argv != NULL && s->env != NULL &&
	    (s->child = child_new(h, log)) != NULL)
		return s;
	start_free(s);
	return NULL;
}

struct exec_start *
exec_begin(struct exec_host *h, const struct exec_conf *conf, const char *const *extra,
    char *const *environment, const struct log_ctx *log, struct task *task)
{
	struct exec_start *s;

	CHECK_OBJ(h, HOST_MAGIC);
	/* A program may ignore the end of its input; such ones must not pile up without end. */
	if (h->count >= h->most) {
		log_err(log, "Cannot start the program: %u are still running", h->count);
		return NULL;
	}
	s = start_new(h, conf, extra, environment, log);
	if (s != NULL && offload_ask(h->offload, &s->job, h->mailbox)) {
		s->task = task;
		return s;
	}
	log_err(log, "Cannot start the program: %s (%d)", strerror(errno), errno);
	if (s != NULL) {
		child_free(s->child);
		start_free(s);
	}
	return NULL;
}

enum io
exec_step(struct exec_start *s, int *fd)
{
	CHECK_OBJ(s, START_MAGIC);
	if (!s->ready)
		return IO_AGAIN;
	if (s->error != 0)
		return IO_FAILED;
	*fd = s->fd;
	s->fd = -1;
	return IO_OK;
}

void
exec_forget(struct exec_start *s)
{
	if (s == NULL)
		return;
	CHECK_OBJ(s, START_MAGIC);
	if (s->ready)
		start_free(s);
	else
		s->task = NULL; /* start_done() frees it */
}

struct exec_host *
exec_host_new(struct loop *loop, struct mailbox *mailbox, struct offload *offload, unsigned most)
{
	struct exec_host *h;

	if (OBJ_NEW(h, HOST_MAGIC) == NULL)
		return NULL;
	h->loop = loop;
	h->mailbox = mailbox;
	h->offload = offload;
	h->most = most;
	return h;
}

void
exec_host_free(struct exec_host *h)
{
	if (h == NULL)
		return;
	CHECK_OBJ(h, HOST_MAGIC);
	while (h->children != NULL)
		child_free(h->children);
	OBJ_FREE(h);
}
