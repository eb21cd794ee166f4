/* SPDX-License-Identifier: Apache-2.0 */
/* tls/capable.c -- a certificate that suits TLS 1.3 is known to do so. */
#include "tls/capable.h"

#include "base/check.h"

#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

/* The curves of the signature schemes of RFC 8446 4.2.3, as OpenSSL names them. */
static const char *const curves[] = { "prime256v1", "secp384r1", "secp521r1" };

/* Of other kinds of keys OpenSSL knows without a question. */
static bool
is_on_such_a_curve(EVP_PKEY *key)
{
	char curve[64];

	if (!EVP_PKEY_is_a(key, "EC") || !EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL))
		return false;
	for (size_t i = 0; i < COUNT_OF(curves); i++)
		if (strcmp(curve, curves[i]) == 0)
			return true;
	return false;
}

/* The command SignatureAlgorithms of SSL_CONF_cmd(3), behind the prefix that config(5) allows. */
static bool
has_schemes(STACK_OF(CONF_VALUE) *commands)
{
	for (int i = 0; i < sk_CONF_VALUE_num(commands); i++) {
		const char *name = sk_CONF_VALUE_value(commands, i)->name;
		const char *dot = strchr(name, '.');

		if (strcasecmp(dot != NULL ? dot + 1 : name, "SignatureAlgorithms") == 0)
			return true;
	}
	return false;
}

/* Does the system's configuration of OpenSSL name signature schemes for all (config(5))? */
static bool
look_for_schemes(void)
{
	static const char *const way[] = { "openssl_conf", "ssl_conf", "system_default" };
	char *path = CONF_get1_default_config_file();
	CONF *conf = NCONF_new(NULL);
	const char *section = NULL;
	bool found = false;

	ERR_set_mark();
	if (conf != NULL && path != NULL && NCONF_load(conf, path, NULL) > 0) {
		for (size_t i = 0; i < COUNT_OF(way) && (i == 0 || section != NULL); i++)
			section = NCONF_get_string(conf, section, way[i]);
		found = section != NULL && has_schemes(NCONF_get_section(conf, section));
	}
	ERR_pop_to_mark();
	NCONF_free(conf);
	OPENSSL_free(path);
	return found;
}

static bool
system_names_schemes(void)
{
	static enum { UNKNOWN, NO, YES } answer;

	if (answer == UNKNOWN)
		answer = look_for_schemes() ? YES : NO;
	return answer == YES;
}

/* An SSL_CTX_set_tlsext_servername_callback(3) that answers as OpenSSL does without one. */
static int
on_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_NOACK;
}

void
capable_install(struct tls_context *tc)
{
	EVP_PKEY *key = SSL_CTX_get0_privatekey(tc->ctx);

	/* Only while all schemes are there: `config` may have named others. */
	if (key != NULL && is_on_such_a_curve(key) && tc->conf->config.n == 0 &&
	    !system_names_schemes())
		SSL_CTX_set_tlsext_servername_callback(tc->ctx, on_name);
}
