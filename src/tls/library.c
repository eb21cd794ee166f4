/* SPDX-License-Identifier: Apache-2.0 */
/* tls/library.c -- OpenSSL as the configuration wants it: providers, engines, FIPS, environment. */
#include "tls/library.h"

#include "base/log.h"
#include "tls/engine.h"
#include "tls/errors.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 256, WHY = 512 };

/* New in OpenSSL 3.5; without it the address is NULL, also if the library at hand is younger. */
#pragma weak OSSL_PROVIDER_add_conf_parameter
extern int OSSL_PROVIDER_add_conf_parameter(OSSL_PROVIDER *, const char *name, const char *value);

/* ---- what the lines do ---- */

/* A line at work.  What it has to say goes to the sink, under its option's name. */
typedef void step_run(const struct library_step *, struct sink *);

static void
set_variable(const struct library_step *s, struct sink *sink)
{
	const char *equals = strchr(s->value, '=');
	char *name;

	/* As the incumbent: no value takes the variable away. */
	name = strndup(s->value, equals != NULL ? (size_t)(equals - s->value) : strlen(s->value));
	if (name == NULL || (equals != NULL && equals[1] != '\0' ? setenv(name, equals + 1, 1)
								 : unsetenv(name)) != 0)
		sink_error(sink, s->option->name, "this cannot be a variable; write NAME=VALUE");
	free(name);
}

static void
load_provider(const struct library_step *s, struct sink *sink)
{
	char why[WORDS];

	/* 1: the providers that are there without a word of ours stay, or nothing else works. */
	if (OSSL_PROVIDER_try_load(NULL, s->value, 1) == NULL)
		sink_error(sink, s->option->name,
		    "Failed to load provider \"%s\": %s; its module must lie in OpenSSL's "
		    "directory of modules, or in the one that OPENSSL_MODULES names",
		    s->value, errors_take(why, sizeof(why)));
}

struct wanted_provider {
	const char *name;
	size_t length;
	OSSL_PROVIDER *found;
};

static int
match_provider(OSSL_PROVIDER *p, void *arg)
{
	struct wanted_provider *w = arg;
	const char *name = OSSL_PROVIDER_get0_name(p);

	if (strlen(name) == w->length && strncmp(name, w->name, w->length) == 0)
		w->found = p;
	return 1;
}

static void
set_provider_parameter(const struct library_step *s, struct sink *sink)
{
	const char *colon = strchr(s->value, ':'), *equals;
	struct wanted_provider wanted = { .name = s->value };
	char why[WORDS], *name;

	if (colon == NULL || (equals = strchr(colon, '=')) == NULL || equals == colon + 1) {
		sink_error(sink, s->option->name, "Malformed parameter; write ID:NAME=VALUE");
		return;
	}
	if (OSSL_PROVIDER_add_conf_parameter == NULL) {
		sink_error(sink, s->option->name,
		    "this OpenSSL has no such thing, it needs 3.5; set the parameter in "
		    "openssl.cnf");
		return;
	}
	wanted.length = (size_t)(colon - s->value);
	OSSL_PROVIDER_do_all(NULL, match_provider, &wanted);
	name = strndup(colon + 1, (size_t)(equals - colon - 1));
	if (wanted.found == NULL)
		sink_error(sink, s->option->name, "Provider not found: write provider = %.*s above",
		    (int)wanted.length, s->value);
	else if (name == NULL || !OSSL_PROVIDER_add_conf_parameter(wanted.found, name, equals + 1))
		sink_error(sink, s->option->name, "the parameter is refused: %s",
		    errors_take(why, sizeof(why)));
	free(name);
}

static void
run_engine(const struct library_step *s, struct sink *sink)
{
	static const struct {
		const char *option;
		bool (*run)(const char *value, char *why, size_t size);
	} lines[] = {
		{ "engine", engine_open },
		{ "engineCtrl", engine_control },
		{ "engineDefault", engine_delegate },
	};
	char why[WHY];

	for (size_t i = 0; i < COUNT_OF(lines); i++)
		if (strcmp(lines[i].option, s->option->name) == 0 &&
		    !lines[i].run(s->value, why, sizeof(why)))
			sink_error(sink, s->option->name, "%s", why);
}

