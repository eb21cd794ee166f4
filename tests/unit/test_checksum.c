/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_checksum.c -- RFC 1071's own example, odd lengths, and the longest packet. */
#include "base/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PACKET_MAX = 65535 };

/* RFC 1071 3 */
static const uint8_t example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

static void
the_example_of_the_rfc(void **state)
{
	(void)state;
	assert_int_equal(checksum_add(0, example, sizeof(example)), 0x2ddf0);
	assert_int_equal(checksum_of(0x2ddf0), 0xffff - 0xddf2);
}

/* A header of IP as it is printed in many books; its checksum is b861. */
static void
a_header(void **state)
{
	uint8_t header[] = { 0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x00, 0x00,
		0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7 };

	(void)state;
	assert_int_equal(checksum_of(checksum_add(0, header, sizeof(header))), 0xb861);
	header[10] = 0xb8;
	header[11] = 0x61;
	assert_int_equal(checksum_of(checksum_add(0, header, sizeof(header))), 0);
	header[19] ^= 1;
	assert_int_not_equal(checksum_of(checksum_add(0, header, sizeof(header))), 0);
}

static void
nothing(void **state)
{
	(void)state;
	assert_int_equal(checksum_add(7, example, 0), 7);
	assert_int_equal(checksum_of(0), 0xffff);
	assert_int_equal(checksum_of(0xffff), 0);
}

/* The last byte of an odd number is the higher half of a word, as if a zero followed. */
static void
odd_lengths(void **state)
{
	uint8_t padded[sizeof(example) + 1] = { 0 };

	(void)state;
	for (size_t n = 1; n < sizeof(example); n += 2) {
		memset(padded, 0, sizeof(padded));
		memcpy(padded, example, n);
		assert_int_equal(checksum_add(0, example, n), checksum_add(0, padded, n + 1));
	}
	assert_int_equal(checksum_add(0, (const uint8_t[]){ 0xab }, 1), 0xab00);
}

static void
pieces_of_even_length(void **state)
{
	(void)state;
	for (size_t n = 0; n <= sizeof(example); n += 2)
		assert_int_equal(
		    checksum_add(checksum_add(0, example, n), example + n, sizeof(example) - n),
		    0x2ddf0);
}

/* The carries come back also when there are as many as can be. */
static void
the_longest_packet(void **state)
{
	uint8_t *p = malloc(PACKET_MAX);

	(void)state;
	assert_non_null(p);
	memset(p, 0xff, PACKET_MAX);
	assert_int_equal(checksum_of(checksum_add(0, p, PACKET_MAX - 1)), 0);
	assert_int_equal(checksum_of(checksum_add(0, p, PACKET_MAX)), 0x00ff);
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_rfc),
		cmocka_unit_test(a_header),
		cmocka_unit_test(nothing),
		cmocka_unit_test(odd_lengths),
		cmocka_unit_test(pieces_of_even_length),
		cmocka_unit_test(the_longest_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
