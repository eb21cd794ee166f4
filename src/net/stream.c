/* SPDX-License-Identifier: Apache-2.0 */
/* net/stream.c -- one peer's byte stream over a socket, with or without a filter on it. */
#include "net/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"

enum io
stream_fail(struct stream *s, enum fault fault, int errnum)
{
	if (s->fault == FAULT_NONE) {
		s->fault = fault;
		s->errnum = errnum;
	}
	return IO_FAILED;
}

enum io
stream_fail_errno(struct stream *s)
{
	switch (errno) {
	case ECONNRESET:
	case EPIPE:
	case ECONNABORTED:
		return stream_fail(s, FAULT_RESET, errno);
	default:
		return stream_fail(s, FAULT_OS, errno);
	}
}

static void
init(struct stream *s, struct loop *loop, struct pool *pool, const struct log_ctx *log, int fd,
    struct task *task)
{
	*s = (struct stream){
		.watch = { .fd = fd, .task = task }, .loop = loop, .pool = pool, .log = log
	};
}

bool
stream_open(struct stream *s, struct loop *loop, struct pool *pool, const struct log_ctx *log,
    int fd, struct task *task)
{
	init(s, loop, pool, log, fd, task);
	if (!loop_watch(loop, &s->watch, WATCH_STREAM)) {
		s->watch.fd = -1;
		return false;
	}
	/* Not known yet, so worth one try: a client has often spoken by the time it is accepted. */
	s->watch.readable = s->watch.writable = true;
	return true;
}

bool
stream_is_open(const struct stream *s)
{
	return s->watch.fd != -1;
}

bool
stream_move(struct stream *to, struct stream *from, const struct log_ctx *log, struct task *task)
{
	loop_unwatch(from->loop, &from->watch);
	*to = *from;
	*from = (struct stream){ .watch.fd = -1 };
	to->log = log;
	to->watch.task = task;
	if (to->filter != NULL)
		to->filter->moved(to);
	if (!loop_watch(to->loop, &to->watch, WATCH_STREAM))
		return false;
	to->watch.readable = to->watch.writable = true; /* not known, so worth one try */
	return true;
}

void
stream_set_kind(struct stream *s, enum stream_kind kind)
{
	s->kind = kind;
}

