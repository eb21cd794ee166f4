/* SPDX-License-Identifier: Apache-2.0 */
/* tls/ocsp_answer.h -- OCSP questions and answers as bytes: made, verified, understood (RFC 6960).
 */
#ifndef GINNEL_TLS_OCSP_ANSWER_H
#define GINNEL_TLS_OCSP_ANSWER_H

#include "base/check.h"
#include "base/log.h"

#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* About one certificate.  Both are the caller's to keep. */
struct ocsp_subject {
	X509 *cert, *issuer;
};

struct ocsp_question {
	OCSP_REQUEST *request;
	uint8_t *bytes;
	size_t size;
};
/* False: no memory; there is nothing to free. */
bool ocsp_answer_ask(const struct ocsp_subject *, bool nonce, struct ocsp_question *out) MUST_CHECK;
void ocsp_answer_asked(struct ocsp_question *); /* zeroed is fine */

enum ocsp_status {
	OCSP_OPEN, /* inconclusive: nobody has said, or not in a way that counts */
	OCSP_GOOD,
	OCSP_REVOKED,
};

struct ocsp_answer {
	enum ocsp_status status;
	time_t until; /* it holds so long; 0: only now */
};

/* Whom an answer must be signed by, and how that is verified. */
struct ocsp_trust {
	X509_STORE *store;
	STACK_OF(X509) *chain; /* the subject's issuers, to complete the signer's chain */
	unsigned long flags;   /* of OCSP_basic_verify(3) */
};

/*
 * Verify the bytes of an answer about `subject` and say what it says.  `nonce_of`: it must repeat
 * the nonce of this request; NULL: none was sent.  Logs the cause of OCSP_OPEN.
 */
struct ocsp_answer ocsp_answer_read(const struct log_ctx *, const uint8_t *bytes, size_t size,
    const struct ocsp_subject *, OCSP_REQUEST *nonce_of, const struct ocsp_trust *);

#endif
