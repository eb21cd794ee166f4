/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/session.c -- the life of one tunnel.
 *
 * A session is in one step at a time.  Whatever happens to it queues its task, and the step looks
 * at its streams and timers again; a step says where to go next, and no step cleans up:
 * session_end() is the one way out.
 */
#include "tunnel/session.h"

#include "tls/hello.h"
#include "tls/sni.h"
#include "tls/tls_stream.h"
#include "tunnel/guard.h"
#include "tunnel/route.h"
#include "tunnel/talk.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum {
	SESSION_MAGIC = 0x4d02f7b6,
	/* So many runs within a second without a byte moved are a fault of ours, not of the peers.
	 */
	SPIN_MAX = 1000,
};

enum next { MORE, WAIT, END }; /* a step's answer to session_run() */

enum step_id {
	STEP_LAUNCH,
	STEP_ADMIT,
	STEP_EARLY,
	STEP_PEEK,
	STEP_READMIT,
	STEP_SECURE,
	STEP_REQUEST,
	STEP_EXEC,
	STEP_CONNECT,
	STEP_SORRY,
	STEP_CLEAR,
	STEP_UPGRADE,
	STEP_LATE,
	STEP_RELAY,
};

struct session {
	unsigned magic;
	enum step_id step;
	struct session *prev, *next;
	struct worker *worker;
	struct service *service;   /* its plan is held; in STEP_PEEK the name may change it */
	const enum step_id *order; /* of its steps */
	struct task task;
	struct timer timer; /* until the tunnel stands: the deadline; then: silence */
	struct stream near, far;
	struct flow up, down;		/* near to far, far to near */
	struct dial *dial;		/* from STEP_CONNECT until the tunnel stands */
	bool redirected;		/* may not pass: gets service->redirect and nothing else */
	struct talk *talk;		/* the dialogue of `protocol`, until the tunnel stands */
	struct guard *guard;		/* in STEP_ADMIT and STEP_READMIT */
	const struct service *admitted; /* the service that let the client in */
	struct route *route;		/* transparent: as the dial */
	struct exec_start *program;	/* in STEP_LAUNCH and STEP_EXEC */
	struct log_ctx log;
	struct addr peer;
	void (*ended)(void *owner); /* NULL: nobody asked to be told */
	void *owner;
	int64_t started, secured, connected, relayed; /* ms; 0: not yet */
	int64_t spin_since;
	uint64_t spin_received;
	unsigned spins;
};

static enum next session_step_peek(struct session *);
static enum next session_step_secure(struct session *);
static enum next session_step_exec(struct session *);
static enum next session_step_admit(struct session *);
static enum next session_step_connect(struct session *);
static enum next session_step_upgrade(struct session *);
static enum next session_step_relay(struct session *);
static enum next session_step_talk(struct session *);

/* For which services a step is passed through. */
enum want {
	ALWAYS,
	NEAR_PROGRAM,
	GUARD,
	OTHER_GUARD,
	NEAR_TLS,
	FAR_PROGRAM,
	FAR_TARGET,
	FAR_TLS,
	SCRIPT
};

static const struct step {
	const char *name;
	enum next (*run)(struct session *);
	enum want want;
	enum proto_point point; /* SCRIPT: with something to say here */
} steps[] = {
	/* near program: start it */
	[STEP_LAUNCH] = { "launch", session_step_exec, NEAR_PROGRAM, 0 },
	/* ask others about the client */
	[STEP_ADMIT] = { "admit", session_step_admit, GUARD, 0 },
	/* what the protocol says to the client before anything else */
	[STEP_EARLY] = { "early", session_step_talk, SCRIPT, PROTO_EARLY },
	/* near TLS: wait for the ClientHello */
	[STEP_PEEK] = { "peek", session_step_peek, NEAR_TLS, 0 },
	/* ask again, for the service that the client has named */
	[STEP_READMIT] = { "readmit", session_step_admit, OTHER_GUARD, 0 },
	/* near TLS: handshake */
	[STEP_SECURE] = { "secure", session_step_secure, NEAR_TLS, 0 },
	/* what the client asks for */
	[STEP_REQUEST] = { "request", session_step_talk, SCRIPT, PROTO_REQUEST },
	/* far program: start it */
	[STEP_EXEC] = { "exec", session_step_exec, FAR_PROGRAM, 0 },
	/* reach the target */
	[STEP_CONNECT] = { "connect", session_step_connect, FAR_TARGET, 0 },
	/* ... which failed, and the client is told */
	[STEP_SORRY] = { "sorry", session_step_talk, SCRIPT, PROTO_SORRY },
	/* what is said with both before TLS begins on one side */
	[STEP_CLEAR] = { "clear", session_step_talk, SCRIPT, PROTO_CLEAR },
	/* far TLS: handshake */
	[STEP_UPGRADE] = { "upgrade", session_step_upgrade, FAR_TLS, 0 },
	/* what is said when both sides stand */
	[STEP_LATE] = { "late", session_step_talk, SCRIPT, PROTO_LATE },
	[STEP_RELAY] = { "relay", session_step_relay, ALWAYS, 0 },
};

