/* SPDX-License-Identifier: Apache-2.0 */
/* base/text.c -- escaping, counting, comparing. */
#include "base/text.h"

#include "base/check.h"

#include <ctype.h>
#include <limits.h>
#include <stdint.h>
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
