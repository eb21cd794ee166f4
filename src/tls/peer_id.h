/* SPDX-License-Identifier: Apache-2.0 */
/* tls/peer_id.h -- whom a peer's certificate names, for rules about clients. */
#ifndef GINNEL_TLS_PEER_ID_H
#define GINNEL_TLS_PEER_ID_H

#include <stdbool.h>
#include <stdint.h>

struct x509_st;

enum peer_id_kind {
	PEER_ID_CN,  /* the common names of its subject */
	PEER_ID_SAN, /* its alternative names: hosts, URIs, e-mail addresses */
};

enum { PEER_ID_SPKI_SIZE = 32 };

struct peer_id {
	unsigned magic;
	uint8_t spki[PEER_ID_SPKI_SIZE]; /* SHA-256 of its SubjectPublicKeyInfo */
	unsigned count;
	struct peer_name {
		enum peer_id_kind kind;
		char *text;
	} * names;
};

/* What the certificate says.  NULL without memory.  See tls_stream_peer_id(). */
struct peer_id *peer_id_new(struct x509_st *);
/* Does a name of that kind fit the pattern?  Alternative names have no case. */
bool peer_id_has(const struct peer_id *, enum peer_id_kind, const char *pattern);
void peer_id_free(struct peer_id *); /* NULL is fine */

#endif