bool
stream_was_reset(const struct stream *s)
{
	char byte;

	return s->watch.hung && s->kind != STREAM_PTY &&
	       recv(s->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1 && errno != EAGAIN &&
	       errno != EINTR;
}

enum io
stream_connect(struct stream *s, struct loop *loop, struct pool *pool, const struct log_ctx *log,
    const struct addr *to, const struct addr *local, bool foreign, struct task *task)
{
	int family = to->sa.sa_family;
	int fd = foreign ? sock_foreign(family)
			 : socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct addr peer = { .len = sizeof(peer.un) };
	bool at_once;

	init(s, loop, pool, log, fd, task);
	if (fd == -1)
		return stream_fail_errno(s);
	if (local != NULL && !sock_bind_source(fd, local))
		goto fail;
	if (connect(fd, &to->sa, to->len) == -1 && errno != EINPROGRESS)
		goto fail;
	/*
	 * On loopback the connection stands by the time connect() has said EINPROGRESS.  To ask
	 * costs far less than to sleep and be woken for it.
	 */
	at_once = getpeername(fd, &peer.sa, &peer.len) == 0;
	if (!loop_watch(loop, &s->watch, at_once ? WATCH_STREAM : WATCH_CONNECT))
		goto fail;
	s->watch.writable = at_once;
	return at_once ? IO_OK : IO_AGAIN;
fail:
	(void)stream_fail_errno(s);
	close(fd);
	s->watch.fd = -1;
	return IO_FAILED;
}

enum io
stream_connected(struct stream *s, const struct addr *to)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (!s->watch.writable)
		return IO_AGAIN;
	/* Writable and not hung says enough; only otherwise is the system asked for the cause. */
	if (s->watch.hung && getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
		error = errno;
	/*
	 * Nobody listens on that port of this machine, and connect() drew it for our own end: the
	 * two SYNs crossed (RFC 9293 3.5), and all that is sent would come back.
	 */
	if (error == 0 && sock_is_named(s->watch.fd, to))
		error = ECONNREFUSED;
	if (error == 0)
		return IO_OK;
	return stream_fail(s, FAULT_OS, error);
}

/* One read, in the terms of a socket. */
static ssize_t
receive_some(struct stream *s, void *to, size_t size)
{
	ssize_t n;

	do
		n = s->kind == STREAM_PTY ? read(s->watch.fd, to, size)
					  : recv(s->watch.fd, to, size, 0);
	while (n == -1 && errno == EINTR);
	if (n != -1 || s->kind == STREAM_SOCKET)
		return n;
	/* unix(7): who leaves with bytes unread resets.  pty(7): EIO, once nobody has it open. */
	if (errno == ECONNRESET || (s->kind == STREAM_PTY && errno == EIO))
		return 0;
	/* A terminal cannot be told of our end alone; what was said up to it is read, no more. */
	return errno == EAGAIN && s->kind == STREAM_PTY && s->ended ? 0 : -1;
}

ssize_t
stream_recv(struct stream *s, void *to, size_t size)
{
	ssize_t n;

	if (!s->watch.readable) {
		errno = EAGAIN;
		return -1;
	}
	n = receive_some(s, to, size);
	if (n > 0)
		s->received += (size_t)n;
	if (n == 0)
		s->socket_eof = true;
	else if (n == -1 && errno == EAGAIN)
		s->watch.readable = false;
	else if (n > 0 && (size_t)n < size && !s->watch.hung && s->kind != STREAM_PTY)
		/*
		 * epoll(7), Q&A 9: a short read means that nothing is left, and saves asking again.
		 * A terminal hands out its bytes in pieces.
		 */
		s->watch.readable = false;
	return n;
}

/* As the stream calls answer, for one stream_recv(). */
static enum io
answer(struct stream *s, ssize_t n)
{
	if (n > 0)
		return IO_OK;
	/* A reset that a send() has met before reads as an end; one behind a FIN was EPIPE there.
	 */
	if (n == 0)
		return s->fault == FAULT_RESET && s->errnum == ECONNRESET ? IO_FAILED : IO_EOF;
	return errno == EAGAIN ? IO_AGAIN : stream_fail_errno(s);
}

/* Append what the socket has to `b`, at most `max` bytes. */
static enum io
receive(struct stream *s, struct buf *b, size_t max)
{
	size_t room;
	uint8_t *tail = buf_tail(b, s->pool, &room);
	ssize_t n;

	if (tail == NULL)
		return stream_fail(s, FAULT_MEMORY, ENOMEM);
	n = stream_recv(s, tail, room < max ? room : max);
	if (n > 0)
		buf_added(b, (size_t)n);
	else
		buf_eat(b, s->pool, 0); /* an empty buf owns nothing */
	return answer(s, n);
}

enum io
stream_peek(struct stream *s, size_t max)
{
	MUST(buf_len(&s->in) < max);
	return receive(s, &s->in, max - buf_len(&s->in));
}

enum io
stream_start(struct stream *s)
{
	enum io got = s->filter->start(s);

	/* On failure, too: an alert may tell the peer why. */
	if (got != IO_OK && !s->held && stream_flush(s) == IO_FAILED)
		return IO_FAILED;
	return got;
}

enum io
stream_read(struct stream *s, struct buf *to, size_t max)
{
	if (s->filter != NULL)
		return s->filter->read(s, to, max);
	if (buf_len(&s->in) == 0)
		return receive(s, to, max);
	/* What was peeked at comes first. */
	if (max > buf_len(&s->in))
		max = buf_len(&s->in);
	if (!buf_append(to, s->pool, buf_head(&s->in), max))
		return stream_fail(s, FAULT_MEMORY, ENOMEM);
	buf_eat(&s->in, s->pool, max);
	return IO_OK;
}

/* One write, in the terms of a socket. */
static ssize_t
send_some(struct stream *s, const void *from, size_t n, int flags)
{
	ssize_t sent;

	if (s->kind != STREAM_PTY) {
		sent = send(s->watch.fd, from, n, MSG_NOSIGNAL | flags);
		if (sent == -1 && errno == ECONNRESET && s->kind == STREAM_PROGRAM)
			errno = EPIPE; /* it left while we sent; its last words are still there */
		return sent;
	}
	sent = write(s->watch.fd, from, n);
	if (sent == -1 && errno == EIO)
		errno = EPIPE; /* nobody has it open any more */
	return sent;
}

/* Give the socket as much of `b` as it takes.  `flags`: 0 or MSG_MORE. */
static enum io
transmit(struct stream *s, struct buf *b, int flags)
{
	size_t len;
	ssize_t n;

	while ((len = buf_len(b)) > 0) {
		if (!s->watch.writable)
			return IO_AGAIN;
		n = send_some(s, buf_head(b), len, flags);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno != EAGAIN)
			return stream_fail_errno(s);
		if (n > 0)
			buf_eat(b, s->pool, (size_t)n);
		if (n < (ssize_t)len) {
			s->watch.writable = false; /* full: an edge will tell of room */
			if (!loop_watch_writes(s->loop, &s->watch))
				return stream_fail_errno(s);
		}
	}
	return IO_OK;
}

