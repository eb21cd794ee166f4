/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/report.c -- how it goes, for people and for what collects metrics. */
#include "tunnel/report.h"

#include "tunnel/session.h"

#include <inttypes.h>
#include <string.h>

/* ---- collecting ---- */

bool
report_begin(struct report *r, const struct plan *plan, bool with_tunnels)
{
	*r = (struct report){ 0 };
	for (unsigned i = 0; i < plan->service_count; i++)
		memset(&plan->services[i].tally->now, 0, sizeof(plan->services[i].tally->now));
	return !with_tunnels || (r->lines = open_memstream(&r->text, &r->size)) != NULL;
}

static void
add_tunnels(struct report *r, const struct session *s)
{
	for (; s != NULL; s = session_next(s)) {
		struct tally *t = session_service(s)->tally;
		struct passed passed = session_passed(s);
		char line[SESSION_LINE];

		t->now.tunnels++;
		t->now.passed.to_tls += passed.to_tls;
		t->now.passed.to_socket += passed.to_socket;
		r->tunnels++;
		if (r->lines != NULL)
			fprintf(r->lines, "%s\n", session_line(s, line));
	}
}

void
report_worker(struct report *r, const struct worker *w)
{
	r->workers++;
	r->counters.accepted += w->counters.accepted;
	for (unsigned i = 0; i < REASON_COUNT; i++)
		r->counters.ended[i] += w->counters.ended[i];
	r->pending += w->pending_count;
	add_tunnels(r, w->standing);
	add_tunnels(r, w->pending);
}

void
report_free(struct report *r)
{
	if (r->lines != NULL)
		(void)fclose(r->lines);
	free(r->text);
	*r = (struct report){ 0 };
}

static struct passed
all_passed(struct tally *t)
{
	uint64_t to_tls = t->to_tls + t->now.passed.to_tls;
	uint64_t to_socket = t->to_socket + t->now.passed.to_socket;

	if (to_tls > t->told.to_tls)
		t->told.to_tls = to_tls;
	if (to_socket > t->told.to_socket)
		t->told.to_socket = to_socket;
	return t->told;
}

/* The first of its name in the plan, which stands for all of them; nor do hops stand in a file. */
static bool
is_told(const struct plan *plan, const struct service *service)
{
	const struct service *first = plan->services;

	while (first->tally != service->tally)
		first++;
	return first == service && !service->conf->hop;
}

/* The next one to tell of, from `i` on; NULL: that was all. */
static const struct service *
next_service(const struct plan *plan, unsigned *i)
{
	while (*i < plan->service_count) {
		const struct service *s = &plan->services[(*i)++];

		if (is_told(plan, s))
			return s;
	}
	return NULL;
}

/* ---- for people ---- */

/* "1.5 GB".  Returns out. */
enum { AMOUNT = 24 };

static const char *
amount(uint64_t n, char out[AMOUNT])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double value = (double)n;
	size_t unit = 0;

	for (; value >= 999.5 && unit + 1 < COUNT_OF(units); unit++)
		value /= 1000;
	snprintf(out, AMOUNT, "%.*f %s", unit > 0 && value < 9.95 ? 1 : 0, value, units[unit]);
	return out;
}

static void
write_services(const struct plan *plan, FILE *out)
{
	const struct service *s;
	int width = (int)strlen("service");
	char to_tls[AMOUNT], to_socket[AMOUNT];

	for (unsigned i = 0; (s = next_service(plan, &i)) != NULL;)
		if (width < (int)strlen(s->conf->name))
			width = (int)strlen(s->conf->name);
	fprintf(out, "\n%-*s  %9s  %12s  %10s  %10s  %10s\n", width, "service", "tunnels", "ended",
	    "failed", "to TLS", "to socket");
	for (unsigned i = 0; (s = next_service(plan, &i)) != NULL;) {
		struct tally *t = s->tally;
		struct passed passed = all_passed(t);

		fprintf(out, "%-*s  %9u  %12" PRIu64 "  %10" PRIu64 "  %10s  %10s\n", width,
		    s->conf->name, t->now.tunnels, t->ended, t->failed,
		    amount(passed.to_tls, to_tls), amount(passed.to_socket, to_socket));
	}
}

static void
write_ends(const struct report *r, FILE *out)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < REASON_COUNT; i++)
		all += r->counters.ended[i];
	if (all > 0)
		fprintf(out, "\nhow tunnels ended\n");
	for (unsigned i = 0; i < REASON_COUNT; i++)
		if (r->counters.ended[i] > 0)
			fprintf(out, "%12" PRIu64 "  %s: %s\n", r->counters.ended[i],
			    reason_info((enum reason)i)->code, reason_info((enum reason)i)->words);
}

