/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_radius.c -- requests beside the RFC's examples, and answers of a server that the
 * test is: good ones, and the same with one thing wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/wr.h"
#include "proto/radius.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const char secret[] = "xyzzy5461";

/* RFC 2865 7.1: nemo, arctangent. */
static const uint8_t chance[16] = { 0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57, 0xbd, 0x83,
	0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a };
static const struct radius_facts facts = {
	.nas_name = "ginnel", .port = 3, .client = "192.0.2.1", .session = "0001"
};

static struct ppp_question
question(enum ppp_method method)
{
	return (struct ppp_question){
		.method = method,
		.user = "nemo",
		.id = 9,
		.secret = (const uint8_t *)"arctangent",
		.secret_size = 10,
	};
}

/* The first attribute of a type; with `vendor`, of Microsoft's.  *n: of its value. */
static const uint8_t *
find(const uint8_t *bytes, size_t size, uint8_t type, bool vendor, size_t *n)
{
	for (size_t at = 20; at + 2 <= size; at += bytes[at + 1]) {
		assert_true(bytes[at + 1] >= 2 && at + bytes[at + 1] <= size);
		if (!vendor && bytes[at] == type) {
			*n = bytes[at + 1] - 2u;
			return bytes + at + 2;
		}
		if (vendor && bytes[at] == 26 && bytes[at + 6] == type) {
			assert_memory_equal(bytes + at + 2, "\0\0\x01\x37", 4);
			*n = bytes[at + 7] - 2u;
			return bytes + at + 8;
		}
	}
	return NULL;
}

static void
has(const struct radius_request *q, uint8_t type, bool vendor, const void *value, size_t size)
{
	size_t n;
	const uint8_t *found = find(q->bytes, q->n, type, vendor, &n);

	assert_non_null(found);
	assert_int_equal(n, size);
	assert_memory_equal(found, value, size);
}

/* First of all attributes, and right. */
static void
is_authenticated(const struct radius_request *q, bool accounting)
{
	uint8_t copy[RADIUS_MAX], mac[16];

	assert_int_equal(q->bytes[20], 80);
	assert_int_equal(q->bytes[21], 18);
	memcpy(copy, q->bytes, q->n);
	memset(copy + 22, 0, 16);
	if (accounting)
		memset(copy + 4, 0, 16);
	assert_true(digest_hmac(DIGEST_MD5, secret, strlen(secret), copy, q->n, mac));
	assert_memory_equal(mac, q->bytes + 22, 16);
}

static void
a_password_is_hidden_as_in_the_rfc(void **state)
{
	static const uint8_t hidden[] = { 0x0d, 0xbe, 0x70, 0x8d, 0x93, 0xd4, 0x13, 0xce, 0x31,
		0x96, 0xe4, 0x3f, 0x78, 0x2a, 0x0a, 0xee };
	struct ppp_question q = question(PPP_PAP);
	struct radius_request request;

	(void)state;
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	assert_int_equal(request.bytes[0], 1);
	assert_int_equal(request.bytes[1], 5);
	assert_int_equal(request.bytes[2] << 8 | request.bytes[3], request.n);
	assert_memory_equal(request.bytes + 4, chance, sizeof(chance));
	is_authenticated(&request, false);
	has(&request, 1, false, "nemo", 4);
	has(&request, 2, false, hidden, sizeof(hidden));
	has(&request, 5, false, "\0\0\0\3", 4);
	has(&request, 6, false, "\0\0\0\2", 4);
	has(&request, 7, false, "\0\0\0\1", 4);
	has(&request, 31, false, "192.0.2.1", 9);
	has(&request, 32, false, "ginnel", 6);
	has(&request, 44, false, "0001", 4);
	has(&request, 61, false, "\0\0\0\5", 4);
}

