/* SPDX-License-Identifier: Apache-2.0 */
/* app/help.c -- -version, -help, -options and -sockets, made from the tables. */
#include "app/help.h"

#include "app/process.h"
#include "app/program.h"
#include "app/version.h"
#include "config/parse.h"
#include "net/sock.h"
#include "tunnel/service.h"

static FILE *banner_to;

static void
banner_line(const char *text)
{
	fprintf(banner_to, "%s\n", text);
}

static void
banner(FILE *to)
{
	banner_to = to;
	if (program_stands_in())
		banner_line("Initializing inetd mode configuration"); /* scripts skip it */
	version_lines(banner_line);
	fprintf(to, " \n");
}

/* One table: "name = VALUE", with its default, and what has to be said of it. */
static void
print_table(FILE *to, const struct option_set *set)
{
	char left[64];

	fprintf(to, "%s:\n", set->title);
	for (const struct option *o = set->table; o->name != NULL; o++) {
		snprintf(left, sizeof(left), "%s", o->name);
		fprintf(to, "%-22s = %s", left, o->arg != NULL ? o->arg : "VALUE");
		if (o->def != NULL)
			fprintf(to, " (default: %s)", o->def);
		if (o->parse == NULL)
			fprintf(to, " (not supported yet)");
		fprintf(to, "\n");
	}
	fprintf(to, "\n");
}

static void
print_sets(FILE *to, const struct option_set *sets)
{
	for (; sets->title != NULL; sets++)
		print_table(to, sets);
}

void
help_version(FILE *to)
{
	banner(to);
	fprintf(to, "%-22s = %s\n", "configuration", program_configuration());
	print_sets(to, process_sets);
}

void
help_options(FILE *to)
{
	banner(to);
	fprintf(to, "Global options, before the first [section]\n\n");
	print_sets(to, process_sets);
	fprintf(to, "Service options; before the first [section] they are defaults for all\n\n");
	print_sets(to, service_sets);
	print_sets(to, parse_sets);
}

static void
print_tls_option(void *to, const char *name)
{
	fprintf(to, "options = %s\n", name);
}

void
help_tls_options(FILE *to)
{
	banner(to);
	fprintf(to, "Supported TLS options:\n");
	tls_each_op(print_tls_option, to);
}

static void
print_socket_option(void *to, const char *name, const char *kind, const char *def)
{
	fprintf(to, "%-22s %-10s %s\n", name, kind, def);
}

void
help_sockets(FILE *to)
{
	banner(to);
	fprintf(to, "Socket options, for socket = a|l|r:NAME=VALUE:\n");
	fprintf(to, "%-22s %-10s %s\n", "name", "value", "default of the system");
	sock_each(print_socket_option, to);
}
