/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_resume.c -- a session opens the door that it came from, for as long as it may. */
#include "kit/starve.h"

#include "tls_kit.h"

static struct pki_pair root_a, root_b, server_pair, client_a, client_b;
static struct kit_files files;

/* The ways in which a session can come back. */
static const struct way {
	const char *name;
	int version;
	bool no_ticket;
} ways[] = {
	{ "TLS 1.2 ticket", TLS1_2_VERSION, false },
	{ "TLS 1.2 session id", TLS1_2_VERSION, true },
	{ "TLS 1.3 ticket", TLS1_3_VERSION, false },
	{ "TLS 1.3, kept by the server", TLS1_3_VERSION, true },
};

/* Doors with different locks, and who has a key to each. */
static const struct door {
	const char *name;
	unsigned level; /* of kit_verify */
	const char *trust;
	const struct pki_pair *visitor; /* NULL: anybody */
} doors[] = {
	{ "open", 0, NULL, NULL },
	{ "CA A", 2, "root_a.pem", &client_a },
	{ "CA B", 2, "root_b.pem", &client_b },
	{ "pinned", 4, "client_a.pem", &client_a },
};

static struct tls_conf
door_conf(const struct door *door, const struct way *way)
{
	struct tls_conf conf = kit_conf();

	conf.cert = "server.pem";
	conf.ca_file = door->trust;
	conf.verify = kit_verify[door->level];
	conf.version_max = way->version;
	conf.options_set = way->no_ticket ? SSL_OP_NO_TICKET : 0;
	return conf;
}

/* A client that keeps no rules: it offers what it was told to offer. */
struct visit {
	bool up, passed, resumed;
	SSL_SESSION *got; /* the caller's to free; may be NULL */
};

static SSL_SESSION *latest; /* what on_new() saw last */

static int
on_new(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(latest);
	latest = session;
	return 1;
}

static struct visit
visit(const struct tls_context *tc, const struct pki_pair *own, SSL_SESSION *offered)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct visit v = { 0 };
	struct kit_link link;
	SSL *client;

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new);
	if (own != NULL) {
		assert_true(SSL_CTX_use_certificate(ctx, own->cert));
		assert_true(SSL_CTX_use_PrivateKey(ctx, own->key));
	}
	client = SSL_new(ctx);
	if (offered != NULL)
		assert_true(SSL_set_session(client, offered));
	link = kit_connect(client, SSL_new(tc->ctx));
	v.up = link.server_up;
	v.passed = v.up && verify_verdict(link.server, tc) == VERDICT_PASS;
	v.resumed = v.up && SSL_session_reused(link.server);
	v.got = latest;
	latest = NULL;
	kit_unlink(&link);
	SSL_CTX_free(ctx);
	return v;
}

static void
no_session_crosses_a_threshold(void **state)
{
	(void)state;
	for (size_t w = 0; w < COUNT_OF(ways); w++) {
		struct tls_conf conf[COUNT_OF(doors)];
		struct tls_context *tc[COUNT_OF(doors)];

		for (size_t i = 0; i < COUNT_OF(doors); i++) {
			conf[i] = door_conf(&doors[i], &ways[w]);
			tc[i] = kit_context(&conf[i], TLS_SERVER, &files);
		}
		for (size_t from = 0; from < COUNT_OF(doors); from++) {
			for (size_t to = 0; to < COUNT_OF(doors); to++) {
				struct visit first = visit(tc[from], doors[from].visitor, NULL),
					     second;

				assert_true(first.passed && !first.resumed);
				assert_non_null(first.got);
				/* The second time without a certificate: only the session speaks.
				 */
				second = visit(tc[to], NULL, first.got);
				if (second.resumed != (from == to) ||
				    second.passed != (from == to || doors[to].visitor == NULL))
					fail_msg("%s: from %s to %s: %s%s", ways[w].name,
					    doors[from].name, doors[to].name,
					    second.resumed ? "resumed " : "",
					    second.passed ? "passed" : "refused");
				SSL_SESSION_free(first.got);
				SSL_SESSION_free(second.got);
			}
		}
		for (size_t i = 0; i < COUNT_OF(doors); i++)
			tls_context_free(tc[i]);
	}
}

