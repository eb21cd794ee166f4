/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_reference.c -- every option of stunnel 5.75 on Linux is supported, or listed as
 * missing; and docs/stunnel-compat.md says the same as the tables of options.
 */
#include "app/process.h"
#include "config/parse.h"
#include "tunnel/service.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define DOCUMENT "docs/stunnel-compat.md"

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

static char *document;

/* ---- the tables ---- */

/* Call `each` for every option that there is. */
static void
each_option(void (*each)(const struct option *))
{
	const struct option_set *const all[] = { process_sets, service_sets, parse_sets };

	for (size_t i = 0; i < COUNT_OF(all); i++)
		for (const struct option_set *set = all[i]; set->title != NULL; set++)
			for (const struct option *o = set->table; o->name != NULL; o++)
				each(o);
}

static bool
is_named(const struct option *o, const char *name)
{
	return strcasecmp(o->name, name) == 0 ||
	       (o->alias != NULL && strcasecmp(o->alias, name) == 0);
}

static const char *wanted;
static bool known, supported;

static void
look(const struct option *o)
{
	if (!is_named(o, wanted))
		return;
	known = true;
	supported = supported || o->parse != NULL;
}

static void
find_option(const char *name)
{
	wanted = name;
	known = supported = false;
	each_option(look);
}

static bool
in_reference(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(reference); i++)
		if (strcasecmp(reference[i], name) == 0)
			return true;
	return false;
}

/* ---- the document ---- */

/* From the line behind a heading up to the next one; empty if there is no such chapter. */
static const char *
chapter(const char *heading, size_t *n)
{
	const char *begin = strstr(document, heading), *end;

	*n = 0;
	if (begin == NULL)
		return "";
	begin += strlen(heading);
	end = strstr(begin, "\n## ");
	*n = end != NULL ? (size_t)(end - begin) : strlen(begin);
	return begin;
}

/*
 * Call `each` for every word between backticks in a chapter that is nothing but letters: a value or
 * a command behind it makes it something else than the option as a whole.
 */
static void
each_name(const char *heading, void (*each)(const char *name))
{
	size_t n;
	const char *at = chapter(heading, &n), *end = at + n, *close;
	char name[64];

	while ((at = memchr(at, '`', (size_t)(end - at))) != NULL &&
	       (close = memchr(at + 1, '`', (size_t)(end - at - 1))) != NULL) {
		bool letters = close > at + 1 && close - at < (int)sizeof(name);

		for (const char *p = at + 1; p < close; p++)
			letters = letters && isalpha((unsigned char)*p);
		if (letters) {
			snprintf(name, sizeof(name), "%.*s", (int)(close - at - 1), at + 1);
			each(name);
		}
		at = close + 1;
	}
}

static bool seen;

static void
compare(const char *name)
{
	seen = seen || strcasecmp(name, wanted) == 0;
}

static bool
is_in_chapter(const char *heading, const char *name)
{
	wanted = name;
	seen = false;
	each_name(heading, compare);
	return seen;
}

#define MISSING "\n## Not supported yet\n"
#define NEW "\n## New\n"

/* ---- the tests ---- */

static void
every_option_of_the_reference_is_supported_or_listed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(reference); i++) {
		find_option(reference[i]);
		if (!known)
			fail_msg(
			    "%s is in no table: its lines would be called unknown", reference[i]);
		if (!supported && !is_in_chapter(MISSING, reference[i]))
			fail_msg("%s is neither supported nor listed as missing in " DOCUMENT,
			    reference[i]);
	}
}

static void
table_against_document(const struct option *o)
{
	if (o->parse == NULL && !is_in_chapter(MISSING, o->name))
		fail_msg("%s is not supported, and " DOCUMENT " does not say so", o->name);
	if (!in_reference(o->name) && !is_in_chapter(NEW, o->name))
		fail_msg("%s is new, and " DOCUMENT " does not say so", o->name);
}

static void
listed_as_missing(const char *name)
{
	find_option(name);
	if (supported)
		fail_msg(DOCUMENT " lists %s as missing, and it is supported", name);
	if (!known)
		fail_msg(DOCUMENT " lists %s as missing, and there is no such option", name);
}

static void
listed_as_new(const char *name)
{
	find_option(name);
	if (!supported)
		fail_msg(DOCUMENT " lists %s as new, and it is not supported", name);
	if (in_reference(name))
		fail_msg(DOCUMENT " lists %s as new, and it is not", name);
}

static void
the_document_and_the_tables_agree(void **state)
{
	(void)state;
	each_option(table_against_document);
	each_name(MISSING, listed_as_missing);
	each_name(NEW, listed_as_new);
}

static int
read_document(void **state)
{
	FILE *file = fopen(DOCUMENT, "r");
	size_t room = 1 << 20, n;

	(void)state;
	if (file == NULL || (document = malloc(room)) == NULL)
		return -1;
	n = fread(document, 1, room - 1, file);
	document[n] = '\0';
	return fclose(file);
}

static int
drop_document(void **state)
{
	(void)state;
	free(document);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_of_the_reference_is_supported_or_listed),
		cmocka_unit_test(the_document_and_the_tables_agree),
	};

	return cmocka_run_group_tests(tests, read_document, drop_document);
}
