/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/pick.c -- one tunnel's choice among the targets of its service. */
#include "tunnel/pick.h"

#include <stdio.h>
#include <string.h>

enum { PICK_MAGIC = 0x72be04d1 };

/* How good a choice it is; within each the order of the backend holds. */
enum merit { WELL, FAILED_LATELY, DOWN, MERITS };

/* A target of the plan to be. */
struct choice {
	struct target target;
	struct member *member;
	enum merit merit;
	char text[SRV_HOST + sizeof(":65535")]; /* of an SRV record: HOST:PORT */
};

/* A member, and its records if it stands for some. */
struct line {
	struct member *member;
	struct srv_query *query;
};

struct pick {
	unsigned magic;
	struct backend *backend;
	struct picker picker;
	struct dial_plan plan;
	uint64_t seed;	    /* of draws among SRV records */
	struct line *lines; /* in the order of the backend */
	unsigned line_count;
	unsigned line; /* the one whose records are asked for */
	bool blind;    /* to what is known of them */
	struct choice *choices;
	unsigned count, noted;	/* choices; of these, so many have been told of already */
	struct target *targets; /* of the plan: as the choices, good ones first */
	struct choice **order;
	struct standing *counted; /* leastconn: where this tunnel counts */
	enum reason reason;
};

/* ---- leastconn ---- */

static void
count_for(struct pick *p, struct standing *s)
{
	if (p->blind || p->backend->balance != BALANCE_LEASTCONN || p->counted == s)
		return;
	atomic_fetch_add_explicit(&s->tunnels, 1, memory_order_relaxed);
	pick_leave(p->counted);
	p->counted = s;
}

void
pick_leave(struct standing *s)
{
	if (s != NULL)
		atomic_fetch_sub_explicit(&s->tunnels, 1, memory_order_relaxed);
}

struct standing *
pick_settle(struct pick *p)
{
	struct standing *s = p->counted;

	p->counted = NULL;
	return s;
}

/* ---- the lines, in order ---- */

static bool
add_line(struct pick *p, struct member *m)
{
	struct line *l = &p->lines[p->line_count++];

	l->member = m;
	if (m->target->srv == NULL)
		return true;
	if ((l->query = calloc(1, sizeof(*l->query))) == NULL)
		return false;
	l->query->task = p->picker.task;
	return true;
}

static bool
add_lines(struct pick *p, const struct addr *source)
{
	struct backend *b = p->backend;
	unsigned *order = calloc(b->count, sizeof(*order));
	bool ok = order != NULL && backend_rank(b, source, order);

	for (unsigned i = 0; ok && i < b->count; i++)
		ok = add_line(p, &b->members[order[i]]);
	free(order);
	return ok;
}

static struct pick *
make(struct backend *b, const struct picker *picker, const struct dial_plan *base)
{
	struct pick *p;

	if (OBJ_NEW(p, PICK_MAGIC) == NULL)
		return NULL;
	p->backend = b;
	p->picker = *picker;
	p->plan = *base;
	if ((p->lines = calloc(b->count, sizeof(*p->lines))) != NULL)
		return p;
	pick_free(p);
	return NULL;
}

struct pick *
pick_new(struct backend *b, const struct picker *picker, const struct dial_plan *base,
    const struct addr *source)
{
	struct pick *p = make(b, picker, base);

	if (p == NULL)
		return NULL;
	p->seed = b->balance == BALANCE_SOURCE ? backend_source_seed(source) : backend_next_seed(b);
	if (add_lines(p, source))
		return p;
	pick_free(p);
	return NULL;
}

struct pick *
pick_new_for(
    struct backend *b, const struct picker *picker, const struct dial_plan *base, unsigned member)
{
	struct pick *p = make(b, picker, base);

	if (p == NULL)
		return NULL;
	p->blind = true;
	p->seed = backend_next_seed(b);
	if (add_line(p, &b->members[member]))
		return p;
	pick_free(p);
	return NULL;
}

void
pick_free(struct pick *p)
{
	if (p == NULL)
		return;
	CHECK_OBJ(p, PICK_MAGIC);
	pick_leave(p->counted);
	for (unsigned i = 0; i < p->line_count; i++) {
		if (p->lines[i].query != NULL)
			srv_cancel(p->lines[i].query);
		free(p->lines[i].query);
	}
	free(p->lines);
	free(p->choices);
	free(p->targets);
	free(p->order);
	OBJ_FREE(p);
}

/* ---- SRV records ---- */

/* Ask for the records of all lines that have some.  IO_OK: all answers are there. */
static enum io
ask(struct pick *p)
{
	for (; p->line < p->line_count; p->line++) {
		const struct line *l = &p->lines[p->line];

		if (l->query == NULL || l->query->done)
			continue;
		if (srv_find(p->picker.srv, l->query, l->member->target->srv) == IO_AGAIN)
			return IO_AGAIN;
	}
	return IO_OK;
}

static unsigned
choices_of(const struct pick *p, const struct line *l)
{
	if (l->query == NULL)
		return 1;
	if (l->query->count == 0)
		log_err(p->picker.log, "Error resolving \"%s\": %s", l->member->target->text,
		    l->query->error);
	return l->query->count;
}

/* RFC 2782: the smallest priority first; within one, by a draw. */
struct drawn {
	const struct srv_record *record;
	double draw;
};

static int
compare(const void *a, const void *b)
{
	const struct drawn *x = a, *y = b;

	if (x->record->priority != y->record->priority)
		return x->record->priority < y->record->priority ? -1 : 1;
	return x->draw < y->draw ? -1 : x->draw > y->draw;
}

