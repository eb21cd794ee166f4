/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_ppp.c -- whole links: two ends that agree, fail, fall silent, and end. */
#include "ppp_kit.h"

#include "base/check.h"
#include "ppp/fsm.h"

#include <stdlib.h>

enum { SERVER, CLIENT };

/* ---- a TLS machine for EAP that has nothing of TLS but the size of its messages ---- */

/* What each side says; each byte is its place, and is checked for it. */
static const size_t client_says[] = { 300, 3000 }, server_says[] = { 5000, 1 };

struct fake_tls {
	bool server;
	unsigned said, heard; /* messages */
	size_t in;	      /* bytes of the one that comes */
	size_t out, total;    /* bytes that are left of the one that goes, and all of it */
};

struct fake_conf {
	unsigned living; /* machines that have not ended */
	bool no_memory;
	unsigned fail_at; /* the server has heard so many; 0: it does not fail */
	size_t limit;	  /* bytes that are taken in one turn */
};

static struct fake_conf fake;

static void *
fake_begin(void *arg, bool server)
{
	struct fake_tls *tls = fake.no_memory ? NULL : calloc(1, sizeof(*tls));

	assert_ptr_equal(arg, &fake);
	if (tls != NULL) {
		tls->server = server;
		fake.living++;
	}
	return tls;
}

static bool
fake_put(void *tls, const uint8_t *bytes, size_t n)
{
	struct fake_tls *t = tls;

	for (size_t i = 0; i < n; i++)
		if (bytes[i] != (uint8_t)(t->in + i))
			return false;
	t->in += n;
	return t->in <= fake.limit;
}

static void
fake_say(struct fake_tls *t, size_t n)
{
	t->out = t->total = n;
	t->said++;
}

static enum ppp_tls_state
fake_step(void *tls)
{
	struct fake_tls *t = tls;
	const size_t *says = t->server ? server_says : client_says;

	if (t->server || t->said > 0) {
		const size_t *hears = t->server ? client_says : server_says;

		if (t->heard >= 2 || t->in != hears[t->heard])
			return PPP_TLS_FAILED;
		t->heard++;
		t->in = 0;
	}
	if (t->server && t->heard == fake.fail_at) {
		fake_say(t, 7); /* an alert */
		return PPP_TLS_FAILED;
	}
	if (t->said < 2)
		fake_say(t, says[t->said]);
	return t->heard == 2 ? PPP_TLS_DONE : PPP_TLS_MORE;
}

static size_t
fake_left(void *tls)
{
	return ((struct fake_tls *)tls)->out;
}

static size_t
fake_take(void *tls, uint8_t *out, size_t n)
{
	struct fake_tls *t = tls;

	if (n > t->out)
		n = t->out;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(t->total - t->out + i);
	t->out -= n;
	return n;
}

static bool
fake_key(void *tls, uint8_t out[PPP_KEY])
{
	(void)tls;
	memset(out, 0x5a, PPP_KEY);
	return true;
}

static bool
fake_name(void *tls, char *out, size_t size)
{
	(void)tls;
	(void)snprintf(out, size, "certified");
	return true;
}

static void
fake_end(void *tls)
{
	free(tls);
	fake.living--;
}

static const struct ppp_tls fake_tls = { fake_begin, fake_put, fake_step, fake_left, fake_take,
	fake_key, fake_name, fake_end };

/* ---- ends ---- */

static struct ppp_conf
server_with(enum ppp_method method)
{
	fake = (struct fake_conf){ .limit = 5000 };
	return (struct ppp_conf){ .server = true,
		.methods = { method },
		.method_count = 1,
		.tls = &fake_tls,
		.tls_arg = &fake };
}

static struct ppp_conf
client_with(enum ppp_method method, const char *password)
{
	return (struct ppp_conf){ .methods = { method },
		.method_count = 1,
		.user = "user",
		.password = password,
		.tls = &fake_tls,
		.tls_arg = &fake };
}

static const enum ppp_method methods[] = { PPP_PAP, PPP_CHAP_MD5, PPP_MSCHAPV2, PPP_EAP_MSCHAPV2,
	PPP_EAP_TLS };

