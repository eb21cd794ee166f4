/* SPDX-License-Identifier: Apache-2.0 */
/* SSTP's packets: the ones of the specification, and the ones that lie. */
#include "proto/sstp_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hex.h"

static struct sstp_message
message_of(const char *hex, uint8_t *bytes)
{
	struct sstp_packet p;
	struct sstp_message m;
	size_t n = hex_bytes(hex, bytes);

	assert_int_equal(sstp_packet_cut(bytes, n, &p), SSTP_WHOLE);
	assert_int_equal(p.length, n);
	assert_true(p.control);
	assert_true(sstp_packet_read(&p, &m));
	return m;
}

/* ---- the stream ---- */

static void
test_every_length(void **state)
{
	static uint8_t bytes[SSTP_PACKET_MAX + 10];
	struct sstp_packet p;

	(void)state;
	for (unsigned control = 0; control < 2; control++)
		for (size_t length = 0; length <= SSTP_PACKET_MAX; length++) {
			size_t least = control != 0 ? 8 : 4;

			bytes[0] = 0x10;
			bytes[1] = (uint8_t)control;
			bytes[2] = (uint8_t)(length >> 8);
			bytes[3] = (uint8_t)length;
			if (length < least) {
				assert_int_equal(
				    sstp_packet_cut(bytes, sizeof(bytes), &p), SSTP_BROKEN);
				continue;
			}
			assert_int_equal(sstp_packet_cut(bytes, length, &p), SSTP_WHOLE);
			assert_int_equal(p.length, length);
			assert_int_equal(p.body_size, length - 4);
			assert_ptr_equal(p.body, bytes + 4);
			if (length > 0)
				assert_int_equal(sstp_packet_cut(bytes, length - 1, &p), SSTP_MORE);
		}
}

static void
test_headers(void **state)
{
	static const struct {
		const char *hex;
		enum sstp_cut expected;
	} known[] = {
		{ "", SSTP_MORE },
		{ "10", SSTP_MORE },
		{ "10 01 00", SSTP_MORE },
		{ "10 00 00 04", SSTP_WHOLE },
		/* reserved bits are ignored */
		{ "10 fe 00 04", SSTP_WHOLE },
		{ "10 ff f0 08 00 08 00 00", SSTP_WHOLE },
		/* another version, as soon as it can be seen */
		{ "11", SSTP_BROKEN },
		{ "00", SSTP_BROKEN },
		{ "20 00 00 04", SSTP_BROKEN },
		{ "47 45 54 20", SSTP_BROKEN }, /* GET */
		{ "10 00 00 00", SSTP_BROKEN },
		{ "10 01 00 07 00 08 00", SSTP_BROKEN },
	};
	uint8_t bytes[64];
	struct sstp_packet p;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		size_t n = hex_bytes(known[i].hex, bytes);

		assert_int_equal(sstp_packet_cut(bytes, n, &p), known[i].expected);
	}
}

static void
test_data_header(void **state)
{
	static const uint8_t expected[] = { 0x10, 0x00, 0x05, 0x7c };
	uint8_t out[SSTP_HEADER];

	(void)state;
	sstp_packet_data_header(1400, out);
	assert_memory_equal(out, expected, sizeof(out));
}

/* ---- what we make is what the specification shows ---- */

static void
assert_made(const char *hex, const uint8_t *made, size_t n)
{
	uint8_t expected[256];

	assert_int_equal(hex_bytes(hex, expected), n);
	assert_memory_equal(made, expected, n);
}

