/* SPDX-License-Identifier: Apache-2.0 */
/* app/help.c -- -version, -help, -options and -sockets, made from the tables. */
#include "app/help.h"

#include "app/process.h"
#include "app/program.h"
#include "app/version.h"
#include "config/parse.h"
#include "net/sock.h"
#include "tunnel/service.h"

#include <string.h>

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

/* ---- our own form ---- */

/* One table: "name = VALUE", with its default, and what has to be said of it. */
static void
print_table(FILE *to, const struct option_set *set)
{
	fprintf(to, "%s:\n", set->title);
	for (const struct option *o = set->table; o->name != NULL; o++) {
		fprintf(to, "%-22s = %s", o->name, o->arg != NULL ? o->arg : "VALUE");
		if (o->def != NULL)
			fprintf(to, " (default: %s)", o->def);
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

static void
own_version(FILE *to)
{
	fprintf(to, "%-22s = %s\n", "configuration", program_configuration());
	print_sets(to, process_sets);
}

static void
own_options(FILE *to)
{
	help_usage(to);
	fprintf(to, "\n\"ginnel help OPTION\" tells what one does, "
		    "\"ginnel help CODE\" what end=CODE in the log means.\n\n");
	fprintf(to, "Global options, before the first [section]\n\n");
	print_sets(to, process_sets);
	fprintf(to, "Service options; before the first [section] they are defaults for all\n\n");
	print_sets(to, service_sets);
	print_sets(to, parse_sets);
}

static void
own_socket_option(void *to, const struct sock_row *r)
{
	fprintf(to, "%-22s %-10s %s\n", r->name, r->kind, r->system);
}

static void
own_sockets(FILE *to)
{
	fprintf(to, "Socket options, for socket = a|l|r:NAME=VALUE:\n");
	fprintf(to, "%-22s %-10s %s\n", "name", "value", "default of the system");
	sock_each(own_socket_option, to);
}

/* ---- the incumbent's: what reads its lists finds the same headings, columns and equals signs ----
 */

/* " seconds" behind a number of them. */
static const char *
unit_of(const struct option *o)
{
	if (o->arg != NULL && strcmp(o->arg, "SECONDS") == 0)
		return " seconds";
	return o->arg != NULL && strcmp(o->arg, "BYTES") == 0 ? " bytes" : "";
}

static void
print_default(FILE *to, const struct option *o)
{
	if (o->def != NULL)
		fprintf(to, "%-22s = %s%s\n", o->name, o->def, unit_of(o));
}

static void
print_argument(FILE *to, const struct option *o)
{
	fprintf(to, "%-22s = %s\n", o->name, o->arg != NULL ? o->arg : "VALUE");
}

static void
print_each(FILE *to, const struct option_set *sets, void (*print)(FILE *, const struct option *))
{
	for (; sets->title != NULL; sets++)
		for (const struct option *o = sets->table; o->name != NULL; o++)
			if (o->parse != NULL)
				print(to, o);
}

static void
print_both(FILE *to, void (*print)(FILE *, const struct option *))
{
	fprintf(to, "Global options:\n");
	print_each(to, process_sets, print);
	fprintf(to, " \nService-level options:\n");
	print_each(to, service_sets, print);
	print_each(to, parse_sets, print);
}

static void
their_version(FILE *to)
{
	print_both(to, print_default);
}

static void
their_options(FILE *to)
{
	print_both(to, print_argument);
}

static void
their_socket_option(void *to, const struct sock_row *r)
{
	fprintf(to, "    %-20s|", r->name);
	for (size_t i = 0; i < COUNT_OF(r->side); i++)
		fprintf(to, "%10s|", strcmp(r->side[i], "--") == 0 ? "--    " : r->side[i]);
	fprintf(to, "%10s\n", strcmp(r->system, "--") == 0 ? "--    " : r->system);
}

static void
their_sockets(FILE *to)
{
	fprintf(to, "Socket option defaults:\n");
	fprintf(to, "    Option Name         |  Accept  |   Local  |  Remote  |OS default\n");
	fprintf(to, "    --------------------+----------+----------+----------+----------\n");
	sock_each(their_socket_option, to);
}

/* ---- what is asked for ---- */

void
help_usage(FILE *to)
{
	fprintf(to,
	    "usage: ginnel [run] FILE | -fd NUMBER | check [--migrate [--print]] FILE "
	    "| status [FILE] | metrics [FILE] | demo | help [OPTION|CODE] | -version | -help | "
	    "-options | -sockets\n");
}

static void
print(FILE *to, void (*own)(FILE *), void (*theirs)(FILE *))
{
	banner(to);
	(program_stands_in() ? theirs : own)(to);
}

void
help_version(FILE *to)
{
	print(to, own_version, their_version);
}

void
help_options(FILE *to)
{
	print(to, own_options, their_options);
}

void
help_sockets(FILE *to)
{
	print(to, own_sockets, their_sockets);
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
