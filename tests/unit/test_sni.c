/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_sni.c -- a server's SSL keeps to the name by which its service was chosen. */
#include "tls_kit.h"

#include "tls/sni.h"

static struct kit_files files;
static struct pki_pair ca, leaf;
static struct tls_conf server_conf, client_conf;
static struct tls_context *server, *client;

static int
setup(void **state)
{
	(void)state;
	ca = kit_good(PKI_CA, "CA", NULL);
	leaf = kit_good(PKI_SERVER, "leaf", &ca);
	kit_put_pairs(&files, "leaf.pem", true, &leaf, NULL);
	server_conf = kit_conf();
	server_conf.cert = "leaf.pem";
	/* A client offers its first group at once; this one it has to be asked for. */
	server_conf.curves = "P-384";
	client_conf = kit_conf();
	client_conf.curves = "P-256:P-384";
	server = kit_context(&server_conf, TLS_SERVER, &files);
	client = kit_context(&client_conf, TLS_CLIENT, &files);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tls_context_free(server);
	tls_context_free(client);
	pki_pair_done(&ca);
	pki_pair_done(&leaf);
	kit_files_done(&files);
	return 0;
}

/* Two SSLs that talk to each other. */
struct talk {
	SSL *near, *far; /* the server's, the client's */
};

static struct talk
begin(const char *bound, const char *asked)
{
	struct talk t = { SSL_new(server->ctx), SSL_new(client->ctx) };
	BIO *near, *far;

	assert_true(BIO_new_bio_pair(&near, 1 << 18, &far, 1 << 18));
	SSL_set_bio(t.near, near, near);
	SSL_set_bio(t.far, far, far);
	SSL_set_accept_state(t.near);
	SSL_set_connect_state(t.far);
	if (bound != NULL)
		assert_true(sni_bind(t.near, server, bound));
	assert_true(SSL_set_tlsext_host_name(t.far, asked));
	return t;
}

/* Run to the end; was it a good one? */
static bool
finish(struct talk *t)
{
	bool up = false;

	for (int i = 0; i < 6; i++) {
		ERR_clear_error();
		up = SSL_do_handshake(t->far) == 1;
		ERR_clear_error();
		up = SSL_do_handshake(t->near) == 1 && up;
	}
	ERR_clear_error();
	SSL_free(t->near);
	SSL_free(t->far);
	return up;
}

static void
the_hello_asks_for_the_bound_name(void **state)
{
	static const struct {
		const char *bound, *asked;
		bool good;
	} rows[] = {
		{ "a.test", "a.test", true },
		{ "a.test", "A.Test", true },
		{ "a.test", "a.test.", true },
		{ "", NULL, true },
		{ NULL, "a.test", true }, /* a handshake without: nobody looked before */
		{ "a.test", "b.test", false },
		{ "a.test", NULL, false },
		{ "", "a.test", false },
		{ "a.test", "a.test.b", false },
		{ "a.test", "a b", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct talk t = begin(rows[i].bound, rows[i].asked);
		const char *name = sni_name(t.near);

		if (rows[i].bound == NULL || *rows[i].bound == '\0')
			assert_null(name);
		else
			assert_string_equal(name, rows[i].bound);
		if (finish(&t) != rows[i].good)
			fail_msg("row %zu", i);
	}
}

/* RFC 8446 4.1.2: the hello behind a HelloRetryRequest says what the first one said. */
static void
a_second_hello_asks_for_the_same(void **state)
{
	static const struct {
		const char *first, *second;
		bool good;
	} rows[] = {
		{ "a.test", "a.test", true },
		{ "a.test", "b.test", false },
		{ "a.test", NULL, false },
		{ NULL, "a.test", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct talk t = begin(rows[i].first != NULL ? rows[i].first : "", rows[i].first);

		ERR_clear_error();
		assert_int_not_equal(SSL_do_handshake(t.far), 1);
		assert_int_not_equal(SSL_do_handshake(t.near), 1);
		/* It has said nothing of itself yet: only asked for another group. */
		assert_null(SSL_get0_peer_certificate(t.far));
		assert_true(SSL_set_tlsext_host_name(t.far, rows[i].second));
		if (finish(&t) != rows[i].good)
			fail_msg("row %zu", i);
	}
}

/* The sessions of one name are not those of another, nor those of another trust. */
static void
each_name_has_its_own_sessions(void **state)
{
	struct talk a = begin("a.test", "a.test"), b = begin("b.test", "b.test");
	struct talk again = begin("a.test", "a.test"), none = begin(NULL, "a.test");
	const unsigned char *context = sni_context(a.near, server);

	(void)state;
	assert_memory_not_equal(context, sni_context(b.near, server), TLS_TRUST_SIZE);
	assert_memory_not_equal(context, server->trust, TLS_TRUST_SIZE);
	assert_memory_equal(context, sni_context(again.near, server), TLS_TRUST_SIZE);
	assert_memory_equal(server->trust, sni_context(none.near, server), TLS_TRUST_SIZE);
	assert_true(finish(&a) && finish(&b) && finish(&again) && finish(&none));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hello_asks_for_the_bound_name),
		cmocka_unit_test(a_second_hello_asks_for_the_same),
		cmocka_unit_test(each_name_has_its_own_sessions),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
