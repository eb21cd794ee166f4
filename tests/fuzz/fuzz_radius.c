/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_radius.c -- any bytes as what a RADIUS server answers: as they are, which nobody
 * may believe, and as the attributes of an answer that is signed as it should be.
 */
#include "base/digest.h"
#include "base/wr.h"
#include "proto/radius.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char secret[] = "xyzzy5461";
static const uint8_t chance[RADIUS_AUTHENTICATOR] = "not by chance!!";

enum { HEAD = 20, MAC = 16, MESSAGE_AUTHENTICATOR = 80 };

static struct ppp_question
question_of(enum ppp_method method)
{
	static const uint8_t bytes[16] = { 2, 9, 0, 16, 1 }; /* an EAP Response, too */
	bool hashed = method == PPP_MSCHAPV2 || method == PPP_EAP_MSCHAPV2;

	return (struct ppp_question){
		.method = method,
		.user = "nemo",
		.id = 9,
		.secret = hashed ? NULL : bytes,
		.secret_size = hashed ? 0 : sizeof(bytes),
	};
}

static void
check_answer(const struct radius_answer *a)
{
	MUST(a->state.n <= sizeof(a->state.bytes) && a->class.n <= sizeof(a->class.bytes));
	MUST(a->eap_size <= sizeof(a->eap));
	MUST(a->prefix6.family == 0 ||
	     (a->prefix6.family == AF_INET6 && a->prefix6.prefix <= 8 * sizeof(a->prefix6.bits)));
	MUST(a->verdict.eap == NULL ||
	     (a->verdict.eap >= a->eap &&
		 a->verdict.eap + a->verdict.eap_size <= a->eap + sizeof(a->eap)));
	MUST(memchr(a->verdict.text, '\0', sizeof(a->verdict.text)) != NULL);
	MUST(memchr(a->verdict.proof, '\0', sizeof(a->verdict.proof)) != NULL);
}

/* RFC 3579 3.2: the MAC over the request's authenticator; RFC 2865 3: a signature over all. */
static size_t
sign(uint8_t *packet, uint8_t code, const struct radius_request *q, const uint8_t *data, size_t n)
{
	struct wr w = wr_of(packet, RADIUS_MAX);
	struct digest_part parts[] = { { packet, 0 }, { secret, strlen(secret) } };
	uint8_t mac[MAC];

	wr_u8(&w, code);
	wr_u8(&w, q->bytes[1]);
	wr_u16(&w, 0);
	wr_bytes(&w, q->bytes + 4, RADIUS_AUTHENTICATOR);
	wr_u8(&w, MESSAGE_AUTHENTICATOR);
	wr_u8(&w, 2 + MAC);
	wr_bytes(&w, (const uint8_t[MAC]){ 0 }, MAC);
	wr_bytes(&w, data, n);
	if (w.bad)
		return 0;
	wr_patch_u16(&w, 2, wr_size(&w));
	parts[0].n = wr_size(&w);
	MUST(digest_hmac(DIGEST_MD5, secret, strlen(secret), packet, parts[0].n, mac));
	memcpy(packet + HEAD + 2, mac, MAC);
	MUST(digest_of(DIGEST_MD5, parts, 2, mac));
	memcpy(packet + 4, mac, MAC);
	return parts[0].n;
}

static void
check_method(enum ppp_method method, const uint8_t *data, size_t n)
{
	static const uint8_t codes[] = { 2, 3, 11 }; /* accept, reject, challenge: RFC 2865 4 */
	const struct ppp_question question = question_of(method);
	const struct radius_facts facts = { .nas_name = "ginnel" };
	struct radius_request q;
	struct radius_answer answer;
	uint8_t packet[RADIUS_MAX];

	MUST(radius_ask(&q, 7, chance, secret, &question, &facts, NULL));
	MUST(radius_read(&answer, data, n, &q, secret, &question) != RADIUS_ANSWER);
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		size_t size = sign(packet, codes[i], &q, data, n);

		if (size > 0 &&
		    radius_read(&answer, packet, size, &q, secret, &question) == RADIUS_ANSWER)
			check_answer(&answer);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum ppp_method methods[] = { PPP_PAP, PPP_CHAP_MD5, PPP_MSCHAPV2,
		PPP_EAP_MSCHAPV2, PPP_EAP_RELAY };
	struct radius_request q;

	for (size_t i = 0; i < COUNT_OF(methods); i++)
		check_method(methods[i], data, n);
	MUST(radius_account(&q, 7, secret,
	    &(struct radius_usage){ .event = RADIUS_STOP, .cause = RADIUS_IDLE, .user = "nemo" },
	    &(struct radius_facts){ .nas_name = "ginnel", .session = "1" }));
	MUST(radius_read_account(data, n, &q, secret) != RADIUS_ANSWER);
	return 0;
}
