/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_call.c -- one call of a VPN: SSTP and PPP between a TLS stream and a network. */
#include "tunnel/vpn_call.h"

#include "base/text.h"
#include "tunnel/worker.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
	VPN_CALL_MAGIC = 0x0d52f8b3,
	/* Bytes from the stream in one turn, before others have theirs. */
	TURN = 2 * BUF_PAYLOAD,
};

/* ---- ends ---- */

/* How PPP ended, as a reason. */
static const enum reason ppp_reasons[PPP_ENDS] = {
	[PPP_END_CLOSED] = R_DONE,
	[PPP_END_NO_ANSWER] = R_VPN_SLOW,
	[PPP_END_NO_AGREEMENT] = R_VPN_PROTOCOL,
	[PPP_END_LOOP] = R_VPN_PROTOCOL,
	[PPP_END_NO_METHOD] = R_VPN_METHOD,
	[PPP_END_REFUSED] = R_VPN_AUTH,
	[PPP_END_IMPOSTOR] = R_VPN_IMPOSTOR,
	[PPP_END_REJECTED] = R_VPN_PROTOCOL,
	[PPP_END_NO_NETWORK] = R_VPN_NETWORK,
	[PPP_END_NO_ECHO] = R_VPN_SILENT,
	[PPP_END_TLS] = R_VPN_AUTH,
	[PPP_END_FAULT] = R_VPN_FAULT,
};

/* ... and SSTP. */
static const enum reason sstp_reasons[] = {
	[SSTP_END_NONE] = R_VPN_LOST,
	[SSTP_END_OURS] = R_DONE,
	[SSTP_END_ABORTED] = R_VPN_ABORTED,
	[SSTP_END_MISBEHAVED] = R_VPN_PROTOCOL,
	[SSTP_END_BINDING] = R_VPN_BINDING,
	[SSTP_END_UNBOUND] = R_VPN_UNBOUND,
	[SSTP_END_REFUSED] = R_VPN_REFUSED,
	[SSTP_END_SLOW] = R_VPN_SLOW,
	[SSTP_END_SILENT] = R_VPN_SILENT,
	[SSTP_END_FAULT] = R_VPN_FAULT,
};

/* A server that hangs up before the call stands does not want us. */
static enum reason
reason_of_goodbye(const struct vpn_call *c)
{
	return c->env.vpn->client && !c->stood ? R_VPN_REFUSED : R_DONE;
}

/* The first cause is the one that counts. */
static void
set_reason(struct vpn_call *c, enum reason reason)
{
	if (c->reason == R_NONE)
		c->reason = reason;
}

static void
leave_network(struct vpn_call *c)
{
	memset(c->guest.open, 0, sizeof(c->guest.open));
	c->end->leave(c);
	c->entered = false;
}

void
vpn_call_end(struct vpn_call *c, enum reason reason, const char *detail)
{
	set_reason(c, reason);
	leave_network(c);
	if (reason == R_VPN_POOL || reason == R_VPN_DEVICE)
		ppp_close(c->ppp, PPP_END_NO_NETWORK, detail, c->now);
	else
		ppp_close(c->ppp, PPP_END_CLOSED, detail, c->now);
}

void
vpn_call_hang_up(struct vpn_call *c)
{
	c->now = loop_now(c->env.worker->loop);
	log_info(c->env.log, "VPN: hanging up");
	c->hung_up = true;
	vpn_call_end(c, R_DONE, "ginnel stops");
	loop_queue(c->env.worker->loop, c->env.task);
}

/* ---- what SSTP says ---- */

static struct vpn_call *
call_of(void *owner)
{
	struct vpn_call *c = owner;

	CHECK_OBJ(c, VPN_CALL_MAGIC);
	return c;
}

static void
sstp_send(void *owner, const uint8_t *packet, size_t n)
{
	struct vpn_call *c = call_of(owner);

	/* Without room for it the peer is gone, or floods us and does not read. */
	if (!buf_append(&c->control, c->env.worker->pool, packet, n))
		c->over = true;
}

static void
sstp_start_ppp(void *owner)
{
	struct vpn_call *c = call_of(owner);

	ppp_start(c->ppp, c->now);
}

static void
sstp_take_frame(void *owner, uint8_t *frame, size_t n)
{
	struct vpn_call *c = call_of(owner);

	ppp_receive(c->ppp, frame, n, c->now);
}

