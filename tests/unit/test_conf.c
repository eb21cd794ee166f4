/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_conf.c -- the TLS options: what each line makes of the record, and what is
 * refused. */
#include "tls/conf.h"

#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

static struct arena *arena;
static struct option_ctx ctx;
static struct tls_conf conf;

static int
setup(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof(conf));
	if ((arena = arena_new()) == NULL)
		return -1;
	ctx = (struct option_ctx){ .arena = arena };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const struct option *
find(const char *name)
{
	for (const struct option *o = tls_options; o->name != NULL; o++)
		if (strcasecmp(o->name, name) == 0 ||
		    (o->alias != NULL && strcasecmp(o->alias, name) == 0))
			return o;
	fail_msg("there is no option %s", name);
	return NULL;
}

/* As a line of a file would: false with ctx.why set. */
static bool
line(const char *name, const char *value)
{
	const struct option *o = find(name);

	ctx.why[0] = '\0';
	return o->parse(&ctx, o, (char *)&conf + o->offset, value);
}

static void
must(const char *name, const char *value)
{
	if (!line(name, value))
		fail_msg("%s = %s: %s", name, value, ctx.why);
}

static void
every_option_is_whole(void **state)
{
	(void)state;
	for (const struct option *o = tls_options; o->name != NULL; o++) {
		if (o->parse == NULL || o->doc == NULL || o->arg == NULL ||
		    o->scope != OPTION_SERVICE)
			fail_msg("%s lacks a parser, a text, a value's name or a scope", o->name);
		if (o->def != NULL)
			must(o->name, o->def);
		for (const struct option *p = o + 1; p->name != NULL; p++)
			if (strcasecmp(o->name, p->name) == 0)
				fail_msg("%s is there twice", o->name);
	}
}

static void
defaults(void **state)
{
	(void)state;
	for (const struct option *o = tls_options; o->name != NULL; o++)
		if (o->def != NULL)
			must(o->name, o->def);
	assert_int_equal(
	    conf.version_min, 0); /* TLS 1.2, unless sslVersionMax is lower: context.c */
	assert_int_equal(conf.version_max, 0);
	assert_true((conf.options_set & SSL_OP_NO_SSLv3) != 0);
	assert_true(conf.options_clear == 0);
	assert_true(conf.session_resume);
	assert_int_equal(conf.session_cache_size, 1000);
	assert_int_equal(conf.session_timeout_ms, 300 * 1000);
	assert_int_equal(conf.ticket_rotation_ms, 43200 * 1000);
	assert_false(conf.strict_permissions);
	assert_string_equal(conf.curves, "X25519:P-256:X448:P-521:P-384");
	assert_false(conf.verify.request);
	assert_null(conf.sni);
}

