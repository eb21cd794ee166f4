/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/detect.h -- several protocols on one port: who serves a client by its first bytes.
 *
 * What begins in clear is told apart before anything else is done; what is inside of TLS, once
 * that is open.  Immutable once its plan is published.
 */
#ifndef GINNEL_TUNNEL_DETECT_H
#define GINNEL_TUNNEL_DETECT_H

#include "base/option.h"

#include <stdint.h>

enum detect_kind {
	DETECT_TLS,
	DETECT_SSH,
	DETECT_HTTP,
	DETECT_CONNECT,
	DETECT_SOCKS4,
	DETECT_SOCKS5,
	DETECT_SSTP,
	DETECT_OTHER,	/* bytes that begin none of these */
	DETECT_TIMEOUT, /* no bytes: the client waits for the server to begin */
	DETECT_KINDS,
	DETECT_MORE, /* not to be told yet */
};
enum { DETECT_MAX = 17 }; /* bytes that tell any of them */

/* Which of them do these bytes begin?  The answer does not depend on how they were cut. */
enum detect_kind detect_look(const uint8_t *, size_t n);
const char *detect_name(enum detect_kind);

/* ---- configuration ---- */

enum detect_layer { DETECT_CLEAR, DETECT_INSIDE, DETECT_LAYERS };

/* One line: clients of SERVICE that begin in one of these ways. */
struct detect_claim {
	const char *text;	       /* as written */
	const char *service;	       /* whose port it is */
	unsigned kinds[DETECT_LAYERS]; /* 1 << detect_kind */
};
struct detect_conf {
	const struct detect_claim
	    *v; /* in the configuration's arena; appending makes a new array */
	unsigned n;
	int timeout_ms;
};
option_parse detect_parse; /* field: struct detect_conf */
/* All kinds of a layer, over all lines. */
unsigned detect_kinds(const struct detect_conf *, enum detect_layer);

/* ---- the plan ---- */

struct service;
struct detect {
	struct service *by[DETECT_LAYERS][DETECT_KINDS]; /* NULL: the port's own service */
};

/* The first to claim a kind has it.  Returns who else has one of them, or NULL. */
struct service *detect_claim(
    struct detect *, enum detect_layer, unsigned kinds, struct service *service);
bool detect_has_layer(const struct detect *, enum detect_layer); /* NULL has none */
bool detect_has(const struct detect *, const struct service *);	 /* NULL has none */

#endif
