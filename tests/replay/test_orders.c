/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/replay/test_orders.c -- whatever the order of events, every byte arrives once and in order,
 * both ends are passed on, and every session ends.
 *
 * Each seed is another story: who writes when and how much, who reads, who ends first, which task
 * runs first, which event comes late, and which task runs for nothing.
 */
#include "rig.h"
#include "tunnel/life.h"

#include <string.h>
#include <unistd.h>

enum {
	SEEDS = 60,
	STEPS_MAX = 400000,
	CHUNK_MAX = 40000,
};

#define RELAY "[relay]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:%u\nacceptTLS = no\n"
#define SERVER "[server]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:%u\ncert = @/server.pem\n"

/* What one side has sent and received; the bytes are a pattern of their position. */
struct side {
	struct peer peer;
	uint8_t key;
	size_t total, sent, got;
	bool ended, saw_end;
};

/* A rig, and a client that has shaken hands. */
static struct peer
open_server(struct rig *r, const char *conf)
{
	struct peer client;

	rig_open(r, conf);
	client = rig_client(r, true);
	rig_handshake(r, &client);
	return client;
}

static uint8_t
pattern(uint8_t key, size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + key);
}

static void
send_some(struct side *me, size_t n)
{
	static uint8_t bytes[CHUNK_MAX];
	long taken;

	if (n > me->total - me->sent)
		n = me->total - me->sent;
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		bytes[i] = pattern(me->key, me->sent + i);
	taken = peer_write(&me->peer, bytes, n);
	assert_int_not_equal(taken, -2);
	if (taken > 0)
		me->sent += (size_t)taken;
}

static void
read_some(struct side *me, const struct side *other, size_t n)
{
	static uint8_t bytes[CHUNK_MAX];
	long got = peer_read(&me->peer, bytes, n);

	assert_int_not_equal(got, -2);
	if (got == 0) {
		assert_int_equal(me->got, other->total);
		me->saw_end = true;
	}
	for (long i = 0; i < got; i++)
		if (bytes[i] != pattern(other->key, me->got + (size_t)i))
			fail_msg("a wrong byte at %zu", me->got + (size_t)i);
	if (got > 0)
		me->got += (size_t)got;
}

static void
end_maybe(struct side *me)
{
	if (me->ended || me->sent < me->total)
		return;
	peer_end(&me->peer);
	me->ended = true;
}

static void
act(struct loop *l, struct side *me, struct side *other)
{
	switch (fake_loop_random(l, 8)) {
	case 0:
	case 1:
	case 2:
		send_some(me, 1 + fake_loop_random(l, CHUNK_MAX));
		break;
	case 3:
		send_some(me, 1 + fake_loop_random(l, 10));
		break;
	case 4:
	case 5:
		if (!me->saw_end)
			read_some(me, other, 1 + fake_loop_random(l, CHUNK_MAX));
		break;
	default:
		end_maybe(me);
	}
}

static void
one_story(struct rig *r, bool near_tls, unsigned seed)
{
	struct loop *l = rig_loop(r);
	struct chaos chaos = { .seed = seed, .early = 20, .late = 30 };
	struct side client = { .key = 1 }, backend = { .key = 2 };
	unsigned done = rig_ended(r, R_DONE);

	fake_loop_chaos(l, &chaos);
	client.total = fake_loop_random(l, 300000);
	backend.total = fake_loop_random(l, 300000);
	client.peer = rig_client(r, near_tls);
	if (near_tls)
		rig_handshake(r, &client.peer);
	backend.peer = rig_backend(r);
	for (unsigned i = 0; i < STEPS_MAX && !(client.saw_end && backend.saw_end); i++) {
		act(l, &client, &backend);
		act(l, &backend, &client);
		(void)fake_loop_turn(l);
	}
	if (!client.saw_end || !backend.saw_end)
		fail_msg("seed %u is stuck: up %zu of %zu, down %zu of %zu", seed, backend.got,
		    client.total, client.got, backend.total);
	peer_close(&client.peer);
	peer_close(&backend.peer);
	assert_true(fake_loop_settle(l, 100));
	assert_int_equal(rig_ended(r, R_DONE), done + 1);
	assert_int_equal(atomic_load(&r->worker->load), 0);
}

