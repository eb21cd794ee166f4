/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_context.c -- what a context does by default, and which option is blamed for what.
 */
#include "tls_kit.h"

#include <openssl/tls1.h>

static struct pki_pair root, server_pair, client_pair;
static struct kit_files files;

static struct tls_context *
build(const struct tls_conf *conf, enum tls_role role, const char *sni, struct kit_sink *sink)
{
	*sink = (struct kit_sink){ .sink = { .say = kit_say } };
	return tls_context_new(conf, role, "mail", sni, NULL, &files.files, &sink->sink);
}

static struct tls_conf
server_conf(void)
{
	struct tls_conf conf = kit_conf();

	conf.cert = "server.pem";
	return conf;
}

static void
safe_by_default(void **state)
{
	struct tls_conf conf = server_conf();
	struct kit_sink sink;
	struct tls_context *tc = build(&conf, TLS_SERVER, NULL, &sink);
	const uint64_t want = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_SSLv3 |
			      SSL_OP_CIPHER_SERVER_PREFERENCE;
	STACK_OF(SSL_CIPHER) *ciphers;

	(void)state;
	assert_non_null(tc);
	assert_string_equal(sink.said, "");
	assert_int_equal(SSL_CTX_get_min_proto_version(tc->ctx), TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_get_max_proto_version(tc->ctx), 0);
	assert_true(SSL_CTX_get_security_level(tc->ctx) >= 2);
	assert_true((SSL_CTX_get_options(tc->ctx) & want) == want);
	assert_false(SSL_CTX_get_options(tc->ctx) & SSL_OP_IGNORE_UNEXPECTED_EOF);
	assert_int_equal(SSL_CTX_get_max_early_data(tc->ctx), 0);
	assert_int_equal(SSL_CTX_get_num_tickets(tc->ctx), 1);
	assert_true(SSL_CTX_get_read_ahead(tc->ctx));
	ciphers = SSL_CTX_get_ciphers(tc->ctx);
	assert_true(sk_SSL_CIPHER_num(ciphers) > 3);
	assert_string_equal(
	    SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, 0)), "TLS_AES_256_GCM_SHA384");
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		assert_int_not_equal(
		    SSL_CIPHER_get_auth_nid(sk_SSL_CIPHER_value(ciphers, i)), NID_auth_null);
		assert_int_not_equal(
		    SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(ciphers, i)), NID_kx_dhe);
	}
	tls_context_free(tc);
}

static void
options_are_set_and_cleared(void **state)
{
	struct tls_conf conf = server_conf();
	struct kit_sink sink;
	struct tls_context *tc;

	(void)state;
	conf.options_set = SSL_OP_NO_TLSv1_3 | SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF;
	conf.options_clear = SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE;
	tc = build(&conf, TLS_SERVER, NULL, &sink);
	assert_non_null(tc);
	assert_true(SSL_CTX_get_options(tc->ctx) & SSL_OP_NO_TLSv1_3);
	assert_false(SSL_CTX_get_options(tc->ctx) & SSL_OP_NO_TICKET); /* a clear beats a set */
	assert_false(SSL_CTX_get_options(tc->ctx) & SSL_OP_CIPHER_SERVER_PREFERENCE);
	assert_false(SSL_CTX_get_options(tc->ctx) & SSL_OP_IGNORE_UNEXPECTED_EOF);
	assert_non_null(strstr(sink.said, "W options: IGNORE_UNEXPECTED_EOF has no effect"));
	tls_context_free(tc);
}

