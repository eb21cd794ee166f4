/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_ppp_script.c -- one link, byte by byte: what it says to each thing that is said
 * to it, the bad beside the good.
 *
 * Frames are written in hexadecimal without FF 03; ".." is any byte, "*" at the end any rest.
 */
#include "ppp_kit.h"

#include <ctype.h>
#include <stdlib.h>

/* ---- frames in hexadecimal ---- */

static size_t
unhex(const char *text, uint8_t *out, bool *any)
{
	size_t n = 0;

	for (const char *p = text; *p != '\0' && *p != '*'; p++) {
		if (isspace((unsigned char)*p))
			continue;
		if ((any[n] = *p == '.'))
			out[n++] = 0;
		else {
			char two[3] = { p[0], p[1], '\0' };

			out[n++] = (uint8_t)strtoul(two, NULL, 16);
		}
		p++;
	}
	return n;
}

static void
give(struct wire *k, size_t i, const char *hex)
{
	uint8_t bytes[WIRE_FRAME] = { 0xff, 0x03 };
	bool any[WIRE_FRAME];

	wire_give(&k->end[i], bytes, 2 + unhex(hex, bytes + 2, any));
}

/* The next frame is this; the last one that was looked at is kept. */
static struct wire_frame last;

static void
says_at(struct wire *k, size_t i, const char *hex, int line)
{
	uint8_t want[WIRE_FRAME];
	bool any[WIRE_FRAME];
	size_t n = unhex(hex, want, any);
	char got[3 * 64 + 1] = "";

	if (!wire_take(&k->end[i], &last))
		fail_msg("line %d: nothing is said, not %s", line, hex);
	for (size_t b = 2; b < last.n && b < 66; b++)
		(void)snprintf(got + 3 * (b - 2), 4, "%02x ", last.bytes[b]);
	if (strchr(hex, '*') == NULL && last.n != n + 2)
		fail_msg("line %d: %s\n is not %s", line, got, hex);
	for (size_t b = 0; b < n; b++)
		if (b + 2 >= last.n || (!any[b] && last.bytes[b + 2] != want[b]))
			fail_msg("line %d: %s\n is not %s", line, got, hex);
}

static void
is_silent_at(struct wire *k, size_t i, int line)
{
	if (k->end[i].count != 0) {
		says_at(k, i, "*", line);
		fail_msg("line %d: %02x%02x code %u is said", line, last.bytes[2], last.bytes[3],
		    last.bytes[4]);
	}
}

#define says(k, i, hex) says_at(k, i, hex, __LINE__)
#define is_silent(k, i) is_silent_at(k, i, __LINE__)

enum { SERVER, CLIENT };

/* ---- to where a link stands ---- */

static void
server_starts(struct wire *k, const struct ppp_conf *conf)
{
	wire_open(k, conf, NULL);
	wire_start(k);
	says(k, SERVER, "c021 01 01 *");
}

/* LCP is open; the server asks with its first method. */
static void
server_established(struct wire *k, const struct ppp_conf *conf)
{
	struct wire_frame ack;

	server_starts(k, conf);
	ack = last;
	ack.bytes[4] = 2;
	wire_give(&k->end[SERVER], ack.bytes, ack.n);
	give(k, SERVER, "c021 01 05 0004");
	says(k, SERVER, "c021 02 05 0004");
}

static const struct ppp_conf pap_server_conf = {
	.server = true,
	.methods = { PPP_PAP },
	.method_count = 1,
};

/* ... and the client is let in by PAP; IPCP and IPV6CP have begun. */
static void
server_networking(struct wire *k)
{
	server_established(k, &pap_server_conf);
	give(k, SERVER, "c023 01 09 0010 04 75736572 06 736563726574");
	says(k, SERVER, "c023 02 09 *");
	says(k, SERVER, "8021 01 01 000a 0306 0a420001");
	says(k, SERVER, "8057 01 01 000e 010a *");
	is_silent(k, SERVER);
}

static void
client_starts(struct wire *k, const struct ppp_conf *conf)
{
	wire_open(k, NULL, conf);
	wire_start(k);
	says(k, CLIENT, "c021 01 01 *");
}

/* LCP is open with this value of option 3. */
static void
client_established(
    struct wire *k, const struct ppp_conf *conf, const char *request, const char *ack)
{
	struct wire_frame its;

	client_starts(k, conf);
	its = last;
	its.bytes[4] = 2;
	wire_give(&k->end[CLIENT], its.bytes, its.n);
	give(k, CLIENT, request);
	says(k, CLIENT, ack);
}

/* ---- LCP ---- */

/* A request, and the answer to it; NULL: none. */
struct exchange {
	const char *in, *out;
};

static const struct exchange lcp_at_server[] = {
	/* Nothing is legal (pppd falls back to it). */
	{ "c021 01 07 0004", "c021 02 07 0004" },
	/* Bytes behind the length are padding. */
	{ "c021 01 07 0004 1234", "c021 02 07 0004" },
	/* What pppd says: ACCM, magic, PFC, ACFC. */
	{ "c021 01 01 0014 0206 00000000 0506 2a2b2c2d 0702 0802",
	    "c021 02 01 0014 0206 00000000 0506 2a2b2c2d 0702 0802" },
	/* What Windows says: MRU 4091, magic, PFC, ACFC, and a callback. */
	{ "c021 01 00 0015 0104 0ffb 0506 11223344 0702 0802 0d03 06", "c021 04 00 0007 0d03 06" },
	/* ... with multilink. */
	{ "c021 01 02 000c 1104 064e 1304 0102", "c021 04 02 000c 1104 064e 1304 0102" },
	/* MRU: the smallest, and one less. */
	{ "c021 01 03 0008 0104 0240", "c021 02 03 0008 0104 0240" },
	{ "c021 01 03 0008 0104 023f", "c021 03 03 0008 0104 05dc" },
	{ "c021 01 03 0007 0103 05", "c021 04 03 0007 0103 05" },
	/* Reject goes before Nak. */
	{ "c021 01 04 000c 0104 0001 0d02 0402", "c021 04 04 0008 0d02 0402" },
	/* We do not say who we are. */
	{ "c021 01 05 0008 0304 c023", "c021 04 05 0008 0304 c023" },
	{ "c021 01 05 0009 0305 c22381", "c021 04 05 0009 0305 c22381" },
	/* A magic number of zero, and too short ones. */
	{ "c021 01 06 000a 0506 00000000", "c021 04 06 000a 0506 00000000" },
	{ "c021 01 06 0008 0504 1234", "c021 04 06 0008 0504 1234" },
	{ "c021 01 06 0008 0704 1234", "c021 04 06 0008 0704 1234" },
	/* The same twice. */
	{ "c021 01 06 0008 0702 0702", "c021 04 06 0006 0702" },
	/* Lengths that lie. */
	{ "c021 01 07 0003", NULL },
	{ "c021 01 07 0005", NULL },
	{ "c021 01 07 ffff", NULL },
	{ "c021 01 07 0005 01", NULL },
	{ "c021 01 07 0006 0100", NULL },
	{ "c021 01 07 0006 0101", NULL },
	{ "c021 01 07 0006 0103", NULL },
	{ "c021 01 07 000a 0104 05dc 0500", NULL },
	{ "c021 01 07", NULL },
	{ "c021", NULL },
	{ "c0", NULL },
	/* An answer to nothing. */
	{ "c021 02 63 0004", NULL },
	{ "c021 03 63 0008 0104 05dc", NULL },
	{ "c021 04 63 0008 0104 05dc", NULL },
	/* Codes that nobody has, and those of RFC 1570. */
	{ "c021 0e 44 0006 abcd", "c021 07 .. 000a 0e 44 0006 abcd" },
	{ "c021 00 44 0004", "c021 07 .. 0008 00 44 0004" },
	{ "c021 0c 44 0012 00000000 4d535241 53563520", NULL },
	{ "c021 0c 44 0004", NULL },
	{ "c021 0d 44 000c 00000000 00000001", NULL },
	{ "c021 0b 44 0008 00000000", NULL },
	/* Too early for an echo and for rejecting protocols. */
	{ "c021 09 44 0008 00000000", NULL },
	{ "80fd 01 01 0004", NULL },
	{ "c021 08 44 000a c021 0101 0004", NULL },
	{ "c223 02 01 0004", NULL },
	{ "8021 01 01 0004", NULL },
	{ "0021 4500 0014 00000000 40010000 0a420002 0a420001", NULL },
};

