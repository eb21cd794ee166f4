/* SPDX-License-Identifier: Apache-2.0 */
/* proto/ntlm.c -- the three messages of NTLM version 1. */
#include "proto/ntlm.h"

#include <string.h>

enum {
	/* MS-NLMP 2.2.2.5: names in the OEM character set, that is as they are written; NTLMv1. */
	FLAGS = 0x0002 | 0x0200,
	HEAD = 64,	   /* of AUTHENTICATE, before the texts */
	CHALLENGE_AT = 24, /* in CHALLENGE */
};

static const char signature[8] = "NTLMSSP";

static void
put_little(uint8_t *at, uint32_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

static void
begin(uint8_t *out, size_t size, uint32_t type)
{
	memset(out, 0, size);
	memcpy(out, signature, sizeof(signature));
	put_little(out + 8, type, 4);
}

void
ntlm_negotiate(uint8_t out[NTLM_NEGOTIATE_SIZE])
{
	begin(out, NTLM_NEGOTIATE_SIZE, 1);
	put_little(out + 12, FLAGS, 4);
	/* No domain and no workstation: their fields are behind the message. */
	put_little(out + 20, NTLM_NEGOTIATE_SIZE, 4);
	put_little(out + 28, NTLM_NEGOTIATE_SIZE, 4);
}

bool
ntlm_challenge(const void *bytes, size_t n, uint8_t challenge[NT_AUTH_CHALLENGE])
{
	static const uint8_t type[4] = { 2 };
	const uint8_t *p = bytes;

	if (n < CHALLENGE_AT + NT_AUTH_CHALLENGE || memcmp(p, signature, sizeof(signature)) != 0 ||
	    memcmp(p + 8, type, sizeof(type)) != 0)
		return false;
	memcpy(challenge, p + CHALLENGE_AT, NT_AUTH_CHALLENGE);
	return true;
}

/* One of the texts: its length twice and its place at `field`, and itself at *end. */
static void
put_text(uint8_t *out, size_t field, size_t *end, const void *text, size_t n)
{
	put_little(out + field, (uint32_t)n, 2);
	put_little(out + field + 2, (uint32_t)n, 2);
	put_little(out + field + 4, (uint32_t)*end, 4);
	if (n > 0)
		memcpy(out + *end, text, n);
	*end += n;
}

size_t
ntlm_authenticate(const uint8_t challenge[NT_AUTH_CHALLENGE], const char *domain, const char *user,
    const char *password, uint8_t out[NTLM_AUTHENTICATE_MAX])
{
	uint8_t hash[NT_AUTH_HASH], response[NT_AUTH_RESPONSE];
	size_t end = HEAD;

	if (domain == NULL)
		domain = "";
	nt_auth_hash(password, hash);
	nt_auth_response(challenge, hash, response);
	begin(out, NTLM_AUTHENTICATE_MAX, 3);
	put_text(out, 20, &end, response, sizeof(response));
	put_text(out, 28, &end, domain, strnlen(domain, NTLM_NAME_MAX));
	put_text(out, 36, &end, user, strnlen(user, NTLM_NAME_MAX));
	put_text(out, 12, &end, NULL, 0); /* the LM response, which is weaker still */
	put_text(out, 44, &end, NULL, 0); /* the workstation */
	put_text(out, 52, &end, NULL, 0); /* a session key */
	put_little(out + 60, FLAGS, 4);
	explicit_bzero(hash, sizeof(hash));
	return end;
}
