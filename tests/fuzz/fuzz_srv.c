/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_srv.c -- any bytes as a name server's answer to a question for SRV records. */
#include "net/srv.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What is used of an answer can be connected to, and written into a log. */
static void
check_record(const struct srv_record *r)
{
	size_t n = strnlen(r->host, sizeof(r->host));

	MUST(n > 0 && n < sizeof(r->host) && r->port != 0);
	for (size_t i = 0; i < n; i++)
		MUST(r->host[i] > ' ' && r->host[i] <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct srv_record records[SRV_MAX];
	const char *error = NULL;
	unsigned count = SRV_MAX + 1;
	uint32_t ttl;
	bool good = srv_parse(data, n, records, &count, &ttl, &error);

	MUST(good == (count > 0) && count <= SRV_MAX);
	MUST(good || error != NULL);
	for (unsigned i = 0; i < count; i++)
		check_record(&records[i]);
	return 0;
}
