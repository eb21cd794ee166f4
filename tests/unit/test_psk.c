/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_psk.c -- pre-shared keys: the file's rules, and what a key opens. */
#include "tls/psk.h"

#include "tls_kit.h"

#define KEY_A "alice:000102030405060708090a0b0c0d0e0f\n"
#define KEY_B "bob:a long enough passphrase\n"

static struct pki_pair root, server_pair, client_pair;
static struct kit_files files;

/* ---- the file ---- */

static struct psk_table *
load(const char *text, size_t n, mode_t mode, bool strict, struct kit_sink *sink)
{
	struct tls_conf conf = kit_conf();
	struct psk_table *t;

	*sink = (struct kit_sink){ .sink = { .say = kit_say } };
	conf.psk_secrets = "file.psk";
	conf.strict_permissions = strict;
	kit_put_bytes(&files, "file.psk", memcpy(malloc(n + 1), text, n), n, mode);
	t = psk_load(&conf, TLS_SERVER, &files.files, &sink->sink);
	free(files.v[--files.n].bytes);
	return t;
}

static void
good_files(void **state)
{
	static const char *const good[] = {
		KEY_A, "alice:00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f",
		"\r\n\n" KEY_A "\n\r\n" KEY_B,
		"a:0123456789abcdeg\n", /* 16 characters, not all hexadecimal digits */
		"a:key:with:colons:in:it\n", " a : a key with blanks \n",
		"a:0123456789abcdef0\n", /* an odd number of digits is text */
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct kit_sink sink;
		struct psk_table *t = load(good[i], strlen(good[i]), 0600, true, &sink);

		if (t == NULL || sink.said[0] != '\0')
			fail_msg("file %zu: %s", i, sink.said);
		psk_free(t);
	}
}

