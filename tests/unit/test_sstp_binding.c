/* SPDX-License-Identifier: Apache-2.0 */
/* The crypto binding by the examples of MS-SSTP 4.7, and by what a client could get wrong. */
#include "proto/sstp_binding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hex.h"

static const char rfc3079[] = "D5F0E9521E3EA9589645E86051C82226 8B7CDC149B993A1BA118CB153F56DCCB";

/* The packets of MS-SSTP 4.7, up to the MAC. */
static const char example_sha256[] =
    "10010070000400010003006800000002412B489AEBD7ECC7D08966F26BE7CD72"
    "B231A0E9210D7C91B308862B0344C4357993EF314C493DACE9F02D60E7E61C84"
    "B6690AAFE9D7AEEA92CBBE8AD599422D";
static const char example_sha1[] =
    "100100700004000100030068000000010F1A2D58D4A3E3000FAD3CE4906E07B7"
    "07AA9E441CCEAC5CBD7B2CC1C9D86CDF5826B629BDA59B8E6FD8DCD2622FD34C"
    "534805A5000000000000000000000000";

static void
test_examples_of_the_specification(void **state)
{
	static const struct {
		const char *hlak, *packet, *mac;
		uint8_t hash;
	} examples[] = {
		{ "2A1BB40D55AB0F5EF32F06F2B3CC73C48FD3FAC41D7A1315A19228D9024CA164",
		    example_sha256,
		    "52A68EFD8CFFBF52770B8F0FE8EC73716583AF6D611EB6D179B3B20840985449",
		    SSTP_SHA256 },
		{ "4B3128F43925D9006EEFB1C4E86515A1D88E56BAB3CA2BDF0373B7F5A8A13B19", example_sha1,
		    "69915DD583D8062FEF16F61DB2F03290EC27CB6C", SSTP_SHA1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(examples); i++) {
		uint8_t packet[SSTP_CONNECTED_SIZE] = { 0 }, hlak[SSTP_HLAK] = { 0 };
		uint8_t expected[SSTP_HASH] = { 0 }, mac[SSTP_HASH];

		assert_int_equal(hex_bytes(examples[i].packet, packet), SSTP_CONNECTED_MAC);
		hex_bytes(examples[i].hlak, hlak);
		hex_bytes(examples[i].mac, expected);
		/* What stands where the MAC belongs does not count. */
		packet[SSTP_CONNECTED_MAC] = packet[SSTP_CONNECTED_SIZE - 1] = 0xee;
		assert_true(sstp_binding_mac(examples[i].hash, hlak, packet, mac));
		assert_memory_equal(mac, expected, sizeof(mac));
	}
}

static void
test_other_keys(void **state)
{
	static const struct {
		const char *hlak, *mac;
		uint8_t hash;
	} known[] = {
		{ "", "b6a0de6f3a84000a8f65cd624154e04a32e8b855", SSTP_SHA1 },
		{ "", "7273990bb5a0a28004ec72beef6b445dfe8dcb4430fa67859c84c64c84dd0baf",
		    SSTP_SHA256 },
		{ rfc3079, "c88a2a375d6c4a45a34c6abc04b6407bdd9eb101", SSTP_SHA1 },
		{ rfc3079, "00536b9e734fb55a89784be2cbf1a3dfc32d692ab249c1db5296066cb52e608e",
		    SSTP_SHA256 },
	};
	static const uint8_t zeros[SSTP_HASH];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		uint8_t packet[SSTP_CONTROL_MAX], hlak[SSTP_HLAK] = { 0 };
		uint8_t expected[SSTP_HASH] = { 0 }, mac[SSTP_HASH];

		assert_int_equal(sstp_packet_make_connected(known[i].hash, zeros, zeros, packet),
		    SSTP_CONNECTED_SIZE);
		hex_bytes(known[i].hlak, hlak);
		hex_bytes(known[i].mac, expected);
		assert_true(sstp_binding_mac(known[i].hash, hlak, packet, mac));
		assert_memory_equal(mac, expected, sizeof(mac));
	}
}

/* One side of a call, and the proof that its client would send. */
struct call {
	uint8_t nonce[SSTP_NONCE], hlak[SSTP_HLAK];
	struct sstp_cert cert;
	uint8_t offered, hash;
	uint8_t packet[SSTP_CONTROL_MAX];
};

