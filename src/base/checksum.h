/* SPDX-License-Identifier: Apache-2.0 */
/* base/checksum.h -- the Internet checksum of IP, TCP, UDP and ICMP (RFC 1071). */
#ifndef GINNEL_BASE_CHECKSUM_H
#define GINNEL_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Add bytes to a sum, which begins with 0 or with what is summed up without being there (numbers of
 * a pseudo header).  All but the last piece must be of even length; 64 KiB in all do not overflow.
 */
uint32_t checksum_add(uint32_t sum, const uint8_t *, size_t n);
/* The checksum, to be stored in network order; 0 over bytes that hold the right one already. */
uint16_t checksum_of(uint32_t sum);

#endif
