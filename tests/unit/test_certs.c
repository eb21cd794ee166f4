/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_certs.c -- each bad file is blamed on its option, in words that help. */
#include "tls_kit.h"

#include "tls/passphrase.h"

#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pki_pair root, leaf, other, old, future;
static struct kit_files files;

/* Build a context; what was said is in `sink`. */
static struct tls_context *
build(const struct tls_conf *conf, enum tls_role role, struct kit_sink *sink)
{
	*sink = (struct kit_sink){ .sink = { .say = kit_say } };
	return tls_context_new(conf, role, "test", NULL, NULL, &files.files, &sink->sink);
}

struct row {
	const char *cert, *key, *ca_file, *ca_path, *crl_file, *crl_path;
	bool strict;
	unsigned level; /* of kit_verify */
	bool ok;
	const char *said; /* a part of it; NULL: nothing at all */
};

static void
check_rows(const struct row *rows, size_t n, enum tls_role role)
{
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		struct tls_conf conf = kit_conf();
		struct tls_context *tc;
		struct kit_sink sink;

		conf.cert = r->cert;
		conf.key = r->key;
		conf.ca_file = r->ca_file;
		conf.ca_path = r->ca_path;
		conf.crl_file = r->crl_file;
		conf.crl_path = r->crl_path;
		conf.strict_permissions = r->strict;
		conf.verify = kit_verify[r->level];
		tc = build(&conf, role, &sink);
		if ((tc != NULL) != r->ok)
			fail_msg("row %zu: %s: %s", i, r->ok ? "refused" : "taken", sink.said);
		if (r->said == NULL ? sink.said[0] != '\0' : strstr(sink.said, r->said) == NULL)
			fail_msg("row %zu: said \"%s\", not \"%s\"", i, sink.said,
			    r->said != NULL ? r->said : "");
		if (ERR_peek_error() != 0)
			fail_msg("row %zu: an error is left in the queue", i);
		tls_context_free(tc);
	}
}

static void
own_certificates(void **state)
{
	static const struct row rows[] = {
		{ .cert = "both.pem", .ok = true },
		{ .cert = "cert.pem", .key = "key.pem", .ok = true },
		{ .cert = "both.pem", .key = "both.pem", .ok = true },
		{ .cert = "cert.der", .key = "key.der", .ok = true },
		{ .cert = "plain.p12", .ok = true },
		{ .cert = "chain.pem", .ok = true },
		{ .said = "E -: TLS server needs a certificate" },
		{ .cert = "none", .said = "E cert: cannot read none: No such file" },
		{ .cert = "cert.pem",
		    .key = "none",
		    .said = "E key: cannot read none: No such file" },
		{ .cert = "empty", .said = "E cert: " },
		{ .cert = "text", .said = "E cert: " },
		{ .cert = "broken.pem",
		    .said = "E cert: failed to load certificate from broken.pem: " },
		{ .cert = "key.pem", .said = "E cert: no certificate in key.pem" },
		{ .cert = "cert.pem",
		    .said = "E cert: there is no private key in cert.pem; add it, or name" },
		{ .cert = "cert.pem", .key = "text", .said = "E key: no private key" },
		{ .cert = "cert.pem",
		    .key = "other.pem",
		    .said = "E key: Private key does not match the certificate" },
		{ .cert = "locked.p12", .said = "E cert: the key in locked.p12 is encrypted" },
		{ .cert = "cert.pem",
		    .key = "locked.pem",
		    .said = "E key: the key in locked.pem is encrypted" },
		{ .cert = "old.pem",
		    .ok = true,
		    .said = "W cert: the certificate CN=old in old.pem expired on 20" },
		{ .cert = "future.pem",
		    .ok = true,
		    .said =
			"W cert: the certificate CN=future in future.pem is not valid before 20" },
		{ .cert = "cert.pem",
		    .key = "open.pem",
		    .ok = true,
		    .said = "W key: the private key in open.pem can be read or changed by others "
			    "(mode 0640)" },
		{ .cert = "cert.pem",
		    .key = "open.pem",
		    .strict = true,
		    .said = "E key: the private" },
		{ .cert = "weak.pem",
		    .said =
			"E cert: the certificate in weak.pem cannot be used: ee key too small" },
	};

	(void)state;
	passphrase_stop_asking(); /* here is nobody to ask, even if the tests run on a terminal */
	check_rows(rows, COUNT_OF(rows), TLS_SERVER);
}

