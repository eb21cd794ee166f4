/* SPDX-License-Identifier: Apache-2.0 */
/* tls/trust.h -- whom a context trusts: CAs, revocation lists, pinned certificates. */
#ifndef GINNEL_TLS_TRUST_H
#define GINNEL_TLS_TRUST_H

#include "base/files.h"
#include "tls/context.h"

/*
 * CAfile, CApath, CAstore, CAengine, CRLfile and CRLpath into the store; the pins; a server's list
 * of CA names.  Every fault goes to the sink with the option that caused it.
 */
void trust_load(struct tls_context *, struct files *, struct sink *);

#endif