static bool
both_up(const struct wire *k)
{
	return ppp_is_up(k->end[SERVER].ppp, PPP_IPV4) && ppp_is_up(k->end[CLIENT].ppp, PPP_IPV4);
}

static void
both_know(const struct wire *k, enum ppp_method method)
{
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(k->end[i].logins, 1);
		assert_int_equal(k->end[i].method, method);
		assert_int_equal(k->end[i].ups[PPP_IPV4], 1);
		assert_int_equal(k->end[i].ups[PPP_IPV6], 1);
		assert_int_equal(k->end[i].downs, 0);
	}
	assert_memory_equal(k->end[SERVER].key, k->end[CLIENT].key, PPP_KEY);
}

/* ---- agreement ---- */

static void
every_method_agrees_at_once(void **state)
{
	static const uint8_t zero[PPP_KEY];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		struct ppp_conf server = server_with(methods[i]);
		struct ppp_conf client = client_with(methods[i], "secret");
		bool keyless = methods[i] == PPP_PAP || methods[i] == PPP_CHAP_MD5;
		struct wire k;

		wire_open(&k, &server, &client);
		wire_start(&k);
		/* Not a timer is needed. */
		assert_true(wire_settle(&k));
		both_know(&k, methods[i]);
		assert_string_equal(
		    k.end[SERVER].user, methods[i] == PPP_EAP_TLS ? "certified" : "user");
		assert_int_equal(memcmp(k.end[SERVER].key, zero, PPP_KEY) == 0, keyless);
		assert_int_equal(ppp_counts(k.end[SERVER].ppp)->dropped, 0);
		assert_int_equal(ppp_counts(k.end[CLIENT].ppp)->dropped, 0);
		wire_close(&k);
		assert_int_equal(fake.living, 0);
	}
}

static void
both_ends_know_the_same_network(void **state)
{
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	wire_start(&k);
	assert_true(wire_settle(&k));
	assert_int_equal(k.end[CLIENT].net.local.s_addr, wire_ip("10.66.0.2").s_addr);
	assert_int_equal(k.end[CLIENT].net.peer.s_addr, wire_ip("10.66.0.1").s_addr);
	assert_int_equal(k.end[CLIENT].net.dns[0].s_addr, wire_ip("10.66.0.53").s_addr);
	assert_int_equal(k.end[CLIENT].net.dns[1].s_addr, 0);
	assert_memory_equal(k.end[CLIENT].net.local_id, k.end[SERVER].net.peer_id, 8);
	assert_memory_equal(k.end[SERVER].net.local_id, k.end[CLIENT].net.peer_id, 8);
	assert_memory_not_equal(k.end[SERVER].net.local_id, k.end[CLIENT].net.local_id, 8);
	assert_true(k.end[SERVER].sent <= 10 && k.end[CLIENT].sent <= 10);
	wire_close(&k);
}

/* What the client has said meanwhile is not said again: no timer stands in the way. */
static void
the_network_may_be_known_late(void **state)
{
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	k.end[SERVER].opens_late = true;
	wire_start(&k);
	(void)wire_settle(&k);
	assert_int_equal(k.end[SERVER].ups[PPP_IPV4], 0);
	ppp_open_network(k.end[SERVER].ppp, &k.end[SERVER].wish, k.now);
	assert_true(wire_settle(&k));
	assert_int_equal(k.end[SERVER].ups[PPP_IPV4] + k.end[SERVER].ups[PPP_IPV6], 2);
	assert_int_equal(k.end[CLIENT].ups[PPP_IPV4] + k.end[CLIENT].ups[PPP_IPV6], 2);
	assert_int_equal(k.end[CLIENT].net.local.s_addr, wire_ip("10.66.0.2").s_addr);
	wire_close(&k);
}

static void
an_identifier_may_be_given(void **state)
{
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	memcpy(k.end[SERVER].wish.local_id, "\0\0\0\0\0\0\0\1", 8);
	memcpy(k.end[SERVER].wish.peer_id, "\0\0\0\0\0\0\0\2", 8);
	wire_start(&k);
	assert_true(wire_settle(&k));
	assert_memory_equal(k.end[CLIENT].net.local_id, "\0\0\0\0\0\0\0\2", 8);
	assert_memory_equal(k.end[CLIENT].net.peer_id, "\0\0\0\0\0\0\0\1", 8);
	wire_close(&k);
}