enum io
stream_flush(struct stream *s)
{
	/* The kernel keeps such bytes back for what follows, but not for more than 200 ms (tcp(7)).
	 */
	int flags = s->more ? MSG_MORE : 0;

	s->more = false;
	return transmit(s, &s->out, flags);
}

enum io
stream_write(struct stream *s, struct buf *from)
{
	enum io sent;

	if (s->filter == NULL)
		return (sent = stream_flush(s)) == IO_OK ? transmit(s, from, 0) : sent;
	do {
		/* First fill, then send: what waited leaves together with what comes now. */
		if (buf_len(from) > 0 && stream_has_room(s)) {
			s->more = false;
			sent = s->filter->write(s, from);
			if (sent == IO_FAILED || (sent == IO_AGAIN && buf_len(&s->out) == 0))
				return sent; /* again: it must read before it can write */
		}
		sent = stream_flush(s);
	} while (sent == IO_OK && buf_len(from) > 0);
	/* Taken, if not sent: what waits in ->out is on its way. */
	return sent == IO_AGAIN && buf_len(from) == 0 ? IO_OK : sent;
}

/* The FIN behind the last byte, or what comes nearest to it. */
static bool
end_socket(struct stream *s)
{
	if (s->kind != STREAM_PTY)
		return shutdown(s->watch.fd, SHUT_WR) == 0;
	/* Read what is there, and then the end: no event will tell of it. */
	s->watch.readable = true;
	loop_queue(s->loop, s->watch.task);
	return true;
}

enum io
stream_end(struct stream *s, enum end how)
{
	bool notify = s->filter != NULL && how != END_CUT;
	enum io sent;

	if (!s->ending && notify && s->filter->end(s) == IO_FAILED)
		return IO_FAILED;
	s->more = !s->ending && notify && how == END_LAST;
	s->ending = true;
	if ((sent = stream_flush(s)) != IO_OK)
		return sent;
	/*
	 * Under TLS, close_notify is the end (RFC 8446 6.1), and the socket stays open both ways:
	 * the library may still owe the peer an answer to a KeyUpdate.
	 */
	if (!notify && !s->ended && !end_socket(s))
		return IO_FAILED; /* the peer has left; a read tells in which way */
	s->ended = true;
	return IO_OK;
}

void
stream_close(struct stream *s, bool reset)
{
	if (s->filter != NULL)
		s->filter->close(s);
	s->filter = NULL;
	if (s->watch.fd == -1)
		return;
	if (reset)
		sock_reset_on_close(s->watch.fd);
	buf_clear(&s->in, s->pool);
	buf_clear(&s->out, s->pool);
	loop_unwatch(s->loop, &s->watch);
	close(s->watch.fd);
	s->watch.fd = -1;
}
