/* SPDX-License-Identifier: Apache-2.0 */
/* config/config.c -- what the lines of a configuration mean, by the tables of options. */
#include "config/config.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONFIG_MAGIC 0x68452aacu

/* No one mends more at a time, and a binary file would bring a million. */
enum { PROBLEMS_MAX = 1000 };

enum record { RECORD_GLOBALS, RECORD_SERVICE, RECORD_PARSE };

/*
 * An option and the one field that it fills.  Several places can have the same name: `debug` fills
 * the global record and the defaults of all services, `cert` both sides of a service.
 */
struct place {
	const struct option *option;
	const char *prefix; /* which sets this place alone; "" if there is none */
	enum record record;
	size_t offset;
};

struct reader {
	struct config *config;
	struct section *current; /* config->global before the first header */
	bool no_memory;
	struct parse parse;
};

/* ---- places ---- */

static bool
place_named(const struct place *p, const char *name)
{
	size_t n = strlen(p->prefix);

	if (n > 0 && strncasecmp(name, p->prefix, n) == 0)
		name += n;
	return strcasecmp(name, p->option->name) == 0 ||
	       (p->option->alias != NULL && strcasecmp(name, p->option->alias) == 0);
}

/* May it stand in a [section]? */
static bool
place_is_local(const struct place *p)
{
	return p->record != RECORD_GLOBALS && p->option->scope == OPTION_SERVICE;
}

static void *
place_field(const struct place *p, struct reader *r)
{
	char *record[] = {
		[RECORD_GLOBALS] = r->config->globals,
		[RECORD_SERVICE] = (char *)r->current->conf,
		[RECORD_PARSE] = (char *)&r->parse,
	};

	return record[p->record] + p->offset;
}

static bool
place_set(const struct place *p, struct reader *r, struct option_ctx *ctx, const char *value)
{
	return p->option->parse(ctx, p->option, place_field(p, r), value);
}

/* The places of some sets into `out`, if there is one.  Returns how many they are. */
static unsigned
list_places(const struct option_set *sets, enum record record, struct place *out)
{
	unsigned n = 0;

	for (const struct option_set *s = sets; s->title != NULL; s++) {
		const struct place sides[] = {
			{ NULL, s->prefix != NULL ? s->prefix : "", record, s->offset },
			{ NULL, s->prefix2, record, s->offset2 },
		};
		unsigned count = s->prefix2 != NULL ? 2 : 1;

		for (const struct option *o = s->table; o->name != NULL; o++) {
			for (unsigned i = 0; i < count; i++, n++) {
				if (out == NULL)
					continue;
				out[n] = sides[i];
				out[n].option = o;
				out[n].offset += o->offset;
			}
		}
	}
	return n;
}

static bool
make_places(struct config *c, const struct option_set *global_sets)
{
	const struct {
		const struct option_set *sets;
		enum record record;
	} all[] = {
		{ global_sets, RECORD_GLOBALS },
		{ service_sets, RECORD_SERVICE },
		{ parse_sets, RECORD_PARSE },
	};
	struct place *places;
	unsigned n = 0;

	for (size_t i = 0; i < COUNT_OF(all); i++)
		c->place_count += list_places(all[i].sets, all[i].record, NULL);
	if ((places = arena_alloc(c->arena, c->place_count * sizeof(*places))) == NULL)
		return false;
	for (size_t i = 0; i < COUNT_OF(all); i++)
		n += list_places(all[i].sets, all[i].record, places + n);
	c->places = places;
	return true;
}

/* ---- problems ---- */

/* A copy of `text` that may be missing. */
static bool
keep_text(struct arena *arena, const char **text)
{
	return *text == NULL || (*text = arena_strdup(arena, *text)) != NULL;
}

/* Keep a copy of `found`.  An error counts even without memory for its text. */
static bool
add_problem(struct config *c, const struct problem *found)
{
	struct problem *p;

	c->errors += found->fatal;
	if ((p = arena_alloc(c->arena, sizeof(*p))) == NULL)
		return false;
	*p = *found;
	if (!keep_text(c->arena, &p->option) || !keep_text(c->arena, &p->text))
		return false;
	*c->problems_end = p;
	c->problems_end = &p->next;
	c->problem_count++;
	return true;
}

