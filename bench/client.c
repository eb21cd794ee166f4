/* SPDX-License-Identifier: Apache-2.0 */
/* bench/client.c -- one client connection: dial, ask or move, leave. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pattern.h"

enum { VERDICT_LEN = sizeof(VERDICT) - 1 };

static void
end(struct client *c)
{
	wire_close(&c->wire);
	c->policy->ended(c);
}

static void
fail(struct client *c, const char *doing)
{
	job_fail(c->job, "%s: %s", doing, wire_error());
	end(c);
}

static void
on_ready(struct wire *w)
{
	struct client *c = (struct client *)w;

	errno = 0;
	c->step(c);
}

static bool
key_exchange_is_x25519(SSL *ssl)
{
	EVP_PKEY *key = NULL;
	bool right = true;

	if (SSL_get_peer_tmp_key(ssl, &key) == 1) /* none in a resumed TLS 1.2 handshake */
		right = EVP_PKEY_is_a(key, "X25519");
	EVP_PKEY_free(key);
	return right;
}

/* A full handshake must be full, and a resumed one resumed. */
static bool
handshake_is_as_ordered(struct client *c)
{
	struct job *job = c->job;
	bool resumed = SSL_session_reused(c->wire.ssl);

	if (resumed != c->resuming) {
		job_fail(
		    job, resumed ? "a full handshake was resumed" : "a session was not resumed");
		return false;
	}
	if (job->options->cert != NULL && !resumed && job->cert_asked <= job->tally->full) {
		job_fail(job, "the server did not ask for the client's certificate");
		return false;
	}
	if (!key_exchange_is_x25519(c->wire.ssl)) {
		job_fail(job, "the server did not agree to X25519");
		return false;
	}
	job->tally->full += !resumed;
	job->tally->resumed += resumed;
	return true;
}

/* Nothing is expected but what TLS says to itself, such as its tickets. */
static void
step_rest(struct client *c)
{
	ssize_t n = wire_read(&c->wire, c->in, sizeof(c->in));

	if (n == WIRE_AGAIN)
		return;
	if (n > 0) {
		job_fail(c->job, "bytes that nobody asked for");
		end(c);
		return;
	}
	fail(c, "resting");
}

static void
rest(struct client *c)
{
	c->step = step_rest;
	wire_watch(&c->wire, EPOLLIN);
}

/* False: the connection is gone. */
static bool
send_message(struct client *c, size_t len)
{
	while (c->sent < len) {
		ssize_t n = wire_write(&c->wire, c->out + c->sent, len - c->sent);

		if (n == WIRE_AGAIN) {
			wire_watch(&c->wire, EPOLLIN | EPOLLOUT);
			return true;
		}
		if (n <= 0) {
			fail(c, "sending");
			return false;
		}
		c->sent += (size_t)n;
	}
	wire_watch(&c->wire, EPOLLIN);
	return true;
}

/* ---- through a proxy: RFC 9110 9.3.6 ---- */

/* Bytes of an answer's head that decide: the status, and the empty line at the end. */
static bool
head_is_whole(struct client *c)
{
	static const char end_of_head[] = "\r\n\r\n";

	return memmem(c->in, c->got, end_of_head, sizeof(end_of_head) - 1) != NULL;
}

/* Nothing comes behind the head before something was asked, so it can be read at a gulp. */
static void
step_consent(struct client *c)
{
	ssize_t n;

	if (c->sent < c->asked && !send_message(c, c->asked))
		return;
	if ((n = wire_read(&c->wire, c->in + c->got, sizeof(c->in) - c->got)) == WIRE_AGAIN)
		return;
	if (n <= 0) {
		fail(c, "waiting for the proxy");
		return;
	}
	c->got += (size_t)n;
	if (head_is_whole(c) && memcmp(c->in + sizeof("HTTP/1.1") - 1, " 200", 4) == 0) {
		rest(c);
		c->policy->up(c);
	} else if (head_is_whole(c) || c->got == sizeof(c->in)) {
		job_fail(
		    c->job, "the proxy says no: %.*s", (int)strcspn((char *)c->in, "\r"), c->in);
		end(c);
	}
}

static void
ask_proxy(struct client *c)
{
	unsigned port = ntohs(c->job->options->target.sin_port);
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &c->job->options->target.sin_addr, host, sizeof(host));
	c->asked = (size_t)snprintf((char *)c->out, sizeof(c->out),
	    "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n", host, port, host, port);
	c->sent = c->got = 0;
	c->step = step_consent;
	send_message(c, c->asked);
}

/* ---- the beginning ---- */

static void
step_dial(struct client *c)
{
	int n = wire_handshake(&c->wire);

	if (n == WIRE_AGAIN)
		return;
	if (n == WIRE_FAILED) {
		fail(c, "connecting");
		return;
	}
	if (c->wire.ssl != NULL && !handshake_is_as_ordered(c)) {
		end(c);
		return;
	}
	if (c->job->options->target.sin_port != 0) {
		ask_proxy(c);
		return;
	}
	rest(c);
	c->policy->up(c);
}

/* Connections differ in where they begin, so that bytes of one are wrong in another. */
static uint64_t
next_seed(struct job *job)
{
	return (job->opened * 7919 + job->number) * 104729;
}

