/* SPDX-License-Identifier: Apache-2.0 */
/* One call of SSTP: both sides against each other, every message in every state, and all timers. */
#include "proto/sstp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A side and what it has said and told. */
struct side {
	struct sstp sstp;
	struct log_ctx log;
	uint8_t out[4096];
	size_t out_size;
	unsigned begun, frames, connected, over;
	enum sstp_end end;
};

static void
on_send(void *owner, const uint8_t *packet, size_t n)
{
	struct side *s = owner;

	assert_true(s->out_size + n <= sizeof(s->out));
	memcpy(s->out + s->out_size, packet, n);
	s->out_size += n;
}

static void
on_begin(void *owner)
{
	((struct side *)owner)->begun++;
}

static void
on_frame(void *owner, uint8_t *frame, size_t n)
{
	(void)frame;
	(void)n;
	((struct side *)owner)->frames++;
}

static void
on_connected(void *owner)
{
	((struct side *)owner)->connected++;
}

static void
on_ending(void *owner, enum sstp_end end)
{
	((struct side *)owner)->end = end;
}

static void
on_over(void *owner)
{
	((struct side *)owner)->over++;
}

static const struct sstp_events events = { on_send, on_begin, on_frame, on_connected, on_ending,
	on_over };
static const struct sstp_conf server_conf = { .server = true }, client_conf = { .server = false };
static const uint8_t key[SSTP_HLAK] = { 1, 2, 3 };

static void
start(struct side *s, const struct sstp_conf *conf, const char *cert)
{
	struct sstp_cert hashed;

	*s = (struct side){ .log = { .level = -1 } };
	assert_true(sstp_binding_hash_cert(cert, strlen(cert), &hashed));
	sstp_init(&s->sstp, conf, &events, s, &s->log, &hashed);
	sstp_begin(&s->sstp, 0);
}

/* What one side has said arrives at the other, in pieces of `piece` bytes. */
static void
carry(struct side *from, struct side *to, size_t piece, int64_t now)
{
	uint8_t bytes[4096];
	size_t n = from->out_size, have = 0, taken = 0;

	memcpy(bytes, from->out, n);
	from->out_size = 0;
	while (have < n) {
		have = have + piece < n ? have + piece : n;
		taken += sstp_receive(&to->sstp, bytes + taken, have - taken, now);
	}
	assert_int_equal(taken, n);
}

static unsigned
last_type(const struct side *s)
{
	struct sstp_packet p;
	unsigned type = 0;

	for (size_t at = 0; at < s->out_size; at += p.length) {
		assert_int_equal(sstp_packet_cut(s->out + at, s->out_size - at, &p), SSTP_WHOLE);
		type = (unsigned)(p.body[0] << 8 | p.body[1]);
	}
	return type;
}

static unsigned
last_status(const struct side *s)
{
	return s->out[s->out_size - 1];
}

static void
connect_both(struct side *client, struct side *server, size_t piece)
{
	start(server, &server_conf, "cert");
	start(client, &client_conf, "cert");
	carry(client, server, piece, 1);
	assert_int_equal(server->begun, 1);
	carry(server, client, piece, 2);
	assert_int_equal(client->begun, 1);
	sstp_authenticated(&server->sstp, key, 3);
	sstp_authenticated(&client->sstp, key, 3);
	assert_int_equal(client->connected, 1);
	carry(client, server, piece, 4);
	assert_int_equal(server->connected, 1);
}

static void
test_a_call(void **state)
{
	static const size_t pieces[] = { 1, 3, 4, 5, 4096 };
	struct side client, server;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		connect_both(&client, &server, pieces[i]);
		assert_true(sstp_stands(&client.sstp) && sstp_stands(&server.sstp));
		sstp_disconnect(&client.sstp, 5);
		carry(&client, &server, pieces[i], 6);
		assert_int_equal(server.end, SSTP_END_PEER);
		carry(&server, &client, pieces[i], 7);
		assert_int_equal(client.over, 1);
		assert_int_equal(client.end, SSTP_END_OURS);
		sstp_tick(&server.sstp, 6 + 999);
		assert_int_equal(server.over, 0);
		sstp_tick(&server.sstp, 6 + 1000);
		assert_int_equal(server.over, 1);
		assert_int_equal(sstp_deadline(&server.sstp), INT64_MAX);
	}
}

