/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_ocsp.c -- any bytes as the answer of an OCSP responder, and as its URL. */
#include "tls/ocsp_answer.h"
#include "tls/ocsp_http.h"
#include "tls/pki.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The same answer in pieces, and its end. */
static enum http_result
read_pieces(struct http_reply *r, const uint8_t *data, size_t n, size_t piece)
{
	enum http_result got = HTTP_MORE;

	memset(r, 0, sizeof(*r));
	for (size_t at = 0; at < n && got == HTTP_MORE; at += piece)
		got = ocsp_http_feed(r, data + at, n - at < piece ? n - at : piece);
	return got == HTTP_MORE ? ocsp_http_end(r) : got;
}

/* No answer that the fuzzer can make is signed by this CA. */
static void
check_answer(const uint8_t *bytes, size_t n)
{
	static struct pki_pair ca;
	static X509_STORE *store;
	struct ocsp_trust trust = { .flags = 0 };
	struct ocsp_subject subject;

	if (store == NULL) {
		log_main.level = LOG_EMERG;
		MUST(pki_issue(&(struct pki_want){ PKI_CA, "fuzz", NULL, -60, 3600 }, NULL, &ca));
		MUST((store = X509_STORE_new()) != NULL && X509_STORE_add_cert(store, ca.cert));
	}
	subject = (struct ocsp_subject){ ca.cert, ca.cert };
	trust.store = store;
	MUST(ocsp_answer_read(&log_main, bytes, n, &subject, NULL, &trust).status == OCSP_OPEN);
	MUST(ERR_peek_error() == 0);
}

/* A URL that is taken becomes lines of a request, and adds none. */
static void
check_url(const uint8_t *data, size_t n)
{
	struct ocsp_url url;
	const char *why;
	char *text = calloc(1, n + 1), head[OCSP_URL_MAX * 2 + 256];
	unsigned lines = 0;

	MUST(text != NULL);
	memcpy(text, data, n);
	if (ocsp_http_url(text, &url, &why)) {
		MUST(ocsp_http_head(&url, 1, head, sizeof(head)) > 0);
		for (const char *p = head; *p != '\0'; p++)
			lines += *p == '\n';
		MUST(lines == 6 && url.target.port != 0 && *url.host != '\0');
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct http_reply whole, bytes;
	enum http_result got = read_pieces(&whole, data, n, n > 0 ? n : 1);

	MUST(read_pieces(&bytes, data, n, 1) == got);
	MUST(whole.body_len <= OCSP_BODY_MAX);
	if (got == HTTP_DONE) {
		MUST(whole.body_len > 0 && whole.body_len == bytes.body_len);
		MUST(memcmp(whole.body, bytes.body, whole.body_len) == 0);
		check_answer(whole.body, whole.body_len);
	}
	ocsp_http_done(&whole);
	ocsp_http_done(&bytes);
	check_answer(data, n);
	check_url(data, n);
	return 0;
}