/* The orders in which a tunnel lives through them; what its service does not want is passed over.
 */
static const enum step_id tls_first[] = { STEP_LAUNCH, STEP_ADMIT, STEP_EARLY, STEP_PEEK,
	STEP_READMIT, STEP_SECURE, STEP_REQUEST, STEP_EXEC, STEP_CONNECT, STEP_CLEAR, STEP_UPGRADE,
	STEP_LATE, STEP_RELAY };
static const enum step_id connect_first[] = { STEP_LAUNCH, STEP_ADMIT, STEP_EARLY, STEP_EXEC,
	STEP_CONNECT, STEP_UPGRADE, STEP_CLEAR, STEP_PEEK, STEP_READMIT, STEP_SECURE, STEP_LATE,
	STEP_RELAY };
static const enum step_id client_order[] = { STEP_LAUNCH, STEP_ADMIT, STEP_PEEK, STEP_READMIT,
	STEP_SECURE, STEP_REQUEST, STEP_EXEC, STEP_CONNECT, STEP_CLEAR, STEP_UPGRADE, STEP_LATE,
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

static bool
wanted(const struct session *s, enum step_id step)
{
	const struct service *service = s->service;

	switch (steps[step].want) {
	case NEAR_PROGRAM:
		return service_starts_itself(service->conf);
	case GUARD:
		return s->peer.len != 0 && guard_is_wanted(service->conf, false);
	case OTHER_GUARD:
		return s->peer.len != 0 && guard_is_wanted(service->conf, true) &&
		       s->admitted != service;
	case NEAR_TLS:
		return service->near != NULL;
	case FAR_PROGRAM:
		return service->conf->exec.path != NULL && !service_starts_itself(service->conf) &&
		       !s->redirected;
	case FAR_TARGET:
		return !wanted(s, STEP_EXEC);
	case FAR_TLS:
		return service->far != NULL;
	case SCRIPT:
		return service->role != NULL && service->role->script[steps[step].point] != NULL &&
		       !s->redirected;
	case ALWAYS:
		break;
	}
	return true;
}

/* The first wanted one of an order, or of its rest. */
static enum step_id
first_wanted(const struct session *s, const enum step_id *order)
{
	while (!wanted(s, *order))
		order++;
	return *order;
}

/* The one place that changes the step. */
static enum next
go(struct session *s, enum step_id to)
{
	log_debug(&s->log, "%s -> %s", steps[s->step].name, steps[to].name);
	s->step = to;
	return MORE;
}

/* On to the next step of the tunnel's order. */
static enum next
go_on(struct session *s)
{
	const enum step_id *order = s->order;

	while (*order != s->step)
		order++;
	return go(s, first_wanted(s, order + 1));
}

/* ---- the one way out ---- */

/* How the close looks from outside, in the incumbent's words. */
static const char *
closing_word(bool near_reset, bool far_reset)
{
	if (near_reset && far_reset)
		return "reset";
	if (near_reset)
		return "reset/closed";
	return far_reset ? "closed/reset" : "closed";
}

/* The peer as one word of a line. */
static const char *
peer_word(const struct session *s, char out[ADDR_TEXT])
{
	return s->peer.len == 0 ? "-" : addr_text(&s->peer, out);
}

/* One line for each tunnel: what the incumbent says of its end, and what we know beyond. */
static void
log_end(struct session *s, enum reason reason, const char *word)
{
	const struct reason_info *info = reason_info(reason);
	bool near_is_tls = s->service->near != NULL || s->service->far == NULL;
	uint64_t to_tls = near_is_tls ? s->down.bytes : s->up.bytes;
	uint64_t to_socket = near_is_tls ? s->up.bytes : s->down.bytes;
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
	    "end=%s service=%s peer=%s step=%s tls_ms=%lld connect_ms=%lld ms=%lld%s%s%s%s",
	    word, (unsigned long long)to_tls, (unsigned long long)to_socket, info->code,
	    s->service->conf->name, peer_word(s, peer), steps[s->step].name,
	    (long long)(s->secured != 0 ? s->secured - s->started : -1),
	    (long long)(s->connected != 0 ? s->connected - s->started : -1),
	    (long long)(now - s->started), reason == R_DONE ? "" : ": ",
	    reason == R_DONE ? "" : info->words, *info->hint != '\0' ? "; " : "", info->hint);
}

