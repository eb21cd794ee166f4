/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_proxy_read.c -- headers of the PROXY protocol as they come in, good beside bad.
 */
#include "proto/proxy_read.h"

#include "proto/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\0\2\7\xc6\x33\x64\1\1\2\1\xbb" /* 192.0.2.7:258 to 198.51.100.1:443 */
#define LONG6 "1111:2222:3333:4444:5555:6666:7777:8888"

static struct proxy_heard heard;

/* `whole` must be a header and nothing else; each part of it must be no more than a beginning. */
static void
good(const void *whole, size_t n, const char *client, const char *accepted)
{
	uint8_t longer[PROXY_READ_MAX + 8];
	char text[ADDR_TEXT];

	for (size_t i = 0; i < n; i++)
		if (proxy_read(whole, i, &heard) != PROXY_READ_MORE)
			fail_msg("%.*s: after %zu bytes: %s", (int)n, (const char *)whole, i,
			    heard.why == NULL ? "done" : heard.why);
	memcpy(longer, whole, n);
	memcpy(longer + n, "PROXY ab", 8); /* data of the tunnel */
	for (size_t more = 0; more <= 8; more++) {
		if (proxy_read(longer, n + more, &heard) != PROXY_READ_DONE)
			fail_msg("%.*s: %s", (int)n, (const char *)whole,
			    heard.why == NULL ? "more" : heard.why);
		assert_int_equal(heard.used, n);
	}
	assert_string_equal(addr_text(&heard.client, text), client);
	assert_string_equal(addr_text(&heard.accepted, text), accepted);
}

/* It must be refused, and each longer or shorter one be refused or not there yet. */
static void
refused(const void *whole, size_t n, const char *why)
{
	bool over = false;

	for (size_t i = 0; i <= n; i++) {
		enum proxy_read got = proxy_read(whole, i, &heard);

		if (got == PROXY_READ_DONE || (over && got != PROXY_READ_BAD))
			fail_msg("%.*s: taken after %zu bytes", (int)n, (const char *)whole, i);
		over = got == PROXY_READ_BAD;
	}
	if (!over || strstr(heard.why, why) == NULL)
		fail_msg("%.*s: %s", (int)n, (const char *)whole, over ? heard.why : "more");
}

#define GOOD(text, client, accepted) good(text, sizeof(text) - 1, client, accepted)
#define REFUSED(text, why) refused(text, sizeof(text) - 1, why)

static void
version_1(void **state)
{
	(void)state;
	/* The longest ones of doc/proxy-protocol.txt 2.1. */
	GOOD("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535",
	    "255.255.255.255:65535");
	GOOD("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:65535",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:65535");
	GOOD("PROXY UNKNOWN\r\n", "no address", "no address");
	GOOD("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    "no address", "no address");
	/* ... and its example. */
	GOOD("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1:56324",
	    "192.168.0.11:443");
	GOOD("PROXY TCP6 2001:DB8::7 ::1 1 2\r\n", "2001:db8::7:1", "::1:2");
	GOOD("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 1 2\r\n", "::ffff:192.0.2.7:1",
	    "::ffff:192.0.2.1:2");

	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n", "CR and LF");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r \r\n", "CR and LF");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1\0001 2 \r\n", "CR and LF");
	REFUSED("PROXY UNKNOWN\n", "CR and LF");
	REFUSED("PROXY UNKNOWNx\r\n", "word is missing");
	REFUSED("PROXY \r\n", "word is missing");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n", "word is missing");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 1 \r\n", "word is missing");
	REFUSED("PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n", "word is missing");
	REFUSED("PROXY  TCP4 192.0.2.7 192.0.2.1 1 2\r\n", "word is missing");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n", "more than six");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n", "more than six");
	REFUSED("PROXY tcp4 192.0.2.7 192.0.2.1 1 2\r\n", "knows TCP4");
	REFUSED("PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n", "knows TCP4");
	REFUSED("PROXY TCP4 2001:db8::7 192.0.2.1 1 2\r\n", "is none");
	REFUSED("PROXY TCP4 192.0.2.7 2001:db8::7 1 2\r\n", "is none");
	REFUSED("PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n", "is none");
	REFUSED("PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n", "is none");
	REFUSED("PROXY TCP4 192.0.2 192.0.2.1 1 2\r\n", "is none");
	REFUSED("PROXY TCP4 192.0.2.256 192.0.2.1 1 2\r\n", "is none");
	REFUSED("PROXY TCP6 fe80::1%lo ::1 1 2\r\n", "is none");
	REFUSED("PROXY TCP6 [::1] ::1 1 2\r\n", "is none");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 0 2\r\n", "is none");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n", "is none");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n", "is none");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 1 -2\r\n", "is none");
	REFUSED("PROXY TCP4 192.0.2.7 192.0.2.1 1 0x2\r\n", "is none");
	REFUSED("PROXY\tTCP4 192.0.2.7 192.0.2.1 1 2\r\n", "something else");
	REFUSED("proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n", "something else");
	REFUSED(" PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n", "something else");
	REFUSED("GET / HTTP/1.1\r\n", "something else");
	REFUSED("\x16\x03\x01", "something else");
}

