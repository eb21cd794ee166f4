/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_eap_tls.c -- TLS by messages, and PPP's EAP with it. */
#include "tls_kit.h"

#include "ppp_kit.h"
#include "tls/eap_tls.h"
#include "tunnel/vpn_eap.h"

static struct {
	struct kit_files files;
	struct pki_pair ca, other_ca, server, client, stranger;
} pki;

/* Two sides with their contexts. */
struct sides {
	struct tls_conf server_conf, client_conf;
	struct tls_context *server, *client;
};

static void
sides_open(struct sides *s, int version, const char *client_cert, const char *client_ca)
{
	memset(s, 0, sizeof(*s));
	s->server_conf = s->client_conf = kit_conf();
	s->server_conf.session_resume = s->client_conf.session_resume = false;
	s->server_conf.cert = "/server.pem";
	s->server_conf.ca_file = "/ca.pem";
	s->server_conf.verify =
	    (struct tls_verify){ .request = true, .require = true, .chain = true };
	s->client_conf.cert = client_cert;
	s->client_conf.ca_file = client_ca;
	s->client_conf.verify = s->server_conf.verify;
	s->client_conf.version_min = s->client_conf.version_max = version;
	s->server = kit_context(&s->server_conf, TLS_SERVER, &pki.files);
	s->client = kit_context(&s->client_conf, TLS_CLIENT, &pki.files);
}

static void
sides_close(struct sides *s)
{
	tls_context_free(s->server);
	tls_context_free(s->client);
}

/* ---- by messages ---- */

static const struct log_ctx quiet = { .id = "test", .level = LOG_EMERG };

/* All that one has to say, in pieces of a hundred bytes, to the other. */
static void
carry(struct eap_tls *from, struct eap_tls *to)
{
	uint8_t piece[100];

	while (eap_tls_left(from) > 0) {
		size_t n = eap_tls_take(from, piece, sizeof(piece));

		assert_true(n > 0);
		assert_true(eap_tls_put(to, piece, n));
	}
}

static enum eap_tls_state got[2]; /* server, client */

static void
talk(struct eap_tls *server, struct eap_tls *client)
{
	got[0] = EAP_TLS_MORE;
	got[1] = eap_tls_step(client);
	for (unsigned i = 0; i < 6 && eap_tls_left(client) > 0; i++) {
		carry(client, server);
		got[0] = eap_tls_step(server);
		if (eap_tls_left(server) == 0)
			break;
		carry(server, client);
		got[1] = eap_tls_step(client);
	}
}

static void
both_sides_get_one_key(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct sides s;
		struct eap_tls *server, *client;
		uint8_t keys[2][64];
		char name[256];

		sides_open(&s, versions[i], "/client.pem", "/ca.pem");
		server = eap_tls_new(s.server, &quiet);
		client = eap_tls_new(s.client, &quiet);
		assert_true(server != NULL && client != NULL);
		talk(server, client);
		assert_int_equal(got[0], EAP_TLS_DONE);
		assert_int_equal(got[1], EAP_TLS_DONE);
		assert_true(eap_tls_key(server, keys[0], 64) && eap_tls_key(client, keys[1], 64));
		assert_memory_equal(keys[0], keys[1], 64);
		/* What is asked for in part is a part of it. */
		assert_true(eap_tls_key(server, keys[1], 32));
		assert_memory_equal(keys[0], keys[1], 32);
		assert_true(eap_tls_name(server, name, sizeof(name)));
		assert_string_equal(name, "alice@example.test");
		assert_false(eap_tls_name(server, name, strlen("alice@example.test")));
		assert_true(eap_tls_name(client, name, sizeof(name)));
		assert_string_equal(name, "vpn.test"); /* no mail address: the common name */
		eap_tls_free(server);
		eap_tls_free(client);
		sides_close(&s);
	}
}

