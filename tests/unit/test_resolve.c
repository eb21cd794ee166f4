/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_resolve.c -- the resolver against a name server of our own, on the same loop. */
#include "net/resolve.h"

#include "base/rd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	TYPE_A = 1,
	TYPE_AAAA = 28, /* RFC 3596 2.1 */
	HEADER = 12,	/* RFC 1035 4.1.1 */
	OK = 0,
	SERVFAIL = 2,
	NXDOMAIN = 3,
	GIVE_UP_MS = 30 * 1000,
};

/* How the server behaves; the tests change it as they go. */
static struct {
	int rcode;
	unsigned v4, v6; /* how many addresses */
	uint32_t ttl;
	unsigned lose;	/* so many questions get no answer */
	bool truncated; /* over UDP; the whole answer is to be had over TCP */
	bool malformed; /* a record that ends too early */
	unsigned questions, over_tcp;
} server;

static struct loop *loop;
static struct resolver *resolver;
static struct watch udp, tcp, connection;
static struct task udp_task, tcp_task, connection_task;

static uint8_t *
put(uint8_t *p, uint32_t v, unsigned bytes)
{
	while (bytes-- > 0)
		*p++ = (uint8_t)(v >> 8 * bytes);
	return p;
}

/* 10.0.0.1, 10.0.0.2, ... and fd00::1, ...: the last byte counts. */
static uint8_t *
put_record(uint8_t *p, uint32_t type, unsigned number)
{
	unsigned size = type == TYPE_A ? 4 : 16;

	p = put(p, 0xc000 | HEADER, 2); /* the name of the question */
	p = put(p, type, 2);
	p = put(p, 1, 2); /* IN */
	p = put(p, server.ttl, 4);
	p = put(p, size, 2);
	memset(p, 0, size);
	p[0] = type == TYPE_A ? 10 : 0xfd;
	p[size - 1] = (uint8_t)number;
	return p + size;
}

/* The answer to the question of `n` bytes, into `out`; 0: none. */
static size_t
answer(const uint8_t *question, size_t n, bool over_udp, uint8_t *out)
{
	struct rd r = rd_of(question, n);
	uint32_t type, count;
	uint8_t *p;
	uint8_t label;

	server.questions++;
	server.over_tcp += !over_udp;
	if (server.lose > 0) {
		server.lose--;
		return 0;
	}
	(void)rd_bytes(&r, HEADER);
	while ((label = rd_u8(&r)) != 0)
		(void)rd_bytes(&r, label);
	type = rd_u16(&r);
	(void)rd_u16(&r);
	assert_false(r.bad);
	count = server.rcode != OK ? 0 : type == TYPE_A ? server.v4 : server.v6;
	memcpy(out, question, (size_t)(r.p - question));
	put(out + 2, 0x8180 | (over_udp && server.truncated ? 0x200 : 0) | (uint32_t)server.rcode,
	    2);
	put(out + 6, count, 2);
	put(out + 8, 0, 4);
	p = out + (r.p - question);
	for (unsigned i = 1; i <= count; i++)
		p = put_record(p, type, i);
	return (size_t)(p - out) - (count > 0 && server.malformed ? 3 : 0);
}

static void
on_udp(void *owner)
{
	uint8_t question[512], out[4096];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n;

	(void)owner;
	while ((n = recvfrom(udp.fd, question, sizeof(question), MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len)) > 0) {
		size_t size = answer(question, (size_t)n, true, out);

		if (size > 0)
			(void)sendto(udp.fd, out, size, 0, (struct sockaddr *)&from, len);
	}
}

static void
on_tcp(void *owner)
{
	(void)owner;
	if (connection.fd != -1)
		close(connection.fd);
	connection.fd = accept4(tcp.fd, NULL, NULL, SOCK_CLOEXEC);
	if (connection.fd != -1)
		assert_true(loop_watch(loop, &connection, WATCH_READ));
}

