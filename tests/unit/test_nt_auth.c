/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_nt_auth.c -- MD4, DES and the response, against the published examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/nt_auth.h"

#include <stdio.h>
#include <string.h>

static void
md4_is(const char *text, const char *want)
{
	uint8_t hash[NT_AUTH_HASH];
	char hex[2 * NT_AUTH_HASH + 1];

	nt_auth_md4(text, strlen(text), hash);
	for (size_t i = 0; i < sizeof(hash); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	assert_string_equal(hex, want);
}

static void
md4_is_what_rfc_1320_says(void **state)
{
	(void)state;
	md4_is("", "31d6cfe0d16ae931b73c59d7e0c089c0");
	md4_is("a", "bde52cb31de33e46245e05fbdbd6fb24");
	md4_is("abc", "a448017aaf21d8525fc10ae87aa6729d");
	md4_is("message digest", "d9130a8164549fe818874806e1c7014b");
	md4_is("abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9");
	md4_is("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
	    "043f8582f241db351ce627e153e7f0e4");
	md4_is("1234567890123456789012345678901234567890"
	       "1234567890123456789012345678901234567890",
	    "e33b4ddc9c38f2199c3e7b164fcc0536");
}

/* MS-NLMP 4.2.1, 4.2.2: Password, the challenge 01 23 45 67 89 ab cd ef. */
static void
the_response_is_that_of_ms_nlmp(void **state)
{
	static const uint8_t challenge[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
	static const uint8_t want_hash[] = { 0xa4, 0xf4, 0x9c, 0x40, 0x65, 0x10, 0xbd, 0xca, 0xb6,
		0x82, 0x4e, 0xe7, 0xc3, 0x0f, 0xd8, 0x52 };
	static const uint8_t want[] = { 0x67, 0xc4, 0x30, 0x11, 0xf3, 0x02, 0x98, 0xa2, 0xad, 0x35,
		0xec, 0xe6, 0x4f, 0x16, 0x33, 0x1c, 0x44, 0xbd, 0xbe, 0xd9, 0x27, 0x84, 0x1f,
		0x94 };
	uint8_t hash[NT_AUTH_HASH], response[NT_AUTH_RESPONSE];

	(void)state;
	nt_auth_hash("Password", hash);
	assert_memory_equal(hash, want_hash, sizeof(hash));
	nt_auth_response(challenge, hash, response);
	assert_memory_equal(response, want, sizeof(response));
}

/* RFC 2759 9.2: clientPass, and the challenge that MS-CHAPv2 makes of both sides' ones. */
static void
the_response_is_that_of_rfc_2759(void **state)
{
	static const uint8_t challenge[] = { 0xd0, 0x2e, 0x43, 0x86, 0xbc, 0xe9, 0x12, 0x26 };
	static const uint8_t want_hash[] = { 0x44, 0xeb, 0xba, 0x8d, 0x53, 0x12, 0xb8, 0xd6, 0x11,
		0x47, 0x44, 0x11, 0xf5, 0x69, 0x89, 0xae };
	static const uint8_t want[] = { 0x82, 0x30, 0x9e, 0xcd, 0x8d, 0x70, 0x8b, 0x5e, 0xa0, 0x8f,
		0xaa, 0x39, 0x81, 0xcd, 0x83, 0x54, 0x42, 0x33, 0x11, 0x4a, 0x3d, 0x85, 0xd6,
		0xdf };
	uint8_t hash[NT_AUTH_HASH], response[NT_AUTH_RESPONSE];

	(void)state;
	nt_auth_hash("clientPass", hash);
	assert_memory_equal(hash, want_hash, sizeof(hash));
	nt_auth_response(challenge, hash, response);
	assert_memory_equal(response, want, sizeof(response));
}

static void
a_long_password_is_cut(void **state)
{
	uint8_t one[NT_AUTH_HASH], other[NT_AUTH_HASH];
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[299] = '\0';
	nt_auth_hash(text, one);
	text[256] = '\0';
	nt_auth_hash(text, other);
	assert_memory_equal(one, other, sizeof(one));
	text[255] = '\0';
	nt_auth_hash(text, other);
	assert_memory_not_equal(one, other, sizeof(one));
}

/* Each beside the UTF-16LE that it stands for. */
static void
a_password_in_utf_8_is_read_as_such(void **state)
{
	static const struct {
		const char *utf8, *utf16;
		size_t n;
	} table[] = {
		{ "clientPass", "c\0l\0i\0e\0n\0t\0P\0a\0s\0s\0", 20 },
		{ "", "", 0 },
		{ "\xc3\xa4", "\xe4\0", 2 },
		{ "\xe2\x82\xac", "\xac\x20", 2 },
		{ "\xf0\x9f\x94\x91x",
		    "\x3d\xd8\x11\xdd"
		    "x\0",
		    6 },
		/* Not UTF-8, so Latin-1: a lone byte, one cut short, one too long, a surrogate, and
		   what is beyond Unicode. */
		{ "\xe4", "\xe4\0", 2 },
		{ "\xc3", "\xc3\0", 2 },
		{ "\xc0\x80", "\xc0\0\x80\0", 4 },
		{ "\xed\xa0\x80", "\xed\0\xa0\0\x80\0", 6 },
		{ "\xf4\x90\x80\x80", "\xf4\0\x90\0\x80\0\x80\0", 8 },
		{ "\xff", "\xff\0", 2 },
	};
	uint8_t got[NT_AUTH_HASH], want[NT_AUTH_HASH];
	char text[4 * 300 + 1];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		nt_auth_hash_utf8(table[i].utf8, got);
		nt_auth_md4(table[i].utf16, table[i].n, want);
		assert_memory_equal(got, want, sizeof(got));
	}
	/* 300 characters of four bytes are 256. */
	for (size_t i = 0; i < 300; i++)
		memcpy(text + 4 * i, "\xf0\x9f\x94\x91", 4);
	text[sizeof(text) - 1] = '\0';
	nt_auth_hash_utf8(text, got);
	text[4 * 256] = '\0';
	nt_auth_hash_utf8(text, want);
	assert_memory_equal(got, want, sizeof(got));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(md4_is_what_rfc_1320_says),
		cmocka_unit_test(the_response_is_that_of_ms_nlmp),
		cmocka_unit_test(the_response_is_that_of_rfc_2759),
		cmocka_unit_test(a_long_password_is_cut),
		cmocka_unit_test(a_password_in_utf_8_is_read_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
