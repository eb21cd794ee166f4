/* SPDX-License-Identifier: Apache-2.0 */
/* tls/plain_key.c -- private keys that no passphrase shuts, read with one decoder. */
#include "tls/plain_key.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

/* RFC 7468 2 and 10; older kinds have a word before PRIVATE. */
static const char begin[] = "-----BEGIN ", private_key[] = "PRIVATE KEY-----";

/* Where the first of these blocks begins, on a line of its own.  NULL: there is none such. */
static const char *
find_block(const char *text, const char *end)
{
	const char *line_end, *p = text;

	while ((p = memmem(p, (size_t)(end - p), begin, sizeof(begin) - 1)) != NULL) {
		line_end = memchr(p, '\n', (size_t)(end - p));
		if (line_end == NULL)
			return NULL;
		if (memmem(p, (size_t)(line_end - p), private_key, sizeof(private_key) - 1) != NULL)
			return p == text || p[-1] == '\n' ? p : NULL;
		p = line_end;
	}
	return NULL;
}

EVP_PKEY *
plain_key_read(const struct file *f)
{
	static OSSL_DECODER_CTX *decoder;
	static EVP_PKEY *found; /* where the decoder puts what it made */
	const char *end = f->data + f->size;
	const unsigned char *p = (const unsigned char *)find_block(f->data, end);
	size_t n;
	EVP_PKEY *key;

	if (p == NULL)
		return NULL;
	n = (size_t)(end - (const char *)p);
	ERR_set_mark();
	if (decoder == NULL)
		decoder = OSSL_DECODER_CTX_new_for_pkey(
		    &found, "PEM", NULL, NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
	if (decoder != NULL)
		(void)OSSL_DECODER_from_data(decoder, &p, &n);
	ERR_pop_to_mark();
	key = found;
	found = NULL;
	if (key == NULL) { /* one that was made while memory was short may lack what it needs */
		OSSL_DECODER_CTX_free(decoder);
		decoder = NULL;
	}
	return key;
}