/*
 * A line as it may be shown.  The value of an option that keeps a secret is left out, and that of
 * one that nobody knows, as it may be a misspelt secret.
 */
static const char *
shown(const struct config *c, const char *raw, const char *option)
{
	const char *end;

	if (raw == NULL)
		return NULL;
	for (unsigned i = 0; option != NULL && i < c->place_count; i++)
		if (place_named(&c->places[i], option))
			return c->places[i].option->secret
				   ? arena_printf(c->arena, "%s = ...", option)
				   : raw;
	if (raw[strspn(raw, " \t")] == '[' || (end = strpbrk(raw, "=:")) == NULL)
		return raw;
	return arena_printf(c->arena, "%.*s ...", (int)(end + 1 - raw), raw);
}

static void
on_file(void *owner, bool marked)
{
	(void)owner;
	log_notice(&log_main, "UTF-8 byte order mark %sdetected", marked ? "" : "not ");
}

static void
give_up(struct reader *r)
{
	r->no_memory = true;
	parse_stop(&r->parse);
}

static void
on_problem(void *owner, struct where where, bool fatal, const char *option, const char *text)
{
	struct reader *r = owner;
	struct problem p = { .fatal = fatal,
		.file = where.file,
		.line = where.line,
		.raw = shown(r->config, where.raw, option),
		.option = option,
		.text = text };

	r->current->faulty |= fatal;
	if (!add_problem(r->config, &p))
		give_up(r);
	if (r->config->problem_count < PROBLEMS_MAX || r->parse.stopped)
		return;
	p.option = NULL;
	p.text = "too many errors; the rest was not read";
	p.fatal = true;
	if (!add_problem(r->config, &p))
		give_up(r);
	parse_stop(&r->parse);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* One bad default would otherwise be told of once for each section. */
static bool
is_known(const struct config *c, const struct problem *new)
{
	for (const struct problem *p = c->problems; p != NULL; p = p->next) {
		if (p->line == new->line &&
		    p->fatal == new->fatal &&same_text(p->file, new->file) &&
		    same_text(p->service, new->service) && same_text(p->option, new->option) &&
		    same_text(p->text, new->text))
			return true;
	}
	return false;
}

/* Where the section itself says `option`; { NULL, 0 } if it does not. */
static struct where
set_in(const struct config *c, const struct section *section, const char *option)
{
	for (unsigned i = 0; i < c->place_count; i++) {
		if (section->set[i].file != NULL && place_named(&c->places[i], option))
			return section->set[i];
	}
	return (struct where){ NULL, 0, NULL };
}

/* The line to mend: in the section, else the default that it took over. */
static struct where
where_set(const struct config *c, const struct section *section, const char *option)
{
	struct where w = set_in(c, section, option);

	return w.file != NULL ? w : set_in(c, c->global, option);
}

void
config_complain(struct config *c, const struct section *section, bool fatal, const char *option,
    const char *text)
{
	struct where w = { NULL, 0, NULL };
	struct problem p = { .fatal = fatal, .option = option, .text = text };

	CHECK_OBJ(c, CONFIG_MAGIC);
	if (section == NULL)
		section = c->global;
	/* What seems to be missing may be what a line that was refused would have said. */
	if (option == NULL && (section->faulty || c->global->faulty) && c->errors > 0)
		return;
	if (option != NULL)
		w = where_set(c, section, option);
	if (w.file == NULL) {
		w = section->where;
		p.service = section->name;
	}
	p.file = w.file;
	p.line = w.line;
	p.raw = shown(c, w.raw, option);
	if (!is_known(c, &p))
		(void)add_problem(c, &p);
}

const char *
problem_text(const struct problem *p, char *out, size_t size)
{
	char line[16] = "";
	bool service = p->service != NULL, option = p->option != NULL;

	if (p->line > 0)
		(void)snprintf(line, sizeof(line), ":%u", p->line);
	(void)snprintf(out, size, "%s%s%s%s%s%s%s%s%s", p->file != NULL ? p->file : "", line,
	    p->file != NULL ? ": " : "", service ? "[" : "", service ? p->service : "",
	    service ? "]: " : "", option ? p->option : "", option ? ": " : "", p->text);
	return out;
}

const char *
problem_text_with_line(const struct problem *p, char *out, size_t size)
{
	if (p->raw != NULL && p->file != NULL && p->line > 0 && p->service == NULL)
		(void)snprintf(out, size, "%s:%u: \"%s\": %s", p->file, p->line, p->raw, p->text);
	else if (p->service != NULL && strncmp(p->text, "Service [", 9) == 0)
		(void)snprintf(out, size, "%s", p->text); /* names it itself */
	else if (p->service != NULL)
		(void)snprintf(out, size, "Service [%s]: %s%s%s", p->service,
		    p->option != NULL ? p->option : "", p->option != NULL ? ": " : "", p->text);
	else if (p->file != NULL && p->line > 0)
		(void)snprintf(out, size, "%s:%u: %s", p->file, p->line, p->text);
	else
		(void)snprintf(out, size, "Global options: %s%s%s",
		    p->option != NULL ? p->option : "", p->option != NULL ? ": " : "", p->text);
	return out;
}

/* ---- what the lines mean ---- */

static struct section *
section_new(struct config *c, struct where where, const char *name)
{
	struct section *s;

	if ((s = arena_alloc(c->arena, sizeof(*s))) == NULL || !keep_text(c->arena, &name) ||
	    (s->conf = arena_alloc(c->arena, sizeof(*s->conf))) == NULL ||
	    (s->set = arena_alloc(c->arena, c->place_count * sizeof(*s->set))) == NULL)
		return NULL;
	s->name = name;
	s->where = where;
	return s;
}

/* A section begins as a copy of the global part; what lists it has are copied when they grow. */
static void
on_section(void *owner, struct where where, const char *name)
{
	struct reader *r = owner;
	struct config *c = r->config;
	struct section *s;

	if ((s = section_new(c, where, name)) == NULL) {
		give_up(r);
		return;
	}
	*s->conf = *c->global->conf;
	s->conf->name = s->name;
	if (c->sections == NULL)
		c->sections = s;
	else
		r->current->next = s;
	c->section_count++;
	r->current = s;
}

/* The option whose name is nearest to a misspelt one, with its prefix; NULL if none is near. */
static const char *
suggest(const struct config *c, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);
	unsigned best = n < 6 ? 2 : n < 12 ? 3 : 4; /* one more than may differ */
	const struct place *nearest = NULL;
	bool prefixed = strchr(name, '.') != NULL;

	for (unsigned i = 0; i < c->place_count; i++) {
		const struct place *p = &c->places[i];
		size_t m =
		    (size_t)snprintf(out, size, "%s%s", prefixed ? p->prefix : "", p->option->name);
		unsigned distance;

		if (m >= n + best || n >= m + best) /* each letter more is an edit */
			continue;
		if ((distance = text_distance(name, out)) < best) {
			best = distance;
			nearest = p;
		}
	}
	if (nearest == NULL)
		return NULL;
	(void)snprintf(out, size, "%s%s", prefixed ? nearest->prefix : "", nearest->option->name);
	return out;
}

