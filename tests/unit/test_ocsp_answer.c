/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_ocsp_answer.c -- which OCSP answers count. */
#include "tls_kit.h"

#include "tls/ocsp_answer.h"

#include <openssl/ocsp.h>

static struct pki_pair root, other_root, middle, leaf, sibling;

/* How an answer is made. */
struct made {
	const char *what;
	int status;    /* V_OCSP_CERTSTATUS_* */
	long from, to; /* thisUpdate and nextUpdate in seconds from now; to 0: none */
	const struct pki_pair *signer; /* NULL: root */
	bool about_sibling, nonce_missing, nonce_wrong, cut, longer;
	int refusal; /* not 0: an OCSP_RESPONSE_STATUS_* without an answer in it */
	enum ocsp_status want;
};

static struct ocsp_question question; /* with a nonce */

static OCSP_BASICRESP *
make_basic(const struct made *m)
{
	const struct pki_pair *signer = m->signer != NULL ? m->signer : &root;
	ASN1_TIME *from = X509_gmtime_adj(NULL, m->from);
	ASN1_TIME *to = m->to != 0 ? X509_gmtime_adj(NULL, m->to) : NULL;
	ASN1_TIME *revoked = X509_gmtime_adj(NULL, -KIT_DAY);
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id =
	    OCSP_cert_to_id(EVP_sha1(), m->about_sibling ? sibling.cert : leaf.cert, root.cert);

	assert_non_null(
	    OCSP_basic_add1_status(basic, id, m->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
		m->status == V_OCSP_CERTSTATUS_REVOKED ? revoked : NULL, from, to));
	if (m->nonce_wrong)
		assert_int_equal(OCSP_basic_add1_nonce(basic, (unsigned char[]){ 1, 2, 3 }, 3), 1);
	else if (!m->nonce_missing)
		assert_int_equal(OCSP_copy_nonce(basic, question.request), 1);
	assert_int_equal(
	    OCSP_basic_sign(basic, signer->cert, signer->key, EVP_sha256(), NULL, 0), 1);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	ASN1_TIME_free(revoked);
	return basic;
}

static size_t
make_bytes(const struct made *m, unsigned char **out)
{
	OCSP_BASICRESP *basic = make_basic(m);
	OCSP_RESPONSE *response =
	    OCSP_response_create(m->refusal != 0 ? m->refusal : OCSP_RESPONSE_STATUS_SUCCESSFUL,
		m->refusal != 0 ? NULL : basic);
	unsigned char *der = NULL;
	int n = i2d_OCSP_RESPONSE(response, &der);

	assert_true(n > 0);
	*out = calloc(1, (size_t)n + 1);
	memcpy(*out, der, (size_t)n);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	return (size_t)(n - m->cut + m->longer);
}

static X509_STORE *
store_of(X509 *cert)
{
	X509_STORE *store = X509_STORE_new();

	assert_true(X509_STORE_add_cert(store, cert));
	return store;
}

static struct ocsp_answer
read_made(const struct made *m, bool nonce)
{
	const struct ocsp_subject subject = { leaf.cert, root.cert };
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct ocsp_trust trust = { store_of(root.cert), chain, 0 };
	struct ocsp_answer answer;
	unsigned char *bytes;
	size_t n = make_bytes(m, &bytes);

	sk_X509_push(chain, root.cert);
	answer = ocsp_answer_read(
	    &log_main, bytes, n, &subject, nonce ? question.request : NULL, &trust);
	assert_int_equal(ERR_peek_error(), 0);
	free(bytes);
	sk_X509_free(chain);
	X509_STORE_free(trust.store);
	return answer;
}

#define GOOD V_OCSP_CERTSTATUS_GOOD
#define REVOKED V_OCSP_CERTSTATUS_REVOKED

