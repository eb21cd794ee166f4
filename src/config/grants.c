/* SPDX-License-Identifier: Apache-2.0 */
/* config/grants.c -- what a configuration names outside itself. */
#include "config/grants.h"

#include <string.h>
#include <strings.h>

enum { GRANTS_MAGIC = 0x5e7a90c3 };

struct grant {
	struct grant *next;
	const char *path;
	enum option_reads reads;
};

struct listening {
	struct listening *next;
	struct service_conf conf;
};

struct grants {
	unsigned magic;
	struct arena *arena;
	struct grant *files;
	struct listening *first, *current; /* first: the global part */
};

struct reader {
	struct grants *grants;
	const struct option_set *global_sets;
	struct parse parse;
	bool no_memory;
};

/* The options that say which sockets a service has, and which network device. */
static const char *const socket_options[] = { "accept", "socket", "setuid", "setgid", "transparent",
	"protocol", "vpnDevice", "vpnMTU", "vpnPool", "vpnPool6", "vpnRoutes", "vpnSetup" };

static bool
is_socket_option(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(socket_options); i++)
		if (strcasecmp(name, socket_options[i]) == 0)
			return true;
	return false;
}

static bool
named(const struct option_set *set, const struct option *o, const char *name)
{
	const char *prefixes[] = { set->prefix, set->prefix2 };

	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		size_t n = prefixes[i] != NULL ? strlen(prefixes[i]) : 0;

		if (n > 0 && strncasecmp(name, prefixes[i], n) == 0) {
			name += n;
			break;
		}
	}
	return strcasecmp(name, o->name) == 0 ||
	       (o->alias != NULL && strcasecmp(name, o->alias) == 0);
}

static const struct option *
find(const struct option_set *sets, const char *name)
{
	for (; sets->title != NULL; sets++)
		for (const struct option *o = sets->table; o->name != NULL; o++)
			if (named(sets, o, name))
				return o;
	return NULL;
}

static void
give_up(struct reader *r)
{
	r->no_memory = true;
	parse_stop(&r->parse);
}

static void
add(struct reader *r, const char *path, enum option_reads reads)
{
	struct grants *g = r->grants;
	struct grant *file = arena_alloc(g->arena, sizeof(*file));

	if (file == NULL || (file->path = arena_strdup(g->arena, path)) == NULL) {
		give_up(r);
		return;
	}
	file->reads = reads;
	file->next = g->files;
	g->files = file;
}

/* A fault here is left to the process that reads the configuration for its meaning. */
static void
set_socket_option(struct reader *r, const char *name, const char *value)
{
	struct option_ctx ctx = { .arena = r->grants->arena };

	for (const struct option_set *s = service_sets; s->title != NULL; s++)
		for (const struct option *o = s->table; o->name != NULL; o++)
			if (strcasecmp(o->name, name) == 0)
				(void)o->parse(&ctx, o,
				    (char *)&r->grants->current->conf + s->offset + o->offset,
				    value);
}

static void
on_option(void *owner, struct where where, const char *name, const char *value)
{
	const struct option_set *const sets[] = { service_sets, parse_sets,
		((struct reader *)owner)->global_sets };
	struct reader *r = owner;
	struct option_ctx ctx = { .arena = r->grants->arena };
	const struct option *o;

	(void)where;
	if (is_socket_option(name))
		set_socket_option(r, name, value);
	for (size_t i = 0; i < COUNT_OF(sets); i++)
		if ((o = find(sets[i], name)) != NULL && o->reads != OPTION_READS_NOTHING)
			add(r, value, o->reads);
	/* What include adds may name more. */
	if ((o = find(parse_sets, name)) != NULL)
		(void)o->parse(&ctx, o, (char *)&r->parse + o->offset, value);
}

static void
on_section(void *owner, struct where where, const char *name)
{
	struct reader *r = owner;
	struct grants *g = r->grants;
	struct listening *l = arena_alloc(g->arena, sizeof(*l));

	(void)where;
	(void)name;
	if (l == NULL) {
		give_up(r);
		return;
	}
	l->conf = g->first->conf; /* what stands before the first header is a default */
	g->current->next = l;
	g->current = l;
}