static void
lcp_answers_what_is_asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(lcp_at_server); i++) {
		struct wire k;

		server_starts(&k, &wire_server_conf);
		give(&k, SERVER, lcp_at_server[i].in);
		if (lcp_at_server[i].out != NULL)
			says(&k, SERVER, lcp_at_server[i].out);
		is_silent(&k, SERVER);
		assert_int_equal(k.end[SERVER].downs, 0);
		wire_close(&k);
	}
}

static void
the_first_request_has_what_was_configured(void **state)
{
	static const struct {
		struct ppp_conf conf;
		const char *out;
	} table[] = {
		{ { .server = true, .methods = { PPP_MSCHAPV2, PPP_PAP }, .method_count = 2 },
		    "c021 01 01 0013 0104 05dc 0305 c22381 0506 ........" },
		{ { .server = true, .methods = { PPP_CHAP_MD5 }, .method_count = 1, .mru = 1400 },
		    "c021 01 01 0013 0104 0578 0305 c22305 0506 ........" },
		{ { .server = true, .methods = { PPP_EAP_TLS }, .method_count = 1, .mru = 9000 },
		    "c021 01 01 0012 0104 0ffb 0304 c227 0506 ........" },
		{ { .server = true, .methods = { PPP_PAP }, .method_count = 1, .mru = 100 },
		    "c021 01 01 0012 0104 0240 0304 c023 0506 ........" },
		{ { .server = true }, "c021 01 01 000e 0104 05dc 0506 ........" },
		{ { .methods = { PPP_PAP }, .method_count = 1 },
		    "c021 01 01 000e 0104 05dc 0506 ........" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct wire k;
		bool server = table[i].conf.server;

		wire_open(&k, server ? &table[i].conf : NULL, server ? NULL : &table[i].conf);
		wire_start(&k);
		says(&k, server ? SERVER : CLIENT, table[i].out);
		is_silent(&k, server ? SERVER : CLIENT);
		wire_close(&k);
	}
}

/* Five Naks, and then it is rejected (Max-Failure); a request without it is fine at any time. */
static void
naks_end_in_a_reject(void **state)
{
	struct wire k;

	(void)state;
	server_starts(&k, &wire_server_conf);
	for (unsigned i = 0; i < 5; i++) {
		give(&k, SERVER, "c021 01 01 0008 0104 0001");
		says(&k, SERVER, "c021 03 01 0008 0104 05dc");
	}
	give(&k, SERVER, "c021 01 01 000a 0104 0001 0702");
	says(&k, SERVER, "c021 04 01 0008 0104 0001");
	give(&k, SERVER, "c021 01 02 0006 0702");
	says(&k, SERVER, "c021 02 02 0006 0702");
	wire_close(&k);
}

/* Every answer brings a new request with what the peer wants, until it has been ten. */
static void
the_server_goes_through_its_methods(void **state)
{
	static const struct ppp_conf conf = {
		.server = true,
		.methods = { PPP_EAP_MSCHAPV2, PPP_MSCHAPV2, PPP_CHAP_MD5, PPP_PAP },
		.method_count = 4,
	};
	struct wire k;

	(void)state;
	server_starts(&k, &conf);
	/* The client proposes PAP, which is allowed. */
	give(&k, SERVER, "c021 03 01 0008 0304 c023");
	says(&k, SERVER, "c021 01 02 0012 0104 05dc 0304 c023 0506 ........");
	/* ... and then MS-CHAP of old, which is not: the next of ours. */
	give(&k, SERVER, "c021 03 02 0009 0305 c22380");
	says(&k, SERVER, "c021 01 03 0013 0104 05dc 0305 c22381 0506 ........");
	/* ... and EAP, which it did not want. */
	give(&k, SERVER, "c021 03 03 0008 0304 c227");
	says(&k, SERVER, "c021 01 04 0013 0104 05dc 0305 c22305 0506 ........");
	/* Nothing is left. */
	give(&k, SERVER, "c021 03 04 0008 0304 c023");
	says(&k, SERVER, "c021 05 .. *");
	give(&k, SERVER, "c021 06 05 0004");
	assert_int_equal(k.end[SERVER].why, PPP_END_NO_METHOD);
	wire_close(&k);
}

static void
who_will_not_log_in_may_not_come_in(void **state)
{
	struct wire k;

	(void)state;
	server_starts(&k, &wire_server_conf);
	give(&k, SERVER, "c021 04 01 0009 0305 c22381");
	says(&k, SERVER, "c021 05 .. *");
	wire_pass(&k, 2000);
	assert_int_equal(k.end[SERVER].why, PPP_END_NO_METHOD);
	assert_int_equal(k.end[SERVER].logins, 0);
	wire_close(&k);
}

/* MRU and magic may be refused, or be other ones. */
static void
our_options_follow_the_answers(void **state)
{
	struct wire k;
	char reject[64], magic[9];

	(void)state;
	server_starts(&k, &wire_server_conf);
	(void)snprintf(magic, sizeof(magic), "%02x%02x%02x%02x", last.bytes[19], last.bytes[20],
	    last.bytes[21], last.bytes[22]);
	(void)snprintf(reject, sizeof(reject), "c021 04 01 000e 0104 05dc 0506 %s", magic);
	give(&k, SERVER, reject);
	says(&k, SERVER, "c021 01 02 0009 0305 c22381");
	wire_close(&k);

	server_starts(&k, &wire_server_conf);
	give(&k, SERVER, "c021 03 01 0008 0104 0578");
	says(&k, SERVER, "c021 01 02 0013 0104 0578 0305 c22381 0506 ........");
	/* Too small, too large, too short: as it was. */
	give(&k, SERVER, "c021 03 02 0008 0104 0001");
	says(&k, SERVER, "c021 01 03 0013 0104 0578 *");
	give(&k, SERVER, "c021 03 03 0008 0104 2000");
	says(&k, SERVER, "c021 01 04 0013 0104 0578 *");
	give(&k, SERVER, "c021 03 04 0007 0103 02");
	says(&k, SERVER, "c021 01 05 0013 0104 0578 *");
	/* Not what we asked for: dropped. */
	give(&k, SERVER, "c021 04 05 0008 0104 05dc");
	give(&k, SERVER, "c021 04 05 0006 0702");
	give(&k, SERVER, "c021 02 05 0004");
	give(&k, SERVER, "c021 02 04 0013 0104 0578 0305 c22381 0506 00000000");
	is_silent(&k, SERVER);
	wire_close(&k);
}

static void
naks_without_end_are_an_end(void **state)
{
	struct wire k;

	(void)state;
	server_starts(&k, &wire_server_conf);
	for (unsigned i = 1; i < 10; i++) {
		char hex[64];

		(void)snprintf(hex, sizeof(hex), "c021 03 %02x 0008 0104 05%02x", i, 0x40 + i);
		give(&k, SERVER, hex);
		(void)snprintf(hex, sizeof(hex), "c021 01 %02x *", i + 1);
		says(&k, SERVER, hex);
	}
	give(&k, SERVER, "c021 03 0a 0008 0104 0500");
	is_silent(&k, SERVER);
	assert_int_equal(ppp_deadline(k.end[SERVER].ppp), k.now);
	wire_pass(&k, 0);
	assert_int_equal(k.end[SERVER].downs, 1);
	wire_close(&k);
}

static void
silence_is_asked_ten_times(void **state)
{
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, NULL);
	wire_start(&k);
	assert_int_equal(ppp_deadline(k.end[SERVER].ppp), k.now + 3000);
	wire_pass(&k, 29999);
	assert_int_equal(k.end[SERVER].sent, 10);
	assert_int_equal(k.end[SERVER].downs, 0);
	wire_pass(&k, 3000);
	assert_int_equal(k.end[SERVER].downs, 1);
	assert_int_equal(k.end[SERVER].why, PPP_END_NO_ANSWER);
	wire_close(&k);
}

