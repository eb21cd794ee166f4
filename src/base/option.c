/* SPDX-License-Identifier: Apache-2.0 */
/* base/option.c -- the parsers that most options share. */
#include "base/option.h"

#include "base/text.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool
option_refuse(struct option_ctx *ctx, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(ctx->why, sizeof(ctx->why), fmt, ap);
	va_end(ap);
	return false;
}

static bool
refuse_memory(struct option_ctx *ctx)
{
	return option_refuse(ctx, "out of memory");
}

bool
option_text(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	const char **text = field;

	(void)opt;
	if (*value == '\0') {
		*text = NULL;
		return true;
	}
	return (*text = arena_strdup(ctx->arena, value)) != NULL || refuse_memory(ctx);
}

bool
option_list(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	if (*value == '\0')
		return option_refuse(ctx, "is empty; write one %s, or remove the line",
		    opt->arg != NULL ? opt->arg : "value");
	return strv_append(ctx->arena, field, value) || refuse_memory(ctx);
}

/* The word's number into *out; else refuse, listing what there is. */
static bool
find_word(struct option_ctx *ctx, const struct option_word *words, const char *value, long *out)
{
	char safe[TEXT_SAFE_MAX], list[200];

	for (const struct option_word *w = words; w->name != NULL; w++) {
		if (strcasecmp(w->name, value) == 0) {
			*out = w->value;
			return true;
		}
	}
	return option_refuse(ctx, "\"%s\" is not a value for it; write %s",
	    text_safe(value, strlen(value), safe, sizeof(safe)),
	    option_words(words, list, sizeof(list)));
}

bool
option_yesno(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	static const struct option_word yesno[] = { { "yes", true }, { "no", false }, { NULL, 0 } };
	long n = 0;

	(void)opt;
	if (!find_word(ctx, yesno, value, &n))
		return false;
	*(bool *)field = n != 0;
	return true;
}

bool
option_keyword(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	long n = 0;

	if (!find_word(ctx, opt->words, value, &n))
		return false;
	*(int *)field = (int)n;
	return true;
}

/* A number within the option's own limits and those of its field. */
static bool
bounded(struct option_ctx *ctx, const struct option *opt, const char *value, long limit, long *out)
{
	bool any = opt->min == 0 && opt->max == 0;
	long min = any ? 0 : opt->min;
	long max = any || opt->max > limit ? limit : opt->max;
	char safe[TEXT_SAFE_MAX];

	if (text_number(value, min, max, out))
		return true;
	return option_refuse(ctx, "\"%s\" is not a number from %ld to %ld; write digits only",
	    text_safe(value, strlen(value), safe, sizeof(safe)), min, max);
}

bool
option_int(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	long n = 0;

	if (!bounded(ctx, opt, value, INT_MAX, &n))
		return false;
	*(int *)field = (int)n;
	return true;
}

bool
option_long(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	return bounded(ctx, opt, value, LONG_MAX, field);
}

bool
option_bytes(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	static const char units[] = "KMG";
	size_t len = strlen(value);
	const char *unit = len > 0 ? strchr(units, toupper((unsigned char)value[len - 1])) : NULL;
	unsigned shift = unit == NULL ? 0 : 10 * (unsigned)(unit - units + 1);
	char digits[24];
	long n;

	if (unit != NULL)
		len--;
	(void)snprintf(digits, sizeof(digits), "%.*s", (int)len, value);
	if (len >= sizeof(digits) || !text_number(digits, 0, opt->max >> shift, &n) ||
	    n << shift < opt->min)
		return option_refuse(ctx,
		    "\"%s\" is not a number from %ld to %ld, or one with K, M or G behind it",
		    value, opt->min, opt->max);
	*(int64_t *)field = n << shift;
	return true;
}

bool
option_secs(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	long n = 0;

	if (opt->min < 0 && strcmp(value, "-1") == 0) {
		*(int *)field = INT_MAX;
		return true;
	}
	if (!bounded(ctx, opt, value, INT_MAX / 1000, &n))
		return false;
	*(int *)field = (int)n * 1000;
	return true;
}

const char *
option_words(const struct option_word *words, char *out, size_t size)
{
	size_t used = 0;

	MUST(size > 0);
	out[0] = '\0';
	for (const struct option_word *w = words; w->name != NULL && used < size; w++) {
		const char *join = w == words ? "" : w[1].name == NULL ? " or " : ", ";
		int n = snprintf(out + used, size - used, "%s%s", join, w->name);

		used += (size_t)n;
	}
	return out;
}

static void say(struct sink *sink, bool fatal, const char *option, const char *fmt, va_list ap)
    PRINTF_LIKE(4, 0);

static void
say(struct sink *sink, bool fatal, const char *option, const char *fmt, va_list ap)
{
	char text[1024];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	sink->say(sink, fatal, option, text);
}

void
sink_error(struct sink *sink, const char *option, const char *fmt, ...)
{
	va_list ap;

	sink->errors++;
	va_start(ap, fmt);
	say(sink, true, option, fmt, ap);
	va_end(ap);
}

void
sink_warn(struct sink *sink, const char *option, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(sink, false, option, fmt, ap);
	va_end(ap);
}
