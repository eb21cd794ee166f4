/* SPDX-License-Identifier: Apache-2.0 */
/* base/text.h -- text from outside made safe, read, and refused. */
#ifndef GINNEL_BASE_TEXT_H
#define GINNEL_BASE_TEXT_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Bytes from a peer as one printable word or phrase: what is not printable ASCII, and the
 * backslash, becomes \xNN; more than 256 bytes are cut and end in "...".  Returns out.
 */
enum { TEXT_SAFE_MAX = 256 };
const char *text_safe(const void *bytes, size_t n, char *out, size_t size);

/*
 * Make a line of UTF-8 harmless in place: controls, invisible and bidirectional marks, and bytes
 * that are no UTF-8, become dots; what can be read stays.
 */
void text_dot(char *line, size_t n);

/* How many single-letter edits lie between two names, without case (Damerau-Levenshtein). */
unsigned text_distance(const char *a, const char *b);

/* Does all of the text fit the pattern?  In that, `*` stands for anything, and for nothing. */
bool text_glob(const char *pattern, const char *text, bool any_case);

/* Decimal digits only, no sign, no blank, value within [min, max].  One function for the program.
 */
bool text_number(const char *s, long min, long max, long *out);

/* A TCP port: 1 to 5 digits, 1..65535. */
bool text_port(const char *s, unsigned short *out);

/* Say what is wrong with a text, and be its reader's answer, false: `return text_refuse(...);`. */
bool text_refuse(char *why, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
