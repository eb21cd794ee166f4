/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_verify.c -- who may pass: every kind of certificate against every verify level.
 */
#include "tls_kit.h"

/* The actors; made once. */
static struct pki_pair root, other_root, middle;

/* What the peer shows, and what the verifying side has installed. */
struct kind {
	const char *name;
	bool installed;	   /* the leaf itself lies in CAfile too */
	const char *chain; /* "root", "other", "middle", "middle, not sent", "self" */
	long begins, ends;
	bool wrong_use, revoked, alien_crl, none;
	/* For verify = 0 to 4: y may pass, n may not. */
	const char *want;
};

static const struct kind kinds[] = {
	{ "good", true, "root", -KIT_DAY, KIT_DAY, .want = "yyyyy" },
	{ "good, not installed", false, "root", -KIT_DAY, KIT_DAY, .want = "yyynn" },
	{ "good, by an intermediate", true, "middle", -KIT_DAY, KIT_DAY, .want = "yyyyy" },
	{ "intermediate missing", true, "middle, not sent", -KIT_DAY, KIT_DAY, .want = "ynnny" },
	{ "intermediate missing, not installed", false, "middle, not sent", -KIT_DAY, KIT_DAY,
	    .want = "ynnnn" },
	{ "expired", true, "root", -KIT_DAY, -60, .want = "ynnnn" },
	{ "not yet valid", true, "root", 600, KIT_DAY, .want = "ynnnn" },
	{ "revoked", true, "root", -KIT_DAY, KIT_DAY, .revoked = true, .want = "ynnnn" },
	{ "CRL of another CA only", true, "root", -KIT_DAY, KIT_DAY, .alien_crl = true,
	    .want = "ynnnn" },
	{ "wrong CA", false, "other", -KIT_DAY, KIT_DAY, .want = "ynnnn" },
	{ "wrong CA, installed", true, "other", -KIT_DAY, KIT_DAY, .want = "ynnny" },
	{ "wrong purpose", true, "root", -KIT_DAY, KIT_DAY, .wrong_use = true, .want = "ynnnn" },
	{ "self-signed", false, "self", -KIT_DAY, KIT_DAY, .want = "ynnnn" },
	{ "self-signed, installed", true, "self", -KIT_DAY, KIT_DAY, .want = "yyyyy" },
	{ "self-signed, installed, expired", true, "self", -KIT_DAY, -60, .want = "ynnnn" },
	{ "no certificate", false, "root", -KIT_DAY, KIT_DAY, .none = true, .want = "yynnn" },
};

/* The peer's certificate as the row says. */
static struct pki_pair
make_leaf(const struct kind *k, enum tls_role verifier)
{
	bool is_client = verifier == TLS_SERVER;
	const struct pki_pair *issuer = strcmp(k->chain, "self") == 0	 ? NULL
					: strcmp(k->chain, "root") == 0	 ? &root
					: strcmp(k->chain, "other") == 0 ? &other_root
									 : &middle;

	return kit_issue(is_client != k->wrong_use ? PKI_CLIENT : PKI_SERVER, "peer", NULL,
	    k->begins, k->ends, issuer);
}

static void
put_files(struct kit_files *files, const struct kind *k, const struct pki_pair *leaf)
{
	kit_put_pairs(
	    files, "leaf.pem", true, leaf, strcmp(k->chain, "middle") == 0 ? &middle : NULL);
	kit_put_pairs(files, "trust.pem", false, &root, k->installed ? leaf : NULL);
	if (k->revoked)
		kit_put_crl(files, "crl.pem", &root, leaf->cert);
	if (k->alien_crl)
		kit_put_crl(files, "crl.pem", &other_root, NULL);
}