/* ---- LCP: loops ---- */

static void
own_frames_are_not_answered(void **state)
{
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, NULL);
	wire_start(&k);
	while (k.end[SERVER].downs == 0) {
		struct wire_frame f;

		while (wire_take(&k.end[SERVER], &f))
			wire_give(&k.end[SERVER], f.bytes, f.n);
		wire_next(&k, INT64_MAX - 1);
	}
	assert_int_equal(k.end[SERVER].why, PPP_END_LOOP);
	/* Ten requests; Terminate-Request, and the answer to it. */
	assert_int_equal(k.end[SERVER].sent, 12);
	assert_int_equal(k.end[SERVER].asked, 0);
	assert_true(ppp_counts(k.end[SERVER].ppp)->looped >= 9);
	wire_close(&k);
}

/* A terminal echoes at first: behind that the client's request brings ours at once. */
static void
behind_an_echo_the_request_is_repeated(void **state)
{
	struct wire k;
	struct wire_frame f;

	(void)state;
	server_starts(&k, &wire_server_conf);
	wire_give(&k.end[SERVER], last.bytes, last.n);
	wire_give(&k.end[SERVER], last.bytes, last.n);
	is_silent(&k, SERVER);
	give(&k, SERVER, "c021 01 01 000a 0506 2a2b2c2d");
	says(&k, SERVER, "c021 02 01 000a 0506 2a2b2c2d");
	says(&k, SERVER, "c021 01 02 *");
	is_silent(&k, SERVER);
	f = last;
	f.bytes[4] = 2;
	wire_give(&k.end[SERVER], f.bytes, f.n);
	says(&k, SERVER, "c223 01 *");
	/* Our own challenge is no response. */
	wire_give(&k.end[SERVER], last.bytes, last.n);
	is_silent(&k, SERVER);
	assert_int_equal(k.end[SERVER].asked, 0);
	wire_close(&k);
}

/* ---- LCP: when it is open ---- */

static const struct exchange lcp_when_open[] = {
	{ "c021 09 11 000c 2a2b2c2d 61626364", "c021 0a 11 000c ........ 61626364" },
	{ "c021 09 12 0008 00000000", "c021 0a 12 0008 ........" },
	{ "c021 09 12 0007 000000", NULL },
	{ "c021 0a 12 0008 00000000", NULL },
	{ "80fd 01 01 000a 1206 01000060", "c021 08 .. 0010 80fd 01 01 000a 1206 01000060" },
	{ "8053 01 01 0004", "c021 08 .. 000a 8053 01 01 0004" },
	{ "c029 01 01 0004", "c021 08 .. 000a c029 01 01 0004" },
	{ "fd 1234", "c021 08 .. 0008 00fd 1234" },
	{ "3d 1234", "c021 08 .. 0008 003d 1234" },
	{ "8281 01 01 0004", "c021 08 .. 000a 8281 01 01 0004" },
	/* An even number is no protocol. */
	{ "8020 01 01 0004", NULL },
	/* CHAP was not agreed on. */
	{ "c223 02 01 0004", NULL },
	{ "c227 02 01 0005 01", NULL },
	{ "c021 07 55 0004", NULL },
	{ "c021 07 55 000c 0901 0008 00000000", NULL },
	{ "c021 08 55 0005 80", NULL },
	{ "c021 08 55 0006 80fd", NULL },
};

static void
lcp_answers_when_it_is_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(lcp_when_open); i++) {
		struct wire k;

		server_networking(&k);
		give(&k, SERVER, lcp_when_open[i].in);
		if (lcp_when_open[i].out != NULL)
			says(&k, SERVER, lcp_when_open[i].out);
		is_silent(&k, SERVER);
		assert_int_equal(k.end[SERVER].downs, 0);
		wire_close(&k);
	}
}

/* However fast they come, not all are answered; a second later there is room again. */
static void
floods_are_not_answered(void **state)
{
	struct wire k;

	(void)state;
	server_networking(&k);
	for (unsigned i = 0; i < 100; i++) {
		give(&k, SERVER, "c021 09 11 0008 2a2b2c2d");
		give(&k, SERVER, "80fd 01 01 0004");
		give(&k, SERVER, "c021 77 01 0004");
	}
	assert_int_equal(k.end[SERVER].count, 20);
	k.now += 1000;
	give(&k, SERVER, "c021 09 11 0008 2a2b2c2d");
	assert_int_equal(k.end[SERVER].count, 21);
	wire_close(&k);
}

