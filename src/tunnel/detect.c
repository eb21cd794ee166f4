/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/detect.c -- protocols by their first bytes. */
#include "tunnel/detect.h"

#include <string.h>
#include <strings.h>

/* ---- bytes ---- */

static const struct mark {
	enum detect_kind kind;
	const char *bytes;
	size_t n;
} marks[] = {
#define MARK(kind, text) \
	{ \
		kind, text, sizeof(text) - 1 \
	}
	MARK(DETECT_TLS, "\x16\x03"), /* RFC 8446 5.1: a handshake record of any version */
	MARK(DETECT_SSH, "SSH-"),     /* RFC 4253 4.2 */
	MARK(DETECT_CONNECT, "CONNECT "),
	MARK(DETECT_HTTP, "GET "), /* RFC 9110 9.3, RFC 5789, RFC 9113 3.4 */
	MARK(DETECT_HTTP, "HEAD "), MARK(DETECT_HTTP, "POST "), MARK(DETECT_HTTP, "PUT "),
	MARK(DETECT_HTTP, "DELETE "), MARK(DETECT_HTTP, "OPTIONS "), MARK(DETECT_HTTP, "TRACE "),
	MARK(DETECT_HTTP, "PATCH "), MARK(DETECT_HTTP, "PRI "),
	MARK(DETECT_SOCKS4, "\4\1"),				/* CONNECT and BIND */
	MARK(DETECT_SOCKS4, "\4\2"), MARK(DETECT_SOCKS5, "\5"), /* RFC 1928 3 */
	MARK(DETECT_SSTP, "SSTP_DUPLEX_POST "),			/* MS-SSTP 3.2.4.1 */
#undef MARK
};

enum detect_kind
detect_look(const uint8_t *p, size_t n)
{
	bool begun = n == 0;

	for (size_t i = 0; i < COUNT_OF(marks); i++) {
		size_t seen = n < marks[i].n ? n : marks[i].n;

		if (n == 0 || memcmp(p, marks[i].bytes, seen) != 0)
			continue;
		if (seen == marks[i].n)
			return marks[i].kind;
		begun = true;
	}
	return begun ? DETECT_MORE : DETECT_OTHER;
}

const char *
detect_name(enum detect_kind kind)
{
	static const char *const names[] = {
		[DETECT_TLS] = "TLS",
		[DETECT_SSH] = "SSH",
		[DETECT_HTTP] = "HTTP",
		[DETECT_CONNECT] = "HTTP CONNECT",
		[DETECT_SOCKS4] = "SOCKS 4",
		[DETECT_SOCKS5] = "SOCKS 5",
		[DETECT_SSTP] = "SSTP",
		[DETECT_OTHER] = "another protocol",
		[DETECT_TIMEOUT] = "a client that waits",
	};

	return names[kind];
}

/* ---- configuration ---- */

#define BIT(kind) (1u << (kind))

static const struct option_word words[] = {
	{ "tls", BIT(DETECT_TLS) },
	{ "ssh", BIT(DETECT_SSH) },
	{ "http", BIT(DETECT_HTTP) },
	{ "connect", BIT(DETECT_CONNECT) },
	{ "socks", BIT(DETECT_SOCKS4) | BIT(DETECT_SOCKS5) },
	{ "socks4", BIT(DETECT_SOCKS4) },
	{ "socks5", BIT(DETECT_SOCKS5) },
	{ "sstp", BIT(DETECT_SSTP) },
	{ "other", BIT(DETECT_OTHER) },
	{ "timeout", BIT(DETECT_TIMEOUT) },
	{ NULL, 0 },
};

static const char between[] = ", \t";
static const char inside[] = "tls/";

static unsigned
find_word(const char *word, size_t n)
{
	for (const struct option_word *w = words; w->name != NULL; w++)
		if (strlen(w->name) == n && strncasecmp(w->name, word, n) == 0)
			return (unsigned)w->value;
	return 0;
}

/* One kind into its layer.  SSTP is always inside of TLS (MS-SSTP 1.3). */
static bool
add_kind(struct detect_claim *claim, const char *word, size_t n)
{
	bool is_inside = n > strlen(inside) && strncasecmp(word, inside, strlen(inside)) == 0;
	size_t skip = is_inside ? strlen(inside) : 0;
	unsigned kind = find_word(word + skip, n - skip);

	if (kind == BIT(DETECT_SSTP))
		is_inside = true;
	claim->kinds[is_inside ? DETECT_INSIDE : DETECT_CLEAR] |= kind;
	return kind != 0;
}

static bool
read_kinds(struct option_ctx *ctx, struct detect_claim *claim, const char *text)
{
	char list[200];
	bool any = false;
	size_t n;

	for (; *(text += strspn(text, between)) != '\0'; text += n, any = true) {
		n = strcspn(text, between);
		if (!add_kind(claim, text, n))
			return option_refuse(ctx,
			    "\"%.*s\" is not known; write some of %s, with tls/ before what is "
			    "inside of TLS",
			    n > 64 ? 64 : (int)n, text, option_words(words, list, sizeof(list)));
	}
	return any ||
	       option_refuse(ctx, "\"%s\" names no protocol; write SERVICE:ssh", claim->text);
}

bool
detect_parse(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct detect_conf *conf = field;
	const char *colon = strchr(value, ':');
	struct detect_claim *v;

	(void)o;
	if (colon == NULL || colon == value)
		return option_refuse(ctx,
		    "\"%s\" does not say whose clients these are; write SERVICE:%s, where SERVICE "
		    "is the section that has accept",
		    value, colon == value ? value + 1 : value);
	if ((v = arena_alloc(ctx->arena, (conf->n + 1) * sizeof(*v))) == NULL)
		return option_refuse(ctx, "out of memory");
	if (conf->n > 0)
		memcpy(v, conf->v, conf->n * sizeof(*v));
	v[conf->n].text = arena_strdup(ctx->arena, value);
	v[conf->n].service = arena_strndup(ctx->arena, value, (size_t)(colon - value));
	if (v[conf->n].text == NULL || v[conf->n].service == NULL)
		return option_refuse(ctx, "out of memory");
	if (!read_kinds(ctx, &v[conf->n], colon + 1))
		return false;
	conf->v = v;
	conf->n++;
	return true;
}

unsigned
detect_kinds(const struct detect_conf *conf, enum detect_layer layer)
{
	unsigned kinds = 0;

	for (unsigned i = 0; i < conf->n; i++)
		kinds |= conf->v[i].kinds[layer];
	return kinds;
}

/* ---- the plan ---- */

struct service *
detect_claim(struct detect *d, enum detect_layer layer, unsigned kinds, struct service *service)
{
	struct service *other = NULL;

	for (unsigned i = 0; i < DETECT_KINDS; i++) {
		struct service **by = &d->by[layer][i];

		if ((kinds & BIT(i)) == 0)
			continue;
		if (*by != NULL && *by != service)
			other = *by;
		else
			*by = service;
	}
	return other;
}

bool
detect_has_layer(const struct detect *d, enum detect_layer layer)
{
	for (unsigned i = 0; d != NULL && i < DETECT_KINDS; i++)
		if (d->by[layer][i] != NULL)
			return true;
	return false;
}

bool
detect_has(const struct detect *d, const struct service *service)
{
	for (unsigned layer = 0; d != NULL && layer < DETECT_LAYERS; layer++)
		for (unsigned i = 0; i < DETECT_KINDS; i++)
			if (d->by[layer][i] == service)
				return true;
	return false;
}
