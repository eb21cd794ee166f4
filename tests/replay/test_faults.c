/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/replay/test_faults.c -- memory that is gone at the n-th call, and system calls that fail:
 * one connection ends, nothing leaks, and the next one is served.
 */
#include "rig.h"

#include "tunnel/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- allocations, by --wrap: ours, and OpenSSL's, which come through base/shelf.c ---- */

static long fail_at; /* counts down while `counting`; the call that meets 0 fails */
static bool counting, failed;

static bool
fails_now(void)
{
	if (!counting || failed || fail_at-- > 0)
		return false;
	return failed = true;
}

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);

void *
__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return fails_now() ? NULL : __real_realloc(p, n);
}

/* ---- system calls ---- */

static struct {
	int error;	/* what the next call fails with */
	unsigned after; /* ... after so many good ones */
	bool armed;
} recv_fault, send_fault, accept_fault;

#define FAULTY(fault) \
	((fault).armed && (fault).after-- == 0 ? ((fault).armed = false, true) : false)

ssize_t __real_recv(int, void *, size_t, int);
ssize_t __real_send(int, const void *, size_t, int);
int __real_accept4(int, struct sockaddr *, socklen_t *, int);
ssize_t __wrap_recv(int, void *, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);
int __wrap_accept4(int, struct sockaddr *, socklen_t *, int);

ssize_t
__wrap_recv(int fd, void *to, size_t n, int flags)
{
	if (counting && FAULTY(recv_fault)) {
		errno = recv_fault.error;
		return -1;
	}
	return __real_recv(fd, to, n, flags);
}

ssize_t
__wrap_send(int fd, const void *from, size_t n, int flags)
{
	if (counting && FAULTY(send_fault)) {
		errno = send_fault.error;
		return -1;
	}
	return __real_send(fd, from, n, flags);
}

int
__wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	if (counting && FAULTY(accept_fault)) {
		errno = accept_fault.error;
		return -1;
	}
	return __real_accept4(fd, sa, len, flags);
}

/* ---- what a client says before its question ---- */

static size_t
say_header(const struct rig *r, char *out, size_t size)
{
	(void)r;
	return (size_t)snprintf(out, size, "PROXY TCP4 192.0.2.7 198.51.100.1 1234 443\r\n");
}

static size_t
say_connect(const struct rig *r, char *out, size_t size)
{
	return (size_t)snprintf(
	    out, size, "CONNECT 127.0.0.1:%u HTTP/1.1\r\nHost: x\r\n\r\n", r->port);
}

static size_t
say_name(const struct rig *r, char *out, size_t size)
{
	return (size_t)snprintf(
	    out, size, "CONNECT localhost:%u HTTP/1.1\r\nHost: x\r\n\r\n", r->port);
}

/* In haste: the greeting and the request (RFC 1928 3, 4). */
static size_t
say_socks(const struct rig *r, char *out, size_t size)
{
	const char bytes[] = { 5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, (char)(r->port >> 8),
		(char)r->port };

	assert_true(sizeof(bytes) <= size);
	memcpy(out, bytes, sizeof(bytes));
	return sizeof(bytes);
}

static const struct scenario {
	const char *conf;
	bool tls, certified;
	size_t (*say)(
	    const struct rig *, char *out, size_t size); /* in clear if there is a header */
} scenarios[] = {
	{ "[server]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:%u\ncert = @/server.pem\n", true,
	    false, NULL },
	{ "[relay]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:%u\nacceptTLS = no\n", false, false,
	    NULL },
	/* A responder that is never there: port 1 is the system's, and closed. */
	{ "[guarded]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:%u\ncert = @/server.pem\n"
	  "CAfile = @/ca.pem\nverifyChain = yes\nOCSP = http://127.0.0.1:1/\nOCSPrequire = no\n",
	    true, true, NULL },
	/* A header comes in, TLS is opened, what is inside is told apart, and a header goes out. */
	{ "[port]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:1\ncert = @/server.pem\n"
	  "proxyProtocolFrom = 0.0.0.0\n"
	  "[front]\ndetect = port:tls/other\nconnect = 127.0.0.1:%u\nallowFrom = 192.0.2.0/24\n"
	  "proxyProtocol = v2\nproxyProtocolTLVs = all\n",
	    true, false, say_header },
	/* The first of two targets is dead; seats of all kinds are taken. */
	{ "[farm]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:1\nconnect = 127.0.0.1:%u\n"
	  "acceptTLS = no\nbalance = leastconn\nmaxConnections = 3\nqueueLimit = 1\n"
	  "maxConnectionsPerSource = 2\nrateLimit = 64K\n",
	    false, false, NULL },
	{ "[connect]\naccept = 127.0.0.1:0\nprotocol = connect\ncert = @/server.pem\n"
	  "CAfile = @/ca.pem\nverifyChain = yes\nmaxConnectionsPerIdentity = 2\n"
	  "allow = cn:* -> 127.0.0.1:%u\n",
	    true, true, say_connect },
	/* Its addresses are tried at once. */
	{ "[names]\naccept = 127.0.0.1:0\nprotocol = connect\nacceptTLS = no\n"
	  "happyEyeballs = yes\nallow = * -> *!:%u\n",
	    false, false, say_name },
	{ "[socks]\naccept = 127.0.0.1:0\nprotocol = socks\nacceptTLS = no\n"
	  "allow = * -> 127.0.0.1:%u\n",
	    false, false, say_socks },
};
enum { SERVER, RELAY };

