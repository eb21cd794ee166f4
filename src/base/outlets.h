/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/outlets.h -- where lines of the log go: a file, standard error, syslog.
 *
 * They may block, so only the log's writer thread calls them, or whoever logs while there is none.
 */
#ifndef GINNEL_BASE_OUTLETS_H
#define GINNEL_BASE_OUTLETS_H

#include "base/log_conf.h"

#include <stdbool.h>
#include <stddef.h>

struct outlets;

/* Open them; NULL with `why` set. */
struct outlets *outlets_new(const struct log_conf *, bool to_stderr, char *why, size_t size);
void outlets_free(struct outlets *); /* NULL is fine; leaves syslog open */
/* Use `next` from now on, and free `old` (NULL: none).  Returns `next`. */
struct outlets *outlets_replace(struct outlets *old, struct outlets *next);
/* The end: close syslog, too. */
void outlets_close(struct outlets *);

/* `n` bytes of whole lines; `lost` others were lost before them, and that is told, too. */
void outlets_write(struct outlets *, const char *text, size_t n, unsigned long lost);
/* Close the file and open it again. */
void outlets_reopen(struct outlets *);

#endif
