/* SPDX-License-Identifier: Apache-2.0 */
/* tls/random.c -- random numbers from the kernel. */
#include "tls/random.h"

#include "tls/library.h"

#include <errno.h>
#include <openssl/opensslconf.h>
#include <sys/random.h>

#ifndef OPENSSL_NO_DEPRECATED_3_0

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

/*
 * RAND_set_rand_method(3) is deprecated in favour of providers' generators, but those are one for
 * each library context, and asked through the layers that this is to spare.
 */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* RAND_METHOD: 1, or 0 and an error on the queue. */
static int
draw(unsigned char *to, int n)
{
	while (n > 0) {
		ssize_t got = getrandom(to, (size_t)n, 0);

		if (got > 0) {
			to += got;
			n -= (int)got;
		} else if (got == 0 || errno != EINTR) {
			ERR_raise_data(ERR_LIB_SYS, got == 0 ? EIO : errno, "calling getrandom()");
			return 0;
		}
	}
	return 1;
}

/* getrandom(2) waits until the kernel is. */
static int
is_ready(void)
{
	return 1;
}

/* Has nobody set [random] in openssl.cnf, or an engine's generator?  See config(5). */
static bool
is_generator_default(void)
{
	EVP_RAND_CTX *generator = RAND_get0_primary(NULL);

	return RAND_get_rand_method() == RAND_OpenSSL() && generator != NULL &&
	       EVP_RAND_is_a(EVP_RAND_CTX_get0_rand(generator), "CTR-DRBG");
}

void
random_from_kernel(void)
{
	static const RAND_METHOD kernel = { .bytes = draw, .pseudorand = draw, .status = is_ready };

	if (library_is_default() && is_generator_default())
		(void)RAND_set_rand_method(&kernel);
}

#else

void
random_from_kernel(void)
{
}

#endif