/* RFC 1035 4.2.2: each message behind its length.  Ours are so small that they come whole. */
static void
on_connection(void *owner)
{
	uint8_t in[1024], out[4096];
	ssize_t n = recv(connection.fd, in, sizeof(in), MSG_DONTWAIT);
	struct rd r = rd_of(in, n > 0 ? (size_t)n : 0);

	(void)owner;
	if (n == -1 && errno == EAGAIN)
		return;
	while (rd_left(&r) > 0) {
		struct rd question = rd_block(&r, 2);
		size_t size = answer(question.p, rd_left(&question), false, out + 2);

		put(out, (uint32_t)size, 2);
		assert_int_equal(write(connection.fd, out, size + 2), size + 2);
	}
	if (n <= 0) {
		close(connection.fd);
		connection.fd = -1;
	}
}

static int
bound_socket(int type, uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(*port) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&a, len) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1) {
		close(fd);
		return -1;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

/* UDP and TCP on the same port, which the kernel chooses: another try if TCP's is taken. */
static uint16_t
open_server(void)
{
	uint16_t port;

	do {
		port = 0;
		udp.fd = bound_socket(SOCK_DGRAM, &port);
		assert_int_not_equal(udp.fd, -1);
		tcp.fd = bound_socket(SOCK_STREAM, &port);
		if (tcp.fd == -1)
			close(udp.fd);
	} while (tcp.fd == -1);
	assert_return_code(listen(tcp.fd, 5), errno);
	connection.fd = -1;
	udp_task = (struct task){ .run = on_udp };
	tcp_task = (struct task){ .run = on_tcp };
	connection_task = (struct task){ .run = on_connection };
	udp.task = &udp_task;
	tcp.task = &tcp_task;
	connection.task = &connection_task;
	assert_true(loop_watch(loop, &udp, WATCH_READ));
	assert_true(loop_watch(loop, &tcp, WATCH_READ));
	return port;
}

static int
setup(void **state)
{
	char servers[32];

	(void)state;
	memset(&server, 0, sizeof(server));
	server.ttl = 60;
	if ((loop = loop_new()) == NULL)
		return -1;
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", open_server());
	return (resolver = resolver_new_at(loop, servers)) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	resolver_free(resolver);
	loop_free(loop);
	close(udp.fd);
	close(tcp.fd);
	if (connection.fd != -1)
		close(connection.fd);
	return 0;
}

static void
stop(void *owner)
{
	(void)owner;
	loop_stop(loop);
}

/* Let the loop run for `ms`, or until somebody stops it. */
static void
run_for(int64_t ms)
{
	struct task task = { .run = stop };
	struct timer timer = { .task = &task };

	loop_timer(loop, &timer, ms);
	loop_run(loop);
	loop_untimer(loop, &timer);
	loop_cancel(loop, &task);
}

/* Ask and wait for the answer. */
static enum io
ask(struct lookup *l, const char *host, bool fresh)
{
	struct task task = { .run = stop };
	enum io io;

	*l = (struct lookup){ .task = &task };
	io = resolve(resolver, l, host, 993, fresh);
	if (io == IO_AGAIN) {
		run_for(GIVE_UP_MS);
		io = l->count > 0 ? IO_OK : IO_FAILED;
	}
	assert_true(l->done);
	assert_null(l->name);
	return io;
}

static unsigned
count_family(const struct lookup *l, int family)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->count; i++)
		n += l->addrs[i].sa.sa_family == family;
	return n;
}

static void
both_families_with_the_port(void **state)
{
	struct lookup l;

	(void)state;
	server.v4 = 2;
	server.v6 = 1;
	assert_int_equal(ask(&l, "host.test", false), IO_OK);
	assert_int_equal(l.count, 3);
	assert_int_equal(count_family(&l, AF_INET), 2);
	assert_int_equal(count_family(&l, AF_INET6), 1);
	assert_null(l.error);
	for (unsigned i = 0; i < l.count; i++)
		assert_int_equal(addr_port(&l.addrs[i]), 993);
}

static void
one_family_is_enough(void **state)
{
	struct lookup l;

	(void)state;
	server.v4 = 1;
	assert_int_equal(ask(&l, "four.test", false), IO_OK);
	assert_int_equal(l.count, 1);
	server.v4 = 0;
	server.v6 = 1;
	assert_int_equal(ask(&l, "six.test", false), IO_OK);
	assert_int_equal(l.count, 1);
	assert_int_equal(count_family(&l, AF_INET6), 1);
}

