/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_config.c -- what the lines of a configuration mean, and what is said of wrong
 * ones. */
#include "config/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a small global table ---- */

struct globals {
	struct log_conf log;
	int workers;
	const char *pid;
};

static const struct option process_options[] = {
	{ .name = "workers",
	    .parse = option_int,
	    .offset = offsetof(struct globals, workers),
	    .scope = OPTION_GLOBAL,
	    .def = "3",
	    .max = 64 },
	{ .name = "pid",
	    .parse = option_text,
	    .offset = offsetof(struct globals, pid),
	    .scope = OPTION_GLOBAL },
	{ .name = NULL },
};

static const struct option_set sets[] = {
	{ .title = "Process", .table = process_options },
	{ .title = "Log", .table = log_options, .offset = offsetof(struct globals, log) },
	{ .title = NULL },
};

/* ---- one directory with one file ---- */

static const char *included; /* the text of conf.d/a.conf */

static bool
memory_read(struct files *files, const char *path, struct file *out)
{
	(void)files;
	if (strcmp(path, "conf.d/a.conf") != 0) {
		errno = ENOENT;
		return false;
	}
	*out = (struct file){ .data = strdup(included), .size = strlen(included), .mode = 0100600 };
	return out->data != NULL;
}

static char **
memory_list(struct files *files, const char *path)
{
	char **names = calloc(2, sizeof(*names));

	(void)files;
	(void)path;
	if (names != NULL)
		names[0] = strdup("a.conf");
	return names;
}

static struct files files = { memory_read, memory_list };

static struct config *config; /* of the last read_text() */

static struct config *
read_text(const char *text)
{
	config_free(config);
	assert_non_null(config = config_read(&files, "t.conf", text, sets, sizeof(struct globals)));
	return config;
}

static int
teardown(void **state)
{
	(void)state;
	config_free(config);
	config = NULL;
	return 0;
}

static const struct globals *
globals(void)
{
	return config->globals;
}

/* The n-th section, from 0. */
static const struct section *
section(unsigned n)
{
	const struct section *s = config->sections;

	while (n-- > 0)
		s = s->next;
	return s;
}

/* The problems, a line each, as many as there is room for. */
static const char *
problems(void)
{
	static char all[8192];
	char line[1024];
	size_t used = 0;

	all[0] = '\0';
	for (const struct problem *p = config->problems; p != NULL && used < sizeof(all);
	     p = p->next) {
		problem_text(p, line, sizeof(line));
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s\n", line);
	}
	return all;
}

/* ---- good files ---- */

static void
defaults_stand_without_a_line(void **state)
{
	(void)state;
	read_text("[x]\n");
	assert_string_equal(problems(), "");
	assert_int_equal(globals()->workers, 3);
	assert_int_equal(globals()->log.level, LOG_NOTICE);
	assert_int_equal(globals()->log.facility, LOG_DAEMON);
	assert_true(globals()->log.syslog);
	assert_null(globals()->pid);
	assert_int_equal(section(0)->conf->log_level, LOG_NOTICE);
	assert_int_equal(section(0)->conf->idle_ms, 43200 * 1000);
	assert_true(section(0)->conf->reset);
}

static void
sections_begin_with_the_global_part(void **state)
{
	(void)state;
	read_text("service = mail\nclient = yes\ncheckHost = a.test\nworkers = 5\n"
		  "[one]\ncheckHost = b.test\nclient = no\n"
		  "[one]\nservice = renamed\ncheckHost = c.test\ncheckHost = d.test\n"
		  "[ ]\n");
	assert_string_equal(problems(), "");
	assert_int_equal(config->section_count, 3);
	assert_string_equal(globals()->log.ident, "mail");
	assert_int_equal(globals()->workers, 5);
	assert_string_equal(config->global->conf->name, "mail");
	assert_int_equal(config->global->conf->near.check_host.n, 1);

	assert_string_equal(section(0)->name, "one");
	assert_string_equal(section(0)->conf->name, "one"); /* the name is not passed on */
	assert_false(section(0)->conf->client);
	assert_int_equal(section(0)->conf->near.check_host.n, 2);
	assert_string_equal(section(0)->conf->near.check_host.v[1], "b.test");
	assert_int_equal(section(0)->where.line, 5);

	assert_string_equal(section(1)->name, "one");
	assert_string_equal(section(1)->conf->name, "renamed");
	assert_true(section(1)->conf->client); /* of the global part, not of the section before */
	assert_int_equal(section(1)->conf->near.check_host.n, 3);
	assert_string_equal(section(1)->conf->near.check_host.v[2], "d.test");

	assert_string_equal(section(2)->conf->name, " ");
	assert_int_equal(section(2)->conf->near.check_host.n, 1);
}

