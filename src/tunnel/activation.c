/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/activation.c -- listening sockets from the service manager. */
#include "tunnel/activation.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 3 /* SD_LISTEN_FDS_START */, FDS_MAX = 1024 };

static struct given {
	int fd;
	char *name;
} given[FDS_MAX];
static unsigned count;

static bool
is_listening(int fd)
{
	int on = 0, type = 0;
	socklen_t size = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on != 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

static bool
prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1 &&
	       fcntl(fd, F_SETFD, FD_CLOEXEC) != -1;
}

/* The next of the names, which are separated by colons; "unknown" as sd_listen_fds(3) has it. */
static char *
next_name(const char **names)
{
	size_t len = *names != NULL ? strcspn(*names, ":") : 0;
	char *name = len > 0 ? strndup(*names, len) : strdup("unknown");

	if (*names != NULL)
		*names = (*names)[len] == ':' ? *names + len + 1 : NULL;
	return name;
}

static bool
take_all(long n, const char *names)
{
	for (long i = 0; i < n; i++) {
		int fd = FIRST + (int)i;
		char *name = next_name(&names);

		/* A connection, with Accept=yes, is the one on standard input. */
		if (prepare(fd) && !is_listening(fd)) {
			free(name);
			close(fd);
			continue;
		}
		if (name == NULL || fcntl(fd, F_GETFD) == -1) {
			log_err(&log_main, "Cannot take descriptor %d from systemd: %s (%d)", fd,
			    strerror(errno), errno);
			free(name);
			return false;
		}
		given[count++] = (struct given){ fd, name };
	}
	return true;
}

bool
activation_take(void)
{
	const char *pid_text = getenv("LISTEN_PID"), *n_text = getenv("LISTEN_FDS");
	long pid, n;
	bool ours = pid_text != NULL && text_number(pid_text, 1, INT32_MAX, &pid) &&
		    pid == (long)getpid() && n_text != NULL && text_number(n_text, 0, FDS_MAX, &n);
	bool taken = !ours || take_all(n, getenv("LISTEN_FDNAMES"));

	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return taken;
}

unsigned
activation_count(void)
{
	return count;
}

const char *
activation_name(unsigned i)
{
	return given[i].name;
}

int
activation_fd(unsigned i)
{
	return fcntl(given[i].fd, F_DUPFD_CLOEXEC, FIRST);
}
