/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/mschap.c -- RFC 2759, section 8, and RFC 3079, section 3. */
#include "ppp/mschap.h"

#include "base/digest.h"

#include <stdio.h>
#include <string.h>

/* RFC 2759 8.7, with their lengths, without a NUL. */
static const char signing[] = "Magic server to client signing constant";
static const char padding[] = "Pad to make it do more than one iteration";
/* RFC 3079 3.4. */
static const char master[] = "This is the MPPE Master Key";
static const char client_sends[] =
    "On the client side, this is the send key; on the server side, it is the receive key.";
static const char client_receives[] =
    "On the client side, this is the receive key; on the server side, it is the send key.";

#define PART(p, size) ((struct digest_part){ p, size })
#define TEXT(t) PART(t, sizeof(t) - 1)

static const char *
without_domain(const char *user)
{
	const char *slash = strrchr(user, '\\');

	return slash == NULL ? user : slash + 1;
}

static bool
sha1(const struct digest_part *parts, size_t count, uint8_t out[DIGEST_SHA1_SIZE])
{
	return digest_of(DIGEST_SHA1, parts, count, out);
}

/* ChallengeHash (RFC 2759 8.2). */
static bool
hash_challenges(const uint8_t *peer_challenge, const uint8_t *challenge, const char *user,
    uint8_t out[DIGEST_SHA1_SIZE])
{
	const char *name = without_domain(user);
	const struct digest_part parts[] = {
		PART(peer_challenge, MSCHAP_CHALLENGE),
		PART(challenge, MSCHAP_CHALLENGE),
		PART(name, strlen(name)),
	};

	return sha1(parts, COUNT_OF(parts), out);
}

bool
mschap_answer(const uint8_t challenge[MSCHAP_CHALLENGE],
    const uint8_t peer_challenge[MSCHAP_CHALLENGE], const char *user,
    const uint8_t hash[NT_AUTH_HASH], uint8_t out[NT_AUTH_RESPONSE])
{
	uint8_t both[DIGEST_SHA1_SIZE];

	if (!hash_challenges(peer_challenge, challenge, user, both))
		return false;
	/* Its first eight bytes are the challenge of old. */
	nt_auth_response(both, hash, out);
	return true;
}

bool
mschap_prove(const uint8_t challenge[MSCHAP_CHALLENGE], const struct mschap_response *response,
    const char *user, const uint8_t hash[NT_AUTH_HASH], char out[MSCHAP_PROOF + 1])
{
	uint8_t hash_hash[NT_AUTH_HASH], both[DIGEST_SHA1_SIZE], inner[DIGEST_SHA1_SIZE],
	    proof[DIGEST_SHA1_SIZE];
	const struct digest_part first[] = {
		PART(hash_hash, sizeof(hash_hash)),
		PART(response->nt_response, NT_AUTH_RESPONSE),
		TEXT(signing),
	};
	const struct digest_part second[] = {
		PART(inner, sizeof(inner)),
		PART(both, NT_AUTH_CHALLENGE),
		TEXT(padding),
	};
	bool ok;

	nt_auth_md4(hash, NT_AUTH_HASH, hash_hash);
	ok = hash_challenges(response->peer_challenge, challenge, user, both) &&
	     sha1(first, COUNT_OF(first), inner) && sha1(second, COUNT_OF(second), proof);
	if (ok) {
		memcpy(out, "S=", 3);
		for (size_t i = 0; i < sizeof(proof); i++)
			(void)snprintf(out + 2 + 2 * i, 3, "%02X", proof[i]);
	}
	explicit_bzero(hash_hash, sizeof(hash_hash));
	return ok;
}

/* GetAsymmetricStartKey (RFC 3079 3.4), of 128 bits. */
static bool
start_key(const uint8_t key[MSCHAP_KEY], const struct digest_part *magic, uint8_t out[MSCHAP_KEY])
{
	static const uint8_t pad1[40];
	uint8_t pad2[40], got[DIGEST_SHA1_SIZE];
	const struct digest_part parts[] = {
		PART(key, MSCHAP_KEY),
		PART(pad1, sizeof(pad1)),
		*magic,
		PART(pad2, sizeof(pad2)),
	};
	bool ok;

	memset(pad2, 0xf2, sizeof(pad2));
	ok = sha1(parts, COUNT_OF(parts), got);
	if (ok)
		memcpy(out, got, MSCHAP_KEY);
	explicit_bzero(got, sizeof(got));
	return ok;
}

bool
mschap_keys(const uint8_t hash[NT_AUTH_HASH], const uint8_t nt_response[NT_AUTH_RESPONSE],
    uint8_t out[2 * MSCHAP_KEY])
{
	uint8_t hash_hash[NT_AUTH_HASH], key[DIGEST_SHA1_SIZE];
	const struct digest_part parts[] = {
		PART(hash_hash, sizeof(hash_hash)),
		PART(nt_response, NT_AUTH_RESPONSE),
		TEXT(master),
	};
	bool ok;

	nt_auth_md4(hash, NT_AUTH_HASH, hash_hash);
	ok = sha1(parts, COUNT_OF(parts), key) && start_key(key, &TEXT(client_sends), out) &&
	     start_key(key, &TEXT(client_receives), out + MSCHAP_KEY);
	explicit_bzero(hash_hash, sizeof(hash_hash));
	explicit_bzero(key, sizeof(key));
	return ok;
}