static struct call
new_call(uint8_t hash)
{
	struct call c = { .offered = SSTP_SHA1 | SSTP_SHA256, .hash = hash };

	memset(c.nonce, 0x11, sizeof(c.nonce));
	memset(c.hlak, 0x22, sizeof(c.hlak));
	assert_true(sstp_binding_hash_cert("certificate", 11, &c.cert));
	return c;
}

static void
prove(struct call *c)
{
	const uint8_t *cert = c->hash == SSTP_SHA256 ? c->cert.sha256 : c->cert.sha1;

	sstp_packet_make_connected(c->hash, c->nonce, cert, c->packet);
	assert_true(sstp_binding_mac(c->hash, c->hlak, c->packet, c->packet + SSTP_CONNECTED_MAC));
}

static enum sstp_proof
verdict(const struct call *c)
{
	struct sstp_packet packet;
	struct sstp_message m;
	struct sstp_binding_proof proof;

	assert_int_equal(sstp_packet_cut(c->packet, SSTP_CONNECTED_SIZE, &packet), SSTP_WHOLE);
	assert_true(sstp_packet_read(&packet, &m));
	assert_true(sstp_packet_read_connected(&m, &proof));
	return sstp_binding_verify(&proof, c->packet, c->offered, c->nonce, &c->cert, c->hlak);
}

static void
test_good_proofs(void **state)
{
	struct call c;

	(void)state;
	for (uint8_t hash = SSTP_SHA1; hash <= SSTP_SHA256; hash++) {
		c = new_call(hash);
		prove(&c);
		assert_int_equal(verdict(&c), SSTP_PROVED);
	}
	/* what pads a SHA-1 says nothing */
	c = new_call(SSTP_SHA1);
	prove(&c);
	c.packet[68] = c.packet[79] = c.packet[100] = c.packet[111] = 0xee;
	assert_int_equal(verdict(&c), SSTP_PROVED);
}

static void
test_bad_proofs(void **state)
{
	struct call c;

	(void)state;
	for (uint8_t hash = SSTP_SHA1; hash <= SSTP_SHA256; hash++) {
		size_t n = hash == SSTP_SHA1 ? 20 : 32;

		/* each bit of what counts */
		for (size_t bit = 0; bit < SSTP_NONCE * 8; bit++) {
			c = new_call(hash);
			prove(&c);
			c.packet[16 + bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(verdict(&c), SSTP_WRONG_NONCE);
		}
		for (size_t bit = 0; bit < n * 8; bit++) {
			c = new_call(hash);
			prove(&c);
			c.packet[48 + bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(verdict(&c), SSTP_WRONG_CERT);
			c = new_call(hash);
			prove(&c);
			c.packet[80 + bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(verdict(&c), SSTP_WRONG_MAC);
		}
		/* made with another key */
		c = new_call(hash);
		c.hlak[31] ^= 1;
		prove(&c);
		c.hlak[31] ^= 1;
		assert_int_equal(verdict(&c), SSTP_WRONG_MAC);
	}
}

static void
test_hash_must_be_offered(void **state)
{
	static const uint8_t strange[] = { 0, 3, 4, 0x80, 0xff };
	struct call c;

	(void)state;
	for (size_t i = 0; i < sizeof(strange); i++) {
		c = new_call(SSTP_SHA256);
		prove(&c);
		c.packet[15] = strange[i];
		assert_int_equal(verdict(&c), SSTP_WRONG_HASH);
	}
	c = new_call(SSTP_SHA1);
	prove(&c);
	c.offered = SSTP_SHA256;
	assert_int_equal(verdict(&c), SSTP_WRONG_HASH);
}

static void
test_choice(void **state)
{
	(void)state;
	assert_int_equal(sstp_binding_choose(3), SSTP_SHA256);
	assert_int_equal(sstp_binding_choose(2), SSTP_SHA256);
	assert_int_equal(sstp_binding_choose(1), SSTP_SHA1);
	assert_int_equal(sstp_binding_choose(0), 0);
	assert_int_equal(sstp_binding_choose(0xfc), 0);
	assert_int_equal(sstp_binding_choose(0xff), SSTP_SHA256);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples_of_the_specification),
		cmocka_unit_test(test_other_keys),
		cmocka_unit_test(test_good_proofs),
		cmocka_unit_test(test_bad_proofs),
		cmocka_unit_test(test_hash_must_be_offered),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
