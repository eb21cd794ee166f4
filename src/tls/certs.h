/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/certs.h -- own certificate and key, from bytes into a context.
 *
 * Files are read through `struct files` and never by OpenSSL itself, so that relative names, a
 * changed root and a dropped user do not matter.  Every fault goes to the sink with the option that
 * caused it.
 */
#ifndef GINNEL_TLS_CERTS_H
#define GINNEL_TLS_CERTS_H

#include "base/files.h"
#include "tls/context.h"

/*
 * cert and key: PEM (the leaf first, then its chain), DER or PKCS#12.  `may_ask`: the passphrase of
 * an encrypted key may be asked on the terminal.
 */
void certs_load_own(struct tls_context *, struct files *, bool may_ask, struct sink *);

#endif
