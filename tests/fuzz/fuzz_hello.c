/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_hello.c -- any bytes as the first ones of a connection. */
#include "base/check.h"
#include "tls/hello.h"

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct hello h;
	enum hello_result whole = hello_read(data, n, &h);

	if (whole == HELLO_DONE)
		check_fields(&h);
	/* A verdict is never taken back when more bytes come. */
	if (n > 0) {
		struct hello shorter;
		enum hello_result before = hello_read(data, n - 1, &shorter);

		MUST(before == HELLO_MORE || before == whole);
	}
	return 0;
}
