/* SPDX-License-Identifier: Apache-2.0 */
/* proto/sstp_binding.c -- SSTP's crypto binding: the key from the login, and the MAC with it. */
#include "proto/sstp_binding.h"

#include "base/digest.h"

#include <string.h>

static const char seed[] = "SSTP inner method derived CMK";
enum {
	SEED = sizeof(seed) - 1,
	CERT_HASH = SSTP_CONNECTED_MAC - SSTP_HASH, /* where it is in CALL_CONNECTED */
};

static enum digest
digest_for(uint8_t hash)
{
	return hash == SSTP_SHA256 ? DIGEST_SHA256 : DIGEST_SHA1;
}

bool
sstp_binding_hash_cert(const void *der, size_t n, struct sstp_cert *cert)
{
	const struct digest_part all = { der, n };

	memset(cert, 0, sizeof(*cert));
	return digest_of(DIGEST_SHA1, &all, 1, cert->sha1) &&
	       digest_of(DIGEST_SHA256, &all, 1, cert->sha256);
}

uint8_t
sstp_binding_choose(uint8_t hashes)
{
	return (hashes & SSTP_SHA256) != 0 ? SSTP_SHA256 : hashes & SSTP_SHA1;
}

/*
 * The compound MAC key: PRF+ of RFC 4306 2.13, of which one block is enough; the length is, unlike
 * all else in SSTP, little-endian.
 */
static bool
derive_cmk(enum digest digest, const uint8_t hlak[SSTP_HLAK], uint8_t cmk[DIGEST_MAX])
{
	uint8_t input[SEED + 3];

	memcpy(input, seed, SEED);
	input[SEED] = (uint8_t)digest_size(digest);
	input[SEED + 1] = 0;
	input[SEED + 2] = 1;
	return digest_hmac(digest, hlak, SSTP_HLAK, input, sizeof(input), cmk);
}

bool
sstp_binding_mac(uint8_t hash, const uint8_t hlak[SSTP_HLAK],
    const uint8_t packet[SSTP_CONNECTED_SIZE], uint8_t mac[SSTP_HASH])
{
	enum digest digest = digest_for(hash);
	uint8_t bare[SSTP_CONNECTED_SIZE], cmk[DIGEST_MAX];
	bool done;

	memset(bare, 0, sizeof(bare));
	memcpy(
	    bare, packet, CERT_HASH + digest_size(digest)); /* what pads a SHA-1 counts as zeros */
	memset(mac, 0, SSTP_HASH);
	done = derive_cmk(digest, hlak, cmk) &&
	       digest_hmac(digest, cmk, digest_size(digest), bare, sizeof(bare), mac);
	explicit_bzero(cmk, sizeof(cmk));
	return done;
}

/* With SHA-1, the 12 bytes behind a hash are padding, which is ignored (MS-SSTP 2.2.7). */
enum sstp_proof
sstp_binding_verify(const struct sstp_binding_proof *proof,
    const uint8_t packet[SSTP_CONNECTED_SIZE], uint8_t offered, const uint8_t nonce[SSTP_NONCE],
    const struct sstp_cert *cert, const uint8_t hlak[SSTP_HLAK])
{
	const uint8_t *cert_hash = proof->hash == SSTP_SHA256 ? cert->sha256 : cert->sha1;
	uint8_t mac[SSTP_HASH];
	size_t n = digest_size(digest_for(proof->hash));

	if ((proof->hash != SSTP_SHA1 && proof->hash != SSTP_SHA256) ||
	    (proof->hash & offered) == 0)
		return SSTP_WRONG_HASH;
	if (!digest_equal(proof->nonce, nonce, SSTP_NONCE))
		return SSTP_WRONG_NONCE;
	if (!digest_equal(proof->cert_hash, cert_hash, n))
		return SSTP_WRONG_CERT;
	if (!sstp_binding_mac(proof->hash, hlak, packet, mac) || !digest_equal(proof->mac, mac, n))
		return SSTP_WRONG_MAC;
	return SSTP_PROVED;
}

const char *
sstp_binding_words(enum sstp_proof proof)
{
	static const char *const words[] = {
		[SSTP_PROVED] = "good",
		[SSTP_WRONG_HASH] = "the hash is none that was offered",
		[SSTP_WRONG_NONCE] = "the nonce is of another call",
		[SSTP_WRONG_CERT] = "the client has seen another certificate than ours",
		[SSTP_WRONG_MAC] = "the MAC was made with another key than that of the login",
	};

	return words[proof];
}