void
report_people(struct report *r, const struct plan *plan, FILE *out)
{
	fprintf(out,
	    "%u tunnel(s) now, %u of them being set up; %" PRIu64
	    " accepted since the start; %u worker(s)\n",
	    r->tunnels, r->pending, r->counters.accepted, r->workers);
	write_services(plan, out);
	write_ends(r, out);
	if (r->lines == NULL || fflush(r->lines) != 0 || r->size == 0)
		return;
	fprintf(out, "\ntunnels\n");
	(void)fwrite(r->text, 1, r->size, out);
}

/* ---- metrics ---- */

/* The value of a label: a backslash, a quote and the end of a line are escaped. */
static void
write_label(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			(void)fputs("\\n", out);
			continue;
		}
		if (*text == '\\' || *text == '"')
			(void)fputc('\\', out);
		(void)fputc(*text, out);
	}
}

/* One sample of a service; `label`: NULL, or the name of a second label with `value`. */
static void
write_sample(const struct metric *m, const struct service *service, const char *label,
    const char *value, uint64_t n, FILE *out)
{
	fprintf(out, "%s{service=\"", m->name);
	write_label(service->conf->name, out);
	if (label != NULL)
		fprintf(out, "\",%s=\"%s", label, value);
	fprintf(out, "\"} %" PRIu64 "\n", n);
}

static void
write_info(const struct metric *m, const struct report *r, const struct plan *plan, FILE *out)
{
	(void)r;
	(void)plan;
	fprintf(out, "%s{version=\"%s\"} 1\n", m->name, GINNEL_VERSION);
}

static void
write_accepted(const struct metric *m, const struct report *r, const struct plan *plan, FILE *out)
{
	(void)plan;
	fprintf(out, "%s %" PRIu64 "\n", m->name, r->counters.accepted);
}

static void
write_pending(const struct metric *m, const struct report *r, const struct plan *plan, FILE *out)
{
	(void)plan;
	fprintf(out, "%s %u\n", m->name, r->pending);
}

static void
write_reasons(const struct metric *m, const struct report *r, const struct plan *plan, FILE *out)
{
	(void)plan;
	for (unsigned i = R_NONE + 1; i < REASON_COUNT; i++)
		fprintf(out, "%s{end=\"%s\"} %" PRIu64 "\n", m->name,
		    reason_info((enum reason)i)->code, r->counters.ended[i]);
}

static void
write_tunnels(const struct metric *m, const struct report *r, const struct plan *plan, FILE *out)
{
	const struct service *s;

	(void)r;
	for (unsigned i = 0; (s = next_service(plan, &i)) != NULL;)
		write_sample(m, s, NULL, NULL, s->tally->now.tunnels, out);
}

static void
write_ended(const struct metric *m, const struct report *r, const struct plan *plan, FILE *out)
{
	const struct service *s;

	(void)r;
	for (unsigned i = 0; (s = next_service(plan, &i)) != NULL;) {
		uint64_t failed = s->tally->failed; /* first: see tally_end() */

		write_sample(m, s, "result", "clean", s->tally->ended - failed, out);
		write_sample(m, s, "result", "failed", failed, out);
	}
}

static void
write_bytes(const struct metric *m, const struct report *r, const struct plan *plan, FILE *out)
{
	const struct service *s;

	(void)r;
	for (unsigned i = 0; (s = next_service(plan, &i)) != NULL;) {
		struct passed passed = all_passed(s->tally);

		write_sample(m, s, "to", "tls", passed.to_tls, out);
		write_sample(m, s, "to", "socket", passed.to_socket, out);
	}
}

const struct metric metrics[] = {
	{ "ginnel_info", "gauge", "Always 1; the label tells the version.", write_info },
	{ "ginnel_accepted_total", "counter", "Connections that were accepted.", write_accepted },
	{ "ginnel_pending_tunnels", "gauge", "Tunnels that are still being set up.",
	    write_pending },
	{ "ginnel_ended_total", "counter",
	    "Tunnels that are over, by the code that end= has in the log.", write_reasons },
	{ "ginnel_service_tunnels", "gauge", "Tunnels of a service now.", write_tunnels },
	{ "ginnel_service_ended_total", "counter",
	    "Tunnels of a service that are over, by result: clean, or failed.", write_ended },
	{ "ginnel_service_bytes_total", "counter",
	    "Bytes of data that tunnels of a service have passed on, by where they went: to tls, "
	    "or to the plain socket.",
	    write_bytes },
	{ .name = NULL },
};

void
report_metrics(struct report *r, const struct plan *plan, FILE *out)
{
	for (const struct metric *m = metrics; m->name != NULL; m++) {
		fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->doc, m->name, m->type);
		m->write(m, r, plan, out);
	}
}