static void
test_plain(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, RELAY);
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		one_story(&r, false, seed);
	rig_close(&r);
}

static void
test_tls(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, SERVER);
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		one_story(&r, true, seed);
	rig_close(&r);
}

/* Application data behind Finished in one segment must not wait for another event. */
static void
test_data_with_finished(void **state)
{
	char bytes[64];
	struct rig r;

	(void)state;
	rig_open(&r, SERVER);
	for (unsigned i = 0; i < 200; i++) {
		struct peer client = rig_client(&r, true), backend;
		int turns = 0;
		long got = -1;

		/* The client's last flight and the data are there before the server looks again. */
		while (SSL_do_handshake(client.ssl) != 1)
			(void)fake_loop_turn(rig_loop(&r));
		assert_int_equal(peer_write(&client, "question", 8), 8);
		backend = rig_backend(&r);
		while (got == -1 && turns++ < 100) {
			(void)fake_loop_turn(rig_loop(&r));
			got = peer_read(&backend, bytes, sizeof(bytes));
		}
		assert_int_equal(got, 8);
		peer_close(&client);
		peer_close(&backend);
		assert_true(fake_loop_settle(rig_loop(&r), 100));
	}
	rig_close(&r);
}

/* Time passes only when the test says so: silence ends a tunnel at its time-out, not before. */
static void
test_idle_timeout(void **state)
{
	struct peer client, backend;
	struct rig r;

	(void)state;
	rig_open(&r, RELAY "TIMEOUTidle = 30\n");
	client = rig_client(&r, false);
	backend = rig_backend(&r);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	for (int i = 0; i < 5; i++) {
		fake_loop_pass(rig_loop(&r), 29000);
		assert_int_equal(peer_write(&client, "x", 1), 1);
		assert_true(fake_loop_settle(rig_loop(&r), 100));
	}
	assert_int_equal(rig_ended(&r, R_IDLE), 0);
	fake_loop_pass(rig_loop(&r), 30100);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	assert_int_equal(rig_ended(&r, R_IDLE), 1);
	peer_close(&client);
	peer_close(&backend);
	rig_close(&r);
}

