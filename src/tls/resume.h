/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/resume.h -- sessions that are taken up again.
 *
 * Server: tickets under keys of our own, one ring a trust domain, rotated; a session keeps the time
 * of its full handshake through every renewal, so it never outlives sessionCacheTimeout or its
 * peer's certificate.  Client: the last session for each context and address, one cache a worker.
 */
#ifndef GINNEL_TLS_RESUME_H
#define GINNEL_TLS_RESUME_H

#include "net/addr.h"
#include "tls/context.h"

struct ticket_ring; /* any thread; locks for itself; reference-counted over reloads */
/* After the trust hash.  NULL: no memory or no randomness. */
struct ticket_ring *ticket_ring_new(const struct tls_context *);
struct ticket_ring *ticket_ring_hold(struct ticket_ring *);
void ticket_ring_release(struct ticket_ring *);

/* Install caching, tickets and the life of sessions into `tc->ctx`.  False: no memory. */
bool resume_install(struct tls_context *tc) MUST_CHECK;

/* After a handshake that resumed: does the session belong to exactly this trust, and is it young
 * enough? */
bool resume_is_ours(SSL *, const struct tls_context *);

/*
 * TLS 1.3 takes a pre-shared key for a session.  The mark says that it is one, and is kept by every
 * ticket that follows from it.
 */
bool resume_mark_psk(SSL_SESSION *, const struct tls_context *) MUST_CHECK;
bool resume_has_psk_mark(const SSL *, const struct tls_context *);

/*
 * In a server, after the handshake: a number that this client shows again when it resumes the
 * session, or one that follows from it, and that nobody else can show.  0: there is none.
 */
uint64_t resume_visitor(const SSL *, const struct tls_context *);

struct resume_cache; /* client sessions of one worker */
struct resume_cache *resume_cache_new(void);
void resume_cache_free(struct resume_cache *);
/* Offer what is kept for this context and address, and keep what the server sends.  Call before
 * SSL_connect. */
void resume_offer(struct resume_cache *, SSL *, const struct tls_context *, const struct addr *);
/* A plan is gone: forget the sessions of its contexts. */
void resume_forget(struct resume_cache *, const struct tls_context *);

#endif