static void
passwords_have_a_longest(void **state)
{
	static const uint8_t x[RADIUS_PASSWORD_MAX + 1];
	struct ppp_question q = question(PPP_PAP);
	struct radius_request request;
	size_t n;

	(void)state;
	q.secret = x;
	for (q.secret_size = 0; q.secret_size <= RADIUS_PASSWORD_MAX; q.secret_size += 16) {
		assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
		assert_non_null(find(request.bytes, request.n, 2, false, &n));
		assert_int_equal(n, q.secret_size == 0 ? 16 : q.secret_size);
	}
	q.secret_size = RADIUS_PASSWORD_MAX + 1;
	assert_false(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
}

static void
each_method_has_its_attributes(void **state)
{
	struct ppp_question q = question(PPP_CHAP_MD5);
	struct radius_request request;
	uint8_t ms[50] = { 9 }, eap[600] = { 2, 1, 600 >> 8, 600 & 255 };
	size_t n;

	(void)state;
	q.secret = (const uint8_t *)"0123456789abcdef";
	q.secret_size = 16;
	memset(q.challenge, 0xcc, sizeof(q.challenge));
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	has(&request, 3, false, "\t0123456789abcdef", 17);
	has(&request, 60, false, q.challenge, 16);
	q.secret_size = 15;
	assert_false(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));

	for (enum ppp_method m = PPP_MSCHAPV2; m <= PPP_EAP_MSCHAPV2; m++) {
		q = question(m);
		memset(q.response.peer_challenge, 0x11, sizeof(q.response.peer_challenge));
		memset(q.response.nt_response, 0x22, sizeof(q.response.nt_response));
		memset(ms + 2, 0x11, 16);
		memset(ms + 26, 0x22, 24);
		assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
		has(&request, 11, true, q.challenge, 16);
		has(&request, 25, true, ms, sizeof(ms));
		assert_null(find(request.bytes, request.n, 2, false, &n));
	}

	q = question(PPP_EAP_RELAY);
	q.secret = eap;
	q.secret_size = sizeof(eap);
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts,
	    &(struct radius_blob){ .bytes = "state", .n = 5 }));
	has(&request, 79, false, eap, 253);
	has(&request, 24, false, "state", 5);
	is_authenticated(&request, false);

	q = question(PPP_EAP_TLS);
	assert_false(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
}

