/* SPDX-License-Identifier: Apache-2.0 */
/* tls/tls_facts.h -- what there is to tell about the client of an accepted stream with TLS. */
#ifndef GINNEL_TLS_TLS_FACTS_H
#define GINNEL_TLS_TLS_FACTS_H

#include "net/stream.h"

/* What is not a copy is the stream's. */
struct tls_facts {
	const char *version, *cipher;
	const char *sni; /* NULL: none was asked for */
	const uint8_t *alpn;
	size_t alpn_len; /* 0: nothing was agreed on */
	bool resumed;
	bool has_cert;
	bool verified; /* its certificate, by a chain or as one that is known */
	uint8_t *cn;   /* the first common name of its subject in UTF-8; a copy */
	size_t cn_len;
	uint8_t *cert; /* in DER; a copy */
	size_t cert_len;
};

/* False: no memory, or something cannot be told. */
bool tls_facts_of(const struct stream *, struct tls_facts *) MUST_CHECK;
void tls_facts_clear(struct tls_facts *);

#endif