/* Old clients send the proof before the server's verdict is there. */
static void
test_proof_before_the_verdict(void **state)
{
	struct side client, server;

	(void)state;
	start(&server, &server_conf, "cert");
	start(&client, &client_conf, "cert");
	carry(&client, &server, 4096, 1);
	carry(&server, &client, 4096, 1);
	sstp_authenticated(&client.sstp, key, 1);
	carry(&client, &server, 4096, 1);
	assert_int_equal(server.connected, 0);
	sstp_authenticated(&server.sstp, key, 2);
	assert_int_equal(server.connected, 1);
}

/* ---- the binding ---- */

static void
prove_wrongly(const char *cert, uint8_t spoil, struct side *server)
{
	uint8_t other[SSTP_HLAK] = { 1, 2, 3 };
	struct side client;

	start(server, &server_conf, "cert");
	start(&client, &client_conf, cert);
	carry(&client, server, 4096, 1);
	carry(server, &client, 4096, 1);
	other[0] ^= spoil;
	sstp_authenticated(&server->sstp, key, 1);
	sstp_authenticated(&client.sstp, other, 1);
	carry(&client, server, 4096, 1);
}

static void
test_wrong_bindings(void **state)
{
	struct side server;

	(void)state;
	prove_wrongly("cert", 1, &server);
	assert_int_equal(server.connected, 0);
	assert_int_equal(server.end, SSTP_END_BINDING);
	assert_int_equal(last_type(&server), SSTP_CALL_ABORT);
	assert_int_equal(last_status(&server), SSTP_VALUE_NOT_SUPPORTED);
	prove_wrongly("another", 0, &server);
	assert_int_equal(server.connected, 0);
	assert_int_equal(server.end, SSTP_END_BINDING);
	prove_wrongly("cert", 0, &server);
	assert_int_equal(server.connected, 1);
}

static void
test_binding_that_never_comes(void **state)
{
	struct side client, server;
	uint8_t ip[] = { 0x10, 0, 0, 9, 0xff, 3, 0, 0x21, 0x45 };
	uint8_t lcp[] = { 0x10, 0, 0, 9, 0xff, 3, 0xc0, 0x21, 1 };

	(void)state;
	start(&server, &server_conf, "cert");
	start(&client, &client_conf, "cert");
	carry(&client, &server, 4096, 1000);
	sstp_authenticated(&server.sstp, key, 1000);
	/* Control frames pass, packets do not. */
	sstp_receive(&server.sstp, lcp, sizeof(lcp), 1000);
	assert_int_equal(server.frames, 1);
	sstp_receive(&server.sstp, ip, sizeof(ip), 1000);
	assert_int_equal(server.frames, 1);
	assert_int_equal(server.sstp.counts.early, 1);
	sstp_tick(&server.sstp, 60999);
	assert_int_equal(server.end, SSTP_END_NONE);
	sstp_tick(&server.sstp, 61000);
	assert_int_equal(server.end, SSTP_END_UNBOUND);
	assert_int_equal(last_status(&server), SSTP_NEGOTIATION_TIMEOUT);
	assert_int_equal(sstp_deadline(&server.sstp), 64000);
	sstp_tick(&server.sstp, 64000);
	assert_int_equal(server.over, 1);
}

static void
test_second_proof(void **state)
{
	struct side client, server;
	uint8_t again[SSTP_CONNECTED_SIZE];

	(void)state;
	start(&server, &server_conf, "cert");
	start(&client, &client_conf, "cert");
	carry(&client, &server, 4096, 1);
	carry(&server, &client, 4096, 1);
	sstp_authenticated(&server.sstp, key, 1);
	sstp_authenticated(&client.sstp, key, 1);
	assert_int_equal(client.out_size, sizeof(again));
	memcpy(again, client.out, sizeof(again));
	carry(&client, &server, 4096, 1);
	assert_int_equal(server.connected, 1);
	sstp_receive(&server.sstp, again, sizeof(again), 1);
	assert_int_equal(server.end, SSTP_END_MISBEHAVED);
	assert_int_equal(last_status(&server), SSTP_UNACCEPTED_FRAME);
	/* ... and on another connection */
	start(&server, &server_conf, "cert");
	start(&client, &client_conf, "cert");
	carry(&client, &server, 4096, 1);
	sstp_authenticated(&server.sstp, key, 1);
	sstp_receive(&server.sstp, again, sizeof(again), 1);
	assert_int_equal(server.end, SSTP_END_BINDING);
}

/* ---- every message in every state ---- */