/* After a TLS fault, an alert tells the peer the cause; a reset would overtake it. */
static bool
has_alert(const struct stream *s)
{
	return s->fault == FAULT_TLS || s->fault == FAULT_CERT || s->fault == FAULT_NO_CERT ||
	       s->fault == FAULT_REVOKED;
}

/* A session stands in one of its worker's lists: set up, or standing. */
static void
leave_list(struct session *s)
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
static void
session_end(struct session *s, enum reason reason)
{
	struct worker *w = s->worker;
	bool clean = reason_info(reason)->clean, may_reset = s->service->conf->reset;
	bool near_reset = may_reset && !has_alert(&s->near) && !talk_took_leave(s->talk) &&
			  (!clean || is_owed(&s->near, &s->down));
	bool far_reset = may_reset && !has_alert(&s->far) && (!clean || is_owed(&s->far, &s->up));

	log_end(s, reason, closing_word(near_reset, far_reset));
	log_debug(&s->log, "Service [%s] finished (%u left)", s->service->conf->name,
	    worker_total_load(w->common) - 1);
	w->counters.ended[reason]++;
	leave_list(s);
	loop_untimer(w->loop, &s->timer);
	dial_free(s->dial);
	guard_free(s->guard);
	route_free(s->route);
	talk_free(s->talk);
	exec_forget(s->program);
	flow_clear(&s->up, w->pool);
	flow_clear(&s->down, w->pool);
	stream_close(&s->far, far_reset);
	stream_close(&s->near, near_reset);
	loop_cancel(w->loop, &s->task);
	if (s->ended != NULL)
		s->ended(s->owner); /* which belongs to the plan */
	plan_release(s->service->plan);
	OBJ_FREE(s);
	worker_session_gone(w);
}

static enum next
finish(struct session *s, enum reason reason)
{
	session_end(s, reason);
	return END;
}

/* ---- the steps ---- */

/* Which end a stream's fault is, for the one side and for the other. */
static enum reason
fault_reason(const struct session *s, const struct stream *at)
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
		if (s->step != STEP_RELAY)
			return near ? R_TLS_ACCEPT : R_TLS_CONNECT;
		return near ? R_TLS_NEAR : R_TLS_FAR;
	case FAULT_OS:
	case FAULT_NONE:
		break;
	}
	return near ? R_IO_NEAR : R_IO_FAR;
}

/* In a flood of bad connections new ones are quiet until they stand, or end. */
static int
setup_level(const struct session *s)
{
	return s->worker->flood_second == s->started / 1000 ? LOG_CRIT
							    : s->service->conf->log_level;
}

/* The deadline for everything before the tunnel stands counts from accept. */
static void
set_deadline(struct session *s)
{
	int64_t spent = loop_now(s->worker->loop) - s->started;
	int busy_ms = s->service->conf->busy_ms;

	loop_timer(s->worker->loop, &s->timer, spent < busy_ms ? busy_ms - (int)spent : 0);
}

/*
 * Give the tunnel to another service of this port.  What has been done before anybody knew the name
 * (to connect, with some protocols) is not done again, so the order stays if it began with that.
 */