/* A peer that may break every rule: not one of our contexts. */
static SSL_CTX *
peer_context(enum tls_role verifier, const struct pki_pair *leaf, const struct kind *k)
{
	SSL_CTX *ctx =
	    SSL_CTX_new(verifier == TLS_SERVER ? TLS_client_method() : TLS_server_method());

	if (k->none)
		return ctx;
	assert_true(SSL_CTX_use_certificate(ctx, leaf->cert));
	assert_true(SSL_CTX_use_PrivateKey(ctx, leaf->key));
	if (strcmp(k->chain, "middle") == 0)
		assert_true(SSL_CTX_add1_chain_cert(ctx, middle.cert));
	return ctx;
}

static bool
passes(const struct tls_context *tc, SSL_CTX *peer)
{
	bool is_server = tc->role == TLS_SERVER;
	SSL *ours = SSL_new(tc->ctx), *theirs = SSL_new(peer);
	struct kit_link link = is_server ? kit_connect(theirs, ours) : kit_connect(ours, theirs);
	bool up = is_server ? link.server_up : link.client_up;
	bool ok = verify_verdict(ours, tc) == VERDICT_PASS;

	/* A verdict before the handshake is done must not be a pass. */
	assert_true(up || !ok);
	kit_unlink(&link);
	return ok;
}

static void
check_kind(const struct kind *k, enum tls_role verifier, int version)
{
	struct pki_pair leaf = make_leaf(k, verifier), own = kit_good(PKI_SERVER, "own", &root);
	struct kit_files files = { .n = 0 };
	SSL_CTX *peer = peer_context(verifier, &leaf, k);

	put_files(&files, k, &leaf);
	kit_put_pairs(&files, "own.pem", true, &own, NULL);
	for (unsigned level = 0; level < COUNT_OF(kit_verify); level++) {
		struct tls_conf conf = kit_conf();
		struct tls_context *tc;

		conf.verify = kit_verify[level];
		conf.cert = verifier == TLS_SERVER ? "own.pem" : NULL;
		conf.ca_file = "trust.pem";
		conf.crl_file = k->revoked || k->alien_crl ? "crl.pem" : NULL;
		conf.version_max = version;
		tc = kit_context(&conf, verifier, &files);
		if (passes(tc, peer) != (k->want[level] == 'y'))
			fail_msg("%s, verify = %u, %s, TLS %x: should %spass", k->name, level,
			    verifier == TLS_SERVER ? "server" : "client", version,
			    k->want[level] == 'y' ? "" : "not ");
		tls_context_free(tc);
	}
	SSL_CTX_free(peer);
	pki_pair_done(&leaf);
	pki_pair_done(&own);
	kit_files_done(&files);
}

static void
the_server_judges_clients(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		check_kind(&kinds[i], TLS_SERVER, TLS1_2_VERSION);
		check_kind(&kinds[i], TLS_SERVER, TLS1_3_VERSION);
	}
}

static void
the_client_judges_servers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (kinds[i].none)
			continue; /* a server without one cannot speak */
		check_kind(&kinds[i], TLS_CLIENT, TLS1_2_VERSION);
		check_kind(&kinds[i], TLS_CLIENT, TLS1_3_VERSION);
	}
}

/* checkHost, checkEmail, checkIP: any hit passes; tricks in the certificate do not. */
static const struct {
	const char *sans, *host, *email, *ip;
	bool want;
} names[] = {
	{ "DNS:mail.example", "mail.example", NULL, NULL, true },
	{ "DNS:mail.example", "MAIL.example", NULL, NULL, true },
	{ "DNS:mail.example", "peer", NULL, NULL, false }, /* the CN does not count beside a SAN */
	{ NULL, "peer", NULL, NULL, true },		   /* ... but without one it does */
	{ "DNS:*.net.example", "mail.net.example", NULL, NULL, true },
	{ "DNS:*.net.example", "a.mail.net.example", NULL, NULL, false },
	{ "DNS:ma*.net.example", "mail.net.example", NULL, NULL, false },
	{ "DNS:mail.example", "other.example", NULL, "192.0.2.1", false },
	{ "DNS:192.0.2.1", NULL, NULL, "192.0.2.1", false },
	{ "IP:192.0.2.1", NULL, NULL, "192.0.2.1", true },
	{ "IP:2001:db8::1", NULL, NULL, "2001:db8:0::1", true },
	{ "IP:192.0.2.1", "192.0.2.1", NULL, NULL, false },
	{ "IP:192.0.2.1", "wrong.example", NULL, "192.0.2.1", true },
	{ "email:a@b.example", NULL, "a@b.example", NULL, true },
	{ "email:a@b.example", NULL, "c@b.example", NULL, false },
	{ "email:a@b.example", "b.example", NULL, NULL, false },
};