static void
who_may_not_pass_does_not(void **state)
{
	static const struct {
		int version;
		const char *cert, *ca;
	} table[] = {
		{ TLS1_2_VERSION, NULL, "/ca.pem" },
		{ TLS1_3_VERSION, NULL, "/ca.pem" },
		{ TLS1_2_VERSION, "/stranger.pem", "/ca.pem" },
		{ TLS1_3_VERSION, "/stranger.pem", "/ca.pem" },
		{ TLS1_2_VERSION, "/client.pem", "/other-ca.pem" },
		{ TLS1_3_VERSION, "/client.pem", "/other-ca.pem" },
		/* A server's certificate is no client's. */
		{ TLS1_3_VERSION, "/server.pem", "/ca.pem" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct sides s;
		struct eap_tls *server, *client;

		sides_open(&s, table[i].version, table[i].cert, table[i].ca);
		server = eap_tls_new(s.server, &quiet);
		client = eap_tls_new(s.client, &quiet);
		assert_true(server != NULL && client != NULL);
		talk(server, client);
		assert_int_equal(got[0], EAP_TLS_FAILED);
		assert_int_equal(got[1], EAP_TLS_FAILED);
		assert_int_equal(eap_tls_step(server), EAP_TLS_FAILED);
		eap_tls_free(server);
		eap_tls_free(client);
		sides_close(&s);
	}
}

static void
a_message_has_its_measure(void **state)
{
	static const uint8_t bytes[EAP_TLS_MESSAGE_MAX];
	struct sides s;
	struct eap_tls *e;

	(void)state;
	sides_open(&s, TLS1_3_VERSION, "/client.pem", "/ca.pem");
	e = eap_tls_new(s.server, &quiet);
	assert_non_null(e);
	assert_true(eap_tls_put(e, bytes, sizeof(bytes)));
	assert_false(eap_tls_put(e, bytes, 1));
	assert_int_equal(eap_tls_step(e), EAP_TLS_FAILED);
	eap_tls_free(e);
	eap_tls_free(NULL);
	sides_close(&s);
}

/* ---- in PPP ---- */

static void
run_ppp(struct wire *w, struct sides *s, struct vpn_eap eap[2])
{
	struct ppp_conf server = {
		.server = true,
		.methods = { PPP_EAP_TLS },
		.method_count = 1,
		.tls = &vpn_eap_tls,
		.tls_arg = &eap[0],
	};
	struct ppp_conf client = {
		.methods = { PPP_EAP_TLS },
		.method_count = 1,
		.user = "anonymous",
		.tls = &vpn_eap_tls,
		.tls_arg = &eap[1],
	};

	eap[0] = (struct vpn_eap){ s->server, &quiet };
	eap[1] = (struct vpn_eap){ s->client, &quiet };
	wire_open(w, &server, &client);
	wire_start(w);
	wire_pass(w, 2500);
}

static void
ppp_logs_in_by_certificate(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	static const uint8_t none[PPP_KEY];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		struct sides s;
		struct vpn_eap eap[2];
		struct wire w;

		sides_open(&s, versions[i], "/client.pem", "/ca.pem");
		run_ppp(&w, &s, eap);
		for (size_t e = 0; e < 2; e++) {
			assert_int_equal(w.end[e].logins, 1);
			assert_int_equal(w.end[e].method, PPP_EAP_TLS);
			assert_int_equal(w.end[e].ups[PPP_IPV4], 1);
		}
		/* By the certificate, not by what the client calls itself. */
		assert_string_equal(w.end[0].user, "alice@example.test");
		assert_memory_equal(w.end[0].key, w.end[1].key, PPP_KEY);
		assert_memory_not_equal(w.end[0].key, none, PPP_KEY);
		wire_close(&w);
		sides_close(&s);
	}
}

static void
ppp_refuses_a_stranger(void **state)
{
	static const char *const certs[][2] = {
		{ "/stranger.pem", "/ca.pem" },
		{ NULL, "/ca.pem" },
		{ "/client.pem", "/other-ca.pem" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(certs); i++) {
		struct sides s;
		struct vpn_eap eap[2];
		struct wire w;

		sides_open(&s, TLS1_3_VERSION, certs[i][0], certs[i][1]);
		run_ppp(&w, &s, eap);
		for (size_t e = 0; e < 2; e++) {
			assert_int_equal(w.end[e].logins, 0);
			assert_int_equal(w.end[e].downs, 1);
			assert_int_equal(w.end[e].why, PPP_END_TLS);
		}
		assert_int_equal(w.end[0].asked, 0);
		wire_close(&w);
		sides_close(&s);
	}
}

static int
make_pki(void **state)
{
	(void)state;
	assert_true(tls_library_start());
	pki.ca = kit_good(PKI_CA, "CA", NULL);
	pki.other_ca = kit_good(PKI_CA, "Other CA", NULL);
	pki.server = kit_good(PKI_SERVER, "vpn.test", &pki.ca);
	pki.client =
	    kit_issue(PKI_CLIENT, "Alice", "email:alice@example.test", -KIT_DAY, KIT_DAY, &pki.ca);
	pki.stranger = kit_good(PKI_CLIENT, "alice", &pki.other_ca);
	kit_put_pairs(&pki.files, "/ca.pem", false, &pki.ca, NULL);
	kit_put_pairs(&pki.files, "/other-ca.pem", false, &pki.other_ca, NULL);
	kit_put_pairs(&pki.files, "/server.pem", true, &pki.server, NULL);
	kit_put_pairs(&pki.files, "/client.pem", true, &pki.client, NULL);
	kit_put_pairs(&pki.files, "/stranger.pem", true, &pki.stranger, NULL);
	return 0;
}

static int
drop_pki(void **state)
{
	(void)state;
	kit_files_done(&pki.files);
	pki_pair_done(&pki.ca);
	pki_pair_done(&pki.other_ca);
	pki_pair_done(&pki.server);
	pki_pair_done(&pki.client);
	pki_pair_done(&pki.stranger);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_get_one_key),
		cmocka_unit_test(who_may_not_pass_does_not),
		cmocka_unit_test(a_message_has_its_measure),
		cmocka_unit_test(ppp_logs_in_by_certificate),
		cmocka_unit_test(ppp_refuses_a_stranger),
	};

	return cmocka_run_group_tests(tests, make_pki, drop_pki);
}
