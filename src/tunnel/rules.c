/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/rules.c -- reading rules, and the answers that they give. */
#include "tunnel/rules.h"

#include "base/text.h"
#include "net/special.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_LEN = 255 };

/* ---- text ---- */

/* "443" or "8000-8999", or "*". */
static bool
read_ports(struct option_ctx *ctx, const char *text, struct rule_where *w)
{
	const char *dash = strchr(text, '-');
	char first[8];
	unsigned short a, b;
	size_t n = dash != NULL ? (size_t)(dash - text) : strlen(text);

	if (strcmp(text, "*") == 0)
		return true;
	(void)snprintf(first, sizeof(first), "%.*s", n < sizeof(first) ? (int)n : 0, text);
	if (!text_port(first, &a) || !text_port(dash != NULL ? dash + 1 : first, &b) || a > b)
		return option_refuse(ctx,
		    "\"%s\" is no port; write a number from 1 to 65535, or two with - between them",
		    text);
	w->first = a;
	w->last = b;
	return true;
}

/*
 * Where the colon before the ports stands; NULL: there are none.  An address of IPv6 has colons of
 * its own: with ports it stands in brackets, or has a prefix.
 */
static const char *
find_ports(const char *text)
{
	const char *behind = strchr(text, ']'), *first, *slash;

	if (behind != NULL)
		return strchr(behind, ':');
	first = strchr(text, ':');
	if (first == NULL || strchr(first + 1, ':') == NULL)
		return first;
	return (slash = strchr(text, '/')) != NULL ? strchr(slash, ':') : NULL;
}

/* Letters tell a host from a network: no top-level domain is a number (RFC 1123 2.1). */
static bool
looks_like_host(const char *text)
{
	const char *last = strrchr(text, '.');

	if (strpbrk(text, ":/[") != NULL)
		return false;
	last = last != NULL ? last + 1 : text;
	return *last == '\0' || *last == '*' || strspn(last, "0123456789") != strlen(last);
}

static bool
is_pattern(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-._*", *p) == NULL)
			return false;
	return *text != '\0' && strlen(text) <= NAME_MAX_LEN && strstr(text, "..") == NULL;
}

/* "*.Example.com" and "*.example.com." are one pattern; `!` behind it is for special addresses. */
static bool
read_host(struct option_ctx *ctx, char *text, struct rule_where *w)
{
	size_t n = strlen(text);

	if ((w->special = n > 0 && text[n - 1] == '!'))
		text[--n] = '\0';
	if (n > 1 && text[n - 1] == '.')
		text[n - 1] = '\0';
	for (char *p = text; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	w->host = text;
	if (is_pattern(text) && looks_like_host(text) &&
	    (strcmp(text, "*") == 0 || strspn(text, "0123456789.*") != strlen(text)))
		return true;
	return option_refuse(ctx,
	    "\"%s\" is neither a host nor a network; write such as www.example.com, "
	    "*.example.com:443, 192.0.2.0/24, [2001:db8::]/32:22 or *",
	    text);
}

/* "[2001:db8::]/32" as well as "[2001:db8::/32]": network_parse() knows no brackets before a
 * prefix. */
static bool
read_network(struct option_ctx *ctx, char *text, struct rule_where *w)
{
	char *to = text;

	if (text[0] == '[' && strchr(text, ']') != NULL)
		for (const char *p = text; *p != '\0'; p++)
			if (*p != '[' && *p != ']')
				*to++ = *p;
	if (to != text)
		*to = '\0';
	return network_parse(text, strlen(text), &w->net, ctx->why, sizeof(ctx->why));
}

static bool
read_where(struct option_ctx *ctx, const char *from, struct rule_where *w)
{
	char *text = arena_strdup(ctx->arena, from), *colon;

	*w = (struct rule_where){ .first = 0, .last = UINT16_MAX };
	if (text == NULL)
		return option_refuse(ctx, "out of memory");
	if ((colon = (char *)find_ports(text)) != NULL) {
		if (!read_ports(ctx, colon + 1, w))
			return false;
		*colon = '\0';
	}
	return looks_like_host(text) ? read_host(ctx, text, w) : read_network(ctx, text, w);
}

static bool
append(struct option_ctx *ctx, struct rules *rules, const struct rule *rule)
{
	struct rule *v = arena_alloc(ctx->arena, (rules->n + 1) * sizeof(*v));

	if (v == NULL)
		return option_refuse(ctx, "out of memory");
	if (rules->n > 0)
		memcpy(v, rules->v, rules->n * sizeof(*v));
	v[rules->n] = *rule;
	*rules = (struct rules){ v, rules->n + 1 };
	return true;
}

static size_t
trimmed(const char *text, size_t n)
{
	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	return n;
}

bool
rules_parse(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct rule rule = { .allow = strcasecmp(o->name, "allow") == 0 };
	const char *arrow = strstr(value, "->"), *where;
	size_t n = arrow != NULL ? trimmed(value, (size_t)(arrow - value)) : 0;

	if (arrow == NULL)
		return option_refuse(ctx,
		    "there is no -> in it; write %s = WHO -> WHERE, such as %s = * -> "
		    "*.example.com:443",
		    o->name, o->name);
	where = arrow + 2 + strspn(arrow + 2, " \t");
	rule.text = arena_strdup(ctx->arena, value);
	if (rule.text == NULL)
		return option_refuse(ctx, "out of memory");
	return who_parse(ctx->arena, value, n, &rule.who, ctx->why, sizeof(ctx->why)) &&
	       read_where(ctx, where, &rule.where) && append(ctx, field, &rule);
}

/* ---- answers ---- */

enum fit { FITS_NOT, FITS, MAY_FIT };

/* A name in the form of patterns; false: it has none. */
static bool
normal_form(const char *host, char out[NAME_MAX_LEN + 1])
{
	size_t n = strlen(host);

	if (n > 0 && host[n - 1] == '.')
		n--;
	if (n == 0 || n > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)host[i]);
	out[n] = '\0';
	return true;
}