static void
bad_files_are_told_by_line_and_without_the_key(void **state)
{
	static const struct {
		const char *text, *why;
		size_t n;
	} bad[] = {
		{ "", "there are none", 0 },
		{ "\n\r\n", "there are none", 0 },
		{ KEY_A "no colon\n", "line 2: Not in identity:key", 0 },
		{ KEY_A "\n; a comment\n", "line 3: Not in identity:key", 0 },
		{ ":xyzzyxyzzyxyzzyx\n", "line 1: Not in identity:key", 0 },
		{ "a:\n", "line 1: Key too short", 0 },
		{ "a:fifteen_xyzzy_s\n", "line 1: Key too short", 0 },
		{ "a:0123456789abcdef\n", "line 1: Key too short", 0 }, /* digits: 8 bytes */
		{ "a:0123456789abcdef\0xyzzy", "line 1: A NUL", 24 },
		{ KEY_A KEY_B KEY_A, "line 3: the identity of line 1", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct kit_sink sink;
		size_t n = bad[i].n > 0 ? bad[i].n : strlen(bad[i].text);

		assert_null(load(bad[i].text, n, 0600, false, &sink));
		if (strstr(sink.said, "E PSKsecrets: ") == NULL ||
		    strstr(sink.said, bad[i].why) == NULL || strstr(sink.said, "xyzzy") != NULL ||
		    strstr(sink.said, "0123") != NULL)
			fail_msg("file %zu: %s", i, sink.said);
	}
}

static void
lengths_have_limits(void **state)
{
	char text[2048];
	struct kit_sink sink;
	struct psk_table *t;

	(void)state;
	for (int over = 0; over < 2; over++) {
		/* The longest identity with the longest key, and then each one longer. */
		snprintf(text, sizeof(text), "%0*d:%0512d!", 255 + over, 0, 0);
		text[255 + over + 1 + 512] = '\0';
		text[255 + over + 1] = '!'; /* not a number */
		t = load(text, strlen(text), 0600, false, &sink);
		assert_true((t == NULL) == (over == 1));
		psk_free(t);
	}
	assert_non_null(strstr(sink.said, "Identity too long"));
	snprintf(text, sizeof(text), "a:!%0512d", 0);
	assert_null(load(text, strlen(text), 0600, false, &sink));
	assert_non_null(strstr(sink.said, "Key too long"));
}

static void
a_file_that_others_can_read_warns_or_is_refused(void **state)
{
	struct kit_sink sink;
	struct psk_table *t;

	(void)state;
	t = load(KEY_A, strlen(KEY_A), 0644, false, &sink);
	assert_non_null(t);
	assert_non_null(strstr(sink.said, "W PSKsecrets: Insecure file permissions on file.psk"));
	psk_free(t);
	psk_free(load(KEY_A, strlen(KEY_A), 0644, true, &sink));
	assert_int_equal(sink.sink.errors, 1);
	assert_non_null(strstr(sink.said, "E PSKsecrets: Insecure file permissions on file.psk"));
}

/* ---- what a key opens ---- */

static struct tls_conf
side_conf(const char *secrets, int version)
{
	struct tls_conf conf = kit_conf();

	conf.psk_secrets = secrets;
	conf.version_min = conf.version_max = version;
	return conf;
}

struct meeting {
	bool client, server; /* who lets the other pass */
	bool resumed;
};

/* One connection; what the client keeps is offered at the next one. */
static struct meeting
meet(const struct tls_context *c, const struct tls_context *s, struct resume_cache *cache)
{
	static const struct addr here = { .len = sizeof(struct sockaddr_in),
		.in = { .sin_family = AF_INET, .sin_port = 1 } };
	SSL *client = SSL_new(c->ctx);
	struct kit_link link;
	struct meeting m = { 0 };

	if (cache != NULL)
		resume_offer(cache, client, c, &here);
	link = kit_connect(client, SSL_new(s->ctx));
	m.client = link.client_up && verify_verdict(link.client, c) == VERDICT_PASS;
	m.server = link.server_up && verify_verdict(link.server, s) == VERDICT_PASS;
	m.resumed = m.server && SSL_session_reused(link.server) && !psk_is_fresh(link.server, s);
	kit_unlink(&link);
	return m;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void
who_gets_in(void **state)
{
	static const struct {
		const char *name;
		const char *client, *identity; /* PSKsecrets and PSKidentity */
		bool client_verifies, client_has_cert;
		const char *server;
		unsigned level; /* of kit_verify, at the server; with a certificate if not 0 */
		bool server_has_cert, pass;
	} rows[] = {
		{ "the same key", "a.psk", NULL, false, false, "a.psk", 0, false, true },
		{ "one of two", "b.psk", NULL, false, false, "ab.psk", 0, false, true },
		{ "chosen", "ab.psk", "bob", false, false, "b.psk", 0, false, true },
		{ "the first", "ba.psk", NULL, false, false, "b.psk", 0, false, true },
		{ "not the first", "ab.psk", NULL, false, false, "b.psk", 0, false, false },
		{ "another key", "a.psk", NULL, false, false, "a2.psk", 0, false, false },
		{ "another name", "a.psk", NULL, false, false, "b.psk", 0, false, false },
		{ "no key", NULL, NULL, false, false, "a.psk", 0, false, false },
		{ "a key instead of a certificate", "a.psk", NULL, false, false, "a.psk", 2, true,
		    true },
		{ "a certificate instead of a key", NULL, NULL, false, true, "a.psk", 2, true,
		    true },
		{ "neither", NULL, NULL, false, false, "a.psk", 2, true, false },
		{ "a server without our key", "a.psk", NULL, false, false, NULL, 0, true, false },
		{ "... with another one", "a.psk", NULL, false, false, "b.psk", 0, true, false },
		{ "... but verified", "a.psk", NULL, true, false, NULL, 0, true, true },
		{ "a key, and verifying", "a.psk", NULL, true, false, "a.psk", 0, false, true },
	};

	(void)state;
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		for (size_t i = 0; i < COUNT_OF(rows); i++) {
			struct tls_conf client = side_conf(rows[i].client, versions[v]),
					server = side_conf(rows[i].server, versions[v]);
			struct tls_context *c, *s;
			struct meeting m;

			client.psk_identity = rows[i].identity;
			client.cert = rows[i].client_has_cert ? "client.pem" : NULL;
			client.ca_file = server.ca_file = "root.pem";
			if (rows[i].client_verifies)
				client.verify = kit_verify[2];
			server.cert = rows[i].server_has_cert ? "server.pem" : NULL;
			if (rows[i].level > 0)
				server.verify = kit_verify[rows[i].level];
			/* A server prefers certificates in TLS 1.2 while its list begins so. */
			client.ciphers = rows[i].client != NULL && !rows[i].client_verifies
					     ? NULL
					     : "ALL:!DH:!aNULL";
			c = kit_context(&client, TLS_CLIENT, &files);
			s = kit_context(&server, TLS_SERVER, &files);
			m = meet(c, s, NULL);
			if ((m.client && m.server) != rows[i].pass)
				fail_msg("%x, %s: client %d, server %d", versions[v], rows[i].name,
				    m.client, m.server);
			tls_context_free(c);
			tls_context_free(s);
		}
	}
}

/* A man in the middle has a certificate, and no key: nothing may be sent to him. */
static void
the_client_says_no_itself(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		struct tls_conf client = side_conf("a.psk", versions[v]),
				server = side_conf(NULL, versions[v]);
		struct tls_context *c, *s;

		server.cert = "server.pem";
		c = kit_context(&client, TLS_CLIENT, &files);
		s = kit_context(&server, TLS_SERVER, &files);
		assert_false(meet(c, s, NULL).client);
		tls_context_free(c);
		tls_context_free(s);
	}
}

