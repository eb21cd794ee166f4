/* SPDX-License-Identifier: Apache-2.0 */
/* net/wrappers.c -- ask hosts.allow and hosts.deny, in a process of its own. */
#include "net/wrappers.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef GINNEL_LIBWRAP
#include <tcpd.h>

int allow_severity = LOG_INFO, deny_severity = LOG_WARNING; /* libwrap looks for them */
#endif

enum { NAME_SIZE = 256 };

/* What goes to the process, with two descriptors: the client, and where to send the answer. */
struct question {
	char name[NAME_SIZE];
	struct addr peer;
};

static int channel = -1;
static pid_t helper = -1;

bool
wrappers_are_built_in(void)
{
#ifdef GINNEL_LIBWRAP
	return true;
#else
	return false;
#endif
}

bool
wrappers_run(void)
{
	return channel != -1;
}

bool
wrappers_start(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
		goto fail;
	if ((helper = fork()) == -1) {
		close(ends[0]);
		close(ends[1]);
		goto fail;
	}
	if (helper == 0) {
		/* A fresh image of the program: without keys, and without other descriptors. */
		(void)dup2(ends[1], STDIN_FILENO);
		(void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 1U << 2 /* CLOEXEC */);
		(void)execl("/proc/self/exe", "ginnel", WRAPPERS_COMMAND, (char *)NULL);
		_exit(1);
	}
	close(ends[1]);
	channel = ends[0];
	return true;
fail:
	log_err(&log_main, "Cannot start the process for libwrap: %s (%d)", strerror(errno), errno);
	return false;
}

void
wrappers_stop(void)
{
	if (channel == -1)
		return;
	close(channel); /* which ends it */
	channel = -1;
	(void)waitpid(helper, NULL, 0);
}

/* ---- in the worker ---- */

/* Two descriptors beside the question. */
static bool
hand_over(const struct question *q, int client, int answer)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)q, sizeof(*q) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	const int fds[] = { client, answer };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	return sendmsg(channel, &m, MSG_DONTWAIT | MSG_NOSIGNAL) != -1;
}

bool
wrappers_ask(struct wrappers_question *q, struct loop *loop, struct task *task, const char *name,
    int fd, const struct addr *peer)
{
	struct question question = { .peer = *peer };
	int ends[2], error;
	bool asked;

	strncpy(question.name, name, NAME_SIZE - 1);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == -1)
		return false;
	asked = hand_over(&question, fd, ends[1]);
	error = errno;
	close(ends[1]);
	q->watch = (struct watch){ .fd = ends[0], .task = task };
	if (asked && loop_watch(loop, &q->watch, WATCH_READ))
		return true;
	errno = asked ? errno : error;
	close(ends[0]);
	q->watch.fd = -1;
	return false;
}

enum io
wrappers_answer(struct wrappers_question *q)
{
	char answer;
	ssize_t n;

	if (!q->watch.readable)
		return IO_AGAIN;
	n = recv(q->watch.fd, &answer, 1, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return IO_AGAIN;
	/* Its end without a word is a refusal, too: twist and the like. */
	return n == 1 && answer == 'y' ? IO_OK : IO_FAILED;
}

void
wrappers_forget(struct wrappers_question *q, struct loop *loop)
{
	if (q->watch.fd == -1)
		return;
	loop_unwatch(loop, &q->watch);
	close(q->watch.fd);
	q->watch.fd = -1;
}

/* ---- in the process of its own ---- */

#ifdef GINNEL_LIBWRAP

static void
consult(const struct question *q, int client, int answer)
{
	struct addr peer = addr_unmapped(&q->peer);
	struct request_info request;

	/* The client's socket is for what the files may do to it (banners, twist, keepalive). */
	request_init(&request, RQ_DAEMON, q->name, RQ_FILE, client, RQ_CLIENT_SIN, &peer.sa, 0);
	sock_host(&request);
	(void)!write(answer, hosts_access(&request) != 0 ? "y" : "n", 1);
}

/* False: nobody will ask any more. */
static bool
receive(struct question *q, int fds[2])
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec iov = { q, sizeof(*q) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(STDIN_FILENO, &m, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	c = n == sizeof(*q) ? CMSG_FIRSTHDR(&m) : NULL;
	if (c == NULL || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		return false;
	memcpy(fds, CMSG_DATA(c), 2 * sizeof(int));
	q->name[NAME_SIZE - 1] = '\0';
	return true;
}

int
wrappers_serve(void)
{
	struct question q;
	int fds[2];

	(void)signal(SIGCHLD, SIG_IGN); /* nobody waits for those who answer */
	/* What ends the daemon ends this by the end of its input, after the last question. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	while (receive(&q, fds)) {
		if (fork() == 0) {
			(void)signal(SIGCHLD, SIG_DFL);
			consult(&q, fds[0], fds[1]);
			_exit(0);
		}
		close(fds[0]);
		close(fds[1]);
	}
	return 0;
}

#else

int
wrappers_serve(void)
{
	return 1;
}

#endif
