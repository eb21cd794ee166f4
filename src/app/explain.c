/* SPDX-License-Identifier: Apache-2.0 */
/* app/explain.c -- one option, or one end of a tunnel, in the words of the manual. */
#include "app/explain.h"

#include "app/process.h"
#include "base/reasons.h"
#include "base/text.h"
#include "config/parse.h"
#include "tunnel/service.h"

#include <string.h>
#include <strings.h>

enum { WIDTH = 80, INDENT = 4 };

/* An option can be in two tables: `debug` and `service` are global, and of a section. */
static const struct {
	const struct option_set *sets;
	const char *where;
} books[] = {
	{ process_sets, "a global option: above the first [section]" },
	{ service_sets, "an option of a [section]; above the first one it is a default for all" },
	{ parse_sets, "anywhere in the file" },
};

/* ---- the page ---- */

static void
print_wrapped(FILE *to, const char *text)
{
	int column = 0;

	while (*text != '\0') {
		int n = (int)strcspn(text, " ");

		if (column > 0 && column + 1 + n > WIDTH) {
			(void)fputc('\n', to);
			column = 0;
		}
		if (column == 0)
			column = fprintf(to, "%*s%.*s", INDENT, "", n, text);
		else
			column += fprintf(to, " %.*s", n, text);
		text += n;
		text += strspn(text, " ");
	}
	(void)fputc('\n', to);
}

static void
print_option(FILE *to, const struct option *o, const char *where)
{
	fprintf(to, "%s = %s", o->name, o->arg != NULL ? o->arg : "VALUE");
	if (o->def != NULL)
		fprintf(to, " (default: %s)", o->def);
	fprintf(to, "\n%*s(%s", INDENT, "", where);
	if (o->alias != NULL)
		fprintf(to, "; also called %s", o->alias);
	fprintf(to, ")\n");
	print_wrapped(to, o->doc);
}

static void
print_reason(FILE *to, const struct reason_info *r)
{
	fprintf(to, "end=%s\n%*s(how a tunnel ended)\n", r->code, INDENT, "");
	print_wrapped(to, r->words);
	if (*r->hint != '\0')
		print_wrapped(to, r->hint);
}

/* ---- what is called so ---- */

struct search {
	const char *word;
	FILE *to;
	bool found;
	unsigned best;	     /* letters that differ */
	const char *nearest; /* NULL: nothing is near */
};

static bool
is_it(struct search *s, const char *name)
{
	unsigned distance;

	if (name == NULL)
		return false;
	if (strcasecmp(name, s->word) == 0)
		return true;
	if ((distance = text_distance(name, s->word)) < s->best) {
		s->best = distance;
		s->nearest = name;
	}
	return false;
}

static void
search_options(struct search *s)
{
	for (size_t i = 0; i < COUNT_OF(books); i++)
		for (const struct option_set *set = books[i].sets; set->title != NULL; set++)
			for (const struct option *o = set->table; o->name != NULL; o++)
				if (is_it(s, o->name) || is_it(s, o->alias)) {
					print_option(s->to, o, books[i].where);
					s->found = true;
				}
}

static void
search_reasons(struct search *s)
{
	for (int i = R_NONE + 1; i < REASON_COUNT; i++)
		if (is_it(s, reason_info((enum reason)i)->code)) {
			print_reason(s->to, reason_info((enum reason)i));
			s->found = true;
		}
}

/* "accept.cert", "end=cert_missing": the word that is meant. */
static const char *
bare(const char *word)
{
	static const char *const fronts[] = { "accept.", "connect.", "end=" };

	for (size_t i = 0; i < COUNT_OF(fronts); i++)
		if (strncasecmp(word, fronts[i], strlen(fronts[i])) == 0)
			return word + strlen(fronts[i]);
	return word;
}

bool
explain(const char *word, FILE *to)
{
	struct search s = { .word = bare(word), .to = to, .best = 4 };
	char safe[TEXT_SAFE_MAX + 4];

	search_options(&s);
	search_reasons(&s);
	if (s.found)
		return true;
	fprintf(stderr, "ginnel: no option and no end of a tunnel is called \"%s\"; ",
	    text_safe(word, strlen(word), safe, sizeof(safe)));
	if (s.nearest != NULL)
		fprintf(stderr, "did you mean \"%s\"?\n", s.nearest);
	else
		fprintf(stderr, "\"ginnel help\" lists the options\n");
	return false;
}
