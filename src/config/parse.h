/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/parse.h -- the grammar of a configuration file: lines, section headers, included files.
 *
 * It knows no option but `include`; what the others mean is for whoever is told of them.
 */
#ifndef GINNEL_CONFIG_PARSE_H
#define GINNEL_CONFIG_PARSE_H

#include "base/files.h"
#include "base/option.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	PARSE_LINE_MAX = 16383, /* bytes in a line; the incumbent breaks longer ones apart */
	PARSE_DEPTH_MAX =
	    10, /* files that include files: more is a directory that includes itself */
	PARSE_FILES_MAX = 10000, /* files in all */
};

struct where {
	const char *file; /* NULL: nowhere */
	unsigned line;	  /* from 1; 0: the file as a whole */
	const char *raw;  /* the line as it stands there, or NULL */
};

/* What is found, in the order of the text.  The strings are gone after the call; where.file is not.
 */
struct parse_events {
	/* A file begins, with UTF-8's byte order mark or without; may be NULL. */
	void (*file)(void *owner, bool marked);
	void (*section)(void *owner, struct where, const char *name);
	void (*option)(void *owner, struct where, const char *name, const char *value);
	/* `option` may be NULL.  So may this, where another reading of the same text tells. */
	void (*problem)(
	    void *owner, struct where, bool fatal, const char *option, const char *text);
};

struct parse {
	struct files *files;
	struct arena *arena;
	const struct parse_events *events;
	void *owner;
	/* the parser's own */
	struct where where;
	unsigned depth, file_count;
	bool no_includes; /* there were too many: say it once */
	bool stopped;
};

/* The file at `path`, or a text that stands for it, and all that it includes. */
void parse_file(struct parse *, const char *path);
void parse_text(struct parse *, const char *path, const char *text, size_t n);
/* From an event: read no further. */
void parse_stop(struct parse *);

/* `include`: an option like the others, but what it fills is the struct parse that met it. */
extern const struct option_set parse_sets[];

#endif
