/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_front.c -- any bytes as the first ones behind a load balancer: a PROXY header,
 * and what tells protocols apart.
 */
#include "proto/proxy_header.h"
#include "proto/proxy_read.h"
#include "tunnel/detect.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* IPv4 is told as IPv4, and of two families nothing is. */
static void
check_same(const struct proxy_heard *in, const struct proxy_heard *out)
{
	struct addr client = addr_unmapped(&in->client), accepted = addr_unmapped(&in->accepted);

	if (client.len != accepted.len)
		client.len = accepted.len = 0;
	MUST(addr_equal(&client, &out->client));
	MUST(addr_equal(&accepted, &out->accepted));
}

/* What came in goes out again, and must then say the same. */
static void
check_chain(const struct proxy_heard *in)
{
	const struct proxy_facts facts = {
		.checksum = true,
		.passed_on = { in->tlvs, in->tlvs_len },
	};
	uint8_t header[PROXY_HEADER_V2_MAX];
	size_t n = proxy_header_v2(header, &in->client, &in->accepted, &facts);
	struct proxy_heard again;

	if (n == 0) { /* a checksum was one TLV too many */
		MUST(in->used + 7 > PROXY_HEADER_V2_MAX);
		return;
	}
	MUST(proxy_read(header, n, &again) == PROXY_READ_DONE);
	MUST(again.used == n && again.tlvs_len >= 7);
	check_same(in, &again);
}

static void
check_header(const uint8_t *data, size_t n)
{
	struct proxy_heard whole, part;
	enum proxy_read got = proxy_read(data, n, &whole);
	/* The input chooses where it is cut. */
	size_t cut = n == 0 ? 0 : data[n - 1] % n;
	enum proxy_read before = proxy_read(data, cut, &part);

	MUST(before == PROXY_READ_MORE || before == got);
	MUST((got == PROXY_READ_BAD) == (whole.why != NULL));
	MUST(got != PROXY_READ_MORE || n < PROXY_READ_MAX);
	if (got != PROXY_READ_DONE)
		return;
	MUST(whole.used <= n && whole.used <= PROXY_READ_MAX);
	MUST(before != PROXY_READ_DONE || part.used == whole.used);
	MUST(whole.client.len == whole.accepted.len);
	if (whole.tlvs_len > 0)
		MUST(whole.tlvs >= data && whole.tlvs + whole.tlvs_len == data + whole.used);
	check_chain(&whole);
}

static void
check_kind(const uint8_t *data, size_t n)
{
	enum detect_kind kind = detect_look(data, n);

	MUST(n < DETECT_MAX || kind != DETECT_MORE);
	for (size_t i = 0; i < n && i < DETECT_MAX; i++) {
		enum detect_kind part = detect_look(data, i);

		MUST(part == DETECT_MORE || part == kind);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	check_header(data, n);
	check_kind(data, n);
	return 0;
}
