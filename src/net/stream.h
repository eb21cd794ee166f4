/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/stream.h -- one peer's byte stream; TCP, UNIX sockets and TLS look alike.
 *
 * A stream is polled, not listened to: its owner's task runs after anything has happened to the
 * descriptor, and asks again.  Each call goes as far as it can without blocking and says how far
 * that was.  TLS is a filter put on a stream in place, so whoever relays bytes does not know of it.
 */
#ifndef GINNEL_NET_STREAM_H
#define GINNEL_NET_STREAM_H

#include "base/buf.h"
#include "base/log.h"
#include "base/reasons.h"
#include "loop/loop.h"
#include "net/addr.h"

enum io {
	IO_OK,	   /* done, or some bytes moved */
	IO_AGAIN,  /* nothing more now; the task will run when there is */
	IO_EOF,	   /* the peer said that it will send no more */
	IO_CUT,	   /* as IO_EOF, but TLS was not closed: bytes may be missing */
	IO_FAILED, /* dead; ->fault tells how */
};

/* How a stream died; errnum goes with FAULT_RESET and FAULT_OS. */
enum fault {
	FAULT_NONE,
	FAULT_RESET,   /* the peer's RST */
	FAULT_OS,      /* another error of the system */
	FAULT_TLS,     /* the peer broke the TLS protocol, or said that we did */
	FAULT_CERT,    /* its certificate was rejected */
	FAULT_NO_CERT, /* it has none, and one is required */
	FAULT_REVOKED, /* its certificate is revoked, or nobody says that it is not */
	FAULT_ABUSE,   /* it kept us busy without sending data */
	FAULT_MEMORY,
};

struct stream;

/* What the descriptor is. */
enum stream_kind {
	STREAM_SOCKET,
	STREAM_PROGRAM, /* a socket to a program of ours: its exit is an end, whatever it left
			   unread */
	STREAM_PTY,	/* a terminal: no half-close, and our end is the end of both directions */
};

/* So few bytes in ->out do not stop reading for a stream: they leave together with what is read. */
enum { STREAM_MERGE = 8 * 1024 };

/* What TLS puts between the owner and the socket.  All but the last two answer as the stream calls
 * do.
 */
struct filter {
	enum io (*start)(struct stream *); /* the handshake, step by step */
	enum io (*read)(struct stream *, struct buf *, size_t max);
	enum io (*write)(struct stream *, struct buf *); /* into stream->out */
	enum io (*end)(struct stream *);		 /* our close_notify, into stream->out */
	void (*moved)(struct stream *);			 /* the stream is another one now */
	void (*close)(struct stream *);			 /* frees ->state */
};

/* Embedded in its owner; the fields are for net/ and the filters. */
struct stream {
	struct watch watch; /* .fd is -1 when closed */
	enum stream_kind kind;
	struct loop *loop;
	struct pool *pool;
	const struct log_ctx *log;   /* the owner's */
	const struct filter *filter; /* NULL: plain */
	void *state;		     /* the filter's */
	struct buf in;		     /* bytes that were looked at before they were read */
	struct buf out;	   /* bytes on their way to the socket, as they go over the wire */
	uint64_t received; /* bytes, as they came over the wire */
	enum fault fault;
	int errnum;
	/* How many of `n` bytes may be one record of a filter; NULL: any number. */
	size_t (*cut)(const uint8_t *, size_t n);
	bool socket_eof; /* the peer's FIN was read */
	bool alerted;	 /* by a fatal alert of TLS, in either direction */
	bool held;	 /* the filter waits for others than the peer; the task will run */
	bool more;	 /* what is in `out` may wait for what follows it, in one packet */
	bool ending;	 /* our end is wanted: behind `out` */
	bool ended;	 /* our FIN is sent */
};

/*
 * Take over the connected (or connecting) non-blocking socket `fd`; `task` runs when something
 * happens. False: no memory, and `fd` is still the caller's.
 */
bool stream_open(struct stream *, struct loop *, struct pool *, const struct log_ctx *, int fd,
    struct task *) MUST_CHECK;
bool stream_is_open(const struct stream *);
/*
 * Give an open stream that stands to another owner; *from is closed then.  False: the system
 * refuses, and *to is open but dead.
 */
bool stream_move(
    struct stream *to, struct stream *from, const struct log_ctx *, struct task *) MUST_CHECK;
/* Right after stream_open(), if it is no plain socket. */
void stream_set_kind(struct stream *, enum stream_kind);

/* While nobody reads from it: has the peer reset it?  Asks the system only if it hung up. */
bool stream_was_reset(const struct stream *);

/* Is it worth reading something for this stream?  No: what it has must leave first. */
static inline bool
stream_has_room(const struct stream *s)
{
	return s->watch.writable && buf_len(&s->out) < STREAM_MERGE;
}

/* Non-blocking connect() to `to`, from `local` if given (`foreign`: not of this machine).  IO_OK,
 * IO_AGAIN, IO_FAILED (closed). */
enum io stream_connect(struct stream *, struct loop *, struct pool *, const struct log_ctx *,
    const struct addr *to, const struct addr *local, bool foreign, struct task *) MUST_CHECK;
/* Has it connected to that, and not to itself?  IO_OK, IO_AGAIN, IO_FAILED. */
enum io stream_connected(struct stream *, const struct addr *to) MUST_CHECK;

/* Is there something left that the last call did not take?  Then it wants another turn. */
static inline bool
stream_wants_turn(const struct stream *s)
{
	return s->watch.readable && !s->held;
}

/* Read into stream->in without consuming, until it holds at most `max`.  IO_OK: it has grown. */
enum io stream_peek(struct stream *, size_t max) MUST_CHECK;

/*
 * The filter's handshake.  At IO_OK its last bytes may still wait in ->out, to leave with the first
 * data: relay, or flush.
 */
enum io stream_start(struct stream *) MUST_CHECK;

/* Append at most `max` bytes to `to`.  IO_OK: at least one came. */
enum io stream_read(struct stream *, struct buf *to, size_t max) MUST_CHECK;

/* Take bytes from `from`.  IO_OK: all were taken (they may wait in ->out); IO_AGAIN: some were not.
 */
enum io stream_write(struct stream *, struct buf *from) MUST_CHECK;

/* Send what waits in ->out.  IO_OK: nothing waits. */
enum io stream_flush(struct stream *) MUST_CHECK;

enum end {
	END_CLEAN, /* FIN, or close_notify */
	END_LAST,  /* ... and the stream is closed at once: both may share a packet */
	END_CUT,   /* bytes may be missing: TLS gets a bare FIN, too, and does not take it for
		      complete */
};

/* Our end of file, behind all that was written.  IO_OK: it is on its way. */
enum io stream_end(struct stream *, enum end) MUST_CHECK;

/*
 * Close.  `reset`: the peer must not take this for a clean end: RST, no close_notify.  Takes a
 * stream that was never opened (zeroed with watch.fd -1).  The owner's task may still be queued.
 */
void stream_close(struct stream *, bool reset);

/* For filters: one recv() into memory; -1 with errno (EAGAIN: not now), 0 at the peer's FIN. */
ssize_t stream_recv(struct stream *, void *, size_t);
/* The stream is dead, and why.  Returns IO_FAILED. */
enum io stream_fail(struct stream *, enum fault, int errnum);
enum io stream_fail_errno(struct stream *); /* ... of a system call on its socket */

#endif