/* ---- one visit: handshake, question, answer, end ---- */

/* Turn the worker; only its own calls are counted. */
static void
turn(struct rig *r)
{
	counting = true;
	(void)fake_loop_turn(rig_loop(r));
	counting = false;
}

static void
count(bool on)
{
	counting = on;
}

static bool
all_ended(const struct rig *r)
{
	return r->worker->pending == NULL && r->worker->standing == NULL;
}

/* All that the client has to say has left, or it is too late. */
static bool
say(struct peer *p, const char *text, size_t n, size_t *said)
{
	long got;

	while (*said < n && (got = peer_write(p, text + *said, n - *said)) > 0)
		*said += (size_t)got;
	return *said == n;
}

/* Returns whether the answer came.  Whatever happens, both peers close and the session must end. */
static bool
visit(struct rig *r, const struct scenario *sc)
{
	static const char question[] = "question", answer[] = "answer";
	struct peer client, backend = { .fd = -1 };
	char bytes[4096], text[256], heard[4096];
	size_t n = 0, said = 0, have = 0;
	bool answered = false, got = false;

	if (sc->say != NULL)
		n = sc->say(r, text, sizeof(text));
	r->certified = sc->certified;
	client = rig_client(r, sc->tls);
	if (sc->say == say_header) {
		(void)!write(client.fd, text, n); /* unless it was refused */
		n = 0;
	}
	memcpy(text + n, question, sizeof(question));
	n += sizeof(question);
	for (int i = 0; i < 300 && !got && !all_ended(r); i++) {
		long more;

		turn(r);
		if (backend.fd == -1)
			backend.fd = accept4(r->backend, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		(void)say(&client, text, n, &said);
		if (backend.fd != -1 && !answered && peer_read(&backend, bytes, sizeof(bytes)) > 0)
			answered = peer_write(&backend, answer, sizeof(answer)) > 0;
		while ((more = peer_read(&client, heard + have, sizeof(heard) - have)) > 0)
			have += (size_t)more;
		got = have >= sizeof(answer) &&
		      memcmp(heard + have - sizeof(answer), answer, sizeof(answer)) == 0;
		if (sc->say != NULL && !got) /* names and pauses take their time */
			fake_loop_pass(rig_loop(r), 20);
	}
	peer_end(&client);
	for (int i = 0; i < 5; i++)
		turn(r);
	peer_close(&client);
	peer_close(&backend);
	for (int i = 0; i < 100 && !all_ended(r); i++)
		turn(r);
	/* A backend that was connected to and never accepted, too. */
	while ((backend.fd = accept4(r->backend, NULL, NULL, SOCK_CLOEXEC)) != -1)
		peer_close(&backend);
	assert_true(all_ended(r));
	assert_int_equal(pool_held(r->worker->pool), 0);
	return got;
}

static void
test_allocations(void **state)
{
	struct rig r;

	(void)state;
	for (const struct scenario *sc = scenarios; sc < scenarios + COUNT_OF(scenarios); sc++) {
		long k = 0;

		rig_open(&r, sc->conf);
		r.watch_start = count;
		failed = true; /* a first visit without failures, for what is made only once */
		assert_true(visit(&r, sc));
		do {
			fail_at = k;
			/* Certificates cost OpenSSL thousands: now and then is enough. */
			k += sc->certified ? 11 : 1;
			failed = false;
			(void)visit(&r, sc);
			/* The next one is served as if nothing had been. */
			if (failed && k % 7 == 0)
				assert_true(visit(&r, sc));
		} while (failed);
		print_message(
		    "%.*s: %ld allocations\n", (int)strcspn(sc->conf, "\n"), sc->conf, k - 1);
		/* A session and its dial; with TLS, all that OpenSSL makes. */
		assert_true(k - 1 >= (sc->tls ? 100 : 2));
		failed = true;
		assert_true(visit(&r, sc));
		rig_close(&r);
	}
}

/* A reload without memory is refused, whatever was to be made next, and the plan in force stays. */
static void
test_reload(void **state)
{
	struct rig r;

	(void)state;
	for (const struct scenario *sc = scenarios; sc < scenarios + COUNT_OF(scenarios); sc++) {
		long k = 0, refused = 0;
		bool good;

		rig_open(&r, sc->conf);
		failed = true;
		assert_true(rig_reads(&r, sc->conf));
		do {
			fail_at = k;
			/* Files and certificates cost OpenSSL thousands. */
			k += k < 100 || !sc->tls ? 1 : 29;
			failed = false;
			counting = true;
			good = rig_reads(&r, sc->conf);
			counting = false;
			refused += failed && !good;
		} while (failed);
		assert_true(good);
		print_message("%.*s: %ld allocations, %ld that a reload needs\n",
		    (int)strcspn(sc->conf, "\n"), sc->conf, k - 1, refused);
		assert_true(refused >= 8);
		failed = true;
		assert_true(visit(&r, sc));
		rig_close(&r);
	}
}

static void
test_io_errors(void **state)
{
	static const int errors[] = { ECONNRESET, EPIPE, ETIMEDOUT, ENOBUFS, ENOMEM, EHOSTUNREACH };
	struct rig r;

	(void)state;
	failed = true;
	for (const struct scenario *sc = scenarios; sc < scenarios + COUNT_OF(scenarios); sc++) {
		rig_open(&r, sc->conf);
		for (unsigned e = 0; e < COUNT_OF(errors); e++)
			for (unsigned after = 0; after < 8; after++) {
				recv_fault.error = send_fault.error = errors[e];
				recv_fault.after = send_fault.after = after;
				recv_fault.armed = after % 2 == 0;
				send_fault.armed = !recv_fault.armed;
				(void)visit(&r, sc);
				recv_fault.armed = send_fault.armed = false;
				assert_true(visit(&r, sc));
			}
		rig_close(&r);
	}
}

static void
test_interrupted_calls(void **state)
{
	struct rig r;

	(void)state;
	failed = true;
	rig_open(&r, scenarios[SERVER].conf);
	recv_fault.error = send_fault.error = EINTR;
	for (unsigned after = 0; after < 8; after++) {
		recv_fault.after = send_fault.after = after;
		recv_fault.armed = send_fault.armed = true;
		assert_true(visit(&r, &scenarios[SERVER]));
		recv_fault.armed = send_fault.armed = false;
	}
	rig_close(&r);
}

/* ---- accept ---- */

static int
knock(const struct plan *plan)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct addr *to = &plan->doors[0].listener->bound;

	assert_int_equal(connect(fd, &to->sa, to->len), 0);
	return fd;
}

