/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_parse.c -- the grammar: a text, and the events that it makes. */
#include "config/parse.h"
#include "kit/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

/* ---- a file system in memory ---- */

struct entry {
	const char *path, *text;
	mode_t mode; /* 0: a regular file */
};

struct tree {
	struct files files;	     /* first: the parser holds this */
	const struct entry *entries; /* in the order in which a directory gives them */
	unsigned reads;
};

static bool
tree_read(struct files *files, const char *path, struct file *out)
{
	struct tree *m = (struct tree *)files;

	m->reads++;
	for (const struct entry *e = m->entries; e->path != NULL; e++) {
		if (strcmp(e->path, path) != 0)
			continue;
		if (e->text == NULL) {
			errno = EISDIR;
			return false;
		}
		return memory_file(
		    out, e->text, strlen(e->text), e->mode != 0 ? e->mode : S_IFREG | 0600);
	}
	errno = ENOENT;
	return false;
}

static char **
tree_list(struct files *files, const char *path)
{
	const struct tree *m = (const struct tree *)files;
	size_t len = strlen(path), n = 0;
	char **names = calloc(32, sizeof(*names));

	assert_non_null(names);
	if (len > 0 && path[len - 1] == '/')
		len--;
	for (const struct entry *e = m->entries; e->path != NULL; e++) {
		if (strncmp(e->path, path, len) == 0 && e->path[len] == '/')
			names[n++] = strdup(e->path + len + 1);
	}
	if (n > 0)
		return names;
	free(names);
	errno = ENOENT;
	return NULL;
}

/* ---- events as a transcript ---- */

struct listener {
	struct parse parse;
	unsigned stop_after; /* events; 0: never */
	char said[4096];
};

static void say(struct listener *, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
say(struct listener *l, const char *fmt, ...)
{
	size_t used = strlen(l->said);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(l->said + used, sizeof(l->said) - used, fmt, ap);
	va_end(ap);
	if (l->stop_after > 0 && --l->stop_after == 0)
		parse_stop(&l->parse);
}

static void
on_section(void *owner, struct where where, const char *name)
{
	say(owner, "%s:%u [%s]\n", where.file, where.line, name);
}

static void
on_problem(void *owner, struct where where, bool fatal, const char *option, const char *text)
{
	say(owner, "%s:%u %s%s%s %.30s\n", where.file, where.line, fatal ? "error" : "warning",
	    option != NULL ? " " : "", option != NULL ? option : "", text);
}

static void
on_option(void *owner, struct where where, const char *name, const char *value)
{
	struct listener *l = owner;
	const struct option *include = parse_sets[0].table;
	struct option_ctx ctx = { .arena = l->parse.arena };

	if (strcasecmp(name, "include") != 0) {
		say(l, "%s:%u %s=%s\n", where.file, where.line, name, value);
		return;
	}
	if (!include->parse(&ctx, include, &l->parse, value))
		on_problem(l, where, true, name, ctx.why);
}

static const struct parse_events events = { NULL, on_section, on_option, on_problem };

static struct listener listener;

/* The transcript of `n` bytes under the name "f". */
static const char *
transcript(const char *text, size_t n, struct tree *tree, unsigned stop_after)
{
	struct arena *arena = arena_new();

	assert_non_null(arena);
	memset(&listener, 0, sizeof(listener));
	listener.stop_after = stop_after;
	listener.parse = (struct parse){ .arena = arena, .events = &events, .owner = &listener };
	if (tree != NULL) {
		tree->files = (struct files){ tree_read, tree_list };
		listener.parse.files = &tree->files;
	}
	parse_text(&listener.parse, "f", text, n);
	arena_free(arena);
	return listener.said;
}

/* ---- lines ---- */

static void
forms_of_lines(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "", "" },
		{ "\n\n \t\n", "" },
		{ "; a = b\n# [c]\n  ; d\n", "" },
		{ "a=b", "f:1 a=b\n" },
		{ "a=b\n", "f:1 a=b\n" },
		{ " \t Accept \t=\v 1.2.3.4:5 \f \n", "f:1 Accept=1.2.3.4:5\n" },
		{ "a = b = c\n", "f:1 a=b = c\n" },
		{ "pid =\n", "f:1 pid=\n" },
		{ "client = yes ; note\n", "f:1 client=yes ; note\n" },
		{ "a = \"b\"\n", "f:1 a=\"b\"\n" },
		{ "[x]\n[ a b ]\n[]\n[x=y]\n[[z]]\n",
		    "f:1 [x]\nf:2 [ a b ]\nf:3 []\nf:4 [x=y]\nf:5 [[z]]\n" },
		{ "  [x]  \n", "f:1 [x]\n" },
		{ "[x] ; note\na=b\n", "f:1 error a section's header must end in\nf:2 a=b\n" },
		{ "[\n", "f:1 error a section's header must end in\n" },
		{ "what\n", "f:1 error there is no '=' in the line; w\n" },
		{ " = b\n", "f:1 error nothing stands before the '=';\n" },
		{ "a=b\r\n[x]\r\n", "f:1 a=b\nf:2 [x]\n" },
		{ "a\r=\rb\rc\n", "f:1 a=bc\n" }, /* anywhere in a line, as the incumbent does */
		{ "\xef\xbb\xbf[x]\n", "f:1 [x]\n" },
		{ "a=\xef\xbb\xbf\n", "f:1 a=\xef\xbb\xbf\n" },
		{ "\n\xef\xbb\xbf[x]\n", "f:2 error there is no '=' in the line; w\n" },
		{ "\xef\xbb\xbf", "" },
		{ "\xef\xbb", "f:1 error there is no '=' in the line; w\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(
		    transcript(cases[i].text, strlen(cases[i].text), NULL, 0), cases[i].said);
}

