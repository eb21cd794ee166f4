/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/life.c -- the steps of a tunnel, their order, and the one way out. */
#include "tunnel/life.h"

#include "tls/tls_stream.h"
#include "tunnel/reach.h"
#include "tunnel/steps.h"

#include <limits.h>
#include <utlist.h>

/* For which services a step is passed through. */
enum want {
	ALWAYS,
	NEAR_PROGRAM,
	SPOKEN_FOR,
	QUEUE,
	OTHER_SEAT,
	OWN_SHARE,
	GUARD,
	OTHER_GUARD,
	BYTES_CLEAR,
	BYTES_INSIDE,
	NEAR_HELLO,
	NEAR_TLS,
	FAR_PROGRAM,
	FAR_TARGET,
	INTRODUCED,
	FAR_TLS,
	NETWORK,
	SCRIPT,
	INNER_HELLO,
	DATAGRAMS
};

static const struct step {
	const char *name;
	enum next (*run)(struct session *);
	enum want want;
	enum proto_point point; /* SCRIPT: with something to say here */
} steps[] = {
	/* near program: start it */
	[STEP_LAUNCH] = { "launch", step_exec, NEAR_PROGRAM, 0 },
	/* the proxy before us tells who the client is */
	[STEP_HEADER] = { "header", step_header, SPOKEN_FOR, 0 },
	/* wait until the service has room */
	[STEP_SEAT] = { "seat", step_seat, QUEUE, 0 },
	/* ask others about the client */
	[STEP_ADMIT] = { "admit", step_admit, GUARD, 0 },
	/* which of several protocols does the client begin with? */
	[STEP_DETECT] = { "detect", step_detect, BYTES_CLEAR, 0 },
	[STEP_RESEAT_FIRST] = { "reseat", step_seat, OTHER_SEAT, 0 },
	[STEP_READMIT_FIRST] = { "readmit", step_admit, OTHER_GUARD, 0 },
	/* what the protocol says to the client before anything else */
	[STEP_EARLY] = { "early", step_talk, SCRIPT, PROTO_EARLY },
	/* near TLS, ours or not: wait for the ClientHello */
	[STEP_PEEK] = { "peek", step_near_peek, NEAR_HELLO, 0 },
	/* wait again, for the service that the client has named */
	[STEP_RESEAT] = { "reseat", step_seat, OTHER_SEAT, 0 },
	/* ask again, for the service that the client has named */
	[STEP_READMIT] = { "readmit", step_admit, OTHER_GUARD, 0 },
	/* near TLS: handshake */
	[STEP_SECURE] = { "secure", step_near_secure, NEAR_TLS, 0 },
	/* which of several protocols is inside of TLS? */
	[STEP_DETECT_INSIDE] = { "detect", step_detect, BYTES_INSIDE, 0 },
	[STEP_RESEAT_LAST] = { "reseat", step_seat, OTHER_SEAT, 0 },
	[STEP_READMIT_LAST] = { "readmit", step_admit, OTHER_GUARD, 0 },
	/* what the client asks for */
	[STEP_REQUEST] = { "request", step_talk, SCRIPT, PROTO_REQUEST },
	/* may whoever it is have one more connection? */
	[STEP_IDENTIFY] = { "identify", step_identify, OWN_SHARE, 0 },
	/* it asks for datagrams: pass them on, to the end */
	[STEP_UDP] = { "udp", step_udp, DATAGRAMS, PROTO_LATE },
	/* far program: start it */
	[STEP_EXEC] = { "exec", step_exec, FAR_PROGRAM, 0 },
	/* reach the target */
	[STEP_CONNECT] = { "connect", step_far_connect, FAR_TARGET, 0 },
	/* ... which failed, and the client is told */
	[STEP_SORRY] = { "sorry", step_talk, SCRIPT, PROTO_SORRY },
	/* tell the target who the client is */
	[STEP_INTRODUCE] = { "introduce", step_introduce, INTRODUCED, 0 },
	/* what is said with both before TLS begins on one side */
	[STEP_CLEAR] = { "clear", step_talk, SCRIPT, PROTO_CLEAR },
	/* far TLS: handshake */
	[STEP_UPGRADE] = { "upgrade", step_upgrade, FAR_TLS, 0 },
	/* what is said when both sides stand */
	[STEP_LATE] = { "late", step_talk, SCRIPT, PROTO_LATE },
	/* the other side is a network */
	[STEP_VPN] = { "vpn", step_vpn, NETWORK, 0 },
	/* TLS in the tunnel: with whom? */
	[STEP_INNER] = { "inner", step_inner, INNER_HELLO, 0 },
	/* ... and goes on for as long as they do */
	[STEP_STAY] = { "stay", step_stay, SCRIPT, PROTO_STAY },
	[STEP_RELAY] = { "relay", step_relay, ALWAYS, 0 },
	/* who has got everything and still sends */
	[STEP_LINGER] = { "linger", step_linger, ALWAYS, 0 },
};

