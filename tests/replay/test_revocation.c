/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/replay/test_revocation.c -- a handshake that waits for an OCSP responder: in any order of
 * events no byte goes by it, and every session ends.
 *
 * The rig's backend is the responder, too: the first to connect to it brings the question.  Nobody
 * has the key of the rig's CA, so no answer is conclusive, and OCSPrequire = no lets the client in.
 */
#include "rig.h"

#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEEDS = 40, TURNS = 20000, OCSP_MS = 5000 };

static const char conf[] = "[guarded]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:%u\n"
			   "cert = @/server.pem\nCAfile = @/ca.pem\nverifyChain = yes\n"
			   "OCSP = http://127.0.0.1:%u/\nOCSPrequire = no\nTIMEOUTocsp = 5\n";

static const char reply[] = "HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n"
			    "Content-Length: 5\r\n\r\n\x30\x03\x0a\x01\x06";

static struct peer
certified_client(struct rig *r, int version)
{
	struct peer p = rig_client(r, true);

	assert_int_equal(SSL_set_max_proto_version(p.ssl, version), 1);
	return p;
}

static int
accepted(struct rig *r)
{
	return accept4(r->backend, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Shake hands and send a word as soon as that can be done; returns whether it was sent. */
static bool
push(struct peer *client, bool sent)
{
	if (sent || client->fd == -1)
		return sent;
	return peer_write(client, "ping", 4) == 4; /* does the handshake as well */
}

/* Turn until the question has come. */
static struct peer
take_question(struct rig *r, struct peer *client, bool *sent)
{
	struct peer p = { .fd = -1 };

	for (unsigned i = 0; i < TURNS && p.fd == -1; i++) {
		*sent = push(client, *sent);
		(void)fake_loop_turn(rig_loop(r));
		p.fd = accepted(r);
	}
	assert_true(p.fd != -1);
	return p;
}

/* Give the answer in pieces of any size. */
static void
answer(struct rig *r, struct peer *responder, struct peer *client, bool *sent)
{
	struct loop *l = rig_loop(r);
	size_t at = 0, size = sizeof(reply) - 1;

	while (at < size) {
		size_t n = 1 + fake_loop_random(l, 40);
		long wrote = peer_write(responder, reply + at, n < size - at ? n : size - at);

		at += wrote > 0 ? (size_t)wrote : 0;
		assert_int_equal(accepted(r), -1); /* nobody has reached the backend yet */
		*sent = push(client, *sent);
		(void)fake_loop_turn(l);
	}
}

static void
read_ping(struct rig *r, struct peer *client, struct peer *backend, bool sent)
{
	char bytes[16];
	long got = -1;

	for (unsigned i = 0; i < TURNS && got == -1; i++) {
		sent = push(client, sent);
		(void)fake_loop_turn(rig_loop(r));
		got = peer_read(backend, bytes, sizeof(bytes));
	}
	assert_int_equal(got, 4);
	assert_memory_equal(bytes, "ping", 4);
}

enum story { ANSWERED, SILENT, CLIENT_LEAVES, RESPONDER_LEAVES, STORIES };

static void
one_story(struct rig *r, unsigned seed, int version, enum story story)
{
	struct loop *l = rig_loop(r);
	struct chaos chaos = { .seed = seed, .early = 20, .late = 30 };
	struct peer client, responder, backend = { .fd = -1 };
	bool sent = false;

	fake_loop_chaos(l, &chaos);
	client = certified_client(r, version);
	responder = take_question(r, &client, &sent);
	if (story == CLIENT_LEAVES)
		peer_close(&client);
	if (story == ANSWERED || story == CLIENT_LEAVES)
		answer(r, &responder, &client, &sent);
	if (story == SILENT)
		fake_loop_pass(l, OCSP_MS + 100);
	if (story != SILENT)
		peer_close(&responder);
	if (story != CLIENT_LEAVES) {
		backend = rig_backend(r);
		read_ping(r, &client, &backend, sent);
	}
	peer_close(&client);
	peer_close(&backend);
	peer_close(&responder);
	for (unsigned i = 0; i < TURNS && atomic_load(&r->worker->load) > 0; i++) {
		(void)fake_loop_turn(l);
		close(accepted(r));
	}
	assert_int_equal(atomic_load(&r->worker->load), 0);
	assert_true(fake_loop_settle(l, 100));
}

static void
every_story(struct rig *r, int version)
{
	r->certified = true;
	for (unsigned story = 0; story < STORIES; story++)
		for (unsigned seed = 1; seed <= SEEDS; seed++)
			one_story(r, seed, version, (enum story)story);
}

static void
test_tls13(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, conf);
	every_story(&r, TLS1_3_VERSION);
	rig_close(&r);
}

static void
test_tls12(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, conf);
	every_story(&r, TLS1_2_VERSION);
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls13),
		cmocka_unit_test(test_tls12),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