/* Both halves of what it takes are there: the binding, and an address. */
static void
try_to_enter(struct vpn_call *c)
{
	bool any = false, news[PPP_FAMILIES];

	for (enum ppp_family i = 0; i < PPP_FAMILIES; i++) {
		bool open = sstp_stands(&c->sstp) && ppp_is_up(c->ppp, i);

		news[i] = open && !c->guest.open[i];
		c->guest.open[i] = open;
		any |= open;
	}
	c->guest.mru = ppp_peer_mru(c->ppp);
	if (any && !c->entered) {
		c->entered = true;
		c->end->enter(c);
	}
	for (enum ppp_family i = 0; i < PPP_FAMILIES; i++)
		if (news[i] && c->entered && c->end->open != NULL)
			c->end->open(c, i);
}

static void
sstp_now_stands(void *owner)
{
	struct vpn_call *c = call_of(owner);

	c->stood = true;
	try_to_enter(c);
}

static void
call_is_ending(void *owner, enum sstp_end end)
{
	struct vpn_call *c = call_of(owner);

	set_reason(c, end == SSTP_END_PEER ? reason_of_goodbye(c) : sstp_reasons[end]);
	leave_network(c);
}

static void
sstp_is_over(void *owner)
{
	struct vpn_call *c = call_of(owner);

	c->over = true;
}

static const struct sstp_events sstp_events = { sstp_send, sstp_start_ppp, sstp_take_frame,
	sstp_now_stands, call_is_ending, sstp_is_over };

/* ---- what PPP says ---- */

static void
ppp_sends(void *owner, uint8_t *frame, size_t n)
{
	struct vpn_call *c = call_of(owner);

	sstp_packet_data_header(n, frame - SSTP_HEADER);
	/* What has no room is lost on the way, and will be said again. */
	(void)!buf_append(&c->control, c->env.worker->pool, frame - SSTP_HEADER, SSTP_HEADER + n);
}

static void
ppp_asks(void *owner, const struct ppp_question *question)
{
	struct vpn_call *c = call_of(owner);

	c->end->ask(c, question);
}

static void
ppp_has_authenticated(void *owner, const struct ppp_login *login)
{
	struct vpn_call *c = call_of(owner);
	struct ppp_network network = { .family = { false } };

	c->method = login->method;
	(void)snprintf(c->user, sizeof(c->user), "%s", login->user);
	if (c->end->meet != NULL && !c->end->meet(c))
		return;
	sstp_authenticated(&c->sstp, login->key, c->now);
	if (sstp_is_ending(&c->sstp))
		return;
	if (c->end->plan(c, &network))
		ppp_open_network(c->ppp, &network, c->now);
}

static void
ppp_is_now_up(void *owner, enum ppp_family family, const struct ppp_network *network)
{
	struct vpn_call *c = call_of(owner);

	(void)family;
	c->network = *network;
	try_to_enter(c);
}

static void
ppp_lost_network(void *owner, enum ppp_family family)
{
	struct vpn_call *c = call_of(owner);

	c->guest.open[family] = false;
}

static void
ppp_brings(void *owner, enum ppp_family family, uint8_t *packet, size_t n)
{
	struct vpn_call *c = call_of(owner);

	if (!c->entered || !c->guest.open[family])
		return;
	*c->env.received += n;
	c->moved = c->now;
	c->end->write(c, packet, n);
}

static void
ppp_is_down(void *owner, enum ppp_end end, const char *detail)
{
	struct vpn_call *c = call_of(owner);

	log_info(
	    c->env.log, "PPP: %s%s%s", ppp_end_words(end), *detail != '\0' ? ": " : "", detail);
	set_reason(c, end == PPP_END_PEER ? reason_of_goodbye(c) : ppp_reasons[end]);
	leave_network(c);
	sstp_disconnect(&c->sstp, c->now);
}

static const struct ppp_events ppp_events = {
	.send = ppp_sends,
	.ask = ppp_asks,
	.authenticated = ppp_has_authenticated,
	.up = ppp_is_now_up,
	.network_lost = ppp_lost_network,
	.data = ppp_brings,
	.down = ppp_is_down,
};

/* ---- what the network says ---- */

static struct vpn_call *
call_of_guest(struct vpn_guest *guest)
{
	return call_of((char *)guest - offsetof(struct vpn_call, guest));
}

/* What has no room behind what waits already is dropped, packet by packet, as a router would. */
static void
append_packets(struct vpn_call *c, const struct buf *packets)
{
	const uint8_t *at = buf_head(packets);
	size_t left = buf_len(packets);
	struct sstp_packet p;

	while (left > 0 && sstp_packet_cut(at, left, &p) == SSTP_WHOLE) {
		if (!buf_append(&c->data, c->env.worker->pool, at, p.length)) {
			c->guest.dropped++;
			c->guest.packets--;
			c->guest.bytes -= p.length - VPN_HEADERS;
		}
		at += p.length;
		left -= p.length;
	}
}

