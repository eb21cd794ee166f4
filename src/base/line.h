/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/line.h -- one line of the log: made, and taken apart again.
 *
 * Lines have the incumbent's form: "2026.01.31 12:00:00 LOG5[17]: text"; text is cut at 1024 bytes
 * and control characters become '.', so that nothing from a peer can start a line of its own.
 */
#ifndef GINNEL_BASE_LINE_H
#define GINNEL_BASE_LINE_H

#include "base/check.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LOG_LINE_MAX = 1024,	       /* of text */
	LINE_SIZE = LOG_LINE_MAX + 64, /* with all in front of it, and its '\n' */
};

/* Who is speaking.  Owned by the speaker; its level is read at each call. */
struct log_ctx {
	char id[24]; /* in the brackets: a connection's number, or "main" */
	int level;   /* lines above this are not made (0..7 as in syslog.h) */
};

enum log_id { LOG_ID_SEQUENTIAL, LOG_ID_UNIQUE, LOG_ID_THREAD, LOG_ID_PROCESS };
/* The text for a connection's brackets, by kind; `seq` counts over all services. */
void line_make_id(struct log_ctx *, enum log_id kind, uint64_t seq);

/* Make a line in `out`, of LINE_SIZE bytes; its length. */
size_t line_make(char *out, const struct log_ctx *, int level, const char *fmt, va_list)
    PRINTF_LIKE(4, 0);

/* A finished line, as syslog and the short form need it. */
struct line_parts {
	int level;
	const char *start; /* its stamp */
	const char *head;  /* "LOG5[17]: text" */
	const char *text;
	const char *end; /* its '\n' */
};
/* The line at *p, and *p behind it; false at the end. */
bool line_next(const char **p, const char *end, struct line_parts *);
unsigned long line_count(const char *text, size_t n);

#endif
