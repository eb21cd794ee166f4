/* SPDX-License-Identifier: Apache-2.0 */
/* base/line.c -- one line of the log: made, and taken apart again. */
#include "base/line.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
	STAMP = 20, /* "2026.01.31 12:00:00 " */
	HEAD_MAX = STAMP + sizeof("LOG7[]: ") + sizeof(((struct log_ctx *)0)->id),
};
_Static_assert(LINE_SIZE >= HEAD_MAX + LOG_LINE_MAX + 2, "a line of the longest text fits");

/* ---- making a line ---- */

/* "2026.01.31 12:00:00 ", made once a second in each thread: localtime_r() takes a lock. */
static void
put_stamp(char out[STAMP])
{
	static _Thread_local time_t second = -1;
	static _Thread_local char text[64];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != second) {
		second = now.tv_sec;
		localtime_r(&second, &tm);
		(void)snprintf(text, sizeof(text), "%04d.%02d.%02d %02d:%02d:%02d ",
		    (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		    tm.tm_sec);
	}
	memcpy(out, text, STAMP);
}

/* The part before the text.  By hand: it is the same few bytes for every line. */
static size_t
put_head(char out[HEAD_MAX], const struct log_ctx *ctx, int level)
{
	size_t id = strnlen(ctx->id, sizeof(ctx->id));
	char *p = out;

	put_stamp(p);
	p += STAMP;
	memcpy(p, "LOG", 3);
	p += 3;
	*p++ = (char)('0' + (level & 7));
	*p++ = '[';
	memcpy(p, ctx->id, id);
	p += id;
	memcpy(p, "]: ", 3);
	return (size_t)(p + 3 - out);
}

/* The text, cut and made one line; names may be UTF-8. */
static size_t put_text(char out[LOG_LINE_MAX + 1], const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static size_t
put_text(char out[LOG_LINE_MAX + 1], const char *fmt, va_list ap)
{
	int made = vsnprintf(out, LOG_LINE_MAX + 1, fmt, ap);
	size_t n = made < 0 ? 0 : made < LOG_LINE_MAX ? (size_t)made : LOG_LINE_MAX;

	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
		n--;
	text_dot(out, n);
	return n;
}

size_t
line_make(char *out, const struct log_ctx *ctx, int level, const char *fmt, va_list ap)
{
	size_t n = put_head(out, ctx, level);

	n += put_text(out + n, fmt, ap);
	out[n++] = '\n';
	return n;
}

/* ---- taking lines apart again ---- */

bool
line_next(const char **p, const char *end, struct line_parts *line)
{
	if (*p == end)
		return false;
	line->start = *p;
	line->head = *p + STAMP;
	line->level = line->head[3] - '0';
	line->end = memchr(line->head, '\n', (size_t)(end - line->head));
	line->text = strchr(line->head, ']') + 3; /* no id contains a bracket */
	*p = line->end + 1;
	return true;
}

unsigned long
line_count(const char *text, size_t n)
{
	unsigned long lines = 0;

	for (const char *end = text + n; (text = memchr(text, '\n', (size_t)(end - text))) != NULL;
	     text++)
		lines++;
	return lines;
}

/* ---- who is speaking ---- */

/* 131 random bits as letters and digits; false if the kernel gives none. */
static bool
make_unique(char *out, size_t size)
{
	static const char letters[] =
	    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	unsigned char bytes[22];

	MUST(size > sizeof(bytes));
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		out[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	out[sizeof(bytes)] = '\0';
	return true;
}

void
line_make_id(struct log_ctx *ctx, enum log_id kind, uint64_t seq)
{
	if (kind == LOG_ID_UNIQUE && make_unique(ctx->id, sizeof(ctx->id)))
		return;
	if (kind == LOG_ID_THREAD)
		seq = (uint64_t)gettid();
	else if (kind == LOG_ID_PROCESS)
		seq = (uint64_t)getpid();
	(void)snprintf(ctx->id, sizeof(ctx->id), "%llu", (unsigned long long)seq);
}