static void
names_are_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct pki_pair leaf =
		    kit_issue(PKI_SERVER, "peer", names[i].sans, -KIT_DAY, KIT_DAY, &root);
		struct kit_files files = { .n = 0 };
		struct tls_conf conf = kit_conf();
		SSL_CTX *peer = peer_context(TLS_CLIENT, &leaf, &kinds[0]);
		struct tls_context *tc;

		kit_put_pairs(&files, "trust.pem", false, &root, NULL);
		conf.ca_file = "trust.pem";
		conf.verify = kit_verify[2];
		conf.check_host = (struct strv){ &names[i].host, names[i].host != NULL };
		conf.check_email = (struct strv){ &names[i].email, names[i].email != NULL };
		conf.check_ip = (struct strv){ &names[i].ip, names[i].ip != NULL };
		tc = kit_context(&conf, TLS_CLIENT, &files);
		if (passes(tc, peer) != names[i].want)
			fail_msg("row %zu: should %spass", i, names[i].want ? "" : "not ");
		tls_context_free(tc);
		SSL_CTX_free(peer);
		pki_pair_done(&leaf);
		kit_files_done(&files);
	}
}

/* A CA below the root that is itself revoked: the whole chain counts, not the leaf alone. */
static void
a_revoked_intermediate_counts(void **state)
{
	struct pki_pair leaf = kit_good(PKI_SERVER, "peer", &middle);
	struct kit_files files = { .n = 0 };
	struct tls_conf conf = kit_conf();
	SSL_CTX *peer = peer_context(TLS_CLIENT, &leaf, &(struct kind){ .chain = "middle" });
	X509 *const revoked[] = { NULL, middle.cert };

	(void)state;
	kit_put_pairs(&files, "trust.pem", false, &root, NULL);
	conf.ca_file = "trust.pem";
	conf.crl_file = "crls.pem";
	conf.verify = kit_verify[2];
	for (size_t i = 0; i < COUNT_OF(revoked); i++) {
		struct kit_files crls = { .n = 0 };
		struct tls_context *tc;
		char both[8192];

		kit_put_crl(&crls, "root", &root, revoked[i]);
		kit_put_crl(&crls, "middle", &middle, NULL);
		snprintf(both, sizeof(both), "%.*s%.*s", (int)crls.v[0].n, crls.v[0].bytes,
		    (int)crls.v[1].n, crls.v[1].bytes);
		kit_put_text(&files, "crls.pem", both);
		tc = kit_context(&conf, TLS_CLIENT, &files);
		assert_int_equal(passes(tc, peer), revoked[i] == NULL);
		tls_context_free(tc);
		kit_files_done(&crls);
	}
	SSL_CTX_free(peer);
	pki_pair_done(&leaf);
	kit_files_done(&files);
}

