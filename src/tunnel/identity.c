/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/identity.c -- who a client is, and whom a rule is about. */
#include "tunnel/identity.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

/* ---- text ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* As `openssl dgst -sha256` and -fingerprint print it: digits, colons between bytes allowed. */
static bool
read_hash(const char *text, uint8_t out[PEER_ID_SPKI_SIZE])
{
	for (size_t i = 0; i < PEER_ID_SPKI_SIZE; i++) {
		int high, low;

		if (i > 0 && *text == ':')
			text++;
		if ((high = hex_digit(text[0])) < 0 || (low = hex_digit(text[1])) < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return *text == '\0';
}

static const struct {
	const char *word;
	enum who_kind kind;
} kinds[] = {
	{ "user:", WHO_USER },
	{ "cn:", WHO_CN },
	{ "san:", WHO_SAN },
	{ "spki:", WHO_SPKI },
	{ "from:", WHO_FROM },
};

bool
who_parse(struct arena *arena, const char *from, size_t n, struct who *out, char *why, size_t size)
{
	char *text = arena_strndup(arena, from, n), safe[TEXT_SAFE_MAX + 4];
	const char *rest = NULL;

	*out = (struct who){ .kind = WHO_ANYONE };
	if (text == NULL)
		return text_refuse(why, size, "out of memory");
	if (strcmp(text, "*") == 0)
		return true;
	for (size_t i = 0; i < COUNT_OF(kinds) && rest == NULL; i++)
		if (strncasecmp(text, kinds[i].word, strlen(kinds[i].word)) == 0) {
			out->kind = kinds[i].kind;
			rest = text + strlen(kinds[i].word);
		}
	if (rest == NULL || *rest == '\0')
		return text_refuse(why, size,
		    "\"%s\" names nobody; write *, user:NAME, cn:PATTERN, san:PATTERN, spki:HASH "
		    "or from:NETWORK",
		    text_safe(text, n, safe, sizeof(safe)));
	out->pattern = rest;
	if (out->kind == WHO_FROM)
		return network_parse(rest, strlen(rest), &out->from, why, size);
	if (out->kind == WHO_SPKI && !read_hash(rest, out->spki))
		return text_refuse(why, size,
		    "\"%s\" is not the SHA-256 hash of a public key; write its 64 hexadecimal "
		    "digits: openssl x509 -in CERT -pubkey -noout | openssl pkey -pubin -outform "
		    "DER | sha256sum",
		    text_safe(rest, strlen(rest), safe, sizeof(safe)));
	return true;
}

/* ---- look-up ---- */

bool
who_is(const struct who *who, const struct identity *id)
{
	switch (who->kind) {
	case WHO_ANYONE:
		return true;
	case WHO_USER:
		return id->user != NULL && text_glob(who->pattern, id->user, false);
	case WHO_CN:
		return id->cert != NULL && peer_id_has(id->cert, PEER_ID_CN, who->pattern);
	case WHO_SAN:
		return id->cert != NULL && peer_id_has(id->cert, PEER_ID_SAN, who->pattern);
	case WHO_SPKI:
		return id->cert != NULL &&
		       memcmp(who->spki, id->cert->spki, sizeof(who->spki)) == 0;
	case WHO_FROM:
		return network_holds(&who->from, id->source);
	}
	return false;
}

bool
who_shows_certificate(const struct who *who)
{
	return who->kind == WHO_CN || who->kind == WHO_SAN || who->kind == WHO_SPKI;
}