static void
put_in_state(struct side *s, enum sstp_state state)
{
	struct side other;

	switch (state) {
	case SSTP_REQUEST_PENDING:
		start(s, &server_conf, "cert");
		break;
	case SSTP_CONNECTED_PENDING:
		start(s, &server_conf, "cert");
		start(&other, &client_conf, "cert");
		carry(&other, s, 4096, 1);
		break;
	case SSTP_REQUEST_SENT:
		start(s, &client_conf, "cert");
		break;
	case SSTP_ACK_RECEIVED:
		start(s, &client_conf, "cert");
		start(&other, &server_conf, "cert");
		carry(s, &other, 4096, 1);
		carry(&other, s, 4096, 1);
		break;
	default:
		connect_both(&other, s, 4096);
		break;
	}
	s->out_size = 0;
	if (state >= SSTP_ABORT_PENDING) {
		uint8_t bytes[SSTP_CONTROL_MAX];
		size_t n = sstp_packet_make_plain(SSTP_CALL_ABORT, bytes);

		if (state == SSTP_DISCONNECT_ACK_PENDING) {
			sstp_disconnect(&s->sstp, 1);
		} else if (state == SSTP_DISCONNECT_TIMEOUT_PENDING) {
			n = sstp_packet_make_plain(SSTP_CALL_DISCONNECT, bytes);
			sstp_receive(&s->sstp, bytes, n, 1);
		} else if (state == SSTP_ABORT_TIMEOUT_PENDING) {
			sstp_receive(&s->sstp, bytes, n, 1);
		} else {
			n = sstp_packet_make_plain(SSTP_CALL_CONNECT_NAK, bytes);
			sstp_receive(&s->sstp, bytes, n, 1);
		}
		s->out_size = 0;
	}
	assert_int_equal(s->sstp.state, state);
}

static void
test_every_message_in_every_state(void **unused)
{
	/* What is answered, and what is silently taken; all else ends the call. */
	static const struct {
		enum sstp_state state;
		enum sstp_type type;
		unsigned answer; /* 0: none */
		enum sstp_state then;
	} expected[] = {
		{ SSTP_REQUEST_PENDING, SSTP_CALL_CONNECT_REQUEST, SSTP_CALL_CONNECT_NAK,
		    SSTP_REQUEST_PENDING }, /* without its attribute */
		{ SSTP_CONNECTED_PENDING, SSTP_ECHO_REQUEST, SSTP_ECHO_RESPONSE,
		    SSTP_CONNECTED_PENDING },
		{ SSTP_CONNECTED_PENDING, SSTP_ECHO_RESPONSE, 0, SSTP_CONNECTED_PENDING },
		{ SSTP_ACK_RECEIVED, SSTP_ECHO_REQUEST, SSTP_ECHO_RESPONSE, SSTP_ACK_RECEIVED },
		{ SSTP_ACK_RECEIVED, SSTP_ECHO_RESPONSE, 0, SSTP_ACK_RECEIVED },
		{ SSTP_CONNECTED, SSTP_ECHO_REQUEST, SSTP_ECHO_RESPONSE, SSTP_CONNECTED },
		{ SSTP_CONNECTED, SSTP_ECHO_RESPONSE, 0, SSTP_CONNECTED },
		{ SSTP_ABORT_PENDING, SSTP_CALL_ABORT, 0, SSTP_ABORT_TIMEOUT_PENDING },
		{ SSTP_DISCONNECT_ACK_PENDING, SSTP_CALL_ABORT, SSTP_CALL_ABORT,
		    SSTP_ABORT_TIMEOUT_PENDING },
		{ SSTP_DISCONNECT_ACK_PENDING, SSTP_CALL_DISCONNECT, SSTP_CALL_DISCONNECT_ACK,
		    SSTP_DISCONNECT_TIMEOUT_PENDING },
		{ SSTP_DISCONNECT_ACK_PENDING, SSTP_CALL_DISCONNECT_ACK, 0, SSTP_OVER },
	};

	(void)unused;
	for (enum sstp_state state = SSTP_REQUEST_PENDING; state < SSTP_OVER; state++)
		for (unsigned type = 0; type <= SSTP_TYPES; type++) {
			uint8_t bytes[SSTP_CONTROL_MAX];
			enum sstp_state then = SSTP_ABORT_PENDING;
			unsigned answer = SSTP_CALL_ABORT;
			struct side s;
			size_t n;

			put_in_state(&s, state);
			if (state >= SSTP_ABORT_PENDING) {
				then = state;
				answer = 0;
			} else if (type == SSTP_CALL_ABORT) {
				then = SSTP_ABORT_TIMEOUT_PENDING;
			} else if (type == SSTP_CALL_DISCONNECT) {
				then = SSTP_DISCONNECT_TIMEOUT_PENDING;
				answer = SSTP_CALL_DISCONNECT_ACK;
			}
			for (size_t i = 0; i < COUNT_OF(expected); i++)
				if (expected[i].state == state && expected[i].type == type) {
					then = expected[i].then;
					answer = expected[i].answer;
				}
			n = sstp_packet_make_plain((enum sstp_type)type, bytes);
			assert_int_equal(sstp_receive(&s.sstp, bytes, n, 2), n);
			assert_int_equal(s.sstp.state, then);
			assert_int_equal(last_type(&s), answer);
		}
}

