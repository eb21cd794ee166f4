/* SPDX-License-Identifier: Apache-2.0 */
/* tls/tls_stream.h -- TLS as a filter on a net/stream, by a BIO of our own. */
#ifndef GINNEL_TLS_TLS_STREAM_H
#define GINNEL_TLS_TLS_STREAM_H

#include "net/resolve.h"
#include "net/stream.h"
#include "tls/context.h"
#include "tls/resume.h"

/*
 * Put TLS on an open stream; bytes already in stream->in are read first.  `cache` and `peer`:
 * client only, for resumption (cache NULL: none).  `resolver` finds OCSP responders.  False: no
 * memory; the stream is as it was.  After stream_start() has said IO_OK, the peer is verified as
 * `tc` demands, and whoever may know of its revocation has been asked.
 */
bool tls_stream_open(struct stream *, const struct tls_context *tc, struct resolver *,
    struct resume_cache *cache, const struct addr *peer) MUST_CHECK;

/* Of an accepted stream with TLS: the name that the client asked for (NULL: none), the version. */
const char *tls_stream_sni(const struct stream *);
const char *tls_stream_version(const struct stream *);

/*
 * The names of the peer's certificate, as the log writes them but whole.  False: it showed none, or
 * a name does not fit (a part of a name could be the name of somebody else).
 */
bool tls_stream_peer_names(
    const struct stream *, char *subject, char *issuer, size_t size) MUST_CHECK;

#endif