static void
a_name_must_fit(void **state)
{
	char name[256];
	struct ppp_question q = question(PPP_PAP);
	struct radius_request request;

	(void)state;
	memset(name, 'n', sizeof(name));
	q.user = name;
	name[253] = '\0';
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	has(&request, 1, false, name, 253);
	name[253] = 'n';
	name[254] = '\0';
	assert_false(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
}

/* ---- the server ---- */

struct reply {
	uint8_t bytes[RADIUS_MAX];
	struct wr w;
};

static void
reply_begin(struct reply *r, uint8_t code, const struct radius_request *q)
{
	r->w = wr_of(r->bytes, sizeof(r->bytes));
	wr_u8(&r->w, code);
	wr_u8(&r->w, q->bytes[1]);
	wr_u16(&r->w, 0);
	wr_bytes(&r->w, q->bytes + 4, 16);
	wr_u16(&r->w, 80 << 8 | 18);
	wr_bytes(&r->w, (const uint8_t[16]){ 0 }, 16);
}

static void
reply_put(struct reply *r, uint8_t type, const void *value, size_t n)
{
	wr_u8(&r->w, type);
	wr_u8(&r->w, (uint32_t)n + 2);
	wr_bytes(&r->w, value, n);
}

static void
reply_put_microsoft(struct reply *r, uint8_t type, const void *value, size_t n)
{
	wr_u16(&r->w, 26 << 8 | (uint32_t)(n + 8));
	wr_u32(&r->w, 311);
	wr_u8(&r->w, type);
	wr_u8(&r->w, (uint32_t)n + 2);
	wr_bytes(&r->w, value, n);
}

/* A key under the stream of RFC 2548 2.4.2, written the other way round than it is read. */
static void
reply_put_key(
    struct reply *r, uint8_t type, const uint8_t *key, size_t size, const struct radius_request *q)
{
	uint8_t value[2 + 48] = { 0x80, type }, before[18], pad[16];
	size_t blocks = (1 + size + 15) / 16, n = 18;

	value[2] = (uint8_t)size;
	memcpy(value + 3, key, size);
	memcpy(before, q->bytes + 4, 16);
	memcpy(before + 16, value, 2);
	for (size_t b = 0; b < blocks; b++) {
		const struct digest_part parts[] = { { secret, strlen(secret) }, { before, n } };

		assert_true(digest_of(DIGEST_MD5, parts, 2, pad));
		for (size_t i = 0; i < 16; i++)
			value[2 + 16 * b + i] ^= pad[i];
		memcpy(before, value + 2 + 16 * b, 16);
		n = 16;
	}
	reply_put_microsoft(r, type, value, 2 + 16 * blocks);
}

/* The length, the MAC if there is one, and the signature. */
static void
reply_sign(struct reply *r, const char *by)
{
	size_t n = wr_size(&r->w);
	const struct digest_part parts[] = { { r->bytes, n }, { by, strlen(by) } };
	uint8_t mac[16];

	assert_false(r->w.bad);
	wr_patch_u16(&r->w, 2, n);
	if (r->bytes[20] == 80) {
		memset(r->bytes + 22, 0, 16);
		assert_true(digest_hmac(DIGEST_MD5, by, strlen(by), r->bytes, n, mac));
		memcpy(r->bytes + 22, mac, 16);
	}
	assert_true(digest_of(DIGEST_MD5, parts, 2, mac));
	memcpy(r->bytes + 4, mac, 16);
}

/* In memory of just its size. */
static enum radius_got
read_reply(struct radius_answer *answer, const struct reply *r, size_t n,
    const struct radius_request *q, const struct ppp_question *question)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	enum radius_got got;

	assert_non_null(copy);
	if (n > 0)
		memcpy(copy, r->bytes, n);
	got = radius_read(answer, copy, n, q, secret, question);
	free(copy);
	return got;
}

static void
an_accept_says_all_it_says(void **state)
{
	static const uint8_t receive[16] = "receive receive", send[16] = "send send send ";
	struct ppp_question q = question(PPP_MSCHAPV2);
	struct radius_request request;
	struct radius_answer answer;
	struct reply r;

	(void)state;
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	reply_begin(&r, 2, &request);
	reply_put(&r, 8, "\x0a\x42\0\x09", 4);
	reply_put(&r, 12, "\0\0\x05\x78", 4);
	reply_put(&r, 18, "Hello\r\nX", 8);
	reply_put(&r, 25, "class", 5);
	reply_put(&r, 27, "\0\0\x0e\x10", 4);
	reply_put(&r, 28, "\0\0\0\x3c", 4);
	reply_put(&r, 85, "\0\0\x02\x58", 4);
	reply_put(&r, 96, "\0\0\0\0\0\0\0\7", 8);
	reply_put(&r, 99, "what is this", 12);
	reply_put_microsoft(&r, 26, "\tS=407A5589115FD0D6209F510FE9C04566932CDA56", 43);
	reply_put_microsoft(&r, 28, "\x0a\x42\0\x35", 4);
	reply_put_microsoft(&r, 31, "\x0a\x42\0\x36", 4);
	reply_put_key(&r, 17, receive, 16, &request);
	reply_put_key(&r, 16, send, 16, &request);
	reply_sign(&r, secret);
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
	assert_int_equal(answer.verdict.answer, PPP_GRANTED);
	assert_memory_equal(answer.verdict.key, receive, 16);
	assert_memory_equal(answer.verdict.key + 16, send, 16);
	assert_string_equal(answer.verdict.proof, "S=407A5589115FD0D6209F510FE9C04566932CDA56");
	assert_string_equal(answer.verdict.text, "Hello\\x0d\\x0aX");
	assert_int_equal(ntohl(answer.address.s_addr), 0x0a420009);
	assert_int_equal(ntohl(answer.dns[0].s_addr), 0x0a420035);
	assert_int_equal(ntohl(answer.nbns[1].s_addr), 0x0a420036);
	assert_int_equal(answer.session_timeout, 3600);
	assert_int_equal(answer.idle_timeout, 60);
	assert_int_equal(answer.interim, 600);
	assert_int_equal(answer.mtu, 1400);
	assert_int_equal(answer.interface_id[7], 7);
	assert_int_equal(answer.class.n, 5);
	/* Padding behind its length is none of it. */
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w) + 7, &request, &q), RADIUS_ANSWER);
}