static void
test_three_naks(void **state)
{
	uint8_t bad[] = { 0x10, 1, 0, 0x0e, 0, 1, 0, 1, 0, 1, 0, 6, 0, 2 };
	struct side s;

	(void)state;
	start(&s, &server_conf, "cert");
	for (unsigned i = 0; i < 3; i++) {
		sstp_receive(&s.sstp, bad, sizeof(bad), 1);
		assert_int_equal(last_type(&s), SSTP_CALL_CONNECT_NAK);
	}
	sstp_receive(&s.sstp, bad, sizeof(bad), 1);
	assert_int_equal(last_type(&s), SSTP_CALL_ABORT);
	assert_int_equal(last_status(&s), SSTP_RETRY_COUNT_EXCEEDED);
}

static void
test_malformed(void **state)
{
	uint8_t lies[] = { 0x10, 1, 0, 0x0e, 0, 1, 0, 2, 0, 1, 0, 6, 0, 1 };
	uint8_t broken[] = { 0x10, 1, 0, 0 };
	struct side s;

	(void)state;
	start(&s, &server_conf, "cert");
	sstp_receive(&s.sstp, lies, sizeof(lies), 1);
	assert_int_equal(last_type(&s), SSTP_CALL_ABORT);
	assert_int_equal(last_status(&s), SSTP_INVALID_FRAME);
	assert_int_equal(s.end, SSTP_END_MISBEHAVED);
	/* no packet at all: nothing is said, and nothing behind it is looked at */
	start(&s, &server_conf, "cert");
	assert_int_equal(sstp_receive(&s.sstp, broken, sizeof(broken), 1), sizeof(broken));
	assert_int_equal(s.out_size, 0);
	assert_int_equal(s.over, 1);
}

static void
test_budget_of_a_stranger(void **state)
{
	static uint8_t data[SSTP_PACKET_MAX];
	struct side s;
	unsigned packets = 0;

	(void)state;
	sstp_packet_data_header(sizeof(data) - SSTP_HEADER, data);
	start(&s, &server_conf, "cert");
	while (s.over == 0 && packets < 100) {
		sstp_receive(&s.sstp, data, sizeof(data), 1);
		packets++;
	}
	assert_int_equal(packets, 65536 / sizeof(data) + 1);
	assert_int_equal(s.end, SSTP_END_MISBEHAVED);
	/* who stands may send all day */
	put_in_state(&s, SSTP_CONNECTED);
	for (packets = 0; packets < 100; packets++)
		sstp_receive(&s.sstp, data, sizeof(data), 1);
	assert_int_equal(s.over, 0);
	assert_int_equal(s.frames, 100);
}

/* ---- time ---- */

static void
test_negotiation_takes_too_long(void **state)
{
	static const enum sstp_state negotiating[] = { SSTP_REQUEST_PENDING, SSTP_CONNECTED_PENDING,
		SSTP_REQUEST_SENT, SSTP_ACK_RECEIVED };
	struct side s;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(negotiating); i++) {
		put_in_state(&s, negotiating[i]);
		sstp_tick(&s.sstp, sstp_deadline(&s.sstp));
		assert_int_equal(last_type(&s), SSTP_CALL_ABORT);
		assert_int_equal(last_status(&s), SSTP_NEGOTIATION_TIMEOUT);
		assert_int_equal(s.end, SSTP_END_SLOW);
	}
}