static void
own_certificates_of_clients(void **state)
{
	static const struct row rows[] = {
		{ .ca_file = "root.pem", .level = 4, .ok = true },
		{ .ca_file = "root.pem",
		    .level = 4,
		    .key = "key.pem",
		    .ok = true,
		    .said = "W key: a key without a certificate" },
		{ .ca_file = "root.pem",
		    .level = 4,
		    .cert = "none",
		    .said = "E cert: cannot read" },
	};

	(void)state;
	check_rows(rows, COUNT_OF(rows), TLS_CLIENT);
}

static void
trust(void **state)
{
	static const struct row rows[] = {
		{ .cert = "both.pem", .level = 2, .ca_file = "root.pem", .ok = true },
		{ .cert = "both.pem", .level = 2, .ca_file = "root.der", .ok = true },
		{ .cert = "both.pem", .level = 2, .ca_path = "dir", .ok = true },
		{ .cert = "both.pem",
		    .level = 2,
		    .said = "E CAfile: No trusted certificates found" },
		{ .cert = "both.pem",
		    .level = 4,
		    .said = "E CAfile: No trusted certificates found" },
		{ .cert = "both.pem",
		    .level = 2,
		    .ca_file = "none",
		    .said = "W CAfile: cannot read none" },
		{ .cert = "both.pem",
		    .level = 2,
		    .ca_file = "none",
		    .said = "E CAfile: No trusted" },
		{ .cert = "both.pem",
		    .level = 2,
		    .ca_file = "text",
		    .said = "E CAfile: No trusted" },
		/* Nothing depends on it, so it is a warning, as ever. */
		{ .cert = "both.pem",
		    .ca_file = "none",
		    .ok = true,
		    .said = "W CAfile: cannot read" },
		{ .cert = "both.pem",
		    .level = 2,
		    .ca_path = "none",
		    .said = "E CApath: No trusted certificates found" },
		{ .cert = "both.pem",
		    .level = 2,
		    .ca_path = "unhashed",
		    .ok = true,
		    .said = "W CApath: nothing in unhashed can be found by its hash; run \"openssl "
			    "rehash unhashed\"" },
		{ .cert = "both.pem",
		    .level = 2,
		    .ca_file = "mixed.pem",
		    .ok = true,
		    .said = "W CAfile: a certificate in mixed.pem is not used" },
		{ .cert = "both.pem",
		    .level = 2,
		    .ca_file = "root.pem",
		    .crl_file = "crl.pem",
		    .ok = true },
		{ .cert = "both.pem",
		    .level = 2,
		    .ca_file = "root.pem",
		    .crl_path = "dir",
		    .ok = true },
		{ .cert = "both.pem",
		    .level = 2,
		    .ca_file = "root.pem",
		    .crl_file = "none",
		    .said = "E CRLfile: cannot read none" },
		{ .cert = "both.pem",
		    .level = 2,
		    .ca_file = "root.pem",
		    .crl_file = "root.pem",
		    .said = "E CRLfile: Failed to load root.pem revocation lookup file: no CRL" },
	};

	(void)state;
	check_rows(rows, COUNT_OF(rows), TLS_SERVER);
}

/* All faults in one go. */
static void
every_fault_is_told(void **state)
{
	struct tls_conf conf = kit_conf();
	struct kit_sink sink;

	(void)state;
	conf.cert = "none1";
	conf.ca_file = "root.pem";
	conf.crl_file = "none2";
	conf.ciphers = "nonsense";
	conf.curves = "nonsense";
	assert_null(build(&conf, TLS_SERVER, &sink));
	assert_int_equal(sink.sink.errors, 4);
	assert_non_null(strstr(sink.said, "none1"));
	assert_non_null(strstr(sink.said, "none2"));
	assert_non_null(strstr(sink.said, "E ciphers: "));
	assert_non_null(strstr(sink.said, "E curves: "));
}