/* What a reload or another section changes, and whether sessions live on. */
static void
rename_service(const char **service, struct tls_conf *conf)
{
	(void)conf;
	*service = "other";
}

static void
add_crl(const char **service, struct tls_conf *conf)
{
	(void)service;
	conf->crl_file = "crl.pem";
}

static void
add_host(const char **service, struct tls_conf *conf)
{
	static const char *const host = "client a";

	(void)service;
	conf->check_host = (struct strv){ &host, 1 };
}

static void
other_certificate(const char **service, struct tls_conf *conf)
{
	(void)service;
	conf->cert = "server2.pem";
}

static void
shorter_idle(const char **service, struct tls_conf *conf)
{
	(void)service;
	conf->session_cache_size = 7; /* nothing that decides trust */
}

static void
a_reload_keeps_sessions_only_if_trust_stayed(void **state)
{
	static const struct {
		void (*change)(const char **, struct tls_conf *);
		bool lives;
	} rows[] = {
		{ shorter_idle, true },
		{ rename_service, false },
		{ add_crl, false },
		{ add_host, false },
		{ other_certificate, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tls_conf before = door_conf(&doors[1], &ways[2]), after = before;
		const char *service = "test";
		struct tls_context *old = kit_context(&before, TLS_SERVER, &files), *new;
		struct visit first = visit(old, &client_a, NULL), second;

		rows[i].change(&service, &after);
		new = kit_context_named(&after, TLS_SERVER, service, old, &files);
		tls_context_free(old); /* the ring must outlive it */
		assert_true(first.passed);
		second = visit(new, &client_a, first.got);
		assert_true(second.passed);
		if (second.resumed != rows[i].lives)
			fail_msg("row %zu: should %sbe resumed", i, rows[i].lives ? "" : "not ");
		SSL_SESSION_free(first.got);
		SSL_SESSION_free(second.got);
		tls_context_free(new);
	}
}

/* One door for each way, all watched at the same time. */
struct watched {
	struct tls_conf conf;
	struct tls_context *tc;
	SSL_SESSION *session;
	int64_t full; /* when the last full handshake ended */
	unsigned resumed, again;
};

static void
watched_begin(struct watched *w, const struct way *way, const struct pki_pair *own, int life_ms)
{
	struct visit v;

	*w = (struct watched){ .conf = door_conf(&doors[1], way) };
	w->conf.session_timeout_ms = life_ms;
	w->tc = kit_context(&w->conf, TLS_SERVER, &files);
	v = visit(w->tc, own, NULL);
	assert_true(v.passed);
	w->session = v.got;
	w->full = kit_now_ms();
}

static void
watched_end(struct watched *w)
{
	SSL_SESSION_free(w->session);
	tls_context_free(w->tc);
}

/* Resume with the newest session; a session that was renewed must have kept its age. */
static void
watched_step(struct watched *w, const struct way *way)
{
	int64_t now = kit_now_ms();
	struct visit v = visit(w->tc, &client_a, w->session);

	assert_true(v.passed);
	/* What the server keeps itself is judged by whole seconds. */
	if (v.resumed && now - w->full > w->conf.session_timeout_ms + (way->no_ticket ? 1000 : 0))
		fail_msg("%s: resumed after %lld ms", way->name, (long long)(now - w->full));
	w->resumed += v.resumed;
	w->again += !v.resumed;
	if (!v.resumed)
		w->full = kit_now_ms();
	if (v.got == NULL)
		return;
	SSL_SESSION_free(w->session);
	w->session = v.got;
}

static void
renewing_does_not_prolong_life(void **state)
{
	enum { LIFE = 1000, STEP = 90, LONG = 3600 };
	struct watched w[COUNT_OF(ways)];
	int64_t began = kit_now_ms();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ways); i++)
		watched_begin(&w[i], &ways[i], &client_a, LIFE);
	for (int64_t t = began; t < began + LONG; t += STEP) {
		kit_wait_until(t);
		for (size_t i = 0; i < COUNT_OF(ways); i++)
			watched_step(&w[i], &ways[i]);
	}
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		/* Tickets in particular must have been resumed more often than not. */
		if (w[i].again == 0 || w[i].resumed < (ways[i].no_ticket ? 1 : w[i].again))
			fail_msg("%s: %u resumed, %u full", ways[i].name, w[i].resumed, w[i].again);
		watched_end(&w[i]);
	}
}

