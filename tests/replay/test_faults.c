/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/replay/test_faults.c -- memory that is gone at the n-th call, and system calls that fail:
 * one connection ends, nothing leaks, and the next one is served.
 */
#include "rig.h"

#include "tunnel/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- allocations: ours by --wrap, OpenSSL's by its own hooks ---- */

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

static void *
crypto_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return n == 0 ? NULL : __wrap_malloc(n);
}

static void *
crypto_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	if (n == 0) {
		free(p);
		return NULL;
	}
	return __wrap_realloc(p, n);
}

static void
crypto_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
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

static const char *const confs[] = {
	"[server]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:%u\ncert = @/server.pem\n",
	"[relay]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:%u\nacceptTLS = no\n",
	/* A responder that is never there: port 1 is the system's, and closed. */
	("[guarded]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:%u\ncert = @/server.pem\n"
	 "CAfile = @/ca.pem\nverifyChain = yes\nOCSP = http://127.0.0.1:1/\nOCSPrequire = no\n"),
	/* A header comes in, TLS is opened, what is inside is told apart, and a header goes out. */
	("[port]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:1\ncert = @/server.pem\n"
	 "proxyProtocolFrom = 0.0.0.0\n"
	 "[front]\ndetect = port:tls/other\nconnect = 127.0.0.1:%u\nallowFrom = 192.0.2.0/24\n"
	 "proxyProtocol = v2\nproxyProtocolTLVs = all\n"),
};
enum { SERVER, RELAY, GUARDED, FRONT };

static const char header[] = "PROXY TCP4 192.0.2.7 198.51.100.1 1234 443\r\n";

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

/* Returns whether the answer came.  Whatever happens, both peers close and the session must end. */
static bool
visit(struct rig *r, bool tls)
{
	static const char question[] = "question", answer[] = "answer";
	struct peer client = rig_client(r, tls), backend = { .fd = -1 };
	char bytes[4096];
	bool asked = false, answered = false, got = false;

	if (r->plan->services[0].conf->front.proxy_from.n > 0)
		(void)!write(client.fd, header, strlen(header)); /* unless it was refused */
	for (int i = 0; i < 200 && !got && !all_ended(r); i++) {
		turn(r);
		if (backend.fd == -1)
			backend.fd = accept4(r->backend, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (!asked)
			asked = peer_write(&client, question, sizeof(question)) > 0;
		if (backend.fd != -1 && !answered && peer_read(&backend, bytes, sizeof(bytes)) > 0)
			answered = peer_write(&backend, answer, sizeof(answer)) > 0;
		if (answered)
			got = peer_read(&client, bytes, sizeof(bytes)) == (long)sizeof(answer);
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
	for (unsigned c = 0; c < COUNT_OF(confs); c++) {
		bool tls = c != RELAY;
		long k = 0;

		rig_open(&r, confs[c]);
		r.certified = c == GUARDED;
		r.watch_start = count;
		failed = true; /* a first visit without failures, for what is made only once */
		assert_true(visit(&r, tls));
		do {
			fail_at = k;
			/* Certificates cost OpenSSL thousands: now and then is enough. */
			k += c == GUARDED ? 11 : 1;
			failed = false;
			(void)visit(&r, tls);
			/* The next one is served as if nothing had been. */
			if (failed && k % 7 == 0)
				assert_true(visit(&r, tls));
		} while (failed);
		print_message(
		    "%.*s: %ld allocations\n", (int)strcspn(confs[c], "\n"), confs[c], k - 1);
		/* A session and its dial; with TLS, all that OpenSSL makes. */
		assert_true(k - 1 >= (tls ? 100 : 2));
		failed = true;
		assert_true(visit(&r, tls));
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
	for (unsigned c = 0; c < COUNT_OF(confs); c++) {
		rig_open(&r, confs[c]);
		r.certified = c == GUARDED;
		for (unsigned e = 0; e < COUNT_OF(errors); e++)
			for (unsigned after = 0; after < 8; after++) {
				recv_fault.error = send_fault.error = errors[e];
				recv_fault.after = send_fault.after = after;
				recv_fault.armed = after % 2 == 0;
				send_fault.armed = !recv_fault.armed;
				(void)visit(&r, c != RELAY);
				recv_fault.armed = send_fault.armed = false;
				assert_true(visit(&r, c != RELAY));
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
	rig_open(&r, confs[SERVER]);
	recv_fault.error = send_fault.error = EINTR;
	for (unsigned after = 0; after < 8; after++) {
		recv_fault.after = send_fault.after = after;
		recv_fault.armed = send_fault.armed = true;
		assert_true(visit(&r, true));
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
	rig_open(&r, confs[RELAY]);
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
		cmocka_unit_test(test_io_errors),
		cmocka_unit_test(test_interrupted_calls),
		cmocka_unit_test(test_accept_errors),
	};

	signal(SIGPIPE, SIG_IGN); /* the TLS client writes to a session that may have ended */
	if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
