/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_pki.c -- the demonstration's certificates work on both sides, and nobody reads
 * the keys. */
#include "tls_kit.h"

#include <openssl/x509v3.h>
#include <unistd.h>

static const char *const names[] = { "ca.pem", "server.pem", "client.pem" };

static void
the_demo_shakes_hands(void **state)
{
	char dir[] = "/tmp/ginnel-pki-XXXXXX", path[3][64], why[256];
	struct files *files = files_system_new();
	struct kit_sink sink = { .sink = { .say = kit_say } };
	struct tls_conf server = kit_conf(), client = kit_conf();
	const char *host = "localhost", *ip = "127.0.0.1";
	struct tls_context *s, *c;
	struct kit_link link;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (int again = 0; again < 2; again++) /* a second time over the first */
		assert_true(pki_demo_write(dir, why, sizeof(why)));
	for (int i = 0; i < 3; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%s", dir, names[i]);
		assert_int_equal(stat(path[i], &st), 0);
		assert_int_equal(st.st_mode & 0777 & (i == 0 ? 0600 : 0777), 0600);
	}
	server.ca_file = client.ca_file = path[0];
	server.verify = client.verify = kit_verify[2];
	server.cert = path[1];
	client.cert = path[2];
	client.check_host = (struct strv){ &host, 1 };
	s = tls_context_new(&server, TLS_SERVER, "s", NULL, NULL, files, &sink.sink);
	c = tls_context_new(&client, TLS_CLIENT, "c", NULL, NULL, files, &sink.sink);
	assert_string_equal(sink.said, "");
	link = kit_connect(SSL_new(c->ctx), SSL_new(s->ctx));
	assert_int_equal(verify_verdict(link.client, c), VERDICT_PASS);
	assert_int_equal(verify_verdict(link.server, s), VERDICT_PASS);
	assert_int_equal(X509_check_ip_asc(SSL_get0_peer_certificate(link.client), ip, 0), 1);
	kit_unlink(&link);
	tls_context_free(s);
	tls_context_free(c);
	files_system_free(files);
	for (int i = 0; i < 3; i++)
		unlink(path[i]);
	rmdir(dir);
}

static void
a_missing_directory_is_named(void **state)
{
	char why[256];

	(void)state;
	assert_false(pki_demo_write("/nonexistent/dir", why, sizeof(why)));
	assert_string_equal(why, "cannot write /nonexistent/dir/ca.pem: No such file or directory");
}

static int
set_up(void **state)
{
	(void)state;
	log_main.level = LOG_EMERG;
	return tls_library_start() ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_demo_shakes_hands),
		cmocka_unit_test(a_missing_directory_is_named),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
