/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/passphrase.h -- the passphrase of a key, asked for on the terminal.
 *
 * Only while the program starts, when there is one thread.  What was typed for one key is tried for
 * the next, as services often share one.
 */
#ifndef GINNEL_TLS_PASSPHRASE_H
#define GINNEL_TLS_PASSPHRASE_H

#include <stdbool.h>

enum { PASS_MAX = 1024 }; /* as OpenSSL's PEM_BUFSIZE */

/* One key and the attempts to open it. */
struct lock {
	const char *path;
	bool may_ask;
	bool encrypted; /* a passphrase was wanted */
	bool no_way;	/* ... and nobody could be asked */
	bool use_known;
};

/* A pem_password_cb(3); `arg` is a struct lock. */
int passphrase_give(char *buf, int size, int writing, void *arg);

/*
 * Open what has a lock: `open_it` uses passphrase_give(), and is called with what is known, then
 * with what is typed, until it is content.  False: see the lock and OpenSSL's error queue.
 */
bool passphrase_try(struct lock *, bool (*open_it)(void *what, struct lock *), void *what);

/* The program has started: wipe what was typed, and never ask again. */
void passphrase_stop_asking(void);

#endif