static void
sessions_that_began_with_a_key(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		struct tls_conf client = side_conf("a.psk", versions[v]),
				server = side_conf("ab.psk", versions[v]);
		struct resume_cache *cache = resume_cache_new();
		struct tls_context *c, *s, *without;
		struct meeting m;
		int64_t began;

		server.session_timeout_ms = client.session_timeout_ms = 2000;
		server.cert = "server.pem";
		server.ca_file = "root.pem";
		server.verify = kit_verify[2]; /* nobody without a key or a certificate */
		c = kit_context(&client, TLS_CLIENT, &files);
		s = kit_context(&server, TLS_SERVER, &files);
		began = kit_now_ms();
		for (int i = 0; i < 3; i++) {
			m = meet(c, s, cache);
			assert_true(m.client && m.server);
			assert_int_equal(m.resumed, i > 0);
		}
		/* Taking it up again and again does not make it younger. */
		kit_wait_until(began + 1500);
		m = meet(c, s, cache);
		assert_true(m.client && m.server && m.resumed);
		kit_wait_until(began + 2100);
		m = meet(c, s, cache);
		assert_true(m.client && m.server && !m.resumed);
		/* The key is taken away, as by a reload: the session goes with it. */
		server.psk_secrets = "b.psk";
		without = kit_context_named(&server, TLS_SERVER, "test", s, &files);
		m = meet(c, without, cache);
		assert_false(m.server);
		tls_context_free(without);
		resume_cache_free(cache);
		tls_context_free(c);
		tls_context_free(s);
	}
}

static void
without_resumption_keys_still_work(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		struct tls_conf client = side_conf("a.psk", versions[v]),
				server = side_conf("a.psk", versions[v]);
		struct tls_context *c, *s;

		client.session_resume = server.session_resume = false;
		c = kit_context(&client, TLS_CLIENT, &files);
		s = kit_context(&server, TLS_SERVER, &files);
		for (int i = 0; i < 2; i++) {
			struct meeting m = meet(c, s, NULL);

			assert_true(m.client && m.server && !m.resumed);
		}
		tls_context_free(c);
		tls_context_free(s);
	}
}

