/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/session.c -- how a tunnel begins, and what others may ask of it. */
#include "tunnel/session.h"

#include "tunnel/steps.h"

#include <unistd.h>
#include <utlist.h>

/* Refuse a client that cannot even become a session. */
static void
turn_away(struct worker *w, const struct client *c)
{
	struct seat seat = c->seat;

	w->counters.ended[R_NO_MEMORY]++;
	seat_leave(&seat);
	sibling_free(c->sibling);
	sock_reset_on_close(c->fd);
	close(c->fd);
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
	/* Otherwise when it is let in. */
	if (s->sibling != NULL || (!life_wants(s, STEP_HEADER) && !life_wants(s, STEP_ADMIT)))
		step_admit_greet(s);
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
	s->task = (struct task){ .run = life_run, .owner = s, .lane = LANE_SETUP };
	s->timer.task = s->pause.task = &s->task;
	s->near.watch.fd = s->far.watch.fd = -1;
	return s;
}

static void
begin(struct session *s)
{
	struct worker *w = s->worker;

	life_begin(s);
	plan_hold(s->service->plan);
	DL_PREPEND(w->pending, s); /* the newest first: gate.c looks at those */
	w->pending_count++;
	worker_session_came(w);
	life_deadline(s);
	loop_queue(w->loop, &s->task);
}

void
session_start(struct worker *w, const struct client *c)
{
	struct session *s = session_new(w, c->service);

	if (s == NULL) {
		turn_away(w, c);
		return;
	}
	s->peer = c->peer;
	s->sibling = c->sibling;
	s->log.level = life_setup_level(s);
	line_make_id(&s->log, (enum log_id)c->service->conf->log_id, c->seq);
	if (!stream_open(&s->near, w->loop, w->pool, &s->log, c->fd, &s->task)) {
		OBJ_FREE(s);
		turn_away(w, c);
		return;
	}
	s->seat = c->seat;
	greet_near(s);
	begin(s);
}

struct session *
session_start_program(struct worker *w, struct service *service, const struct log_ctx *log,
    void (*ended)(void *owner, enum reason), void *owner)
{
	struct session *s = session_new(w, service);

	if (s == NULL)
		return NULL;
	s->log = *log;
	s->ended = ended;
	s->owner = owner;
	begin(s);
	return s;
}

struct session *
session_start_hop(struct worker *w, struct service *service, const struct log_ctx *log, int fd,
    void (*ended)(void *owner, enum reason), void *owner)
{
	struct session *s = session_new(w, service);

	if (s == NULL)
		return NULL;
	s->log = *log;
	s->log.level = life_setup_level(s);
	if (!stream_open(&s->near, w->loop, w->pool, &s->log, fd, &s->task)) {
		OBJ_FREE(s);
		return NULL;
	}
	s->ended = ended;
	s->owner = owner;
	begin(s);
	return s;
}

void
session_forget(struct session *s)
{
	s->ended = NULL;
}

void
session_hand_over(struct session *s, void *owner)
{
	s->owner = owner;
}

bool
session_is_call(const struct session *s)
{
	return s->call != NULL;
}

void
session_ask_to_end(struct session *s)
{
	if (session_is_call(s))
		vpn_call_hang_up(s->call);
}

void
session_abort(struct session *s, enum reason reason)
{
	life_end(s, reason);
}

const char *
session_line(const struct session *s, char out[SESSION_LINE])
{
	struct passed passed = life_passed(s);
	char peer[ADDR_TEXT], who[VPN_CALL_NOTE] = "";

	if (s->call != NULL)
		(void)vpn_call_who(s->call, who);
	(void)snprintf(out, SESSION_LINE,
	    "Service [%s], %llu byte(s) sent to TLS, %llu byte(s) sent to socket; "
	    "id=%s peer=%s step=%s age_ms=%lld%s",
	    s->service->conf->name, (unsigned long long)passed.to_tls,
	    (unsigned long long)passed.to_socket, s->log.id, life_peer_word(s, peer),
	    life_step_name(s), (long long)(loop_now(s->worker->loop) - s->started), who);
	return out;
}

struct passed
session_passed(const struct session *s)
{
	return life_passed(s);
}

struct service *
session_service(const struct session *s)
{
	return s->service;
}

const struct addr *
session_peer(const struct session *s)
{
	return &s->peer;
}

bool
session_outside(const struct session *s, struct addr *out)
{
	struct addr a = { .len = sizeof(a.un) };

	if (s->via != NULL)
		return via_outside(s->via, out);
	if (getpeername(s->far.watch.fd, &a.sa, &a.len) == -1)
		return false;
	*out = a;
	return true;
}

struct session *
session_next(const struct session *s)
{
	return s->next;
}