static void
one_name_fills_every_set_that_knows_it(void **state)
{
	(void)state;
	read_text("DEBUG = local1.info\n[x]\n[y]\ndebug = 3\n");
	assert_string_equal(problems(), "");
	assert_int_equal(globals()->log.level, LOG_INFO);
	assert_int_equal(globals()->log.facility, LOG_LOCAL1);
	assert_int_equal(section(0)->conf->log_level, LOG_INFO);
	assert_int_equal(section(1)->conf->log_level, LOG_ERR);
	assert_int_equal(globals()->log.level, LOG_INFO);
}

static void
a_prefix_names_one_side(void **state)
{
	(void)state;
	read_text("[x]\ncert = both\naccept.cert = near\nCONNECT.key = far\n"
		  "connect.curve = X25519\ncheckHost = a\naccept.checkHost = b\n");
	assert_string_equal(problems(), "");
	assert_string_equal(section(0)->conf->near.cert, "near");
	assert_string_equal(section(0)->conf->far.cert, "both");
	assert_null(section(0)->conf->near.key);
	assert_string_equal(section(0)->conf->far.key, "far");
	assert_string_equal(section(0)->conf->far.curves, "X25519");
	assert_int_equal(section(0)->conf->near.check_host.n, 2);
	assert_int_equal(section(0)->conf->far.check_host.n, 1);
}

static void
sections_carry_over_an_include_both_ways(void **state)
{
	(void)state;
	included = "delay = yes\n[inner]\n";
	read_text("[outer]\ninclude = conf.d\nclient = yes\n");
	assert_string_equal(problems(), "");
	assert_int_equal(config->section_count, 2);
	assert_true(section(0)->conf->delay);
	assert_false(section(0)->conf->client);
	assert_false(section(1)->conf->delay);
	assert_true(section(1)->conf->client);
	assert_string_equal(section(1)->where.file, "conf.d/a.conf");
}

static void
no_section_is_no_error_here(void **state)
{
	(void)state;
	read_text("client = yes\n");
	assert_string_equal(problems(), "");
	assert_null(config->sections);
	assert_true(config->global->conf->client);
}

/* ---- bad lines ---- */

