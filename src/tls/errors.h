/* SPDX-License-Identifier: Apache-2.0 */
/* tls/errors.h -- OpenSSL's error queue in words. */
#ifndef GINNEL_TLS_ERRORS_H
#define GINNEL_TLS_ERRORS_H

#include "base/log.h"

#include <openssl/err.h>
#include <stddef.h>

/*
 * The queue must be empty before a call of the library whose failure SSL_get_error(3) is to
 * explain.  It nearly always is, and ERR_clear_error() goes through all its places to make sure.
 */
static inline void
errors_forget(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/*
 * The cause of the last failure, for an operator: "bad decrypt", "no cipher match".  Empties the
 * queue, so that nothing stale is blamed later.  Returns out.
 */
const char *errors_take(char *out, size_t size);

/*
 * Log what the queue holds and empty it.  The oldest entry is the cause and comes at level ERR
 * behind `what`, as in "SSL_accept: error:0A0000C1:SSL routines::no shared cipher"; advice follows
 * at NOTICE where there is some, and younger ones at DEBUG.  An empty queue: "what: Peer suddenly
 * disconnected".  Returns the code of the oldest (0: none).
 */
unsigned long errors_log(const struct log_ctx *, const char *what);

#endif