static void
an_answer_is_kept_and_its_port_is_the_askers(void **state)
{
	struct lookup l;
	unsigned asked;

	(void)state;
	server.v4 = 1;
	assert_int_equal(ask(&l, "host.test", false), IO_OK);
	asked = server.questions;
	l = (struct lookup){ 0 };
	assert_int_equal(resolve(resolver, &l, "host.test", 25, false), IO_OK);
	assert_true(l.done);
	assert_int_equal(addr_port(&l.addrs[0]), 25);
	assert_int_equal(server.questions, asked);
	/* A fresh answer is another matter, and so is another host. */
	server.v4 = 2;
	assert_int_equal(ask(&l, "host.test", true), IO_OK);
	assert_int_equal(l.count, 2);
	assert_true(server.questions > asked);
	asked = server.questions;
	assert_int_equal(ask(&l, "other.test", false), IO_OK);
	assert_true(server.questions > asked);
}

static void
an_answer_lives_for_its_ttl_but_at_least_a_second(void **state)
{
	struct lookup l;
	unsigned asked;

	(void)state;
	server.v4 = 1;
	server.ttl = 0;
	assert_int_equal(ask(&l, "host.test", false), IO_OK);
	asked = server.questions;
	assert_int_equal(ask(&l, "host.test", false), IO_OK);
	assert_int_equal(server.questions, asked);
	run_for(1050);
	server.v4 = 2;
	assert_int_equal(ask(&l, "host.test", false), IO_OK);
	assert_int_equal(l.count, 2);
}

static void
who_asks_at_once_shares_one_question(void **state)
{
	struct task first_task = { .run = stop }, second_task = { .run = stop };
	struct lookup first = { .task = &first_task }, second = { .task = &second_task };
	unsigned questions = 2; /* A and AAAA */

	(void)state;
	server.v4 = server.v6 = 1;
	assert_int_equal(resolve(resolver, &first, "host.test", 1, false), IO_AGAIN);
	assert_int_equal(resolve(resolver, &second, "host.test", 2, true), IO_AGAIN);
	run_for(GIVE_UP_MS);
	assert_true(first.done);
	assert_true(second.done);
	assert_int_equal(first.count, 2);
	assert_int_equal(addr_port(&first.addrs[0]), 1);
	assert_int_equal(addr_port(&second.addrs[0]), 2);
	assert_int_equal(server.questions, questions);
	loop_cancel(loop, &first_task);
	loop_cancel(loop, &second_task);
}

static void
a_failure_is_kept_for_a_second(void **state)
{
	struct lookup l;
	unsigned asked;

	(void)state;
	server.rcode = NXDOMAIN;
	assert_int_equal(ask(&l, "gone.test", false), IO_FAILED);
	assert_int_equal(l.count, 0);
	assert_non_null(l.error);
	asked = server.questions;
	assert_int_equal(ask(&l, "gone.test", false), IO_FAILED);
	assert_int_equal(ask(&l, "gone.test", true), IO_FAILED);
	assert_int_equal(server.questions, asked);
	run_for(1050);
	server.rcode = OK;
	server.v4 = 1;
	assert_int_equal(ask(&l, "gone.test", false), IO_OK);
	assert_null(l.error);
}

static void
the_last_good_answer_outlives_a_failure(void **state)
{
	static const int failures[] = { NXDOMAIN, SERVFAIL };
	struct lookup l;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(failures); i++) {
		unsigned asked;
		char host[32];

		snprintf(host, sizeof(host), "host%zu.test", i);
		server.rcode = OK;
		server.v4 = 2;
		assert_int_equal(ask(&l, host, false), IO_OK);
		asked = server.questions;
		server.rcode = failures[i];
		assert_int_equal(ask(&l, host, true), IO_OK);
		assert_true(server.questions > asked);
		assert_int_equal(l.count, 2);
		assert_null(l.error);
	}
}

