/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_sstp.c -- any bytes behind the HTTP exchange, for a server and for a client.
 *
 * The first byte chooses the side and how far the call has come; what follows is the stream, whole
 * and in two pieces.  Every call ends, and nothing of the network passes before the binding.
 */
#include "proto/sstp.h"
#include "tunnel/vpn_ip.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { HOUR = 3600 * 1000 };

struct call {
	struct sstp sstp;
	bool client, key, over, stood;
	unsigned begun;
};

static void
on_send(void *owner, const uint8_t *packet, size_t n)
{
	struct sstp_packet p;

	/* What we say is whole, and there is nothing behind it. */
	(void)owner;
	MUST(sstp_packet_cut(packet, n, &p) == SSTP_WHOLE && p.control && p.length == n);
}

static void
on_begin(void *owner)
{
	static const uint8_t key[SSTP_HLAK];
	struct call *c = owner;

	MUST(c->begun++ == 0);
	if (c->key)
		sstp_authenticated(&c->sstp, key, 1);
}

static void
on_frame(void *owner, uint8_t *frame, size_t n)
{
	struct call *c = owner;

	MUST(n <= SSTP_FRAME_MAX);
	MUST(c->stood || ppp_is_control(frame, n));
	if (n > PPP_HEADER)
		vpn_ip_clamp(frame + PPP_HEADER, n - PPP_HEADER, 1400);
}

static void
on_connected(void *owner)
{
	struct call *c = owner;

	/* Nobody guesses a MAC over our nonce. */
	MUST(c->client && c->key);
	c->stood = true;
}

static void
on_ending(void *owner, enum sstp_end end)
{
	(void)owner;
	MUST(end != SSTP_END_NONE);
}

static void
on_over(void *owner)
{
	struct call *c = owner;

	MUST(!c->over);
	c->over = true;
}

static const struct sstp_events events = { on_send, on_begin, on_frame, on_connected, on_ending,
	on_over };

/* In two pieces, cut at `cut`. */
static void
play(bool client, bool key, const uint8_t *data, size_t n, size_t cut)
{
	const struct sstp_conf conf = { .server = !client };
	const struct sstp_cert cert = { .sha1 = { 0 } };
	struct log_ctx log = { .level = -1 };
	struct call c = { .client = client, .key = key };
	uint8_t *bytes = malloc(n + 1); /* of its exact size: what is read behind it is seen */
	size_t done;

	MUST(bytes != NULL);
	memcpy(bytes, data, n);
	sstp_init(&c.sstp, &conf, &events, &c, &log, &cert);
	sstp_begin(&c.sstp, 0);
	done = sstp_receive(&c.sstp, bytes, cut, 1);
	MUST(done <= cut);
	done += sstp_receive(&c.sstp, bytes + done, n - done, 2);
	MUST(done <= n && (c.over || n - done < SSTP_PACKET_MAX));
	for (unsigned i = 0; !c.over; i++) { /* silence ends it */
		MUST(i < 10 && sstp_deadline(&c.sstp) < HOUR);
		sstp_tick(&c.sstp, sstp_deadline(&c.sstp));
	}
	free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0)
		return 0;
	play((data[0] & 1) != 0, (data[0] & 2) != 0, data + 1, n - 1, n - 1);
	play((data[0] & 1) != 0, (data[0] & 2) != 0, data + 1, n - 1, (n - 1) / 2);
	return 0;
}
