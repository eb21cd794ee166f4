/* SPDX-License-Identifier: Apache-2.0 */
/* tls/sni.c -- the name that a client asked for before there was an SSL, held on to. */
#include "tls/sni.h"

#include "tls/hello.h"
#include "tls/sessiond.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

/* What the SSL of a server remembers. */
struct bound {
	unsigned magic;
	unsigned char context[TLS_TRUST_SIZE]; /* SHA-256 over the trust hash and the name */
	char name[];			       /* "" if none was asked for */
};
enum { BOUND_MAGIC = 0x7e0b52d9 };

/* A CRYPTO_EX_free: the SSL is gone. */
static void
bound_free(void *ssl, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	struct bound *bound = ptr;

	(void)ssl;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	if (bound == NULL)
		return;
	CHECK_OBJ(bound, BOUND_MAGIC);
	OBJ_FREE(bound);
}

static int bound_index = -1;

static void
make_bound_index(void)
{
	bound_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, bound_free);
}

static int
bound_slot(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_bound_index);
	return bound_index;
}

static struct bound *
bound_of(const SSL *ssl)
{
	struct bound *bound = bound_slot() < 0 ? NULL : SSL_get_ex_data(ssl, bound_slot());

	if (bound != NULL)
		CHECK_OBJ(bound, BOUND_MAGIC);
	return bound;
}

/* Does this hello ask for the name that the SSL is bound to? */
static bool
asks_for_the_same(SSL *ssl, const struct bound *bound)
{
	char name[SNI_MAX + 1] = "";
	const unsigned char *ext;
	size_t n;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &n) &&
	    !hello_read_sni(ext, n, name))
		return false;
	return strcmp(name, bound->name) == 0;
}

/*
 * An SSL_CTX_set_client_hello_cb(3): runs for every ClientHello, also for the one behind a
 * HelloRetryRequest, which may change little and not the name (RFC 8446 4.1.2).  OpenSSL itself
 * does not compare the two.
 */
static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	const struct bound *bound = bound_of(ssl);

	(void)arg;
	if (bound != NULL && !asks_for_the_same(ssl, bound)) {
		*alert = SSL_AD_ILLEGAL_PARAMETER;
		return SSL_CLIENT_HELLO_ERROR;
	}
	return sessiond_must_wait(ssl) ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_SUCCESS;
}

void
sni_install(struct tls_context *tc)
{
	if (tc->role == TLS_SERVER)
		SSL_CTX_set_client_hello_cb(tc->ctx, on_hello, NULL);
}

/*
 * The trust hash has a fixed size, so no two pairs make the same input.  Most clients ask for what
 * the one before has asked for: each thread remembers its last answer.
 */
static bool
make_context(const struct tls_context *tc, const char *name, unsigned char out[TLS_TRUST_SIZE])
{
	static _Thread_local struct {
		unsigned char input[TLS_TRUST_SIZE + SNI_MAX], context[TLS_TRUST_SIZE];
		size_t n;
	} last;
	unsigned char input[TLS_TRUST_SIZE + SNI_MAX];
	size_t n = TLS_TRUST_SIZE + strlen(name);

	MUST(n <= sizeof(input));
	memcpy(input, tc->trust, TLS_TRUST_SIZE);
	memcpy(input + TLS_TRUST_SIZE, name, n - TLS_TRUST_SIZE);
	if (n != last.n || memcmp(input, last.input, n) != 0) {
		last.n = 0;
		if (EVP_Digest(input, n, last.context, NULL, EVP_sha256(), NULL) != 1)
			return false;
		memcpy(last.input, input, n);
		last.n = n;
	}
	memcpy(out, last.context, TLS_TRUST_SIZE);
	return true;
}

bool
sni_bind(SSL *ssl, const struct tls_context *tc, const char *name)
{
	size_t n = strlen(name);
	struct bound *bound = calloc(1, sizeof(*bound) + n + 1);

	if (bound == NULL)
		return false;
	bound->magic = BOUND_MAGIC;
	memcpy(bound->name, name, n);
	if (bound_slot() >= 0 && make_context(tc, name, bound->context) &&
	    SSL_set_session_id_context(ssl, bound->context, TLS_TRUST_SIZE) &&
	    SSL_set_ex_data(ssl, bound_slot(), bound))
		return true;
	OBJ_FREE(bound);
	return false;
}

const char *
sni_name(const SSL *ssl)
{
	const struct bound *bound = bound_of(ssl);

	return bound != NULL && bound->name[0] != '\0' ? bound->name : NULL;
}

const unsigned char *
sni_context(const SSL *ssl, const struct tls_context *tc)
{
	const struct bound *bound = bound_of(ssl);

	return bound != NULL ? bound->context : tc->trust;
}

void
sni_refuse(struct stream *s)
{
	/* RFC 8446 5.1 and 6: a record of two bytes, the alert's level and its description. */
	static const uint8_t record[] = { SSL3_RT_ALERT, 3, 3, 0, 2, SSL3_AL_FATAL,
		SSL_AD_UNRECOGNIZED_NAME };

	if (buf_append(&s->out, s->pool, record, sizeof(record)))
		(void)!stream_flush(s);
	/* So that no reset overtakes the alert. */
	s->alerted = true;
	(void)stream_fail(s, FAULT_TLS, 0);
}
