/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/eap_tls.h -- TLS without a stream, for EAP (RFC 5216; RFC 9190 with TLS 1.3): messages in,
 * messages out, and at the end a key and a name.
 *
 * The context's rules decide who may pass, as for any tunnel; a peer without a certificate never
 * does.  The context is one of its own, without resumption.
 */
#ifndef GINNEL_TLS_EAP_TLS_H
#define GINNEL_TLS_EAP_TLS_H

#include "base/log.h"
#include "tls/context.h"

struct eap_tls;

enum eap_tls_state {
	EAP_TLS_MORE,	/* what is left is to be sent, and the peer's next message is waited for */
	EAP_TLS_DONE,	/* the peer has been verified, and each side knows it of the other */
	EAP_TLS_FAILED, /* ... an alert may be left to be sent */
};

/* Bytes of one message that a peer may send: more than chains of certificates have. */
enum { EAP_TLS_MESSAGE_MAX = 64 * 1024 };

/* NULL: no memory.  The context outlives it. */
struct eap_tls *eap_tls_new(const struct tls_context *, const struct log_ctx *) MUST_CHECK;
void eap_tls_free(struct eap_tls *); /* NULL is fine */

/* A piece of the peer's message; false: there have been too many. */
bool eap_tls_put(struct eap_tls *, const uint8_t *, size_t n) MUST_CHECK;
/* The message is whole; a client begins with none. */
enum eap_tls_state eap_tls_step(struct eap_tls *);

/* What is to be sent, and the next piece of at most `n` bytes of it. */
size_t eap_tls_left(const struct eap_tls *);
size_t eap_tls_take(struct eap_tls *, uint8_t *out, size_t n);

/* Behind EAP_TLS_DONE: the first `n` bytes, at most 64, of the MSK. */
bool eap_tls_key(struct eap_tls *, uint8_t *out, size_t n) MUST_CHECK;
/*
 * ... and whom the peer's certificate names (RFC 5216 5.2): its principal name as Windows writes
 * it, else its mail address, else its common name.  False: nobody, or in more than size - 1 bytes.
 */
bool eap_tls_name(struct eap_tls *, char *out, size_t size) MUST_CHECK;

#endif
