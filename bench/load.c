/* SPDX-License-Identifier: Apache-2.0 */
/* bench/load.c -- the load generator: reads its options, runs its jobs, prints one line of JSON. */
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "pattern.h"

enum { JOBS_MAX = 16 };

/* Not in the options: all jobs, as the first process sees them. */
static struct {
	pid_t pid[JOBS_MAX];
	int mark[JOBS_MAX];  /* a socket to each, for job_mark() */
	struct tally *tally; /* one per job, shared */
	uint32_t *latency;   /* SAMPLES_MAX per job, shared */
} jobs;

static void *
shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("no shared memory: %s", strerror(errno));
	return p;
}

static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Whoever started us may die first, and nothing may run for ever. */
static void
end_with_parent_and_in_time(const struct options *o)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm((unsigned)o->deadline);
}

static void
run_job(const struct options *o, const struct mode *mode, unsigned number, int mark)
{
	struct job job = {
		.options = o,
		.number = number,
		.tally = &jobs.tally[number],
		.latency = jobs.latency + (size_t)number * SAMPLES_MAX,
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.mark = mark,
	};

	if (job.epoll == -1)
		die("epoll: %s", strerror(errno));
	end_with_parent_and_in_time(o);
	if (o->tls != 0 && mode->is_client)
		job.tls = tls_client(&job);
	mode->run(&job);
	SSL_SESSION_free(job.session);
	SSL_CTX_free(job.tls);
	close(job.epoll);
}

static void
start_job(const struct options *o, const struct mode *mode, unsigned number)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1 || (jobs.pid[number] = fork()) == -1)
		die("cannot start a job: %s", strerror(errno));
	if (jobs.pid[number] > 0) {
		close(ends[1]);
		jobs.mark[number] = ends[0];
		return;
	}
	/* Only the first process may hold these, or a job would not see it go. */
	for (unsigned i = 0; i < number; i++)
		close(jobs.mark[i]);
	close(ends[0]);
	run_job(o, mode, number, ends[1]);
	exit(0);
}

/* False: a job ended before it came to the mark. */
static bool
await_mark(const struct options *o)
{
	char byte;

	for (unsigned i = 0; i < o->jobs; i++)
		if (read(jobs.mark[i], &byte, 1) != 1)
			return false;
	return true;
}

static void
await_line(const struct options *o)
{
	int c;

	fflush(stdout);
	while (o->paced && (c = getchar()) != '\n' && c != EOF)
		;
}

/* One that has ended is told in vain; its failure is in its tally. */
static void
release(const struct options *o)
{
	for (unsigned i = 0; i < o->jobs; i++)
		send(jobs.mark[i], "g", 1, MSG_NOSIGNAL);
}

static struct tally
sum_up(const struct options *o)
{
	struct tally sum = { 0 };

	for (unsigned i = 0; i < o->jobs; i++) {
		const struct tally *t = &jobs.tally[i];

		sum.done += t->done;
		sum.failed += t->failed;
		sum.full += t->full;
		sum.resumed += t->resumed;
		sum.bytes += t->bytes;
		sum.server_ns += t->server_ns;
		sum.client_ns += t->client_ns;
		if (sum.error[0] == '\0')
			memcpy(sum.error, t->error, sizeof(sum.error));
		memmove(jobs.latency + sum.samples, jobs.latency + (size_t)i * SAMPLES_MAX,
		    t->samples * sizeof(*jobs.latency));
		sum.samples += t->samples;
	}
	return sum;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double
percentile_us(const struct tally *t, double p)
{
	return t->samples == 0 ? 0 : jobs.latency[(uint64_t)((double)(t->samples - 1) * p)] / 1e3;
}

/* The words come from libraries and may hold anything but line ends. */
static void
print_json_string(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++)
		putchar(*s == '"' || *s == '\\' || *s < ' ' ? '\'' : *s);
	putchar('"');
}

static void
print_results(const struct options *o, double seconds)
{
	struct tally t = sum_up(o);

	qsort(jobs.latency, t.samples, sizeof(*jobs.latency), by_value);
	printf("{\"done\": %llu, \"failed\": %llu, \"full\": %llu, \"resumed\": %llu, \"bytes\": "
	       "%llu, "
	       "\"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"server_us\": %.1f, "
	       "\"client_us\": %.1f, \"error\": ",
	    (unsigned long long)t.done, (unsigned long long)t.failed, (unsigned long long)t.full,
	    (unsigned long long)t.resumed, (unsigned long long)t.bytes, seconds,
	    percentile_us(&t, 0.50), percentile_us(&t, 0.99), (double)t.server_ns / 1e3,
	    (double)t.client_ns / 1e3);
	print_json_string(t.error);
	puts("}");
}

/* 0 if all jobs ended well. */
static int
reap_jobs(const struct options *o)
{
	int status, bad = 0;

	for (unsigned i = 0; i < o->jobs; i++) {
		if (waitpid(jobs.pid[i], &status, 0) == -1 || status == 0)
			continue;
		bad = 1;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
			fprintf(stderr, "load: job %u was not done after %llu s\n", i,
			    (unsigned long long)o->deadline);
	}
	return bad;
}

/* From the first mark to the second is the work.  A job that failed to come so far ends it. */
static void
conduct(const struct options *o)
{
	uint64_t began = now_ns();

	if (await_mark(o)) {
		puts("open");
		await_line(o);
		began = now_ns();
		release(o);
		await_mark(o);
	}
	print_results(o, (double)(now_ns() - began) / 1e9);
	await_line(o);
	release(o);
	for (unsigned i = 0; i < o->jobs; i++)
		close(jobs.mark[i]);
}

int
main(int argc, char **argv)
{
	struct options o;
	const struct mode *mode = args_parse(argc, argv, &o);

	if (o.jobs == 0 || o.jobs > JOBS_MAX)
		die("--jobs: 1 to %d", JOBS_MAX);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	pattern_init();
	jobs.tally = shared(o.jobs * sizeof(*jobs.tally));
	jobs.latency = shared(o.jobs * SAMPLES_MAX * sizeof(*jobs.latency));
	if (mode->is_server) {
		run_job(&o, mode, 0, -1);
		return 0;
	}
	for (unsigned i = 0; i < o.jobs; i++)
		start_job(&o, mode, i);
	end_with_parent_and_in_time(&o);
	conduct(&o);
	return reap_jobs(&o);
}