/* The orders in which a tunnel lives through them; what its service does not want is passed over.
 */
static const enum step_id tls_first[] = { STEP_LAUNCH, STEP_HEADER, STEP_SEAT, STEP_ADMIT,
	STEP_DETECT, STEP_RESEAT_FIRST, STEP_READMIT_FIRST, STEP_EARLY, STEP_PEEK, STEP_RESEAT,
	STEP_READMIT, STEP_SECURE, STEP_DETECT_INSIDE, STEP_RESEAT_LAST, STEP_READMIT_LAST,
	STEP_REQUEST, STEP_IDENTIFY, STEP_UDP, STEP_EXEC, STEP_CONNECT, STEP_INTRODUCE, STEP_CLEAR,
	STEP_UPGRADE, STEP_LATE, STEP_VPN, STEP_INNER, STEP_STAY, STEP_RELAY };
static const enum step_id connect_first[] = { STEP_LAUNCH, STEP_HEADER, STEP_SEAT, STEP_ADMIT,
	STEP_DETECT, STEP_RESEAT_FIRST, STEP_READMIT_FIRST, STEP_EARLY, STEP_EXEC, STEP_CONNECT,
	STEP_INTRODUCE, STEP_UPGRADE, STEP_CLEAR, STEP_PEEK, STEP_RESEAT, STEP_READMIT, STEP_SECURE,
	STEP_IDENTIFY, STEP_LATE, STEP_VPN, STEP_INNER, STEP_STAY, STEP_RELAY };
static const enum step_id client_order[] = { STEP_LAUNCH, STEP_HEADER, STEP_SEAT, STEP_ADMIT,
	STEP_DETECT, STEP_RESEAT_FIRST, STEP_READMIT_FIRST, STEP_PEEK, STEP_RESEAT, STEP_READMIT,
	STEP_SECURE, STEP_DETECT_INSIDE, STEP_RESEAT_LAST, STEP_READMIT_LAST, STEP_REQUEST,
	STEP_IDENTIFY, STEP_UDP, STEP_EXEC, STEP_CONNECT, STEP_INTRODUCE, STEP_CLEAR, STEP_UPGRADE,
	STEP_LATE, STEP_VPN, STEP_INNER, STEP_STAY, STEP_RELAY };
/*
 * A sibling.  The target comes first: many wait for us to be there before they tell the client to
 * begin.
 */
static const enum step_id sibling_order[] = { STEP_CONNECT, STEP_UPGRADE, STEP_PEEK, STEP_SECURE,
	STEP_RELAY };

static const enum step_id *
order_of(const struct service *service)
{
	if (service->role == NULL)
		return tls_first;
	if (service->conf->client)
		return client_order;
	return service->role->connect_first ? connect_first : tls_first;
}