/* The same key at two services: a session of one is nothing at the other. */
static void
sessions_stay_in_their_service(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		struct tls_conf client = side_conf("a.psk", versions[v]),
				server = side_conf("a.psk", versions[v]);
		struct resume_cache *cache = resume_cache_new();
		struct tls_context *c, *one, *two;
		struct meeting m;

		c = kit_context(&client, TLS_CLIENT, &files);
		one = kit_context_named(&server, TLS_SERVER, "one", NULL, &files);
		two = kit_context_named(&server, TLS_SERVER, "two", NULL, &files);
		m = meet(c, one, cache);
		assert_true(m.server && !m.resumed);
		m = meet(c, two, cache);
		assert_true(m.server && !m.resumed);
		resume_cache_free(cache);
		tls_context_free(c);
		tls_context_free(one);
		tls_context_free(two);
	}
}

/* A session that a key began is no certificate, and one of an open door is no key. */
static void
sessions_stay_in_their_trust(void **state)
{
	(void)state;
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		struct tls_conf by_key = side_conf("a.psk", versions[v]),
				by_cert = side_conf(NULL, versions[v]),
				open = side_conf(NULL, versions[v]),
				client = side_conf("a.psk", versions[v]),
				guest = side_conf(NULL, versions[v]);
		struct resume_cache *cache = resume_cache_new();
		struct tls_context *key, *cert, *any, *c, *g;

		by_cert.cert = open.cert = "server.pem";
		by_cert.ca_file = "root.pem";
		by_cert.verify = kit_verify[2];
		key = kit_context(&by_key, TLS_SERVER, &files);
		cert = kit_context(&by_cert, TLS_SERVER, &files);
		any = kit_context(&open, TLS_SERVER, &files);
		c = kit_context(&client, TLS_CLIENT, &files);
		g = kit_context(&guest, TLS_CLIENT, &files);
		assert_true(meet(c, key, cache).server);
		assert_true(meet(c, key, cache).resumed);
		assert_false(meet(c, cert, cache).server);
		assert_true(meet(g, any, cache).server);
		assert_true(meet(g, any, cache).resumed);
		assert_false(meet(g, key, cache).server);
		resume_cache_free(cache);
		tls_context_free(key);
		tls_context_free(cert);
		tls_context_free(any);
		tls_context_free(c);
		tls_context_free(g);
	}
}

static void
an_unknown_identity_is_refused_at_the_start(void **state)
{
	struct tls_conf conf = side_conf("a.psk", 0);
	struct kit_sink sink = { .sink = { .say = kit_say } };

	(void)state;
	conf.psk_identity = "carol";
	assert_null(
	    tls_context_new(&conf, TLS_CLIENT, "test", NULL, NULL, &files.files, &sink.sink));
	assert_non_null(strstr(sink.said, "E PSKidentity: No key found for the specified PSK"));
	conf.psk_identity = NULL;
	conf.psk_secrets = "nowhere.psk";
	assert_null(
	    tls_context_new(&conf, TLS_CLIENT, "test", NULL, NULL, &files.files, &sink.sink));
	assert_non_null(strstr(sink.said, "E PSKsecrets: Failed to read PSK secrets: cannot read"));
}

static void
put_secrets(const char *path, const char *text)
{
	kit_put_bytes(&files, path, strdup(text), strlen(text), 0600);
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
	put_secrets("a.psk", KEY_A);
	put_secrets("a2.psk", "alice:ff0102030405060708090a0b0c0d0e0f\n");
	put_secrets("b.psk", KEY_B);
	put_secrets("ab.psk", KEY_A KEY_B);
	put_secrets("ba.psk", KEY_B KEY_A);
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
		cmocka_unit_test(good_files),
		cmocka_unit_test(bad_files_are_told_by_line_and_without_the_key),
		cmocka_unit_test(lengths_have_limits),
		cmocka_unit_test(a_file_that_others_can_read_warns_or_is_refused),
		cmocka_unit_test(who_gets_in),
		cmocka_unit_test(the_client_says_no_itself),
		cmocka_unit_test(sessions_that_began_with_a_key),
		cmocka_unit_test(without_resumption_keys_still_work),
		cmocka_unit_test(sessions_stay_in_their_service),
		cmocka_unit_test(sessions_stay_in_their_trust),
		cmocka_unit_test(an_unknown_identity_is_refused_at_the_start),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
