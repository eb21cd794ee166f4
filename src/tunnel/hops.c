/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/hops.c -- proxyVia and its like, read. */
#include "tunnel/hops.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *scheme;
	enum hop_kind kind;
} schemes[] = {
	{ "http://", HOP_HTTP },
	{ "https://", HOP_HTTPS },
	{ "socks5://", HOP_SOCKS5 },
};

/* The rest behind the scheme; NULL: there is none of these. */
static const char *
read_scheme(const char *text, enum hop_kind *kind)
{
	for (size_t i = 0; i < COUNT_OF(schemes); i++) {
		size_t n = strlen(schemes[i].scheme);

		if (strncasecmp(text, schemes[i].scheme, n) == 0) {
			*kind = schemes[i].kind;
			return text + n;
		}
	}
	return NULL;
}

/* "USER:PASSWORD@": both as they stand there.  The rest behind it; NULL: no memory, or no password.
 */
static const char *
read_login(struct option_ctx *ctx, const char *text, struct hop *hop)
{
	const char *at = strrchr(text, '@'), *colon = strchr(text, ':');

	if (at == NULL)
		return text;
	if (colon == NULL || colon > at || colon == text) {
		(void)option_refuse(ctx, "before the @ stands no USER:PASSWORD");
		return NULL;
	}
	hop->user = arena_strndup(ctx->arena, text, (size_t)(colon - text));
	hop->password = arena_strndup(ctx->arena, colon + 1, (size_t)(at - colon - 1));
	if (hop->user == NULL || hop->password == NULL) {
		(void)option_refuse(ctx, "out of memory");
		return NULL;
	}
	return at + 1;
}

static bool
append(struct option_ctx *ctx, struct hops *hops, const struct hop *hop)
{
	struct hop *v = arena_alloc(ctx->arena, (hops->n + 1) * sizeof(*v));

	if (v == NULL)
		return option_refuse(ctx, "out of memory");
	if (hops->n > 0)
		memcpy(v, hops->v, hops->n * sizeof(*v));
	v[hops->n] = *hop;
	hops->v = v;
	hops->n++;
	return true;
}

/* Field: struct hops. */
static bool
parse_via(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct hop hop = { .user = NULL };
	const char *rest = read_scheme(value, &hop.kind);
	size_t n;
	char *host;

	(void)o;
	if (rest == NULL)
		return option_refuse(
		    ctx, "write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT");
	if ((rest = read_login(ctx, rest, &hop)) == NULL)
		return false;
	n = strlen(rest);
	if (n > 0 && rest[n - 1] == '/')
		n--;
	if ((host = arena_strndup(ctx->arena, rest, n)) == NULL)
		return option_refuse(ctx, "out of memory");
	if (!target_parse(ctx->arena, host, &hop.proxy, ctx->why, sizeof(ctx->why)))
		return false;
	if (hop.proxy.host == NULL || hop.proxy.port == 0)
		return option_refuse(ctx, "a proxy has a host and a port; write https://HOST:PORT");
	return append(ctx, field, &hop);
}

#define AT(field) offsetof(struct hops, field)

const struct option hops_options[] = {
	{ .name = "proxyVia",
	    .secret = true,
	    .parse = parse_via,
	    .offset = 0,
	    .scope = OPTION_SERVICE,
	    .arg = "SCHEME://[USER:PASSWORD@]HOST:PORT",
	    .doc =
		"Reach connect through this proxy: http:// and https:// are asked by CONNECT, the "
		"latter inside TLS with the proxy itself, and socks5:// by SOCKS 5. May be given "
		"several times: the first is connected to, and asked for the second, and so on; "
		"the "
		"last one is asked for connect, of which there is one line. Names are looked up by "
		"the proxies. What protocol and TLS say to the target goes through all of them." },
	{ .name = "proxyCAfile",
	    .parse = option_text,
	    .offset = AT(ca_file),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc = "The CAs of proxies behind https:// in proxyVia. Their certificates are always "
		   "verified, and must be for the host there." },
	{ .name = "proxyCert",
	    .parse = option_text,
	    .offset = AT(cert),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc = "The certificate to show to proxies behind https:// in proxyVia." },
	{ .name = "proxyKey",
	    .parse = option_text,
	    .offset = AT(key),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc = "Its key, if that is not in the file of proxyCert." },
	{ .name = NULL },
};
