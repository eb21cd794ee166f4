/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/report.h -- how it goes: for people (`ginnel status`) and for what collects metrics.
 *
 * A report goes from worker to worker, and each adds what it knows.
 */
#ifndef GINNEL_TUNNEL_REPORT_H
#define GINNEL_TUNNEL_REPORT_H

#include "tunnel/worker.h"

#include <stdio.h>

struct report {
	struct counters counters;
	unsigned tunnels, pending; /* now; of these, still being set up */
	unsigned workers;
	FILE *lines; /* one for each tunnel; NULL: not wanted */
	char *text;  /* what they came to */
	size_t size;
};

/* False: no memory.  `plan`: the newest.  In the main thread, as the last three. */
bool report_begin(struct report *, const struct plan *, bool with_tunnels) MUST_CHECK;
void report_worker(struct report *, const struct worker *); /* in its thread */
void report_people(struct report *, const struct plan *, FILE *);
/* In the text format of Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/ */
void report_metrics(struct report *, const struct plan *, FILE *);
void report_free(struct report *);

/* What report_metrics() tells, and the manual. */
struct metric {
	const char *name, *type, *doc;
	void (*write)(const struct metric *, const struct report *, const struct plan *, FILE *);
};
extern const struct metric metrics[]; /* ends with a NULL name */

#endif