/* Each way to forge or damage it, and each cut. */
static void
an_answer_of_another_is_none(void **state)
{
	struct ppp_question q = question(PPP_PAP);
	struct radius_request request, other;
	struct radius_answer answer;
	struct reply r;
	size_t n;
	static const uint8_t chance2[16] = { 1 };

	(void)state;
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	reply_begin(&r, 2, &request);
	reply_put(&r, 18, "Hello", 5);
	reply_sign(&r, secret);
	n = wr_size(&r.w);
	assert_int_equal(read_reply(&answer, &r, n, &request, &q), RADIUS_ANSWER);
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(read_reply(&answer, &r, cut, &request, &q), RADIUS_NONE);
	for (size_t at = 0; at < n; at++) {
		r.bytes[at] ^= 1;
		assert_int_equal(read_reply(&answer, &r, n, &request, &q), RADIUS_NONE);
		assert_int_equal(answer.verdict.answer, PPP_REFUSED);
		r.bytes[at] ^= 1;
	}
	assert_true(radius_ask(&other, 5, chance2, secret, &q, &facts, NULL));
	assert_int_equal(read_reply(&answer, &r, n, &other, &q), RADIUS_NONE);
	assert_true(radius_ask(&other, 6, chance, secret, &q, &facts, NULL));
	assert_int_equal(read_reply(&answer, &r, n, &other, &q), RADIUS_NONE);
	reply_begin(&r, 2, &request);
	reply_sign(&r, "another secret");
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_NONE);
	reply_begin(&r, 5, &request);
	reply_sign(&r, secret);
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_NONE);
}

/* What CVE-2024-3596 can forge has a good MD5, and no HMAC. */
static void
without_a_mac_nothing_is_believed(void **state)
{
	struct ppp_question q = question(PPP_PAP);
	struct radius_request request;
	struct radius_answer answer;
	struct reply r;

	(void)state;
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	reply_begin(&r, 2, &request);
	r.w.p = r.bytes + 20;
	reply_put(&r, 18, "Hello, who may this be", 22);
	reply_sign(&r, secret);
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_UNSIGNED);
	assert_int_equal(answer.verdict.answer, PPP_REFUSED);
	/* Two of them, of which one is good. */
	reply_begin(&r, 2, &request);
	reply_put(&r, 80, "0123456789abcdef", 16);
	reply_sign(&r, secret);
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_NONE);
}