/* Each error is of one connection, or passes; the client behind it is let in in the end. */
static void
test_accept_errors(void **state)
{
	static const int errors[] = { EINTR, ECONNABORTED, EPROTO, ENETDOWN, EPERM, EAGAIN, EMFILE,
		ENFILE, ENOBUFS, ENOMEM };
	struct rig r;

	(void)state;
	failed = true;
	rig_open(&r, scenarios[RELAY].conf);
	assert_true(plan_open_doors(r.plan, NULL));
	r.worker->plan = plan_hold(r.plan);
	gates_adopt(r.worker, r.plan, gates_new(r.plan));
	for (unsigned e = 0; e < COUNT_OF(errors); e++) {
		bool no_descriptor = errors[e] == EMFILE || errors[e] == ENFILE;
		uint64_t before = r.worker->counters.ended[R_FULL];
		int fd = knock(r.plan), second = -1;

		accept_fault.error = errors[e];
		accept_fault.after = 0;
		accept_fault.armed = true;
		turn(&r);
		assert_false(accept_fault.armed);
		if (no_descriptor) {
			/* The first was told at once, over the spare descriptor. */
			assert_int_equal(r.worker->counters.ended[R_FULL], before + 1);
			second = knock(r.plan);
		}
		fake_loop_pass(rig_loop(&r), 150);
		for (int i = 0; i < 10 && all_ended(&r); i++)
			turn(&r);
		assert_false(all_ended(&r));
		close(fd);
		if (second != -1)
			close(second);
		session_abort(
		    r.worker->pending != NULL ? r.worker->pending : r.worker->standing, R_SHUTDOWN);
		turn(&r);
		assert_true(all_ended(&r));
	}
	gates_close(r.worker);
	plan_close_doors(r.plan, NULL);
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allocations),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_io_errors),
		cmocka_unit_test(test_interrupted_calls),
		cmocka_unit_test(test_accept_errors),
	};

	signal(SIGPIPE, SIG_IGN); /* the TLS client writes to a session that may have ended */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
