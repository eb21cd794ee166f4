/* SPDX-License-Identifier: Apache-2.0 */
/* bench/wire.h -- one non-blocking connection, plain or TLS, and the loop that wakes it. */
#ifndef GINNEL_BENCH_WIRE_H
#define GINNEL_BENCH_WIRE_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

struct wire {
	int epoll; /* where it is watched */
	int fd;
	SSL *ssl;		      /* NULL: plain */
	uint32_t watched;	      /* EPOLLIN, EPOLLOUT or both */
	void (*ready)(struct wire *); /* called when something watched has come */
};

/* What reading and writing answer besides a number of bytes. */
enum { WIRE_EOF = 0, WIRE_AGAIN = -1, WIRE_FAILED = -2 };

/* Begin to connect; `from` and `tls` may be NULL.  False: nothing is left behind, errno tells why.
 */
bool wire_connect(
    struct wire *, const struct sockaddr_in *to, const struct sockaddr_in *from, SSL_CTX *tls);

/* Take over an accepted descriptor.  False: it is still the caller's. */
bool wire_adopt(struct wire *, int fd, SSL_CTX *tls);

/* 1 once connected and, with TLS, shaken hands; else WIRE_AGAIN (and watched) or WIRE_FAILED. */
int wire_handshake(struct wire *);

/* Bytes, or one of the answers above. */
ssize_t wire_read(struct wire *, void *, size_t);
ssize_t wire_write(struct wire *, const void *, size_t);

/* Say that no more will be sent: close_notify under TLS, FIN without. */
void wire_finish(struct wire *);

void wire_watch(struct wire *, uint32_t events);

/* In a process that was forked: watch it by an epoll descriptor of its own.  False: errno tells
 * why. */
bool wire_move(struct wire *, int epoll);
void wire_close(struct wire *);

/* The cause of the last failure, in words. */
const char *wire_error(void);

/* Wait once, for at most `ms` (-1: for ever), and call those that are ready. */
void wire_serve(int epoll, int ms);

#endif
