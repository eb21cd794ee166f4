/* SPDX-License-Identifier: Apache-2.0 */
/* base/text.c -- escaping, counting, comparing. */
#include "base/text.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool
is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '\\';
}

static size_t
put_safe(char *out, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";

	if (is_plain(c)) {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '\\';
	out[1] = 'x';
	out[2] = hex[c >> 4];
	out[3] = hex[c & 15];
	return 4;
}

/*
 * The character at p[0..n) and its length in bytes (RFC 3629); 0 where there is none, with
 * length 1. Overlong forms and surrogates are none.
 */
static uint32_t
utf8_at(const uint8_t *p, size_t n, size_t *len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t want = p[0] < 0x80	? 1
		      : p[0] >> 5 == 6	? 2
		      : p[0] >> 4 == 14 ? 3
		      : p[0] >> 3 == 30 ? 4
					: 0;
	uint32_t c;

	*len = 1;
	if (want == 0 || want > n)
		return 0;
	c = want == 1 ? p[0] : p[0] & (0x7fu >> want);
	for (size_t i = 1; i < want; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[want] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*len = want;
	return c;
}

/* What moves or hides other text on a screen: controls, and Unicode's format characters. */
static bool
is_treacherous(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0, 0x1f },
		{ 0x7f, 0x9f },
		{ 0xad, 0xad },
		{ 0x61c, 0x61c },
		{ 0x200b, 0x200f },
		{ 0x2028, 0x202e },
		{ 0x2060, 0x206f },
		{ 0xfeff, 0xfeff },
		{ 0xfff9, 0xfffb },
		{ 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < COUNT_OF(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/*
 * Are these eight bytes all from 0x20 to 0x7e?  One that is not has its top bit set, or gets it
 * from
 * + 1, or loses it to - 0x20; as long as none has, no sum carries into the next byte.
 */
static bool
is_all_ascii(const uint8_t *p)
{
	static const uint64_t ones = 0x0101010101010101;
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return ((w | (w + ones) | ~((w | 0x80 * ones) - 0x20 * ones)) & 0x80 * ones) == 0;
}

void
text_dot(char *line, size_t n)
{
	uint8_t *p = (uint8_t *)line;
	size_t len;

	for (size_t i = 0; i < n; i += len) {
		len = 8;
		/* Nearly all of nearly every line. */
		if (n - i >= len && is_all_ascii(p + i))
			continue;
		len = 1;
		if (p[i] >= 0x20 && p[i] < 0x7f)
			continue;
		if (is_treacherous(utf8_at(p + i, n - i, &len)))
			memset(p + i, '.', len);
	}
}

const char *
text_safe(const void *bytes, size_t n, char *out, size_t size)
{
	static const char cut[] = "...";
	const uint8_t *p = bytes;
	size_t shown = n < TEXT_SAFE_MAX ? n : TEXT_SAFE_MAX;
	size_t used = 0, dots = 0; /* dots: the last place where the "..." still fits */
	char piece[4];

	MUST(size >= sizeof(cut));
	for (size_t i = 0; i < shown; i++) {
		size_t len = put_safe(piece, p[i]);

		if (used + len >= size) {
			used = dots;
			shown = i;
			break;
		}
		memcpy(out + used, piece, len);
		used += len;
		if (used + sizeof(cut) <= size)
			dots = used;
	}
	if (shown < n) {
		memcpy(out + dots, cut, sizeof(cut));
		return out;
	}
	out[used] = '\0';
	return out;
}

/* Names are short; of two longer ones, a suggestion would be of no use. */
enum { DISTANCE_MAX = 64 };

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool
same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/*
 * "Optimal string alignment": the usual table of edits between all beginnings of both names, of
 * which only three rows are needed at a time; the third is for two letters that changed places.
 */
unsigned
text_distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned rows[3][DISTANCE_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];

	if (na > DISTANCE_MAX || nb > DISTANCE_MAX)
		return na > nb ? (unsigned)na : (unsigned)nb;
	for (unsigned j = 0; j <= nb; j++)
		last[j] = j;
	for (unsigned i = 1; i <= na; i++) {
		unsigned *spare = before;

		row[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			row[j] = least(last[j], row[j - 1]) + 1;
			row[j] = least(row[j], last[j - 1] + !same_letter(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[nb];
}

static bool
same(char a, char b, bool any_case)
{
	return any_case ? same_letter(a, b) : a == b;
}

/* After a mismatch only the last star need take one letter more: no pattern is slow. */
bool
text_glob(const char *pattern, const char *text, bool any_case)
{
	const char *star = NULL, *taken = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			taken = text;
		} else if (*pattern != '\0' && same(*pattern, *text, any_case)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++taken;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

bool
text_number(const char *s, long min, long max, long *out)
{
	long n = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		int digit = *s - '0';

		if (digit < 0 || digit > 9 || n > (LONG_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (n < min || n > max)
		return false;
	*out = n;
	return true;
}

bool
text_port(const char *s, unsigned short *out)
{
	long port;

	if (strlen(s) > 5 || !text_number(s, 1, 65535, &port))
		return false;
	*out = (unsigned short)port;
	return true;
}

bool
text_refuse(char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return false;
}
