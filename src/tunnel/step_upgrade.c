/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_upgrade.c -- TLS with the target. */
#include "tls/tls_stream.h"
#include "tunnel/steps.h"

static bool
open_tls(struct session *s)
{
	const struct addr *peer = s->dial != NULL ? dial_address(s->dial) : NULL;
	struct resume_cache *cache = NULL;
	const struct kin *kin = s->sibling != NULL ? sibling_kin(s->sibling) : s->kin;

	/*
	 * All of them use the session of the first one.  Servers of FTP know by that whose data it
	 * is: "which proves that they know the same master secret as the control channel"
	 * (vsftpd.conf(5), require_ssl_reuse).
	 */
	if (kin != NULL)
		return tls_stream_connect(&s->far, s->service->far, s->worker->resolver,
		    kin_sessions(kin), kin_server(kin));
	/*
	 * The worker has forgotten the sessions of an older plan; they must not come back.  A
	 * program has no address by which its sessions could be found again.
	 */
	if (s->service->plan == s->worker->plan && peer != NULL)
		cache = s->worker->resume;
	return tls_stream_connect(&s->far, s->service->far, s->worker->resolver, cache, peer);
}

enum next
step_upgrade(struct session *s)
{
	if (s->far.filter == NULL && !open_tls(s))
		return life_finish(s, R_NO_MEMORY);
	switch (stream_start(&s->far)) {
	case IO_OK:
		s->secured = loop_now(s->worker->loop);
		return life_go_on(s);
	case IO_AGAIN:
		if (stream_wants_turn(&s->far))
			loop_queue(s->worker->loop, &s->task);
		return stream_was_reset(&s->near) ? life_finish(s, R_RESET_NEAR) : WAIT;
	case IO_EOF:
	case IO_CUT:
		return step_far_unreachable(s, R_TLS_CONNECT);
	case IO_FAILED:
		break;
	}
	return step_far_unreachable(s, life_fault(s, &s->far));
}