static void
one_family_will_do(void **state)
{
	(void)state;
	for (size_t who = 0; who < 2; who++)
		for (enum ppp_family f = PPP_IPV4; f < PPP_FAMILIES; f++) {
			struct wire k;

			wire_open(&k, &wire_server_conf, &wire_client_conf);
			k.end[who].wish.family[f] = false;
			wire_start(&k);
			wire_pass(&k, 60000);
			for (size_t i = 0; i < 2; i++) {
				assert_int_equal(k.end[i].ups[f], 0);
				assert_int_equal(k.end[i].ups[1 - f], 1);
				assert_int_equal(k.end[i].downs, 0);
			}
			wire_close(&k);
		}
}

static void
no_family_in_common_is_an_end(void **state)
{
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	k.end[SERVER].wish.family[PPP_IPV4] = false;
	k.end[CLIENT].wish.family[PPP_IPV6] = false;
	wire_start(&k);
	wire_pass(&k, 60000);
	assert_int_equal(k.end[SERVER].downs, 1);
	assert_int_equal(k.end[CLIENT].downs, 1);
	assert_int_equal(k.end[SERVER].ups[PPP_IPV6] + k.end[CLIENT].ups[PPP_IPV4], 0);
	wire_close(&k);
}

/* Every list of two methods at the server beside every method of a client. */
static void
methods_are_found_whatever_the_order(void **state)
{
	(void)state;
	for (size_t a = 0; a < COUNT_OF(methods); a++)
		for (size_t b = 0; b < COUNT_OF(methods); b++)
			for (size_t c = 0; c < COUNT_OF(methods); c++) {
				struct ppp_conf server = server_with(methods[a]);
				struct ppp_conf client = client_with(methods[c], "secret");
				struct wire k;

				server.methods[server.method_count++] = methods[b];
				wire_open(&k, &server, &client);
				wire_start(&k);
				wire_pass(&k, 2500);
				if (c == a || c == b)
					both_know(&k, methods[c]);
				else {
					assert_int_equal(k.end[SERVER].why, PPP_END_NO_METHOD);
					assert_int_equal(k.end[SERVER].downs, 1);
					assert_int_equal(k.end[CLIENT].downs, 1);
					assert_int_equal(k.end[CLIENT].logins, 0);
				}
				wire_close(&k);
			}
}

static void
nobody_is_asked_where_nobody_is_to_be(void **state)
{
	const struct ppp_conf server = { .server = true };
	struct wire k;

	(void)state;
	wire_open(&k, &server, &wire_client_conf);
	wire_start(&k);
	assert_true(wire_settle(&k));
	both_know(&k, PPP_NO_AUTH);
	assert_int_equal(k.end[SERVER].asked, 0);
	wire_close(&k);
}

/* ---- refusals ---- */

static void
a_wrong_password_ends_both(void **state)
{
	char words[2][PPP_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(methods) - 1; i++)
		for (size_t unknown = 0; unknown < 2; unknown++) {
			struct ppp_conf server = server_with(methods[i]);
			struct ppp_conf client = client_with(methods[i], "Secret");
			struct wire k;

			wire_open(&k, &server, &client);
			if (unknown)
				k.password = NULL;
			wire_start(&k);
			wire_pass(&k, 2500);
			for (size_t e = 0; e < 2; e++) {
				assert_int_equal(k.end[e].downs, 1);
				assert_int_equal(k.end[e].why, PPP_END_REFUSED);
				assert_int_equal(k.end[e].logins, 0);
			}
			/* The challenge in a Failure differs; nothing else may. */
			(void)snprintf(
			    words[unknown], sizeof(words[0]), "%s", k.end[CLIENT].detail);
			if (strncmp(words[unknown], "E=", 2) == 0)
				memset(strstr(words[unknown], "C=") + 2, 'x', 32);
			assert_true(words[unknown][0] != '\0');
			wire_close(&k);
			if (unknown)
				assert_string_equal(words[0], words[1]);
		}
}