static void
the_chain_is_sent_in_order(void **state)
{
	struct tls_conf conf = kit_conf();
	STACK_OF(X509) *chain = NULL;
	struct kit_sink sink;
	struct tls_context *tc;

	(void)state;
	conf.cert = "chain.pem";
	tc = build(&conf, TLS_SERVER, &sink);
	assert_non_null(tc);
	assert_int_equal(X509_cmp(SSL_CTX_get0_certificate(tc->ctx), leaf.cert), 0);
	assert_true(SSL_CTX_get0_chain_certs(tc->ctx, &chain));
	assert_int_equal(sk_X509_num(chain), 1);
	assert_int_equal(X509_cmp(sk_X509_value(chain, 0), root.cert), 0);
	tls_context_free(tc);
}

/* Only hashed names are trusted, but all subjects are offered to clients, each once. */
static void
a_directory_is_trusted_by_hash(void **state)
{
	struct tls_conf conf = kit_conf();
	struct kit_sink sink;
	struct tls_context *tc;

	(void)state;
	conf.cert = "both.pem";
	conf.ca_path = "dir";
	conf.verify = kit_verify[3];
	tc = build(&conf, TLS_SERVER, &sink);
	assert_non_null(tc);
	assert_int_equal(sk_X509_num(tc->pinned), 1);
	assert_int_equal(X509_cmp(sk_X509_value(tc->pinned, 0), root.cert), 0);
	assert_int_equal(sk_X509_NAME_num(SSL_CTX_get0_CA_list(tc->ctx)), 2);
	tls_context_free(tc);
}

/* In a child on a terminal of its own: two services share a locked key, and one has a PKCS#12 file.
 */
static _Noreturn void
load_locked(void)
{
	struct tls_conf pem = kit_conf(), p12 = kit_conf();
	struct kit_sink sink;
	bool ok = true;

	pem.cert = "cert.pem";
	pem.key = "locked.pem";
	p12.cert = "locked.p12";
	ok = ok && build(&pem, TLS_SERVER, &sink) != NULL;
	ok = ok && build(&pem, TLS_SERVER, &sink) != NULL;
	ok = ok && build(&p12, TLS_SERVER, &sink) != NULL;
	passphrase_stop_asking();
	ok = ok && build(&pem, TLS_SERVER, &sink) == NULL;
	_exit(ok ? 0 : 1);
}

/* Read what the terminal shows until the child has asked or is gone. */
static bool
was_asked(int terminal)
{
	char shown[4096];
	size_t n = 0;
	ssize_t got;

	while (
	    n < sizeof(shown) - 1 && (got = read(terminal, shown + n, sizeof(shown) - 1 - n)) > 0) {
		n += (size_t)got;
		shown[n] = '\0';
		if (strstr(shown, "Enter pass phrase for locked.pem:") != NULL)
			return true;
	}
	return false;
}

static void
a_passphrase_is_asked_once(void **state)
{
	static const char *const typed[] = { "wrong\n", "secret\n" };
	int terminal, status;
	pid_t pid = forkpty(&terminal, NULL, NULL, NULL);

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		load_locked();
	for (size_t i = 0; i < COUNT_OF(typed); i++) {
		assert_true(was_asked(terminal));
		assert_int_equal(write(terminal, typed[i], strlen(typed[i])), strlen(typed[i]));
	}
	assert_false(was_asked(terminal)); /* for the second service it is known */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(terminal);
}

static void
put_key(const char *path, EVP_PKEY *key, mode_t mode, const char *pass)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_PKCS8PrivateKey(bio, key, pass != NULL ? EVP_aes_128_cbc() : NULL,
	    NULL, 0, NULL, (void *)(uintptr_t)pass));
	kit_put_bio(&files, path, bio, mode);
}

static void
put_p12(const char *path, const char *pass)
{
	PKCS12 *p12 = PKCS12_create(pass, NULL, leaf.key, leaf.cert, NULL, 0, 0, 0, 0, 0);
	BIO *bio = BIO_new(BIO_s_mem());

	assert_non_null(p12);
	assert_true(i2d_PKCS12_bio(bio, p12));
	kit_put_bio(&files, path, bio, 0600);
	PKCS12_free(p12);
}

