/* SPDX-License-Identifier: Apache-2.0 */
/* config/parse.c -- text into lines, lines into events. */
#include "config/parse.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void complain(struct parse *, bool fatal, const char *option, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static void
complain(struct parse *p, bool fatal, const char *option, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (p->events->problem != NULL)
		p->events->problem(p->owner, p->where, fatal, option, text);
}

/* ---- lines ---- */

static const char blanks[] = " \t\v\f\r\n"; /* what isspace(3) takes for them in the C locale */

/* `s` without the blanks around it; cuts `s`. */
static char *
trim(char *s)
{
	char *end;

	s += strspn(s, blanks);
	end = s + strlen(s);
	while (end > s && strchr(blanks, end[-1]) != NULL)
		end--;
	*end = '\0';
	return s;
}

static void
parse_option(struct parse *p, char *name)
{
	char *value = strchr(name, '=');

	if (value == NULL) {
		complain(p, true, NULL, "there is no '=' in the line; write NAME = VALUE");
		return;
	}
	*value++ = '\0';
	name = trim(name);
	if (*name == '\0')
		complain(p, true, NULL, "nothing stands before the '='; write NAME = VALUE");
	else
		p->events->option(p->owner, p->where, name, trim(value));
}

/* Not a blank line, and no comment. */
static bool
says_something(const char *line)
{
	line += strspn(line, blanks);
	return *line != '\0' && *line != ';' && *line != '#';
}

static void
parse_line(struct parse *p, char *line)
{
	char *start = trim(line);
	size_t n = strlen(start);

	if (!says_something(start))
		return;
	if (*start != '[') {
		parse_option(p, start);
	} else if (start[n - 1] == ']') {
		start[n - 1] = '\0';
		p->events->section(p->owner, p->where, start + 1); /* blanks belong to the name */
	} else {
		complain(p, true, NULL,
		    "a section's header must end in ']'; a comment needs a line of its own");
	}
}

/* Copy a line as a string, without any CR.  NULL, or what is wrong with it. */
static const char *
take_line(const char *from, const char *to, char out[PARSE_LINE_MAX + 1])
{
	size_t n = 0;

	for (; from < to; from++) {
		if (*from == '\r')
			continue;
		if (*from == '\0')
			return "there is a NUL byte in the line; save the file as plain text";
		if (n == PARSE_LINE_MAX)
			return "the line is longer than 16383 bytes; shorten it";
		out[n++] = *from;
	}
	out[n] = '\0';
	return NULL;
}

void
parse_text(struct parse *p, const char *path, const char *text, size_t n)
{
	static const char bom[] = "\xef\xbb\xbf"; /* of UTF-8; Windows' editors leave it */
	const char *end = text + n, *next;
	struct where back = p->where;
	bool marked;
	char line[PARSE_LINE_MAX +
		  1]; /* not shared: the name of an `include` lies in it meanwhile */

	if ((p->where.file = arena_strdup(p->arena, path)) == NULL) {
		p->where = (struct where){ NULL, 0, NULL };
		complain(p, true, NULL, "out of memory");
		p->stopped = true;
	}
	p->where.line = 0;
	p->where.raw = NULL;
	marked = n >= strlen(bom) && memcmp(text, bom, strlen(bom)) == 0;
	if (marked)
		text += strlen(bom);
	if (p->events->file != NULL)
		p->events->file(p->owner, marked);
	for (; text < end && !p->stopped; text = next) {
		const char *stop = memchr(text, '\n', (size_t)(end - text)), *wrong;

		if (stop == NULL)
			stop = end;
		next = stop == end ? end : stop + 1;
		p->where.line++;
		p->where.raw = NULL;
		if ((wrong = take_line(text, stop, line)) != NULL) {
			complain(p, true, NULL, "%s", wrong);
			continue;
		}
		if (says_something(line))
			p->where.raw = arena_strdup(p->arena, line);
		parse_line(p, line);
	}
	p->where = back;
}

void
parse_stop(struct parse *p)
{
	p->stopped = true;
}

/* ---- files ---- */

