/* SPDX-License-Identifier: Apache-2.0 */
/* tls/alpn.h -- names of application protocols, by which TLS peers agree on one (RFC 7301). */
#ifndef GINNEL_TLS_ALPN_H
#define GINNEL_TLS_ALPN_H

#include "base/option.h"

#include <stdint.h>

/* As on the wire: each name behind its length.  len 0: none. */
struct alpn {
	const uint8_t *list;
	size_t len;
};

/* What the configuration says. */
struct alpn_conf {
	struct alpn names;   /* of which a server chooses, and which a client offers */
	const char *service; /* whose clients come here if they offer one; NULL: nobody's */
};
/* Field: struct alpn_conf.  "h2,http/1.1", or with SERVICE: before it. */
option_parse alpn_parse;

/* The first of `ours` that `theirs` has, too: at its length.  NULL: there is none. */
const uint8_t *alpn_common(const struct alpn *ours, const struct alpn *theirs);
/* The names with commas between them, as one harmless word for the log.  Returns out. */
const char *alpn_text(const struct alpn *, char *out, size_t size);

#endif