/* The global part, with the tables' defaults. */
static bool
begin(struct reader *r)
{
	struct grants *g = r->grants;

	if ((g->arena = arena_new()) == NULL ||
	    (g->first = arena_alloc(g->arena, sizeof(*g->first))) == NULL ||
	    !service_init(g->arena, &g->first->conf))
		return false;
	g->current = g->first;
	for (size_t i = 0; i < COUNT_OF(socket_options); i++) {
		const struct option *o = find(service_sets, socket_options[i]);

		if (o != NULL && o->def != NULL)
			set_socket_option(r, o->name, o->def);
	}
	return true;
}

static void
read_file(struct reader *r, const char *path)
{
	add(r, path, OPTION_READS_FILE);
	parse_file(&r->parse, path);
}

struct grants *
grants_read(
    struct files *files, const char *path, const char *text, const struct option_set *global_sets)
{
	static const struct parse_events events = { .section = on_section, .option = on_option };
	struct reader r = { .global_sets = global_sets };

	if (OBJ_NEW(r.grants, GRANTS_MAGIC) == NULL)
		return NULL;
	if (begin(&r)) {
		r.parse = (struct parse){
			.files = files, .arena = r.grants->arena, .events = &events, .owner = &r
		};
		if (text != NULL)
			parse_text(&r.parse, path, text, strlen(text));
		else
			read_file(&r, path);
	} else {
		r.no_memory = true;
	}
	if (!r.no_memory)
		return r.grants;
	grants_free(r.grants);
	return NULL;
}

void
grants_free(struct grants *g)
{
	if (g == NULL)
		return;
	CHECK_OBJ(g, GRANTS_MAGIC);
	arena_free(g->arena);
	OBJ_FREE(g);
}

/* Is `path` DIRECTORY/NAME, with one slash or several between them? */
static bool
is_in(const char *path, const char *directory)
{
	size_t n = strlen(directory);
	const char *name;

	while (n > 1 && directory[n - 1] == '/')
		n--;
	if (strncmp(path, directory, n) != 0 || path[n] != '/')
		return false;
	name = path + n + strspn(path + n, "/");
	return *name != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

bool
grants_file(const struct grants *g, const char *path)
{
	for (const struct grant *f = g->files; f != NULL; f = f->next)
		if (f->reads == OPTION_READS_FILE ? strcmp(f->path, path) == 0
						  : is_in(path, f->path))
			return true;
	return false;
}

bool
grants_directory(const struct grants *g, const char *path)
{
	for (const struct grant *f = g->files; f != NULL; f = f->next)
		if (f->reads == OPTION_READS_DIRECTORY && strcmp(f->path, path) == 0)
			return true;
	return false;
}

static bool
accepts_at(const struct target *t, const struct addr *a)
{
	if (t->given != NULL)
		return false; /* it was opened for us already */
	if (t->numeric.len != 0)
		return addr_equal(&t->numeric, a);
	return !addr_is_unix(a) && t->port == addr_port(a);
}

bool
grants_foreign(const struct grants *g)
{
	for (const struct listening *l = g->first; l != NULL; l = l->next)
		if ((l->conf.transparent & TRANSPARENT_SOURCE) != 0)
			return true;
	return false;
}

const struct vpn_conf *
grants_vpn(const struct grants *g, unsigned i)
{
	for (const struct listening *l = g->first; l != NULL; l = l->next)
		if (service_is_network(&l->conf) && i-- == 0)
			return &l->conf.vpn;
	return NULL;
}

const struct service_conf *
grants_listener(const struct grants *g, const struct addr *a)
{
	for (const struct listening *l = g->first; l != NULL; l = l->next)
		for (unsigned i = 0; i < l->conf.accept.n; i++)
			if (accepts_at(&l->conf.accept.v[i], a))
				return &l->conf;
	return NULL;
}
