/* SPDX-License-Identifier: Apache-2.0 */
/* bench/args.c -- the command line of the load generator. */
#include "args.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct mode modes[] = {
	{ "handshake", handshake_run, .is_client = true,
	    .help = "connect, shake hands, one request, leave; --count times" },
	{ "move", move_run, .is_client = true,
	    .help = "--down and --up bytes over each of --connections" },
	{ "ask", ask_run, .is_client = true,
	    .help = "100-byte requests over --connections: --count, or --rate for --seconds" },
	{ "library", library_run, .is_client = true,
	    .help = "client and server in memory: --count handshakes, or --down and --up bytes" },
	{ "backend", backend_run, .is_server = true,
	    .help = "serve the others at --at, with TLS if --tls; prints its port" },
	{ "relay", relay_run, .is_server = true,
	    .help = "copy bytes between --at and --to; prints its port" },
};

/* Each reads one value into its place; false if the text is not one. */
typedef bool reader_fn(const char *text, void *to);

static bool
read_number(const char *text, void *to)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	const char *units = "kMG", *unit = *end == '\0' ? NULL : strchr(units, *end);

	for (long i = unit == NULL ? -1 : unit - units; i >= 0; i--)
		n *= 1000;
	*(uint64_t *)to = n;
	return end != text && end[unit != NULL] == '\0';
}

static bool
read_text(const char *text, void *to)
{
	*(const char **)to = text;
	return *text != '\0';
}

static bool
read_flag(const char *text, void *to)
{
	(void)text;
	*(bool *)to = true;
	return true;
}

static bool
read_version(const char *text, void *to)
{
	*(int *)to = strcmp(text, "1.2") == 0	? TLS1_2_VERSION
		     : strcmp(text, "1.3") == 0 ? TLS1_3_VERSION
						: 0;
	return *(int *)to != 0;
}

/* A port, or ADDRESS:PORT. */
static bool
read_address(const char *text, void *to)
{
	struct sockaddr_in *in = to;
	const char *colon = strchr(text, ':');
	char address[INET_ADDRSTRLEN] = "127.0.0.1";
	uint64_t port;

	if (colon != NULL) {
		if ((size_t)(colon - text) >= sizeof(address))
			return false;
		memcpy(address, text, (size_t)(colon - text));
		address[colon - text] = '\0';
	}
	*in = (struct sockaddr_in){ .sin_family = AF_INET };
	if (!read_number(colon != NULL ? colon + 1 : text, &port) || port > UINT16_MAX)
		return false;
	in->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, address, &in->sin_addr) == 1;
}

static const struct {
	const char *name;
	reader_fn *read;
	size_t at;
	const char *help;
} table[] = {
#define AT(field) offsetof(struct options, field)
	{ "--to", read_address, AT(to), "[ADDRESS:]PORT of the tunnel; of a relay's backend" },
	{ "--target", read_address, AT(target), "ask --to for it with HTTP's CONNECT first" },
	{ "--at", read_address, AT(at), "[ADDRESS:]PORT to serve; port 0: any" },
	{ "--ports", read_number, AT(ports), "so many successive ports from --to on, in turn" },
	{ "--tls", read_version, AT(tls), "1.2 or 1.3; without: plain" },
	{ "--ca", read_text, AT(ca), "PEM file that verifies the other side" },
	{ "--cert", read_text, AT(cert), "PEM file with the client's certificate and key" },
	{ "--server-cert", read_text, AT(server_cert), "the same for backend and library" },
	{ "--resume", read_flag, AT(resume), "all handshakes but the first are resumed" },
	{ "--aside", read_flag, AT(aside), "a backend moves bytes in processes of their own" },
	{ "--connections", read_number, AT(connections), "open at the same time" },
	{ "--count", read_number, AT(count), "handshakes or requests in all" },
	{ "--down", read_number, AT(down), "bytes to receive per connection (k, M, G)" },
	{ "--up", read_number, AT(up), "bytes to send per connection" },
	{ "--rate", read_number, AT(rate), "requests per second in all; 0: no limit" },
	{ "--seconds", read_number, AT(seconds), "how long at that rate" },
	{ "--jobs", read_number, AT(jobs), "processes" },
	{ "--sources", read_number, AT(sources), "come from so many addresses of 127/8" },
	{ "--deadline", read_number, AT(deadline), "seconds; then it ends itself" },
	{ "--paced", read_flag, AT(paced), "print `open`, wait for a line; print results, wait" },
#undef AT
};

static _Noreturn void
usage(const char *wrong)
{
	fprintf(stderr, "load: %s\nusage: load MODE [OPTION [VALUE]]...\n\n", wrong);
	for (size_t i = 0; i < COUNT_OF(modes); i++)
		fprintf(stderr, "  %-14s %s\n", modes[i].name, modes[i].help);
	fputc('\n', stderr);
	for (size_t i = 0; i < COUNT_OF(table); i++)
		fprintf(stderr, "  %-14s %s\n", table[i].name, table[i].help);
	exit(2);
}

static const struct mode *
mode_named(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(modes); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	usage("no such mode");
}

static size_t
option_named(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (strcmp(table[i].name, name) == 0)
			return i;
	usage("no such option");
}

const struct mode *
args_parse(int argc, char **argv, struct options *o)
{
	const struct mode *mode = argc < 2 ? NULL : mode_named(argv[1]);

	if (mode == NULL)
		usage("say a mode");
	*o = (struct options){
		.ports = 1, .connections = 1, .count = 1, .seconds = 1, .jobs = 1, .deadline = 60
	};
	for (int i = 2; i < argc; i++) {
		size_t n = option_named(argv[i]);
		const char *value = "";

		if (table[n].read != read_flag) {
			if (++i == argc)
				usage("a value is missing");
			value = argv[i];
		}
		if (!table[n].read(value, (char *)o + table[n].at))
			usage("a value is wrong");
	}
	if (o->ports == 0 || o->connections < o->jobs)
		usage("each job needs a port and a connection");
	return mode;
}
