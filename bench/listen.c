/* SPDX-License-Identifier: Apache-2.0 */
/* bench/listen.c -- a listening socket whose connections are taken from the loop of wire.h. */
#include "listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "load.h"

static void (*on_taken)(int epoll, int fd);

int
listen_open(const struct sockaddr_in *at)
{
	struct sockaddr_in bound = *at;
	socklen_t len = sizeof(bound);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) == -1 || listen(fd, 4096) == -1 ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) == -1)
		die("cannot listen at port %u: %s", ntohs(at->sin_port), strerror(errno));
	printf("%u\n", ntohs(bound.sin_port));
	fflush(stdout);
	return fd;
}

static void
on_ready(struct wire *w)
{
	enum { AT_ONCE = 16 };

	for (int i = 0; i < AT_ONCE; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd == -1)
			return;
		on_taken(w->epoll, fd);
	}
}

void
listen_watch(struct wire *w, int epoll, int fd, void (*taken)(int epoll, int fd))
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = w };

	on_taken = taken;
	*w = (struct wire){ .epoll = epoll, .fd = fd, .ready = on_ready };
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		die("epoll: %s", strerror(errno));
}
