/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_near.c -- TLS with the client. */
#include "tls/hello.h"
#include "tls/sni.h"
#include "tls/tls_stream.h"
#include "tunnel/hosts.h"
#include "tunnel/steps.h"

#include <string.h>

/* Find the service that is asked for.  False: there is none, and the client is told so. */
static bool
choose_service(struct session *s, const struct hello *hello)
{
	struct service *chosen = hosts_choose(s->service, hello, &s->log);

	if (chosen == NULL) {
		sni_refuse(&s->near);
		return false;
	}
	if (chosen != s->service)
		life_hand_to(s, chosen);
	return true;
}

/* What was looked at waits for the relay. */
static enum next
pass_on(struct session *s, const struct hello *hello)
{
	log_info(&s->log, "TLS is passed on unopened");
	if (hello->sni[0] != '\0' && s->service->conf->front.proxy_out == PROXY_V2 &&
	    (s->asked_for = strdup(hello->sni)) == NULL)
		return life_finish(s, R_NO_MEMORY);
	return life_go_on(s);
}

/* Look at the ClientHello before anything is spent on the client: no SSL is made for a silent one.
 */
enum next
step_near_peek(struct session *s)
{
	static const enum reason refusals[] = {
		[HELLO_BAD] = R_HELLO_BAD,
		[HELLO_NOT_TLS] = R_NOT_TLS,
		[HELLO_HTTP] = R_NOT_TLS_HTTP,
	};
	struct hello hello;
	enum hello_result result;
	enum io got = stream_peek(&s->near, HELLO_MAX);

	switch (got) {
	case IO_OK:
		break;
	case IO_AGAIN:
		buf_settle(&s->near.in, s->worker->pool);
		/* What came with a header, or before a greeting was heard, is here already. */
		if (buf_len(&s->near.in) == 0)
			return WAIT;
		break;
	case IO_EOF:
	case IO_CUT:
		return life_finish(s, buf_len(&s->near.in) == 0 ? R_NO_BYTES : R_HELLO_CUT);
	case IO_FAILED:
		return life_finish(s, life_fault(s, &s->near));
	}
	result = hello_read(buf_head(&s->near.in), buf_len(&s->near.in), &hello);
	if (result == HELLO_MORE && buf_len(&s->near.in) < HELLO_MAX)
		return got == IO_OK ? MORE : WAIT;
	if (result == HELLO_MORE)
		result = HELLO_BAD;
	if (result != HELLO_DONE) {
		log_err(&s->log, "SSL_accept: %s", reason_info(refusals[result])->words);
		return life_finish(s, refusals[result]);
	}
	/* A sibling has the service of its tunnel. */
	if (s->sibling == NULL && !choose_service(s, &hello))
		return life_finish(s, R_SNI_UNKNOWN);
	if (s->service->conf->passthrough)
		return pass_on(s, &hello);
	if (!tls_stream_accept(&s->near, s->service->near, s->worker->resolver, hello.sni))
		return life_finish(s, R_NO_MEMORY);
	return life_go_on(s);
}

/* The client waits for the last of its handshake; the target may take its time. */
static enum next
leave_secure(struct session *s)
{
	if (stream_flush(&s->near) == IO_FAILED)
		return life_finish(s, life_fault(s, &s->near));
	s->secured = loop_now(s->worker->loop);
	return life_go_on(s);
}

/* The handshake has failed; with `redirect`, who only lacks a good certificate goes elsewhere. */
static enum next
secure_failed(struct session *s)
{
	/* Who is connected to the real target already has nowhere else to go. */
	if (stream_is_open(&s->far) || !tls_stream_admit(&s->near))
		return life_finish(s, life_fault(s, &s->near));
	s->redirected = true;
	log_notice(&s->log, "Redirecting connection");
	return leave_secure(s);
}

enum next
step_near_secure(struct session *s)
{
	switch (stream_start(&s->near)) {
	case IO_OK:
		return leave_secure(s);
	case IO_AGAIN:
		if (stream_wants_turn(&s->near)) /* more has come than one turn may take */
			loop_queue(s->worker->loop, &s->task);
		/* Held back, nobody reads from it. */
		return stream_was_reset(&s->near) ? life_finish(s, R_RESET_NEAR) : WAIT;
	case IO_EOF:
	case IO_CUT:
		return life_finish(s, R_HELLO_CUT);
	case IO_FAILED:
		break;
	}
	return secure_failed(s);
}
