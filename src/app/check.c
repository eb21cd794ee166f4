/* SPDX-License-Identifier: Apache-2.0 */
/* app/check.c -- ginnel check. */
#include "app/check.h"

#include "app/exit_status.h"

#include <stdio.h>

static void
print_problem(const struct problem *p)
{
	char text[LOG_LINE_MAX];

	fprintf(stderr, "%s%s\n", p->fatal ? "" : "warning: ", problem_text(p, text, sizeof(text)));
}

int
check(const struct source *source)
{
	struct files *files = files_system_new();
	struct loaded l;

	if (files == NULL || !tls_library_start()) {
		fprintf(stderr,
		    "ginnel: cannot start the TLS library or reach the working directory\n");
		files_system_free(files);
		return EXIT_FAILED;
	}
	l = load(source, NULL, files, print_problem);
	files_system_free(files);
	if (l.plan == NULL) {
		fprintf(stderr, "%s: %u error(s), %u warning(s)\n", source->path,
		    l.config != NULL ? l.config->errors : 1, l.warnings);
		config_free(l.config);
		return EXIT_BAD_CONFIG;
	}
	printf("%s: good: %u service(s), %u warning(s)\n", source->path, l.plan->service_count,
	    l.warnings);
	plan_release(l.plan);
	return EXIT_DONE;
}
