/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/random.h -- random numbers from the kernel, without a generator of the library's in between.
 *
 * OpenSSL has two generators for each thread, which it seeds from getrandom(2); each call asks
 * whether the process has been forked, and makes new keys for the next one: 0.7 microseconds, six
 * times in a full handshake.  getrandom(2) itself takes 0.4, and there is no state of it that a
 * copy of the process or of the machine could share, or a core show.
 */
#ifndef GINNEL_TLS_RANDOM_H
#define GINNEL_TLS_RANDOM_H

/*
 * From now on RAND_bytes(3), RAND_priv_bytes(3) and all of OpenSSL draw from getrandom(2), and fail
 * if that does, with its error.  Nothing changes if the library is not the default one
 * (library_is_default()), an engine draws, or openssl.cnf has a line `random` (config(5)): who
 * wrote that may depend on it; nor if getrandom(2) gives nothing, for which the library has other
 * sources.  The first call decides.  Main thread, before others.
 */
void random_from_kernel(void);

#endif
