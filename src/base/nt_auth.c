/* SPDX-License-Identifier: Apache-2.0 */
/* base/nt_auth.c -- MD4 (RFC 1320), DES (FIPS 46-3), and what Windows made of them. */
#include "base/nt_auth.h"

#include "base/check.h"

#include <string.h>

/* ---- MD4 ---- */

static uint32_t
rotate(uint32_t v, unsigned by)
{
	return v << by | v >> (32 - by);
}

static uint32_t
little(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* One of three rounds: how words are mixed, which come in what order, and how far to rotate. */
struct md4_round {
	uint32_t (*mix)(uint32_t, uint32_t, uint32_t);
	uint32_t constant;
	uint8_t order[16], shift[4];
};

static uint32_t
choose(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) | (~x & z);
}

static uint32_t
majority(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) | (x & z) | (y & z);
}

static uint32_t
parity(uint32_t x, uint32_t y, uint32_t z)
{
	return x ^ y ^ z;
}

static const struct md4_round md4_rounds[] = {
	{ choose, 0, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, { 3, 7, 11, 19 } },
	{ majority, 0x5a827999, { 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15 },
	    { 3, 5, 9, 13 } },
	{ parity, 0x6ed9eba1, { 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 },
	    { 3, 9, 11, 15 } },
};

static void
md4_block(uint32_t h[4], const uint8_t block[64])
{
	uint32_t v[4] = { h[0], h[1], h[2], h[3] };

	for (size_t r = 0; r < COUNT_OF(md4_rounds); r++)
		for (unsigned i = 0; i < 16; i++) {
			const struct md4_round *round = &md4_rounds[r];
			/* Each step changes the next of a, d, c, b. */
			uint32_t *a = &v[(16 - i) % 4];
			uint32_t b = v[(17 - i) % 4], c = v[(18 - i) % 4], d = v[(19 - i) % 4];

			*a = rotate(*a + round->mix(b, c, d) + little(block + 4 * round->order[i]) +
					round->constant,
			    round->shift[i % 4]);
		}
	for (unsigned i = 0; i < 4; i++)
		h[i] += v[i];
}

void
nt_auth_md4(const void *bytes, size_t n, uint8_t out[NT_AUTH_HASH])
{
	uint32_t h[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	const uint8_t *p = bytes;
	uint64_t bits = (uint64_t)n * 8;
	uint8_t last[128] = { 0 };
	size_t whole = n / 64 * 64, rest = n - whole, tail = rest < 56 ? 64 : 128;

	for (size_t at = 0; at < whole; at += 64)
		md4_block(h, p + at);
	if (rest > 0)
		memcpy(last, p + whole, rest);
	last[rest] = 0x80;
	for (size_t i = 0; i < 8; i++)
		last[tail - 8 + i] = (uint8_t)(bits >> 8 * i);
	for (size_t at = 0; at < tail; at += 64)
		md4_block(h, last + at);
	for (size_t i = 0; i < NT_AUTH_HASH; i++)
		out[i] = (uint8_t)(h[i / 4] >> 8 * (i % 4));
	explicit_bzero(last, sizeof(last));
}

/* ---- DES ---- */

/* Tables of FIPS 46-3; bits are counted from 1, the leftmost first. */
static const uint8_t initial[64] = { 58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4,
	62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8, 57, 49, 41, 33, 25, 17, 9, 1,
	59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15,
	7 };
static const uint8_t final[64] = { 40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38,
	6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29, 36, 4, 44, 12, 52, 20, 60, 28, 35,
	3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25 };
static const uint8_t expansion[48] = { 32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13,
	12, 13, 14, 15, 16, 17, 16, 17, 18, 19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28,
	29, 28, 29, 30, 31, 32, 1 };
static const uint8_t permutation[32] = { 16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31,
	10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25 };
static const uint8_t key_choice[56] = { 57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2,
	59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46,
	38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4 };
static const uint8_t round_choice[48] = { 14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4,
	26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56,
	34, 53, 46, 42, 50, 36, 29, 32 };
static const uint8_t substitution[8][64] = {
	{ 14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6,
	    12, 11, 9, 5, 3, 8, 4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2,
	    4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13 },
	{ 15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1,
	    10, 6, 9, 11, 5, 0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3,
	    15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9 },
	{ 10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5,
	    14, 12, 11, 15, 1, 13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0,
	    6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12 },
	{ 7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2,
	    12, 1, 10, 14, 9, 10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10,
	    1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14 },
	{ 2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0,
	    15, 10, 3, 9, 8, 6, 4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7,
	    1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3 },
	{ 12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13,
	    14, 0, 11, 3, 8, 9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9,
	    5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13 },
	{ 4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5,
	    12, 2, 15, 8, 6, 1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1,
	    4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12 },
	{ 13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6,
	    11, 0, 14, 9, 2, 7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4,
	    10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11 },
};
static const uint8_t rotations[16] = { 1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1 };

/* The bits of a value of `width` bits that `table` names, in its order. */
static uint64_t
pick(uint64_t value, unsigned width, const uint8_t *table, size_t n)
{
	uint64_t out = 0;

	for (size_t i = 0; i < n; i++)
		out = out << 1 | (value >> (width - table[i]) & 1);
	return out;
}

static uint32_t
des_mix(uint32_t half, uint64_t round_key)
{
	uint64_t in = pick(half, 32, expansion, COUNT_OF(expansion)) ^ round_key;
	uint32_t out = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned six = in >> (42 - 6 * i) & 63;
		unsigned row = (six >> 4 & 2) | (six & 1), column = six >> 1 & 15;

		out = out << 4 | substitution[i][16 * row + column];
	}
	return (uint32_t)pick(out, 32, permutation, COUNT_OF(permutation));
}

