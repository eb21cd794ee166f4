/* SPDX-License-Identifier: Apache-2.0 */
/* tls/pki.c -- make certificates. */
#include "tls/pki.h"

#include "tls/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	WORDS = 256,
	PATH_ROOM = 4096,
	SERIAL_BITS = 127, /* positive, unguessable, at most 20 bytes (RFC 5280 4.1.2.2) */
	DAY = 24 * 60 * 60,
	MONTH = 30 * DAY,
};

/* RFC 5280 4.2.1; in the form of openssl-x509v3_config(5). */
struct extension {
	int nid;
	const char *value;
};

static const struct extension use_extensions[][4] = {
	[PKI_CA] = { { NID_basic_constraints, "critical,CA:TRUE" },
	    { NID_key_usage, "critical,keyCertSign,cRLSign" } },
	[PKI_SERVER] = { { NID_basic_constraints, "critical,CA:FALSE" },
	    { NID_key_usage, "critical,digitalSignature" }, { NID_ext_key_usage, "serverAuth" } },
	[PKI_CLIENT] = { { NID_basic_constraints, "critical,CA:FALSE" },
	    { NID_key_usage, "critical,digitalSignature" }, { NID_ext_key_usage, "clientAuth" } },
};

void
pki_pair_done(struct pki_pair *pair)
{
	X509_free(pair->cert);
	EVP_PKEY_free(pair->key);
	*pair = (struct pki_pair){ 0 };
}

static bool
set_serial(X509 *cert)
{
	BIGNUM *serial = BN_new();
	bool ok = serial != NULL &&
		  BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
		  BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL;

	BN_free(serial);
	return ok;
}

static bool
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = extension != NULL && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return ok;
}

static bool
add_extensions(X509 *cert, X509 *issuer, const struct pki_want *want)
{
	for (const struct extension *e = use_extensions[want->use]; e->value != NULL; e++)
		if (!add_extension(cert, issuer, e->nid, e->value))
			return false;
	return (want->sans == NULL ||
		   add_extension(cert, issuer, NID_subject_alt_name, want->sans)) &&
	       add_extension(cert, issuer, NID_subject_key_identifier, "hash") &&
	       add_extension(cert, issuer, NID_authority_key_identifier, "keyid");
}

static bool
set_name(X509 *cert, const char *name)
{
	return X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
		   (const unsigned char *)name, -1, -1, 0) == 1;
}

static bool
fill(X509 *cert, EVP_PKEY *key, const struct pki_want *want, const struct pki_pair *issuer)
{
	return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	       set_name(cert, want->name) &&
	       X509_set_issuer_name(cert, X509_get_subject_name(issuer->cert)) &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), want->begins) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(cert), want->ends) != NULL &&
	       X509_set_pubkey(cert, key) && add_extensions(cert, issuer->cert, want) &&
	       X509_sign(cert, issuer->key, EVP_sha256()) > 0;
}

bool
pki_issue(const struct pki_want *want, const struct pki_pair *issuer, struct pki_pair *out)
{
	*out = (struct pki_pair){ .cert = X509_new(), .key = EVP_EC_gen("P-256") };
	if (out->cert != NULL && out->key != NULL &&
	    fill(out->cert, out->key, want, issuer != NULL ? issuer : out))
		return true;
	pki_pair_done(out);
	return false;
}

/* The key, if wanted, and the certificate.  A file that is there is replaced, never followed. */
static bool
write_pair(const char *dir, const char *name, const struct pki_pair *pair, bool with_key, char *why,
    size_t size)
{
	char path[PATH_ROOM];
	FILE *f = NULL;
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (unlink(path) != 0 && errno != ENOENT)
		goto fail;
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, with_key ? 0600 : 0644);
	if (fd < 0)
		goto fail;
	if ((f = fdopen(fd, "w")) == NULL) {
		close(fd);
		goto fail;
	}
	ok = !with_key || PEM_write_PrivateKey(f, pair->key, NULL, NULL, 0, NULL, NULL);
	ok = PEM_write_X509(f, pair->cert) && ok;
	if (fclose(f) == 0 && ok)
		return true;
fail:
	snprintf(why, size, "cannot write %s: %s", path, strerror(errno));
	return false;
}

static const struct {
	const char *file;
	struct pki_want want;
} demo[] = {
	{ "server.pem",
	    { PKI_SERVER, "localhost", "DNS:localhost,IP:127.0.0.1,IP:::1", -DAY, MONTH } },
	{ "client.pem", { PKI_CLIENT, "ginnel demo client", NULL, -DAY, MONTH } },
};

bool
pki_demo_write(const char *dir, char *why, size_t size)
{
	const struct pki_want want_ca = { PKI_CA, "ginnel demo CA", NULL, -DAY, MONTH };
	struct pki_pair ca, pair;
	bool ok;

	if (!pki_issue(&want_ca, NULL, &ca))
		goto fail;
	ok = write_pair(dir, "ca.pem", &ca, false, why, size);
	for (size_t i = 0; ok && i < COUNT_OF(demo); i++) {
		if (!pki_issue(&demo[i].want, &ca, &pair)) {
			pki_pair_done(&ca);
			goto fail;
		}
		ok = write_pair(dir, demo[i].file, &pair, true, why, size);
		pki_pair_done(&pair);
	}
	pki_pair_done(&ca);
	return ok;
fail:
	errors_take(why, size);
	return false;
}
