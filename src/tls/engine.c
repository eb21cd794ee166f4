/* SPDX-License-Identifier: Apache-2.0 */
/* tls/engine.c -- OpenSSL engines: modules from before there were providers. */
#include "tls/engine.h"

#include <openssl/opensslconf.h>
#include <stdio.h>

enum { WORDS = 256 };

#ifndef OPENSSL_NO_ENGINE

#include "tls/errors.h"

#include <openssl/engine.h>
#include <string.h>
#include <strings.h>

/* The whole file is about what OpenSSL 3.0 deprecated; the compiler need not say so each time. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { ENGINES_MAX = 256 }; /* as the incumbent */

/* In the order of their lines.  Filled at the start, only read afterwards. */
static struct {
	ENGINE *engine;
	bool ready; /* initialised: keys can be asked for */
} engines[ENGINES_MAX];
static unsigned engine_count;

static bool
fail(const char *what, const char *id, char *why, size_t size)
{
	char words[WORDS];

	snprintf(why, size, "%s \"%s\": %s", what, id, errors_take(words, sizeof(words)));
	return false;
}

bool
engine_open(const char *id, char *why, size_t size)
{
	ENGINE *e;

	if (strcasecmp(id, "auto") == 0) {
		ENGINE_load_builtin_engines();
		ENGINE_register_all_complete();
		return true;
	}
	if (engine_count == ENGINES_MAX) {
		snprintf(why, size, "Too many open engines; %d are the most", ENGINES_MAX);
		return false;
	}
	if ((e = ENGINE_by_id(id)) == NULL)
		return fail("Failed to open the engine", id, why, size);
	engines[engine_count++].engine = e;
	return true;
}

static bool
make_ready(unsigned i)
{
	engines[i].ready = engines[i].ready || ENGINE_init(engines[i].engine) == 1;
	return engines[i].ready;
}

/* The one that engineCtrl and engineDefault speak of. */
static ENGINE *
latest(char *why, size_t size)
{
	if (engine_count > 0)
		return engines[engine_count - 1].engine;
	snprintf(why, size, "No engine was defined; write an engine line above");
	return NULL;
}

bool
engine_control(const char *command, char *why, size_t size)
{
	ENGINE *e = latest(why, size);
	const char *colon = strchr(command, ':');
	char name[WORDS];
	bool ok;

	if (e == NULL)
		return false;
	snprintf(name, sizeof(name), "%.200s", command); /* no command is as long */
	name[strcspn(name, ":")] = '\0';
	if (strcasecmp(name, "INIT") == 0)
		ok = make_ready(engine_count - 1);
	else
		ok = ENGINE_ctrl_cmd_string(e, name, colon != NULL ? colon + 1 : NULL, 0) == 1;
	/* The parameter may be a PIN: it is not repeated. */
	return ok || fail("Failed to execute the engine control command", name, why, size);
}

bool
engine_delegate(const char *tasks, char *why, size_t size)
{
	ENGINE *e = latest(why, size);

	return e != NULL && (ENGINE_set_default_string(e, tasks) == 1 ||
				fail("Failed to set engine as default for", tasks, why, size));
}

static ENGINE *
find(const char *id, int number, char *why, size_t size)
{
	for (unsigned i = 0; i < engine_count; i++) {
		ENGINE *e = engines[i].engine;

		if (id != NULL ? strcmp(ENGINE_get_id(e), id) != 0 : (int)i + 1 != number)
			continue;
		if (make_ready(i))
			return e;
		(void)fail("Failed to initialize the engine", ENGINE_get_id(e), why, size);
		return NULL;
	}
	if (id != NULL)
		snprintf(why, size, "Engine ID not found: there is no line engine = %s", id);
	else
		snprintf(
		    why, size, "Illegal engine number: there are %u engine lines", engine_count);
	return NULL;
}

ENGINE *
engine_get(const char *id, int number, struct sink *sink)
{
	char why[2 * WORDS];
	ENGINE *e = find(id, number, why, sizeof(why));

	if (e == NULL)
		sink_error(sink, id != NULL ? "engineId" : "engineNum", "%s", why);
	return e;
}

EVP_PKEY *
engine_key(ENGINE *e, const char *name, UI_METHOD *ui, void *ui_data)
{
	return ENGINE_load_private_key(e, name, ui, ui_data);
}

X509 *
engine_cert(ENGINE *e, const char *name)
{
	/* By convention between modules for PKCS#11 and their users; OpenSSL itself has no call. */
	struct {
		const char *name;
		X509 *cert;
	} params = { name, NULL };

	return ENGINE_ctrl_cmd(e, "LOAD_CERT_CTRL", 0, &params, NULL, 1) == 1 ? params.cert : NULL;
}

#else /* a library without engines */

static bool
none(char *why, size_t size)
{
	snprintf(why, size, "this OpenSSL has no engines; use a provider");
	return false;
}

bool
engine_open(const char *id, char *why, size_t size)
{
	(void)id;
	return none(why, size);
}

bool
engine_control(const char *command, char *why, size_t size)
{
	(void)command;
	return none(why, size);
}

bool
engine_delegate(const char *tasks, char *why, size_t size)
{
	(void)tasks;
	return none(why, size);
}

ENGINE *
engine_get(const char *id, int number, struct sink *sink)
{
	char why[WORDS];

	(void)number;
	(void)none(why, sizeof(why));
	sink_error(sink, id != NULL ? "engineId" : "engineNum", "%s", why);
	return NULL;
}

EVP_PKEY *
engine_key(ENGINE *e, const char *name, UI_METHOD *ui, void *ui_data)
{
	(void)e;
	(void)name;
	(void)ui;
	(void)ui_data;
	return NULL;
}

X509 *
engine_cert(ENGINE *e, const char *name)
{
	(void)e;
	(void)name;
	return NULL;
}

#endif
