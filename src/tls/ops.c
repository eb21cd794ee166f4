/* SPDX-License-Identifier: Apache-2.0 */
/* tls/ops.c -- the table of OpenSSL's SSL_OP_ bits; the one place that asks which of them exist. */
#include "tls/ops.h"

#include "base/text.h"

#include <openssl/ssl.h>

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define OP(name) #name, SSL_OP_##name

/* Those without a condition are in OpenSSL 3.0 already. */
const struct op ops_table[] = {
	{ OP(ALL) },
	{ OP(ALLOW_CLIENT_RENEGOTIATION) },
	{ OP(ALLOW_NO_DHE_KEX) },
	{ OP(ALLOW_UNSAFE_LEGACY_RENEGOTIATION) },
	{ OP(CIPHER_SERVER_PREFERENCE) },
	{ OP(CISCO_ANYCONNECT) },
	{ OP(CLEANSE_PLAINTEXT) },
	{ OP(COOKIE_EXCHANGE) },
	{ OP(CRYPTOPRO_TLSEXT_BUG) },
	{ OP(DISABLE_TLSEXT_CA_NAMES) },
	{ OP(DONT_INSERT_EMPTY_FRAGMENTS) },
	{ OP(ENABLE_KTLS) },
#ifdef SSL_OP_ENABLE_KTLS_TX_ZEROCOPY_SENDFILE
	{ OP(ENABLE_KTLS_TX_ZEROCOPY_SENDFILE) },
#endif
	{ OP(ENABLE_MIDDLEBOX_COMPAT) },
	{ OP(EPHEMERAL_RSA) },
	{ OP(IGNORE_UNEXPECTED_EOF) },
#ifdef SSL_OP_LEGACY_EC_POINT_FORMATS
	{ OP(LEGACY_EC_POINT_FORMATS) },
#endif
	{ OP(LEGACY_SERVER_CONNECT) },
	{ OP(MICROSOFT_BIG_SSLV3_BUFFER) },
	{ OP(MICROSOFT_SESS_ID_BUG) },
	{ OP(MSIE_SSLV2_RSA_PADDING) },
	{ OP(NETSCAPE_CA_DN_BUG) },
	{ OP(NETSCAPE_CHALLENGE_BUG) },
	{ OP(NETSCAPE_DEMO_CIPHER_CHANGE_BUG) },
	{ OP(NETSCAPE_REUSE_CIPHER_CHANGE_BUG) },
	{ OP(NO_ANTI_REPLAY) },
	{ OP(NO_COMPRESSION) },
	{ OP(NO_DTLS_MASK) },
	{ OP(NO_DTLSv1) },
	{ OP(NO_DTLSv1_2) },
	{ OP(NO_ENCRYPT_THEN_MAC) },
	{ OP(NO_EXTENDED_MASTER_SECRET) },
	{ OP(NO_QUERY_MTU) },
	{ OP(NO_RENEGOTIATION) },
#ifdef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
	{ OP(NO_RX_CERTIFICATE_COMPRESSION) },
#endif
	{ OP(NO_SESSION_RESUMPTION_ON_RENEGOTIATION) },
	{ OP(NO_SSL_MASK) },
	{ OP(NO_SSLv2) },
	{ OP(NO_SSLv3) },
	{ OP(NO_TICKET) },
	{ OP(NO_TLSv1) },
	{ OP(NO_TLSv1_1) },
	{ OP(NO_TLSv1_2) },
	{ OP(NO_TLSv1_3) },
#ifdef SSL_OP_NO_TX_CERTIFICATE_COMPRESSION
	{ OP(NO_TX_CERTIFICATE_COMPRESSION) },
#endif
	{ OP(PKCS1_CHECK_1) },
	{ OP(PKCS1_CHECK_2) },
#ifdef SSL_OP_PREFER_NO_DHE_KEX
	{ OP(PREFER_NO_DHE_KEX) },
#endif
	{ OP(PRIORITIZE_CHACHA) },
	{ OP(SAFARI_ECDHE_ECDSA_BUG) },
	{ OP(SINGLE_DH_USE) },
	{ OP(SINGLE_ECDH_USE) },
	{ OP(SSLEAY_080_CLIENT_DH_BUG) },
	{ OP(SSLREF2_REUSE_CERT_TYPE_BUG) },
	{ OP(TLSEXT_PADDING) },
	{ OP(TLS_BLOCK_PADDING_BUG) },
	{ OP(TLS_D5_BUG) },
	{ OP(TLS_ROLLBACK_BUG) },
	{ NULL, 0 },
};

const struct op *
ops_find(const char *name)
{
	for (const struct op *o = ops_table; o->name != NULL; o++)
		if (strcasecmp(o->name, name) == 0)
			return o;
	return NULL;
}

const struct op *
ops_nearest(const char *name)
{
	enum { NEAR = 4 }; /* so many edits, or half of the word, make it another word */
	const struct op *best = NULL;
	unsigned least = strlen(name) < 2 * NEAR ? (unsigned)strlen(name) / 2 : NEAR;

	for (const struct op *o = ops_table; o->name != NULL; o++) {
		unsigned edits = text_distance(o->name, name);

		if (edits < least) {
			least = edits;
			best = o;
		}
	}
	return best;
}