static void
take_packets(struct vpn_guest *guest, struct buf *packets)
{
	struct vpn_call *c = call_of_guest(guest);

	c->moved = loop_now(c->env.worker->loop);
	if (buf_len(&c->data) == 0) {
		buf_clear(&c->data, c->env.worker->pool);
		c->data = *packets;
		*packets = (struct buf){ 0 };
	} else {
		append_packets(c, packets);
		buf_clear(packets, c->env.worker->pool);
	}
	loop_queue(c->env.worker->loop, c->env.task);
}

static void
lose_network(struct vpn_guest *guest)
{
	struct vpn_call *c = call_of_guest(guest);

	c->lost = true; /* its task ends it: the network is still telling others */
	loop_queue(c->env.worker->loop, c->env.task);
}

void
vpn_call_send(struct vpn_call *c, enum ppp_family family, const uint8_t *packet, size_t n)
{
	uint8_t whole[SSTP_PACKET_MAX];

	if (!c->guest.open[family] || n > sizeof(whole) - VPN_HEADERS)
		return;
	sstp_packet_data_header(PPP_HEADER + n, whole);
	ppp_put_header(whole + SSTP_HEADER, family);
	memcpy(whole + VPN_HEADERS, packet, n);
	if (!buf_append(&c->data, c->env.worker->pool, whole, VPN_HEADERS + n))
		c->guest.dropped++;
	loop_queue(c->env.worker->loop, c->env.task);
}

/* ---- moving ---- */

/* Records end between packets: a client of old cannot read a header that is cut in two. */
static size_t
whole_packets(const uint8_t *bytes, size_t n)
{
	struct sstp_packet p;
	size_t at = 0;

	while (sstp_packet_cut(bytes + at, n - at, &p) == SSTP_WHOLE)
		at += p.length;
	return at;
}

static enum io
send_all(struct vpn_call *c)
{
	struct stream *s = c->env.stream;
	size_t before;
	enum io got = IO_OK;

	s->cut = whole_packets;
	if (buf_len(&c->control) > 0)
		got = stream_write(s, &c->control);
	if (got == IO_OK && buf_len(&c->data) > 0) {
		before = buf_len(&c->data);
		got = stream_write(s, &c->data);
		*c->env.sent += before - buf_len(&c->data);
	}
	if (got == IO_OK && buf_len(&s->out) > 0)
		got = stream_flush(s);
	return got == IO_FAILED ? IO_FAILED : IO_AGAIN;
}

/* Fetch what has come, and act on it.  IO_OK: there may be more. */
static enum io
receive_some(struct vpn_call *c, size_t *budget)
{
	struct buf *in = c->env.in;
	enum io got;

	if (buf_len(in) > 0)
		buf_eat(in, c->env.worker->pool,
		    sstp_receive(&c->sstp, in->data + in->start, buf_len(in), c->now));
	if (c->over)
		return IO_AGAIN;
	if (*budget == 0) {
		loop_queue(c->env.worker->loop, c->env.task);
		return IO_AGAIN;
	}
	got = stream_read(c->env.stream, in, *budget < BUF_PAYLOAD ? *budget : BUF_PAYLOAD);
	if (got == IO_OK)
		*budget -= buf_len(in) < *budget ? buf_len(in) : *budget;
	if (got == IO_AGAIN) {
		buf_settle(in, c->env.worker->pool);
		if (stream_wants_turn(c->env.stream))
			loop_queue(c->env.worker->loop, c->env.task);
	}
	return got;
}

static void
keep_time(struct vpn_call *c)
{
	if (c->refusal.waits && c->now >= c->refusal.due) {
		c->refusal.waits = false;
		(void)ppp_auth_verdict(c->ppp, c->refusal.number, &c->refusal.verdict, c->now);
	}
	if (c->now >= ppp_deadline(c->ppp))
		ppp_tick(c->ppp, c->now);
	if (c->now >= sstp_deadline(&c->sstp))
		sstp_tick(&c->sstp, c->now);
}

/* What follows for the end from the time, and from what has come. */
static void
run_end(struct vpn_call *c)
{
	c->end->run(c);
	if (c->lost) {
		c->lost = false;
		vpn_call_end(c, R_VPN_DEVICE, "");
	}
}

/* The last words leave before the stream is closed. */
static enum io
take_leave(struct vpn_call *c)
{
	if (send_all(c) != IO_FAILED)
		(void)!stream_end(c->env.stream, END_LAST);
	return IO_FAILED;
}