static void
a_session_ends_with_its_certificate(void **state)
{
	enum { SECONDS = 3 };
	struct pki_pair brief = kit_issue(PKI_CLIENT, "brief", NULL, -KIT_DAY, SECONDS, &root_a);
	int64_t began = kit_now_ms();
	struct watched w[COUNT_OF(ways)];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ways); i++)
		watched_begin(&w[i], &ways[i], &brief, 300 * 1000);
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		struct visit v = visit(w[i].tc, NULL, w[i].session);

		assert_true(v.passed && v.resumed); /* it lived until ... */
		if (v.got != NULL) {
			SSL_SESSION_free(w[i].session);
			w[i].session = v.got;
		}
	}
	kit_wait_until(began + SECONDS * 1000 + 1100); /* ... its notAfter, in whole seconds */
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		struct visit v = visit(w[i].tc, NULL, w[i].session);

		assert_false(v.passed);
		SSL_SESSION_free(v.got);
		watched_end(&w[i]);
	}
	pki_pair_done(&brief);
}

static void
keys_rotate(void **state)
{
	enum { ROTATION = 1000 };
	struct tls_conf conf = door_conf(&doors[0], &ways[0]);
	struct tls_context *tc;
	struct visit v;
	SSL_SESSION *session;
	int64_t began;

	(void)state;
	conf.ticket_rotation_ms = ROTATION;
	tc = kit_context(&conf, TLS_SERVER, &files);
	began = kit_now_ms();
	session = visit(tc, NULL, NULL).got; /* under key n */
	v = visit(tc, NULL, session);
	assert_true(v.resumed);
	SSL_SESSION_free(v.got);
	kit_wait_until(began + ROTATION + 100);
	v = visit(tc, NULL, session);
	assert_true(v.resumed); /* key n is the older one now */
	SSL_SESSION_free(v.got);
	kit_wait_until(began + 2 * ROTATION + 100);
	v = visit(tc, NULL, session);
	assert_true(v.passed && !v.resumed);
	SSL_SESSION_free(v.got);
	SSL_SESSION_free(session);
	tls_context_free(tc);
}

static void
nothing_is_kept_when_resumption_is_off(void **state)
{
	(void)state;
	for (size_t w = 0; w < COUNT_OF(ways); w++) {
		struct tls_conf conf = door_conf(&doors[0], &ways[w]);
		struct tls_context *tc;
		struct visit first, second;

		conf.session_resume = false;
		tc = kit_context(&conf, TLS_SERVER, &files);
		first = visit(tc, NULL, NULL);
		assert_true(first.passed);
		second = visit(tc, NULL, first.got);
		assert_true(second.passed && !second.resumed);
		if (ways[w].version == TLS1_3_VERSION)
			assert_null(first.got);
		SSL_SESSION_free(first.got);
		SSL_SESSION_free(second.got);
		tls_context_free(tc);
	}
}

/* ---- the client's cache ---- */

static const struct addr here = { .len = sizeof(struct sockaddr_in),
	.in = { .sin_family = AF_INET, .sin_port = 1 } };
static const struct addr there = { .len = sizeof(struct sockaddr_in),
	.in = { .sin_family = AF_INET, .sin_port = 2 } };

struct ends {
	struct tls_conf server_conf, client_conf;
	struct tls_context *server, *client;
	struct resume_cache *cache;
};

static struct ends *
ends_new(const struct way *way)
{
	struct ends *e = calloc(1, sizeof(*e));

	e->server_conf = door_conf(&doors[0], way);
	e->client_conf = kit_conf();
	e->client_conf.ca_file = "root_a.pem";
	e->client_conf.verify = kit_verify[2];
	e->server = kit_context(&e->server_conf, TLS_SERVER, &files);
	e->client = kit_context(&e->client_conf, TLS_CLIENT, &files);
	e->cache = resume_cache_new();
	return e;
}

