/* SPDX-License-Identifier: Apache-2.0 */
/* app/main.c -- the command line. */
#include "app/check.h"
#include "app/demo.h"
#include "app/exit_status.h"
#include "app/help.h"
#include "app/migrate.h"
#include "app/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"

#define DEFAULT_CONFIG GINNEL_SYSCONFDIR "/ginnel/ginnel.conf"

static int
usage(const char *wrong, const char *what)
{
	fprintf(stderr, "ginnel: %s%s%s\n", wrong, *what != '\0' ? ": " : "", what);
	fprintf(stderr, "usage: ginnel [run] FILE | -fd NUMBER | check [--migrate [--print]] FILE "
			"| demo | -version | -help | "
			"-options | -sockets\n");
	return EXIT_WRONG_USAGE;
}

static int
command_run(char **args)
{
	const struct source source = { .path = args[0] };

	return run(&source);
}

static int
command_check(char **args)
{
	struct source source = { 0 };
	bool review = false, print = false;

	for (; *args != NULL; args++) {
		if (strcmp(*args, "--migrate") == 0)
			review = true;
		else if (strcmp(*args, "--print") == 0)
			print = true;
		else if (source.path == NULL)
			source.path = *args;
		else
			return usage("too many arguments", *args);
	}
	if (source.path == NULL)
		return usage("check needs the name of a configuration file", "");
	if (print && !review)
		return usage("--print goes with --migrate", "");
	return review ? migrate(&source, print) : check(&source);
}

static int
command_fd(char **args)
{
	struct source source = { .path = args[0] };
	long fd;
	int status;

	if (!text_number(args[0], 0, 1 << 20, &fd))
		return usage("-fd needs the number of an open descriptor", args[0]);
	if ((source.text = load_descriptor((int)fd)) == NULL) {
		fprintf(stderr, "ginnel: cannot read the configuration from descriptor %ld: %s\n",
		    fd, errno == EILSEQ ? "it contains a NUL byte" : strerror(errno));
		return EXIT_FAILED;
	}
	status = run(&source);
	free(source.text);
	return status;
}

static int
command_demo(char **args)
{
	return demo(args[0]);
}

static int
command_version(char **args)
{
	(void)args;
	help_version(stderr);
	return EXIT_DONE;
}

static int
command_help(char **args)
{
	(void)args;
	help_options(stderr);
	return EXIT_DONE;
}

static int
command_options(char **args)
{
	(void)args;
	help_tls_options(stderr);
	return EXIT_DONE;
}

static int
command_sockets(char **args)
{
	(void)args;
	help_sockets(stderr);
	return EXIT_DONE;
}

/* The first argument, compared without case as the incumbent does, and how many follow it. */
static const struct command {
	const char *name;
	int args_min, args_max;
	const char *missing; /* what to say when one is missing */
	int (*run)(char **args);
} commands[] = {
	{ "run", 1, 1, "run needs the name of a configuration file", command_run },
	{ "check", 1, 3, "check needs the name of a configuration file", command_check },
	{ "-fd", 1, 1, "No file descriptor specified", command_fd },
	{ "demo", 0, 1, "", command_demo },
	{ "-version", 0, 0, "", command_version },
	{ "--version", 0, 0, "", command_version },
	{ "-help", 0, 0, "", command_help },
	{ "--help", 0, 0, "", command_help },
	{ "-options", 0, 0, "", command_options },
	{ "-sockets", 0, 0, "", command_sockets },
};

int
main(int argc, char **argv)
{
	char *fallback[] = { (char[]){ DEFAULT_CONFIG }, NULL };

	if (argc < 2)
		return command_run(fallback);
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		const struct command *c = &commands[i];

		if (strcasecmp(argv[1], c->name) != 0)
			continue;
		if (argc - 2 < c->args_min)
			return usage(c->missing, "");
		if (argc - 2 > c->args_max)
			return usage("too many arguments", argv[2 + c->args_max]);
		return c->run(argv + 2);
	}
	/* Whatever else it is, it is a file's name; but a mistyped flag should not look like one.
	 */
	if (argv[1][0] == '-' && access(argv[1], F_OK) != 0)
		return usage("unknown option", argv[1]);
	if (argc > 2)
		return usage("too many arguments", argv[2]);
	return command_run(argv + 1);
}