enum io
vpn_call_run(struct vpn_call *c)
{
	size_t budget = TURN;
	enum io got;

	CHECK_OBJ(c, VPN_CALL_MAGIC);
	c->now = loop_now(c->env.worker->loop);
	keep_time(c);
	do
		got = receive_some(c, &budget);
	while (got == IO_OK && !c->over);
	if (!c->over)
		run_end(c);
	if (c->over)
		return take_leave(c);
	if (got == IO_EOF || got == IO_CUT) {
		set_reason(c, R_VPN_LOST);
		return IO_FAILED;
	}
	if (got == IO_FAILED || send_all(c) == IO_FAILED)
		return IO_FAILED; /* ->reason: if the end had begun, that is what counts */
	buf_settle(&c->data, c->env.worker->pool);
	return IO_AGAIN;
}

int64_t
vpn_call_deadline(const struct vpn_call *c)
{
	int64_t a = sstp_deadline(&c->sstp), b = ppp_deadline(c->ppp);

	if (c->refusal.waits && c->refusal.due < a)
		a = c->refusal.due;
	if (c->limits.until != 0 && c->limits.until < a)
		a = c->limits.until;
	if (c->limits.still != 0 && c->moved + c->limits.still < a)
		a = c->moved + c->limits.still;
	if (c->wait.due < a)
		a = c->wait.due;
	if (c->router.due < a)
		a = c->router.due;
	if (c->router.limit < a)
		a = c->router.limit;
	if (vpn_radius_deadline(c->radius.asker) < a)
		a = vpn_radius_deadline(c->radius.asker);
	return a < b ? a : b;
}

/* ---- from outside ---- */

struct vpn_call *
vpn_call_new(const struct vpn_call_env *env, const struct sstp_cert *cert)
{
	struct ppp_conf conf = env->vpn->ppp;
	struct vpn_call *c;

	if (OBJ_NEW(c, VPN_CALL_MAGIC) == NULL)
		return NULL;
	c->env = *env;
	c->eap = (struct vpn_eap){ env->vpn->eap, env->log };
	conf.tls_arg = &c->eap;
	c->end = env->vpn->client ? &vpn_client_end : &vpn_server_end;
	c->router.due = c->router.limit = c->wait.due = INT64_MAX;
	c->guest.take = take_packets;
	c->guest.lost = lose_network;
	c->ppp = ppp_new(&conf, &ppp_events, c, env->log);
	if (c->ppp == NULL) {
		OBJ_FREE(c);
		return NULL;
	}
	c->now = loop_now(env->worker->loop);
	sstp_init(&c->sstp, &env->vpn->sstp, &sstp_events, c, env->log, cert);
	sstp_begin(&c->sstp, c->now);
	return c;
}

void
vpn_call_free(struct vpn_call *c)
{
	if (c == NULL)
		return;
	CHECK_OBJ(c, VPN_CALL_MAGIC);
	leave_network(c);
	vpn_radius_asker_free(c->radius.asker);
	free(c->radius.class);
	ppp_free(c->ppp);
	sstp_wipe(&c->sstp);
	explicit_bzero(&c->refusal, sizeof(c->refusal));
	buf_clear(&c->control, c->env.worker->pool);
	buf_clear(&c->data, c->env.worker->pool);
	OBJ_FREE(c);
}

enum reason
vpn_call_reason(const struct vpn_call *c)
{
	return c->reason;
}

bool
vpn_call_stands(const struct vpn_call *c)
{
	return c->stood;
}

const char *
vpn_call_who(const struct vpn_call *c, char out[VPN_CALL_NOTE])
{
	char user[TEXT_SAFE_MAX], address[INET_ADDRSTRLEN] = "-";
	const struct in_addr *theirs = c->env.vpn->client ? &c->network.local : &c->network.peer;

	if (theirs->s_addr != 0)
		(void)inet_ntop(AF_INET, theirs, address, sizeof(address));
	(void)snprintf(out, VPN_CALL_NOTE, " user=%s address=%s%s%s method=%s%s%s",
	    c->user[0] != '\0' ? text_safe(c->user, strlen(c->user), user, sizeof(user)) : "-",
	    address, c->address6[0] != '\0' ? " address6=" : "", c->address6,
	    auth_method_name(c->method),
	    c->env.vpn->client ? "" : " kind=", c->env.vpn->client ? "" : ppp_peer_kind(c->ppp));
	return out;
}

const char *
vpn_call_note(const struct vpn_call *c, char out[VPN_CALL_NOTE])
{
	size_t n = strlen(vpn_call_who(c, out));

	(void)snprintf(out + n, VPN_CALL_NOTE - n, " dropped=%llu foreign=%llu early=%llu",
	    (unsigned long long)(c->guest.dropped + c->guest.too_large + c->counts.malformed +
				 c->counts.to_peers),
	    (unsigned long long)c->counts.foreign, (unsigned long long)c->sstp.counts.early);
	return out;
}