static void
test_made(void **state)
{
	static const uint8_t vv[] = { 0x12, 0x34 };
	static const struct sstp_fault fault = { SSTP_ENCAPSULATED_PROTOCOL,
		SSTP_VALUE_NOT_SUPPORTED, vv, sizeof(vv) };
	uint8_t nonce[SSTP_NONCE], cert[SSTP_HASH], out[SSTP_CONTROL_MAX];
	size_t n;

	(void)state;
	memset(nonce, 0xaa, sizeof(nonce));
	memset(cert, 0xbb, sizeof(cert));
	n = sstp_packet_make_request(out);
	assert_made("10 01 00 0e 00 01 00 01 00 01 00 06 00 01", out, n);
	n = sstp_packet_make_ack(3, nonce, out);
	assert_made("10 01 00 30 00 02 00 01 00 04 00 28 00 00 00 03"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    out, n);
	n = sstp_packet_make_nak(&fault, 1, out);
	assert_made("10 01 00 16 00 03 00 01 00 02 00 0e 00 00 00 01 00 00 00 04 12 34", out, n);
	n = sstp_packet_make_connected(SSTP_SHA256, nonce, cert, out);
	assert_int_equal(n, SSTP_CONNECTED_SIZE);
	assert_made("10 01 00 70 00 04 00 01 00 03 00 68 00 00 00 02", out, 16);
	n = sstp_packet_make_farewell(
	    SSTP_CALL_ABORT, SSTP_CRYPTO_BINDING, SSTP_VALUE_NOT_SUPPORTED, out);
	assert_made("10 01 00 14 00 05 00 01 00 02 00 0c 00 00 00 03 00 00 00 04", out, n);
	n = sstp_packet_make_farewell(SSTP_CALL_DISCONNECT, 0, SSTP_NO_ERROR, out);
	assert_made("10 01 00 14 00 06 00 01 00 02 00 0c 00 00 00 00 00 00 00 00", out, n);
	n = sstp_packet_make_plain(SSTP_ECHO_RESPONSE, out);
	assert_made("10 01 00 08 00 09 00 00", out, n);
}

/* The longest NAK fits. */
static void
test_longest_nak(void **state)
{
	static const uint8_t quote[4];
	struct sstp_fault faults[SSTP_ATTRIBUTES_MAX + 1];
	uint8_t out[SSTP_CONTROL_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(faults); i++)
		faults[i] =
		    (struct sstp_fault){ 1, SSTP_VALUE_NOT_SUPPORTED, quote, sizeof(quote) };
	assert_int_equal(
	    sstp_packet_make_nak(faults, COUNT_OF(faults), out), (size_t)SSTP_CONTROL_MAX);
}

/* ---- what comes ---- */

static void
test_messages_that_lie(void **state)
{
	static const char *const bad[] = {
		"10 01 00 08 00 01 00 01",		     /* the attribute is missing */
		"10 01 00 0e 00 01 ff ff 00 01 00 06 00 01", /* 65,535 of them */
		"10 01 00 0e 00 01 00 02 00 01 00 06 00 01", /* two, and one is here */
		"10 01 00 0e 00 01 00 00 00 01 00 06 00 01", /* none, and one is here */
		"10 01 00 0e 00 01 00 01 00 01 00 00 00 01", /* attribute of 0 bytes */
		"10 01 00 0e 00 01 00 01 00 01 00 03 00 01", /* ... of 3 */
		"10 01 00 0e 00 01 00 01 00 01 00 07 00 01", /* past the end */
		"10 01 00 0e 00 01 00 01 00 01 0f ff 00 01", /* far past the end */
		"10 01 00 0e 00 01 00 01 00 01 00 05 00 01", /* bytes behind it */
		"10 01 00 0b 00 01 00 01 00 01 00",	     /* cut in its header */
	};
	uint8_t bytes[64];
	struct sstp_packet p;
	struct sstp_message m;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		size_t n = hex_bytes(bad[i], bytes);

		assert_int_equal(sstp_packet_cut(bytes, n, &p), SSTP_WHOLE);
		assert_false(sstp_packet_read(&p, &m));
	}
}