static void
a_nul_byte_spoils_its_line_only(void **state)
{
	static const char text[] = "a=b\0c\nd=e\n\0\nf=g\0";

	(void)state;
	assert_string_equal(transcript(text, sizeof(text) - 1, NULL, 0),
	    "f:1 error there is a NUL byte in the lin\nf:2 d=e\n"
	    "f:3 error there is a NUL byte in the lin\nf:4 error there is a NUL byte in the lin\n");
}

static void
a_long_line_is_refused_whole(void **state)
{
	char text[PARSE_LINE_MAX + 16];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[0] = ';';
	memcpy(text + PARSE_LINE_MAX, "\na=b", 4);
	assert_string_equal(transcript(text, PARSE_LINE_MAX + 4, NULL, 0), "f:2 a=b\n");
	memcpy(text + PARSE_LINE_MAX, "\r\na=b", 5);
	assert_string_equal(transcript(text, PARSE_LINE_MAX + 5, NULL, 0), "f:2 a=b\n");
	memcpy(text + PARSE_LINE_MAX, "x\na=b", 5);
	assert_string_equal(transcript(text, PARSE_LINE_MAX + 5, NULL, 0),
	    "f:1 error the line is longer than 16383 \nf:2 a=b\n");
}

static void
reading_can_be_stopped(void **state)
{
	static const char text[] = "a=1\nb=2\nc=3\n";

	(void)state;
	assert_string_equal(transcript(text, strlen(text), NULL, 2), "f:1 a=1\nf:2 b=2\n");
}

/* ---- include ---- */

static const char *
include_of(const char *text, const struct entry *entries, unsigned *reads)
{
	struct tree tree = { .entries = entries };
	const char *said = transcript(text, strlen(text), &tree, 0);

	if (reads != NULL)
		*reads = tree.reads;
	return said;
}

static void
included_text_stands_in_place(void **state)
{
	static const struct entry entries[] = {
		{ "d/1",
		    "\xef\xbb\xbf"
		    "a=1\n[one]\nb=2",
		    0 },
		{ "d/2", "[two]\n", 0 },
		{ NULL, NULL, 0 },
	};

	(void)state;
	assert_string_equal(include_of("x=0\ninclude = d\nafter=3\n", entries, NULL),
	    "f:1 x=0\nd/1:1 a=1\nd/1:2 [one]\nd/1:3 b=2\nd/2:1 [two]\nf:3 after=3\n");
	assert_string_equal(include_of("INCLUDE=d/\n[three]\n", entries, NULL),
	    "d/1:1 a=1\nd/1:2 [one]\nd/1:3 b=2\nd/2:1 [two]\nf:2 [three]\n");
}