/* Faults, and who is blamed. */
static void
set_bad_ciphers(struct tls_conf *c)
{
	c->ciphers = "NONSENSE";
}
static void
set_bad_ciphersuites(struct tls_conf *c)
{
	c->ciphersuites = "NONSENSE";
}
static void
set_bad_curves(struct tls_conf *c)
{
	c->curves = "X25519:P-257";
}
static void
set_bad_range(struct tls_conf *c)
{
	c->version_min = TLS1_3_VERSION;
	c->version_max = TLS1_2_VERSION;
}
static void
set_ssl3(struct tls_conf *c)
{
	c->version_min = c->version_max = SSL3_VERSION;
}
static void
set_tls1(struct tls_conf *c)
{
	c->version_min = TLS1_VERSION;
}
static void
set_tls1_max(struct tls_conf *c)
{
	c->version_max = TLS1_1_VERSION;
}
static void
set_tls1_at_level_2(struct tls_conf *c)
{
	c->version_min = TLS1_VERSION;
	c->security_level = 2;
}
static const char *const host[] = { "mail.example" }, *const bad_ip[] = { "300.0.0.1" };
static void
set_host_unverified(struct tls_conf *c)
{
	c->check_host = (struct strv){ host, 1 };
}
static void
set_bad_ip(struct tls_conf *c)
{
	c->check_ip = (struct strv){ bad_ip, 1 };
	c->ca_file = "root.pem";
	c->verify = kit_verify[2];
}
static void
set_level_5(struct tls_conf *c)
{
	c->security_level = 5;
}

static void
faults_are_blamed_on_their_option(void **state)
{
	static const struct {
		void (*set)(struct tls_conf *);
		bool ok;
		const char *said;
	} rows[] = {
		{ set_bad_ciphers, false, "E ciphers: no cipher match in \"NONSENSE\"" },
		{ set_bad_ciphersuites, false, "E ciphersuites: no cipher match in \"NONSENSE\"" },
		{ set_bad_curves, false,
		    "E curves: Invalid groups list in 'curves': \"X25519:P-257\"" },
		{ set_bad_range, false,
		    "E sslVersionMin: Invalid protocol version range: TLSv1.3 is" },
		{ set_ssl3, false, "E sslVersion: SSLv3 is not supported" },
		{ set_tls1, true, "W sslVersionMin: TLS 1.0 and 1.1 are weak" },
		{ set_tls1_max, true, "W sslVersionMax: TLS 1.0 and 1.1 are weak" },
		{ set_tls1_at_level_2, true, "W securityLevel: securityLevel = 2 rules TLS 1.0" },
		{ set_host_unverified, false,
		    "E checkHost: Either \"verifyChain\" or \"verifyPeer\"" },
		{ set_bad_ip, false, "E checkIP: \"300.0.0.1\" is not an IP address" },
		{ set_level_5, false, "E cert: the certificate in server.pem cannot be used: " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tls_conf conf = server_conf();
		struct kit_sink sink;
		struct tls_context *tc;

		rows[i].set(&conf);
		tc = build(&conf, TLS_SERVER, NULL, &sink);
		if ((tc != NULL) != rows[i].ok || strstr(sink.said, rows[i].said) == NULL)
			fail_msg("row %zu: %s: %s", i, tc != NULL ? "taken" : "refused", sink.said);
		assert_int_equal(ERR_peek_error(), 0);
		tls_context_free(tc);
	}
}

static void
clients_are_warned(void **state)
{
	struct tls_conf conf = kit_conf();
	struct kit_sink sink;

	(void)state;
	tls_context_free(build(&conf, TLS_CLIENT, NULL, &sink));
	assert_non_null(
	    strstr(sink.said, "W -: Service [mail] needs authentication to prevent MITM"));
	conf.ca_file = "root.pem";
	conf.verify = kit_verify[2];
	tls_context_free(build(&conf, TLS_CLIENT, NULL, &sink));
	assert_non_null(
	    strstr(sink.said, "W -: Service [mail] uses \"verifyChain\" without subject checks"));
	conf.check_host = (struct strv){ host, 1 };
	tls_context_free(build(&conf, TLS_CLIENT, NULL, &sink));
	assert_string_equal(sink.said, "");
}

static void
the_name_to_ask_for(void **state)
{
	static const struct {
		const char *set, *fallback, *want;
	} rows[] = {
		{ NULL, "mail.example", "mail.example" },
		{ NULL, "192.0.2.1", NULL },
		{ NULL, "2001:db8::1", NULL },
		{ NULL, NULL, NULL },
		{ "", "mail.example", NULL },
		{ "other.example", "mail.example", "other.example" },
	};
	struct tls_conf conf = kit_conf();
	struct kit_sink sink;
	char longest[257];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tls_context *tc;

		conf.sni = rows[i].set;
		tc = build(&conf, TLS_CLIENT, rows[i].fallback, &sink);
		assert_non_null(tc);
		if (rows[i].want == NULL)
			assert_null(tc->sni);
		else
			assert_string_equal(tc->sni, rows[i].want);
		tls_context_free(tc);
	}
	memset(longest, 'a', 256);
	longest[256] = '\0';
	conf.sni = longest;
	assert_null(build(&conf, TLS_CLIENT, NULL, &sink));
	assert_non_null(strstr(sink.said, "E sni: "));
}