static void
test_requests(void **state)
{
	static const struct {
		const char *hex;
		unsigned faults;
		uint8_t id;
		uint32_t status;
	} known[] = {
		{ "10 01 00 0e 00 01 00 01 00 01 00 06 00 01", 0, 0, 0 },
		/* reserved byte and bits of the attribute */
		{ "10 01 00 0e 00 01 00 01 ff 01 f0 06 00 01", 0, 0, 0 },
		/* not PPP */
		{ "10 01 00 0e 00 01 00 01 00 01 00 06 00 02", 1, 1, SSTP_VALUE_NOT_SUPPORTED },
		/* a length of its own */
		{ "10 01 00 0f 00 01 00 01 00 01 00 07 00 01 00", 1, 1, SSTP_INVALID_LENGTH },
		{ "10 01 00 0c 00 01 00 01 00 01 00 04", 1, 1, SSTP_INVALID_LENGTH },
		/* none */
		{ "10 01 00 08 00 01 00 00", 1, 2, SSTP_ATTRIBUTE_MISSING },
		/* twice */
		{ "10 01 00 14 00 01 00 02 00 01 00 06 00 01 00 01 00 06 00 01", 1, 1,
		    SSTP_DUPLICATE_ATTRIBUTE },
		/* one that nobody knows, beside a good one */
		{ "10 01 00 12 00 01 00 02 00 01 00 06 00 01 00 77 00 04", 1, 0x77,
		    SSTP_UNRECOGNIZED_ATTRIBUTE },
		/* a status: of no error, and of one */
		{ "10 01 00 1a 00 01 00 02 00 01 00 06 00 01 00 02 00 0c 00 00 00 00 00 00 00 00",
		    0, 0, 0 },
		{ "10 01 00 1a 00 01 00 02 00 01 00 06 00 01 00 02 00 0c 00 00 00 00 00 00 00 01",
		    1, 2, SSTP_STATUS_INFO_NOT_SUPPORTED },
		{ "10 01 00 12 00 01 00 02 00 01 00 06 00 01 00 02 00 04", 1, 2,
		    SSTP_STATUS_INFO_NOT_SUPPORTED },
	};
	struct sstp_fault faults[SSTP_ATTRIBUTES_MAX + 1];
	uint8_t bytes[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		struct sstp_message m = message_of(known[i].hex, bytes);

		assert_int_equal(sstp_packet_check_request(&m, faults), known[i].faults);
		if (known[i].faults == 0)
			continue;
		assert_int_equal(faults[0].id, known[i].id);
		assert_int_equal(faults[0].status, known[i].status);
	}
}

static void
test_status(void **state)
{
	uint8_t bytes[64], about;
	struct sstp_message m =
	    message_of("10 01 00 14 00 05 00 01 00 02 00 0c 00 00 00 03 00 00 00 04", bytes);

	(void)state;
	assert_int_equal(sstp_packet_status(&m, &about), SSTP_VALUE_NOT_SUPPORTED);
	assert_int_equal(about, SSTP_CRYPTO_BINDING);
	m = message_of("10 01 00 08 00 05 00 00", bytes);
	assert_int_equal(sstp_packet_status(&m, &about), SSTP_NO_ERROR);
	m = message_of("10 01 00 0c 00 05 00 01 00 02 00 04", bytes);
	assert_int_equal(sstp_packet_status(&m, &about), SSTP_NO_ERROR);
}

static void
test_contents_of_ack_and_connected(void **state)
{
	uint8_t nonce[SSTP_NONCE], cert[SSTP_HASH], out[SSTP_CONTROL_MAX], bytes[256];
	struct sstp_packet p;
	struct sstp_message m;
	struct sstp_binding_request ack;
	struct sstp_binding_proof proof;

	(void)state;
	memset(nonce, 0xaa, sizeof(nonce));
	memset(cert, 0xbb, sizeof(cert));
	assert_int_equal(sstp_packet_cut(out, sstp_packet_make_ack(3, nonce, out), &p), SSTP_WHOLE);
	assert_true(sstp_packet_read(&p, &m));
	assert_true(sstp_packet_read_ack(&m, &ack));
	assert_int_equal(ack.hashes, 3);
	assert_memory_equal(ack.nonce, nonce, sizeof(nonce));
	assert_false(sstp_packet_read_connected(&m, &proof));

	assert_int_equal(
	    sstp_packet_cut(out, sstp_packet_make_connected(2, nonce, cert, out), &p), SSTP_WHOLE);
	assert_true(sstp_packet_read(&p, &m));
	assert_true(sstp_packet_read_connected(&m, &proof));
	assert_int_equal(proof.hash, 2);
	assert_memory_equal(proof.cert_hash, cert, sizeof(cert));
	assert_false(sstp_packet_read_ack(&m, &ack));

	/* an attribute that is too short, and one twice */
	m = message_of("10 01 00 10 00 02 00 01 00 04 00 08 00 00 00 03", bytes);
	assert_false(sstp_packet_read_ack(&m, &ack));
	m = message_of("10 01 00 10 00 02 00 02 00 04 00 04 00 04 00 04", bytes);
	assert_false(sstp_packet_read_ack(&m, &ack));
}

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(sstp_packet_type_name(SSTP_CALL_ABORT), "CALL_ABORT");
	assert_non_null(sstp_packet_type_name(0));
	assert_non_null(sstp_packet_type_name(65535));
	for (uint32_t i = 0; i <= SSTP_STATUSES; i++)
		assert_non_null(sstp_packet_status_name(i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_data_header),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_longest_nak),
		cmocka_unit_test(test_messages_that_lie),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_contents_of_ack_and_connected),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
