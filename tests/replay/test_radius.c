/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/replay/test_radius.c -- questions and accounts of a VPN, with a RADIUS server that the test
 * is, in a time that passes as the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "fake_loop.h"
#include "kit/memory.h"
#include "tunnel/vpn_account.h"
#include "tunnel/vpn_radius.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS = 100, START = 1, STOP, INTERIM };

#define SECRET "xyzzy5461"

/* ---- the log, by --wrap ---- */

static char lines[4096];

void __wrap_log_line(const struct log_ctx *, int level, const char *fmt, ...) PRINTF_LIKE(3, 4);

void
__wrap_log_line(const struct log_ctx *ctx, int level, const char *fmt, ...)
{
	size_t n = strlen(lines);
	va_list args;

	(void)ctx;
	(void)level;
	va_start(args, fmt);
	(void)vsnprintf(lines + n, sizeof(lines) - n, fmt, args);
	va_end(args);
	n = strlen(lines);
	(void)snprintf(lines + n, sizeof(lines) - n, "\n");
}

/* How many lines begin so, since the log was emptied. */
static unsigned
said(const char *words)
{
	unsigned n = 0;

	for (const char *at = lines; (at = strstr(at, words)) != NULL; at++)
		n += at == lines || at[-1] == '\n';
	return n;
}

/* ---- the stage ---- */

/* A server, what it was sent last, and our side. */
struct stage {
	struct loop *loop;
	struct vpn_radius *radius;
	struct vpn_accounts *accounts;
	struct log_ctx log;
	struct task task; /* of the call that asks */
	struct vpn_asker *asker;
	struct vpn_usage usage;
	unsigned woken;
	enum vpn_radius_news news; /* of the call's last turn in which there were any */
	struct radius_answer got;
	int fd;
	struct sockaddr_in client;
	uint8_t packet[RADIUS_MAX];
	size_t n;
};

/* The call's turn. */
static void
run_call(void *arg)
{
	struct stage *s = arg;
	enum vpn_radius_news news;
	unsigned number = 0;

	s->woken++;
	news = vpn_radius_run(s->asker, loop_now(s->loop), &s->got, &number);
	if (news == VPN_RADIUS_IDLE)
		return;
	assert_int_equal(number, 7);
	s->news = news;
}

static void
open_stage(struct stage *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	struct memory m = memory_of(SECRET "\n", strlen(SECRET "\n"));
	struct sink sink = { 0 };
	char server[64];

	*s = (struct stage){ .fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0),
		.log.level = LOG_ERR };
	lines[0] = '\0';
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	(void)snprintf(server, sizeof(server), "127.0.0.1:%u", ntohs(a.sin_port));
	s->radius = vpn_radius_new("vpnRadius", server, "secret", "test", &m.files, &sink);
	assert_non_null(s->radius);
	assert_non_null(s->loop = loop_new());
	assert_non_null(s->accounts = vpn_accounts_new(s->loop));
	s->task = (struct task){ .run = run_call, .owner = s };
}

static void
close_stage(struct stage *s)
{
	vpn_radius_asker_free(s->asker);
	vpn_accounts_free(s->accounts);
	vpn_radius_free(s->radius);
	loop_free(s->loop);
	close(s->fd);
}

static void
settle(struct stage *s)
{
	assert_true(fake_loop_settle(s->loop, TURNS));
}

static void
pass(struct stage *s, int64_t ms)
{
	fake_loop_pass(s->loop, ms);
	settle(s);
}

/* ---- the server ---- */

/* Has it been sent something? */
static bool
is_sent(struct stage *s)
{
	socklen_t len = sizeof(s->client);
	ssize_t n =
	    recvfrom(s->fd, s->packet, sizeof(s->packet), 0, (struct sockaddr *)&s->client, &len);

	s->n = n == -1 ? 0 : (size_t)n;
	return n != -1;
}

static const uint8_t *
find(const struct stage *s, uint8_t type)
{
	for (size_t at = 20; at + 2 <= s->n; at += s->packet[at + 1])
		if (s->packet[at] == type)
			return s->packet + at + 2;
	return NULL;
}

