/* SPDX-License-Identifier: Apache-2.0 */
/* app/notify.c -- what a service manager is told of our life. */
#include "app/notify.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The manager's socket: a path, or with '@' a name of the abstract kind, unix(7). */
static int
connect_to(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd;

	if ((name[0] != '/' && name[0] != '@') || n < 2 || n >= sizeof(un.sun_path)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	memcpy(un.sun_path, name, n);
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	/* Connected, so that it still leads there from inside of a chroot. */
	if (connect(fd, (struct sockaddr *)&un,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == 0)
		return fd;
	n = (size_t)errno;
	close(fd);
	errno = (int)n;
	return -1;
}

/* Half of the time after which the manager would lose patience; 0: it has asked for nothing. */
static int64_t
beat_wanted(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long time, number;

	if (usec == NULL || !text_number(usec, 1, LONG_MAX, &time))
		return 0;
	if (pid != NULL && (!text_number(pid, 1, INT_MAX, &number) || number != (long)getpid()))
		return 0; /* it is meant for another process */
	return time < 4000 ? 2 : time / 2000;
}

void
notify_open(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");

	*n = (struct notify){ .fd = -1 };
	if (name != NULL && (n->fd = connect_to(name)) == -1)
		log_warn(&log_main, "Cannot reach the service manager at %s: %s (%d)", name,
		    strerror(errno), errno);
	if (n->fd != -1)
		n->beat_ms = beat_wanted();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void
notify_close(struct notify *n)
{
	if (n->fd != -1)
		close(n->fd);
	n->fd = -1;
}

static void tell(const struct notify *, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
tell(const struct notify *n, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int size;

	if (n->fd == -1)
		return;
	va_start(ap, fmt);
	size = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A manager that does not read must not hold us up. */
	if (size > 0)
		(void)send(n->fd, text, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
notify_ready(const struct notify *n)
{
	tell(n, "READY=1\nMAINPID=%ld\nSTATUS=Serving", (long)getpid());
}

void
notify_reloading(const struct notify *n)
{
	struct timespec now;

	/* Type=notify-reload tells this message from an older one by the time in it. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	tell(n, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reading the configuration",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void
notify_reloaded(const struct notify *n, const char *status)
{
	tell(n, "READY=1\nSTATUS=%s", status);
}

void
notify_stopping(const struct notify *n)
{
	tell(n, "STOPPING=1\nSTATUS=Waiting for tunnels to end");
}

void
notify_alive(const struct notify *n)
{
	tell(n, "WATCHDOG=1");
}