static void
a_dead_name_service_is_waited_for_once(void **state)
{
	struct lookup l;
	unsigned asked;

	(void)state;
	server.v4 = 1;
	assert_int_equal(ask(&l, "host.test", false), IO_OK);
	server.rcode = SERVFAIL;
	assert_int_equal(ask(&l, "host.test", true), IO_OK);
	run_for(1050);
	asked = server.questions;
	l = (struct lookup){ 0 };
	assert_int_equal(resolve(resolver, &l, "host.test", 25, false), IO_OK);
	assert_int_equal(l.count, 1);
	/* It is asked all the same, so that the first new answer is taken up. */
	server.rcode = OK;
	server.v4 = 2;
	run_for(100);
	assert_true(server.questions > asked);
	l = (struct lookup){ 0 };
	assert_int_equal(resolve(resolver, &l, "host.test", 25, false), IO_OK);
	assert_int_equal(l.count, 2);
}

static void
answers_without_an_address_or_sense_fail(void **state)
{
	struct lookup l;

	(void)state;
	assert_int_equal(ask(&l, "empty.test", false), IO_FAILED); /* NOERROR, no record */
	assert_non_null(l.error);
	server.v4 = server.v6 = 1;
	server.malformed = true;
	assert_int_equal(ask(&l, "malformed.test", false), IO_FAILED);
	assert_non_null(l.error);
	/* Nothing of it stays behind. */
	server.malformed = false;
	assert_int_equal(ask(&l, "fine.test", false), IO_OK);
}

static void
too_many_addresses_are_cut(void **state)
{
	struct lookup l;

	(void)state;
	server.v4 = 25; /* as many as fit into 512 bytes */
	server.v6 = 10;
	assert_int_equal(ask(&l, "many.test", false), IO_OK);
	assert_int_equal(l.count, RESOLVE_MAX);
}

static void
a_lost_question_is_sent_again(void **state)
{
	struct lookup l;

	(void)state;
	server.v4 = 1;
	server.lose = 2; /* A and AAAA */
	assert_int_equal(ask(&l, "host.test", false), IO_OK);
	assert_int_equal(server.questions, 4);
}

static void
a_long_answer_comes_over_tcp(void **state)
{
	struct lookup l;

	(void)state;
	server.v4 = 3;
	server.truncated = true;
	assert_int_equal(ask(&l, "host.test", false), IO_OK);
	assert_int_equal(l.count, 3);
	assert_int_equal(server.over_tcp, 2);
}

static void
the_hosts_file_answers_at_once(void **state)
{
	struct lookup l = { 0 };

	(void)state;
	assert_int_equal(resolve(resolver, &l, "localhost", 25, false), IO_OK);
	assert_true(l.done);
	assert_true(l.count > 0);
	assert_int_equal(addr_port(&l.addrs[0]), 25);
	assert_int_equal(server.questions, 0);
}

static void
a_cancelled_question_wakes_nobody(void **state)
{
	struct task task = { .run = stop };
	struct lookup l = { .task = &task };

	(void)state;
	resolve_cancel(&l); /* never asked */
	server.v4 = 1;
	assert_int_equal(resolve(resolver, &l, "host.test", 25, false), IO_AGAIN);
	resolve_cancel(&l);
	resolve_cancel(&l);
	run_for(100);
	assert_false(l.done);
	assert_false(task.queued);
	/* The answer was not thrown away. */
	assert_int_equal(resolve(resolver, &l, "host.test", 25, false), IO_OK);
	assert_int_equal(server.questions, 2);
}

static void
an_unanswered_question_does_not_outlive_the_resolver(void **state)
{
	struct task task = { .run = stop };
	struct lookup l = { .task = &task };

	(void)state;
	server.lose = 100;
	assert_int_equal(resolve(resolver, &l, "host.test", 25, false), IO_AGAIN);
	run_for(20);
	assert_true(server.questions > 0);
	resolve_cancel(&l);
	/* teardown() frees the resolver; the sanitizers see the rest */
}

static void
what_is_kept_has_a_limit(void **state)
{
	enum { MORE_THAN_ARE_KEPT = 1024 + 1 };
	struct lookup l;
	unsigned asked;

	(void)state;
	server.v4 = 1;
	for (unsigned i = 0; i < MORE_THAN_ARE_KEPT; i++) {
		char host[32];

		snprintf(host, sizeof(host), "n%u.test", i);
		assert_int_equal(ask(&l, host, false), IO_OK);
	}
	asked = server.questions;
	assert_int_equal(ask(&l, "n1024.test", false), IO_OK);
	assert_int_equal(server.questions, asked);
	assert_int_equal(ask(&l, "n0.test", false), IO_OK); /* the oldest had to go */
	assert_true(server.questions > asked);
}