bool
library_is_fips(void)
{
	return EVP_default_properties_is_fips_enabled(NULL) == 1;
}

static void
set_fips(const struct library_step *s, struct sink *sink)
{
	bool wanted = strcasecmp(s->value, "yes") == 0;
	char why[WORDS];

	if (wanted && !OSSL_PROVIDER_available(NULL, "fips") &&
	    OSSL_PROVIDER_try_load(NULL, "fips", 1) == NULL)
		sink_error(sink, s->option->name,
		    "FIPS support is not available: %s; install OpenSSL's fips provider, see "
		    "fips_module(7)",
		    errors_take(why, sizeof(why)));
	else if (wanted != library_is_fips() && !EVP_default_properties_enable_fips(NULL, wanted))
		sink_error(sink, s->option->name,
		    wanted ? "FIPS mode cannot be enabled: %s"
			   : "Failed to override system-wide FIPS mode: %s",
		    errors_take(why, sizeof(why)));
}

/* Accepted, so that an old file starts; `doc` says why it makes no difference. */
static void
say_no_effect(const struct library_step *s, struct sink *sink)
{
	sink_warn(sink, s->option->name, "has no effect, and can be removed. %s", s->option->doc);
}

/* ---- the options ---- */

/* Field: struct library_conf.  Append to a copy: the arena has no larger place. */
static bool
parse_step(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct library_conf *conf = field;
	struct library_step *steps;
	int word;

	if (value[0] == '\0')
		return option_refuse(ctx, "is empty; write %s, or remove the line", o->arg);
	if (o->words != NULL && !option_keyword(ctx, o, &word, value))
		return false;
	steps = arena_alloc(ctx->arena, (conf->step_count + 1) * sizeof(*steps));
	if (steps == NULL || (value = arena_strdup(ctx->arena, value)) == NULL)
		return option_refuse(ctx, "out of memory");
	if (conf->step_count > 0)
		memcpy(steps, conf->steps, conf->step_count * sizeof(*steps));
	steps[conf->step_count++] = (struct library_step){ o, value };
	conf->steps = steps;
	return true;
}

/* A number, which then is a step. */
static bool
parse_count(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	long n;

	return option_long(ctx, o, &n, value) && parse_step(ctx, o, field, value);
}

static const struct option_word yesno_words[] = { { "yes", 1 }, { "no", 0 }, { NULL, 0 } };
static const struct option_word compression_words[] = { { "deflate", 0 }, { "zlib", 1 },
	{ NULL, 0 } };

#define NUMBER(option) \
	.name = option, .arg = "NUMBER", .scope = OPTION_GLOBAL, .reload = OPTION_RESTART, \
	.parse = parse_count, .offset = 0
#define STEP(option, value) \
	.name = option, .arg = value, .scope = OPTION_GLOBAL, .reload = OPTION_RESTART, \
	.parse = parse_step, .offset = 0

const struct option library_options[] = {
	{ STEP("setEnv", "NAME=VALUE"),
	    .doc = "Set a variable of the environment, for modules of OpenSSL and for programs "
		   "that are started; without a VALUE, take the variable away. This option and "
		   "the provider and engine options act at the start only, in the order of the "
		   "file." },
	{ STEP("provider", "ID"),
	    .doc = "Load a provider of OpenSSL, beside those that are there already." },
	{ STEP("providerParameter", "ID:NAME=VALUE"),
	    .doc = "Give a parameter to a provider that a line above has loaded. Needs OpenSSL "
		   "3.5." },
	{ STEP("engine", "ID"),
	    .doc = "Open an engine of OpenSSL, such as pkcs11; engineId and engineNum say which "
		   "service uses it. The value auto registers all that there are. Engines are the "
		   "older kind of module: where there is a provider, use that." },
	{ STEP("engineCtrl", "COMMAND[:PARAMETER]"),
	    .doc = "A command for the engine of the last engine line, such as PIN:1234 or "
		   "MODULE_PATH:/usr/lib/softhsm/libsofthsm2.so. INIT initialises it." },
	{ STEP("engineDefault", "TASKS"),
	    .doc = "Leave these tasks (ALL, RSA, EC, RAND and others, with commas between them) to "
		   "the engine of the last engine line, for all services." },
	{ STEP("fips", "yes|no"), .words = yesno_words,
	    .doc = "Use only algorithms of OpenSSL's FIPS provider, which must be installed. With "
		   "yes, ciphers and curves have defaults of their own. If it is not set, the "
		   "system's configuration of OpenSSL decides." },
	{ STEP("compression", "deflate|zlib"), .words = compression_words,
	    .doc = "TLS compression is never used: it gives secrets away to who sees the lengths "
		   "(CRIME), and TLS 1.3 has none." },
	{ STEP("EGD", "PATH"),
	    .doc = "Randomness comes from the kernel, and a daemon that gathers it is not asked." },
	{ STEP("RNDfile", "FILE"),
	    .doc = "Randomness comes from the kernel, and no file with a seed is read." },
	{ NUMBER("RNDbytes"),
	    .doc = "Randomness comes from the kernel, and no file with a seed is read." },
	{ STEP("RNDoverwrite", "yes|no"), .words = yesno_words,
	    .doc = "Randomness comes from the kernel, and no file with a seed is written." },
	{ .name = NULL },
};

