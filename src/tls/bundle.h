/* SPDX-License-Identifier: Apache-2.0 */
/* tls/bundle.h -- a file of certificates and revocation lists, as objects. */
#ifndef GINNEL_TLS_BUNDLE_H
#define GINNEL_TLS_BUNDLE_H

#include "base/files.h"
#include "base/option.h"

#include <openssl/x509.h>
#include <stdbool.h>

enum { BUNDLE_WORDS = 256 }; /* room for OpenSSL's words */

/* What one file held. */
struct bundle {
	STACK_OF(X509) *certs;
	STACK_OF(X509_CRL) *crls;
	bool failed;		/* something in it could not be read */
	char why[BUNDLE_WORDS]; /* ... the first such */
};

/* Read a file's bytes.  False: said why, under the option that names it. */
bool bundle_fetch(struct files *, struct sink *, const char *option, const char *path,
    struct file *out) MUST_CHECK;
bool bundle_is_pem(const struct file *);

/* False: no memory; bundle_done() is due all the same. */
bool bundle_begin(struct bundle *) MUST_CHECK;
/* PEM with any number of both, or one of them in DER; keys and what else there is are passed over.
 */
void bundle_read(struct bundle *, const struct file *);
void bundle_done(struct bundle *);

#endif
