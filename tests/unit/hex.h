/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/hex.h -- vectors as they are printed: hex with blanks. */
#ifndef GINNEL_TESTS_UNIT_HEX_H
#define GINNEL_TESTS_UNIT_HEX_H

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

/* Returns the number of bytes. */
static inline size_t
hex_bytes(const char *text, uint8_t *out)
{
	size_t n = 0;

	while (*text != '\0') {
		char two[3] = { text[0], text[1], '\0' };

		if (isspace((unsigned char)*text)) {
			text++;
			continue;
		}
		out[n++] = (uint8_t)strtoul(two, NULL, 16);
		text += 2;
	}
	return n;
}

#endif
