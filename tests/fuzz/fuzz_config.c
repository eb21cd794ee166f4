/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_config.c -- any text as a configuration file, and as what it includes. */
#include "base/log.h"
#include "config/config.h"
#include "kit/memory.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Takes the place of libc's: no name that a fuzzer makes up may be asked for on the network. */
int
getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	(void)host;
	(void)service;
	(void)hints;
	*out = NULL;
	return EAI_NONAME;
}

static bool
read_file(struct files *files, const char *path, struct file *out)
{
	if (strstr(path, "missing") == NULL)
		return memory_read(files, path, out);
	errno = ENOENT;
	return false;
}

static char **
list_files(struct files *files, const char *path)
{
	char **names = calloc(3, sizeof(*names));

	(void)files;
	(void)path;
	if (names == NULL || (names[0] = strdup("00-first")) == NULL ||
	    (names[1] = strdup("01-missing")) == NULL) {
		files_list_free(names);
		return NULL;
	}
	return names;
}

static const struct option_set globals[] = {
	{ .title = "Log", .table = log_options },
	{ .title = NULL },
};

/* Every complaint can be said, and the count of the fatal ones is true. */
static void
check_problems(const struct config *c)
{
	unsigned errors = 0;
	char line[1024];

	for (const struct problem *p = c->problems; p != NULL; p = p->next) {
		MUST(problem_text(p, line, sizeof(line))[0] != '\0');
		errors += p->fatal;
	}
	MUST(errors == c->errors);
}

static void
check_sections(const struct config *c)
{
	unsigned count = 0;

	for (const struct section *s = c->sections; s != NULL; s = s->next) {
		MUST(s->name != NULL && s->conf != NULL && s->set != NULL);
		count++;
	}
	MUST(count == c->section_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct memory included = memory_of("", 0); /* what stands behind the first NUL */
	struct config *config;
	char *text = malloc(n + 1);

	if (text == NULL)
		return 0;
	if (n > 0)
		memcpy(text, data, n);
	text[n] = '\0';
	if (strlen(text) < n)
		included = memory_of(text + strlen(text) + 1, n - strlen(text) - 1);
	included.files = (struct files){ read_file, list_files };
	config = config_read(
	    &included.files, "/etc/ginnel/fuzz.conf", text, globals, sizeof(struct log_conf));
	if (config != NULL) {
		check_problems(config);
		check_sections(config);
	}
	config_free(config);
	free(text);
	return 0;
}