static void
hand_to(struct session *s, struct service *service)
{
	const enum step_id *order = order_of(service);

	if (service->role != s->service->role) {
		talk_free(s->talk);
		s->talk = NULL;
	}
	if (s->order != connect_first && order != connect_first)
		s->order = order;
	s->service = service;
	s->log.level = setup_level(s);
	set_deadline(s);
}

/* Find the service that has the name.  False: none has, and the client is told so. */
static bool
choose_service(struct session *s, const char *name)
{
	struct service *chosen = hosts_choose(s->service, name, &s->log);

	if (chosen == NULL) {
		sni_refuse(&s->near);
		return false;
	}
	if (chosen != s->service)
		hand_to(s, chosen);
	return true;
}

/* Look at the ClientHello before anything is spent on the client: no SSL is made for a silent one.
 */
static enum next
session_step_peek(struct session *s)
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
		/* Who begins with TLS before a greeting was heard of while we talked. */
		if (s->talk == NULL || buf_len(&s->near.in) == 0)
			return WAIT;
		break;
	case IO_EOF:
	case IO_CUT:
		return finish(s, buf_len(&s->near.in) == 0 ? R_NO_BYTES : R_HELLO_CUT);
	case IO_FAILED:
		return finish(s, fault_reason(s, &s->near));
	}
	result = hello_read(buf_head(&s->near.in), buf_len(&s->near.in), &hello);
	if (result == HELLO_MORE && buf_len(&s->near.in) < HELLO_MAX)
		return got == IO_OK ? MORE : WAIT;
	if (result == HELLO_MORE)
		result = HELLO_BAD;
	if (result != HELLO_DONE) {
		log_err(&s->log, "SSL_accept: %s", reason_info(refusals[result])->words);
		return finish(s, refusals[result]);
	}
	if (!choose_service(s, hello.sni))
		return finish(s, R_SNI_UNKNOWN);
	if (!tls_stream_accept(&s->near, s->service->near, s->worker->resolver, hello.sni))
		return finish(s, R_NO_MEMORY);
	return go_on(s);
}

/* The client waits for the last of its handshake; the target may take its time. */
static enum next
leave_secure(struct session *s)
{
	if (stream_flush(&s->near) == IO_FAILED)
		return finish(s, fault_reason(s, &s->near));
	s->secured = loop_now(s->worker->loop);
	return go_on(s);
}

/* The handshake has failed; with `redirect`, who only lacks a good certificate goes elsewhere. */
static enum next
secure_failed(struct session *s)
{
	/* Who is connected to the real target already has nowhere else to go. */
	if (stream_is_open(&s->far) || !tls_stream_admit(&s->near))
		return finish(s, fault_reason(s, &s->near));
	s->redirected = true;
	log_notice(&s->log, "Redirecting connection");
	return leave_secure(s);
}

static enum next
session_step_secure(struct session *s)
{
	switch (stream_start(&s->near)) {
	case IO_OK:
		return leave_secure(s);
	case IO_AGAIN:
		if (stream_wants_turn(&s->near)) /* more has come than one turn may take */
			loop_queue(s->worker->loop, &s->task);
		/* Held back, nobody reads from it. */
		return stream_was_reset(&s->near) ? finish(s, R_RESET_NEAR) : WAIT;
	case IO_EOF:
	case IO_CUT:
		return finish(s, R_HELLO_CUT);
	case IO_FAILED:
		break;
	}
	return secure_failed(s);
}

/* The line of the incumbent that tells of a client. */
static void
greet_admitted(struct session *s)
{
	char text[ADDR_TEXT];

	log_notice(&s->log, "Service [%s] accepted connection%s%s", s->service->conf->name,
	    s->peer.len == 0 ? "" : " from ", s->peer.len == 0 ? "" : addr_text(&s->peer, text));
}