static void
each_fault_is_told_with_its_line(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "conect = 1\n", "t.conf:1: conect: Specified option name is not valid here: "
				  "unknown option; did you mean \"connect\"?\n" },
		{ "nsi = x\n", "t.conf:1: nsi: Specified option name is not valid here: unknown "
			       "option; did you mean \"sni\"?\n" },
		{ "accept.crt = x\n", "t.conf:1: accept.crt: Specified option name is not valid "
				      "here: unknown option; did you mean \"accept.cert\"?\n" },
		{ "inclued = x\n", "t.conf:1: inclued: Specified option name is not valid here: "
				   "unknown option; did you mean \"include\"?\n" },
		{ "wrokers = 1\n", "t.conf:1: wrokers: Specified option name is not valid here: "
				   "unknown option; did you mean \"workers\"?\n" },
		{ "xforwardedfor = yes\n", "t.conf:1: xforwardedfor: Specified option name is not "
					   "valid here: unknown option; the manual "
					   "lists all that there are\n" },
		{ "a\x1b[2Jb = 1\n",
		    "t.conf:1: a\\x1b[2Jb: Specified option name is not valid here: unknown "
		    "option; the manual lists all that there are\n" },
		{ "accept.client = yes\n", NULL },
		{ "accept. = yes\n", NULL },
		{ "\n[x]\nclient = yes\npid = /x\n", "t.conf:4: pid: Specified option name is not "
						     "valid here: a global option, and this is "
						     "a section; move it above line 2 of t.conf, "
						     "where the first section begins\n" },
		{ "client = yes ; both\n", "t.conf:1: client: \"yes ; both\" is not a value for "
					   "it; write yes or no; a comment "
					   "needs a line of its own\n" },
		{ "client = maybe\n",
		    "t.conf:1: client: \"maybe\" is not a value for it; write yes or no\n" },
		{ "workers = 65\n",
		    "t.conf:1: workers: \"65\" is not a number from 0 to 64; write digits only\n" },
		{ "TIMEOUTidle = -5\n", NULL },
		{ "TIMEOUTidle = 99999999999999\n", NULL },
		/* Both sets that know it would say the same. */
		{ "debug = 8\n", "t.conf:1: debug: \"8\" is not a level; write 0 to 7, or emerg, "
				 "alert, crit, err, "
				 "warning, notice, info or debug\n" },
		{ "[x]\ndebug = mail.5\n", "t.conf:2: debug: a syslog facility can only stand "
					   "before the first [section]; write "
					   "the level alone\n" },
		{ "[x]\nnonsense\n",
		    "t.conf:2: there is no '=' in the line; write NAME = VALUE\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		read_text(cases[i].text);
		assert_int_equal(config->errors, 1);
		if (cases[i].said != NULL)
			assert_string_equal(problems(), cases[i].said);
	}
}

static void
all_faults_are_told_in_one_go(void **state)
{
	(void)state;
	included = "[inner]\nwhat\n";
	read_text("nothing\nclient = 1\n[x]\ninclude = conf.d\ndelay = 2\n");
	assert_int_equal(config->errors, 4);
	assert_string_equal(problems(),
	    "t.conf:1: there is no '=' in the line; write NAME = VALUE\n"
	    "t.conf:2: client: \"1\" is not a value for it; write yes or no\n"
	    "conf.d/a.conf:2: there is no '=' in the line; write NAME = VALUE\n"
	    "t.conf:5: delay: \"2\" is not a value for it; write yes or no\n");
}

static void
a_million_faults_are_not_all_told(void **state)
{
	char *text = malloc(20001);

	(void)state;
	for (int i = 0; i < 20000; i += 2)
		memcpy(text + i, "x\n", 3);
	read_text(text);
	free(text);
	assert_int_equal(config->problem_count, 1001);
	assert_non_null(strstr(problems(), "t.conf:1: "));
}

static void
a_file_that_cannot_be_read(void **state)
{
	(void)state;
	read_text(NULL);
	assert_int_equal(config->errors, 1);
	assert_string_equal(
	    problems(), "t.conf: cannot read the file: No such file or directory (2)\n");
}

/* ---- complaints of others ---- */