static bool
host_fits(const struct rule_where *w, const char *host)
{
	char name[NAME_MAX_LEN + 1];

	if (strcmp(w->host, "*") == 0)
		return true;
	return host != NULL && normal_form(host, name) && text_glob(w->host, name, false);
}

/* Does the rule, which fits in all else, mean this address? */
static bool
names_special(const struct rule_where *w, const struct addr *a)
{
	const struct special *s = special_find(a);

	if (s == NULL || w->special)
		return true;
	if (w->host == NULL) /* who writes 0.0.0.0/0 did not think of 127.0.0.1 */
		return w->net.prefix >= s->range.prefix;
	return strcmp(w->host, "localhost") == 0 && addr_is_loopback(a); /* RFC 6761 6.3 */
}

/* A network that is denied is so in every form in which one may write its addresses. */
static bool
network_fits(const struct rule *r, const struct addr *a)
{
	struct addr inner;

	if (network_holds(&r->where.net, a))
		return true;
	return !r->allow && special_inner(a, &inner) && network_holds(&r->where.net, &inner);
}

static enum fit
where_fits(const struct rule *r, const struct rules_question *q)
{
	const struct rule_where *w = &r->where;

	if (q->port < w->first || q->port > w->last)
		return FITS_NOT;
	if (w->host != NULL && !host_fits(w, q->host))
		return FITS_NOT;
	if (q->addr == NULL)
		return w->host == NULL || r->allow ? MAY_FIT : FITS;
	if (w->host == NULL && !network_fits(r, q->addr))
		return FITS_NOT;
	return !r->allow || names_special(w, q->addr) ? FITS : FITS_NOT;
}

static bool
who_fits(const struct rule *r, const struct rules_question *q)
{
	if (q->any_user && r->who.kind == WHO_USER)
		return r->allow; /* there may be one whom it does not deny */
	return who_is(&r->who, q->who);
}

static void
explain(const struct rules_question *q, const struct rule *by, const struct log_ctx *log)
{
	const struct special *s = q->addr != NULL ? special_find(q->addr) : NULL;
	char text[ADDR_TEXT];

	if (log == NULL)
		return;
	if (by != NULL)
		log_notice(log, "Rules: denied by deny = %s", by->text);
	else if (s != NULL)
		log_notice(log,
		    "Rules: no rule allows this; %s is %s, which a rule must name: allow = WHO -> "
		    "%s%s%s:%u",
		    addr_host_text(q->addr, text), s->name,
		    q->addr->sa.sa_family == AF_INET6 ? "[" : "", text,
		    q->addr->sa.sa_family == AF_INET6 ? "]" : "", q->port);
	else
		log_notice(log, "Rules: no rule allows this");
}

enum rules_answer
rules_ask(const struct rules *rules, const struct rules_question *q, const struct log_ctx *log)
{
	bool depends = false;

	for (unsigned i = 0; i < rules->n; i++) {
		const struct rule *r = &rules->v[i];
		enum fit fit = who_fits(r, q) ? where_fits(r, q) : FITS_NOT;

		if (fit == FITS && r->allow)
			return RULES_ALLOW;
		if (fit == FITS) {
			if (!depends)
				explain(q, r, log);
			return depends ? RULES_DEPENDS : RULES_DENY;
		}
		depends |= fit == MAY_FIT && r->allow;
	}
	if (depends)
		return RULES_DEPENDS;
	explain(q, NULL, log);
	return RULES_DENY;
}

bool
rules_ask_for_user(const struct rules *rules)
{
	for (unsigned i = 0; i < rules->n; i++)
		if (rules->v[i].who.kind == WHO_USER)
			return true;
	return false;
}

bool
rules_ask_for_certificate(const struct rules *rules)
{
	for (unsigned i = 0; i < rules->n; i++)
		if (who_shows_certificate(&rules->v[i].who))
			return true;
	return false;
}