static void
our_own_echo_is_a_loop(void **state)
{
	struct wire k;
	char hex[64];

	(void)state;
	server_networking(&k);
	give(&k, SERVER, "c021 09 11 0008 2a2b2c2d");
	says(&k, SERVER, "c021 0a 11 0008 *");
	(void)snprintf(hex, sizeof(hex), "c021 09 11 0008 %02x%02x%02x%02x", last.bytes[8],
	    last.bytes[9], last.bytes[10], last.bytes[11]);
	give(&k, SERVER, hex);
	give(&k, SERVER, hex);
	is_silent(&k, SERVER);
	give(&k, SERVER, hex);
	says(&k, SERVER, "c021 05 *");
	wire_pass(&k, 2000);
	assert_int_equal(k.end[SERVER].why, PPP_END_LOOP);
	wire_close(&k);
}

/* What each rejected protocol means. */
static void
rejects_end_what_they_name(void **state)
{
	struct wire k;

	(void)state;
	server_networking(&k);
	give(&k, SERVER, "c021 08 01 000a 8057 0101 0004");
	is_silent(&k, SERVER);
	assert_int_equal(k.end[SERVER].downs, 0);
	give(&k, SERVER, "c021 08 01 000a 8021 0101 0004");
	says(&k, SERVER, "c021 05 .. *");
	give(&k, SERVER, "c021 06 02 0004");
	assert_int_equal(k.end[SERVER].why, PPP_END_NO_NETWORK);
	wire_close(&k);

	server_established(&k, &wire_server_conf);
	says(&k, SERVER, "c223 01 *");
	give(&k, SERVER, "c021 08 01 000a c223 0101 0004");
	says(&k, SERVER, "c021 05 .. *");
	wire_pass(&k, 2000);
	assert_int_equal(k.end[SERVER].why, PPP_END_REJECTED);
	wire_close(&k);

	server_networking(&k);
	give(&k, SERVER, "c021 07 01 0008 0101 0004");
	says(&k, SERVER, "c021 05 .. *");
	wire_pass(&k, 2000);
	assert_int_equal(k.end[SERVER].why, PPP_END_REJECTED);
	wire_close(&k);
}

/* ---- IPCP at the server ---- */

static const struct exchange ipcp_at_server[] = {
	/* pppd: VJ, and zeros (sstp.md's three rounds). */
	{ "8021 01 01 001c 0206 002d0f01 0306 00000000 8106 00000000 8306 00000000",
	    "8021 04 01 0010 0206 002d0f01 8306 00000000" },
	{ "8021 01 02 0010 0306 00000000 8106 00000000",
	    "8021 03 02 0010 0306 0a420002 8106 0a420035" },
	{ "8021 01 03 0010 0306 0a420002 8106 0a420035",
	    "8021 02 03 0010 0306 0a420002 8106 0a420035" },
	/* Another one than it is to have. */
	{ "8021 01 04 000a 0306 0a420003", "8021 03 04 000a 0306 0a420002" },
	/* Windows asks for four servers; we have one. */
	{ "8021 01 05 0022 0306 00000000 8106 00000000 8206 00000000 8306 00000000 8406 00000000",
	    "8021 04 05 0016 8206 00000000 8306 00000000 8406 00000000" },
	{ "8021 01 06 000e 010a 0a420002 0a420001", "8021 04 06 000e 010a 0a420002 0a420001" },
	{ "8021 01 07 0008 0304 0a42", "8021 04 07 0008 0304 0a42" },
	{ "8021 01 07 0006 0302", "8021 04 07 0006 0302" },
	/* No address: it is told, once. */
	{ "8021 01 08 0004", "8021 03 08 000a 0306 0a420002" },
	{ "8021 01 09 0006 0300", NULL },
	{ "8021 01 09 0006 0307", NULL },
	{ "8021 09 09 0008 00000000", "8021 07 .. 000c 0909 0008 00000000" },
	{ "8021 02 77 000a 0306 0a420001", NULL },
};

static void
ipcp_answers_what_is_asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(ipcp_at_server); i++) {
		struct wire k;

		server_networking(&k);
		give(&k, SERVER, ipcp_at_server[i].in);
		if (ipcp_at_server[i].out != NULL)
			says(&k, SERVER, ipcp_at_server[i].out);
		is_silent(&k, SERVER);
		assert_int_equal(k.end[SERVER].ups[PPP_IPV4], 0);
		wire_close(&k);
	}
}

static void
an_address_that_nobody_asks_for_is_told_once(void **state)
{
	struct wire k;

	(void)state;
	server_networking(&k);
	give(&k, SERVER, "8021 01 08 0004");
	says(&k, SERVER, "8021 03 08 000a 0306 0a420002");
	give(&k, SERVER, "8021 01 09 0004");
	says(&k, SERVER, "8021 02 09 0004");
	/* Ours is not wanted: without it, then. */
	give(&k, SERVER, "8021 04 01 000a 0306 0a420001");
	says(&k, SERVER, "8021 01 02 0004");
	give(&k, SERVER, "8021 02 02 0004");
	assert_int_equal(k.end[SERVER].ups[PPP_IPV4], 1);
	wire_close(&k);
}

/* ---- IPV6CP at the server ---- */

static void
ipv6cp_wants_two_identifiers(void **state)
{
	struct wire k;
	char ours[128], hex[160];

	(void)state;
	server_established(&k, &pap_server_conf);
	give(&k, SERVER, "c023 01 09 0010 04 75736572 06 736563726574");
	says(&k, SERVER, "c023 02 09 *");
	says(&k, SERVER, "8021 *");
	says(&k, SERVER, "8057 01 01 000e 010a *");
	for (size_t i = 0; i < 8; i++)
		(void)snprintf(ours + 2 * i, 3, "%02x", last.bytes[10 + i]);
	assert_int_equal(last.bytes[10] & 2, 0);
	/* None, ours, and a good one; compression is rejected. */
	give(&k, SERVER, "8057 01 01 000e 010a 0000000000000000");
	says(&k, SERVER, "8057 03 01 000e 010a *");
	(void)snprintf(hex, sizeof(hex), "8057 01 02 000e 010a %s", ours);
	give(&k, SERVER, hex);
	says(&k, SERVER, "8057 03 02 000e 010a *");
	give(&k, SERVER, "8057 01 03 0012 010a 0011223344556677 0204 0061");
	says(&k, SERVER, "8057 04 03 0008 0204 0061");
	give(&k, SERVER, "8057 01 04 000d 0109 00112233445566");
	says(&k, SERVER, "8057 04 04 000d 0109 00112233445566");
	give(&k, SERVER, "8057 01 05 000e 010a 0011223344556677");
	says(&k, SERVER, "8057 02 05 000e 010a 0011223344556677");
	assert_int_equal(k.end[SERVER].ups[PPP_IPV6], 0);
	(void)snprintf(hex, sizeof(hex), "8057 02 01 000e 010a %s", ours);
	give(&k, SERVER, hex);
	assert_int_equal(k.end[SERVER].ups[PPP_IPV6], 1);
	assert_memory_equal(k.end[SERVER].net.peer_id, "\x00\x11\x22\x33\x44\x55\x66\x77", 8);
	wire_close(&k);
}