static void
add_record(struct pick *p, struct member *m, const struct srv_record *r)
{
	struct choice *c = &p->choices[p->count++];

	(void)snprintf(c->text, sizeof(c->text), "%s:%u", r->host, (unsigned)r->port);
	c->member = m;
	c->target = (struct target){ .text = c->text, .host = r->host, .port = r->port };
}

static void
add_records(struct pick *p, const struct line *l)
{
	/* "A very small chance" for a weight of 0, and the same one for all if all are 0. */
	static const double no_weight = 0.01;
	struct drawn drawn[SRV_MAX];

	if (l->query->count == 0)
		return;
	for (unsigned i = 0; i < l->query->count; i++) {
		const struct srv_record *r = &l->query->records[i];

		drawn[i].record = r;
		drawn[i].draw = backend_draw(p->seed, backend_hash(r->host) ^ r->port,
		    r->weight == 0 ? no_weight : r->weight);
	}
	qsort(drawn, l->query->count, sizeof(drawn[0]), compare);
	for (unsigned i = 0; i < l->query->count; i++)
		add_record(p, l->member, drawn[i].record);
}

/* ---- the plan ---- */

static enum merit
merit_of(const struct pick *p, const struct choice *c)
{
	if (p->blind)
		return WELL;
	if (p->backend->checked &&
	    atomic_load_explicit(&c->member->standing->down, memory_order_relaxed))
		return DOWN;
	if (p->backend->remembers &&
	    grudges_has(p->picker.grudges, c->target.text, loop_now(p->picker.loop)))
		return FAILED_LATELY;
	return WELL;
}

static void
put_in_order(struct pick *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->count; i++) {
		MUST(p->choices[i].member != NULL);
		p->choices[i].merit = merit_of(p, &p->choices[i]);
	}
	for (int merit = WELL; merit < MERITS; merit++)
		for (unsigned i = 0; i < p->count; i++)
			if (p->choices[i].merit == (enum merit)merit) {
				p->order[n] = &p->choices[i];
				p->targets[n++] = p->choices[i].target;
			}
	p->plan.targets = p->targets;
	p->plan.count = n;
}

static enum io
fail(struct pick *p, enum reason reason)
{
	p->reason = reason;
	return IO_FAILED;
}

/* All answers are there. */
static enum io
make_plan(struct pick *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->line_count; i++)
		n += choices_of(p, &p->lines[i]);
	if (n == 0) {
		log_err(p->picker.log, "No remote host resolved");
		return fail(p, R_RESOLVE);
	}
	p->choices = calloc(n, sizeof(*p->choices));
	p->targets = calloc(n, sizeof(*p->targets));
	p->order = calloc(n, sizeof(struct choice *));
	if (p->choices == NULL || p->targets == NULL || p->order == NULL)
		return fail(p, R_NO_MEMORY);
	for (unsigned i = 0; i < p->line_count; i++) {
		struct member *m = p->lines[i].member;

		if (p->lines[i].query != NULL)
			add_records(p, &p->lines[i]);
		else
			p->choices[p->count++] =
			    (struct choice){ .target = *m->target, .member = m };
	}
	put_in_order(p);
	MUST(p->order[0] != NULL);
	count_for(p, p->order[0]->member->standing);
	log_info(p->picker.log, "balance: %s, starting with %s%s",
	    backend_word(p->backend->balance), p->targets[0].text,
	    p->order[0]->merit == WELL		  ? ""
	    : p->order[0]->merit == FAILED_LATELY ? "; all have failed lately"
						  : "; all are down");
	return IO_OK;
}

enum io
pick_step(struct pick *p)
{
	CHECK_OBJ(p, PICK_MAGIC);
	if (p->plan.targets == p->targets && p->targets != NULL)
		return IO_OK;
	return ask(p) == IO_AGAIN ? IO_AGAIN : make_plan(p);
}

bool
pick_favour(struct pick *p, uint64_t target)
{
	struct target first;
	struct choice *c;
	unsigned i = 0;

	while (i < p->count && backend_hash(p->targets[i].text) != target)
		i++;
	if (i == p->count || p->order[i]->merit != WELL)
		return false;
	c = p->order[i];
	first = p->targets[i];
	memmove(&p->order[1], &p->order[0], i * sizeof(struct choice *));
	memmove(&p->targets[1], &p->targets[0], i * sizeof(first));
	p->order[0] = c;
	p->targets[0] = first;
	count_for(p, c->member->standing);
	return true;
}

enum reason
pick_reason(const struct pick *p)
{
	return p->reason;
}

const struct dial_plan *
pick_plan(const struct pick *p)
{
	return &p->plan;
}

/* ---- what came of it ---- */

void
pick_failed(struct pick *p, unsigned n)
{
	for (; p->backend->remembers && p->noted < n; p->noted++) {
		const char *target = p->targets[p->noted].text;
		int wait = grudges_add(p->picker.grudges, target, loop_now(p->picker.loop));

		if (wait > 0)
			log_notice(p->picker.log,
			    "Target %s could not be reached: it is tried last for %d s", target,
			    wait / 1000);
	}
}

void
pick_reached(struct pick *p, unsigned n)
{
	const char *target = p->targets[n].text;

	pick_failed(p, n);
	if (p->backend->remembers && grudges_drop(p->picker.grudges, target))
		log_notice(p->picker.log, "Target %s can be reached again", target);
	count_for(p, p->order[n]->member->standing);
}