static void
ends_free(struct ends *e)
{
	resume_cache_free(e->cache);
	tls_context_free(e->server);
	tls_context_free(e->client);
	free(e);
}

/* One connection of the client; returns whether it was resumed.  It must pass in any case. */
static bool
call(struct ends *e, const struct addr *to)
{
	SSL *client = SSL_new(e->client->ctx);
	struct kit_link link;
	bool resumed;

	resume_offer(e->cache, client, e->client, to);
	link = kit_connect(client, SSL_new(e->server->ctx));
	assert_int_equal(verify_verdict(client, e->client), VERDICT_PASS);
	resumed = SSL_session_reused(client);
	kit_unlink(&link);
	return resumed;
}

static void
the_client_resumes_by_context_and_address(void **state)
{
	(void)state;
	for (size_t w = 0; w < COUNT_OF(ways); w++) {
		struct ends *e = ends_new(&ways[w]);

		assert_false(call(e, &here));
		assert_true(call(e, &here));
		assert_true(call(e, &here));
		assert_false(call(e, &there));
		assert_true(call(e, &there));
		resume_forget(e->cache, e->server); /* not its sessions */
		assert_true(call(e, &here));
		resume_forget(e->cache, e->client);
		assert_false(call(e, &here));
		ends_free(e);
	}
}

static void
the_client_offers_nothing_old(void **state)
{
	enum { LIFE = 800, STEP = 90, LONG = 2000 };
	struct ends *e = ends_new(&ways[2]);
	int64_t began = kit_now_ms(), full = began;
	unsigned resumed = 0, again = 0;

	(void)state;
	e->client_conf.session_timeout_ms = LIFE;
	for (int64_t t = began; t < began + LONG; t += STEP) {
		int64_t now;

		kit_wait_until(t);
		now = kit_now_ms();
		if (!call(e, &here)) {
			full = now;
			again++;
			continue;
		}
		resumed++;
		/* The handshake began some time after `now`. */
		assert_true(now - full <= LIFE);
	}
	assert_true(resumed > again && again > 1);
	ends_free(e);
}

static void
the_client_cache_is_bounded(void **state)
{
	struct ends *e = ends_new(&ways[2]);

	(void)state;
	e->client_conf.session_cache_size = 1;
	assert_false(call(e, &here));
	assert_false(call(e, &there)); /* pushes the first one out */
	assert_true(call(e, &there));
	assert_false(call(e, &here));
	ends_free(e);
}

/* ---- memory: ours, not OpenSSL's ---- */

/* Whichever piece of memory is missing, a new place is forgotten and nothing else happens. */
static void
without_memory_it_works_without_resumption(void **state)
{
	struct ends *e = ends_new(&ways[2]);
	struct addr place = here;
	unsigned failed = 0;

	(void)state;
	e->client_conf.session_cache_size = 0; /* as many as there are */
	assert_false(call(e, &here));
	/* Enough for the table to be made larger, and each without its first, second ... piece. */
	for (unsigned port = 2; port < 1000; port++)
		for (long k = 0;; k++) {
			SSL *ssl = SSL_new(e->client->ctx);
			bool all;

			place.in.sin_port = (in_port_t)port;
			fail_at = k;
			resume_offer(e->cache, ssl, e->client, &place);
			all = fail_at >= 0;
			fail_at = -1;
			SSL_free(ssl);
			if (all)
				break;
			failed++;
		}
	assert_true(failed > 2 * 998); /* an entry and an offer each, and the table's own */
	assert_true(call(e, &here));
	/* The first entry of all makes the table. */
	for (long k = 0; k < 4; k++) {
		resume_forget(e->cache, e->client);
		fail_at = k;
		assert_false(call(e, &here));
		assert_int_equal(fail_at, -1);
	}
	ends_free(e);
}