/* Shake hands at one version, with certificates on both sides. */
static int
version_reached(struct tls_conf *server, struct tls_conf *client, int version)
{
	struct tls_context *s, *c;
	struct kit_link link;
	int reached;

	server->ca_file = client->ca_file = "root.pem";
	server->verify = client->verify = kit_verify[2];
	client->cert = "client.pem";
	client->version_min = client->version_max = version;
	s = kit_context(server, TLS_SERVER, &files);
	c = kit_context(client, TLS_CLIENT, &files);
	link = kit_connect(SSL_new(c->ctx), SSL_new(s->ctx));
	reached = link.client_up && link.server_up ? SSL_version(link.server) : 0;
	kit_unlink(&link);
	tls_context_free(s);
	tls_context_free(c);
	return reached;
}

static void
versions_work_as_configured(void **state)
{
	static const struct {
		int min, max, level, client, want;
	} rows[] = {
		{ 0, 0, -1, TLS1_3_VERSION, TLS1_3_VERSION },
		{ 0, 0, -1, TLS1_2_VERSION, TLS1_2_VERSION },
		{ 0, 0, -1, TLS1_1_VERSION, 0 },
		{ 0, 0, -1, TLS1_VERSION, 0 },
		{ TLS1_VERSION, 0, -1, TLS1_VERSION, TLS1_VERSION },
		{ TLS1_VERSION, 0, -1, TLS1_1_VERSION, TLS1_1_VERSION },
		{ TLS1_VERSION, 0, -1, TLS1_3_VERSION, TLS1_3_VERSION },
		{ TLS1_1_VERSION, 0, -1, TLS1_VERSION, 0 },
		{ TLS1_VERSION, TLS1_2_VERSION, -1, TLS1_3_VERSION, 0 },
		{ 0, TLS1_1_VERSION, -1, TLS1_1_VERSION, TLS1_1_VERSION },
		{ TLS1_VERSION, 0, 0, TLS1_VERSION, TLS1_VERSION },
		{ TLS1_VERSION, 0, 2, TLS1_VERSION, 0 },
		{ TLS1_3_VERSION, 0, -1, TLS1_2_VERSION, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tls_conf server = server_conf(), client = kit_conf();
		int reached;

		server.version_min = rows[i].min;
		server.version_max = rows[i].max;
		server.security_level = rows[i].level;
		reached = version_reached(&server, &client, rows[i].client);
		if (reached != rows[i].want)
			fail_msg("row %zu: %x, not %x", i, reached, rows[i].want);
	}
}

/* SHA-1 has 64 bits of strength, and level 1 asks for 80 (SSL_CTX_set_security_level(3)). */
static void
the_level_rules_signatures(void **state)
{
	static const struct {
		int level;
		bool good;
	} rows[] = { { 0, true }, { 1, false }, { 2, false } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tls_conf server = server_conf(), client = kit_conf();
		struct tls_context *s, *c;
		struct kit_link link;
		SSL *weak;

		server.security_level = rows[i].level;
		client.security_level = 0;
		client.version_max = TLS1_2_VERSION;
		s = kit_context(&server, TLS_SERVER, &files);
		c = kit_context(&client, TLS_CLIENT, &files);
		weak = SSL_new(c->ctx);
		assert_true(SSL_set1_sigalgs_list(weak, "ECDSA+SHA1"));
		link = kit_connect(weak, SSL_new(s->ctx));
		if ((link.client_up && link.server_up) != rows[i].good)
			fail_msg("level %d", rows[i].level);
		kit_unlink(&link);
		tls_context_free(s);
		tls_context_free(c);
	}
}

/* No signature scheme of TLS 1.3 names secp256k1. */
static void
odd_curves_are_served_by_tls_1_2(void **state)
{
	static const struct {
		const char *cert;
		int want;
	} rows[] = {
		{ "server.pem", TLS1_3_VERSION },
		{ "odd.pem", TLS1_2_VERSION },
	};

	(void)state;
	kit_put_curve(&files, "odd.pem", "secp256k1");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tls_conf server = server_conf(), client = kit_conf();
		struct tls_context *s, *c;
		struct kit_link link;

		server.cert = rows[i].cert;
		client.curves = "X25519:P-256:secp256k1";
		s = kit_context(&server, TLS_SERVER, &files);
		c = kit_context(&client, TLS_CLIENT, &files);
		link = kit_connect(SSL_new(c->ctx), SSL_new(s->ctx));
		assert_true(link.client_up && link.server_up);
		assert_int_equal(SSL_version(link.server), rows[i].want);
		kit_unlink(&link);
		tls_context_free(s);
		tls_context_free(c);
	}
}

