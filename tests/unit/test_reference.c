/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_reference.c -- every option of stunnel 5.75 on Linux is in a table.
 * tests/scenarios/test_compat_page.py sees that docs/stunnel-compat.md tells of each.
 */
#include "app/process.h"
#include "config/parse.h"
#include "tunnel/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <strings.h>

#include <cmocka.h>

/* Names only, older ones included.  What it has on Windows alone is not here. */
static const char *const reference[] = { "accept", "CAengine", "CAfile", "CApath", "CAstore",
	"cert", "checkEmail", "checkHost", "checkIP", "chroot", "ciphers", "ciphersuites", "client",
	"compression", "config", "connect", "CRLfile", "CRLpath", "curve", "curves", "debug",
	"delay", "EGD", "engine", "engineCtrl", "engineDefault", "engineId", "engineNum", "exec",
	"execArgs", "failover", "fips", "foreground", "ident", "include", "key", "libwrap", "local",
	"log", "logId", "OCSP", "OCSPaia", "OCSPflag", "OCSPnonce", "OCSPrequire", "options",
	"output", "pid", "protocol", "protocolAuthentication", "protocolDomain", "protocolHeader",
	"protocolHost", "protocolPassword", "protocolUsername", "provider", "providerParameter",
	"PSKidentity", "PSKsecrets", "pty", "redirect", "renegotiation", "requireCert", "reset",
	"retry", "RNDbytes", "RNDfile", "RNDoverwrite", "securityLevel", "service", "session",
	"sessionCacheSize", "sessionCacheTimeout", "sessionResume", "sessiond", "setEnv", "setgid",
	"setuid", "sni", "socket", "sslVersion", "sslVersionMax", "sslVersionMin", "stack",
	"syslog", "ticketKeySecret", "ticketMacSecret", "TIMEOUTbusy", "TIMEOUTclose",
	"TIMEOUTconnect", "TIMEOUTidle", "TIMEOUTocsp", "transparent", "verify", "verifyChain",
	"verifyPeer" };

static bool
is_named(const struct option *o, const char *name)
{
	return strcasecmp(o->name, name) == 0 ||
	       (o->alias != NULL && strcasecmp(o->alias, name) == 0);
}

static bool
is_in(const struct option_set *sets, const char *name)
{
	for (const struct option_set *set = sets; set->title != NULL; set++)
		for (const struct option *o = set->table; o->name != NULL; o++)
			if (is_named(o, name))
				return true;
	return false;
}

static void
every_option_of_the_reference_is_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(reference); i++)
		if (!is_in(process_sets, reference[i]) && !is_in(service_sets, reference[i]) &&
		    !is_in(parse_sets, reference[i]))
			fail_msg(
			    "%s is in no table: its lines would be called unknown", reference[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_of_the_reference_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