static void
a_family_that_is_not_wanted_is_rejected(void **state)
{
	struct wire k;
	struct ppp_verdict verdict = { .answer = PPP_GRANTED };

	(void)state;
	server_established(&k, &pap_server_conf);
	k.end[SERVER].wish.family[PPP_IPV6] = false;
	give(&k, SERVER, "c023 01 09 0010 04 75736572 06 736563726574");
	says(&k, SERVER, "c023 02 09 *");
	says(&k, SERVER, "8021 *");
	give(&k, SERVER, "8057 01 01 000e 010a 0011223344556677");
	says(&k, SERVER, "c021 08 .. 0014 8057 01 01 000e 010a 0011223344556677");
	is_silent(&k, SERVER);
	/* A verdict that nobody waits for. */
	assert_false(ppp_auth_verdict(k.end[SERVER].ppp, k.question, &verdict, k.now));
	wire_close(&k);
}

/* ---- data ---- */

static const char ipv4[] = "4500 0014 0000 0000 4001 0000 0a420002 0a420001";

static void
data_passes_only_when_it_may(void **state)
{
	static const char *const bad[] = {
		"0021 4500 0014 0000 0000 4001 0000 0a420002 0a4200",
		"0021 6500 0014 0000 0000 4001 0000 0a420002 0a420001",
		"0021",
		"0057 4500 0014 0000 0000 4001 0000 0a420002 0a420001",
		"0057 6000 0000 0000 3b40 fe800000 00000000 00000000 00000001",
	};
	struct wire k;
	char hex[128];

	(void)state;
	server_networking(&k);
	(void)snprintf(hex, sizeof(hex), "0021 %s", ipv4);
	give(&k, SERVER, hex);
	give(&k, SERVER, "8021 02 01 000a 0306 0a420001");
	give(&k, SERVER, hex);
	assert_int_equal(k.end[SERVER].packets, 0);
	give(&k, SERVER, "8021 01 03 000a 0306 0a420002");
	says(&k, SERVER, "8021 02 03 *");
	give(&k, SERVER, hex);
	assert_int_equal(k.end[SERVER].packets, 1);
	/* With one byte of protocol, and without FF 03. */
	(void)snprintf(hex, sizeof(hex), "21 %s", ipv4);
	give(&k, SERVER, hex);
	assert_int_equal(k.end[SERVER].packets, 2);
	for (size_t skip = 0; skip < 2; skip++) {
		uint8_t bytes[64] = { 0 };
		bool any[64];
		size_t n = unhex(skip == 0 ? "0021" : "21", bytes, any);

		n += unhex(ipv4, bytes + n, any);
		wire_give(&k.end[SERVER], bytes, n);
	}
	assert_int_equal(k.end[SERVER].packets, 4);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		give(&k, SERVER, bad[i]);
	assert_int_equal(k.end[SERVER].packets, 4);
	is_silent(&k, SERVER);
	wire_close(&k);
}

