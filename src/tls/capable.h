/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/capable.h -- a certificate that suits TLS 1.3 is known to do so.
 *
 * Not every certificate does: an EC key must be on a curve that a signature scheme names (RFC 8446
 * 4.2.3).  OpenSSL 3.0 asks for the curve once or twice in each handshake, by names and under
 * locks, which is 2 % of a resumed TLS 1.2 connection.  Only where a callback could still bring
 * another certificate it takes TLS 1.3 for granted (is_tls13_capable() in ssl/statem/statem_lib.c).
 */
#ifndef GINNEL_TLS_CAPABLE_H
#define GINNEL_TLS_CAPABLE_H

#include "tls/context.h"

/*
 * With the certificate loaded.  If it surely suits TLS 1.3, install a callback that brings no other
 * one; else OpenSSL goes on asking, and serves such a certificate with TLS 1.2.
 */
void capable_install(struct tls_context *);

#endif
