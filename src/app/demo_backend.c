/* SPDX-License-Identifier: Apache-2.0 */
/* app/demo_backend.c -- a plain HTTP server with one page; one request at a time is enough here. */
#include "app/demo_backend.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char page[] = "HTTP/1.1 200 OK\r\n"
			   "Content-Type: text/plain\r\n"
			   "Content-Length: 55\r\n"
			   "Connection: close\r\n"
			   "\r\n"
			   "Hello from a plain HTTP server on the far side of TLS.\n";

/* Read the head of a request, whatever it asks for, and answer. */
static void
serve_one(int fd)
{
	char head[4096];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(head) - 1 && (got = read(fd, head + n, sizeof(head) - 1 - n)) > 0) {
		n += (size_t)got;
		head[n] = '\0';
		if (strstr(head, "\r\n\r\n") != NULL) {
			(void)!send(fd, page, sizeof(page) - 1, MSG_NOSIGNAL);
			break;
		}
	}
	close(fd);
}

_Noreturn static void
serve(int listener)
{
	sigset_t none;
	int fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* not longer than the demonstration */
	while ((fd = accept(listener, NULL, NULL)) != -1 || errno == ECONNABORTED || errno == EINTR)
		if (fd != -1)
			serve_one(fd);
	_exit(1);
}

pid_t
demo_backend_start(unsigned short *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid = -1;

	if (fd == -1)
		return -1;
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 && listen(fd, 16) == 0 &&
	    getsockname(fd, (struct sockaddr *)&sin, &len) == 0 && (pid = fork()) == 0)
		serve(fd);
	*port = ntohs(sin.sin_port);
	close(fd);
	return pid;
}