static void
a_line_has_at_most_107_bytes(void **state)
{
	char line[120] = "PROXY UNKNOWN ";

	(void)state;
	memset(line + 14, 'x', sizeof(line) - 14);
	memcpy(line + 105, "\r\n", 2);
	good(line, 107, "no address", "no address");
	memset(line + 105, 'x', 2);
	memcpy(line + 106, "\r\n", 2);
	refused(line, 108, "longer than 107");
	memset(line + 14, 'x', sizeof(line) - 14);
	assert_int_equal(proxy_read((const uint8_t *)line, 105, &heard), PROXY_READ_MORE);
	refused(line, 106, "longer than 107");
	refused(line, 120, "longer than 107");
}

static void
version_2(void **state)
{
	static const char unix_header[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
	char changed[] = SIGNATURE "\x21\x11\0\x0c" V4;

	(void)state;
	GOOD(SIGNATURE "\x21\x11\0\x0c" V4, "192.0.2.7:258", "198.51.100.1:443");
	assert_int_equal(heard.tlvs_len, 0);
	GOOD(SIGNATURE
	    "\x21\x21\0\x24\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\1\r\xb8\0\0\0\0\0\0\0"
	    "\0\0\0\0\1\0\1\0\2",
	    "2001:db8::7:1", "2001:db8::1:2");
	/* The sender's own connection: the family means nothing, and what follows is skipped. */
	GOOD(SIGNATURE "\x20\0\0\0", "no address", "no address");
	GOOD(SIGNATURE "\x20\x11\0\x0c" V4, "no address", "no address");
	GOOD(SIGNATURE "\x20\xff\0\2\1\xff", "no address", "no address");
	/* Nothing is known, or nothing that has a meaning here. */
	GOOD(SIGNATURE "\x21\0\0\0", "no address", "no address");
	GOOD(SIGNATURE "\x21\0\0\4\2\0\1a", "no address", "no address");
	assert_int_equal(heard.tlvs_len, 4);
	good(unix_header, sizeof(unix_header), "no address", "no address");

	REFUSED(SIGNATURE "\x22\x11\0\x0c" V4, "LOCAL nor PROXY");
	REFUSED(SIGNATURE "\x11\x11\0\x0c" V4, "LOCAL nor PROXY");
	REFUSED(SIGNATURE "\x21\x11\0\x0b" V4, "too short");
	REFUSED(SIGNATURE "\x21\x21\0\x0c" V4, "too short");
	REFUSED(SIGNATURE "\x21\x11\x0f\xf1", "4096 bytes");
	REFUSED(SIGNATURE "\x20\x11\xff\xff", "4096 bytes");
	REFUSED("\r\n\r\n\0\r\nQUIT\r", "something else");
	/* Datagrams, and what is not defined. */
	for (unsigned code = 0; code < 256; code++) {
		if (code == 0 || code == 0x11 || code == 0x21 || code == 0x31)
			continue;
		changed[13] = (char)code;
		refused(changed, sizeof(changed) - 1, "family is none");
	}
}

static void
tlvs_stay_within_the_header(void **state)
{
	static const char most[PROXY_READ_MAX] = SIGNATURE "\x21\x11\x0f\xf0" V4 "\4\x0f\xe1";

	(void)state;
	GOOD(SIGNATURE "\x21\x11\0\x12" V4 "\2\0\3"
		       "a.b",
	    "192.0.2.7:258", "198.51.100.1:443");
	assert_int_equal(heard.tlvs_len, 6);
	assert_memory_equal(heard.tlvs,
	    "\2\0\3"
	    "a.b",
	    6);
	GOOD(SIGNATURE "\x21\x11\0\x12" V4 "\xe0\0\0\xff\0\0", "192.0.2.7:258", "198.51.100.1:443");
	good(most, sizeof(most), "192.0.2.7:258", "198.51.100.1:443");

	REFUSED(SIGNATURE "\x21\x11\0\x0d" V4 "\2", "beyond the header");
	REFUSED(SIGNATURE "\x21\x11\0\x0e" V4 "\2\0", "beyond the header");
	REFUSED(SIGNATURE "\x21\x11\0\x0f" V4 "\2\0\1", "beyond the header");
	REFUSED(SIGNATURE "\x21\x11\0\x12" V4 "\2\0\4"
			  "a.b",
	    "beyond the header");
	/* What is left over is no TLV. */
	REFUSED(SIGNATURE "\x21\x11\0\x12" V4 "\2\0\2"
			  "a.b",
	    "beyond the header");
}

static void
a_checksum_that_is_there_must_be_right(void **state)
{
	char text[] = SIGNATURE "\x21\x11\0\x17" V4 "\3\0\4\0\0\0\0\4\0\1x";
	size_t n = sizeof(text) - 1, at = 16 + 12 + 3;
	uint32_t crc = proxy_header_crc32c(0, text, n);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		text[at + i] = (char)(crc >> (24 - 8 * i));
	good(text, n, "192.0.2.7:258", "198.51.100.1:443");
	for (size_t i = 16; i < n; i++) { /* whatever is changed, but what says that it is one */
		if (i == at - 3)
			continue;
		text[i] ^= 1;
		assert_int_not_equal(proxy_read((const uint8_t *)text, n, &heard), PROXY_READ_DONE);
		text[i] ^= 1;
	}
	REFUSED(SIGNATURE "\x21\x11\0\x12" V4 "\3\0\3...", "four bytes");
	REFUSED(SIGNATURE "\x21\x11\0\x1a" V4 "\3\0\4....\3\0\4....", "two checksums");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1),
		cmocka_unit_test(a_line_has_at_most_107_bytes),
		cmocka_unit_test(version_2),
		cmocka_unit_test(tlvs_stay_within_the_header),
		cmocka_unit_test(a_checksum_that_is_there_must_be_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