static enum next
session_step_admit(struct session *s)
{
	bool again = s->step == STEP_READMIT;

	if (s->guard == NULL && (s->guard = guard_new(s->worker, s->service, again,
				     s->near.watch.fd, &s->peer, &s->log, &s->task)) == NULL)
		return finish(s, R_NO_MEMORY);
	switch (guard_step(s->guard)) {
	case IO_OK:
		break;
	case IO_AGAIN:
		return stream_was_reset(&s->near) ? finish(s, R_RESET_NEAR) : WAIT;
	default:
		return finish(s, guard_reason(s->guard));
	}
	guard_free(s->guard);
	s->guard = NULL;
	s->admitted = s->service;
	if (!again)
		greet_admitted(s);
	return go_on(s);
}

/* ---- programs ---- */

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
		return finish(s, R_NO_MEMORY);
	}
	stream_set_kind(side, s->service->conf->exec.pty ? STREAM_PTY : STREAM_PROGRAM);
	exec_forget(s->program);
	s->program = NULL;
	if (is_near)
		log_notice(&s->log, "Service [%s] accepted connection", s->service->conf->name);
	else
		s->connected = loop_now(w->loop);
	return go_on(s);
}

static enum next
session_step_exec(struct session *s)
{
	int fd = -1;

	if (s->program == NULL && !begin_program(s))
		return finish(s, R_EXEC);
	switch (exec_step(s->program, &fd)) {
	case IO_OK:
		return take_program(s, fd);
	case IO_AGAIN:
		return stream_was_reset(&s->near) ? finish(s, R_RESET_NEAR) : WAIT;
	default:
		return finish(s, R_EXEC);
	}
}

/* The target of several to try first. */
static unsigned
first_target(struct service *service, unsigned n)
{
	unsigned first = 0;

	if (n <= 1)
		return 0;
	if (service->conf->failover == FAILOVER_RR && !service->conf->delay)
		first = atomic_fetch_add_explicit(&service->turn, 1, memory_order_relaxed) % n;
	return first;
}

/* Where the configuration sends this tunnel. */
static const struct dial_plan *
targets_of(const struct session *s)
{
	return s->redirected ? &s->service->redirect : &s->service->dial;
}

static bool
start_dial(struct session *s)
{
	struct worker *w = s->worker;
	const struct dial_plan *plan = s->route != NULL ? route_plan(s->route) : targets_of(s);
	unsigned first;

	if (s->talk != NULL && !s->redirected)
		plan = talk_dial_plan(s->talk, plan);
	first = first_target(s->service, plan->count);
	if (plan->count > 1)
		log_info(&s->log, "failover: %s, starting at entry #%u",
		    s->service->conf->failover == FAILOVER_RR && !s->service->conf->delay
			? "round-robin"
			: "priority",
		    first);
	s->dial = dial_new(plan, first, w->resolver, w->loop, w->pool, &s->log, &s->task, &s->far);
	return s->dial != NULL;
}

/* The far socket stands: options, and the line that names our end of it. */
static void
greet_far(struct session *s)
{
	struct addr self = { .len = sizeof(self.un) };
	const char *option = sock_apply(s->far.watch.fd, &s->service->conf->sock.side[SOCK_REMOTE]);
	char text[ADDR_TEXT];

	if (option != NULL)
		log_warn(&s->log, "Failed to set remote socket options: %s", option);
	if (s->log.level >= LOG_NOTICE && getsockname(s->far.watch.fd, &self.sa, &self.len) == 0)
		log_notice(&s->log, "Service [%s] connected remote server from %s",
		    s->service->conf->name, addr_text(&self, text));
}

/* The dialogue, if it has not begun.  False: no memory. */
static bool
begin_talk(struct session *s)
{
	if (s->talk == NULL)
		s->talk = talk_new(&s->service->conf->proto, s->service->role, s->worker->loop,
		    s->worker->pool, &s->log, &s->task, &s->peer, s->started);
	return s->talk != NULL;
}

/* No target could be reached; some protocols have a word for it. */
static enum next
unreachable(struct session *s, enum reason reason)
{
	if (!wanted(s, STEP_SORRY) || !begin_talk(s))
		return finish(s, reason);
	talk_regret(s->talk, reason, s->dial);
	return go(s, STEP_SORRY);
}

