/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_psk.c -- any bytes as the file of PSKsecrets, for both roles. */
#include "kit/memory.h"
#include "tls/conf.h"
#include "tls/psk.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* A complaint says what is wrong, and not what the key is: those here have no blank, and only it
 * has. */
static void
hear(struct sink *sink, bool fatal, const char *option, const char *text)
{
	(void)sink;
	(void)fatal;
	MUST(strncmp(option, "PSK", 3) == 0);
	MUST(text[0] != '\0');
}

static void
load(struct memory *m, enum tls_role role, const char *identity, unsigned char digest[32])
{
	const struct tls_conf conf = { .psk_secrets = "f", .psk_identity = identity };
	struct sink sink = { .say = hear };
	struct psk_table *t = psk_load(&conf, role, &m->files, &sink);

	MUST((t == NULL) == (sink.errors > 0));
	memset(digest, 0, PSK_DIGEST_SIZE);
	if (t != NULL)
		memcpy(digest, psk_digest(t), PSK_DIGEST_SIZE);
	psk_free(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct memory m = memory_of(data, n);
	unsigned char once[PSK_DIGEST_SIZE], again[PSK_DIGEST_SIZE];

	load(&m, TLS_SERVER, NULL, once);
	load(&m, TLS_SERVER, NULL, again);
	MUST(memcmp(once, again, sizeof(once)) == 0);
	load(&m, TLS_CLIENT, NULL, once);
	load(&m, TLS_CLIENT, "user", once);
	return 0;
}
