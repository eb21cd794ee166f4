/* SPDX-License-Identifier: Apache-2.0 */
/* tls/algorithm.h -- the lists of algorithms that providers hand out (provider-base(7)). */
#ifndef GINNEL_TLS_ALGORITHM_H
#define GINNEL_TLS_ALGORITHM_H

#include <openssl/core.h>
#include <stdbool.h>

/*
 * Is its first name, the one that EVP_MD_get0_name(3) and its kin tell, the first of these?  There
 * may be more, with colons.
 */
bool algorithm_is(const OSSL_ALGORITHM *, const char *names);

/* In a list, which may be NULL.  NULL: none is so named. */
const OSSL_ALGORITHM *algorithm_find(const OSSL_ALGORITHM *list, const char *name);

/* One of its functions, by its number in openssl/core_dispatch.h.  NULL: it has none such. */
typedef void algorithm_fn(void);
algorithm_fn *algorithm_function(const OSSL_ALGORITHM *, int number);

enum { ALGORITHM_FUNCTIONS = 33 }; /* with the end of the list; no algorithm has nearly as many */

/*
 * Its functions, and their end, into `out`, which has room for ALGORITHM_FUNCTIONS; where `ours`,
 * which ends as such a list does, has one of that number, with that instead.  False: they are too
 * many.
 */
bool algorithm_merge(
    const OSSL_ALGORITHM *, const OSSL_DISPATCH *ours, OSSL_DISPATCH out[ALGORITHM_FUNCTIONS]);

#endif