static void
put_der(void)
{
	BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem()), *ca = BIO_new(BIO_s_mem());

	assert_true(i2d_X509_bio(cert, leaf.cert) && i2d_PrivateKey_bio(key, leaf.key) &&
		    i2d_X509_bio(ca, root.cert));
	kit_put_bio(&files, "cert.der", cert, 0644);
	kit_put_bio(&files, "key.der", key, 0600);
	kit_put_bio(&files, "root.der", ca, 0644);
}

/* RSA 1024: below the default security level. */
static void
put_weak(void)
{
	struct pki_pair weak = { X509_dup(leaf.cert), EVP_RSA_gen(1024) };

	assert_true(X509_set_pubkey(weak.cert, weak.key));
	assert_true(X509_sign(weak.cert, root.key, EVP_sha256()) > 0);
	kit_put_pairs(&files, "weak.pem", true, &weak, NULL);
	pki_pair_done(&weak);
}

static void
put_mixed(void)
{
	char text[8192];

	snprintf(text, sizeof(text),
	    "%.*s-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n", (int)files.v[0].n,
	    files.v[0].bytes);
	kit_put_text(&files, "mixed.pem", text);
}

static int
set_up(void **state)
{
	(void)state;
	log_main.level = LOG_EMERG;
	root = kit_good(PKI_CA, "root", NULL);
	leaf = kit_good(PKI_SERVER, "leaf", &root);
	other = kit_good(PKI_SERVER, "other", &root);
	old = kit_issue(PKI_SERVER, "old", NULL, -2 * KIT_DAY, -KIT_DAY, &root);
	future = kit_issue(PKI_SERVER, "future", NULL, KIT_DAY, 2 * KIT_DAY, &root);

	kit_put_pairs(&files, "root.pem", false, &root, NULL); /* first: see put_mixed() */
	put_mixed();
	kit_put_pairs(&files, "both.pem", true, &leaf, NULL);
	kit_put_pairs(&files, "chain.pem", true, &leaf, &root);
	kit_put_pairs(&files, "cert.pem", false, &leaf, NULL);
	kit_put_pairs(&files, "old.pem", true, &old, NULL);
	kit_put_pairs(&files, "future.pem", true, &future, NULL);
	put_key("key.pem", leaf.key, 0600, NULL);
	put_key("other.pem", other.key, 0600, NULL);
	put_key("open.pem", leaf.key, 0640, NULL);
	put_key("locked.pem", leaf.key, 0600, "secret");
	put_p12("plain.p12", "");
	put_p12("locked.p12", "secret");
	put_der();
	put_weak();
	kit_put_text(&files, "empty", "");
	kit_put_text(&files, "text", "nothing to see here\n");
	kit_put_text(
	    &files, "broken.pem", "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n");
	kit_put_crl(&files, "crl.pem", &root, NULL);
	kit_put_pairs(&files, "dir/01234567.0", false, &root, NULL);
	kit_put_pairs(&files, "dir/other.pem", false, &other, NULL);
	kit_put_pairs(&files, "dir/again.pem", false, &other, NULL);
	kit_put_crl(&files, "dir/01234567.r0", &root, NULL);
	kit_put_text(&files, "dir/README", "not a certificate\n");
	kit_put_pairs(&files, "unhashed/root.pem", false, &root, NULL);
	return tls_library_start() ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	pki_pair_done(&root);
	pki_pair_done(&leaf);
	pki_pair_done(&other);
	pki_pair_done(&old);
	pki_pair_done(&future);
	kit_files_done(&files);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_passphrase_is_asked_once), /* before asking is over */
		cmocka_unit_test(own_certificates),
		cmocka_unit_test(own_certificates_of_clients),
		cmocka_unit_test(trust),
		cmocka_unit_test(every_fault_is_told),
		cmocka_unit_test(the_chain_is_sent_in_order),
		cmocka_unit_test(a_directory_is_trusted_by_hash),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
