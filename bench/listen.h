/* SPDX-License-Identifier: Apache-2.0 */
/* bench/listen.h -- a listening socket whose connections are taken from the loop of wire.h. */
#ifndef GINNEL_BENCH_LISTEN_H
#define GINNEL_BENCH_LISTEN_H

#include "wire.h"

/* Opens at `at`, and says its port on standard output. */
int listen_open(const struct sockaddr_in *at);

/* Have `taken` called with the descriptor of each connection from now on; `wire` is the caller's.
 */
void listen_watch(struct wire *wire, int epoll, int fd, void (*taken)(int epoll, int fd));

#endif
