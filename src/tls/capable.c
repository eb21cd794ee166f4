/* SPDX-License-Identifier: Apache-2.0 */
/* tls/capable.c -- a certificate that suits TLS 1.3 is known to do so. */
#include "tls/capable.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <string.h>

/* The curves of the signature schemes of RFC 8446 4.2.3, as OpenSSL names them. */
static const char *const curves[] = { "prime256v1", "secp384r1", "secp521r1" };

/* Other kinds of keys suit without a question. */
static bool
is_on_such_a_curve(EVP_PKEY *key)
{
	char curve[64];

	if (!EVP_PKEY_is_a(key, "EC") || !EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL))
		return false;
	for (size_t i = 0; i < COUNT_OF(curves); i++)
		if (strcmp(curve, curves[i]) == 0)
			return true;
	return false;
}

/* An SSL_CTX_set_tlsext_servername_callback(3) that answers as OpenSSL does without one. */
static int
on_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_NOACK;
}

void
capable_install(struct tls_context *tc)
{
	EVP_PKEY *key = SSL_CTX_get0_privatekey(tc->ctx);

	/* `config` may have named other signature schemes. */
	if (key != NULL && tc->conf->config.n == 0 && is_on_such_a_curve(key))
		SSL_CTX_set_tlsext_servername_callback(tc->ctx, on_name);
}
