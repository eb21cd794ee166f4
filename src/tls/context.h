/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/context.h -- everything that one side of a service needs for TLS, made once per
 * configuration.
 *
 * Immutable once made, and shared by all workers (the ticket ring and OpenSSL's caches lock for
 * themselves).  This is the one place that makes an SSL_CTX.
 */
#ifndef GINNEL_TLS_CONTEXT_H
#define GINNEL_TLS_CONTEXT_H

#include "base/files.h"
#include "tls/conf.h"

#include <openssl/ssl.h>

enum tls_role { TLS_SERVER, TLS_CLIENT };

enum { TLS_TRUST_SIZE = 32 };

struct tls_context {
	unsigned magic;
	enum tls_role role;
	SSL_CTX *ctx;
	const struct tls_conf *conf; /* the configuration's; outlives the context */
	const char *service;
	const char *sni;	/* client: the name to send, or NULL for none */
	STACK_OF(X509) *pinned; /* certificates that verifyPeer accepts; may be NULL */
	/*
	 * SHA-256 over everything that decides whom this side trusts.  It is the session-id
	 * context, it is stored in every ticket, and it is compared again after every resumption.
	 */
	unsigned char trust[TLS_TRUST_SIZE];
	struct ticket_ring *tickets; /* server only */
	struct ocsp_kept *ocsp;	     /* NULL: nothing is to be asked about revocation */
	struct staple *staple;	     /* server only; NULL: nothing to staple */
	struct sessiond *sessiond;   /* server only; NULL: no external cache is in use */
	struct psk_table *psk;	     /* pre-shared keys; NULL: none are in use */
};

/*
 * Load, check and build.  Every fault goes to the sink with the option that caused it (all of them,
 * not just the first); then NULL.  `default_sni` is used in client mode when conf->sni is NULL.
 * `previous`: the context of the same service before a reload, or NULL; if nothing that decides
 * trust has changed, its ticket keys stay in use.
 */
struct tls_context *tls_context_new(const struct tls_conf *, enum tls_role, const char *service,
    const char *default_sni, const struct tls_context *previous, struct files *, struct sink *);
void tls_context_free(struct tls_context *); /* NULL is fine */

/*
 * Server, before its first use: a client that asks for protocols by ALPN must name this one among
 * them (RFC 7301 3.2); who does not ask is served.  The name is the caller's.
 */
void tls_context_take_alpn(struct tls_context *, const char *name);

/* Once, before anything else of tls/: the library's start.  False: logged. */
bool tls_library_start(void) MUST_CHECK;

#endif
