/* SPDX-License-Identifier: Apache-2.0 */
/* app/program.c -- the name under which the program was called. */
#include "app/program.h"

#include "base/check.h"

#include <stddef.h>

#include <string.h>

static const struct program {
	const char *name; /* how it is called */
	const char *self; /* what it calls itself */
	const char *configuration;
	bool stands_in;
} programs[] = {
	{ "ginnel", "ginnel", GINNEL_SYSCONFDIR "/ginnel/ginnel.conf", false },
	{ "stunnel", "stunnel", GINNEL_SYSCONFDIR "/stunnel/stunnel.conf", true },
	{ "stunnel4", "stunnel", GINNEL_SYSCONFDIR "/stunnel/stunnel.conf", true }, /* Debian's */
};

static const struct program *program = &programs[0];

void
program_called(const char *name)
{
	const char *slash = name != NULL ? strrchr(name, '/') : NULL;
	const char *base = slash != NULL ? slash + 1 : name;

	for (size_t i = 0; base != NULL && i < COUNT_OF(programs); i++)
		if (strcmp(base, programs[i].name) == 0)
			program = &programs[i];
}

bool
program_stands_in(void)
{
	return program->stands_in;
}

const char *
program_name(void)
{
	return program->self;
}

const char *
program_configuration(void)
{
	return program->configuration;
}

int
program_status(int status)
{
	return program->stands_in && status != 0 ? 1 : status;
}