static void
control_is_what_sstp_lets_through(void **state)
{
	static const struct {
		uint8_t bytes[5];
		size_t n;
		bool control;
	} table[] = {
		{ { 0xff, 0x03, 0xc0, 0x21, 1 }, 5, true },
		{ { 0xc0, 0x21, 1 }, 3, true },
		{ { 0xff, 0x03, 0x80, 0x21 }, 4, true },
		{ { 0xff, 0x03, 0x00, 0x21 }, 4, false },
		{ { 0xff, 0x03, 0x21 }, 3, false },
		{ { 0x21 }, 1, false },
		{ { 0xff, 0x03, 0x7f, 0xff }, 4, false },
		{ { 0xff, 0x03, 0xc0 }, 3, false },
		{ { 0xff, 0x03 }, 2, false },
		{ { 0xff }, 1, false },
		{ { 0 }, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++)
		assert_int_equal(ppp_is_control(table[i].bytes, table[i].n), table[i].control);
}

/* ---- PAP and CHAP at the server ---- */

static void
pap_is_answered_once_and_again(void **state)
{
	static const char *const bad[] = { "c023 01 09 0006 0475", "c023 01 09 0004",
		"c023 01 09 000a 04 75736572 06", "c023 02 09 0005 00", "c023 03 09 0005 00",
		"c023 01 09 0003" };
	struct wire k;

	(void)state;
	server_established(&k, &pap_server_conf);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		give(&k, SERVER, bad[i]);
	is_silent(&k, SERVER);
	k.keep_question = true;
	give(&k, SERVER, "c023 01 09 0010 04 75736572 06 736563726574");
	give(&k, SERVER, "c023 01 09 0010 04 75736572 06 736563726574");
	is_silent(&k, SERVER);
	assert_int_equal(k.end[SERVER].asked, 1);
	assert_true(ppp_auth_verdict(
	    k.end[SERVER].ppp, k.question, &(struct ppp_verdict){ .answer = PPP_GRANTED }, k.now));
	says(&k, SERVER, "c023 02 09 *");
	says(&k, SERVER, "8021 *");
	says(&k, SERVER, "8057 *");
	/* Also with a wrong password: what is granted is granted. */
	give(&k, SERVER, "c023 01 0a 0010 04 75736572 06 000000000000");
	says(&k, SERVER, "c023 02 0a *");
	assert_int_equal(k.end[SERVER].asked, 1);
	wire_close(&k);
}

static void
a_name_must_be_one(void **state)
{
	static const char *const bad[] = {
		"c023 01 09 000c 00 06 736563726574",
		"c023 01 09 0010 04 75730072 06 736563726574",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct wire k;

		server_established(&k, &pap_server_conf);
		give(&k, SERVER, bad[i]);
		says(&k, SERVER, "c023 03 09 *");
		says(&k, SERVER, "c021 05 *");
		wire_pass(&k, 2000);
		assert_int_equal(k.end[SERVER].asked, 0);
		assert_int_equal(k.end[SERVER].why, PPP_END_REFUSED);
		wire_close(&k);
	}
}

/* A Response of MS-CHAPv2 with `size` bytes of value and a name of `name` bytes. */
static void
give_response(struct wire *k, uint8_t id, uint8_t size, size_t name)
{
	uint8_t f[WIRE_FRAME] = { 0xff, 0x03, 0xc2, 0x23, 2, id };
	size_t n = 5 + size + name;

	f[6] = (uint8_t)(n >> 8);
	f[7] = (uint8_t)n;
	f[8] = size;
	memset(f + 9, 0x11, size);
	memset(f + 9 + size, 'u', name);
	wire_give(&k->end[SERVER], f, 4 + n);
}

static void
chap_takes_a_response_of_the_right_size_and_number(void **state)
{
	static const struct {
		int id;
		uint8_t size;
		size_t name;
		unsigned asked;
	} table[] = {
		{ 0, 49, 1, 1 },
		{ 0, 49, 255, 1 },
		{ 0, 48, 4, 0 },
		{ 0, 50, 4, 0 },
		{ 0, 16, 4, 0 },
		{ 0, 0, 4, 0 },
		{ 0, 255, 4, 0 },
		{ 1, 49, 4, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct wire k;

		server_established(&k, &wire_server_conf);
		says(&k, SERVER,
		    "c223 01 .. 001b 10 ........ ........ ........ ........ "
		    "67696e6e656c");
		k.keep_question = true;
		give_response(
		    &k, (uint8_t)(last.bytes[5] + table[i].id), table[i].size, table[i].name);
		assert_int_equal(k.end[SERVER].asked, table[i].asked);
		is_silent(&k, SERVER);
		wire_close(&k);
	}
}

/* No name, and one of 256 bytes, are nobody's: refused like a wrong password, without asking. */
static void
chap_refuses_names_that_are_none(void **state)
{
	static const size_t names[] = { 0, 256 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct wire k;

		server_established(&k, &wire_server_conf);
		says(&k, SERVER, "c223 01 *");
		give_response(&k, last.bytes[5], 49, names[i]);
		/* "E=691 R=0 C=" */
		says(&k, SERVER, "c223 04 .. .... 453d363931 20 523d30 20 433d *");
		says(&k, SERVER, "c021 05 *");
		assert_int_equal(k.end[SERVER].asked, 0);
		wire_close(&k);
	}
}

static void
a_failure_has_the_form_of_the_rfc(void **state)
{
	struct wire k;
	struct ppp_verdict verdict = { .answer = PPP_REFUSED, .error = 648, .text = "Expired" };
	unsigned e, r, v;
	char c[64], m[64];

	(void)state;
	server_established(&k, &wire_server_conf);
	says(&k, SERVER, "c223 01 *");
	k.keep_question = true;
	give_response(&k, last.bytes[5], 49, 4);
	assert_false(ppp_auth_verdict(k.end[SERVER].ppp, k.question + 1, &verdict, k.now));
	assert_true(ppp_auth_verdict(k.end[SERVER].ppp, k.question, &verdict, k.now));
	says(&k, SERVER, "c223 04 *");
	last.bytes[last.n] = '\0';
	assert_int_equal(
	    sscanf((char *)last.bytes + 8, "E=%u R=%u C=%63s V=%u M=%63s", &e, &r, c, &v, m), 5);
	assert_int_equal(e, 648);
	assert_int_equal(r, 0);
	assert_int_equal(strspn(c, "0123456789ABCDEF"), 32);
	assert_int_equal(strlen(c), 32);
	assert_int_equal(v, 3);
	assert_string_equal(m, "Expired");
	says(&k, SERVER, "c021 05 .. 000b 45787069726564");
	wire_pass(&k, 2000);
	assert_int_equal(k.end[SERVER].why, PPP_END_REFUSED);
	assert_string_equal(k.end[SERVER].detail, "Expired");
	wire_close(&k);
}

/* ---- EAP at the server ---- */

static const struct ppp_conf eap_server_conf = {
	.server = true,
	.methods = { PPP_EAP_MSCHAPV2 },
	.method_count = 1,
};

/* `hex` with the number of the last request in the place of "##". */
static void
give_eap(struct wire *k, const char *hex)
{
	static const char digits[] = "0123456789abcdef";
	char text[256], *at;

	(void)snprintf(text, sizeof(text), "%s", hex);
	while ((at = strstr(text, "##")) != NULL) {
		at[0] = digits[last.bytes[5] >> 4];
		at[1] = digits[last.bytes[5] & 15];
	}
	give(k, SERVER, text);
}

static void
eap_asks_who_and_then_how(void **state)
{
	static const char *const bad[] = { "c227 01 ## 0005 01", /* its own request */
		"c227 03 ## 0004", "c227 04 ## 0004", "c227 02 ## 0004", "c227 02 ## 0003",
		"c227 02 ## 0009 01", "c227 02 ## 0006 03 1a" /* nothing to decline yet */,
		"c227 02 ## 0006 1a 03" };
	struct wire k;
	uint8_t id;

	(void)state;
	server_established(&k, &eap_server_conf);
	says(&k, SERVER, "c227 01 .. 0005 01");
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		give_eap(&k, bad[i]);
	is_silent(&k, SERVER);
	assert_int_equal(k.end[SERVER].downs, 0);
	id = last.bytes[5];
	give_eap(&k, "c227 02 ## 0009 01 75736572");
	says(&k, SERVER,
	    "c227 01 .. 0020 1a 01 .. 001b 10 ........ ........ ........ ........ "
	    "67696e6e656c");
	assert_int_equal(last.bytes[5], (uint8_t)(id + 1));
	/* It is asked again, with the same number. */
	wire_pass(&k, 3000);
	says(&k, SERVER, "c227 01 .. 0020 1a 01 *");
	assert_int_equal(last.bytes[5], (uint8_t)(id + 1));
	/* Another method is all that the client wants, and there is none. */
	give_eap(&k, "c227 02 ## 0006 03 0d");
	says(&k, SERVER, "c227 04 .. 0004");
	says(&k, SERVER, "c021 05 *");
	wire_pass(&k, 2000);
	assert_int_equal(k.end[SERVER].why, PPP_END_NO_METHOD);
	wire_close(&k);
}

static void
eap_is_relayed_to_who_knows_it(void **state)
{
	static const struct ppp_conf conf = {
		.server = true,
		.methods = { PPP_EAP_RELAY },
		.method_count = 1,
	};
	static const uint8_t request[] = { 1, 77, 0, 7, 4, 1, 2 };
	struct ppp_verdict verdict = {
		.answer = PPP_GO_ON, .eap = request, .eap_size = sizeof(request)
	};
	struct wire k;

	(void)state;
	server_established(&k, &conf);
	says(&k, SERVER, "c227 01 .. 0005 01");
	k.keep_question = true;
	give_eap(&k, "c227 02 ## 0009 01 75736572");
	assert_int_equal(k.end[SERVER].asked, 1);
	assert_string_equal(k.end[SERVER].user, "user");
	assert_true(ppp_auth_verdict(k.end[SERVER].ppp, k.question, &verdict, k.now));
	says(&k, SERVER, "c227 01 4d 0007 04 0102");
	give(&k, SERVER, "c227 02 4c 0006 04 01");
	assert_int_equal(k.end[SERVER].asked, 1);
	give(&k, SERVER, "c227 02 4d 0006 04 01");
	assert_int_equal(k.end[SERVER].asked, 2);
	verdict = (struct ppp_verdict){ .answer = PPP_GRANTED, .key = { 1, 2, 3 } };
	assert_true(ppp_auth_verdict(k.end[SERVER].ppp, k.question, &verdict, k.now));
	says(&k, SERVER, "c227 03 4d 0004");
	assert_int_equal(k.end[SERVER].logins, 1);
	assert_int_equal(k.end[SERVER].key[2], 3);
	assert_int_equal(k.end[SERVER].method, PPP_EAP_RELAY);
	wire_close(&k);

	/* A packet that is none is a refusal. */
	server_established(&k, &conf);
	says(&k, SERVER, "c227 01 .. 0005 01");
	k.keep_question = true;
	give_eap(&k, "c227 02 ## 0009 01 75736572");
	verdict = (struct ppp_verdict){ .answer = PPP_GO_ON, .eap = request, .eap_size = 6 };
	assert_true(ppp_auth_verdict(k.end[SERVER].ppp, k.question, &verdict, k.now));
	says(&k, SERVER, "c227 04 .. 0004");
	wire_close(&k);
}

/* ---- the client ---- */

static const struct exchange lcp_at_client[] = {
	{ "c021 01 01 0009 0305 c22381", "c021 02 01 0009 0305 c22381" },
	{ "c021 01 01 0008 0304 c227", "c021 03 01 0009 0305 c22381" },
	{ "c021 01 01 0008 0304 c023", "c021 03 01 0009 0305 c22381" },
	{ "c021 01 01 0009 0305 c22380", "c021 03 01 0009 0305 c22381" },
	{ "c021 01 01 000a 0306 c2238100", "c021 03 01 0009 0305 c22381" },
	{ "c021 01 01 0006 0302", "c021 03 01 0009 0305 c22381" },
	{ "c021 01 01 0004", "c021 02 01 0004" },
};

static void
the_client_shows_only_what_was_configured(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(lcp_at_client); i++) {
		struct wire k;

		client_starts(&k, &wire_client_conf);
		give(&k, CLIENT, lcp_at_client[i].in);
		says(&k, CLIENT, lcp_at_client[i].out);
		is_silent(&k, CLIENT);
		wire_close(&k);
	}
}

static void
the_client_believes_no_server_without_a_proof(void **state)
{
	struct wire k;

	(void)state;
	client_established(
	    &k, &wire_client_conf, "c021 01 01 0009 0305 c22381", "c021 02 01 0009 0305 c22381");
	/* A success before it, or of another number; a challenge too short. */
	give(&k, CLIENT, "c223 03 07 0004");
	give(&k, CLIENT, "c223 01 07 0006 01 ff");
	give(&k, CLIENT, "c223 01 07 0005 00");
	is_silent(&k, CLIENT);
	give(&k, CLIENT, "c223 01 07 0015 10 00112233445566778899aabbccddeeff");
	says(&k, CLIENT, "c223 02 07 003a 31 *");
	give(&k, CLIENT, "c223 03 08 0004");
	assert_int_equal(k.end[CLIENT].logins, 0);
	is_silent(&k, CLIENT);
	give(&k, CLIENT,
	    "c223 03 07 002e 533d"
	    "3030303030303030303030303030303030303030"
	    "3030303030303030303030303030303030303030");
	says(&k, CLIENT, "c021 05 *");
	wire_pass(&k, 2000);
	assert_int_equal(k.end[CLIENT].why, PPP_END_IMPOSTOR);
	assert_int_equal(k.end[CLIENT].logins, 0);
	wire_close(&k);
}

static void
the_client_believes_no_eap_without_a_proof(void **state)
{
	static const struct ppp_conf conf = {
		.methods = { PPP_EAP_MSCHAPV2 },
		.method_count = 1,
		.user = "user",
		.password = "secret",
	};
	struct wire k;

	(void)state;
	client_established(&k, &conf, "c021 01 01 0008 0304 c227", "c021 02 01 0008 0304 c227");
	give(&k, CLIENT, "c227 03 01 0004");
	give(&k, CLIENT, "c227 04 01 0004");
	is_silent(&k, CLIENT);
	give(&k, CLIENT, "c227 01 01 0005 01");
	says(&k, CLIENT, "c227 02 01 0009 01 75736572");
	/* The same once more, a notification, MD5, and TLS. */
	give(&k, CLIENT, "c227 01 01 0005 01");
	says(&k, CLIENT, "c227 02 01 0009 01 75736572");
	give(&k, CLIENT, "c227 01 02 0007 02 6869");
	says(&k, CLIENT, "c227 02 02 0005 02");
	give(&k, CLIENT, "c227 01 03 0007 04 0100");
	says(&k, CLIENT, "c227 02 03 0006 03 1a");
	give(&k, CLIENT, "c227 01 04 0006 0d 20");
	says(&k, CLIENT, "c227 02 04 0006 03 1a");
	give(&k, CLIENT, "c227 03 04 0004");
	assert_int_equal(k.end[CLIENT].logins, 0);
	give(&k, CLIENT, "c227 01 05 001a 1a 01 09 0015 10 00112233445566778899aabbccddeeff");
	says(&k, CLIENT, "c227 02 05 003f 1a 02 09 003a 31 *");
	give(&k, CLIENT, "c227 03 05 0004");
	assert_int_equal(k.end[CLIENT].logins, 0);
	give(&k, CLIENT, "c227 01 06 000b 1a 03 09 0006 533d");
	says(&k, CLIENT, "c021 05 *");
	wire_pass(&k, 2000);
	assert_int_equal(k.end[CLIENT].why, PPP_END_IMPOSTOR);
	wire_close(&k);
}

static void
the_client_takes_no_senseless_address(void **state)
{
	static const struct {
		const char *address;
		bool good;
	} table[] = {
		{ "0a420002", true },
		{ "c0a80001", true },
		{ "00000000", false },
		{ "7f000001", false },
		{ "e0000001", false },
		{ "ffffffff", false },
		{ "00010203", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct wire k;
		char hex[128];

		wire_open(&k, NULL, &(struct ppp_conf){ .user = "" });
		k.end[CLIENT].wish.family[PPP_IPV6] = false;
		wire_start(&k);
		says(&k, CLIENT, "c021 01 01 *");
		last.bytes[4] = 2;
		wire_give(&k.end[CLIENT], last.bytes, last.n);
		give(&k, CLIENT, "c021 01 01 0004");
		says(&k, CLIENT, "c021 02 01 0004");
		says(&k, CLIENT, "8021 01 01 0016 0306 00000000 8106 00000000 8306 00000000");
		give(&k, CLIENT, "8021 04 01 0010 8106 00000000 8306 00000000");
		says(&k, CLIENT, "8021 01 02 000a 0306 00000000");
		(void)snprintf(hex, sizeof(hex), "8021 03 02 000a 0306 %s", table[i].address);
		give(&k, CLIENT, hex);
		(void)snprintf(hex, sizeof(hex), "8021 01 03 000a 0306 %s", table[i].address);
		says(&k, CLIENT, hex);
		(void)snprintf(hex, sizeof(hex), "8021 02 03 000a 0306 %s", table[i].address);
		give(&k, CLIENT, hex);
		give(&k, CLIENT, "8021 01 01 000a 0306 0a420001");
		says(&k, CLIENT, "8021 02 01 *");
		assert_int_equal(k.end[CLIENT].ups[PPP_IPV4], table[i].good);
		if (!table[i].good) {
			says(&k, CLIENT, "c021 05 *");
			wire_pass(&k, 2000);
			assert_int_equal(k.end[CLIENT].why, PPP_END_NO_NETWORK);
		}
		is_silent(&k, CLIENT);
		wire_close(&k);
	}
}

static const struct exchange ipcp_at_client[] = {
	{ "8021 01 01 000a 0306 0a420001", "8021 02 01 000a 0306 0a420001" },
	{ "8021 01 01 000a 0306 00000000", "8021 04 01 000a 0306 00000000" },
	{ "8021 01 01 000a 8106 00000000", "8021 04 01 000a 8106 00000000" },
	{ "8021 01 01 000a 0206 002d0f01", "8021 04 01 000a 0206 002d0f01" },
	{ "8021 01 01 0004", "8021 02 01 0004" },
	/* An address is what it cannot do without. */
	{ "8021 04 01 000a 0306 00000000", "c021 05 *" },
};

static void
ipcp_of_the_client_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(ipcp_at_client); i++) {
		struct wire k;

		wire_open(&k, NULL, &(struct ppp_conf){ .user = "" });
		k.end[CLIENT].wish.family[PPP_IPV6] = false;
		wire_start(&k);
		says(&k, CLIENT, "c021 01 01 *");
		last.bytes[4] = 2;
		wire_give(&k.end[CLIENT], last.bytes, last.n);
		give(&k, CLIENT, "c021 01 01 0004");
		says(&k, CLIENT, "c021 02 01 0004");
		says(&k, CLIENT, "8021 01 01 *");
		give(&k, CLIENT, ipcp_at_client[i].in);
		says(&k, CLIENT, ipcp_at_client[i].out);
		is_silent(&k, CLIENT);
		wire_close(&k);
	}
}