static void
only_sound_answers_count(void **state)
{
	const struct made cases[] = {
		{ "good", GOOD, -60, 3600, .want = OCSP_GOOD },
		{ "revoked", REVOKED, -60, 3600, .want = OCSP_REVOKED },
		{ "unknown", V_OCSP_CERTSTATUS_UNKNOWN, -60, 3600, .want = OCSP_OPEN },
		{ "a clock that is 30 s ahead", GOOD, 30, 3600, .want = OCSP_GOOD },
		{ "not yet valid", GOOD, 120, 3600, .want = OCSP_OPEN },
		{ "just expired", GOOD, -3600, -30, .want = OCSP_GOOD },
		{ "expired", GOOD, -3600, -120, .want = OCSP_OPEN },
		{ "expired, revoked", REVOKED, -3600, -120, .want = OCSP_OPEN },
		{ "without an end", GOOD, -3600, 0, .want = OCSP_GOOD },
		{ "old, without an end", GOOD, -2 * KIT_DAY, 0, .want = OCSP_OPEN },
		{ "ends before it begins", GOOD, -60, -3600, .want = OCSP_OPEN },
		{ "of another root", GOOD, -60, 3600, &other_root, .want = OCSP_OPEN },
		{ "of a sibling", GOOD, -60, 3600, &sibling, .want = OCSP_OPEN },
		{ "of a CA below", GOOD, -60, 3600, &middle, .want = OCSP_OPEN },
		{ "about another", GOOD, -60, 3600, .about_sibling = true, .want = OCSP_OPEN },
		{ "cut", GOOD, -60, 3600, .cut = true, .want = OCSP_OPEN },
		{ "longer", GOOD, -60, 3600, .longer = true, .want = OCSP_OPEN },
		{ "try later", GOOD, -60, 3600, .refusal = OCSP_RESPONSE_STATUS_TRYLATER,
		    .want = OCSP_OPEN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ocsp_answer answer = read_made(&cases[i], true);

		if (answer.status != cases[i].want)
			fail_msg("%s: %d", cases[i].what, answer.status);
		if (answer.status == OCSP_OPEN || cases[i].to == 0)
			assert_int_equal(answer.until, 0);
		else
			assert_in_range(
			    answer.until, time(NULL) + cases[i].to - 5, time(NULL) + cases[i].to);
	}
}

static void
a_nonce_must_come_back_if_one_was_sent(void **state)
{
	struct made m = { "nonce", GOOD, -60, 3600, .nonce_missing = true };

	(void)state;
	assert_int_equal(read_made(&m, false).status, OCSP_GOOD);
	assert_int_equal(read_made(&m, true).status, OCSP_OPEN);
	m.nonce_missing = false;
	assert_int_equal(read_made(&m, true).status, OCSP_GOOD);
	assert_int_equal(read_made(&m, false).status, OCSP_GOOD);
	m.nonce_wrong = true;
	assert_int_equal(read_made(&m, true).status, OCSP_OPEN);
}

static void
a_question_names_its_certificate(void **state)
{
	const struct ocsp_subject subject = { leaf.cert, root.cert };
	struct ocsp_question plain;
	ASN1_INTEGER *serial;
	OCSP_REQUEST *r;
	const unsigned char *p;

	(void)state;
	assert_true(ocsp_answer_ask(&subject, false, &plain));
	p = plain.bytes;
	r = d2i_OCSP_REQUEST(NULL, &p, (long)plain.size);
	assert_non_null(r);
	assert_int_equal(OCSP_request_onereq_count(r), 1);
	OCSP_id_get0_info(
	    NULL, NULL, NULL, &serial, OCSP_onereq_get0_id(OCSP_request_onereq_get0(r, 0)));
	assert_int_equal(ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf.cert)), 0);
	assert_int_equal(OCSP_REQUEST_get_ext_count(r), 0);
	OCSP_REQUEST_free(r);
	ocsp_answer_asked(&plain);
	ocsp_answer_asked(&plain);
	assert_int_equal(OCSP_REQUEST_get_ext_count(question.request), 1);
}

static int
set_up(void **state)
{
	(void)state;
	log_main.level = LOG_EMERG;
	root = kit_good(PKI_CA, "root", NULL);
	other_root = kit_good(PKI_CA, "other root", NULL);
	middle = kit_good(PKI_CA, "middle", &root);
	leaf = kit_good(PKI_CLIENT, "leaf", &root);
	sibling = kit_good(PKI_CLIENT, "sibling", &root);
	if (!tls_library_start())
		return -1;
	return ocsp_answer_ask(&(struct ocsp_subject){ leaf.cert, root.cert }, true, &question)
		   ? 0
		   : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	ocsp_answer_asked(&question);
	pki_pair_done(&root);
	pki_pair_done(&other_root);
	pki_pair_done(&middle);
	pki_pair_done(&leaf);
	pki_pair_done(&sibling);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_sound_answers_count),
		cmocka_unit_test(a_nonce_must_come_back_if_one_was_sent),
		cmocka_unit_test(a_question_names_its_certificate),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