static uint32_t
number(const struct stage *s, uint8_t type)
{
	const uint8_t *at = find(s, type);

	assert_non_null(at);
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Sign it, and send it to who asked last. */
static void
reply(struct stage *s, uint8_t *bytes, size_t n, const char *secret)
{
	const struct digest_part parts[] = { { bytes, n }, { secret, strlen(secret) } };
	uint8_t md5[DIGEST_MD5_SIZE];

	bytes[1] = s->packet[1];
	bytes[2] = 0;
	bytes[3] = (uint8_t)n;
	memcpy(bytes + 4, s->packet + 4, 16);
	if (n > 20) {
		assert_true(digest_hmac(DIGEST_MD5, secret, strlen(secret), bytes, n, md5));
		memcpy(bytes + 22, md5, sizeof(md5));
	}
	assert_true(digest_of(DIGEST_MD5, parts, 2, md5));
	memcpy(bytes + 4, md5, sizeof(md5));
	assert_int_equal(
	    sendto(s->fd, bytes, n, 0, (struct sockaddr *)&s->client, sizeof(s->client)), n);
}

static void
confirm(struct stage *s, const char *secret)
{
	uint8_t bytes[20] = { 5 };

	reply(s, bytes, sizeof(bytes), secret);
	settle(s);
}

/* Access-Accept or Access-Reject with nothing but a signature. */
static void
answer(struct stage *s, uint8_t code)
{
	uint8_t bytes[38] = { [0] = code, [20] = 80, [21] = 18 };

	reply(s, bytes, sizeof(bytes), SECRET);
	settle(s);
}

/* ---- questions ---- */

static void
ask(struct stage *s)
{
	static const struct radius_facts facts = { .client = "192.0.2.1", .session = "1" };
	const struct ppp_question question = { .method = PPP_PAP,
		.user = "nemo",
		.number = 7,
		.secret = (const uint8_t *)"arctangent",
		.secret_size = 10 };

	if (s->asker == NULL)
		s->asker = vpn_radius_asker(s->radius, s->loop, &s->task, &s->log, &facts);
	assert_non_null(s->asker);
	assert_true(vpn_radius_ask(s->asker, &question, loop_now(s->loop)));
}

/* To the time at which the call wants to run. */
static void
run_when_due(struct stage *s)
{
	fake_loop_pass(s->loop, vpn_radius_deadline(s->asker) - loop_now(s->loop));
	loop_queue(s->loop, &s->task);
	settle(s);
}

static void
an_answer_wakes_the_call(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	ask(&s);
	assert_true(is_sent(&s));
	answer(&s, 2);
	assert_int_equal(s.news, VPN_RADIUS_ANSWER);
	assert_int_equal(s.got.verdict.answer, PPP_GRANTED);
	assert_int_equal(vpn_radius_deadline(s.asker), INT64_MAX);
	ask(&s);
	assert_true(is_sent(&s));
	answer(&s, 3);
	assert_int_equal(s.got.verdict.answer, PPP_REFUSED);
	close_stage(&s);
}

static void
a_question_is_asked_again_as_it_was(void **state)
{
	uint8_t first[RADIUS_MAX];
	struct stage s;
	int64_t began;

	(void)state;
	open_stage(&s);
	ask(&s);
	began = loop_now(s.loop);
	assert_true(is_sent(&s));
	memcpy(first, s.packet, s.n);
	for (unsigned i = 0; i < 3; i++) {
		run_when_due(&s);
		assert_int_equal(s.news, VPN_RADIUS_IDLE);
		assert_true(is_sent(&s));
		assert_memory_equal(s.packet, first, s.n);
	}
	run_when_due(&s);
	assert_int_equal(s.news, VPN_RADIUS_SILENT);
	assert_false(is_sent(&s));
	assert_int_equal(loop_now(s.loop) - began, 10000);
	close_stage(&s);
}

/* A flood of what is no answer takes a share of a turn, and the answer behind it still comes. */
static void
a_flood_does_not_hold_the_worker(void **state)
{
	uint8_t nonsense[20] = { 2 };
	struct stage s;

	(void)state;
	open_stage(&s);
	ask(&s);
	assert_true(is_sent(&s));
	for (unsigned i = 0; i < 100; i++)
		reply(&s, nonsense, sizeof(nonsense), "another secret");
	answer(&s, 2);
	assert_int_equal(s.news, VPN_RADIUS_ANSWER);
	assert_true(s.woken > 5);
	close_stage(&s);
}

/* ---- accounts ---- */

static void
read_usage(const void *stage, struct vpn_usage *out)
{
	*out = ((const struct stage *)stage)->usage;
}

static struct vpn_account *
begin_account(struct stage *s, uint32_t interim)
{
	struct vpn_account_facts facts = { .radius = { .session = "one" },
		.user = "ne\x1bmo",
		.interim = interim,
		.read = read_usage,
		.owner = s };
	struct vpn_account *a = vpn_account_begin(s->accounts, s->radius, &facts, &s->log);

	assert_non_null(a);
	return a;
}

static void
a_session_is_told_from_beginning_to_end(void **state)
{
	struct vpn_account *a;
	struct stage s;

	(void)state;
	open_stage(&s);
	a = begin_account(&s, 100);
	assert_true(is_sent(&s));
	assert_int_equal(number(&s, 40), START);
	confirm(&s, SECRET);
	pass(&s, 99 * 1000);
	assert_false(is_sent(&s));
	s.usage.in_bytes = 5;
	pass(&s, 1000);
	assert_true(is_sent(&s));
	assert_int_equal(number(&s, 40), INTERIM);
	assert_int_equal(number(&s, 42), 5);
	assert_int_equal(number(&s, 46), 100);
	confirm(&s, SECRET);
	s.usage.in_bytes = 6;
	vpn_account_end(a, RADIUS_IDLE);
	s.usage.in_bytes = 7; /* it is not looked at any more */
	assert_true(is_sent(&s));
	assert_int_equal(number(&s, 40), STOP);
	assert_int_equal(number(&s, 42), 6);
	assert_int_equal(number(&s, 49), RADIUS_IDLE);
	confirm(&s, SECRET);
	pass(&s, 3600 * 1000);
	assert_false(is_sent(&s));
	close_stage(&s);
}

/* RFC 2869 5.16. */
static void
interim_updates_are_a_minute_apart_at_least(void **state)
{
	struct vpn_account *a;
	struct stage s;

	(void)state;
	open_stage(&s);
	a = begin_account(&s, 1);
	assert_true(is_sent(&s));
	confirm(&s, SECRET);
	pass(&s, 59 * 1000);
	assert_false(is_sent(&s));
	pass(&s, 1000);
	assert_true(is_sent(&s));
	vpn_account_end(a, RADIUS_USER_REQUEST);
	close_stage(&s);
}

/* Ever more rarely, each time with another number and another delay; and one day no more. */
static void
what_is_not_confirmed_is_told_again(void **state)
{
	static const unsigned waits[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	unsigned told = 0, delay = 0;
	struct vpn_account *a;
	uint8_t id, session_time[4];
	struct stage s;

	(void)state;
	open_stage(&s);
	a = begin_account(&s, 0);
	assert_true(is_sent(&s));
	confirm(&s, SECRET);
	vpn_account_end(a, RADIUS_USER_REQUEST);
	assert_true(is_sent(&s));
	memcpy(session_time, find(&s, 46), 4);
	for (unsigned i = 0; i < COUNT_OF(waits); i++) {
		id = s.packet[1];
		pass(&s, waits[i] * 1000 - 100);
		assert_false(is_sent(&s));
		pass(&s, 120); /* a timer may be late by a tick */
		assert_true(is_sent(&s));
		delay += waits[i];
		assert_int_equal(number(&s, 41), delay);
		assert_memory_equal(find(&s, 46), session_time, 4);
		assert_int_not_equal(s.packet[1], id);
		confirm(&s, "another secret");
	}
	while (pass(&s, 60 * 1000), is_sent(&s)) {
		assert_true(number(&s, 41) <= 600);
		told++;
	}
	assert_in_range(told, 1, 10);
	pass(&s, 60 * 1000);
	assert_int_equal(
	    said("RADIUS: nobody has confirmed the Stop of \"ne\\x1bmo\"; check vpnAccounting "
		 "(127.0.0.1:"),
	    1);
	assert_non_null(strstr(
	    lines, ") and vpnRadiusSecretFile: a server that has another secret says nothing\n"));
	close_stage(&s);
}

/* It is said that they do not, once an hour; and what is late or another one's is no news. */
static void
answers_that_do_not_verify_are_told_of(void **state)
{
	static const char words[] = "RADIUS: an answer of 127.0.0.1:";
	struct vpn_account *a;
	struct stage s;
	uint8_t id;

	(void)state;
	open_stage(&s);
	a = begin_account(&s, 3600);
	assert_true(is_sent(&s));
	id = s.packet[1];
	pass(&s, 1100);
	assert_true(is_sent(&s));
	s.packet[1] = id; /* to the transmission before */
	confirm(&s, "another secret");
	assert_int_equal(said(words), 0);
	s.packet[1] = (uint8_t)(id + 1);
	confirm(&s, "another secret");
	assert_int_equal(said(words), 1);
	for (unsigned i = 0; i < 10; i++)
		confirm(&s, "another secret");
	assert_int_equal(said(words), 1);
	confirm(&s, SECRET);
	pass(&s, 3600 * 1000);
	assert_true(is_sent(&s)); /* Interim-Update */
	confirm(&s, "another secret");
	assert_int_equal(said(words), 2);
	vpn_account_end(a, RADIUS_USER_REQUEST);
	close_stage(&s);
}

/* The end says all that the beginning would have. */
static void
an_end_takes_the_place_of_what_was_lost(void **state)
{
	struct vpn_account *a;
	struct stage s;

	(void)state;
	open_stage(&s);
	a = begin_account(&s, 0);
	assert_true(is_sent(&s));
	pass(&s, 500);
	vpn_account_end(a, RADIUS_LOST_CARRIER);
	assert_true(is_sent(&s));
	assert_int_equal(number(&s, 40), STOP);
	confirm(&s, SECRET);
	pass(&s, 60 * 1000);
	assert_false(is_sent(&s));
	close_stage(&s);
}

static void
a_server_that_is_not_there_holds_nobody(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	close(s.fd);
	for (unsigned i = 0; i < 100; i++)
		vpn_account_end(begin_account(&s, 60), RADIUS_USER_REQUEST);
	pass(&s, 100 * 1000);
	s.fd = -1;
	close_stage(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_wakes_the_call),
		cmocka_unit_test(a_question_is_asked_again_as_it_was),
		cmocka_unit_test(a_flood_does_not_hold_the_worker),
		cmocka_unit_test(a_session_is_told_from_beginning_to_end),
		cmocka_unit_test(interim_updates_are_a_minute_apart_at_least),
		cmocka_unit_test(what_is_not_confirmed_is_told_again),
		cmocka_unit_test(answers_that_do_not_verify_are_told_of),
		cmocka_unit_test(an_end_takes_the_place_of_what_was_lost),
		cmocka_unit_test(a_server_that_is_not_there_holds_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
