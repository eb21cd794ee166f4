/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_ppp_auth.c -- MS-CHAPv2 and its keys, and the verdict on a password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "ppp/auth.h"

#include <stdio.h>
#include <string.h>

static void
hex_is(const uint8_t *bytes, size_t n, const char *want)
{
	char hex[2 * 64 + 1] = "";

	assert_true(n <= 64);
	for (size_t i = 0; i < n; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	assert_string_equal(hex, want);
}

/* RFC 2759 9.2 and RFC 3079 3.5.3. */
static const uint8_t challenge[] = { 0x5b, 0x5d, 0x7c, 0x7d, 0x7b, 0x3f, 0x2f, 0x3e, 0x3c, 0x2c,
	0x60, 0x21, 0x32, 0x26, 0x26, 0x28 };
static const struct mschap_response response = {
	.peer_challenge = { 0x21, 0x40, 0x23, 0x24, 0x25, 0x5e, 0x26, 0x2a, 0x28, 0x29, 0x5f, 0x2b,
	    0x3a, 0x33, 0x7c, 0x7e },
	.nt_response = { 0x82, 0x30, 0x9e, 0xcd, 0x8d, 0x70, 0x8b, 0x5e, 0xa0, 0x8f, 0xaa, 0x39,
	    0x81, 0xcd, 0x83, 0x54, 0x42, 0x33, 0x11, 0x4a, 0x3d, 0x85, 0xd6, 0xdf },
};
static const char proof[] = "S=407A5589115FD0D6209F510FE9C04566932CDA56";
static const char keys[] = "d5f0e9521e3ea9589645e86051c822268b7cdc149b993a1ba118cb153f56dccb";

static void
mschap_is_that_of_the_rfcs(void **state)
{
	uint8_t hash[NT_AUTH_HASH], got[NT_AUTH_RESPONSE], key[2 * MSCHAP_KEY];
	char said[MSCHAP_PROOF + 1];

	(void)state;
	nt_auth_hash("clientPass", hash);
	assert_true(mschap_answer(challenge, response.peer_challenge, "User", hash, got));
	assert_memory_equal(got, response.nt_response, sizeof(got));
	assert_true(mschap_answer(challenge, response.peer_challenge, "HOME\\User", hash, got));
	assert_memory_equal(got, response.nt_response, sizeof(got));
	assert_true(mschap_answer(challenge, response.peer_challenge, "User@home", hash, got));
	assert_memory_not_equal(got, response.nt_response, sizeof(got));
	assert_true(mschap_prove(challenge, &response, "User", hash, said));
	assert_string_equal(said, proof);
	assert_true(mschap_keys(hash, response.nt_response, key));
	hex_is(key, sizeof(key), keys);
}

static struct ppp_question
question(enum ppp_method method)
{
	static const uint8_t password[] = { 'c', 'l', 'i', 'e', 'n', 't', 'P', 'a', 's', 's' };
	struct ppp_question q = {
		.method = method,
		.user = "User",
		.id = 7,
		.secret = password,
		.secret_size = sizeof(password),
		.response = response,
	};

	memcpy(q.challenge, challenge, sizeof(challenge));
	return q;
}

/* What is right is granted; the same with one thing wrong is not. */
static void
methods_are_checked(void **state)
{
	static const enum ppp_method methods[] = { PPP_PAP, PPP_CHAP_MD5, PPP_MSCHAPV2,
		PPP_EAP_MSCHAPV2 };
	static const uint8_t id = 7;
	const struct digest_part parts[] = { { &id, 1 }, { "clientPass", 10 },
		{ challenge, sizeof(challenge) } };
	const struct ppp_secret right = { .clear = "clientPass" },
				wrong = { .clear = "ClientPass" };
	uint8_t md5[DIGEST_MD5_SIZE];

	(void)state;
	assert_true(digest_of(DIGEST_MD5, parts, COUNT_OF(parts), md5));
	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		struct ppp_question q = question(methods[i]);
		struct ppp_verdict verdict;

		if (q.method == PPP_CHAP_MD5) {
			q.secret = md5;
			q.secret_size = sizeof(md5);
		}
		auth_check(&q, &right, &verdict);
		assert_int_equal(verdict.answer, PPP_GRANTED);
		auth_check(&q, &wrong, &verdict);
		assert_int_equal(verdict.answer, PPP_REFUSED);
		auth_check(&q, NULL, &verdict);
		assert_int_equal(verdict.answer, PPP_REFUSED);
		assert_string_equal(verdict.proof, "");
		q.secret_size--;
		q.response.nt_response[23] ^= 1;
		auth_check(&q, &right, &verdict);
		assert_int_equal(verdict.answer, PPP_REFUSED);
	}
}

static void
a_hash_will_do_for_all_but_chap(void **state)
{
	uint8_t hash[NT_AUTH_HASH];
	const struct ppp_secret secret = { .hash = hash };
	struct ppp_question q = question(PPP_PAP);
	struct ppp_verdict verdict;

	(void)state;
	nt_auth_hash("clientPass", hash);
	auth_check(&q, &secret, &verdict);
	assert_int_equal(verdict.answer, PPP_GRANTED);
	q.secret_size--;
	auth_check(&q, &secret, &verdict);
	assert_int_equal(verdict.answer, PPP_REFUSED);
	q = question(PPP_MSCHAPV2);
	auth_check(&q, &secret, &verdict);
	assert_int_equal(verdict.answer, PPP_GRANTED);
	assert_string_equal(verdict.proof, proof);
	hex_is(verdict.key, sizeof(verdict.key), keys);
	assert_false(auth_can(PPP_CHAP_MD5, &secret));
	q = question(PPP_CHAP_MD5);
	auth_check(&q, &secret, &verdict);
	assert_int_equal(verdict.answer, PPP_REFUSED);
}

/* An empty password is one that nobody has, also for a user that nobody knows. */
static void
nobody_gets_in_by_nothing(void **state)
{
	const struct ppp_secret secret = { .clear = "x" };
	struct ppp_question q = question(PPP_PAP);
	struct ppp_verdict verdict;
	uint8_t with_nul[] = { 'x', 0, 'y' };

	(void)state;
	q.secret_size = 0;
	auth_check(&q, NULL, &verdict);
	assert_int_equal(verdict.answer, PPP_REFUSED);
	auth_check(&q, &secret, &verdict);
	assert_int_equal(verdict.answer, PPP_REFUSED);
	q.secret = with_nul;
	q.secret_size = 1;
	auth_check(&q, &secret, &verdict);
	assert_int_equal(verdict.answer, PPP_GRANTED);
	q.secret_size = 3;
	auth_check(&q, &secret, &verdict);
	assert_int_equal(verdict.answer, PPP_REFUSED);
}

static void
methods_have_names(void **state)
{
	(void)state;
	for (enum ppp_method m = PPP_NO_AUTH + 1; m < PPP_METHODS; m++)
		assert_int_equal(auth_method_find(auth_method_name(m)), m);
	assert_int_equal(auth_method_find("MSCHAPv2"), PPP_MSCHAPV2);
	assert_int_equal(auth_method_find("none"), PPP_NO_AUTH);
	assert_int_equal(auth_method_find("mschap"), PPP_NO_AUTH);
	assert_int_equal(auth_method_find(""), PPP_NO_AUTH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mschap_is_that_of_the_rfcs),
		cmocka_unit_test(methods_are_checked),
		cmocka_unit_test(a_hash_will_do_for_all_but_chap),
		cmocka_unit_test(nobody_gets_in_by_nothing),
		cmocka_unit_test(methods_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