bool
life_wants(const struct session *s, enum step_id step)
{
	const struct service *service = s->service;

	switch (steps[step].want) {
	case NEAR_PROGRAM:
		return service_starts_itself(service->conf) && service->conf->exec.path != NULL;
	case SPOKEN_FOR:
		return s->peer.len != 0 && service->conf->front.proxy_from.n > 0;
	case QUEUE:
		return seat_waits(&s->seat);
	case OTHER_SEAT:
		return s->peer.len != 0 && s->seat.seats != service->seats;
	case OWN_SHARE:
		return s->seat.seats != NULL && service->conf->limits.per_identity > 0;
	case GUARD:
		return s->peer.len != 0 && guard_is_wanted(service->conf, false);
	case OTHER_GUARD:
		return s->peer.len != 0 && guard_is_wanted(service->conf, true) &&
		       s->admitted != service;
	case BYTES_CLEAR:
		return s->near.filter == NULL && detect_has_layer(service->detect, DETECT_CLEAR);
	case BYTES_INSIDE:
		return !s->redirected && detect_has_layer(service->detect, DETECT_INSIDE);
	case NEAR_HELLO:
		return service_sees_tls(service->conf) && sibling_has_tls(s->sibling);
	case NEAR_TLS:
		return service->near != NULL && sibling_has_tls(s->sibling);
	case FAR_PROGRAM:
		return service->conf->exec.path != NULL && !service_starts_itself(service->conf) &&
		       !s->redirected;
	case FAR_TARGET:
		return !life_wants(s, STEP_EXEC) && (service->vpn == NULL || service->conf->client);
	case INTRODUCED:
		return service->conf->front.proxy_out != PROXY_OFF && s->far.kind == STREAM_SOCKET;
	case FAR_TLS:
		/* A connection that was ready has it. */
		return service->far != NULL && s->far.filter == NULL && sibling_has_tls(s->sibling);
	case NETWORK:
		return service->vpn != NULL && !s->redirected;
	case SCRIPT:
		return service->role != NULL && service->role->script[steps[step].point] != NULL &&
		       !s->redirected;
	case DATAGRAMS:
		return s->talk != NULL && talk_wants_datagrams(s->talk);
	case INNER_HELLO:
		return service->conf->inner_sni && s->talk != NULL && talk_host(s->talk) != NULL;
	case ALWAYS:
		break;
	}
	return true;
}

/* The first wanted one of an order, or of its rest. */
static enum step_id
first_wanted(const struct session *s, const enum step_id *order)
{
	while (!life_wants(s, *order))
		order++;
	return *order;
}

/* The one place that changes the step. */
enum next
life_go(struct session *s, enum step_id to)
{
	log_debug(&s->log, "%s -> %s", steps[s->step].name, steps[to].name);
	s->step = to;
	return MORE;
}

/* On to the next step of the tunnel's order. */
enum next
life_go_on(struct session *s)
{
	const enum step_id *order = s->order;

	while (*order != s->step)
		order++;
	return life_go(s, first_wanted(s, order + 1));
}

enum proto_point
life_point(const struct session *s)
{
	return steps[s->step].point;
}

bool
life_connects_first(const struct session *s)
{
	return s->order == connect_first;
}

const char *
life_step_name(const struct session *s)
{
	return steps[s->step].name;
}

void
life_begin(struct session *s)
{
	s->order = s->sibling != NULL ? sibling_order : order_of(s->service);
	s->step = first_wanted(s, s->order);
}

/* In a flood of bad connections new ones are quiet until they stand, or end. */
int
life_setup_level(const struct session *s)
{
	return s->worker->flood_second == s->started / 1000 ? LOG_CRIT
							    : s->service->conf->log_level;
}

/* The deadline for everything before the tunnel stands counts from accept. */
void
life_deadline(struct session *s)
{
	int64_t spent = loop_now(s->worker->loop) - s->started;
	int busy_ms = s->service->conf->busy_ms;

	loop_timer(s->worker->loop, &s->timer, spent < busy_ms ? busy_ms - (int)spent : 0);
}

/*
 * Give the tunnel to another service of this port.  What has been done before anybody knew the name
 * (to connect, with some protocols) is not done again, so the order stays if it began with that.
 */
void
life_hand_to(struct session *s, struct service *service)
{
	const enum step_id *order = order_of(service);

	if (service->role != s->service->role) {
		talk_free(s->talk);
		s->talk = NULL;
	}
	if (s->step == STEP_DETECT || (s->order != connect_first && order != connect_first))
		s->order = order;
	s->service = service;
	s->log.level = life_setup_level(s);
	life_deadline(s);
}

/* Who is let through the handshake only to be redirected has shown nothing that counts. */
void
life_identify(struct session *s)
{
	if (s->cert == NULL && s->near.filter != NULL && !s->redirected)
		s->cert = tls_stream_peer_id(&s->near);
	s->who = (struct identity){ &s->peer, s->cert, talk_user(s->talk) };
}