static void
tls_that_fails_ends_both(void **state)
{
	(void)state;
	for (unsigned at = 1; at <= 2; at++) {
		struct ppp_conf server = server_with(PPP_EAP_TLS);
		struct ppp_conf client = client_with(PPP_EAP_TLS, NULL);
		struct wire k;

		wire_open(&k, &server, &client);
		fake.fail_at = at;
		wire_start(&k);
		wire_pass(&k, 2500);
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(k.end[i].downs, 1);
			assert_int_equal(k.end[i].why, PPP_END_TLS);
			assert_int_equal(k.end[i].logins, 0);
		}
		wire_close(&k);
		assert_int_equal(fake.living, 0);
	}
}

static void
tls_takes_no_more_than_it_takes(void **state)
{
	struct ppp_conf server = server_with(PPP_EAP_TLS);
	struct ppp_conf client = client_with(PPP_EAP_TLS, NULL);
	struct wire k;

	(void)state;
	wire_open(&k, &server, &client);
	fake.limit = 2999;
	wire_start(&k);
	wire_pass(&k, 2500);
	assert_int_equal(k.end[SERVER].downs + k.end[CLIENT].downs, 2);
	assert_int_equal(k.end[SERVER].logins + k.end[CLIENT].logins, 0);
	wire_close(&k);

	wire_open(&k, &server, &client);
	fake = (struct fake_conf){ .no_memory = true };
	wire_start(&k);
	wire_pass(&k, 2500);
	assert_int_equal(k.end[SERVER].why, PPP_END_FAULT);
	wire_close(&k);
}

/* What the certificate names need not be somebody. */
static void
a_certificate_of_nobody_is_refused(void **state)
{
	struct ppp_conf server = server_with(PPP_EAP_TLS);
	struct ppp_conf client = client_with(PPP_EAP_TLS, NULL);
	struct wire k;

	(void)state;
	wire_open(&k, &server, &client);
	k.password = NULL;
	wire_start(&k);
	wire_pass(&k, 2500);
	assert_int_equal(k.end[SERVER].why, PPP_END_REFUSED);
	assert_int_equal(k.end[CLIENT].why, PPP_END_REFUSED);
	wire_close(&k);
}

/* ---- verdicts that take their time ---- */

static void
a_verdict_may_come_late(void **state)
{
	struct ppp_verdict verdict = { .answer = PPP_GRANTED };
	struct wire k;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(methods) - 1; i++) {
		struct ppp_conf server = server_with(methods[i]);
		struct ppp_conf client = client_with(methods[i], "secret");
		struct ppp_secret secret = { .clear = "secret" };

		(void)secret;
		wire_open(&k, &server, &client);
		k.keep_question = true;
		wire_start(&k);
		/* The client asks again and again; that is one question. */
		wire_pass(&k, 10000);
		assert_int_equal(k.end[SERVER].asked, 1);
		assert_false(ppp_auth_verdict(k.end[SERVER].ppp, k.question + 1, &verdict, k.now));
		if (methods[i] == PPP_PAP || methods[i] == PPP_CHAP_MD5) {
			assert_true(
			    ppp_auth_verdict(k.end[SERVER].ppp, k.question, &verdict, k.now));
			assert_true(wire_settle(&k));
			both_know(&k, methods[i]);
		}
		wire_close(&k);
	}
}

static void
a_verdict_that_never_comes_is_an_end(void **state)
{
	struct ppp_verdict verdict = { .answer = PPP_GRANTED };
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	k.keep_question = true;
	wire_start(&k);
	wire_pass(&k, 29000);
	assert_int_equal(k.end[SERVER].downs, 0);
	wire_pass(&k, 4000);
	assert_int_equal(k.end[SERVER].downs, 1);
	assert_int_equal(k.end[SERVER].why, PPP_END_NO_ANSWER);
	assert_int_equal(k.end[CLIENT].downs, 1);
	assert_false(ppp_auth_verdict(k.end[SERVER].ppp, k.question, &verdict, k.now));
	assert_int_equal(k.end[SERVER].logins, 0);
	wire_close(&k);
}