static void
complaints_find_the_line_to_mend(void **state)
{
	static const char text[] = "cert = a\n" /* 1 */
				   "workers = 2\n"
				   "[one]\n" /* 3 */
				   "key = b\n"
				   "connect.cert = c\n" /* 5 */
				   "[two]\n";
	static const struct {
		int section; /* -1: the global part */
		const char *option, *said;
	} cases[] = {
		{ 0, "key", "t.conf:4: key: no\n" },
		{ 0, "accept.key", "t.conf:4: accept.key: no\n" },
		{ 0, "connect.cert", "t.conf:5: connect.cert: no\n" },
		{ 0, "accept.cert", "t.conf:1: accept.cert: no\n" },
		{ 1, "cert", "t.conf:1: cert: no\n" },
		{ 1, "key", "t.conf:6: [two]: key: no\n" },
		{ 1, NULL, "t.conf:6: [two]: no\n" },
		{ -1, "workers", "t.conf:2: workers: no\n" },
		{ -1, "pid", "t.conf: pid: no\n" },
		{ -1, NULL, "t.conf: no\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		read_text(text);
		assert_string_equal(problems(), "");
		config_complain(config,
		    cases[i].section == -1 ? NULL : section((unsigned)cases[i].section), true,
		    cases[i].option, "no");
		assert_string_equal(problems(), cases[i].said);
		assert_int_equal(config->errors, 1);
	}
}

static void
the_last_of_two_lines_counts(void **state)
{
	(void)state;
	read_text("[x]\ncert = a\ncert = b\n");
	assert_string_equal(section(0)->conf->near.cert, "b");
	config_complain(config, section(0), true, "cert", "no");
	assert_string_equal(problems(), "t.conf:3: cert: no\n");
}

static void
warnings_are_no_errors(void **state)
{
	(void)state;
	read_text("[x]\n");
	config_complain(config, section(0), false, NULL, "hm");
	assert_int_equal(config->errors, 0);
	assert_false(config->problems->fatal);
}

static void
a_bad_default_is_told_once(void **state)
{
	(void)state;
	read_text("cert = a\n[x]\n[y]\n");
	config_complain(config, section(0), true, "cert", "no");
	config_complain(config, section(1), true, "cert", "no");
	config_complain(config, section(0), true, "key", "no");
	config_complain(config, section(1), true, "key", "no");
	assert_string_equal(
	    problems(), "t.conf:1: cert: no\nt.conf:2: [x]: key: no\nt.conf:3: [y]: key: no\n");
}

static void
a_problem_is_cut_to_its_room(void **state)
{
	const struct problem p = { .file = "t.conf", .line = 12, .option = "cert", .text = "no" };
	const struct problem bare = { .service = "x", .text = "no" };
	char out[32], small[8];

	(void)state;
	assert_string_equal(problem_text(&p, out, sizeof(out)), "t.conf:12: cert: no");
	assert_string_equal(problem_text(&p, small, sizeof(small)), "t.conf:");
	assert_string_equal(problem_text(&bare, out, sizeof(out)), "[x]: no");
}

/* As logs of the incumbent are read by programs: the line itself, but no secret in it. */
static void
a_problem_with_its_line(void **state)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{ "TIMEOUTidle =  x ", "t.conf:2: \"TIMEOUTidle =  x \": " },
		{ "[y", "t.conf:2: \"[y\": " },
		{ "protocolPasswort = tops3cret", "t.conf:2: \"protocolPasswort = ...\": " },
		{ "ticketKeySecret = tops3cret", "t.conf:2: \"ticketKeySecret = ...\": " },
		{ "nonsense", "t.conf:2: \"nonsense\": " },
	};
	char text[128], out[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		(void)snprintf(text, sizeof(text), "[x]\n%s\n", cases[i].line);
		read_text(text);
		assert_non_null(config->problems);
		problem_text_with_line(config->problems, out, sizeof(out));
		assert_memory_equal(out, cases[i].text, strlen(cases[i].text));
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_stand_without_a_line),
		TEST(sections_begin_with_the_global_part),
		TEST(one_name_fills_every_set_that_knows_it),
		TEST(a_prefix_names_one_side),
		TEST(sections_carry_over_an_include_both_ways),
		TEST(no_section_is_no_error_here),
		TEST(each_fault_is_told_with_its_line),
		TEST(all_faults_are_told_in_one_go),
		TEST(a_million_faults_are_not_all_told),
		TEST(a_file_that_cannot_be_read),
		TEST(complaints_find_the_line_to_mend),
		TEST(the_last_of_two_lines_counts),
		TEST(warnings_are_no_errors),
		TEST(a_bad_default_is_told_once),
		TEST(a_problem_is_cut_to_its_room),
		TEST(a_problem_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
