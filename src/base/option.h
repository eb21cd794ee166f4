/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/option.h -- one option of the configuration is one table entry.
 *
 * The tables stand beside the structs that they fill: tls_options[] in tls/conf.c, sock_options[]
 * in net/, tunnel_options[] in tunnel/, log_options[] in base/log.c, process_options[] in app/. The
 * parser, `ginnel check`, -help and the manual page are made from the same entries.
 */
#ifndef GINNEL_BASE_OPTION_H
#define GINNEL_BASE_OPTION_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct option;

/* What a parser works with.  On `false`, `why` says what is wrong and what to write instead. */
struct option_ctx {
	struct arena *arena; /* for everything that outlives the call */
	bool global;	     /* the line stands before the first [section] */
	char why[512];
};

/* Read `value` into `field`.  Returns false with ctx->why set. */
typedef bool option_parse(
    struct option_ctx *, const struct option *, void *field, const char *value);

/* Say why, and be the parser's answer: `return option_refuse(ctx, "...", ...);`. */
bool option_refuse(struct option_ctx *, const char *fmt, ...) PRINTF_LIKE(2, 3);

enum option_scope {
	OPTION_GLOBAL = 1,  /* only before the first [section] */
	OPTION_SERVICE = 2, /* in a section, or before the first one as a default for all */
};

enum option_reload {
	OPTION_RELOAD,	/* a new value holds for new connections after SIGHUP */
	OPTION_RESTART, /* fixed at start; a change on reload is warned of */
};

/* Does the value name something to be read?  A privileged helper opens that and nothing else. */
enum option_reads {
	OPTION_READS_NOTHING,
	OPTION_READS_FILE,
	OPTION_READS_DIRECTORY, /* and the files that are directly in it */
};

/* A keyword and what it stands for; tables end with a NULL name. */
struct option_word {
	const char *name;
	long value;
};

struct option {
	const char *name;  /* the incumbent's spelling; compared without case */
	const char *alias; /* an older name, or NULL */
	option_parse *parse;
	size_t offset; /* of the field, in the struct that the table fills */
	enum option_scope scope;
	enum option_reload reload;
	enum option_reads reads;
	bool secret;	 /* no message may show the value */
	const char *def; /* default, as text for the same parser; NULL: the zeroed field */
	long min, max;	 /* for numbers; both 0: any */
	const struct option_word *words; /* for option_word() */
	const char *arg; /* what the value is called in help and manual: "FILE", "SECONDS" */
	const char *doc; /* manual text: plain sentences, units named */
};

/* A table and where its struct lies in the record of a section. */
struct option_set {
	const char *title;	    /* heading in the manual */
	const struct option *table; /* ends with a NULL name */
	size_t offset;		    /* of the struct, in the record */
	/*
	 * Not NULL: the same table fills a second struct, at offset2.  A plain name sets both; with
	 * the prefix ("accept." / "connect.") it sets one.
	 */
	const char *prefix, *prefix2;
	size_t offset2;
};

/* Parsers for the common kinds; the field's type stands behind each. */
option_parse option_text;    /* const char *; an empty value gives NULL */
option_parse option_list;    /* struct strv, appended to */
option_parse option_yesno;   /* bool */
option_parse option_int;     /* int, within min..max */
option_parse option_long;    /* long, within min..max */
option_parse option_bytes;   /* int64_t, within min..max; K, M and G multiply by 1024 */
option_parse option_secs;    /* int, milliseconds; min..max seconds; -1, if min is: for ever */
option_parse option_keyword; /* int, one of `words` */

/* The words of a table joined for a message: "yes, no or quiet". */
const char *option_words(const struct option_word *, char *out, size_t size);

/*
 * Complaints about a configuration, sent up by whoever finds them.  `option` names the option that
 * is at fault (the receiver knows its file and line); NULL: the section as a whole.
 */
struct sink {
	void (*say)(struct sink *, bool fatal, const char *option, const char *text);
	unsigned errors; /* fatal ones so far */
};
void sink_error(struct sink *, const char *option, const char *fmt, ...) PRINTF_LIKE(3, 4);
void sink_warn(struct sink *, const char *option, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