/* A byte now and then does not put the end of the set-up off. */
static void
test_setup_deadline(void **state)
{
	struct peer client;
	struct rig r;

	(void)state;
	rig_open(&r, SERVER "TIMEOUTbusy = 20\n");
	client = rig_client(&r, false);
	assert_int_equal(
	    peer_write(&client, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 11);
	for (int i = 0; i < 19; i++) {
		fake_loop_pass(rig_loop(&r), 1000);
		assert_int_equal(peer_write(&client, "x", 1), 1);
		assert_true(fake_loop_settle(rig_loop(&r), 100));
	}
	assert_int_equal(rig_ended(&r, R_SETUP_TIMEOUT), 0);
	fake_loop_pass(rig_loop(&r), 1100);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	assert_int_equal(rig_ended(&r, R_SETUP_TIMEOUT), 1);
	peer_close(&client);
	rig_close(&r);
}

/* A reader that never reads: its writer is stopped, and we hold a bounded piece. */
static void
test_back_pressure(void **state)
{
	static uint8_t bytes[CHUNK_MAX];
	struct peer client, backend;
	struct rig r;
	size_t sent = 0;
	long n;

	(void)state;
	client = open_server(&r, SERVER);
	backend = rig_backend(&r);
	for (unsigned i = 0; i < 20000; i++) {
		if ((n = peer_write(&backend, bytes, sizeof(bytes))) > 0)
			sent += (size_t)n;
		(void)fake_loop_turn(rig_loop(&r));
	}
	assert_true(sent < 64u << 20);
	assert_int_equal(peer_write(&backend, bytes, sizeof(bytes)), -1);
	assert_true(pool_held(r.worker->pool) <= BUF_BLOCK);
	peer_close(&client);
	peer_close(&backend);
	assert_true(fake_loop_settle(rig_loop(&r), 1000));
	rig_close(&r);
}

/* Who moves bulk waits for those that do not; who stops doing so is one of them again. */
static void
test_lanes(void **state)
{
	static uint8_t bytes[CHUNK_MAX];
	struct peer client, backend;
	struct session *s;
	struct rig r;

	(void)state;
	client = open_server(&r, SERVER);
	assert_int_equal(r.worker->pending->task.lane, LANE_SETUP);
	backend = rig_backend(&r);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	s = r.worker->standing;
	assert_int_equal(s->task.lane, LANE_RELAY);
	assert_int_equal(peer_write(&backend, bytes, sizeof(bytes)), sizeof(bytes));
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	assert_int_equal(s->task.lane, LANE_BULK);
	assert_int_equal(peer_write(&backend, bytes, 100), 100);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	assert_int_equal(s->task.lane, LANE_RELAY);
	peer_close(&client);
	peer_close(&backend);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	rig_close(&r);
}

/* Ask for new keys, `n` times within one turn, with a byte of data behind every tenth. */
static void
renew_keys(struct rig *r, struct peer *client, unsigned n)
{
	for (unsigned i = 1; i <= n; i++) {
		assert_int_equal(SSL_key_update(client->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(client->ssl), 1);
		if (i % 10 == 0)
			assert_int_equal(peer_write(client, "x", 1), 1);
	}
	assert_true(fake_loop_settle(rig_loop(r), 100));
}

/* New keys now and then are a good custom; all the time they are an attack. */
static void
test_key_updates(void **state)
{
	struct peer client, backend;
	char bytes[64];
	struct rig r;

	(void)state;
	client = open_server(&r, SERVER);
	backend = rig_backend(&r);
	for (unsigned second = 0; second < 5; second++) {
		renew_keys(&r, &client, 90);
		assert_int_equal(peer_read(&backend, bytes, sizeof(bytes)), 9);
		fake_loop_pass(rig_loop(&r), 1000);
	}
	assert_int_equal(rig_ended(&r, R_ABUSE), 0);
	renew_keys(&r, &client, 110);
	assert_int_equal(rig_ended(&r, R_ABUSE), 1);
	peer_close(&client);
	peer_close(&backend);
	rig_close(&r);
}

/* A handshake in mid-stream that its client does not finish: SSL_write() has to wait, and we with
 * it. */
static void
test_half_a_renegotiation(void **state)
{
	struct peer client, backend;
	char bytes[16];
	struct rig r;

	(void)state;
	client = open_server(&r, SERVER "sslVersion = TLSv1.2\noptions = -NO_RENEGOTIATION\n"
					"options = ALLOW_CLIENT_RENEGOTIATION\n");
	backend = rig_backend(&r);
	assert_int_equal(SSL_renegotiate(client.ssl), 1);
	assert_int_equal(SSL_do_handshake(client.ssl), -1); /* the ClientHello is on its way */
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	assert_int_equal(peer_write(&backend, "answer", 6), 6);
	alarm(10);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	alarm(0);
	for (unsigned i = 0; i < 100 && SSL_do_handshake(client.ssl) != 1; i++)
		assert_true(fake_loop_settle(rig_loop(&r), 100));
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	assert_int_equal(peer_read(&client, bytes, sizeof(bytes)), 6);
	peer_close(&client);
	peer_close(&backend);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_data_with_finished),
		cmocka_unit_test(test_idle_timeout),
		cmocka_unit_test(test_setup_deadline),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_lanes),
		cmocka_unit_test(test_key_updates),
		cmocka_unit_test(test_half_a_renegotiation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