/* One that is asked for now and then does not go for those that were asked for once. */
static void
what_is_wanted_is_kept(void **state)
{
	struct lookup l;
	unsigned asked;

	(void)state;
	server.v4 = 1;
	for (unsigned i = 0; i < 3000; i++) {
		char host[32];

		snprintf(host, sizeof(host), "n%u.test", i);
		assert_int_equal(ask(&l, host, false), IO_OK);
		if (i % 1000 == 0)
			assert_int_equal(ask(&l, "wanted.test", false), IO_OK);
	}
	asked = server.questions;
	assert_int_equal(ask(&l, "wanted.test", false), IO_OK);
	assert_int_equal(server.questions, asked);
}

/* A name server that is silent: so many questions are open, and then no more are. */
static void
what_is_asked_for_has_a_limit(void **state)
{
	enum { ASKED_MAX = 4096, TOO_MANY = 100 * 1000 };
	static struct lookup l[ASKED_MAX + 1];
	struct task task = { .run = stop };
	char host[32];

	(void)state;
	server.lose = UINT_MAX;
	for (unsigned i = 0; i < TOO_MANY; i++) {
		struct lookup *one = &l[i < ASKED_MAX ? i : ASKED_MAX];
		bool fits = i < ASKED_MAX;

		snprintf(host, sizeof(host), "n%u.test", i);
		*one = (struct lookup){ .task = &task };
		assert_int_equal(
		    resolve(resolver, one, host, 1, false), fits ? IO_AGAIN : IO_FAILED);
		assert_int_equal(one->done, !fits);
	}
	assert_string_equal(l[ASKED_MAX].error, "too many names are being asked for");
	for (unsigned i = 0; i < ASKED_MAX; i++)
		resolve_cancel(&l[i]);
}

/* Names that are known are not forgotten for questions that are open, however many these are. */
static void
open_questions_push_nothing_out(void **state)
{
	enum { MORE_THAN_ARE_KEPT = 1024 + 1 };
	static struct lookup l[MORE_THAN_ARE_KEPT];
	struct task task = { .run = stop };
	struct lookup known;
	char host[32];
	unsigned asked;

	(void)state;
	server.v4 = 1;
	assert_int_equal(ask(&known, "known.test", false), IO_OK);
	server.lose = UINT_MAX;
	for (unsigned i = 0; i < MORE_THAN_ARE_KEPT; i++) {
		snprintf(host, sizeof(host), "n%u.test", i);
		l[i] = (struct lookup){ .task = &task };
		assert_int_equal(resolve(resolver, &l[i], host, 1, false), IO_AGAIN);
	}
	asked = server.questions;
	assert_int_equal(ask(&known, "known.test", false), IO_OK);
	assert_int_equal(server.questions, asked);
	for (unsigned i = 0; i < MORE_THAN_ARE_KEPT; i++)
		resolve_cancel(&l[i]);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(both_families_with_the_port),
		CASE(one_family_is_enough),
		CASE(an_answer_is_kept_and_its_port_is_the_askers),
		CASE(an_answer_lives_for_its_ttl_but_at_least_a_second),
		CASE(who_asks_at_once_shares_one_question),
		CASE(a_failure_is_kept_for_a_second),
		CASE(the_last_good_answer_outlives_a_failure),
		CASE(a_dead_name_service_is_waited_for_once),
		CASE(answers_without_an_address_or_sense_fail),
		CASE(too_many_addresses_are_cut),
		CASE(a_lost_question_is_sent_again),
		CASE(a_long_answer_comes_over_tcp),
		CASE(the_hosts_file_answers_at_once),
		CASE(a_cancelled_question_wakes_nobody),
		CASE(an_unanswered_question_does_not_outlive_the_resolver),
		CASE(what_is_kept_has_a_limit),
		CASE(what_is_wanted_is_kept),
		CASE(what_is_asked_for_has_a_limit),
		CASE(open_questions_push_nothing_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
