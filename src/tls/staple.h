/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/staple.h -- a server's own OCSP answer, stapled to its handshakes (RFC 6066 8).
 *
 * One worker fetches it from the responder that our certificate names, at the start and again well
 * before it expires, beside its tunnels; no start and no handshake waits for it.
 */
#ifndef GINNEL_TLS_STAPLE_H
#define GINNEL_TLS_STAPLE_H

#include "tls/context.h"
#include "tls/ocsp_fetch.h"

/* What a context staples now; any thread. */
struct staple;

/*
 * For a server's context whose certificate is loaded: set tc->staple up, if the certificate names a
 * responder and its issuer is known.  `previous` as in tls_context_new(): its answer about the same
 * certificate stays in use.  False: no memory.
 */
bool staple_install(struct tls_context *tc, const struct tls_context *previous) MUST_CHECK;
void staple_free(struct staple *); /* NULL is fine */

/* Keeps the answers of a plan's contexts fresh; one thread, that of env's loop. */
struct stapler;

/* Begin for one more context: it is put at the head of *list. */
void stapler_start(struct stapler **list, const struct tls_context *tc, struct loop *,
    struct pool *, struct resolver *);
void stapler_stop(struct stapler **list); /* all of them, before their contexts go */

#endif