static void
a_renewed_certificate_is_the_same_peer(void **state)
{
	struct pki_pair leaf = kit_good(PKI_SERVER, "peer", &root), renewed, rekeyed;
	struct kit_files files = { .n = 0 };
	struct tls_conf conf = kit_conf();
	struct tls_context *tc;
	SSL_CTX *peer;

	(void)state;
	kit_put_pairs(&files, "trust.pem", false, &leaf, NULL);
	conf.ca_file = "trust.pem";
	conf.verify = kit_verify[4];
	tc = kit_context(&conf, TLS_CLIENT, &files);

	renewed = (struct pki_pair){ X509_dup(leaf.cert), leaf.key };
	X509_gmtime_adj(X509_getm_notAfter(renewed.cert), 2 * KIT_DAY);
	X509_sign(renewed.cert, root.key, EVP_sha256());
	peer = peer_context(TLS_CLIENT, &renewed, &kinds[0]);
	assert_true(passes(tc, peer));
	SSL_CTX_free(peer);

	rekeyed = kit_good(PKI_SERVER, "peer", &root);
	peer = peer_context(TLS_CLIENT, &rekeyed, &kinds[0]);
	assert_false(passes(tc, peer));
	SSL_CTX_free(peer);

	tls_context_free(tc);
	X509_free(renewed.cert);
	pki_pair_done(&leaf);
	pki_pair_done(&rekeyed);
	kit_files_done(&files);
}

/* An SSL of another context must not pass, whatever that context let through. */
static void
the_verdict_is_for_its_own_context(void **state)
{
	struct pki_pair leaf = kit_good(PKI_SERVER, "peer", &root);
	struct kit_files files = { .n = 0 };
	struct tls_conf open_conf = kit_conf(), strict_conf = kit_conf();
	SSL_CTX *peer = peer_context(TLS_CLIENT, &leaf, &kinds[0]);
	struct tls_context *open_tc, *strict_tc;
	struct kit_link link;

	(void)state;
	kit_put_pairs(&files, "trust.pem", false, &root, NULL);
	strict_conf.ca_file = "trust.pem";
	strict_conf.verify = kit_verify[2];
	open_tc = kit_context(&open_conf, TLS_CLIENT, &files);
	strict_tc = kit_context(&strict_conf, TLS_CLIENT, &files);
	link = kit_connect(SSL_new(open_tc->ctx), SSL_new(peer));
	assert_true(link.client_up);
	assert_int_equal(verify_verdict(link.client, open_tc), VERDICT_PASS);
	assert_int_equal(verify_verdict(link.client, strict_tc), VERDICT_REJECTED);
	kit_unlink(&link);
	tls_context_free(open_tc);
	tls_context_free(strict_tc);
	SSL_CTX_free(peer);
	pki_pair_done(&leaf);
	kit_files_done(&files);
}

static void
subjects_are_printed_safely(void **state)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	char out[512], tiny[16];

	(void)state;
	assert_true(
	    X509_NAME_add_entry_by_txt(name, "C", MBSTRING_ASC, (const void *)"PL", -1, -1, 0));
	assert_true(X509_NAME_add_entry_by_txt(
	    name, "O", MBSTRING_UTF8, (const void *)"Te\xc3\xa9", -1, -1, 0));
	assert_true(
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const void *)"a\nb", -1, -1, 0));
	assert_string_equal(
	    verify_subject(cert, out, sizeof(out)), "C=PL, O=Te\xc3\xa9, CN=a\\0Ab");
	assert_string_equal(verify_subject(cert, tiny, sizeof(tiny)), "C=PL, O=Te\xc3\xa9...");
	assert_string_equal(verify_subject(NULL, out, sizeof(out)), "(unreadable name)");
	X509_free(cert);
}

static int
set_up(void **state)
{
	(void)state;
	log_main.level = LOG_EMERG;
	root = kit_good(PKI_CA, "root", NULL);
	other_root = kit_good(PKI_CA, "other root", NULL);
	middle = kit_good(PKI_CA, "middle", &root);
	return tls_library_start() ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	pki_pair_done(&root);
	pki_pair_done(&other_root);
	pki_pair_done(&middle);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_judges_clients),
		cmocka_unit_test(the_client_judges_servers),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(a_revoked_intermediate_counts),
		cmocka_unit_test(a_renewed_certificate_is_the_same_peer),
		cmocka_unit_test(the_verdict_is_for_its_own_context),
		cmocka_unit_test(subjects_are_printed_safely),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