static void
verification_follows_the_order_of_the_file(void **state)
{
	static const struct {
		const char *name[3], *value[3];
		struct tls_verify want; /* request, require, chain, peer */
	} cases[] = {
		{ { NULL }, { NULL }, { false, false, false, false } },
		{ { "verify" }, { "0" }, { true, false, false, false } },
		{ { "verify" }, { "1" }, { true, false, true, false } },
		{ { "verify" }, { "2" }, { true, true, true, false } },
		{ { "verify" }, { "3" }, { true, true, true, true } },
		{ { "verify" }, { "4" }, { true, true, false, true } },
		{ { "verifyChain" }, { "yes" }, { true, true, true, false } },
		{ { "verifyChain" }, { "no" }, { false, false, false, false } },
		{ { "verifyPeer" }, { "yes" }, { true, true, false, true } },
		{ { "verifyPeer" }, { "no" }, { false, false, false, false } },
		{ { "requireCert" }, { "yes" }, { true, true, false, false } },
		{ { "requireCert" }, { "no" }, { false, false, false, false } },
		{ { "verifyChain", "verifyPeer" }, { "yes", "yes" }, { true, true, true, true } },
		/* Clients without a certificate pass in the first of these, and not in the second.
		 */
		{ { "verifyChain", "requireCert" }, { "yes", "no" }, { true, false, true, false } },
		{ { "requireCert", "verifyChain" }, { "no", "yes" }, { true, true, true, false } },
		{ { "verifyChain", "verifyChain" }, { "yes", "no" }, { true, true, false, false } },
		{ { "verify", "verifyPeer" }, { "3", "no" }, { true, true, true, false } },
		{ { "verify", "verifyChain" }, { "4", "yes" }, { true, true, true, true } },
		{ { "verify", "requireCert" }, { "1", "yes" }, { true, true, true, false } },
		{ { "verifyPeer", "verify" }, { "yes", "0" }, { true, false, false, false } },
		{ { "verifyPeer", "requireCert", "verifyPeer" }, { "yes", "no", "no" },
		    { true, false, false, false } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct tls_verify *w = &cases[i].want, *v = &conf.verify;

		memset(&conf, 0, sizeof(conf));
		for (size_t k = 0; k < 3 && cases[i].name[k] != NULL; k++)
			must(cases[i].name[k], cases[i].value[k]);
		if (v->request != w->request || v->require != w->require || v->chain != w->chain ||
		    v->peer != w->peer)
			fail_msg("case %zu: request %d, require %d, chain %d, peer %d", i,
			    v->request, v->require, v->chain, v->peer);
	}
}

static void
versions_follow_the_order_of_the_file(void **state)
{
	(void)state;
	must("sslVersion", "TLSv1.1");
	assert_int_equal(conf.version_min, TLS1_1_VERSION);
	assert_int_equal(conf.version_max, TLS1_1_VERSION);
	must("sslVersionMax", "tlsv1.3");
	assert_int_equal(conf.version_min, TLS1_1_VERSION);
	assert_int_equal(conf.version_max, TLS1_3_VERSION);
	must("sslVersion", "all");
	assert_int_equal(conf.version_min, 0);
	assert_int_equal(conf.version_max, 0);
	must("sslVersionMin", "TLSv1");
	assert_int_equal(conf.version_min, TLS1_VERSION);
	must("sslVersionMin", "SSLv3");
	assert_int_equal(conf.version_min, SSL3_VERSION);
}

static void
options_set_and_clear_bits(void **state)
{
	(void)state;
	must("options", "NO_TICKET");
	must("options", "no_renegotiation");
	must("options", "-NO_SSLv3");
	must("options",
	    "NO_SSLv2"); /* a name that still stands in old files, and means nothing now */
	assert_true(conf.options_set == (SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION));
	assert_true(conf.options_clear == SSL_OP_NO_SSLv3);
}

static void
lists_grow_and_texts_are_replaced(void **state)
{
	(void)state;
	must("checkHost", "a.test");
	must("checkHost", "b.test");
	assert_int_equal(conf.check_host.n, 2);
	assert_string_equal(conf.check_host.v[1], "b.test");
	must("checkIP", "192.0.2.1");
	must("checkIP", "2001:db8::1");
	assert_int_equal(conf.check_ip.n, 2);
	must("CAfile", "one.pem");
	must("CAfile", "two.pem");
	assert_string_equal(conf.ca_file, "two.pem");
	must("CAfile", "");
	assert_null(conf.ca_file);
}

static void
sni_may_be_empty_and_that_is_not_unset(void **state)
{
	(void)state;
	must("sni", "host.test");
	assert_string_equal(conf.sni, "host.test");
	must("sni", "");
	assert_string_equal(conf.sni, "");
}

static void
a_colon_makes_it_a_pattern_and_patterns_add_up(void **state)
{
	(void)state;
	must("sni", "my section:host.test");
	must("sni", "primary:*.test");
	must("sni", "primary:*");
	assert_null(conf.sni);
	assert_int_equal(conf.hosts.n, 3);
	assert_string_equal(conf.hosts.v[0], "my section:host.test");
	assert_string_equal(conf.hosts.v[2], "primary:*");
	must("sni", "");
	assert_int_equal(conf.hosts.n, 0);
}

static void
numbers_and_aliases(void **state)
{
	(void)state;
	must("securityLevel", "0");
	must("securityLevel", "5");
	assert_int_equal(conf.security_level, 5);
	must("session", "60");
	assert_int_equal(conf.session_timeout_ms, 60000);
	must("curve", "P-256");
	assert_string_equal(conf.curves, "P-256");
	must("sessionCacheSize", "0");
	assert_int_equal(conf.session_cache_size, 0);
	must("ticketRotation", "1");
	assert_int_equal(conf.ticket_rotation_ms, 1000);
	must("strictPermissions", "yes");
	assert_true(conf.strict_permissions);
}

static void
secrets_are_hexadecimal(void **state)
{
	(void)state;
	must("ticketKeySecret", "000102030405060708090A0b0c0d0e0f");
	assert_int_equal(conf.ticket_key.size, 16);
	assert_int_equal(conf.ticket_key.bytes[0], 0);
	assert_int_equal(conf.ticket_key.bytes[11], 11);
	must("ticketMacSecret", "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:"
				"00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:ff");
	assert_int_equal(conf.ticket_mac.size, 32);
	assert_int_equal(conf.ticket_mac.bytes[31], 255);
}

static void
bad_values_say_what_to_write(void **state)
{
	static const struct {
		const char *name, *value, *why;
	} cases[] = {
		{ "verify", "5", "0, 1, 2, 3 or 4" },
		{ "verify", "-1", "0, 1, 2, 3 or 4" },
		{ "verify", "", "0, 1, 2, 3 or 4" },
		{ "verifyChain", "1", "yes or no" },
		{ "requireCert", "maybe", "yes or no" },
		{ "sslVersion", "TLSv1.4", "TLSv1.3" },
		{ "sslVersion", "SSLv2", "SSLv3" },
		{ "sslVersionMin", "TLS1.2", "TLSv1.2" },
		{ "options", "NO_TICKETS", "write NO_TICKET" },
		{ "options", "--NO_TICKET", "write NO_TICKET" },
		{ "options", "HORSE_BATTERY", "-options" },
		{ "options", "", "-options" },
		{ "checkIP", "192.0.2.256", "not an IP address" },
		{ "checkIP", "host.test", "not an IP address" },
		{ "checkIP", "", "not an IP address" },
		{ "checkHost", "", "write one" },
		{ "checkEmail", "", "write one" },
		{ "sni", "primary:", "Invalid SNI parameter format" },
		{ "sni", ":host.test", "Invalid SNI parameter format" },
		{ "sni", "primary:.", "Invalid SNI parameter format" },
		{ "sni", "primary:*.", "Invalid SNI parameter format" },
		{ "sni", "primary:two words", "no blank" },
		{ "sni", "primary:h\xc3\xb6st", "xn--" },
		{ "sni", "two words", "no blank" },
		{ "sni", "h\xc3\xb6st", "xn--" },
		{ "securityLevel", "6", "0 to 5" },
		{ "securityLevel", "-1", "0 to 5" },
		{ "sessionCacheSize", "-1", "number" },
		{ "sessionCacheTimeout", "0", "from 1" },
		{ "sessionCacheTimeout", "99999999999999", "number" },
		{ "ticketRotation", "0", "from 1" },
		{ "sessionResume", "on", "yes or no" },
		{ "ticketKeySecret", "0011", "2 bytes instead of required 16 or 32" },
		{ "ticketKeySecret", "0", "16 or 32 byte hexadecimal key" },
		{ "ticketMacSecret", "sesame", "16 or 32 byte hexadecimal key" },
		{ "config", "", "write one" },
		{ "config", "Certificate:x.pem", "write cert = FILE" },
		{ "config", "verifymode:none", "write verifyChain" },
		{ "renegotiation", "1", "yes or no" },
		{ "sessiond", "/run/cache", "HOST:PORT" },
		{ "sessiond", "localhost:0", "HOST:PORT" },
		{ "engineNum", "0", "from 1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct tls_conf before = conf;

		if (line(cases[i].name, cases[i].value))
			fail_msg("%s = %s was accepted", cases[i].name, cases[i].value);
		if (strstr(ctx.why, cases[i].why) == NULL)
			fail_msg(
			    "%s = %s: the message is: %s", cases[i].name, cases[i].value, ctx.why);
		assert_memory_equal(&before, &conf, sizeof(conf));
	}
}

static void
a_name_has_at_most_255_bytes(void **state)
{
	char name[257];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[256] = '\0';
	assert_false(line("sni", name));
	assert_non_null(strstr(ctx.why, "256 bytes"));
	must("sni", name + 1);
	memcpy(name, "p:*", 3);
	assert_int_equal(strlen(name + 3), 253);
	must("sni", name);
}

static void
ocsp_is_read(void **state)
{
	(void)state;
	must("OCSP", "http://ocsp.test/path");
	assert_string_equal(conf.ocsp.url, "http://ocsp.test/path");
	assert_false(line("OCSP", "https://ocsp.test/"));
	assert_non_null(strstr(ctx.why, "http only"));
	must("OCSP", "");
	assert_null(conf.ocsp.url);
	must("OCSPflag", "NOCHAIN");
	must("OCSPflag", "nointern");
	assert_int_equal(conf.ocsp.flags, OCSP_NOCHAIN | OCSP_NOINTERN);
	assert_false(line("OCSPflag", "NOSUCH"));
	must("TIMEOUTocsp", "3");
	assert_int_equal(conf.ocsp.timeout_ms, 3000);
}

static void
note_op(void *arg, const char *name)
{
	unsigned *seen = arg;

	*seen += strcmp(name, "NO_TICKET") == 0 || strcmp(name, "ALL") == 0;
}

static void
the_names_of_options_can_be_listed(void **state)
{
	unsigned seen = 0;

	(void)state;
	tls_each_op(note_op, &seen);
	assert_int_equal(seen, 2);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(every_option_is_whole),
		CASE(defaults),
		CASE(verification_follows_the_order_of_the_file),
		CASE(versions_follow_the_order_of_the_file),
		CASE(options_set_and_clear_bits),
		CASE(lists_grow_and_texts_are_replaced),
		CASE(sni_may_be_empty_and_that_is_not_unset),
		CASE(a_colon_makes_it_a_pattern_and_patterns_add_up),
		CASE(numbers_and_aliases),
		CASE(secrets_are_hexadecimal),
		CASE(bad_values_say_what_to_write),
		CASE(a_name_has_at_most_255_bytes),
		CASE(ocsp_is_read),
		CASE(the_names_of_options_can_be_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
