/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/signatures.c -- signatures on certificates that were found good are not computed again.
 *
 * OpenSSL's last step with a chain (X509_STORE_CTX_get_verify(3)) checks signatures and dates.
 * Ours can only say yes, and only if all is plainly in order; else OpenSSL's own step decides and
 * names what is wrong.
 */
#include "tls/signatures.h"

#include "base/check.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <string.h>

enum { FACTS = 64 }; /* of a thread; a service meets few CAs, but may meet many clients */

/* With these OpenSSL looks at a chain in another way than we do. */
static const unsigned long unusual_flags =
    X509_V_FLAG_CHECK_SS_SIGNATURE | X509_V_FLAG_USE_CHECK_TIME | X509_V_FLAG_NO_CHECK_TIME;

struct fact {
	uint8_t hash[SHA256_DIGEST_LENGTH];
};

static _Thread_local struct {
	struct fact kept[FACTS];
	unsigned next, count;
} facts;

/* OpenSSL's own step. */
static X509_STORE_CTX_verify_fn library_step;

/* ---- facts ---- */

/* "This certificate was signed with the key of that one": over both, signatures included. */
static bool
state(const X509 *cert, const X509 *issuer, struct fact *out)
{
	uint8_t both[2][SHA256_DIGEST_LENGTH];

	return X509_digest(cert, EVP_sha256(), both[0], NULL) == 1 &&
	       X509_digest(issuer, EVP_sha256(), both[1], NULL) == 1 &&
	       SHA256(both[0], sizeof(both), out->hash) != NULL;
}

static bool
is_known(const struct fact *f)
{
	for (unsigned i = 0; i < facts.count; i++)
		if (memcmp(&facts.kept[i], f, sizeof(*f)) == 0)
			return true;
	return false;
}

static void
remember(const struct fact *f)
{
	facts.kept[facts.next] = *f;
	facts.next = (facts.next + 1) % FACTS;
	if (facts.count < FACTS)
		facts.count++;
}

/* What is wrong with a bad one is for OpenSSL's own step to say. */
static bool
matches(X509 *cert, EVP_PKEY *key)
{
	bool good;

	ERR_set_mark();
	good = X509_verify(cert, key) == 1;
	ERR_pop_to_mark();
	return good;
}

static bool
has_signed(X509 *issuer, X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);
	struct fact fact;

	if (!state(cert, issuer, &fact))
		return false;
	if (is_known(&fact))
		return true;
	if (key == NULL || !matches(cert, key))
		return false;
	remember(&fact);
	return true;
}

/* ---- a chain ---- */

static bool
is_in_date(const X509 *cert)
{
	/* 0 is an unreadable date. */
	return X509_cmp_current_time(X509_get0_notBefore(cert)) < 0 &&
	       X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
}

/* RFC 5280 6.1.4 (n); without the extension all bits are set. */
static bool
may_sign(X509 *issuer)
{
	return (X509_get_key_usage(issuer) & KU_KEY_CERT_SIGN) != 0;
}

static bool
is_in_order(X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	int last = sk_X509_num(chain) - 1;
	unsigned long flags = X509_VERIFY_PARAM_get_flags(X509_STORE_CTX_get0_param(ctx));

	if ((flags & unusual_flags) != 0 || last < 1 ||
	    (X509_get_extension_flags(sk_X509_value(chain, last)) & EXFLAG_SS) == 0)
		return false;
	for (int i = 0; i < last; i++) {
		X509 *cert = sk_X509_value(chain, i), *issuer = sk_X509_value(chain, i + 1);

		if (!is_in_date(cert) || !may_sign(issuer) || !has_signed(issuer, cert))
			return false;
	}
	return is_in_date(sk_X509_value(chain, last));
}

/* Tell the callback of each certificate, from the root on, as OpenSSL's own step does. */
static int
report(X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	X509_STORE_CTX_verify_cb tell = X509_STORE_CTX_get_verify_cb(ctx);

	for (int i = sk_X509_num(chain) - 1; i >= 0; i--) {
		X509_STORE_CTX_set_current_cert(ctx, sk_X509_value(chain, i));
		X509_STORE_CTX_set_error_depth(ctx, i);
		if (!tell(1, ctx))
			return 0;
	}
	return 1;
}

static int
verify(X509_STORE_CTX *ctx)
{
	return is_in_order(ctx) ? report(ctx) : library_step(ctx);
}

/* ---- at the start ---- */

/* What a new X509_STORE_CTX would call. */
static X509_STORE_CTX_verify_fn
find_library_step(void)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_STORE_CTX_verify_fn found = NULL;

	if (store != NULL && ctx != NULL && X509_STORE_CTX_init(ctx, store, NULL, NULL) == 1)
		found = X509_STORE_CTX_get_verify(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return found;
}

bool
signatures_install(X509_STORE *store)
{
	if (library_step == NULL && (library_step = find_library_step()) == NULL)
		return false;
	X509_STORE_set_verify(store, verify);
	return true;
}