/* A granted verdict without the proof that MS-CHAPv2 needs lets no client in. */
static void
a_verdict_without_a_proof_convinces_nobody(void **state)
{
	struct ppp_verdict verdict = { .answer = PPP_GRANTED };
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	k.keep_question = true;
	wire_start(&k);
	assert_true(wire_settle(&k));
	assert_true(ppp_auth_verdict(k.end[SERVER].ppp, k.question, &verdict, k.now));
	wire_pass(&k, 2500);
	assert_int_equal(k.end[CLIENT].why, PPP_END_IMPOSTOR);
	assert_int_equal(k.end[CLIENT].logins, 0);
	wire_close(&k);
}

/* ---- a wire that is none ---- */

/* TLS loses nothing; whatever comes, a link must agree or end, and then stay so. */
static void
a_bad_wire_ends_in_agreement_or_an_end(void **state)
{
	unsigned agreed = 0, ended = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(methods); i++)
		for (uint32_t seed = 1; seed <= 60; seed++) {
			struct ppp_conf server = server_with(methods[i]);
			struct ppp_conf client = client_with(methods[i], "secret");
			struct wire k;

			wire_open(&k, &server, &client);
			k.seed = seed * 7919;
			k.loss = seed % 4 * 20;
			k.doubles = seed % 3 * 30;
			k.swaps = seed % 5 * 20;
			wire_start(&k);
			wire_pass(&k, 120000);
			k.loss = k.doubles = k.swaps = 0;
			wire_pass(&k, 200000);
			if (both_up(&k))
				agreed++;
			else {
				assert_int_equal(k.end[SERVER].downs, 1);
				assert_int_equal(k.end[CLIENT].downs, 1);
				ended++;
			}
			assert_true(k.end[SERVER].sent < 1000 && k.end[CLIENT].sent < 1000);
			if (k.end[CLIENT].logins > 0 && k.end[SERVER].logins > 0)
				assert_memory_equal(k.end[SERVER].key, k.end[CLIENT].key, PPP_KEY);
			wire_close(&k);
			assert_int_equal(fake.living, 0);
		}
	assert_true(agreed > 200);
	assert_true(ended < 100);
}

/* A wrong password stays wrong, whatever is lost or comes twice. */
static void
a_bad_wire_lets_nobody_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(methods) - 1; i++)
		for (uint32_t seed = 1; seed <= 30; seed++) {
			struct ppp_conf server = server_with(methods[i]);
			struct ppp_conf client = client_with(methods[i], "guess");
			struct wire k;

			wire_open(&k, &server, &client);
			k.seed = seed;
			k.loss = seed % 4 * 15;
			k.doubles = seed % 3 * 30;
			k.swaps = seed % 5 * 20;
			wire_start(&k);
			wire_pass(&k, 300000);
			for (size_t e = 0; e < 2; e++) {
				assert_int_equal(k.end[e].logins, 0);
				assert_int_equal(k.end[e].downs, 1);
			}
			wire_close(&k);
		}
}

/* ---- life ---- */

static void
silence_is_asked_about_and_ends(void **state)
{
	struct wire k;
	int64_t fell_silent;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	wire_start(&k);
	/* A day of keepalives. */
	wire_pass(&k, 24 * 3600 * 1000LL);
	assert_true(both_up(&k));
	/* One question and one answer in 20 s at most, from each. */
	assert_true(k.end[SERVER].sent + k.end[CLIENT].sent < 4 * 24 * 3600 / 20 + 50);
	assert_true(k.end[SERVER].sent + k.end[CLIENT].sent > 24 * 3600 / 20);
	ppp_free(k.end[CLIENT].ppp);
	k.end[CLIENT].ppp = NULL;
	fell_silent = k.now;
	while (k.end[SERVER].downs == 0) {
		assert_true(wire_next(&k, INT64_MAX - 1));
		k.end[SERVER].count = 0;
	}
	assert_int_equal(k.end[SERVER].why, PPP_END_NO_ECHO);
	assert_true(k.now - fell_silent > 80000 && k.now - fell_silent <= 100000);
	assert_true(ppp_deadline(k.end[SERVER].ppp) == INT64_MAX);
	wire_close(&k);
}

