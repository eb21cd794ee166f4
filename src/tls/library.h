/* SPDX-License-Identifier: Apache-2.0 */
/* tls/library.h -- OpenSSL as the configuration wants it: providers, engines, FIPS, environment. */
#ifndef GINNEL_TLS_LIBRARY_H
#define GINNEL_TLS_LIBRARY_H

#include "base/option.h"

/* Lines that act one after the other, as each may stand on the one before. */
struct library_step {
	const struct option *option;
	const char *value;
};

struct library_conf {
	const struct library_step *steps; /* in the arena; in the order of the file */
	unsigned step_count;
};
extern const struct option library_options[];

/*
 * Take the steps, before any certificate is loaded and while there is one thread.  A second call
 * (a reload) takes none, and warns if they are others now: modules cannot be exchanged, nor can the
 * environment be changed, under threads that use them.
 */
void library_apply(const struct library_conf *, struct sink *);

/*
 * There is nothing but the default provider: no line of ours has loaded, opened or switched
 * anything, and none of openssl.cnf has loaded a provider or asked for FIPS.
 */
bool library_is_default(void);

/* FIPS was asked for, by `fips` or by the system: the defaults of ciphers and curves differ. */
bool library_is_fips(void);

#endif
