/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/memo.h -- what the system once said of a name.
 *
 * A process in a chroot has no /etc/passwd, /etc/services or /etc/hosts any more, and yet a reload
 * meets the names that it met at the start.  Who looks a name up notes the answer here, and takes
 * the noted one when the system knows none.
 */
#ifndef GINNEL_BASE_MEMO_H
#define GINNEL_BASE_MEMO_H

#include <stddef.h>

enum memo_kind { MEMO_USER, MEMO_GROUP, MEMO_SERVICE, MEMO_HOST };

/* Note an answer.  Without memory it is not noted. */
void memo_put(enum memo_kind, const char *name, const void *answer, size_t size);
/* The noted answer's size, at most `size`; 0: there is none. */
size_t memo_get(enum memo_kind, const char *name, void *answer, size_t size);

#endif