static void
unknown_option(struct reader *r, struct where where, const char *name)
{
	char safe[TEXT_SAFE_MAX], near[128], text[256];
	const char *other = suggest(r->config, name, near, sizeof(near));

	if (other != NULL)
		(void)snprintf(text, sizeof(text),
		    "Specified option name is not valid here: unknown option; did you mean \"%s\"?",
		    other);
	else
		(void)snprintf(text, sizeof(text),
		    "Specified option name is not valid here: unknown option; the manual lists all "
		    "that there are");
	on_problem(r, where, true, text_safe(name, strlen(name), safe, sizeof(safe)), text);
}

static void
misplaced_option(struct reader *r, struct where where, const char *name)
{
	const struct where first = r->config->sections->where;
	char text[512];

	(void)snprintf(text, sizeof(text),
	    "Specified option name is not valid here: a global option, and this is a section; move "
	    "it above line %u of %s, where the first "
	    "section begins",
	    first.line, first.file);
	on_problem(r, where, true, name, text);
}

/* Has the value a comment behind it?  Many believe that the incumbent knows such a thing. */
static bool
has_comment(const char *value)
{
	const char *mark = strpbrk(value, ";#");

	return mark != NULL && mark > value && (mark[-1] == ' ' || mark[-1] == '\t');
}