static enum next
session_step_connect(struct session *s)
{
	enum reason why;

	if (s->service->conf->transparent != TRANSPARENT_NONE && s->route == NULL &&
	    (s->route = route_new(
		 s->service, targets_of(s), s->near.watch.fd, &s->peer, &s->log, &why)) == NULL)
		return unreachable(s, why);
	if (s->dial == NULL && !start_dial(s))
		return finish(s, R_NO_MEMORY);
	switch (dial_step(s->dial)) {
	case IO_AGAIN:
		return stream_was_reset(&s->near) ? finish(s, R_RESET_NEAR) : WAIT;
	case IO_OK:
		break;
	default:
		return unreachable(s, dial_reason(s->dial));
	}
	s->connected = loop_now(s->worker->loop);
	greet_far(s);
	return go_on(s);
}

static bool
open_far_tls(struct session *s)
{
	struct resume_cache *cache = NULL;

	/* The worker has forgotten the sessions of an older plan; they must not come back. */
	if (s->service->plan == s->worker->plan)
		cache = s->worker->resume;
	return tls_stream_connect(
	    &s->far, s->service->far, s->worker->resolver, cache, dial_address(s->dial));
}

static enum next
session_step_upgrade(struct session *s)
{
	if (s->far.filter == NULL && !open_far_tls(s))
		return finish(s, R_NO_MEMORY);
	switch (stream_start(&s->far)) {
	case IO_OK:
		s->secured = loop_now(s->worker->loop);
		return go_on(s);
	case IO_AGAIN:
		if (stream_wants_turn(&s->far))
			loop_queue(s->worker->loop, &s->task);
		return stream_was_reset(&s->near) ? finish(s, R_RESET_NEAR) : WAIT;
	case IO_EOF:
	case IO_CUT:
		return finish(s, R_TLS_CONNECT);
	case IO_FAILED:
		break;
	}
	return finish(s, fault_reason(s, &s->far));
}

/* Where a side's bytes wait until the script takes them: behind TLS, where relaying will find them.
 */
static struct talk_side
talk_side(struct stream *stream, struct flow *from)
{
	return (struct talk_side){ stream, stream->filter != NULL ? &from->buf : &stream->in };
}

/* The stream on which TLS begins when the dialogue of this step is over; NULL: none. */
static struct stream *
upgraded(struct session *s)
{
	struct service *service = s->service;

	if (s->step == STEP_EARLY || (s->step == STEP_CLEAR && s->order == connect_first))
		return service->near != NULL ? &s->near : NULL;
	if (s->step == STEP_CLEAR)
		return service->far != NULL ? &s->far : NULL;
	return NULL;
}

static enum next
session_step_talk(struct session *s)
{
	const struct talk_side sides[] = {
		[PROTO_NEAR] = talk_side(&s->near, &s->up),
		[PROTO_FAR] = talk_side(&s->far, &s->down),
	};
	enum reason reason;

	if (!begin_talk(s))
		return finish(s, R_NO_MEMORY);
	switch (talk_run(s->talk, steps[s->step].point, sides, upgraded(s))) {
	case IO_OK:
		return go_on(s);
	case IO_AGAIN:
		return stream_was_reset(&s->near) ? finish(s, R_RESET_NEAR) : WAIT;
	default:
		break;
	}
	if ((reason = talk_reason(s->talk)) != R_NONE)
		return finish(s, reason);
	return finish(s, fault_reason(s, s->near.fault != FAULT_NONE ? &s->near : &s->far));
}

/* The ends of programs and terminals have rules of their own, which splice() does not know. */
static bool
is_plain_socket(const struct stream *s)
{
	return s->filter == NULL && s->kind == STREAM_SOCKET;
}

/* The tunnel stands: from here on, time counts silence, and the session runs before new ones. */
static void
begin_relay(struct session *s)
{
	leave_list(s);
	DL_APPEND(s->worker->standing, s);
	s->log.level = s->service->conf->log_level;
	s->relayed = loop_now(s->worker->loop);
	if (is_plain_socket(&s->near) && is_plain_socket(&s->far))
		s->up.conduits = s->down.conduits = s->worker->conduits;
	s->up.strict = s->down.strict = s->service->conf->strict_close;
	s->task.lane = LANE_RELAY;
	dial_free(s->dial);
	s->dial = NULL;
	talk_free(s->talk);
	s->talk = NULL;
}

