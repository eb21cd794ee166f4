/* SPDX-License-Identifier: Apache-2.0 */
/* bench/job.c -- what all kinds of load share. */
#include "job.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("load: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

void
job_fail(struct job *job, const char *fmt, ...)
{
	va_list ap;

	if (job->tally->failed++ > 0)
		return;
	va_start(ap, fmt);
	vsnprintf(job->tally->error, sizeof(job->tally->error), fmt, ap);
	va_end(ap);
}

uint64_t
job_share(const struct job *job, uint64_t total)
{
	uint64_t n = job->options->jobs;

	return total / n + (job->number < total % n);
}

void
job_mark(struct job *job)
{
	char byte = 'm';

	if (write(job->mark, &byte, 1) != 1 || read(job->mark, &byte, 1) != 1)
		exit(1); /* the first process is gone */
}