/* ---- sizes ---- */

/* A request of 4,000 bytes, of options of two bytes each: what is rejected fits into the MRU. */
static void
a_huge_request_gets_an_answer_that_fits(void **state)
{
	uint8_t f[4004] = { 0xff, 0x03, 0xc0, 0x21, 1, 9, 4000 >> 8, 4000 & 255 };
	struct wire k;

	(void)state;
	for (size_t i = 8; i < sizeof(f); i += 2) {
		f[i] = 200;
		f[i + 1] = 2;
	}
	server_starts(&k, &wire_server_conf);
	wire_give(&k.end[SERVER], f, sizeof(f));
	says(&k, SERVER, "c021 04 09 *");
	assert_int_equal(last.n, PPP_FRAME_MAX);
	/* The same with a protocol that is not known. */
	wire_close(&k);
	server_networking(&k);
	f[2] = 0x80;
	f[3] = 0xfd;
	wire_give(&k.end[SERVER], f, sizeof(f));
	says(&k, SERVER, "c021 08 *");
	assert_int_equal(last.n, PPP_FRAME_MAX);
	/* ... and with a peer that takes less. */
	wire_close(&k);
	server_starts(&k, &wire_server_conf);
	give(&k, SERVER, "c021 01 01 0008 0104 0240");
	says(&k, SERVER, "c021 02 01 0008 0104 0240");
	f[2] = 0xc0;
	f[3] = 0x21;
	f[4] = 99;
	wire_give(&k.end[SERVER], f, sizeof(f));
	says(&k, SERVER, "c021 07 *");
	assert_int_equal(last.n, PPP_HEADER + PPP_MRU_MIN);
	wire_close(&k);
}

