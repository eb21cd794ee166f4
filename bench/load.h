/* SPDX-License-Identifier: Apache-2.0 */
/* bench/load.h -- the kinds of load, and the TLS that they need. */
#ifndef GINNEL_BENCH_LOAD_H
#define GINNEL_BENCH_LOAD_H

#include "job.h"

/* The contexts: what the options say, TLS_AES_128_GCM_SHA256 or its TLS 1.2 twin, X25519. */
SSL_CTX *tls_client(struct job *);
SSL_CTX *tls_server(const struct options *);

/* The modes. */
void handshake_run(struct job *);
void move_run(struct job *);
void ask_run(struct job *);
void library_run(struct job *);
_Noreturn void backend_run(struct job *);
_Noreturn void relay_run(struct job *);

#endif
