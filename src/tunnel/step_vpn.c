/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_vpn.c -- the other side is a network: SSTP and PPP on the stream that has TLS. */
#include "tls/tls_stream.h"
#include "tunnel/steps.h"
#include "tunnel/vpn_call.h"

#include <utlist.h>

/* Both sides bind themselves to the certificate that the server has shown on this connection. */
static bool
hash_certificate(const struct stream *stream, struct sstp_cert *cert)
{
	size_t n;
	uint8_t *der = tls_stream_server_cert(stream, &n);
	bool done = der != NULL && sstp_binding_hash_cert(der, n, cert);

	free(der);
	return done;
}

static enum next
begin_call(struct session *s)
{
	bool client = s->service->conf->client;
	struct vpn_call_env env = {
		.vpn = s->service->vpn,
		.worker = s->worker,
		.stream = client ? &s->far : &s->near,
		.in = client ? &s->down.buf : &s->up.buf,
		.sent = client ? &s->up.bytes : &s->down.bytes,
		.received = client ? &s->down.bytes : &s->up.bytes,
		.log = &s->log,
		.task = &s->task,
		.peer = &s->peer,
	};
	struct sstp_cert cert;

	if (client)
		(void)session_outside(s, &s->peer); /* the line of the end names it, too */
	talk_free(s->talk);
	s->talk = NULL;
	dial_free(s->dial);
	s->dial = NULL;
	loop_untimer(s->worker->loop, &s->timer);
	if (!hash_certificate(env.stream, &cert))
		return life_finish(s, R_VPN_FAULT);
	if ((s->call = vpn_call_new(&env, &cert)) == NULL)
		return life_finish(s, R_NO_MEMORY);
	return MORE;
}

/* The call stands: from here on it runs before new ones. */
static void
now_stands(struct session *s)
{
	life_leave_list(s);
	DL_APPEND(s->worker->standing, s);
	s->log.level = s->service->conf->log_level;
	s->relayed = loop_now(s->worker->loop);
	s->task.lane = LANE_RELAY;
}

enum next
step_vpn(struct session *s)
{
	const struct stream *stream = s->service->conf->client ? &s->far : &s->near;
	int64_t due, now = loop_now(s->worker->loop);
	enum io got;

	if (s->call == NULL)
		return begin_call(s);
	got = vpn_call_run(s->call);
	if (vpn_call_stands(s->call) && s->relayed == 0)
		now_stands(s);
	if (got == IO_FAILED && vpn_call_reason(s->call) != R_NONE)
		return life_finish(s, vpn_call_reason(s->call));
	if (got == IO_FAILED)
		return life_finish(s, life_fault(s, stream));
	due = vpn_call_deadline(s->call);
	if (due == INT64_MAX)
		loop_untimer(s->worker->loop, &s->timer);
	else
		loop_timer(s->worker->loop, &s->timer, due > now ? due - now : 0);
	return WAIT;
}
