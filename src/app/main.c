/* SPDX-License-Identifier: Apache-2.0 */
/* app/main.c -- the command line. */
#include "app/check.h"
#include "app/control_ask.h"
#include "app/demo.h"
#include "app/exit_status.h"
#include "app/explain.h"
#include "app/help.h"
#include "app/migrate.h"
#include "app/program.h"
#include "app/run.h"
#include "app/version.h"
#include "net/wrappers.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"

static void
log_notice_text(const char *text)
{
	log_notice(&log_main, "%s", text);
}

/* As the incumbent puts it; nothing is logged anywhere yet, so this goes to standard error. */
static int
usage_standing_in(const char *wrong)
{
	version_lines(log_notice_text);
	log_err(&log_main, "%s", wrong);
	log_notice(&log_main, " ");
	log_notice(&log_main, "Syntax:");
	log_notice(&log_main, "%s [FILE] | -fd N | -help | -version | -sockets | -options",
	    program_name());
	log_abandon();
	return EXIT_WRONG_USAGE;
}

static int
usage(const char *wrong, const char *what)
{
	if (program_stands_in())
		return usage_standing_in(wrong);
	fprintf(stderr, "ginnel: %s%s%s\n", wrong, *what != '\0' ? ": " : "", what);
	help_usage(stderr);
	return EXIT_WRONG_USAGE;
}

/* The incumbent resolves the name once; its messages, and ours in its place, show the result. */
static int
run_standing_in(const char *name)
{
	char *path = realpath(name, NULL);
	const struct source source = { .path = path };
	int status;

	if (path == NULL) {
		int error = errno;

		version_lines(log_notice_text);
		log_err(&log_main, "Invalid configuration file name \"%s\"", name);
		log_err(&log_main, "realpath: %s (%d)", strerror(error), error);
		log_abandon();
		return EXIT_FAILED;
	}
	status = run(&source);
	free(path);
	return status;
}

static int
command_run(char **args)
{
	const struct source source = { .path = args[0] };

	return program_stands_in() ? run_standing_in(args[0]) : run(&source);
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
command_status(char **args)
{
	return control_ask(args[0] != NULL ? args[0] : program_configuration(), "status");
}

static int
command_metrics(char **args)
{
	return control_ask(args[0] != NULL ? args[0] : program_configuration(), "metrics");
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

/* What is asked for by a word is for a pager, so it goes to standard output. */
static int
command_word(char **args)
{
	if (args[0] != NULL)
		return explain(args[0], stdout) ? EXIT_DONE : EXIT_WRONG_USAGE;
	help_options(stdout);
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

static int
command_wrappers(char **args)
{
	(void)args;
	return wrappers_serve();
}

/* The first argument, compared without case as the incumbent does, and how many follow it. */
static const struct command {
	const char *name;
	int args_min, args_max;
	const char *missing; /* what to say when one is missing */
	int (*run)(char **args);
	bool ours; /* the incumbent takes the word for the name of a file */
} commands[] = {
	{ "run", 1, 1, "run needs the name of a configuration file", command_run, true },
	{ "check", 1, 3, "check needs the name of a configuration file", command_check, true },
	{ "status", 0, 1, "", command_status, true },
	{ "metrics", 0, 1, "", command_metrics, true },
	{ "-fd", 1, 1, "No file descriptor specified", command_fd, false },
	{ "demo", 0, 1, "", command_demo, true }, { "-version", 0, 0, "", command_version, false },
	{ "--version", 0, 0, "", command_version, true },
	{ "-help", 0, 0, "", command_help, false }, { "--help", 0, 0, "", command_help, true },
	{ "help", 0, 1, "", command_word, true }, { "-options", 0, 0, "", command_options, false },
	{ "-sockets", 0, 0, "", command_sockets, false },
	{ WRAPPERS_COMMAND, 0, 0, "", command_wrappers, true }, /* for ourselves */
};

static int
dispatch(int argc, char **argv)
{
	char *fallback[] = { (char *)(uintptr_t)program_configuration(), NULL };
	bool strict = !program_stands_in(); /* the incumbent passes over further words */

	if (argc < 2)
		return command_run(fallback);
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		const struct command *c = &commands[i];

		if (strcasecmp(argv[1], c->name) != 0 || (c->ours && !strict))
			continue;
		if (argc - 2 < c->args_min)
			return usage(c->missing, "");
		if (strict && argc - 2 > c->args_max)
			return usage("too many arguments", argv[2 + c->args_max]);
		return c->run(argv + 2);
	}
	/* Whatever else it is, it is a file's name; but a mistyped flag should not look like one.
	 */
	if (strict && argv[1][0] == '-' && access(argv[1], F_OK) != 0)
		return usage("unknown option", argv[1]);
	if (strict && argc > 2)
		return usage("too many arguments", argv[2]);
	return command_run(argv + 1);
}

int
main(int argc, char **argv)
{
	program_called(argv[0]);
	return program_status(dispatch(argc, argv));
}
