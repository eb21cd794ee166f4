/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/replay/test_front.c -- whatever the order of events and however the first bytes are cut,
 * the client gets to the service that these are for, and none of them is lost or said twice.
 */
#include "rig.h"

#include <string.h>
#include <unistd.h>

enum { SEEDS = 150, STEPS_MAX = 20000 };

#define HEADER_V1 "PROXY TCP4 192.0.2.7 198.51.100.1 1234 443\r\n"
#define HEADER_V2 \
	"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x12\xc0\0\2\7\xc6\x33\x64\1\1\2\1\xbb\2\0\3" \
	"a.b"

static const char conf[] =
    "[port]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:1\ncert = @/server.pem\n"
    "proxyProtocolFrom = 0.0.0.0\nsniUnmatched = reject\n"
    "[other]\ndetect = port:ssh,http,other,timeout\nconnect = 127.0.0.1:%u\n"
    "allowFrom = 192.0.2.0/24\nmaxConnections = 1\n"
    "[passed]\nsni = port:a.test\npassthrough = yes\nconnect = 127.0.0.1:%u\n";

/* What a client says after its header, and what of it reaches the target. */
struct story {
	const char *service;
	const void *bytes;
	size_t n;
};

/* The first flight of a TLS client that asks for a.test, offering much. */
static size_t
make_hello(uint8_t *out, size_t size)
{
	static uint8_t names[20000];
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *wire = BIO_new(BIO_s_mem());
	int n;

	for (size_t i = 0; i < sizeof(names); i += 250)
		names[i] = 249;
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), wire);
	SSL_set_connect_state(ssl);
	assert_int_equal(SSL_set_tlsext_host_name(ssl, "a.test"), 1);
	assert_int_equal(SSL_set_alpn_protos(ssl, names, sizeof(names)), 0);
	assert_int_equal(SSL_do_handshake(ssl), -1);
	n = BIO_read(wire, out, (int)size);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	assert_true(n > 20000);
	return (size_t)n;
}

/* Some more of what is to be said, in pieces as small as they come. */
static void
say_some(struct loop *l, struct peer *p, const uint8_t *bytes, size_t n, size_t *said)
{
	size_t most = fake_loop_random(l, 3) == 0 ? n : 1 + fake_loop_random(l, 40);
	long taken;

	if (*said == n)
		return;
	taken = peer_write(p, bytes + *said, n - *said < most ? n - *said : most);
	assert_int_not_equal(taken, -2);
	if (taken > 0)
		*said += (size_t)taken;
}

static void
take_in(struct rig *r, struct peer *backend)
{
	if (backend->fd == -1)
		backend->fd = accept4(r->backend, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void
tell(struct rig *r, const struct story *story, unsigned seed)
{
	static uint8_t all[65536], got[65536];
	struct loop *l = rig_loop(r);
	struct chaos chaos = { .seed = seed, .early = 20, .late = 30 };
	struct peer client = rig_client(r, false), backend = { .fd = -1 };
	bool v2 = seed % 2 == 0;
	size_t header = v2 ? sizeof(HEADER_V2) - 1 : sizeof(HEADER_V1) - 1;
	size_t n = header + story->n, said = 0, heard = 0;

	fake_loop_chaos(l, &chaos);
	memcpy(all, v2 ? HEADER_V2 : HEADER_V1, header);
	memcpy(all + header, story->bytes, story->n);
	for (unsigned i = 0; i < STEPS_MAX && heard < story->n; i++) {
		if (fake_loop_random(l, 2) == 0)
			say_some(l, &client, all, n, &said);
		(void)fake_loop_turn(l);
		take_in(r, &backend);
		if (backend.fd != -1) {
			long some = peer_read(&backend, got + heard, sizeof(got) - heard);

			heard += some > 0 ? (size_t)some : 0;
		}
	}
	if (heard != story->n || memcmp(got, story->bytes, heard) != 0)
		fail_msg(
		    "%s, seed %u: %zu of %zu bytes came", story->service, seed, heard, story->n);
	assert_non_null(r->worker->standing);
	peer_end(&client);
	peer_end(&backend);
	assert_true(fake_loop_settle(l, 1000));
	peer_close(&client);
	peer_close(&backend);
	assert_true(fake_loop_settle(l, 1000));
	assert_null(r->worker->standing);
	assert_null(r->worker->pending);
}

static void
first_bytes_in_any_order(void **state)
{
	static uint8_t hello[65536];
	struct story stories[] = {
		{ "ssh", "SSH-2.0-test\r\nand more", 22 },
		{ "http", "GET / HTTP/1.1\r\n\r\n", 18 },
		{ "other", "\0\1\2", 3 },
		{ "other, like ssh", "SSH ", 4 },
		{ "passed", hello, 0 },
	};
	struct rig r;

	(void)state;
	stories[4].n = make_hello(hello, sizeof(hello));
	rig_open(&r, conf);
	for (unsigned seed = 1; seed <= SEEDS; seed++)
		tell(&r, &stories[seed % COUNT_OF(stories)], seed);
	assert_int_equal(rig_ended(&r, R_DONE), SEEDS);
	rig_close(&r);
}

/* Nothing is said: the server's turn comes when the time is over, and not before. */
static void
a_silent_client_is_waited_for(void **state)
{
	struct peer client, backend = { .fd = -1 };
	struct rig r;
	char byte;

	(void)state;
	rig_open(&r, conf);
	client = rig_client(&r, false);
	assert_int_equal(
	    peer_write(&client, HEADER_V1, sizeof(HEADER_V1) - 1), sizeof(HEADER_V1) - 1);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	fake_loop_pass(rig_loop(&r), 1900);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	take_in(&r, &backend);
	assert_int_equal(backend.fd, -1);
	fake_loop_pass(rig_loop(&r), 200);
	backend = rig_backend(&r);
	assert_int_equal(peer_write(&backend, "2", 1), 1);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	assert_int_equal(peer_read(&client, &byte, 1), 1);
	peer_close(&client);
	peer_close(&backend);
	assert_true(fake_loop_settle(rig_loop(&r), 100));
	rig_close(&r);
}

/* Whoever leaves in the middle of its first bytes leaves nothing behind. */
static void
clients_leave_at_any_byte(void **state)
{
	static const char text[] = HEADER_V1 "SSH-";
	struct rig r;

	(void)state;
	rig_open(&r, conf);
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		for (unsigned reset = 0; reset < 2; reset++) {
			struct peer client = rig_client(&r, false);

			if (n > 0)
				assert_int_equal(peer_write(&client, text, n), n);
			(void)fake_loop_turn(rig_loop(&r));
			if (reset)
				peer_close(&client);
			else
				peer_end(&client);
			for (unsigned i = 0; i < 200 && r.worker->pending != NULL; i++)
				(void)fake_loop_turn(rig_loop(&r));
			assert_null(r.worker->pending);
			peer_close(&client);
			while (r.worker->standing != NULL) {
				struct peer backend = rig_backend(&r);

				peer_close(&backend);
				assert_true(fake_loop_settle(rig_loop(&r), 100));
			}
		}
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_bytes_in_any_order),
		cmocka_unit_test(a_silent_client_is_waited_for),
		cmocka_unit_test(clients_leave_at_any_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