static uint32_t
rotate28(uint32_t v, unsigned by)
{
	return (v << by | v >> (28 - by)) & 0xfffffff;
}

static uint64_t
des_encrypt(uint64_t key, uint64_t block)
{
	uint64_t chosen = pick(key, 64, key_choice, COUNT_OF(key_choice));
	uint64_t start = pick(block, 64, initial, COUNT_OF(initial));
	uint32_t c = (uint32_t)(chosen >> 28), d = chosen & 0xfffffff;
	uint32_t left = (uint32_t)(start >> 32), right = (uint32_t)start;

	for (size_t i = 0; i < COUNT_OF(rotations); i++) {
		uint32_t old = right;

		c = rotate28(c, rotations[i]);
		d = rotate28(d, rotations[i]);
		right = left ^ des_mix(right, pick((uint64_t)c << 28 | d, 56, round_choice,
						  COUNT_OF(round_choice)));
		left = old;
	}
	return pick((uint64_t)right << 32 | left, 64, final, COUNT_OF(final));
}

/* 56 bits as a DES key: seven in each byte, and a parity bit that DES never looks at. */
static uint64_t
spread_key(const uint8_t seven[7])
{
	uint64_t bits = 0, key = 0;

	for (size_t i = 0; i < 7; i++)
		bits = bits << 8 | seven[i];
	for (unsigned i = 0; i < 8; i++)
		key = key << 8 | (bits >> (49 - 7 * i) & 127) << 1;
	return key;
}

/* ---- what Windows made of them ---- */

enum { PASSWORD_MAX = 256 }; /* characters */

/*
 * One character of UTF-8 (RFC 3629 4) from *at on; 0: the text is at its end, or is no UTF-8. Forms
 * that are too long, surrogates and what is beyond Unicode are none.
 */
static uint32_t
next_character(const char **at)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = (const uint8_t *)*at;
	size_t n = p[0] < 0x80	 ? 1
		   : p[0] < 0xc0 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf8 ? 4
				 : 0;
	uint32_t v = n < 2 ? p[0] : p[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (n == 0 || v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;
	*at += n;
	return v;
}

static void
put_unit(uint8_t *to, uint32_t unit)
{
	to[0] = (uint8_t)unit;
	to[1] = (uint8_t)(unit >> 8);
}

void
nt_auth_hash_utf8(const char *password, uint8_t out[NT_AUTH_HASH])
{
	uint8_t wide[4 * PASSWORD_MAX];
	const char *at = password;
	size_t n = 0, characters = 0;

	while (characters < PASSWORD_MAX && *at != '\0') {
		uint32_t v = next_character(&at);

		if (v == 0) {
			nt_auth_hash(password, out);
			explicit_bzero(wide, sizeof(wide));
			return;
		}
		characters++;
		if (v >= 0x10000) {
			put_unit(wide + n, 0xd800 + ((v - 0x10000) >> 10));
			n += 2;
			v = 0xdc00 + (v & 0x3ff);
		}
		put_unit(wide + n, v);
		n += 2;
	}
	nt_auth_md4(wide, n, out);
	explicit_bzero(wide, sizeof(wide));
}

void
nt_auth_hash(const char *password, uint8_t out[NT_AUTH_HASH])
{
	uint8_t wide[2 * PASSWORD_MAX] = { 0 };
	size_t n = strnlen(password, PASSWORD_MAX);

	for (size_t i = 0; i < n; i++)
		wide[2 * i] = (uint8_t)password[i];
	nt_auth_md4(wide, 2 * n, out);
	explicit_bzero(wide, sizeof(wide));
}

void
nt_auth_response(const uint8_t challenge[NT_AUTH_CHALLENGE], const uint8_t hash[NT_AUTH_HASH],
    uint8_t out[NT_AUTH_RESPONSE])
{
	uint8_t keys[21] = { 0 };
	uint64_t block = 0;

	memcpy(keys, hash, NT_AUTH_HASH);
	for (size_t i = 0; i < NT_AUTH_CHALLENGE; i++)
		block = block << 8 | challenge[i];
	for (size_t k = 0; k < 3; k++) {
		uint64_t got = des_encrypt(spread_key(keys + 7 * k), block);

		for (size_t i = 0; i < 8; i++)
			out[8 * k + i] = (uint8_t)(got >> (56 - 8 * i));
	}
	explicit_bzero(keys, sizeof(keys));
}