int
life_left(const struct session *s)
{
	int64_t total = s->service->conf->total_ms, left;

	if (total == 0)
		return INT_MAX;
	left = s->relayed + total - loop_now(s->worker->loop);
	return left > 0 ? (int)left : 0;
}

/* ---- the one way out ---- */

/* How the close looks from outside, in the incumbent's words: first the far side, then the near. */
static const char *
closing_word(bool near_reset, bool far_reset)
{
	if (near_reset && far_reset)
		return "reset";
	if (far_reset)
		return "reset/closed";
	return near_reset ? "closed/reset" : "closed";
}

/* The peer as one word of a line. */
const char *
life_peer_word(const struct session *s, char out[ADDR_TEXT])
{
	return s->peer.len == 0 ? "-" : addr_text(&s->peer, out);
}

struct passed
life_passed(const struct session *s)
{
	bool near_is_tls = s->service->near != NULL || s->service->far == NULL;

	return (struct passed){ .to_tls = near_is_tls ? s->down.bytes : s->up.bytes,
		.to_socket = near_is_tls ? s->up.bytes : s->down.bytes };
}

/* One line for each tunnel: what the incumbent says of its end, and what we know beyond. */
static void
log_end(struct session *s, enum reason reason, const char *word, const char *note)
{
	const struct reason_info *info = reason_info(reason);
	struct passed passed = life_passed(s);
	int64_t now = loop_now(s->worker->loop);
	char peer[ADDR_TEXT];
	unsigned swallowed = 0;

	s->log.level = s->service->conf->log_level;
	/* Whoever stood has its line: that cost the peer a handshake and us a target; failures are
	 * cheap. */
	if (s->relayed == 0 && !log_brake(&s->worker->brakes[reason], now, &swallowed)) {
		s->worker->flood_second = now / 1000;
		return;
	}
	if (swallowed > 0)
		log_at(&s->log, info->level, "%u more connections ended with end=%s", swallowed,
		    info->code);
	log_at(&s->log, info->level,
	    "Connection %s: %llu byte(s) sent to TLS, %llu byte(s) sent to socket; "
	    "end=%s service=%s peer=%s step=%s tls_ms=%lld connect_ms=%lld ms=%lld%s%s%s%s%s",
	    word, (unsigned long long)passed.to_tls, (unsigned long long)passed.to_socket,
	    info->code, s->service->conf->name, life_peer_word(s, peer), steps[s->step].name,
	    (long long)(s->secured != 0 ? s->secured - s->started : -1),
	    (long long)(s->connected != 0 ? s->connected - s->started : -1),
	    (long long)(now - s->started), note, reason == R_DONE ? "" : ": ",
	    reason == R_DONE ? "" : info->words, *info->hint != '\0' ? "; " : "", info->hint);
}

/* After a fault of TLS an alert tells the peer the cause; a reset would overtake it. */
static bool
has_alert(const struct stream *s)
{
	if (s->fault == FAULT_TLS)
		return s->alerted; /* there is none for bytes that are not TLS at all */
	return s->fault == FAULT_CERT || s->fault == FAULT_NO_CERT || s->fault == FAULT_REVOKED;
}

/* A session stands in one of its worker's lists: set up, or standing. */
void
life_leave_list(struct session *s)
{
	struct worker *w = s->worker;

	if (s->relayed != 0) {
		DL_DELETE(w->standing, s);
		return;
	}
	DL_DELETE(w->pending, s);
	w->pending_count--;
}

/* Bytes are on their way to `to`: a plain close would make what it has look complete. */
static bool
is_owed(const struct stream *to, const struct flow *f)
{
	return !f->done && flow_held(f) + buf_len(&to->out) > 0;
}