/* Silence has lasted too long. */
static enum next
relay_timeout(struct session *s)
{
	if (s->up.done || s->down.done) {
		log_err(&s->log, "transfer: s_poll_wait: TIMEOUTclose exceeded: closing");
		return finish(s, R_CLOSE_TIMEOUT);
	}
	log_info(&s->log, "transfer: s_poll_wait: TIMEOUTidle exceeded: sending reset");
	return finish(s, R_IDLE);
}

/* A flow failed: name the call that met it, and the end that it is. */
static enum next
relay_failed(struct session *s)
{
	const struct stream *at = s->near.fault != FAULT_NONE ? &s->near : &s->far;
	bool tls = at->filter != NULL;

	if (at->fault == FAULT_NONE)
		return finish(s, R_TRUNCATED);
	/* Who was handed a cut may answer with an alert; that is not the cause. */
	if (at->fault == FAULT_TLS && (s->up.cut || s->down.cut))
		return finish(s, R_CUT);
	if (at->fault == FAULT_OS || at->fault == FAULT_RESET)
		log_err(&s->log, "transfer: %s: %s (%d)", tls ? "SSL_read" : "readsocket",
		    strerror(at->errnum), at->errnum);
	return finish(s, fault_reason(s, at));
}

/* Both directions are done; how truthful an end was it? */
static enum next
relay_done(struct session *s)
{
	if (s->up.broken && s->down.broken)
		return finish(s, R_RESET_NEAR);
	if (s->up.broken || s->down.broken)
		return finish(s, R_EARLY);
	return finish(s, s->up.cut || s->down.cut ? R_CUT : R_DONE);
}

/* True: the session wakes again and again, though nothing came and nothing could leave. */
static bool
spins(struct session *s, int64_t now)
{
	uint64_t received = s->near.received + s->far.received;

	if (received != s->spin_received)
		s->spins = 0;
	s->spin_received = received;
	if (now - s->spin_since >= 1000) {
		s->spin_since = now;
		s->spins = 0;
	}
	return ++s->spins > SPIN_MAX;
}

/* A side has sent its last byte; the words are the incumbent's. */
static void
log_ending(const struct session *s, const struct stream *side, const struct flow *flow)
{
	log_info(&s->log, "%s",
	    side->filter == NULL ? "Read socket closed (readsocket)"
	    : flow->cut		 ? "TLS socket closed (SSL_read)"
				 : "TLS closed (SSL_read)");
}

static enum next
session_step_relay(struct session *s)
{
	const struct service_conf *conf = s->service->conf;
	struct loop *loop = s->worker->loop;
	enum io up, down;
	bool begun = s->relayed != 0, up_ended, down_ended;
	int wait;

	if (!begun)
		begin_relay(s);
	else if (s->timer.fired)
		return relay_timeout(s);

	up_ended = s->up.eof;
	down_ended = s->down.eof;
	up = flow_run(&s->up, &s->near, &s->far, s->down.done);
	down = flow_run(&s->down, &s->far, &s->near, s->up.done);
	if (s->up.eof && !up_ended)
		log_ending(s, &s->near, &s->up);
	if (s->down.eof && !down_ended)
		log_ending(s, &s->far, &s->down);
	if (up == IO_FAILED || down == IO_FAILED)
		return relay_failed(s);
	if (up == IO_OK && down == IO_OK)
		return relay_done(s);

	if (s->up.moved + s->down.moved > 0)
		s->spins = 0;
	else if (begun && spins(s, loop_now(loop)))
		return finish(s, R_BUG);
	wait = s->up.done || s->down.done ? conf->close_ms : conf->idle_ms;
	loop_timer(loop, &s->timer, wait);
	if (s->up.more || s->down.more)
		loop_queue(loop, &s->task);
	return WAIT;
}

/* The deadline for everything before the first relayed byte has passed. */
static void
setup_timeout(struct session *s)
{
	log_info(&s->log, "ssl_start: s_poll_wait: TIMEOUTbusy exceeded: sending reset");
	session_end(s, R_SETUP_TIMEOUT);
}

