/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_socks_udp.c -- the head of a datagram: what is read stays within it, and is the
 * same when written again. */
#include "proto/socks_udp.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct socks_datagram d, again;
	uint8_t head[SOCKS_UDP_HEAD_MAX];
	size_t size;

	if (!socks_udp_read(data, n, &d))
		return 0;
	MUST(d.n <= n && (d.n == 0 || (d.data > data && d.data + d.n == data + n)));
	MUST(d.target.port != 0);
	if (d.target.addr.len == 0) {
		MUST(memchr(d.target.host, '\0', sizeof(d.target.host)) != NULL);
		return 0;
	}
	size = socks_udp_head(&d.target.addr, head);
	MUST(socks_udp_read(head, size, &again) && again.n == 0);
	MUST(again.target.port == d.target.port);
	return 0;
}
