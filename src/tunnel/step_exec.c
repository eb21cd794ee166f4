/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_exec.c -- a program as one side of the tunnel. */
#include "tls/tls_stream.h"
#include "tunnel/steps.h"

#include <stdio.h>
#include <unistd.h>

enum { NAME_MAX_SIZE = 16 * 1024 }; /* a certificate's name, for SSL_CLIENT_DN */

/* Who the client is, for the environment of a program. */
struct client_vars {
	char host[sizeof("REMOTE_HOST=") + ADDR_TEXT], port[sizeof("REMOTE_PORT=65535")];
	char subject[sizeof("SSL_CLIENT_DN=") + NAME_MAX_SIZE];
	char issuer[sizeof("SSL_CLIENT_I_DN=") + NAME_MAX_SIZE];
	const char *list[5];
};

static void
describe_client(const struct session *s, struct client_vars *v)
{
	char host[ADDR_TEXT], subject[NAME_MAX_SIZE], issuer[NAME_MAX_SIZE];
	const char **next = v->list;

	if (s->peer.len != 0 && !addr_is_unix(&s->peer)) {
		(void)snprintf(v->port, sizeof(v->port), "REMOTE_PORT=%u", addr_port(&s->peer));
		(void)snprintf(
		    v->host, sizeof(v->host), "REMOTE_HOST=%s", addr_host_text(&s->peer, host));
		*next++ = v->host;
		*next++ = v->port;
	}
	if (tls_stream_peer_names(&s->near, subject, issuer, NAME_MAX_SIZE)) {
		(void)snprintf(v->subject, sizeof(v->subject), "SSL_CLIENT_DN=%s", subject);
		(void)snprintf(v->issuer, sizeof(v->issuer), "SSL_CLIENT_I_DN=%s", issuer);
		*next++ = v->subject;
		*next++ = v->issuer;
	}
	*next = NULL;
}

static bool
begin_program(struct session *s)
{
	struct client_vars vars;

	vars.list[0] = NULL;
	describe_client(s, &vars);
	s->program = exec_begin(s->worker->programs, &s->service->conf->exec, vars.list,
	    s->service->environment, &s->log, &s->task);
	return s->program != NULL;
}

/* The program runs: it is the near side if nobody comes in here, else the far one. */
static enum next
take_program(struct session *s, int fd)
{
	bool is_near = s->step == STEP_LAUNCH;
	struct stream *side = is_near ? &s->near : &s->far;
	struct worker *w = s->worker;

	if (!stream_open(side, w->loop, w->pool, &s->log, fd, &s->task)) {
		close(fd);
		return life_finish(s, R_NO_MEMORY);
	}
	stream_set_kind(side, s->service->conf->exec.pty ? STREAM_PTY : STREAM_PROGRAM);
	exec_forget(s->program);
	s->program = NULL;
	if (is_near)
		log_notice(&s->log, "Service [%s] accepted connection", s->service->conf->name);
	else
		s->connected = loop_now(w->loop);
	return life_go_on(s);
}

enum next
step_exec(struct session *s)
{
	int fd = -1;

	if (s->program == NULL && !begin_program(s))
		return life_finish(s, R_EXEC);
	switch (exec_step(s->program, &fd)) {
	case IO_OK:
		return take_program(s, fd);
	case IO_AGAIN:
		return stream_was_reset(&s->near) ? life_finish(s, R_RESET_NEAR) : WAIT;
	default:
		return life_finish(s, R_EXEC);
	}
}