static void
test_hello(void **state)
{
	uint8_t echo[SSTP_CONTROL_MAX], data[] = { 0x10, 0, 0, 9, 0xff, 3, 0, 0x21, 0x45 };
	size_t n = sstp_packet_make_plain(SSTP_ECHO_REQUEST, echo);
	struct side s;

	(void)state;
	put_in_state(&s, SSTP_CONNECTED);
	/* any packet is life: for a day nothing is asked */
	for (int64_t now = 10; now < 86400000; now += 59000) {
		sstp_tick(&s.sstp, now);
		sstp_receive(
		    &s.sstp, now % 2 == 0 ? data : echo, now % 2 == 0 ? sizeof(data) : n, now);
		assert_int_not_equal(last_type(&s), SSTP_ECHO_REQUEST);
		s.out_size = 0;
	}
	/* then silence: one question, one answer, ... */
	sstp_tick(&s.sstp, 90000000);
	assert_int_equal(last_type(&s), SSTP_ECHO_REQUEST);
	sstp_receive(&s.sstp, data, sizeof(data), 90000001);
	s.out_size = 0;
	sstp_tick(&s.sstp, sstp_deadline(&s.sstp));
	assert_int_equal(last_type(&s), 0);
	sstp_tick(&s.sstp, sstp_deadline(&s.sstp));
	assert_int_equal(last_type(&s), SSTP_ECHO_REQUEST);
	s.out_size = 0;
	/* ... or none, and then it is over without a word */
	sstp_tick(&s.sstp, sstp_deadline(&s.sstp));
	assert_int_equal(s.over, 1);
	assert_int_equal(s.end, SSTP_END_SILENT);
	assert_int_equal(s.out_size, 0);
}

/* 24 hours of two sides that are silent but for their keepalives. */
static void
test_a_day_of_silence(void **state)
{
	struct side client, server;
	int64_t now = 4;
	unsigned echoes = 0;

	(void)state;
	connect_both(&client, &server, 4096);
	while (now < 86400000) {
		int64_t a = sstp_deadline(&client.sstp), b = sstp_deadline(&server.sstp);

		now = a < b ? a : b;
		sstp_tick(&client.sstp, now);
		sstp_tick(&server.sstp, now);
		for (int i = 0; i < 2; i++) {
			carry(&client, &server, 4096, now + 50);
			carry(&server, &client, 4096, now + 50);
		}
		echoes++;
		assert_true(sstp_stands(&client.sstp) && sstp_stands(&server.sstp));
	}
	assert_in_range(echoes, 1000, 4000);
}

static void
test_storm_of_echoes(void **state)
{
	uint8_t echo[SSTP_CONTROL_MAX];
	size_t n = sstp_packet_make_plain(SSTP_ECHO_REQUEST, echo);
	struct side s;

	(void)state;
	put_in_state(&s, SSTP_CONNECTED);
	for (unsigned i = 0; i < 1000; i++)
		sstp_receive(&s.sstp, echo, n, 5000);
	assert_int_equal(s.out_size, 4 * n);
	sstp_receive(&s.sstp, echo, n, 6000);
	assert_int_equal(s.out_size, 5 * n);
}

static void
test_hashes(void **state)
{
	static const struct {
		uint8_t offered, accepted, chosen;
	} known[] = { { 3, 3, 2 }, { 1, 3, 1 }, { 2, 3, 2 }, { 3, 1, 1 }, { 1, 2, 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		const struct sstp_conf offers = { .server = true, .hashes = known[i].offered };
		const struct sstp_conf accepts = { .hashes = known[i].accepted };
		struct side client, server;

		start(&server, &offers, "cert");
		start(&client, &accepts, "cert");
		carry(&client, &server, 4096, 1);
		carry(&server, &client, 4096, 1);
		assert_int_equal(client.sstp.hash, known[i].chosen);
		if (known[i].chosen == 0) {
			assert_int_equal(client.end, SSTP_END_REFUSED);
			continue;
		}
		sstp_authenticated(&server.sstp, key, 1);
		sstp_authenticated(&client.sstp, key, 1);
		carry(&client, &server, 4096, 1);
		assert_int_equal(server.connected, 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_call),
		cmocka_unit_test(test_proof_before_the_verdict),
		cmocka_unit_test(test_wrong_bindings),
		cmocka_unit_test(test_binding_that_never_comes),
		cmocka_unit_test(test_second_proof),
		cmocka_unit_test(test_every_message_in_every_state),
		cmocka_unit_test(test_three_naks),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_budget_of_a_stranger),
		cmocka_unit_test(test_negotiation_takes_too_long),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_a_day_of_silence),
		cmocka_unit_test(test_storm_of_echoes),
		cmocka_unit_test(test_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