static void
session_run(void *arg)
{
	struct session *s = arg;

	CHECK_OBJ(s, SESSION_MAGIC);
	if (s->step != STEP_RELAY && s->timer.fired) {
		setup_timeout(s);
		return;
	}
	while (steps[s->step].run(s) == MORE)
		;
}

/* ---- the beginning ---- */

/* Refuse a client that cannot even become a session. */
static void
turn_away(struct worker *w, int fd)
{
	w->counters.ended[R_NO_MEMORY]++;
	sock_reset_on_close(fd);
	close(fd);
}

static void
greet_near(struct session *s)
{
	const struct service_conf *conf = s->service->conf;
	const char *option = NULL;
	char text[ADDR_TEXT];

	if (!addr_is_unix(&s->peer))
		option = sock_apply(s->near.watch.fd, &conf->sock.on_accepted);
	if (option != NULL)
		log_warn(&s->log, "Failed to set local socket options: %s", option);
	log_debug(&s->log, "Service [%s] accepted (FD=%d) from %s", conf->name, s->near.watch.fd,
	    addr_text(&s->peer, text));
	log_debug(&s->log, "Service [%s] started", conf->name);
	if (!wanted(s, STEP_ADMIT)) /* otherwise when it is let in */
		greet_admitted(s);
}

/* NULL without memory.  It counts only from begin() on. */
static struct session *
session_new(struct worker *w, struct service *service)
{
	struct session *s;

	if (OBJ_NEW(s, SESSION_MAGIC) == NULL)
		return NULL;
	s->worker = w;
	s->service = service;
	s->started = s->spin_since = loop_now(w->loop);
	s->task = (struct task){ .run = session_run, .owner = s, .lane = LANE_SETUP };
	s->timer.task = &s->task;
	s->near.watch.fd = s->far.watch.fd = -1;
	return s;
}

static void
begin(struct session *s)
{
	struct worker *w = s->worker;

	s->order = order_of(s->service);
	s->step = first_wanted(s, s->order);
	plan_hold(s->service->plan);
	DL_PREPEND(w->pending, s); /* the newest first: gate.c looks at those */
	w->pending_count++;
	worker_session_came(w);
	set_deadline(s);
	loop_queue(w->loop, &s->task);
}

void
session_start(
    struct worker *w, struct service *service, int fd, const struct addr *peer, uint64_t seq)
{
	const struct service_conf *conf = service->conf;
	struct session *s = session_new(w, service);

	if (s == NULL) {
		turn_away(w, fd);
		return;
	}
	s->peer = *peer;
	s->log.level = setup_level(s);
	log_make_id(&s->log, (enum log_id)conf->log_id, seq);
	if (!stream_open(&s->near, w->loop, w->pool, &s->log, fd, &s->task)) {
		OBJ_FREE(s);
		turn_away(w, fd);
		return;
	}
	greet_near(s);
	begin(s);
}

bool
session_start_program(struct worker *w, struct service *service, const struct log_ctx *log,
    void (*ended)(void *owner), void *owner)
{
	struct session *s = session_new(w, service);

	if (s == NULL)
		return false;
	s->log = *log;
	s->ended = ended;
	s->owner = owner;
	begin(s);
	return true;
}

void
session_abort(struct session *s, enum reason reason)
{
	session_end(s, reason);
}

void
session_list_line(const struct session *s, unsigned n)
{
	bool near_is_tls = s->service->near != NULL || s->service->far == NULL;
	char peer[ADDR_TEXT];

	log_line(&log_main, LOG_NOTICE,
	    "Active connection %u: Service [%s], %llu byte(s) sent to TLS, %llu byte(s) sent to "
	    "socket; "
	    "id=%s peer=%s step=%s age_ms=%lld",
	    n, s->service->conf->name,
	    (unsigned long long)(near_is_tls ? s->down.bytes : s->up.bytes),
	    (unsigned long long)(near_is_tls ? s->up.bytes : s->down.bytes), s->log.id,
	    peer_word(s, peer), steps[s->step].name,
	    (long long)(loop_now(s->worker->loop) - s->started));
}

const struct addr *
session_peer(const struct session *s)
{
	return &s->peer;
}

struct session *
session_next(const struct session *s)
{
	return s->next;
}
