/* SPDX-License-Identifier: Apache-2.0 */
/* tests/replay/rig.h -- a worker on a fake loop, a backend, and clients whose other end the test
 * holds. */
#ifndef GINNEL_TESTS_RIG_H
#define GINNEL_TESTS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_loop.h"
#include "tunnel/plan.h"
#include "tunnel/session.h"
#include "tunnel/worker.h"

#include <openssl/ssl.h>

struct rig {
	struct common common;
	struct worker *worker;
	struct plan *plan;
	char dir[64]; /* certificates */
	int backend;  /* listening on loopback */
	unsigned short port;
	bool certified; /* clients show client.pem */
	unsigned idle;	/* calls of common.idle */
	uint64_t seq;
	void (*watch_start)(bool on); /* if set: called around session_start() */
};

/* One end that the test holds: plain, or TLS as a client over it. */
struct peer {
	int fd;
	SSL *ssl;
};

/*
 * `conf`: the text of the configuration; the first %u in it becomes the backend's port, every "@"
 * the directory with ca.pem, server.pem and client.pem.
 */
void rig_open(struct rig *, const char *conf);
void rig_close(struct rig *); /* every session must have ended */
/* Read a configuration beside the plan in force, as a reload does, and let it go.  Was it good? */
bool rig_reads(struct rig *, const char *conf);
struct loop *rig_loop(struct rig *);

/* A new client of service 0; with `tls`, a TLS client is put on it (the handshake is the test's to
 * turn). */
struct peer rig_client(struct rig *, bool tls);
/* Turn until the backend is connected to, and take that end. */
struct peer rig_backend(struct rig *);
/* Turn until the client's handshake is done. */
void rig_handshake(struct rig *, struct peer *);

/* As read(2), write(2): bytes, 0 at the end, -1 for "not now", -2 for an error. */
long peer_read(struct peer *, void *, size_t);
long peer_write(struct peer *, const void *, size_t);
void peer_end(struct peer *);	/* FIN or close_notify */
void peer_close(struct peer *); /* twice is fine */
void peer_reset(struct peer *); /* RST (TCP only) */

unsigned rig_ended(const struct rig *, enum reason); /* how many sessions ended so */

#endif