static struct sockaddr_in
next_target(const struct job *job)
{
	struct sockaddr_in to = job->options->to;

	to.sin_port = htons((uint16_t)(ntohs(to.sin_port) + job->opened % job->options->ports));
	return to;
}

static struct sockaddr_in
next_source(const struct job *job)
{
	uint32_t n = (uint32_t)(job->opened % job->options->sources);

	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + n) };
}

/* A copy: OpenSSL takes a TLS 1.3 session that was used once for spent, and others use it as well.
 */
static void
offer_session(struct client *c)
{
	SSL_SESSION *copy = SSL_SESSION_dup(c->job->session);

	if (copy == NULL || SSL_set_session(c->wire.ssl, copy) != 1)
		die("no memory for a session");
	SSL_SESSION_free(copy);
	c->resuming = true;
}

void
client_open(struct client *c, struct job *job, const struct client_policy *policy)
{
	struct sockaddr_in to = next_target(job), from;
	bool bound = job->options->sources > 0;

	if (bound)
		from = next_source(job);
	*c = (struct client){ .job = job, .policy = policy, .step = step_dial };
	c->wire.epoll = job->epoll;
	c->wire.ready = on_ready;
	c->seed = c->at = next_seed(job);
	job->opened++;
	if (!wire_connect(&c->wire, &to, bound ? &from : NULL, job->tls)) {
		fail(c, "connecting");
		return;
	}
	if (c->wire.ssl != NULL && job->session != NULL)
		offer_session(c);
}

/* 1: all `len` bytes are here. */
static int
receive_message(struct client *c, size_t len)
{
	while (c->got < len) {
		ssize_t n = wire_read(&c->wire, c->in + c->got, len - c->got);

		if (n == WIRE_AGAIN)
			return WIRE_AGAIN;
		if (n <= 0) {
			fail(c, "waiting for an answer");
			return WIRE_FAILED;
		}
		c->got += (size_t)n;
	}
	return 1;
}

static void
step_ask(struct client *c)
{
	if (c->sent < MESSAGE && !send_message(c, MESSAGE))
		return;
	if (receive_message(c, MESSAGE) != 1)
		return;
	if (memcmp(c->in, c->out, MESSAGE) != 0) {
		job_fail(c->job, "an answer has wrong bytes");
		end(c);
		return;
	}
	c->job->tally->bytes += MESSAGE;
	rest(c);
	c->policy->done(c);
}

static void
write_order(struct client *c, enum order_verb verb, uint64_t down, uint64_t up)
{
	struct order order = { ORDER_MAGIC, verb, c->seed, down, up };

	memcpy(c->out, &order, sizeof(order));
}

void
client_ask(struct client *c)
{
	memcpy(c->out, pattern_at(c->at), MESSAGE);
	if (c->at == c->seed)
		write_order(c, ORDER_ECHO, 0, 0);
	c->at += MESSAGE;
	c->sent = c->got = 0;
	c->step = step_ask;
	send_message(c, MESSAGE);
}

static void
step_verdict(struct client *c)
{
	if (receive_message(c, VERDICT_LEN) != 1)
		return;
	if (memcmp(c->in, VERDICT, VERDICT_LEN) != 0) {
		job_fail(c->job, "the backend did not confirm what it received");
		end(c);
		return;
	}
	c->policy->done(c);
}

static void
step_move(struct client *c)
{
	uint64_t left = c->transfer.in_left + c->transfer.out_left;
	int n;

	if (c->sent < sizeof(struct order)) {
		if (!send_message(c, sizeof(struct order)) || c->sent < sizeof(struct order))
			return;
	}
	n = transfer_turn(&c->wire, &c->transfer);
	c->job->tally->bytes += left - c->transfer.in_left - c->transfer.out_left;
	if (n == WIRE_AGAIN)
		return;
	if (c->transfer.wrong) {
		job_fail(c->job, "wrong bytes, %llu before the end",
		    (unsigned long long)c->transfer.in_left);
		end(c);
		return;
	}
	if (n == WIRE_FAILED) {
		fail(c, "moving bytes");
		return;
	}
	c->step = step_verdict;
	wire_watch(&c->wire, EPOLLIN);
	step_verdict(c); /* under TLS it may have come with the last bytes */
}

void
client_move(struct client *c, uint64_t down, uint64_t up)
{
	write_order(c, ORDER_MOVE, down, up);
	c->transfer = (struct transfer){
		.in_at = c->seed + DOWN_AHEAD, .in_left = down, .out_at = c->seed, .out_left = up
	};
	c->sent = c->got = 0;
	c->step = step_move;
	step_move(c);
}

static void
step_leave(struct client *c)
{
	ssize_t n = wire_read(&c->wire, c->in, sizeof(c->in));

	if (n == WIRE_AGAIN)
		return;
	if (n != WIRE_EOF) {
		job_fail(
		    c->job, "leaving: %s", n > 0 ? "bytes that nobody asked for" : wire_error());
		end(c);
		return;
	}
	c->job->tally->done++;
	end(c);
}

void
client_leave(struct client *c)
{
	wire_finish(&c->wire);
	c->step = step_leave;
	wire_watch(&c->wire, EPOLLIN);
}
