/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log.h -- one event, one line.
 *
 * Any thread may log at any time; a call formats the line, copies it into a ring and returns.  A
 * writer thread of its own does the writing, so a blocked pipe, a full disk or a slow syslog never
 * holds a tunnel up.  A full ring drops lines and later says how many; info and debug go first.
 */
#ifndef GINNEL_BASE_LOG_H
#define GINNEL_BASE_LOG_H

#include "base/check.h"
#include "base/line.h"
#include "base/log_conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

/* The main thread's context; level is the global one, which a reload changes under all that speak.
 */
extern struct log_ctx log_main;

#define log_at(ctx, lvl, ...) \
	do { \
		if ((lvl) <= __atomic_load_n(&(ctx)->level, __ATOMIC_RELAXED)) \
			log_line(ctx, lvl, __VA_ARGS__); \
	} while (0)
#define log_err(ctx, ...) log_at(ctx, LOG_ERR, __VA_ARGS__)
#define log_warn(ctx, ...) log_at(ctx, LOG_WARNING, __VA_ARGS__)
#define log_notice(ctx, ...) log_at(ctx, LOG_NOTICE, __VA_ARGS__)
#define log_info(ctx, ...) log_at(ctx, LOG_INFO, __VA_ARGS__)
#define log_debug(ctx, ...) log_at(ctx, LOG_DEBUG, __VA_ARGS__)

/* Make the line whatever the context's level. */
void log_line(const struct log_ctx *, int level, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * The life of the log.  Until log_open(), lines of every level are kept in memory; log_abandon()
 * prints them to stderr in the short form of a failed start ("[!] text"), log_open() sends those
 * that pass the level to their destinations.
 */
void log_abandon(void);
/* Open the destinations.  False: `why` says which could not be opened.  Starts no thread. */
bool log_open(const struct log_conf *, bool to_stderr, char *why, size_t size) MUST_CHECK;
/* Start the writer thread; after the last fork.  False with errno set. */
bool log_start(void) MUST_CHECK;
/* SIGUSR1: close and open the file again.  Done by the writer thread. */
void log_reopen(void);
/* A reload: new level and destinations. False with `why` set, and the old ones stay. */
bool log_reconfigure(const struct log_conf *, char *why, size_t size) MUST_CHECK;
/* Write out everything, stop the writer thread, close. */
void log_close(void);

/*
 * A brake for lines that peers can provoke: at most `LOG_BURST` a second of one kind.  Returns true
 * if the line may be made; *suppressed is then how many were swallowed before it.
 */
struct log_brake {
	int64_t second;
	unsigned count, suppressed;
};
enum { LOG_BURST = 100 };
bool log_brake(struct log_brake *, int64_t now_ms, unsigned *suppressed);

#endif
