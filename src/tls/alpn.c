/* SPDX-License-Identifier: Apache-2.0 */
/* tls/alpn.c -- lists of protocol names: read, compared, written. */
#include "tls/alpn.h"

#include "base/rd.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum {
	NAME_LONGEST = 255, /* RFC 7301 3.1: its length is a byte */
	LIST_LONGEST = 4096,
};

static const char separators[] = ", \t";

/* Append the names of `text`; false: one is too long, or all together are. */
static bool
encode(const char *text, uint8_t out[LIST_LONGEST], size_t *len)
{
	size_t n;

	*len = 0;
	for (; *(text += strspn(text, separators)) != '\0'; text += n) {
		n = strcspn(text, separators);
		if (n > NAME_LONGEST || *len + 1 + n > LIST_LONGEST)
			return false;
		out[(*len)++] = (uint8_t)n;
		memcpy(out + *len, text, n);
		*len += n;
	}
	return true;
}

bool
alpn_parse(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct alpn_conf *conf = field;
	const char *colon = strchr(value, ':');
	uint8_t wire[LIST_LONGEST], *kept;

	(void)o;
	*conf = (struct alpn_conf){ 0 };
	if (value[0] == '\0')
		return true;
	if (!encode(colon == NULL ? value : colon + 1, wire, &conf->names.len))
		return option_refuse(ctx,
		    "a protocol's name has at most %d bytes, and all together have %d",
		    NAME_LONGEST, LIST_LONGEST);
	if (conf->names.len == 0 || colon == value)
		return option_refuse(ctx,
		    "\"%s\" names no protocol; write names such as h2,http/1.1, or SERVICE:h2 for "
		    "those clients of SERVICE that offer one of them",
		    value);
	if (colon != NULL &&
	    (conf->service = arena_strndup(ctx->arena, value, (size_t)(colon - value))) == NULL)
		return option_refuse(ctx, "out of memory");
	if ((kept = arena_alloc(ctx->arena, conf->names.len)) == NULL)
		return option_refuse(ctx, "out of memory");
	memcpy(kept, wire, conf->names.len);
	conf->names.list = kept;
	return true;
}

static bool
has(const struct alpn *list, const struct rd *name)
{
	struct rd r = rd_of(list->list, list->len);
	size_t n = rd_left(name);

	while (rd_left(&r) > 0) {
		struct rd one = rd_block(&r, 1);

		if (rd_left(&one) == n && memcmp(one.p, name->p, n) == 0)
			return true;
	}
	return false;
}

const uint8_t *
alpn_common(const struct alpn *ours, const struct alpn *theirs)
{
	struct rd r = rd_of(ours->list, ours->len);

	while (rd_left(&r) > 0) {
		const uint8_t *at = r.p;
		struct rd name = rd_block(&r, 1);

		if (rd_left(&name) > 0 && has(theirs, &name))
			return at;
	}
	return NULL;
}

const char *
alpn_text(const struct alpn *a, char *out, size_t size)
{
	struct rd r = rd_of(a->list, a->len);
	char text[TEXT_SAFE_MAX];
	size_t used = 0;

	while (rd_left(&r) > 0 && used < sizeof(text)) {
		struct rd name = rd_block(&r, 1);

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s",
		    used > 0 ? "," : "", (int)rd_left(&name), (const char *)name.p);
	}
	return text_safe(text, strnlen(text, sizeof(text)), out, size);
}
