/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/sni.h -- the name that a client asked for before there was an SSL, held on to.
 *
 * The name decides which service, and so which SSL_CTX, a client gets.  From then on it must not
 * change: not in a second ClientHello, and not between a session and its resumption.
 */
#ifndef GINNEL_TLS_SNI_H
#define GINNEL_TLS_SNI_H

#include "net/stream.h"
#include "tls/context.h"

/* Watch the hellos of this server; NULL arguments never come. */
void sni_install(struct tls_context *);

/*
 * Before the handshake of a server: `name` is what its hello asks for ("": nothing).  Another hello
 * must ask for the same, and sessions are for this name alone (RFC 6066 3).  False: no memory.
 */
bool sni_bind(SSL *, const struct tls_context *, const char *name) MUST_CHECK;

/* The name that a server's SSL is bound to; NULL: none was asked for, or it is not bound. */
const char *sni_name(const SSL *);

/* The session-id context of this SSL: its trust hash, and the name's if it was bound. */
const unsigned char *sni_context(const SSL *, const struct tls_context *);

/* In place of a handshake: tell the client that there is nobody of that name (RFC 6066 3). */
void sni_refuse(struct stream *);

#endif
