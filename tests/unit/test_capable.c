/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_capable.c -- where the system names signature schemes, OpenSSL goes on asking. */
#include "tls_kit.h"

#include <stdlib.h>
#include <unistd.h>

/* A policy without a scheme for P-384 in TLS 1.3. */
static const char policy[] = "openssl_conf = a\n"
			     "[a]\n"
			     "ssl_conf = b\n"
			     "[b]\n"
			     "system_default = c\n"
			     "[c]\n"
			     "MinProtocol = TLSv1.2\n"
			     "1.signaturealgorithms = ECDSA+SHA256:RSA-PSS+SHA256\n";

static struct kit_files files;

static void
a_policy_is_obeyed(void **state)
{
	static const struct {
		const char *curve;
		int want;
	} rows[] = {
		{ "P-256", TLS1_3_VERSION },
		{ "P-384", TLS1_2_VERSION },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tls_conf server = kit_conf(), client = kit_conf();
		struct tls_context *s, *c;
		struct kit_link link;

		kit_put_curve(&files, "cert.pem", rows[i].curve);
		server.cert = "cert.pem";
		s = kit_context(&server, TLS_SERVER, &files);
		c = kit_context(&client, TLS_CLIENT, &files);
		link = kit_connect(SSL_new(c->ctx), SSL_new(s->ctx));
		if (!link.client_up || !link.server_up)
			fail_msg("%s: no handshake", rows[i].curve);
		assert_int_equal(SSL_version(link.server), rows[i].want);
		kit_unlink(&link);
		tls_context_free(s);
		tls_context_free(c);
	}
	kit_files_done(&files);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_policy_is_obeyed) };
	char path[] = "/tmp/ginnel-policy-XXXXXX";
	int fd = mkstemp(path), failed;

	/* Read once, when OpenSSL is first used. */
	if (fd == -1 || write(fd, policy, sizeof(policy) - 1) != sizeof(policy) - 1 ||
	    setenv("OPENSSL_CONF", path, 1) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	close(fd);
	unlink(path);
	return failed;
}
