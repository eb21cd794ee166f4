/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tls_kit.h -- what the tests of src/tls share: certificates, files in memory,
 * handshakes. */
#ifndef GINNEL_TESTS_TLS_KIT_H
#define GINNEL_TESTS_TLS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/files.h"
#include "base/log.h"
#include "tls/context.h"
#include "tls/pki.h"
#include "tls/resume.h"
#include "tls/verify.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define KIT static inline __attribute__((unused))

enum { KIT_DAY = 24 * 60 * 60, KIT_FILES = 64, KIT_SAID = 8192 };

/* ---- files in memory ---- */

struct kit_files {
	struct files files;
	struct {
		char path[128];
		char *bytes;
		size_t n;
		mode_t mode;
	} v[KIT_FILES];
	unsigned n;
};

KIT bool
kit_read(struct files *files, const char *path, struct file *out)
{
	struct kit_files *k = (struct kit_files *)files;

	for (unsigned i = k->n; i-- > 0;) {
		if (strcmp(k->v[i].path, path) != 0)
			continue;
		*out = (struct file){ .data = malloc(k->v[i].n + 1),
			.size = k->v[i].n,
			.mode = S_IFREG | k->v[i].mode };
		memcpy(out->data, k->v[i].bytes, k->v[i].n);
		out->data[out->size] = '\0';
		return true;
	}
	errno = ENOENT;
	return false;
}

KIT char **
kit_list(struct files *files, const char *path)
{
	struct kit_files *k = (struct kit_files *)files;
	char **names = calloc(KIT_FILES + 1, sizeof(*names));
	size_t n = strlen(path), found = 0;

	for (unsigned i = 0; i < k->n; i++)
		if (strncmp(k->v[i].path, path, n) == 0 && k->v[i].path[n] == '/')
			names[found++] = strdup(k->v[i].path + n + 1);
	if (found > 0)
		return names;
	free(names);
	errno = ENOENT;
	return NULL;
}

/* A later file of the same name takes the place of an earlier one.  Takes `bytes`. */
KIT void
kit_put_bytes(struct kit_files *k, const char *path, char *bytes, size_t n, mode_t mode)
{
	assert_true(k->n < KIT_FILES);
	k->files = (struct files){ .read = kit_read, .list = kit_list };
	snprintf(k->v[k->n].path, sizeof(k->v[0].path), "%s", path);
	k->v[k->n].bytes = bytes;
	k->v[k->n].n = n;
	k->v[k->n++].mode = mode;
}

KIT void
kit_put_text(struct kit_files *k, const char *path, const char *text)
{
	kit_put_bytes(k, path, strdup(text), strlen(text), 0644);
}

KIT void
kit_put_bio(struct kit_files *k, const char *path, BIO *bio, mode_t mode)
{
	char *data;
	long n = BIO_get_mem_data(bio, &data);

	kit_put_bytes(k, path, memcpy(malloc((size_t)n + 1), data, (size_t)n), (size_t)n, mode);
	BIO_free(bio);
}

/* PEM: the certificates one after the other, then the key of the first if `with_key`. */
KIT void
kit_put_pairs(struct kit_files *k, const char *path, bool with_key, const struct pki_pair *first,
    const struct pki_pair *second)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_X509(bio, first->cert));
	if (second != NULL)
		assert_true(PEM_write_bio_X509(bio, second->cert));
	if (with_key)
		assert_true(PEM_write_bio_PrivateKey(bio, first->key, NULL, NULL, 0, NULL, NULL));
	kit_put_bio(k, path, bio, 0600);
}

KIT void
kit_files_done(struct kit_files *k)
{
	for (unsigned i = 0; i < k->n; i++)
		free(k->v[i].bytes);
	k->n = 0;
}

/* ---- certificates ---- */

KIT struct pki_pair
kit_issue(enum pki_use use, const char *name, const char *sans, long begins, long ends,
    const struct pki_pair *issuer)
{
	struct pki_pair pair;

	assert_true(pki_issue(&(struct pki_want){ use, name, sans, begins, ends }, issuer, &pair));
	return pair;
}

KIT struct pki_pair
kit_good(enum pki_use use, const char *name, const struct pki_pair *issuer)
{
	return kit_issue(use, name, NULL, -KIT_DAY, KIT_DAY, issuer);
}

/* A server's certificate by itself, whose key is on this curve, and the key: PEM. */
KIT void
kit_put_curve(struct kit_files *k, const char *path, const char *curve)
{
	struct pki_pair pair = kit_good(PKI_SERVER, "localhost", NULL);

	EVP_PKEY_free(pair.key);
	pair.key = EVP_EC_gen(curve);
	assert_true(X509_set_pubkey(pair.cert, pair.key));
	assert_true(X509_sign(pair.cert, pair.key, EVP_sha256()) > 0);
	kit_put_pairs(k, path, true, &pair, NULL);
	pki_pair_done(&pair);
}