/* Every beginning of every frame of this file's tables, at a link in each place. */
static void
cut_frames_do_no_harm(void **state)
{
	static const struct {
		const struct exchange *rows;
		size_t n;
	} tables[] = {
		{ lcp_at_server, COUNT_OF(lcp_at_server) },
		{ lcp_when_open, COUNT_OF(lcp_when_open) },
		{ ipcp_at_server, COUNT_OF(ipcp_at_server) },
	};

	(void)state;
	for (size_t t = 0; t < COUNT_OF(tables); t++)
		for (size_t i = 0; i < tables[t].n; i++) {
			uint8_t bytes[WIRE_FRAME];
			bool any[WIRE_FRAME];
			size_t n = unhex(tables[t].rows[i].in, bytes, any);

			for (size_t cut = 0; cut < n; cut++) {
				struct wire k;

				if (cut % 2 == 0)
					server_networking(&k);
				else
					server_starts(&k, &wire_server_conf);
				wire_give(&k.end[SERVER], bytes, cut);
				assert_int_equal(k.end[SERVER].packets, 0);
				assert_int_equal(k.end[SERVER].ups[PPP_IPV4], 0);
				wire_close(&k);
			}
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lcp_answers_what_is_asked),
		cmocka_unit_test(the_first_request_has_what_was_configured),
		cmocka_unit_test(naks_end_in_a_reject),
		cmocka_unit_test(the_server_goes_through_its_methods),
		cmocka_unit_test(who_will_not_log_in_may_not_come_in),
		cmocka_unit_test(our_options_follow_the_answers),
		cmocka_unit_test(naks_without_end_are_an_end),
		cmocka_unit_test(silence_is_asked_ten_times),
		cmocka_unit_test(own_frames_are_not_answered),
		cmocka_unit_test(behind_an_echo_the_request_is_repeated),
		cmocka_unit_test(lcp_answers_when_it_is_open),
		cmocka_unit_test(floods_are_not_answered),
		cmocka_unit_test(our_own_echo_is_a_loop),
		cmocka_unit_test(rejects_end_what_they_name),
		cmocka_unit_test(ipcp_answers_what_is_asked),
		cmocka_unit_test(an_address_that_nobody_asks_for_is_told_once),
		cmocka_unit_test(ipv6cp_wants_two_identifiers),
		cmocka_unit_test(a_family_that_is_not_wanted_is_rejected),
		cmocka_unit_test(data_passes_only_when_it_may),
		cmocka_unit_test(control_is_what_sstp_lets_through),
		cmocka_unit_test(pap_is_answered_once_and_again),
		cmocka_unit_test(a_name_must_be_one),
		cmocka_unit_test(chap_takes_a_response_of_the_right_size_and_number),
		cmocka_unit_test(chap_refuses_names_that_are_none),
		cmocka_unit_test(a_failure_has_the_form_of_the_rfc),
		cmocka_unit_test(eap_asks_who_and_then_how),
		cmocka_unit_test(eap_is_relayed_to_who_knows_it),
		cmocka_unit_test(the_client_shows_only_what_was_configured),
		cmocka_unit_test(the_client_believes_no_server_without_a_proof),
		cmocka_unit_test(the_client_believes_no_eap_without_a_proof),
		cmocka_unit_test(the_client_takes_no_senseless_address),
		cmocka_unit_test(ipcp_of_the_client_answers),
		cmocka_unit_test(a_huge_request_gets_an_answer_that_fits),
		cmocka_unit_test(cut_frames_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
