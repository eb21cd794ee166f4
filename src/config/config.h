/* SPDX-License-Identifier: Apache-2.0 */
/* config/config.h -- a configuration file as sections of filled records.  Text in; build.h makes
 * the plan. */
#ifndef GINNEL_CONFIG_CONFIG_H
#define GINNEL_CONFIG_CONFIG_H

#include "base/files.h"
#include "base/option.h"
#include "config/parse.h"
#include "tunnel/service.h"

#include <stdbool.h>

/* One complaint.  `file` NULL: about no line in particular. */
struct problem {
	struct problem *next;
	bool fatal;
	const char *file;
	unsigned line;	     /* 0: the file as a whole */
	const char *service; /* the section that is at fault as a whole, or NULL */
	const char *option;  /* or NULL */
	const char *text;    /* what is wrong; what to write instead */
	const char *raw;     /* the line, without secrets, or NULL */
};

struct section {
	struct section *next;
	const char *name;   /* in the brackets, untrimmed; NULL: the global part */
	struct where where; /* its header */
	struct service_conf *conf;
	struct where *set; /* for each of config->places, where it was last set */
	bool faulty;	   /* a line of it was refused */
};

struct place; /* an option and the field that it fills; config.c's own */

struct config {
	unsigned magic;
	struct arena *arena;
	const char *path;
	void *globals;		  /* record of the global sets (the caller's struct) */
	struct section *global;	  /* holds the defaults for sections */
	struct section *sections; /* in file order; names may repeat */
	unsigned section_count;
	struct problem *problems, **problems_end; /* in the order they were found */
	unsigned problem_count;
	unsigned errors; /* fatal ones */
	const struct place *places;
	unsigned place_count;
};

/*
 * Read `path` (or, if `text` is given, that text under the name `path`) and everything that it
 * includes. `global_sets` fill a record of `globals_size` bytes, zeroed and then given the tables'
 * defaults. Returns NULL only without memory; what is wrong with the file is in ->problems, all of
 * it.
 */
struct config *config_read(struct files *, const char *path, const char *text,
    const struct option_set *global_sets, size_t globals_size);
void config_free(struct config *); /* NULL is fine */

/* Add a complaint about an option of a section (NULL: the global part), as if found while reading.
 */
void config_complain(
    struct config *, const struct section *, bool fatal, const char *option, const char *text);

/*
 * "file:12: option: text", "file:12: [service]: text" of a section as a whole, "file: text" where
 * no line is known.  Returns out.
 */
const char *problem_text(const struct problem *, char *out, size_t size);
/* The same as the incumbent has it: "file:12: "the line": text", "Service [x]: text". */
const char *problem_text_with_line(const struct problem *, char *out, size_t size);

#endif