/* A CRL of `ca` that revokes `revoked` (or nobody). */
KIT void
kit_put_crl(struct kit_files *k, const char *path, const struct pki_pair *ca, X509 *revoked)
{
	BIO *bio = BIO_new(BIO_s_mem());
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, -60), *next = X509_gmtime_adj(NULL, KIT_DAY);

	assert_true(X509_CRL_set_version(crl, X509_CRL_VERSION_2));
	assert_true(X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert)));
	assert_true(X509_CRL_set1_lastUpdate(crl, now) && X509_CRL_set1_nextUpdate(crl, next));
	if (revoked != NULL) {
		X509_REVOKED *entry = X509_REVOKED_new();

		assert_true(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked)));
		assert_true(X509_REVOKED_set_revocationDate(entry, now));
		assert_true(X509_CRL_add0_revoked(crl, entry));
	}
	assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
	assert_true(PEM_write_bio_X509_CRL(bio, crl));
	kit_put_bio(k, path, bio, 0644);
	X509_CRL_free(crl);
	ASN1_TIME_free(now);
	ASN1_TIME_free(next);
}

/* ---- configurations and contexts ---- */

/* Complaints as lines: "E option: text" and "W option: text". */
struct kit_sink {
	struct sink sink;
	char said[KIT_SAID];
};

KIT void
kit_say(struct sink *sink, bool fatal, const char *option, const char *text)
{
	struct kit_sink *k = (struct kit_sink *)sink;
	size_t n = strlen(k->said);

	snprintf(k->said + n, sizeof(k->said) - n, "%s %s: %s\n", fatal ? "E" : "W",
	    option != NULL ? option : "-", text);
}

KIT struct tls_conf
kit_conf(void)
{
	return (struct tls_conf){ .security_level = -1,
		.session_resume = true,
		.session_cache_size = 100,
		.session_timeout_ms = 300 * 1000,
		.ticket_rotation_ms = 3600 * 1000 };
}

/* The rows of the table in docs: verify = 0 to 4. */
static const struct tls_verify kit_verify[] = {
	{ .request = true },
	{ .request = true, .chain = true },
	{ .request = true, .require = true, .chain = true },
	{ .request = true, .require = true, .chain = true, .peer = true },
	{ .request = true, .require = true, .peer = true },
};

KIT struct tls_context *
kit_context_named(const struct tls_conf *conf, enum tls_role role, const char *service,
    const struct tls_context *previous, struct kit_files *files)
{
	struct kit_sink sink = { .sink = { .say = kit_say } };
	struct tls_context *tc =
	    tls_context_new(conf, role, service, NULL, previous, &files->files, &sink.sink);

	if (tc == NULL)
		fail_msg("no context: %s", sink.said);
	return tc;
}

KIT struct tls_context *
kit_context(const struct tls_conf *conf, enum tls_role role, struct kit_files *files)
{
	return kit_context_named(conf, role, "test", NULL, files);
}

/* ---- handshakes in memory ---- */

struct kit_link {
	SSL *client, *server;
	bool client_up, server_up;
};

/* Connect the two and let them talk until both stand or one has failed.  Owns both SSLs. */
KIT struct kit_link
kit_connect(SSL *client, SSL *server)
{
	struct kit_link link = { .client = client, .server = server };
	BIO *near, *far;
	char byte;

	assert_non_null(client);
	assert_non_null(server);
	assert_true(BIO_new_bio_pair(&near, 1 << 18, &far, 1 << 18));
	SSL_set_bio(client, near, near);
	SSL_set_bio(server, far, far);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int i = 0; i < 12; i++) {
		ERR_clear_error();
		link.client_up = SSL_do_handshake(client) == 1;
		ERR_clear_error();
		link.server_up = SSL_do_handshake(server) == 1;
	}
	ERR_clear_error();
	/* Takes in the tickets that TLS 1.3 sends behind the handshake. */
	if (link.client_up)
		(void)SSL_read(client, &byte, 1);
	ERR_clear_error();
	return link;
}

KIT void
kit_unlink(struct kit_link *link)
{
	/* A session of an SSL that was not shut down is not resumable by TLS 1.2's rules. */
	SSL_set_shutdown(link->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_set_shutdown(link->server, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(link->client);
	SSL_free(link->server);
}

KIT int64_t
kit_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* For tests whose subject is the passing of time itself. */
KIT void
kit_wait_until(int64_t ms)
{
	const struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

#endif
