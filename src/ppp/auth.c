/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/auth.c -- is that the password?  A method's answer beside what a file knows. */
#include "ppp/auth.h"

#include "base/digest.h"

#include <string.h>
#include <strings.h>

static const char *const names[PPP_METHODS] = {
	[PPP_NO_AUTH] = "none",
	[PPP_PAP] = "pap",
	[PPP_CHAP_MD5] = "chap",
	[PPP_MSCHAPV2] = "mschapv2",
	[PPP_EAP_MSCHAPV2] = "eap-mschapv2",
	[PPP_EAP_TLS] = "eap-tls",
	[PPP_EAP_RELAY] = "eap",
};

const char *
auth_method_name(enum ppp_method method)
{
	return names[method];
}

enum ppp_method
auth_method_find(const char *name)
{
	for (enum ppp_method m = PPP_NO_AUTH + 1; m < PPP_METHODS; m++)
		if (strcasecmp(names[m], name) == 0)
			return m;
	return PPP_NO_AUTH;
}

bool
auth_can(enum ppp_method method, const struct ppp_secret *secret)
{
	switch (method) {
	case PPP_CHAP_MD5:
		return secret->clear != NULL;
	case PPP_PAP:
	case PPP_MSCHAPV2:
	case PPP_EAP_MSCHAPV2:
		return secret->clear != NULL || secret->hash != NULL;
	case PPP_EAP_TLS:
		return true;
	case PPP_NO_AUTH:
	case PPP_EAP_RELAY:
	case PPP_METHODS:
		break;
	}
	return false;
}

static void
nt_hash(const struct ppp_secret *secret, uint8_t out[NT_AUTH_HASH])
{
	if (secret->hash != NULL)
		memcpy(out, secret->hash, NT_AUTH_HASH);
	else
		nt_auth_hash_utf8(secret->clear, out);
}

/* The password came in clear.  Texts of any length are compared by their hashes. */
static bool
check_pap(
    const struct ppp_question *q, const struct ppp_secret *secret, struct ppp_verdict *verdict)
{
	char given[PPP_SECRET_MAX + 1] = { 0 };
	uint8_t got[NT_AUTH_HASH], want[NT_AUTH_HASH], a[DIGEST_MAX], b[DIGEST_MAX];
	bool ok =
	    q->secret_size <= PPP_SECRET_MAX && memchr(q->secret, '\0', q->secret_size) == NULL;

	(void)verdict;
	if (ok && secret->clear != NULL) {
		const struct digest_part one = { q->secret, q->secret_size };
		const struct digest_part other = { secret->clear, strlen(secret->clear) };

		ok = digest_of(DIGEST_SHA256, &one, 1, a) &&
		     digest_of(DIGEST_SHA256, &other, 1, b) &&
		     digest_equal(a, b, DIGEST_SHA256_SIZE);
	} else if (ok) {
		memcpy(given, q->secret, q->secret_size);
		nt_auth_hash_utf8(given, got);
		nt_hash(secret, want);
		ok = digest_equal(got, want, sizeof(want));
	}
	explicit_bzero(given, sizeof(given));
	return ok;
}

/* RFC 1994 4.1: MD5 of the identifier, the secret, and the challenge. */
static bool
check_chap(
    const struct ppp_question *q, const struct ppp_secret *secret, struct ppp_verdict *verdict)
{
	const struct digest_part parts[] = {
		{ &q->id, 1 },
		{ secret->clear, strlen(secret->clear) },
		{ q->challenge, sizeof(q->challenge) },
	};
	uint8_t want[DIGEST_MD5_SIZE];

	(void)verdict;
	return q->secret_size == sizeof(want) &&
	       digest_of(DIGEST_MD5, parts, COUNT_OF(parts), want) &&
	       digest_equal(q->secret, want, sizeof(want));
}

static bool
check_mschap(
    const struct ppp_question *q, const struct ppp_secret *secret, struct ppp_verdict *verdict)
{
	uint8_t hash[NT_AUTH_HASH], want[NT_AUTH_RESPONSE];
	bool ok;

	nt_hash(secret, hash);
	ok = mschap_answer(q->challenge, q->response.peer_challenge, q->user, hash, want) &&
	     digest_equal(want, q->response.nt_response, sizeof(want)) &&
	     mschap_prove(q->challenge, &q->response, q->user, hash, verdict->proof) &&
	     mschap_keys(hash, q->response.nt_response, verdict->key);
	explicit_bzero(hash, sizeof(hash));
	return ok;
}

static bool
check_tls(
    const struct ppp_question *q, const struct ppp_secret *secret, struct ppp_verdict *verdict)
{
	(void)q;
	(void)secret;
	(void)verdict;
	return true;
}

typedef bool check(const struct ppp_question *, const struct ppp_secret *, struct ppp_verdict *);

static check *const checks[PPP_METHODS] = {
	[PPP_PAP] = check_pap,
	[PPP_CHAP_MD5] = check_chap,
	[PPP_MSCHAPV2] = check_mschap,
	[PPP_EAP_MSCHAPV2] = check_mschap,
	[PPP_EAP_TLS] = check_tls,
};

void
auth_check(
    const struct ppp_question *q, const struct ppp_secret *secret, struct ppp_verdict *verdict)
{
	static const struct ppp_secret nobody = { .clear = "" };
	const struct ppp_secret *beside = secret == NULL ? &nobody : secret;
	bool ok = false;

	*verdict = (struct ppp_verdict){ .answer = PPP_REFUSED };
	if (auth_can(q->method, beside) && checks[q->method] != NULL)
		ok = checks[q->method](q, beside, verdict);
	if (ok && secret != NULL) {
		verdict->answer = PPP_GRANTED;
		return;
	}
	explicit_bzero(verdict->key, sizeof(verdict->key));
	explicit_bzero(verdict->proof, sizeof(verdict->proof));
}
