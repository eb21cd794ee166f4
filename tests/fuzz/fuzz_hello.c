/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_hello.c -- any bytes as the first ones of a connection. */
#include "base/check.h"
#include "tls/hello.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Any program may ask for the fields of a hello that was read: they stay within themselves. */
static void
check_fields(const struct hello *h)
{
	MUST(memchr(h->sni, '\0', sizeof(h->sni)) != NULL);
	MUST(h->alpn_len <= sizeof(h->alpn));
	for (size_t i = 0; i < h->alpn_len; i += 1u + h->alpn[i])
		MUST(i + 1 + h->alpn[i] <= h->alpn_len);
	for (const char *p = h->sni; *p != '\0'; p++)
		MUST(*p < 'A' || *p > 'Z');
}

/*
 * OpenSSL reads the same bytes behind us.  Where both take the hello, both must have seen the same
 * name, or a peer could be routed by one and served by the other.
 */
static int
compare_names(SSL *ssl, int *alert, void *arg)
{
	const struct hello *h = SSL_get_app_data(ssl);
	const unsigned char *body;
	size_t n, length = strlen(h->sni);

	(void)alert;
	(void)arg;
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &body, &n)) {
		MUST(length == 0);
		return SSL_CLIENT_HELLO_ERROR;
	}
	/* RFC 6066 3: two lengths and a type stand before the name, and a final dot has no place.
	 */
	MUST(n == length + 5 || (n == length + 6 && body[n - 1] == '.'));
	for (size_t i = 0; i < length; i++)
		MUST(tolower(body[5 + i]) == h->sni[i]);
	return SSL_CLIENT_HELLO_ERROR;
}

static void
check_openssl_agrees(const uint8_t *data, size_t n, struct hello *h)
{
	static SSL_CTX *ctx;
	SSL *ssl;

	if (ctx == NULL) {
		MUST((ctx = SSL_CTX_new(TLS_server_method())) != NULL);
		SSL_CTX_set_client_hello_cb(ctx, compare_names, NULL);
	}
	MUST((ssl = SSL_new(ctx)) != NULL);
	SSL_set_app_data(ssl, h);
	SSL_set_bio(ssl, BIO_new_mem_buf(data, (int)n), BIO_new(BIO_s_null()));
	SSL_set_accept_state(ssl);
	SSL_do_handshake(ssl);
	SSL_free(ssl);
	ERR_clear_error();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct hello h;
	enum hello_result whole = hello_read(data, n, &h);

	if (whole == HELLO_DONE) {
		check_fields(&h);
		/* A hello in the form of SSL 2 has no extensions and is left to OpenSSL. */
		if ((data[0] & 0x80) == 0)
			check_openssl_agrees(data, n, &h);
	}
	/* A verdict is never taken back when more bytes come. */
	if (n > 0) {
		struct hello shorter;
		enum hello_result before = hello_read(data, n - 1, &shorter);

		MUST(before == HELLO_MORE || before == whole);
	}
	return 0;
}
