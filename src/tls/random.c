/* SPDX-License-Identifier: Apache-2.0 */
/* tls/random.c -- random numbers from the kernel. */
#include "tls/random.h"

#include "tls/library.h"

#include <errno.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <sys/random.h>

/*
 * RAND_set_rand_method(3) is deprecated in favour of providers' generators, but those are one for
 * each library context, and asked through the layers that this is to spare.
 */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* RAND_METHOD: 1, or 0 and an error on the queue. */
static int
draw(unsigned char *to, int n)
{
	if (n < 0) { /* RAND_bytes_ex(3) hands on what does not fit into an int */
		ERR_raise(ERR_LIB_RAND, ERR_R_PASSED_INVALID_ARGUMENT);
		return 0;
	}
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

/* Does openssl.cnf say anything of generators, their ciphers or their seeds? */
static bool
is_configured(void)
{
	char *path = CONF_get1_default_config_file();
	CONF *conf = NCONF_new(NULL);
	const char *section;
	bool found = path != NULL && conf != NULL && NCONF_load(conf, path, NULL) == 1 &&
		     (section = NCONF_get_string(conf, NULL, "openssl_conf")) != NULL &&
		     NCONF_get_string(conf, section, "random") != NULL;

	NCONF_free(conf);
	OPENSSL_free(path);
	return found;
}

static bool
is_free_to_choose(void)
{
	unsigned char byte;
	bool ours;

	ERR_set_mark();
	ours = library_is_default() && RAND_get_rand_method() == RAND_OpenSSL() &&
	       !is_configured() && draw(&byte, sizeof(byte)) == 1;
	ERR_pop_to_mark();
	return ours;
}

void
random_from_kernel(void)
{
	static const RAND_METHOD kernel = { .bytes = draw, .pseudorand = draw, .status = is_ready };
	static bool decided;

	if (!decided && is_free_to_choose())
		(void)RAND_set_rand_method(&kernel);
	decided = true;
}
