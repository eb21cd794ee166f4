/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/ocsp_fetch.h -- one question to one OCSP responder, on the asker's own loop.
 *
 * It is polled like a stream: whatever happens to it queues the asker's task, and the asker steps
 * it again.  No thread, and nothing that blocks.
 */
#ifndef GINNEL_TLS_OCSP_FETCH_H
#define GINNEL_TLS_OCSP_FETCH_H

#include "net/dial.h"

/* Where a fetch lives; all of it outlives the fetch. */
struct ocsp_env {
	struct loop *loop;
	struct pool *pool;
	struct resolver *resolver;
	struct task *task; /* runs when there may be news */
	const struct log_ctx *log;
};

struct ocsp_fetch;

/*
 * `url` as in ocsp_http_url(); `foreign`: it comes from a certificate and not from our own
 * configuration.  `timeout_ms` is for connecting to each address, and once more for the exchange.
 * NULL: no memory, or the URL cannot be used (logged).
 */
struct ocsp_fetch *ocsp_fetch_new(const struct ocsp_env *, const char *url, bool foreign,
    const uint8_t *request, size_t size, int timeout_ms);
/* IO_OK: the answer is here; IO_AGAIN; IO_FAILED: there is none, and the log says why. */
enum io ocsp_fetch_step(struct ocsp_fetch *) MUST_CHECK;
const uint8_t *ocsp_fetch_answer(const struct ocsp_fetch *, size_t *size);
void ocsp_fetch_free(struct ocsp_fetch *); /* NULL is fine */

#endif