/* A clock that leaps (the machine slept) brings one question, not four at once and an end. */
static void
a_leap_of_the_clock_is_no_silence(void **state)
{
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	wire_start(&k);
	assert_true(wire_settle(&k));
	k.now += 3600000;
	ppp_tick(k.end[SERVER].ppp, k.now);
	ppp_tick(k.end[SERVER].ppp, k.now);
	assert_int_equal(k.end[SERVER].count, 1);
	wire_pass(&k, 100000);
	assert_true(both_up(&k));
	wire_close(&k);
}

static void
who_closes_says_why(void **state)
{
	(void)state;
	for (size_t who = 0; who < 2; who++) {
		struct wire k;

		wire_open(&k, &wire_server_conf, &wire_client_conf);
		wire_start(&k);
		assert_true(wire_settle(&k));
		ppp_close(k.end[who].ppp, PPP_END_CLOSED, "Session time is over", k.now);
		assert_false(ppp_is_up(k.end[who].ppp, PPP_IPV4));
		assert_int_equal(k.end[who].downs, 0);
		assert_true(wire_settle(&k));
		assert_int_equal(k.end[who].downs, 1);
		assert_int_equal(k.end[who].why, PPP_END_CLOSED);
		assert_int_equal(k.end[1 - who].downs, 1);
		assert_int_equal(k.end[1 - who].why, PPP_END_PEER);
		assert_string_equal(k.end[1 - who].detail, "Session time is over");
		/* What is over stays over. */
		ppp_close(k.end[who].ppp, PPP_END_REFUSED, "", k.now);
		ppp_start(k.end[who].ppp, k.now);
		wire_pass(&k, 100000);
		wire_close(&k);
	}
}

static void
a_peer_that_does_not_let_go_is_left(void **state)
{
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	wire_start(&k);
	assert_true(wire_settle(&k));
	ppp_free(k.end[CLIENT].ppp);
	k.end[CLIENT].ppp = NULL;
	ppp_close(k.end[SERVER].ppp, PPP_END_CLOSED, "", k.now);
	assert_true(ppp_deadline(k.end[SERVER].ppp) == k.now + 2000);
	wire_pass(&k, 1999);
	assert_int_equal(k.end[SERVER].downs, 0);
	wire_pass(&k, 1);
	assert_int_equal(k.end[SERVER].downs, 1);
	wire_close(&k);
}

static void
a_link_can_be_closed_at_any_time(void **state)
{
	(void)state;
	for (size_t steps = 0; steps < 24; steps++) {
		struct wire k;

		wire_open(&k, &wire_server_conf, &wire_client_conf);
		if (steps > 0)
			wire_start(&k);
		for (size_t i = 1; i < steps; i++) {
			struct wire_frame f;

			if (wire_take(&k.end[i % 2], &f))
				wire_give(&k.end[1 - i % 2], f.bytes, f.n);
		}
		ppp_close(k.end[SERVER].ppp, PPP_END_CLOSED, "", k.now);
		wire_pass(&k, 2000);
		assert_int_equal(k.end[SERVER].downs, 1);
		assert_int_equal(k.end[SERVER].why, PPP_END_CLOSED);
		wire_close(&k);
	}
}

/* ---- beginning again ---- */

/* A request of LCP in the middle takes all back, and everybody says again who he is. */
static void
lcp_again_is_a_login_again(void **state)
{
	static const uint8_t request[] = { 0xff, 0x03, 0xc0, 0x21, 1, 99, 0, 4 };
	struct wire k;

	(void)state;
	for (size_t who = 0; who < 2; who++) {
		wire_open(&k, &wire_server_conf, &wire_client_conf);
		wire_start(&k);
		assert_true(wire_settle(&k));
		assert_true(both_up(&k));
		wire_give(&k.end[who], request, sizeof(request));
		assert_false(ppp_is_up(k.end[who].ppp, PPP_IPV4));
		assert_int_equal(k.end[who].losses, 2);
		wire_pass(&k, 10000);
		assert_true(both_up(&k));
		assert_int_equal(k.end[SERVER].logins, 2);
		assert_int_equal(k.end[CLIENT].logins, 2);
		assert_int_equal(k.end[SERVER].asked, 2);
		wire_close(&k);
	}
}

/* Who is told of the loss may close the link: nothing is negotiated behind that. */
static void
close_link(void *owner, enum ppp_family family)
{
	struct wire_end *end = owner;

	(void)family;
	ppp_close(end->ppp, PPP_END_CLOSED, "", end->wire->now);
}

