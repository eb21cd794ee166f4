/* SPDX-License-Identifier: Apache-2.0 */
/* tls/pki.h -- make certificates: for the demonstration, for tests, for mutual TLS at home. */
#ifndef GINNEL_TLS_PKI_H
#define GINNEL_TLS_PKI_H

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/* A certificate and its key; both NULL when empty. */
struct pki_pair {
	X509 *cert;
	EVP_PKEY *key;
};
void pki_pair_done(struct pki_pair *);

enum pki_use { PKI_CA, PKI_SERVER, PKI_CLIENT };

struct pki_want {
	enum pki_use use;
	const char *name;  /* common name */
	const char *sans;  /* "DNS:localhost,IP:127.0.0.1", or NULL */
	long begins, ends; /* seconds from now */
};

/* Make a P-256 key and a certificate signed by `issuer` (NULL: itself).  False: OpenSSL failed. */
bool pki_issue(
    const struct pki_want *, const struct pki_pair *issuer, struct pki_pair *out) MUST_CHECK;

/*
 * A throw-away CA's certificate (ca.pem), and server.pem and client.pem with key (0600) and
 * certificate, in the directory `dir`.  The CA's key is not kept.  False with `why` set.
 */
bool pki_demo_write(const char *dir, char *why, size_t size) MUST_CHECK;

#endif
