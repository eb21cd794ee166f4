/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_cert.c -- any bytes as a certificate, or as the names in one: what the log says
 * of them is one line, and rules about names see no half of one.
 */
#include "base/check.h"
#include "tls/peer_id.h"
#include "tls/verify.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_line(const char *text, size_t size)
{
	size_t n = strlen(text);

	MUST(n < size);
	for (size_t i = 0; i < n; i++)
		MUST((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void
check_names(X509 *cert)
{
	char text[512], small[16];
	struct peer_id *id;

	check_line(verify_subject(cert, text, sizeof(text)), sizeof(text));
	check_line(verify_subject(cert, small, sizeof(small)), sizeof(small));
	check_line(verify_name(X509_get_issuer_name(cert), text, sizeof(text)), sizeof(text));
	if ((id = peer_id_new(cert)) == NULL) {
		ERR_clear_error();
		return;
	}
	for (unsigned i = 0; i < id->count; i++) {
		MUST(peer_id_has(id, id->names[i].kind, "*"));
		if (strchr(id->names[i].text, '*') == NULL)
			MUST(peer_id_has(id, id->names[i].kind, id->names[i].text));
	}
	peer_id_free(id);
	ERR_clear_error();
}

/* The first byte chooses the kind of string; the rest is the name, twice. */
static X509 *
certificate_for(const uint8_t *data, size_t n)
{
	static const int types[] = { V_ASN1_UTF8STRING, V_ASN1_PRINTABLESTRING, V_ASN1_T61STRING,
		V_ASN1_IA5STRING, V_ASN1_BMPSTRING, V_ASN1_UNIVERSALSTRING, V_ASN1_OCTET_STRING };
	static EVP_PKEY *key;
	X509 *cert = X509_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	ASN1_STRING *text = ASN1_STRING_type_new(V_ASN1_IA5STRING);

	if (key == NULL)
		MUST((key = EVP_EC_gen("P-256")) != NULL);
	MUST(cert != NULL && name != NULL && names != NULL && text != NULL);
	MUST(X509_set_pubkey(cert, key) == 1);
	(void)X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName,
	    types[data[0] % COUNT_OF(types)], data + 1, (int)n - 1, -1, 0);
	MUST(ASN1_STRING_set(text, data + 1, (int)n - 1) == 1);
	GENERAL_NAME_set0_value(name, data[0] % 2 == 0 ? GEN_DNS : GEN_EMAIL, text);
	MUST(sk_GENERAL_NAME_push(names, name) > 0);
	MUST(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return cert;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const unsigned char *p = data;
	X509 *cert = d2i_X509(NULL, &p, (long)n);

	ERR_clear_error();
	if (cert == NULL && n > 0 && n < 4096)
		cert = certificate_for(data, n);
	if (cert != NULL)
		check_names(cert);
	X509_free(cert);
	return 0;
}