/* Old versions lift SHA-1 in their own signatures and nothing else. */
static void
old_versions_keep_the_level(void **state)
{
	struct tls_conf conf = server_conf();
	struct kit_sink sink;
	struct tls_context *tc;
	struct pki_pair weak = { X509_dup(server_pair.cert), EVP_RSA_gen(1024) };

	(void)state;
	assert_true(X509_set_pubkey(weak.cert, weak.key));
	assert_true(X509_sign(weak.cert, root.key, EVP_sha256()) > 0);
	kit_put_pairs(&files, "weak.pem", true, &weak, NULL);
	conf.version_min = TLS1_VERSION;
	tc = build(&conf, TLS_SERVER, NULL, &sink);
	assert_non_null(tc);
	assert_int_equal(SSL_CTX_get_security_level(tc->ctx), 2);
	tls_context_free(tc);
	conf.cert = "weak.pem";
	assert_null(build(&conf, TLS_SERVER, NULL, &sink));
	assert_non_null(strstr(sink.said, "key too small"));
	pki_pair_done(&weak);
}

/* A client that asks for a new handshake gets a warning, and the connection stays as it was. */
static void
renegotiation_is_refused(void **state)
{
	struct tls_conf server = server_conf();
	struct tls_context *tc = kit_context(&server, TLS_SERVER, &files);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct kit_link link;
	char byte;

	(void)state;
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	link = kit_connect(SSL_new(ctx), SSL_new(tc->ctx));
	assert_true(link.server_up && link.client_up);
	assert_int_equal(SSL_renegotiate(link.client), 1);
	SSL_do_handshake(link.client);
	(void)SSL_read(link.server, &byte, 1);
	assert_true(SSL_is_init_finished(link.server));
	assert_true(SSL_do_handshake(link.client) <= 0);
	ERR_clear_error();
	kit_unlink(&link);
	SSL_CTX_free(ctx);
	tls_context_free(tc);
}

static int
set_up(void **state)
{
	(void)state;
	log_main.level = LOG_EMERG;
	root = kit_good(PKI_CA, "root", NULL);
	server_pair = kit_good(PKI_SERVER, "server", &root);
	client_pair = kit_good(PKI_CLIENT, "client", &root);
	kit_put_pairs(&files, "root.pem", false, &root, NULL);
	kit_put_pairs(&files, "server.pem", true, &server_pair, NULL);
	kit_put_pairs(&files, "client.pem", true, &client_pair, NULL);
	return tls_library_start() ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	pki_pair_done(&root);
	pki_pair_done(&server_pair);
	pki_pair_done(&client_pair);
	kit_files_done(&files);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(safe_by_default),
		cmocka_unit_test(options_are_set_and_cleared),
		cmocka_unit_test(faults_are_blamed_on_their_option),
		cmocka_unit_test(clients_are_warned),
		cmocka_unit_test(the_name_to_ask_for),
		cmocka_unit_test(versions_work_as_configured),
		cmocka_unit_test(the_level_rules_signatures),
		cmocka_unit_test(odd_curves_are_served_by_tls_1_2),
		cmocka_unit_test(old_versions_keep_the_level),
		cmocka_unit_test(renegotiation_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
