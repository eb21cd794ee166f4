/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/identity.h -- who a client is: where it comes from, its certificate, the user it logged in
 * as.  Rules and limits ask.
 */
#ifndef GINNEL_TUNNEL_IDENTITY_H
#define GINNEL_TUNNEL_IDENTITY_H

#include "net/netset.h"
#include "tls/peer_id.h"

struct identity {
	const struct addr *source;
	const struct peer_id *cert; /* NULL: it showed none */
	const char *user;	    /* NULL: it has not logged in */
};

enum who_kind { WHO_ANYONE, WHO_USER, WHO_CN, WHO_SAN, WHO_SPKI, WHO_FROM };

/* Whom a rule is about. */
struct who {
	enum who_kind kind;
	const char *pattern;		 /* user, cn, san */
	uint8_t spki[PEER_ID_SPKI_SIZE]; /* SHA-256 of the public key */
	struct network from;
};

/*
 * "*", "user:NAME", "cn:PATTERN", "san:PATTERN", "spki:HASH" or "from:NETWORK", in the first `n`
 * bytes of `text`.  False with `why` set.
 */
bool who_parse(
    struct arena *, const char *text, size_t n, struct who *out, char *why, size_t size) MUST_CHECK;
bool who_is(const struct who *, const struct identity *);
/* Does it take a certificate to be them? */
bool who_shows_certificate(const struct who *);

#endif
