/* SPDX-License-Identifier: Apache-2.0 */
/* bench/wire.c -- one non-blocking connection, plain or TLS, and the loop that wakes it. */
#include "wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
watch_first(struct wire *w, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = w };

	w->watched = events;
	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->fd, &event) == 0;
}

static bool
add_tls(struct wire *w, SSL_CTX *tls)
{
	w->ssl = NULL;
	if (tls == NULL)
		return true;
	if ((w->ssl = SSL_new(tls)) == NULL)
		return false;
	SSL_set_fd(w->ssl, w->fd);
	return true;
}

static void
no_delay(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

bool
wire_connect(
    struct wire *w, const struct sockaddr_in *to, const struct sockaddr_in *from, SSL_CTX *tls)
{
	int saved;

	w->ssl = NULL;
	if ((w->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) == -1)
		return false;
	no_delay(w->fd);
	/* The port is chosen at connect(), so that it need only be unique per destination. */
	setsockopt(w->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
	if (from != NULL && bind(w->fd, (const struct sockaddr *)from, sizeof(*from)) == -1)
		goto fail;
	if (connect(w->fd, (const struct sockaddr *)to, sizeof(*to)) == -1 && errno != EINPROGRESS)
		goto fail;
	if (!add_tls(w, tls) || !watch_first(w, EPOLLOUT))
		goto fail;
	if (w->ssl != NULL)
		SSL_set_connect_state(w->ssl);
	return true;

fail:
	saved = errno;
	wire_close(w);
	errno = saved;
	return false;
}

bool
wire_adopt(struct wire *w, int fd, SSL_CTX *tls)
{
	w->fd = fd;
	no_delay(fd);
	if (!add_tls(w, tls) || !watch_first(w, EPOLLIN)) {
		SSL_free(w->ssl);
		return false;
	}
	if (w->ssl != NULL)
		SSL_set_accept_state(w->ssl);
	return true;
}

/* What OpenSSL's answer `n` means to us. */
static int
tls_result(struct wire *w, int n)
{
	switch (SSL_get_error(w->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		if (!SSL_is_init_finished(w->ssl))
			wire_watch(w, EPOLLIN);
		return WIRE_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		wire_watch(w, w->watched | EPOLLOUT);
		return WIRE_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return WIRE_EOF;
	default:
		return WIRE_FAILED;
	}
}

int
wire_handshake(struct wire *w)
{
	int n = 0, error = 0;

	if (w->ssl != NULL) {
		ERR_clear_error();
		if ((n = SSL_do_handshake(w->ssl)) == 1)
			return 1;
		n = tls_result(w, n);
		return n == WIRE_EOF ? WIRE_FAILED : n;
	}
	getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof(error) });
	errno = error;
	return error == 0 ? 1 : WIRE_FAILED;
}

static ssize_t
plain_result(ssize_t n)
{
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? WIRE_AGAIN : WIRE_FAILED;
}

ssize_t
wire_read(struct wire *w, void *to, size_t size)
{
	int n;

	if (w->ssl == NULL)
		return plain_result(recv(w->fd, to, size, 0));
	ERR_clear_error();
	n = SSL_read(w->ssl, to, (int)size);
	return n > 0 ? n : tls_result(w, n);
}

ssize_t
wire_write(struct wire *w, const void *from, size_t size)
{
	int n;

	if (w->ssl == NULL)
		return plain_result(send(w->fd, from, size, MSG_NOSIGNAL));
	ERR_clear_error();
	n = SSL_write(w->ssl, from, (int)size);
	return n > 0 ? n : tls_result(w, n);
}

void
wire_finish(struct wire *w)
{
	if (w->ssl != NULL)
		SSL_shutdown(w->ssl);
	else
		shutdown(w->fd, SHUT_WR);
}

bool
wire_move(struct wire *w, int epoll)
{
	w->epoll = epoll;
	return watch_first(w, w->watched);
}

void
wire_watch(struct wire *w, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = w };

	if (events != w->watched)
		epoll_ctl(w->epoll, EPOLL_CTL_MOD, w->fd, &event);
	w->watched = events;
}

void
wire_close(struct wire *w)
{
	SSL_free(w->ssl);
	if (w->fd != -1) {
		/* A process that was forked may have a copy: then close() alone ends no watch. */
		epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->fd, NULL);
		close(w->fd);
	}
	w->ssl = NULL;
	w->fd = -1;
}

const char *
wire_error(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (reason != NULL)
		return reason;
	return errno != 0 ? strerror(errno) : "the connection ended";
}

void
wire_serve(int epoll, int ms)
{
	struct epoll_event events[128];
	int n = epoll_wait(epoll, events, sizeof(events) / sizeof(events[0]), ms);

	for (int i = 0; i < n; i++) {
		struct wire *w = events[i].data.ptr;

		w->ready(w);
	}
}