/* All that a session can own is given back here, whatever its step. */
void
life_end(struct session *s, enum reason reason)
{
	struct worker *w = s->worker;
	bool clean = reason_info(reason)->clean, may_reset = s->service->conf->reset;
	bool near_reset = may_reset && !has_alert(&s->near) && !talk_took_leave(s->talk) &&
			  (!clean || is_owed(&s->near, &s->down));
	bool far_reset = may_reset && !has_alert(&s->far) && (!clean || is_owed(&s->far, &s->up));
	char note[VPN_CALL_NOTE] = "";

	if (s->call != NULL)
		(void)vpn_call_note(s->call, note);
	life_leave_list(s);
	loop_untimer(w->loop, &s->timer);
	loop_untimer(w->loop, &s->pause);
	reach_leave(s, reason == R_SETUP_TIMEOUT);
	pick_leave(s->load);
	kin_part(s->kin);
	sibling_free(s->sibling);
	guard_free(s->guard);
	route_free(s->route);
	free(s->heard);
	free(s->asked_for);
	udp_free(s->udp);
	talk_free(s->talk);
	vpn_call_free(s->call);
	peer_id_free(s->cert);
	exec_forget(s->program);
	flow_clear(&s->up, w->pool);
	flow_clear(&s->down, w->pool);
	stream_close(&s->far, far_reset);
	via_free(s->via, far_reset);
	stream_close(&s->near, near_reset);
	loop_cancel(w->loop, &s->task);
	seat_leave(&s->seat);
	w->counters.ended[reason]++;
	tally_end(s->service->tally, clean, life_passed(s));
	/* Whoever reads of the end may count on it: what others could have is free already. */
	log_end(s, reason, closing_word(near_reset, far_reset), note);
	log_debug(&s->log, "Service [%s] finished (%u left)", s->service->conf->name,
	    worker_total_load(w->common) - 1);
	if (s->ended != NULL)
		s->ended(s->owner, reason); /* which belongs to the plan, or to the tunnel before */
	plan_release(s->service->plan);
	OBJ_FREE(s);
	worker_session_gone(w);
}

enum next
life_finish(struct session *s, enum reason reason)
{
	life_end(s, reason);
	return END;
}

/* Which end a stream's fault is, for the one side and for the other. */
enum reason
life_fault(const struct session *s, const struct stream *at)
{
	bool near = at == &s->near;

	switch (at->fault) {
	case FAULT_RESET:
		return near ? R_RESET_NEAR : R_RESET_FAR;
	case FAULT_CERT:
		return R_CERT_REJECTED;
	case FAULT_NO_CERT:
		return R_CERT_MISSING;
	case FAULT_REVOKED:
		return R_REVOCATION;
	case FAULT_MEMORY:
		return R_NO_MEMORY;
	case FAULT_ABUSE:
		return R_ABUSE;
	case FAULT_TLS:
		if (s->relayed == 0 && s->call == NULL)
			return near ? R_TLS_ACCEPT : R_TLS_CONNECT;
		return near ? R_TLS_NEAR : R_TLS_FAR;
	case FAULT_OS:
	case FAULT_NONE:
		break;
	}
	return near ? R_IO_NEAR : R_IO_FAR;
}

/* So long may it take to tell a client that time is up. */
enum { SORRY_MS = 1000 };

/* The deadline for everything before the first relayed byte has passed.  False: it is gone. */
static bool
setup_timeout(struct session *s)
{
	bool queued = seat_waits(&s->seat);

	if (step_far_is_owed(s)) {
		log_info(&s->log, "TIMEOUTbusy exceeded");
		reach_leave(s, true);
		loop_timer(s->worker->loop, &s->timer, SORRY_MS);
		return step_far_unreachable(s, R_SETUP_TIMEOUT) != END;
	}
	log_info(&s->log, "ssl_start: s_poll_wait: TIMEOUTbusy exceeded: sending reset");
	life_end(s, queued ? R_QUEUE_TIMEOUT : R_SETUP_TIMEOUT);
	return false;
}

/* Once it stands, is a call, or is at its end, time is the step's. */
static bool
is_late(const struct session *s)
{
	return s->relayed == 0 && s->call == NULL && s->step != STEP_LINGER && s->timer.fired;
}

void
life_run(void *session)
{
	struct session *s = session;

	CHECK_OBJ(s, SESSION_MAGIC);
	if (is_late(s) && !setup_timeout(s))
		return;
	if (s->via != NULL && via_fault(s->via) != R_NONE) {
		life_end(s, via_fault(s->via));
		return;
	}
	while (steps[s->step].run(s) == MORE)
		;
}
