/* SPDX-License-Identifier: Apache-2.0 */
/* tls/alert.c -- tell a peer whose handshake has ended that it is refused after all. */
#include "tls/alert.h"

#include <openssl/err.h>
#include <pthread.h>

/* From the range for private use (RFC 8446 11); it is never sent. */
enum { NO_EXTENSION = 0xff5a };

/* The description that an SSL shall send; a pointer-sized number. */
static int description_index = -1;

static void
make_description_index(void)
{
	description_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int
description_slot(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_description_index);
	return description_index;
}

/*
 * A custom_ext_add_cb: runs while a NewSessionTicket is being made.  It adds nothing, but is the
 * one place after a TLS 1.3 handshake where OpenSSL lets us choose an alert.
 */
static int
on_ticket_extension(SSL *ssl, unsigned type, unsigned context, const unsigned char **out,
    size_t *size, X509 *cert, size_t index, int *alert, void *arg)
{
	uintptr_t description = (uintptr_t)SSL_get_ex_data(ssl, description_slot());

	(void)type;
	(void)context;
	(void)out;
	(void)size;
	(void)cert;
	(void)index;
	(void)arg;
	if (description == 0)
		return 0;
	*alert = (int)description;
	return -1;
}

bool
alert_install(SSL_CTX *ctx)
{
	return description_slot() >= 0 &&
	       SSL_CTX_add_custom_ext(ctx, NO_EXTENSION, SSL_EXT_TLS1_3_NEW_SESSION_TICKET,
		   on_ticket_extension, NULL, NULL, NULL, NULL) == 1;
}

/*
 * TLS 1.2 and below: what we sent so far was in clear, and the ChangeCipherSpec that would end that
 * is still with us.  Take the flight back, and the next record may be an alert in clear (RFC 5246
 * 7.2.2).
 */
static void
send_in_clear(struct stream *s, int version, int description)
{
	const uint8_t record[] = { SSL3_RT_ALERT, (uint8_t)(version >> 8), (uint8_t)version, 0, 2,
		SSL3_AL_FATAL, (uint8_t)description };

	buf_clear(&s->out, s->pool);
	if (!buf_append(&s->out, s->pool, record, sizeof(record)))
		buf_clear(&s->out, s->pool); /* no memory: the peer sees an end without a cause */
}

void
alert_send(struct stream *s, SSL *ssl, int description)
{
	if (SSL_version(ssl) < TLS1_3_VERSION) {
		send_in_clear(s, SSL_version(ssl), description);
	} else if (SSL_is_server(ssl) &&
		   SSL_set_ex_data(
		       ssl, description_slot(), (void *)(uintptr_t)(unsigned)description) &&
		   SSL_new_session_ticket(ssl)) {
		(void)SSL_do_handshake(ssl); /* fails, as on_ticket_extension() wants */
	}
	ERR_clear_error();
}