static void
a_loss_may_be_the_end(void **state)
{
	static const uint8_t request[] = { 0xff, 0x03, 0xc0, 0x21, 1, 99, 0, 4 };
	struct ppp_events events = wire_events;
	struct wire_frame f;
	struct wire k;

	(void)state;
	events.network_lost = close_link;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	ppp_free(k.end[SERVER].ppp);
	k.end[SERVER].ppp = ppp_new(&wire_server_conf, &events, &k.end[SERVER], &wire_log);
	assert_non_null(k.end[SERVER].ppp);
	wire_start(&k);
	assert_true(wire_settle(&k));
	assert_true(both_up(&k));
	wire_give(&k.end[SERVER], request, sizeof(request));
	assert_int_equal(k.end[SERVER].count, 1);
	assert_true(wire_take(&k.end[SERVER], &f));
	assert_int_equal(f.bytes[4], 5); /* Terminate-Request */
	wire_pass(&k, 2000);
	assert_int_equal(k.end[SERVER].why, PPP_END_CLOSED);
	wire_close(&k);
}

static void
nobody_becomes_another(void **state)
{
	static const uint8_t request[] = { 0xff, 0x03, 0xc0, 0x21, 1, 99, 0, 4 };
	struct ppp_conf server = server_with(PPP_PAP);
	struct ppp_conf client = client_with(PPP_PAP, "secret"), other = client;
	struct wire k;

	(void)state;
	wire_open(&k, &server, &client);
	wire_start(&k);
	assert_true(wire_settle(&k));
	ppp_free(k.end[CLIENT].ppp);
	other.user = "other";
	k.end[CLIENT].ppp = ppp_new(&other, &wire_events, &k.end[CLIENT], &wire_log);
	assert_non_null(k.end[CLIENT].ppp);
	k.end[CLIENT].logins = 0;
	wire_give(&k.end[SERVER], request, sizeof(request));
	ppp_start(k.end[CLIENT].ppp, k.now);
	wire_pass(&k, 10000);
	assert_int_equal(k.end[SERVER].asked, 1);
	assert_int_equal(k.end[SERVER].why, PPP_END_REFUSED);
	assert_int_equal(k.end[CLIENT].logins, 0);
	wire_close(&k);
}

static void
beginning_again_has_its_measure(void **state)
{
	static const uint8_t request[] = { 0xff, 0x03, 0xc0, 0x21, 1, 99, 0, 4 };
	struct wire k;
	unsigned again = 0;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	wire_start(&k);
	assert_true(wire_settle(&k));
	while (k.end[SERVER].downs == 0 && again++ < 100) {
		wire_give(&k.end[SERVER], request, sizeof(request));
		wire_pass(&k, 10);
	}
	assert_int_equal(k.end[SERVER].why, PPP_END_NO_AGREEMENT);
	assert_int_equal(again, FSM_UPS);
	wire_close(&k);
}

/* ---- packets ---- */

static void
packets_pass_between_the_ends(void **state)
{
	uint8_t frame[PPP_HEADER + 40] = { 0 };
	struct wire k;

	(void)state;
	wire_open(&k, &wire_server_conf, &wire_client_conf);
	wire_start(&k);
	assert_true(wire_settle(&k));
	for (enum ppp_family f = PPP_IPV4; f < PPP_FAMILIES; f++) {
		ppp_put_header(frame, f);
		assert_false(ppp_is_control(frame, sizeof(frame)));
		frame[PPP_HEADER] = f == PPP_IPV4 ? 0x45 : 0x60;
		for (size_t i = 0; i < 2; i++)
			wire_give(&k.end[i], frame, sizeof(frame));
	}
	assert_int_equal(k.end[SERVER].packets, 2);
	assert_int_equal(k.end[CLIENT].packets, 2);
	wire_close(&k);
}

