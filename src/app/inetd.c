/* SPDX-License-Identifier: Apache-2.0 */
/* app/inetd.c -- the client on standard input and output. */
#include "app/inetd.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PUMP_SIZE = 64 * 1024 };

static bool
failed(const char *what)
{
	log_err(
	    &log_main, "Cannot serve standard input: %s: %s (%d)", what, strerror(errno), errno);
	return false;
}

/* A program or library that writes to standard output must not write to the client. */
static bool
replace(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool done = null != -1 && dup2(null, fd) != -1;

	if (null != -1 && null != fd)
		close(null);
	return done;
}

static bool
same_file(int fd, const struct stat *other)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == other->st_dev && st.st_ino == other->st_ino;
}

static bool
take_socket(struct inetd *i, const struct stat *st)
{
	int flags;

	i->peer.len = sizeof(i->peer.un);
	if (getpeername(STDIN_FILENO, &i->peer.sa, &i->peer.len) == -1)
		return failed("getpeername");
	i->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (i->fd == -1 || (flags = fcntl(i->fd, F_GETFL)) == -1 ||
	    fcntl(i->fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return failed("fcntl");
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (same_file(fd, st) && !replace(fd))
			return failed("/dev/null");
	return true;
}

bool
inetd_take(struct inetd *i)
{
	struct stat st;
	int fds[2];

	*i = (struct inetd){ .fd = -1, .other = -1 };
	if (fstat(STDIN_FILENO, &st) == -1 || fcntl(STDOUT_FILENO, F_GETFD) == -1)
		return failed("descriptors 0 and 1 must be open");
	if (S_ISSOCK(st.st_mode) && same_file(STDOUT_FILENO, &st))
		return take_socket(i, &st);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == -1)
		return failed("socketpair");
	i->fd = fds[0];
	i->other = fds[1];
	return fcntl(i->fd, F_SETFL, O_RDWR | O_NONBLOCK) != -1 || failed("fcntl");
}

/*
 * A call has failed.  Is it worth another try?  Whether a descriptor blocks is for all who share it
 * (open(2), "open file description"), so anybody may have changed it; then wait as if it did.
 */
static bool
is_passing(int fd, short events)
{
	struct pollfd ready = { .fd = fd, .events = events };

	if (errno == EAGAIN)
		return poll(&ready, 1, -1) != -1 || errno == EINTR;
	return errno == EINTR;
}

static bool
write_all(int fd, const char *bytes, ssize_t n)
{
	while (n > 0) {
		ssize_t wrote = write(fd, bytes, (size_t)n);

		if (wrote == -1 && !is_passing(fd, POLLOUT))
			return false;
		if (wrote > 0) {
			bytes += wrote;
			n -= wrote;
		}
	}
	return true;
}

/* Until the end of `from`, or until nobody takes it any more. */
static void
pump(int from, int to)
{
	char bytes[PUMP_SIZE];
	ssize_t n;

	do
		n = read(from, bytes, sizeof(bytes));
	while ((n == -1 && is_passing(from, POLLIN)) || (n > 0 && write_all(to, bytes, n)));
}

static void *
pump_in(void *arg)
{
	struct inetd *i = arg;

	pump(STDIN_FILENO, i->other);
	(void)shutdown(i->other, SHUT_WR);
	return NULL;
}

static void *
pump_out(void *arg)
{
	struct inetd *i = arg;

	pump(i->other, STDOUT_FILENO);
	/* Whether it ended or nobody reads any more: tell both sides. */
	(void)shutdown(i->other, SHUT_RD);
	(void)replace(STDOUT_FILENO);
	return NULL;
}

bool
inetd_begin(struct inetd *i)
{
	pthread_t in;

	if (i->other == -1)
		return true;
	if ((errno = pthread_create(&i->out, NULL, pump_out, i)) != 0 ||
	    (errno = pthread_create(&in, NULL, pump_in, i)) != 0)
		return failed("pthread_create");
	/* It may wait for input that never comes; nobody waits for it. */
	pthread_detach(in);
	return true;
}

void
inetd_finish(struct inetd *i)
{
	if (i->other != -1)
		pthread_join(i->out, NULL);
}
