/* SPDX-License-Identifier: Apache-2.0 */
/* tls/ocsp_answer.c -- OCSP questions and answers as bytes: made, verified, understood. */
#include "tls/ocsp_answer.h"

#include "tls/errors.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

enum {
	LEEWAY_S = 60, /* clocks differ; the incumbent's value */
	/*
	 * Without nextUpdate "newer information is always available" (RFC 6960 4.2.2.1): an old
	 * answer of that kind is a replay.
	 */
	FRESH_S = 24 * 60 * 60,
};

/* ---- questions ---- */

/* SHA-1 names the certificate, as RFC 5019 2.1.1 demands; nothing is trusted for it. */
static OCSP_CERTID *
name_of(const struct ocsp_subject *s)
{
	return OCSP_cert_to_id(EVP_sha1(), s->cert, s->issuer);
}

bool
ocsp_answer_ask(const struct ocsp_subject *subject, bool nonce, struct ocsp_question *out)
{
	OCSP_CERTID *name = name_of(subject);
	int n = -1;

	*out = (struct ocsp_question){ .request = OCSP_REQUEST_new() };
	if (out->request == NULL || name == NULL || !OCSP_request_add0_id(out->request, name)) {
		OCSP_CERTID_free(name);
		goto fail;
	}
	if (!nonce || OCSP_request_add1_nonce(out->request, NULL, -1) == 1)
		n = i2d_OCSP_REQUEST(out->request, &out->bytes);
	if (n > 0) {
		out->size = (size_t)n;
		return true;
	}
fail:
	ERR_clear_error();
	ocsp_answer_asked(out);
	return false;
}

void
ocsp_answer_asked(struct ocsp_question *q)
{
	OCSP_REQUEST_free(q->request);
	OPENSSL_free(q->bytes);
	*q = (struct ocsp_question){ .request = NULL };
}

/* ---- answers ---- */

static struct ocsp_answer
inconclusive(const struct log_ctx *log, const char *why)
{
	ERR_clear_error();
	log_err(log, "OCSP: %s", why);
	return (struct ocsp_answer){ .status = OCSP_OPEN };
}

static OCSP_RESPONSE *
parse(const uint8_t *bytes, size_t size)
{
	const unsigned char *p = bytes;
	OCSP_RESPONSE *r =
	    size > 0 && size <= LONG_MAX ? d2i_OCSP_RESPONSE(NULL, &p, (long)size) : NULL;

	if (r != NULL && p == bytes + size)
		return r;
	OCSP_RESPONSE_free(r);
	return NULL;
}

/* OCSP_check_nonce(3): 1 is "equal"; all else is no proof that the answer is new. */
static bool
nonce_passes(OCSP_REQUEST *nonce_of, OCSP_BASICRESP *basic)
{
	return nonce_of == NULL || OCSP_check_nonce(nonce_of, basic) == 1;
}

static time_t
time_of(const ASN1_GENERALIZEDTIME *t)
{
	struct tm tm;

	return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

static struct ocsp_answer
single_answer(const struct log_ctx *log, OCSP_BASICRESP *basic, OCSP_CERTID *name)
{
	ASN1_GENERALIZEDTIME *revoked, *this_update, *next_update;
	struct ocsp_answer answer = { .status = OCSP_OPEN };
	int status, reason;

	if (!OCSP_resp_find_status(
		basic, name, &status, &reason, &revoked, &this_update, &next_update))
		return inconclusive(log, "The answer is about another certificate");
	if (OCSP_check_validity(
		this_update, next_update, LEEWAY_S, next_update == NULL ? FRESH_S : -1) != 1)
		return inconclusive(log, "The answer is out of date, or not valid yet");
	answer.until = time_of(next_update);
	switch (status) {
	case V_OCSP_CERTSTATUS_GOOD:
		log_notice(log, "OCSP: Certificate accepted");
		answer.status = OCSP_GOOD;
		return answer;
	case V_OCSP_CERTSTATUS_REVOKED:
		log_err(log, "OCSP: Certificate revoked: %s",
		    reason == -1 ? "no reason given" : OCSP_crl_reason_str(reason));
		answer.status = OCSP_REVOKED;
		return answer;
	default:
		return inconclusive(log, "The responder does not know the certificate");
	}
}

static struct ocsp_answer
verified_answer(const struct log_ctx *log, OCSP_BASICRESP *basic, OCSP_CERTID *name,
    OCSP_REQUEST *nonce_of, const struct ocsp_trust *trust)
{
	char why[256], text[320];

	if (!nonce_passes(nonce_of, basic))
		return inconclusive(log, "The answer does not repeat the nonce of the question");
	ERR_clear_error();
	if (OCSP_basic_verify(basic, trust->chain, trust->store, trust->flags) != 1) {
		(void)snprintf(text, sizeof(text), "The answer's signature does not count: %s",
		    errors_take(why, sizeof(why)));
		return inconclusive(log, text);
	}
	return single_answer(log, basic, name);
}

struct ocsp_answer
ocsp_answer_read(const struct log_ctx *log, const uint8_t *bytes, size_t size,
    const struct ocsp_subject *subject, OCSP_REQUEST *nonce_of, const struct ocsp_trust *trust)
{
	OCSP_RESPONSE *response = parse(bytes, size);
	OCSP_BASICRESP *basic = NULL;
	OCSP_CERTID *name = name_of(subject);
	struct ocsp_answer answer;
	char text[128];
	int status;

	if (response == NULL) {
		answer = inconclusive(log, "The answer is malformed");
	} else if ((status = OCSP_response_status(response)) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
		(void)snprintf(text, sizeof(text), "The responder refuses to answer: %s",
		    OCSP_response_status_str(status));
		answer = inconclusive(log, text);
	} else if (name == NULL || (basic = OCSP_response_get1_basic(response)) == NULL) {
		answer = inconclusive(log, "The answer is of an unknown kind");
	} else {
		answer = verified_answer(log, basic, name, nonce_of, trust);
	}
	OCSP_CERTID_free(name);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return answer;
}