static void
bad_value(
    struct reader *r, struct where where, const char *name, const char *value, const char *why)
{
	char text[640];

	(void)snprintf(text, sizeof(text), "%s%s", why,
	    has_comment(value) ? "; a comment needs a line of its own" : "");
	on_problem(r, where, true, name, text);
}

/* Fill the field of one place, or say why not. */
static bool
apply(struct reader *r, unsigned i, struct where where, const char *name, const char *value)
{
	const struct place *p = &r->config->places[i];
	struct section *section = r->current; /* `include` may change it */
	struct option_ctx ctx = { .arena = r->config->arena,
		.global = section == r->config->global };

	section->set[i] = where;
	if (place_set(p, r, &ctx, value))
		return true;
	bad_value(r, where, name, value, ctx.why);
	return false;
}

static void
on_option(void *owner, struct where where, const char *name, const char *value)
{
	struct reader *r = owner;
	bool global = r->current == r->config->global;
	bool known = false, done = false;

	for (unsigned i = 0; i < r->config->place_count; i++) {
		const struct place *p = &r->config->places[i];

		if (!place_named(p, name))
			continue;
		known = true;
		if (!global && !place_is_local(p))
			continue;
		done = true;
		if (!apply(r, i, where, name, value))
			break; /* the others of this name would say the same */
	}
	if (!known)
		unknown_option(r, where, name);
	else if (!done)
		misplaced_option(r, where, name);
}

/* ---- the whole ---- */

/* The defaults of the tables, by the parsers that read the files. */
static void
set_defaults(struct reader *r)
{
	struct option_ctx ctx = { .arena = r->config->arena, .global = true };

	for (unsigned i = 0; i < r->config->place_count; i++) {
		const struct place *p = &r->config->places[i];
		const struct option *o = p->option;

		if (o->def != NULL && !place_set(p, r, &ctx, o->def))
			on_problem(r, (struct where){ NULL, 0, NULL }, true, o->name, ctx.why);
	}
}

static struct config *
config_new(const char *path, const struct option_set *global_sets, size_t globals_size)
{
	struct config *c;

	if (OBJ_NEW(c, CONFIG_MAGIC) == NULL)
		return NULL;
	c->problems_end = &c->problems;
	if ((c->arena = arena_new()) != NULL && (c->path = arena_strdup(c->arena, path)) != NULL &&
	    (c->globals = arena_alloc(c->arena, globals_size)) != NULL &&
	    make_places(c, global_sets) &&
	    (c->global = section_new(c, (struct where){ c->path, 0, NULL }, NULL)) != NULL &&
	    service_init(c->arena, c->global->conf))
		return c;
	config_free(c);
	return NULL;
}

struct config *
config_read(struct files *files, const char *path, const char *text,
    const struct option_set *global_sets, size_t globals_size)
{
	static const struct parse_events events = {
		.file = on_file,
		.section = on_section,
		.option = on_option,
		.problem = on_problem,
	};
	struct config *c;
	struct reader r;

	if ((c = config_new(path, global_sets, globals_size)) == NULL)
		return NULL;
	r = (struct reader){
		.config = c,
		.current = c->global,
		.parse = { .files = files, .arena = c->arena, .events = &events, .owner = &r },
	};
	set_defaults(&r);
	if (text != NULL)
		parse_text(&r.parse, path, text, strlen(text));
	else
		parse_file(&r.parse, path);
	if (!r.no_memory)
		return c;
	config_free(c);
	return NULL;
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	CHECK_OBJ(c, CONFIG_MAGIC);
	arena_free(c->arena);
	OBJ_FREE(c);
}