static void
each_knows_what_the_other_takes(void **state)
{
	struct ppp_conf server = wire_server_conf, client = wire_client_conf;
	struct wire k;

	(void)state;
	server.mru = 1400;
	client.mru = 4091;
	wire_open(&k, &server, &client);
	assert_int_equal(ppp_peer_mru(k.end[SERVER].ppp), PPP_MRU);
	wire_start(&k);
	assert_true(wire_settle(&k));
	assert_int_equal(ppp_peer_mru(k.end[SERVER].ppp), 4091);
	assert_int_equal(ppp_peer_mru(k.end[CLIENT].ppp), 1400);
	wire_close(&k);
}

static void
ends_have_words(void **state)
{
	(void)state;
	for (enum ppp_end e = 0; e < PPP_ENDS; e++)
		assert_true(strlen(ppp_end_words(e)) > 5);
}

/* ---- chance ---- */

static bool
no_random(void *owner, void *out, size_t n)
{
	(void)owner;
	(void)out;
	(void)n;
	return false;
}

static void
without_chance_nothing_begins(void **state)
{
	struct ppp_events events = wire_events;
	struct wire k;

	(void)state;
	events.random = no_random;
	wire_open(&k, &wire_server_conf, NULL);
	ppp_free(k.end[SERVER].ppp);
	k.end[SERVER].ppp = ppp_new(&wire_server_conf, &events, &k.end[SERVER], &wire_log);
	assert_non_null(k.end[SERVER].ppp);
	wire_start(&k);
	assert_int_equal(k.end[SERVER].why, PPP_END_FAULT);
	assert_int_equal(k.end[SERVER].sent, 0);
	wire_close(&k);
}

static void
chance_is_the_system_s_by_default(void **state)
{
	struct ppp_events events = wire_events;
	struct wire_frame first, second;
	struct wire k;

	(void)state;
	events.random = NULL;
	wire_open(&k, &wire_server_conf, NULL);
	for (size_t i = 0; i < 2; i++) {
		ppp_free(k.end[SERVER].ppp);
		k.end[SERVER].ppp = ppp_new(&wire_server_conf, &events, &k.end[SERVER], &wire_log);
		assert_non_null(k.end[SERVER].ppp);
		wire_start(&k);
	}
	assert_true(wire_take(&k.end[SERVER], &first) && wire_take(&k.end[SERVER], &second));
	assert_int_equal(first.n, second.n);
	assert_memory_not_equal(first.bytes, second.bytes, first.n);
	wire_close(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_agrees_at_once),
		cmocka_unit_test(both_ends_know_the_same_network),
		cmocka_unit_test(the_network_may_be_known_late),
		cmocka_unit_test(an_identifier_may_be_given),
		cmocka_unit_test(one_family_will_do),
		cmocka_unit_test(no_family_in_common_is_an_end),
		cmocka_unit_test(methods_are_found_whatever_the_order),
		cmocka_unit_test(nobody_is_asked_where_nobody_is_to_be),
		cmocka_unit_test(a_wrong_password_ends_both),
		cmocka_unit_test(tls_that_fails_ends_both),
		cmocka_unit_test(tls_takes_no_more_than_it_takes),
		cmocka_unit_test(a_certificate_of_nobody_is_refused),
		cmocka_unit_test(a_verdict_may_come_late),
		cmocka_unit_test(a_verdict_that_never_comes_is_an_end),
		cmocka_unit_test(a_verdict_without_a_proof_convinces_nobody),
		cmocka_unit_test(a_bad_wire_ends_in_agreement_or_an_end),
		cmocka_unit_test(a_bad_wire_lets_nobody_in),
		cmocka_unit_test(silence_is_asked_about_and_ends),
		cmocka_unit_test(a_leap_of_the_clock_is_no_silence),
		cmocka_unit_test(who_closes_says_why),
		cmocka_unit_test(a_peer_that_does_not_let_go_is_left),
		cmocka_unit_test(a_link_can_be_closed_at_any_time),
		cmocka_unit_test(lcp_again_is_a_login_again),
		cmocka_unit_test(a_loss_may_be_the_end),
		cmocka_unit_test(nobody_becomes_another),
		cmocka_unit_test(beginning_again_has_its_measure),
		cmocka_unit_test(packets_pass_between_the_ends),
		cmocka_unit_test(each_knows_what_the_other_takes),
		cmocka_unit_test(ends_have_words),
		cmocka_unit_test(without_chance_nothing_begins),
		cmocka_unit_test(chance_is_the_system_s_by_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