static void
leftovers_are_skipped(void **state)
{
	static const struct entry entries[] = {
		{ "d/.hidden", "a=1\n", 0 },
		{ "d/a.conf.rpmsave", "a=1\n", 0 },
		{ "d/a.conf~", "a=1\n", 0 },
		{ "d/b.bak", "a=1\n", 0 },
		{ "d/b.dpkg-dist", "a=1\n", 0 },
		{ "d/b.rpmnew", "a=1\n", 0 },
		{ "d/b.rpmorig", "a=1\n", 0 },
		{ "d/b.swp", "a=1\n", 0 },
		{ "d/bak", "a=1\n", 0 },
		{ "d/c.conf.d", NULL, 0 }, /* a directory */
		{ "d/fifo", "a=1\n", 010600 },
		{ "d/rpmsave.conf", "a=2\n", 0 },
		{ NULL, NULL, 0 },
	};
	const char *said;
	unsigned warnings = 0;

	(void)state;
	said = include_of("include = d\n", entries, NULL);
	for (const char *p = said; (p = strstr(p, "f:1 warning include skipped d/")) != NULL; p++)
		warnings++;
	assert_int_equal(warnings, 8);
	assert_non_null(said = strstr(said, "d/bak:1"));
	assert_string_equal(said, "d/bak:1 a=1\nd/rpmsave.conf:1 a=2\n");
}

static void
what_cannot_be_included(void **state)
{
	static const struct entry entries[] = { { "d/1", "a=1\n", 0 }, { NULL, NULL, 0 } };

	(void)state;
	assert_string_equal(include_of("include = e\nb=2\n", entries, NULL),
	    "f:1 error include cannot list the directory \"e\":\nf:2 b=2\n");
	assert_string_equal(include_of("include =\n", entries, NULL),
	    "f:1 error include cannot list the directory \"\": \n");
}

static void
a_file_that_is_gone_is_an_error(void **state)
{
	struct tree tree = { .entries = (const struct entry[]){ { NULL, NULL, 0 } } };
	struct arena *arena = arena_new();

	(void)state;
	tree.files = (struct files){ tree_read, tree_list };
	memset(&listener, 0, sizeof(listener));
	listener.parse = (struct parse){
		.files = &tree.files, .arena = arena, .events = &events, .owner = &listener
	};
	parse_file(&listener.parse, "gone");
	arena_free(arena);
	assert_string_equal(listener.said, "gone:0 error cannot read the file: No such \n");
}

/* Ten files that each include all ten: ten to the tenth reads, were the loop not noticed. */
static void
a_loop_is_noticed_once(void **state)
{
	struct entry entries[11] = { { NULL, NULL, 0 } };
	char paths[10][8];
	unsigned reads;

	(void)state;
	for (int i = 0; i < 10; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "d/%d", i);
		entries[i] = (struct entry){ paths[i], "include = d\n", 0 };
	}
	assert_string_equal(include_of("include = d\na=1\n", entries, &reads),
	    "d/0:1 error include files include files more than \nf:2 a=1\n");
	assert_int_equal(reads, PARSE_DEPTH_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_of_lines),
		cmocka_unit_test(a_nul_byte_spoils_its_line_only),
		cmocka_unit_test(a_long_line_is_refused_whole),
		cmocka_unit_test(reading_can_be_stopped),
		cmocka_unit_test(included_text_stands_in_place),
		cmocka_unit_test(leftovers_are_skipped),
		cmocka_unit_test(what_cannot_be_included),
		cmocka_unit_test(a_file_that_is_gone_is_an_error),
		cmocka_unit_test(a_loop_is_noticed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
