/* SPDX-License-Identifier: Apache-2.0 */
/* tls/tls_stream.h -- TLS as a filter on a net/stream, by a BIO of our own. */
#ifndef GINNEL_TLS_TLS_STREAM_H
#define GINNEL_TLS_TLS_STREAM_H

#include "net/resolve.h"
#include "net/stream.h"
#include "tls/context.h"
#include "tls/peer_id.h"
#include "tls/resume.h"

/*
 * Put TLS on an open stream; bytes already in stream->in are read first.  `resolver` finds OCSP
 * responders.  False: no memory; the stream is as it was.  After stream_start() has said IO_OK, the
 * peer is verified as `tc` demands, and whoever may know of its revocation has been asked.
 */

/* As a server; `name`: what the client's hello asks for, "" for nothing. */
bool tls_stream_accept(
    struct stream *, const struct tls_context *tc, struct resolver *, const char *name) MUST_CHECK;
/* As a client; `cache` and `peer` are for resumption (cache NULL: none). */
bool tls_stream_connect(struct stream *, const struct tls_context *tc, struct resolver *,
    struct resume_cache *cache, const struct addr *peer) MUST_CHECK;

/*
 * After stream_start() has failed: let a peer go on whose certificate is missing, was rejected or
 * is revoked, if tc->conf->redirect is set.  It has the handshake behind it and may use the stream,
 * but must not get what the verified get.  False: it is over.
 */
bool tls_stream_admit(struct stream *) MUST_CHECK;

/* Of an accepted stream with TLS: the name that the client asked for (NULL: none), the version. */
const char *tls_stream_sni(const struct stream *);
const char *tls_stream_version(const struct stream *);
/*
 * The server's certificate of this connection in DER, ours or the peer's; free() it.  NULL: there
 * is none, or no memory.
 */
uint8_t *tls_stream_server_cert(const struct stream *, size_t *n);
bool tls_stream_has_alpn(const struct stream *); /* it asked for tls_context_take_alpn()'s name */

/* The number of a client that may come back, see resume_visitor(); and has it? */
uint64_t tls_stream_visitor(const struct stream *, bool *resumed);

/* For tls/ itself: the library's object, and the context that it was made of. */
const SSL *tls_stream_ssl(const struct stream *, const struct tls_context **tc);
/* Was the peer let in by tls_stream_admit()? */
bool tls_stream_is_unverified(const struct stream *);

/*
 * The names of the peer's certificate, as the log writes them but whole.  False: it showed none, or
 * a name does not fit (a part of a name could be the name of somebody else).
 */
bool tls_stream_peer_names(
    const struct stream *, char *subject, char *issuer, size_t size) MUST_CHECK;

/*
 * Whom its certificate names, for peer_id_free().  NULL: it showed none, nobody verified it, or
 * there is no memory; all of them count as nobody.
 */
struct peer_id *tls_stream_peer_id(const struct stream *);

#endif
