/* SPDX-License-Identifier: Apache-2.0 */
/* tls/conf.h -- what the configuration says about TLS on one side of a service. */
#ifndef GINNEL_TLS_CONF_H
#define GINNEL_TLS_CONF_H

#include "base/option.h"
#include "net/addr.h"
#include "tls/alpn.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The options verify, verifyChain, verifyPeer and requireCert write these in the order of the file
 * (docs/stunnel-compat.md has the table).
 */
struct tls_verify {
	bool request; /* ask for a certificate */
	bool require; /* ... and end the handshake without one */
	bool chain;   /* it must lead to a trusted root */
	bool peer;    /* it must be one of the installed ones */
};

/* A secret of a fixed length, written in hexadecimal digits. */
struct tls_secret {
	unsigned size; /* 0: not set */
	unsigned char bytes[32];
};

/* Has the peer's certificate been revoked?  Needs verify.chain. */
struct tls_ocsp {
	const char *url; /* the responder for the peer's own certificate */
	bool aia;	 /* ask those that certificates name, too */
	bool nonce, require;
	unsigned long flags; /* of OCSP_basic_verify(3) */
	int timeout_ms;
};

struct tls_conf {
	const char *cert, *key; /* files, URIs or names in an engine; key NULL: in cert */
	const char *engine_id;	/* or ... */
	int engine_number;	/* ... counted from 1; 0: no engine */
	const char *ca_file, *ca_path, *ca_store;
	struct strv ca_engine;
	const char *crl_file, *crl_path;
	struct tls_verify verify;
	struct tls_ocsp ocsp;
	struct strv check_host, check_email, check_ip;
	bool redirect; /* server: who may not pass gets through the handshake, and elsewhere then */
	const char *sni; /* client: the name to ask for; "" none; NULL the target's host */
	struct strv
	    hosts; /* server: SERVICE:PATTERN, the names for which SERVICE's port leads here */
	struct alpn_conf alpn;
	int version_min, version_max;	     /* TLS1_2_VERSION ...; 0: the library's limit */
	uint64_t options_set, options_clear; /* SSL_OP_* */
	const char *ciphers, *ciphersuites, *curves;
	int security_level; /* -1: the larger of 2 and the library's */
	bool session_resume;
	long session_cache_size; /* entries, 0: no limit */
	int session_timeout_ms;
	int ticket_rotation_ms;
	const struct addr *sessiond;		  /* an external cache; NULL: none */
	struct tls_secret ticket_key, ticket_mac; /* in place of random ones */
	const char *psk_secrets;		  /* file; pre-shared keys */
	const char *psk_identity;		  /* client: which of them; NULL the first */
	struct strv config;			  /* for SSL_CONF_cmd() */
	bool renegotiation;			  /* asked for; nothing obeys it */
	bool strict_permissions;		  /* refuse a key file that others can read */
};
extern const struct option tls_options[];

/* Is a peer with a certificate whom it says? */
bool tls_verifies(const struct tls_conf *);

/* The names behind `options =`: calls `row` for each that this OpenSSL knows, without "SSL_OP_". */
void tls_each_op(void (*row)(void *arg, const char *name), void *arg);

#endif
