/* SPDX-License-Identifier: Apache-2.0 */
/* bench/job.h -- what all kinds of load share: the options, one process's job, and its tally. */
#ifndef GINNEL_BENCH_JOB_H
#define GINNEL_BENCH_JOB_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

enum { MESSAGE = 100 }; /* bytes of a request, and of its answer */

struct options {
	struct sockaddr_in to;	   /* the tunnel; a relay's backend */
	struct sockaddr_in at;	   /* where a backend or a relay listens */
	uint64_t ports;		   /* successive ports at `to`, used in turn */
	struct sockaddr_in target; /* what to ask `to` for with CONNECT; port 0: nothing */
	int tls;		   /* TLS1_2_VERSION, TLS1_3_VERSION, 0: plain */
	const char *ca;		   /* verifies the other side */
	const char *cert;	   /* a client's certificate, chain and key in one file */
	const char *server_cert;   /* the same for a TLS backend and for the library alone */
	bool resume;
	bool aside;	      /* a backend's transfers have processes of their own */
	uint64_t connections; /* open at the same time */
	uint64_t count;	      /* handshakes or requests */
	uint64_t down, up;    /* bytes per connection */
	uint64_t rate;	      /* requests per second; 0: as fast as answers come */
	uint64_t seconds;     /* how long at that rate */
	uint64_t jobs;	      /* processes */
	uint64_t sources;     /* addresses of 127/8 to come from; 0: leave it to the kernel */
	uint64_t deadline;    /* seconds after which the program ends itself */
	bool paced;	      /* wait on standard input at each mark, see job_mark() */
};

/* Filled by one process, summed by the first; lives in memory that they share. */
struct tally {
	uint64_t done, failed;	       /* units of work */
	uint64_t full, resumed;	       /* handshakes */
	uint64_t bytes;		       /* moved and found right */
	uint64_t server_ns, client_ns; /* CPU time per side, library alone */
	char error[160];	       /* the first one */
	uint64_t samples;	       /* latencies behind job->latency */
};

struct job {
	const struct options *options;
	struct tally *tally;
	unsigned number;   /* 0 .. options->jobs - 1 */
	uint32_t *latency; /* of each request in nanoseconds; SAMPLES_MAX of them */
	int epoll;
	SSL_CTX *tls;	      /* NULL: plain */
	SSL_SESSION *session; /* what the last handshake gave us to resume */
	uint64_t cert_asked;  /* how often a server wanted our certificate */
	uint64_t opened;      /* connections so far */
	int mark;	      /* socket to the first process, see job_mark() */
};

enum { SAMPLES_MAX = 1 << 20 };

/* Count a failure, and keep the words of the first. */
void job_fail(struct job *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* This job's part of `total`. */
uint64_t job_share(const struct job *, uint64_t total);

/*
 * Called twice by every kind of load: when its connections are open and the work may begin, and
 * when the work is done but the connections are still open.  With --paced the first process tells
 * on standard output that all jobs have come so far, and goes on when it is sent a line: in
 * between, the tunnel can be looked at.
 */
void job_mark(struct job *);

uint64_t now_ns(void);
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