/* A signed answer whose attributes make no sense. */
static void
malformed_attributes_are_no_answer(void **state)
{
	static const uint8_t bad[][3] = { { 18, 0, 0 }, { 18, 1, 0 }, { 18, 4, 0 },
		{ 18, 255, 0 } };
	struct ppp_question q = question(PPP_PAP);
	struct radius_request request;
	struct radius_answer answer;
	struct reply r;

	(void)state;
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		reply_begin(&r, 2, &request);
		wr_bytes(&r.w, bad[i], sizeof(bad[i]));
		reply_sign(&r, secret);
		assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_NONE);
	}
	/* Numbers and addresses of a wrong length are as if they were not there. */
	reply_begin(&r, 2, &request);
	reply_put(&r, 8, "\x0a\x42\0", 3);
	reply_put(&r, 27, "\1", 1);
	reply_put(&r, 26, "\0\0\x01", 3);
	reply_put(&r, 26, "\0\0\x01\x37\x1c\x01", 6);
	reply_put(&r, 96, "\7", 1);
	reply_put_microsoft(&r, 17, "short", 5);
	reply_sign(&r, secret);
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
	assert_int_equal(answer.address.s_addr, 0);
	assert_int_equal(answer.session_timeout, 0);
}

static void
addresses_of_the_user_s_or_our_choice_are_none(void **state)
{
	static const uint8_t choices[][4] = { { 255, 255, 255, 255 }, { 255, 255, 255, 254 } };
	struct ppp_question q = question(PPP_PAP);
	struct radius_request request;
	struct radius_answer answer;
	struct reply r;

	(void)state;
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	for (size_t i = 0; i < COUNT_OF(choices); i++) {
		reply_begin(&r, 2, &request);
		reply_put(&r, 8, choices[i], 4);
		reply_sign(&r, secret);
		assert_int_equal(
		    read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
		assert_int_equal(answer.address.s_addr, 0);
	}
}

/* RFC 3162 2.3: zeros at the end may be left out, and behind the length there is nothing else. */
static void
a_prefix_is_whole_and_no_more(void **state)
{
	static const struct {
		const char *value;
		size_t n;
		unsigned prefix; /* 999: it is none */
	} rows[] = {
		{ "\0\x40\xfd\x66\0\0\0\0\0\x63", 10, 64 },
		{ "\0\x40\xfd\x66\0\0\0\0\0\x63\0\0\0\0\0\0\0\0", 18, 64 },
		{ "\7\x10\xfd\x66", 4, 16 },
		{ "\0\x40\xfd\x66", 4, 64 },
		{ "\0\0", 2, 0 },
		{ "\0\x80\xfd\x66\0\0\0\0\0\x63\0\0\0\0\0\0\0\1", 18, 128 },
		{ "\0\x81\xfd\x66\0\0\0\0\0\x63\0\0\0\0\0\0\0\1", 18, 999 },
		{ "\0\x7f\xfd\x66\0\0\0\0\0\x63\0\0\0\0\0\0\0\1", 18, 999 },
		{ "\0\x40\xfd\x66\0\0\0\0\0\x63\0\0\0\0\0\0\0\0\0", 19, 999 },
		{ "\0\x0e\xfd\x66", 4, 999 },
		{ "\0", 1, 999 },
		{ "", 0, 999 },
	};
	struct ppp_question q = question(PPP_PAP);
	struct radius_request request;
	struct radius_answer answer;
	struct reply r;

	(void)state;
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		reply_begin(&r, 2, &request);
		reply_put(&r, 97, rows[i].value, rows[i].n);
		reply_sign(&r, secret);
		assert_int_equal(
		    read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
		assert_int_equal(answer.prefix6.family, rows[i].prefix == 999 ? 0 : AF_INET6);
		if (rows[i].prefix == 999)
			continue;
		assert_int_equal(answer.prefix6.prefix, rows[i].prefix);
		assert_memory_equal(answer.prefix6.bits, rows[i].value + 2, rows[i].n - 2);
	}
	/* Of two the first. */
	reply_begin(&r, 2, &request);
	reply_put(&r, 97, rows[0].value, rows[0].n);
	reply_put(&r, 97, rows[2].value, rows[2].n);
	reply_sign(&r, secret);
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
	assert_int_equal(answer.prefix6.prefix, 64);
}

/* MS-CHAPv2 granted without keys or proof is refused here, and it is said why. */
static void
mschap_without_keys_is_refused(void **state)
{
	static const uint8_t key[16] = "a key of 16 byt";
	struct ppp_question q = question(PPP_MSCHAPV2);
	struct radius_request request;
	struct radius_answer answer;

	(void)state;
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	for (unsigned without = 0; without < 4; without++) {
		struct reply r;

		reply_begin(&r, 2, &request);
		if (without != 1)
			reply_put_key(&r, 17, key, 16, &request);
		if (without != 2)
			reply_put_key(&r, 16, key, 16, &request);
		if (without != 3)
			reply_put_microsoft(
			    &r, 26, "\tS=407A5589115FD0D6209F510FE9C04566932CDA56", 43);
		reply_sign(&r, secret);
		assert_int_equal(
		    read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
		assert_int_equal(answer.no_keys, without != 0);
		assert_int_equal(answer.verdict.answer, without == 0 ? PPP_GRANTED : PPP_REFUSED);
	}
}

static void
a_reject_says_why(void **state)
{
	struct ppp_question q = question(PPP_MSCHAPV2);
	struct radius_request request;
	struct radius_answer answer;
	struct reply r;

	(void)state;
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	reply_begin(&r, 3, &request);
	reply_put(&r, 18, "Closed on Sundays", 17);
	reply_put_microsoft(&r, 2, "\tE=646 R=1 C=00 V=3", 19);
	reply_sign(&r, secret);
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
	assert_int_equal(answer.verdict.answer, PPP_REFUSED);
	assert_int_equal(answer.verdict.error, 646);
	assert_string_equal(answer.verdict.text, "Closed on Sundays");
}

static void
eap_goes_both_ways(void **state)
{
	static const uint8_t key[32] = "thirty-two bytes of receive key";
	uint8_t eap[700] = { 1, 2, 700 >> 8, 700 & 255, 25 };
	struct ppp_question q = question(PPP_EAP_RELAY);
	struct radius_request request;
	struct radius_answer answer;
	struct reply r;

	(void)state;
	assert_true(radius_ask(&request, 5, chance, secret, &q, &facts, NULL));
	reply_begin(&r, 11, &request);
	reply_put(&r, 79, eap, 253);
	reply_put(&r, 79, eap + 253, 253);
	reply_put(&r, 79, eap + 506, 194);
	reply_put(&r, 24, "state", 5);
	reply_sign(&r, secret);
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
	assert_int_equal(answer.verdict.answer, PPP_GO_ON);
	assert_int_equal(answer.verdict.eap_size, 700);
	assert_memory_equal(answer.verdict.eap, eap, 700);
	assert_int_equal(answer.state.n, 5);
	/* A challenge to anything else than EAP is nothing that could be answered. */
	q.method = PPP_PAP;
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
	assert_int_equal(answer.verdict.answer, PPP_REFUSED);
	q.method = PPP_EAP_RELAY;
	/* Of EAP's 32 + 32 the receiving one counts. */
	reply_begin(&r, 2, &request);
	reply_put_key(&r, 16, eap, 32, &request);
	reply_put_key(&r, 17, key, 32, &request);
	reply_sign(&r, secret);
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
	assert_int_equal(answer.verdict.answer, PPP_GRANTED);
	assert_memory_equal(answer.verdict.key, key, 32);
	/* More EAP than a frame holds is cut, not written behind its end. */
	reply_begin(&r, 11, &request);
	for (unsigned i = 0; i < 12; i++)
		reply_put(&r, 79, eap, 253);
	reply_sign(&r, secret);
	assert_int_equal(read_reply(&answer, &r, wr_size(&r.w), &request, &q), RADIUS_ANSWER);
	assert_true(answer.eap_size <= PPP_MRU);
}

/* ---- accounting ---- */

static void
accounting_counts_beyond_four_gigabytes(void **state)
{
	const struct radius_usage stop = {
		.event = RADIUS_STOP,
		.cause = RADIUS_SESSION_TIMEOUT,
		.user = "nemo",
		.in_bytes = (7ULL << 32) + 5,
		.out_bytes = 6,
		.seconds = 3600,
		.when = 1000,
	};
	const struct radius_usage start = { .event = RADIUS_START, .user = "nemo" };
	struct radius_request q;
	uint8_t authenticator[16], copy[RADIUS_MAX];
	struct digest_part parts[] = { { copy, 0 }, { secret, strlen(secret) } };
	size_t n;

	(void)state;
	assert_true(radius_account(&q, 8, secret, &stop, &facts));
	assert_int_equal(q.bytes[0], 4);
	is_authenticated(&q, true);
	has(&q, 40, false, "\0\0\0\2", 4);
	has(&q, 42, false, "\0\0\0\5", 4);
	has(&q, 52, false, "\0\0\0\7", 4);
	has(&q, 43, false, "\0\0\0\6", 4);
	assert_null(find(q.bytes, q.n, 53, false, &n));
	has(&q, 46, false, "\0\0\x0e\x10", 4);
	has(&q, 49, false, "\0\0\0\5", 4);
	has(&q, 55, false, "\0\0\3\xe8", 4);
	/* RFC 2866 3: its authenticator. */
	memcpy(copy, q.bytes, q.n);
	memset(copy + 4, 0, 16);
	parts[0].n = q.n;
	assert_true(digest_of(DIGEST_MD5, parts, 2, authenticator));
	assert_memory_equal(authenticator, q.bytes + 4, 16);

	assert_true(radius_account(&q, 8, secret, &start, &facts));
	has(&q, 40, false, "\0\0\0\1", 4);
	assert_null(find(q.bytes, q.n, 42, false, &n));
	assert_null(find(q.bytes, q.n, 49, false, &n));
}

static void
accounting_is_taken_by_who_knows_the_secret(void **state)
{
	const struct radius_usage start = { .event = RADIUS_START, .user = "nemo" };
	struct radius_request q;
	struct reply r;

	(void)state;
	assert_true(radius_account(&q, 8, secret, &start, &facts));
	reply_begin(&r, 5, &q);
	r.w.p = r.bytes + 20;
	r.bytes[20] = 0;
	reply_sign(&r, secret);
	assert_int_equal(radius_read_account(r.bytes, 20, &q, secret), RADIUS_ANSWER);
	assert_int_equal(radius_read_account(r.bytes, 19, &q, secret), RADIUS_NONE);
	assert_int_equal(radius_read_account(r.bytes, 20, &q, "another"), RADIUS_UNSIGNED);
	r.bytes[1] ^= 1; /* to another request */
	assert_int_equal(radius_read_account(r.bytes, 20, &q, "another"), RADIUS_NONE);
	r.bytes[1] ^= 1;
	r.bytes[0] = 2;
	reply_sign(&r, secret);
	assert_int_equal(radius_read_account(r.bytes, 20, &q, secret), RADIUS_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_is_hidden_as_in_the_rfc),
		cmocka_unit_test(passwords_have_a_longest),
		cmocka_unit_test(each_method_has_its_attributes),
		cmocka_unit_test(a_name_must_fit),
		cmocka_unit_test(an_accept_says_all_it_says),
		cmocka_unit_test(an_answer_of_another_is_none),
		cmocka_unit_test(without_a_mac_nothing_is_believed),
		cmocka_unit_test(malformed_attributes_are_no_answer),
		cmocka_unit_test(addresses_of_the_user_s_or_our_choice_are_none),
		cmocka_unit_test(a_prefix_is_whole_and_no_more),
		cmocka_unit_test(mschap_without_keys_is_refused),
		cmocka_unit_test(a_reject_says_why),
		cmocka_unit_test(eap_goes_both_ways),
		cmocka_unit_test(accounting_counts_beyond_four_gigabytes),
		cmocka_unit_test(accounting_is_taken_by_who_knows_the_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
