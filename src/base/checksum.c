/* SPDX-License-Identifier: Apache-2.0 */
/* base/checksum.c -- the Internet checksum (RFC 1071). */
#include "base/checksum.h"

uint32_t
checksum_add(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return sum;
}

uint16_t
checksum_of(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