static void
cannot_read(struct parse *p, const char *path, int error)
{
	struct where back = p->where;

	p->where = (struct where){ arena_strdup(p->arena, path), 0, NULL };
	complain(p, true, NULL, "cannot read the file: %s (%d)", strerror(error), error);
	p->where = back;
}

void
parse_file(struct parse *p, const char *path)
{
	struct file f;

	p->file_count++;
	if (!p->files->read(p->files, path, &f)) {
		cannot_read(p, path, errno);
		return;
	}
	parse_text(p, path, f.data, f.size);
	file_done(&f);
}

/* ---- include ---- */

static bool
ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

/* What editors and package managers leave behind: to read it would bring old services back. */
static bool
is_leftover(const char *name)
{
	static const char *const ends[] = { "~", ".bak", ".swp", ".rpmsave", ".rpmnew",
		".rpmorig" };

	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		if (ends_in(name, ends[i]))
			return true;
	}
	return name[0] == '.' || strstr(name, ".dpkg-") != NULL;
}

/* One entry of an included directory.  As with the incumbent, only regular files count. */
static void
include_entry(struct parse *p, const char *path, const char *name)
{
	struct file f;

	if (is_leftover(name)) {
		complain(p, false, "include",
		    "skipped %s: it looks like a copy that an editor or a package manager left; "
		    "rename "
		    "it if it is meant",
		    path);
		return;
	}
	p->file_count++;
	if (!p->files->read(p->files, path, &f)) {
		if (errno != EISDIR && errno != ENXIO) /* ENXIO: a socket */
			cannot_read(p, path, errno);
		return;
	}
	if (S_ISREG(f.mode))
		parse_text(p, path, f.data, f.size);
	file_done(&f);
}

static bool
include_all(struct parse *p, struct option_ctx *ctx, const char *folder, char **names)
{
	const char *slash = ends_in(folder, "/") ? "" : "/";

	for (; *names != NULL && !p->stopped && !p->no_includes; names++) {
		char *path = arena_printf(p->arena, "%s%s%s", folder, slash, *names);

		if (path == NULL)
			return option_refuse(ctx, "out of memory");
		if (p->file_count >= PARSE_FILES_MAX) {
			p->no_includes = true;
			return option_refuse(
			    ctx, "these are more than %d files; include fewer", PARSE_FILES_MAX);
		}
		include_entry(p, path, *names);
	}
	return true;
}

/* Field: struct parse, in the middle of a line. */
static bool
parse_include(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	struct parse *p = field;
	char safe[TEXT_SAFE_MAX], **names;
	bool ok;

	(void)opt;
	if (p->no_includes)
		return true;
	if (p->depth == PARSE_DEPTH_MAX) {
		p->no_includes =
		    true; /* else every turn of the loop would be read, and they multiply */
		return option_refuse(ctx,
		    "files include files more than %d deep; does a directory include itself?",
		    PARSE_DEPTH_MAX);
	}
	if ((names = p->files->list(p->files, value)) == NULL) {
		return option_refuse(ctx,
		    "cannot list the directory \"%s\": %s (%d); name a directory",
		    text_safe(value, strlen(value), safe, sizeof(safe)), strerror(errno), errno);
	}
	p->depth++;
	ok = include_all(p, ctx, value, names);
	p->depth--;
	files_list_free(names);
	return ok;
}

static const struct option parse_options[] = {
	{
	    .name = "include",
	    .parse = parse_include,
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_DIRECTORY,
	    .arg = "DIRECTORY",
	    .doc =
		"Read all files of this directory, in the order of their names' bytes, as if their "
		"text stood here. Options before a file's first section header belong to the "
		"section "
		"in which include stands; what follows the include line belongs to the last "
		"section "
		"that was opened. Skipped with a warning: hidden files, and copies that editors "
		"and "
		"package managers leave (*~, *.bak, *.swp, *.rpmsave, *.rpmnew, *.rpmorig, "
		"*.dpkg-*).",
	},
	{ .name = NULL },
};

const struct option_set parse_sets[] = {
	{ .title = "Files", .table = parse_options },
	{ .title = NULL },
};
