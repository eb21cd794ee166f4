/* SPDX-License-Identifier: Apache-2.0 */
/* bench/library.c -- a floor: the TLS library alone, client and server in memory, timed per side.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <string.h>
#include <time.h>

#include "load.h"
#include "pattern.h"

enum {
	PIPE = 512 * 1024,	/* between the two; both ways */
	BATCH = 4 * PATTERN_RUN /* moved between two looks at the clock */
};

/* The two ends of one connection, each with its own account of CPU time. */
struct end {
	SSL *ssl;
	uint64_t *ns;
};

struct couple {
	struct job *job;
	struct end server, client;
	bool resuming;
};

static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void
open_end(struct end *e, SSL_CTX *tls, BIO *bio, void set_state(SSL *), uint64_t *ns)
{
	uint64_t began = cpu_ns();

	if ((e->ssl = SSL_new(tls)) == NULL)
		die("no memory for TLS");
	SSL_set_bio(e->ssl, bio, bio);
	set_state(e->ssl);
	e->ns = ns;
	*ns += cpu_ns() - began;
}

static void
open_couple(struct couple *c, struct job *job, SSL_CTX *server, SSL_CTX *client)
{
	BIO *a, *b;

	if (BIO_new_bio_pair(&a, PIPE, &b, PIPE) != 1)
		die("no memory for a pipe");
	c->job = job;
	open_end(&c->server, server, a, SSL_set_accept_state, &job->tally->server_ns);
	open_end(&c->client, client, b, SSL_set_connect_state, &job->tally->client_ns);
	c->resuming = job->session != NULL;
	if (c->resuming)
		SSL_set_session(c->client.ssl, job->session);
}

static void
close_end(struct end *e)
{
	uint64_t began = cpu_ns();

	SSL_free(e->ssl);
	*e->ns += cpu_ns() - began;
}

static void
close_couple(struct couple *c)
{
	close_end(&c->client);
	close_end(&c->server);
}

/* One step of the handshake. */
static int
shake(struct end *e)
{
	uint64_t began = cpu_ns();
	int n = SSL_do_handshake(e->ssl);

	*e->ns += cpu_ns() - began;
	return n;
}

static bool
shake_hands(struct couple *c)
{
	enum { STEPS = 8 };
	int server = 0, client = 0;

	for (int i = 0; i < STEPS && (server != 1 || client != 1); i++) {
		client = shake(&c->client);
		server = shake(&c->server);
	}
	if (server != 1 || client != 1) {
		job_fail(c->job, "handshake: %s", ERR_reason_error_string(ERR_peek_last_error()));
		return false;
	}
	if (SSL_session_reused(c->server.ssl) != c->resuming) {
		job_fail(c->job, "a full handshake was resumed, or a session was not");
		return false;
	}
	return true;
}

/* Returns how much was written: the pipe holds more than a batch. */
static size_t
put(struct end *e, uint64_t at, size_t len)
{
	uint64_t began = cpu_ns();
	size_t sent = 0;

	while (sent < len) {
		size_t piece = len - sent < PATTERN_RUN ? len - sent : PATTERN_RUN;
		int n = SSL_write(e->ssl, pattern_at(at + sent), (int)piece);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	*e->ns += cpu_ns() - began;
	return sent;
}

static size_t
take(struct end *e, uint8_t *to, size_t len)
{
	uint64_t began = cpu_ns();
	size_t got = 0;

	while (got < len) {
		int n = SSL_read(e->ssl, to + got, (int)(len - got));

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	*e->ns += cpu_ns() - began;
	return got;
}

static bool
pass(struct couple *c, struct end *from, struct end *to, uint64_t at, size_t len)
{
	static uint8_t bytes[BATCH];

	if (put(from, at, len) == len && take(to, bytes, len) == len &&
	    pattern_is(at, bytes, len)) {
		c->job->tally->bytes += len;
		return true;
	}
	job_fail(c->job, "bytes were lost in the library");
	return false;
}

static bool
pass_all(struct couple *c, struct end *from, struct end *to, uint64_t total)
{
	for (uint64_t at = 0, len; at < total; at += len) {
		len = total - at < BATCH ? total - at : BATCH;
		if (!pass(c, from, to, at, len))
			return false;
	}
	return true;
}

static void
say_goodbye(struct end *e)
{
	uint64_t began = cpu_ns();

	SSL_shutdown(e->ssl);
	*e->ns += cpu_ns() - began;
}

/* The work of bench/handshake.c. */
static bool
visit(struct job *job, SSL_CTX *server, SSL_CTX *client)
{
	struct couple c;
	bool well;

	open_couple(&c, job, server, client);
	well = shake_hands(&c) && pass(&c, &c.client, &c.server, 0, MESSAGE) &&
	       pass(&c, &c.server, &c.client, 0, MESSAGE);
	if (well) {
		bool resumed = SSL_session_reused(c.server.ssl);

		job->tally->full += !resumed;
		job->tally->resumed += resumed;
		job->tally->done++;
		say_goodbye(&c.client);
		say_goodbye(&c.server);
	}
	close_couple(&c);
	return well;
}

static void
visit_often(struct job *job, SSL_CTX *server, SSL_CTX *client)
{
	uint64_t count = job_share(job, job->options->count);

	/* The first is not counted: it warms up, and brings the session to resume. */
	if (!visit(job, server, client))
		return;
	*job->tally = (struct tally){ 0 };
	while (job->tally->done < count && visit(job, server, client))
		;
}

/* The work of bench/move.c, on one connection; its handshake is not counted. */
static void
haul(struct job *job, SSL_CTX *server, SSL_CTX *client)
{
	const struct options *o = job->options;
	struct couple c;

	open_couple(&c, job, server, client);
	if (shake_hands(&c)) {
		*job->tally = (struct tally){ 0 };
		if (pass_all(&c, &c.server, &c.client, o->down) &&
		    pass_all(&c, &c.client, &c.server, o->up))
			job->tally->done++;
	}
	close_couple(&c);
}

void
library_run(struct job *job)
{
	SSL_CTX *server = tls_server(job->options);

	if (job->tls == NULL)
		die("the library alone needs --tls");
	job_mark(job);
	if (job->options->down + job->options->up > 0)
		haul(job, server, job->tls);
	else
		visit_often(job, server, job->tls);
	job_mark(job);
	SSL_CTX_free(server);
}