/* A ticket that arrives after its cache, or its context's entries, are gone. */
static void
late_tickets_do_no_harm(void **state)
{
	(void)state;
	for (int freed = 0; freed < 2; freed++) {
		struct ends *e = ends_new(&ways[2]);
		SSL *client = SSL_new(e->client->ctx), *server = SSL_new(e->server->ctx);
		BIO *near, *far;
		char byte;

		resume_offer(e->cache, client, e->client, &here);
		assert_true(BIO_new_bio_pair(&near, 1 << 18, &far, 1 << 18));
		SSL_set_bio(client, near, near);
		SSL_set_bio(server, far, far);
		SSL_set_connect_state(client);
		SSL_set_accept_state(server);
		SSL_do_handshake(client);
		SSL_do_handshake(server);
		assert_int_equal(SSL_do_handshake(client), 1);
		assert_int_equal(SSL_do_handshake(server), 1);
		resume_forget(e->cache, e->client);
		if (freed) {
			resume_cache_free(e->cache);
			e->cache = NULL;
		}
		(void)SSL_read(client, &byte, 1); /* the ticket */
		SSL_free(client);
		SSL_free(server);
		if (!freed)
			assert_false(call(e, &here));
		ends_free(e);
	}
}

/* A resumed session that no cache of ours offered has no known age. */
static void
an_unknown_session_does_not_pass(void **state)
{
	struct ends *e = ends_new(&ways[2]);
	struct visit first = visit(e->server, NULL, NULL);
	SSL *client = SSL_new(e->client->ctx);
	struct kit_link link;

	(void)state;
	SSL_SESSION_set1_id_context(first.got, e->client->trust, TLS_TRUST_SIZE);
	assert_true(SSL_set_session(client, first.got));
	link = kit_connect(client, SSL_new(e->server->ctx));
	assert_true(SSL_session_reused(client));
	assert_int_equal(verify_verdict(client, e->client), VERDICT_REJECTED);
	kit_unlink(&link);
	SSL_SESSION_free(first.got);
	ends_free(e);
}

static int
set_up(void **state)
{
	struct pki_pair second;

	(void)state;
	log_main.level = LOG_EMERG;
	root_a = kit_good(PKI_CA, "root a", NULL);
	root_b = kit_good(PKI_CA, "root b", NULL);
	server_pair = kit_good(PKI_SERVER, "server", &root_a);
	client_a = kit_good(PKI_CLIENT, "client a", &root_a);
	client_b = kit_good(PKI_CLIENT, "client b", &root_b);
	second = kit_good(PKI_SERVER, "server", &root_a);
	kit_put_pairs(&files, "root_a.pem", false, &root_a, NULL);
	kit_put_pairs(&files, "root_b.pem", false, &root_b, NULL);
	kit_put_pairs(&files, "client_a.pem", false, &client_a, NULL);
	kit_put_pairs(&files, "server.pem", true, &server_pair, NULL);
	kit_put_pairs(&files, "server2.pem", true, &second, NULL);
	kit_put_crl(&files, "crl.pem", &root_a, NULL);
	pki_pair_done(&second);
	return tls_library_start() ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	pki_pair_done(&root_a);
	pki_pair_done(&root_b);
	pki_pair_done(&server_pair);
	pki_pair_done(&client_a);
	pki_pair_done(&client_b);
	kit_files_done(&files);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_session_crosses_a_threshold),
		cmocka_unit_test(a_reload_keeps_sessions_only_if_trust_stayed),
		cmocka_unit_test(renewing_does_not_prolong_life),
		cmocka_unit_test(a_session_ends_with_its_certificate),
		cmocka_unit_test(keys_rotate),
		cmocka_unit_test(nothing_is_kept_when_resumption_is_off),
		cmocka_unit_test(the_client_resumes_by_context_and_address),
		cmocka_unit_test(the_client_offers_nothing_old),
		cmocka_unit_test(the_client_cache_is_bounded),
		cmocka_unit_test(without_memory_it_works_without_resumption),
		cmocka_unit_test(late_tickets_do_no_harm),
		cmocka_unit_test(an_unknown_session_does_not_pass),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
