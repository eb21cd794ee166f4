/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/narrow_kit.h -- what the tests of the narrow context and of its algorithms share. */
#ifndef GINNEL_TESTS_NARROW_KIT_H
#define GINNEL_TESTS_NARROW_KIT_H

#include "tls/narrow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

/* A new key; curve: of "EC" alone. */
static inline __attribute__((unused)) EVP_PKEY *
make_key(const char *type, const char *curve)
{
	EVP_PKEY *key = curve != NULL	 ? EVP_PKEY_Q_keygen(NULL, NULL, type, curve)
			: type[0] == 'R' ? EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)2048)
					 : EVP_PKEY_Q_keygen(NULL, NULL, type);

	assert_non_null(key);
	return key;
}

/* For main(): 0, or what it must return.  77 is meson's number for a test that is skipped. */
static inline __attribute__((unused)) int
need_narrow_context(void)
{
	if (OpenSSL_version_num() >= 0x30200000) {
		puts("NOT TESTED: this OpenSSL needs no narrow context");
		return 77;
	}
	return narrow_context() != NULL ? 0 : 1;
}

#endif
