/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/step_inner.c -- requireInnerSNI: TLS in the tunnel must be with the host that was asked
 * for.
 *
 * The client has its answer and begins; not a byte of it goes on before its ClientHello is complete
 * and asks for that host.  Then all of it does, as it came.
 */
#include "tls/hello.h"
#include "tunnel/steps.h"

#include <string.h>
#include <strings.h>

/* Where the client's bytes wait: as talk.c has it. */
static struct buf *
waiting(struct session *s)
{
	return s->near.filter != NULL ? &s->up.buf : &s->near.in;
}

static enum io
fetch(struct session *s)
{
	size_t have = buf_len(waiting(s));

	if (have >= HELLO_MAX)
		return IO_AGAIN; /* and too long */
	return s->near.filter != NULL ? stream_read(&s->near, &s->up.buf, HELLO_MAX - have)
				      : stream_peek(&s->near, HELLO_MAX);
}

/* hello_read() leaves out a final dot, and so must we. */
static bool
is_same_host(const char *asked, const char *sni)
{
	size_t n = strlen(asked);

	if (n > 0 && asked[n - 1] == '.')
		n--;
	return n > 0 && strlen(sni) == n && strncasecmp(asked, sni, n) == 0;
}

/* The ClientHello is there, or what is there is none. */
static enum next
judge(struct session *s, enum hello_result result, const struct hello *hello)
{
	const char *host = talk_host(s->talk);

	if (result != HELLO_DONE)
		log_warn(&s->log, "requireInnerSNI: the client does not begin TLS with %s", host);
	else if (!is_same_host(host, hello->sni))
		log_warn(&s->log, "requireInnerSNI: the client asked for %s, and in TLS for %s",
		    host, hello->sni[0] != '\0' ? hello->sni : "no name");
	else
		return life_go_on(s);
	return life_finish(s, R_INNER_SNI);
}

enum next
step_inner(struct session *s)
{
	const struct buf *in = waiting(s);
	struct hello hello;
	enum hello_result result = HELLO_MORE;
	enum io got = IO_OK;

	for (;;) {
		if (buf_len(in) > 0)
			result = hello_read(buf_head(in), buf_len(in), &hello);
		if (result == HELLO_MORE && buf_len(in) >= HELLO_MAX)
			result = HELLO_BAD;
		if (result != HELLO_MORE)
			return judge(s, result, &hello);
		if ((got = fetch(s)) != IO_OK)
			break;
	}
	if (got == IO_FAILED)
		return life_finish(s, life_fault(s, &s->near));
	if (got != IO_AGAIN)
		return life_finish(s, R_CLIENT_LEFT);
	buf_settle(waiting(s), s->worker->pool);
	if (stream_wants_turn(&s->near))
		loop_queue(s->worker->loop, &s->task);
	return WAIT;
}