static const struct {
	const char *option;
	step_run *run;
} runs[] = {
	{ "setEnv", set_variable },
	{ "provider", load_provider },
	{ "providerParameter", set_provider_parameter },
	{ "engine", run_engine },
	{ "engineCtrl", run_engine },
	{ "engineDefault", run_engine },
	{ "fips", set_fips },
};

static step_run *
find_run(const struct option *o)
{
	for (size_t i = 0; i < COUNT_OF(runs); i++)
		if (strcmp(runs[i].option, o->name) == 0)
			return runs[i].run;
	return say_no_effect;
}

/* ---- once ---- */

/* What was applied at the start, to tell whether a reload wants something else. */
static struct library_step *applied;
static unsigned applied_count;
static bool was_applied;

/* Has no line loaded, opened or switched anything? */
static bool
is_plain(void)
{
	for (unsigned i = 0; i < applied_count; i++) {
		step_run *run = find_run(applied[i].option);

		if (run != set_variable && run != say_no_effect)
			return false;
	}
	return true;
}

static int
is_default(OSSL_PROVIDER *provider, void *only)
{
	if (strcmp(OSSL_PROVIDER_get0_name(provider), "default") != 0)
		*(bool *)only = false;
	return 1;
}

bool
library_is_default(void)
{
	bool only = true;

	return is_plain() && !library_is_fips() && OSSL_PROVIDER_do_all(NULL, is_default, &only) &&
	       only;
}

static bool
remember(const struct library_conf *conf)
{
	was_applied = true;
	if (conf->step_count == 0)
		return true;
	if ((applied = calloc(conf->step_count, sizeof(*applied))) == NULL)
		return false;
	for (; applied_count < conf->step_count; applied_count++) {
		const struct library_step *s = &conf->steps[applied_count];
		char *value = strdup(s->value);

		if (value == NULL)
			return false;
		applied[applied_count] = (struct library_step){ s->option, value };
	}
	return true;
}

static bool
same_step(const struct library_step *a, const struct library_step *b)
{
	return a->option == b->option && strcmp(a->value, b->value) == 0;
}

static void
warn_changed(const struct library_conf *conf, struct sink *sink)
{
	unsigned n = conf->step_count < applied_count ? conf->step_count : applied_count, i = 0;

	while (i < n && same_step(&conf->steps[i], &applied[i]))
		i++;
	if (i < conf->step_count)
		sink_warn(sink, conf->steps[i].option->name,
		    "a change of it takes effect at the next start");
	else if (i < applied_count)
		sink_warn(sink, NULL, "%s = ... stays in effect until the next start",
		    applied[i].option->name);
}

void
library_apply(const struct library_conf *conf, struct sink *sink)
{
	if (was_applied) {
		warn_changed(conf, sink);
		return;
	}
	for (unsigned i = 0; i < conf->step_count; i++)
		find_run(conf->steps[i].option)(&conf->steps[i], sink);
	if (!remember(conf))
		sink_error(sink, NULL, "out of memory");
	log_notice(&log_main, "FIPS mode %s", library_is_fips() ? "enabled" : "disabled");
}
