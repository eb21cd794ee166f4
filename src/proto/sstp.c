/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/sstp.c -- one call of SSTP (MS-SSTP 3), server or client, as a machine.
 *
 * Each state has one timer, so the table of states has it; each message in each state is one entry
 * of a table, and what has none ends the call (MS-SSTP 3.1.5.1: unacceptable frame).
 */
#include "proto/sstp.h"

#include "base/digest.h"
#include "ppp/ppp.h"

#include <string.h>

enum {
	NAKS_MAX = 3,	    /* MS-SSTP 3.3.5.2.1 */
	BUDGET = 64 * 1024, /* of a stranger: the longest login, with certificates, is shorter */
	ECHOES_MAX = 4,	    /* that are answered in a second */
};

typedef void action(struct sstp *, const struct sstp_message *, const uint8_t *packet);

/* ---- states and their timers ---- */

static void expire_negotiation(struct sstp *);
static void expire_hello(struct sstp *);
static void finish(struct sstp *);

#define AT(field) offsetof(struct sstp_conf, field)

static const struct {
	const char *name;
	size_t timer; /* where it is in the configuration */
	unsigned ms;  /* unless the configuration says something */
	void (*expired)(struct sstp *);
} states[SSTP_STATE_COUNT] = {
	[SSTP_IDLE] = { "idle", 0, 0, NULL },
	[SSTP_REQUEST_PENDING] = { "request pending", AT(negotiation), 60000, expire_negotiation },
	[SSTP_CONNECTED_PENDING] = { "connected pending", AT(negotiation), 60000,
	    expire_negotiation },
	[SSTP_REQUEST_SENT] = { "request sent", AT(negotiation), 60000, expire_negotiation },
	[SSTP_ACK_RECEIVED] = { "ack received", AT(negotiation), 60000, expire_negotiation },
	[SSTP_CONNECTED] = { "connected", AT(hello), 60000, expire_hello },
	[SSTP_ABORT_PENDING] = { "abort pending", AT(abort_sent), 3000, finish },
	[SSTP_ABORT_TIMEOUT_PENDING] = { "abort timeout pending", AT(abort_received), 1000,
	    finish },
	[SSTP_DISCONNECT_ACK_PENDING] = { "disconnect ack pending", AT(disconnect_sent), 5000,
	    finish },
	[SSTP_DISCONNECT_TIMEOUT_PENDING] = { "disconnect timeout pending", AT(disconnect_received),
	    1000, finish },
	[SSTP_OVER] = { "over", 0, 0, NULL },
};

const char *
sstp_state_name(enum sstp_state state)
{
	return states[state].name;
}

/* That are offered, or accepted. */
static uint8_t
hashes_of(const struct sstp *s)
{
	return s->conf->hashes != 0 ? s->conf->hashes : SSTP_SHA1 | SSTP_SHA256;
}

static unsigned
timer_of(const struct sstp *s)
{
	unsigned ms = *(const unsigned *)((const char *)s->conf + states[s->state].timer);

	return ms != 0 ? ms : states[s->state].ms;
}

/* The one place that changes the state; its timer begins anew. */
static void
go(struct sstp *s, enum sstp_state to)
{
	log_debug(s->log, "SSTP: %s -> %s", states[s->state].name, states[to].name);
	s->state = to;
	s->due = states[to].expired != NULL ? s->now + timer_of(s) : INT64_MAX;
}

static void
finish(struct sstp *s)
{
	if (s->state == SSTP_OVER)
		return;
	go(s, SSTP_OVER);
	sstp_wipe(s);
	s->events->over(s->owner);
}

/* ---- sending ---- */

static void
send_plain(struct sstp *s, enum sstp_type type)
{
	uint8_t packet[SSTP_CONTROL_MAX];

	s->events->send(s->owner, packet, sstp_packet_make_plain(type, packet));
}

static void
send_farewell(struct sstp *s, enum sstp_type type, uint8_t about, enum sstp_status status)
{
	uint8_t packet[SSTP_CONTROL_MAX];

	s->events->send(s->owner, packet, sstp_packet_make_farewell(type, about, status, packet));
}

/* The first cause is the one that counts. */
static void
begin_end(struct sstp *s, enum sstp_end end)
{
	if (s->end != SSTP_END_NONE)
		return;
	s->end = end;
	s->events->ending(s->owner, end);
}

static void
abort_call(struct sstp *s, uint8_t about, enum sstp_status status, enum sstp_end end)
{
	send_farewell(s, SSTP_CALL_ABORT, about, status);
	go(s, SSTP_ABORT_PENDING);
	begin_end(s, end);
}

/* ---- timers ---- */

static void
expire_negotiation(struct sstp *s)
{
	bool unbound = s->state == SSTP_CONNECTED_PENDING && s->has_key;

	if (unbound)
		log_warn(s->log,
		    "SSTP: the client has logged in but never sent CALL_CONNECTED (sstpc does so "
		    "with "
		    "--user and CHAP-MD5: give it a password by pppd's files, or another method)");
	else
		log_info(
		    s->log, "SSTP: the negotiation has taken too long (%s)", states[s->state].name);
	abort_call(s, SSTP_NO_ATTRIBUTE, SSTP_NEGOTIATION_TIMEOUT,
	    unbound ? SSTP_END_UNBOUND : SSTP_END_SLOW);
}

/* Whatever came counts as life; a question is asked once (MS-SSTP 3.1.2). */
static void
expire_hello(struct sstp *s)
{
	if (s->heard + timer_of(s) > s->now) {
		s->due = s->heard + timer_of(s);
		return;
	}
	if (s->asked) {
		log_info(s->log, "SSTP: the peer gives no sign of life");
		begin_end(s, SSTP_END_SILENT);
		finish(s);
		return;
	}
	s->asked = true;
	s->heard = s->now;
	s->due = s->now + timer_of(s);
	send_plain(s, SSTP_ECHO_REQUEST);
}

/* ---- what a message does, on both sides ---- */

static void
ignore(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	(void)s;
	(void)m;
	(void)packet;
}

/* A message that has no place here. */
static void
refuse(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	(void)packet;
	log_warn(s->log, "SSTP: %s does not belong here (%s)", sstp_packet_type_name(m->type),
	    states[s->state].name);
	abort_call(s, SSTP_NO_ATTRIBUTE, SSTP_UNACCEPTED_FRAME, SSTP_END_MISBEHAVED);
}

static void
answer_abort(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	uint8_t about;
	uint32_t status = sstp_packet_status(m, &about);

	(void)packet;
	log_warn(s->log, "SSTP: the peer has aborted the call: %s (attribute %u)",
	    sstp_packet_status_name(status), about);
	send_farewell(s, SSTP_CALL_ABORT, SSTP_NO_ATTRIBUTE, SSTP_NO_ERROR);
	go(s, SSTP_ABORT_TIMEOUT_PENDING);
	begin_end(s, SSTP_END_ABORTED);
}

/* The answer to our own ABORT. */
static void
take_abort(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	(void)m;
	(void)packet;
	go(s, SSTP_ABORT_TIMEOUT_PENDING);
}

/* Also when both want it at once. */
static void
answer_disconnect(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	uint8_t about;
	uint32_t status = sstp_packet_status(m, &about);

	(void)packet;
	log_info(s->log, "SSTP: the peer disconnects: %s", sstp_packet_status_name(status));
	send_plain(s, SSTP_CALL_DISCONNECT_ACK);
	go(s, SSTP_DISCONNECT_TIMEOUT_PENDING);
	begin_end(s, SSTP_END_PEER);
}

static void
take_disconnect_ack(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	(void)m;
	(void)packet;
	finish(s);
}

/* Nobody needs many of them. */
static void
answer_echo(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	(void)m;
	(void)packet;
	if (s->echoes.second != s->now / 1000) {
		s->echoes.second = s->now / 1000;
		s->echoes.count = 0;
	}
	if (s->echoes.count++ < ECHOES_MAX)
		send_plain(s, SSTP_ECHO_RESPONSE);
}

static void
stand(struct sstp *s)
{
	explicit_bzero(s->hlak, sizeof(s->hlak));
	explicit_bzero(s->nonce, sizeof(s->nonce));
	s->heard = s->now;
	go(s, SSTP_CONNECTED);
	s->events->connected(s->owner);
}

/* ---- server ---- */

static void
send_nak(struct sstp *s, const struct sstp_fault *faults, unsigned count)
{
	uint8_t packet[SSTP_CONTROL_MAX];

	for (unsigned i = 0; i < count; i++)
		log_info(s->log, "SSTP: CALL_CONNECT_REQUEST: attribute %u: %s", faults[i].id,
		    sstp_packet_status_name(faults[i].status));
	s->events->send(s->owner, packet, sstp_packet_make_nak(faults, count, packet));
}

static void
take_request(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	struct sstp_fault faults[SSTP_ATTRIBUTES_MAX + 1];
	unsigned count = sstp_packet_check_request(m, faults);
	uint8_t ack[SSTP_CONTROL_MAX];

	(void)packet;
	if (count > 0 && s->naks++ < NAKS_MAX) {
		send_nak(s, faults, count);
		return;
	}
	if (count > 0) {
		abort_call(s, SSTP_NO_ATTRIBUTE, SSTP_RETRY_COUNT_EXCEEDED, SSTP_END_MISBEHAVED);
		return;
	}
	if (!digest_random(s->nonce, sizeof(s->nonce))) {
		begin_end(s, SSTP_END_FAULT);
		finish(s);
		return;
	}
	s->events->send(s->owner, ack, sstp_packet_make_ack(hashes_of(s), s->nonce, ack));
	go(s, SSTP_CONNECTED_PENDING);
	s->events->begin(s->owner);
}

/* The key and the proof are both here: MS-SSTP 3.3.5.2.3. */
static void
check_binding(struct sstp *s, const struct sstp_binding_proof *proof, const uint8_t *packet)
{
	enum sstp_proof verdict =
	    sstp_binding_verify(proof, packet, hashes_of(s), s->nonce, &s->cert, s->hlak);

	if (verdict == SSTP_PROVED) {
		stand(s);
		return;
	}
	log_err(s->log, "SSTP: crypto binding: %s", sstp_binding_words(verdict));
	abort_call(s, SSTP_CRYPTO_BINDING, SSTP_VALUE_NOT_SUPPORTED, SSTP_END_BINDING);
}

/* Some clients send it before they, or we, know how the login ends. */
static void
take_connected(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	struct sstp_binding_proof proof;

	if (s->held) {
		refuse(s, m, packet);
		return;
	}
	if (!sstp_packet_read_connected(m, &proof)) {
		log_err(s->log, "SSTP: CALL_CONNECTED has no crypto binding, or more than that");
		abort_call(s, SSTP_STATUS_INFO, SSTP_ATTRIBUTE_NOT_SUPPORTED, SSTP_END_BINDING);
		return;
	}
	if (s->has_key) {
		check_binding(s, &proof, packet);
		return;
	}
	memcpy(s->connected, packet, sizeof(s->connected));
	s->held = true;
}

/* ... which was good when it came. */
static void
check_held(struct sstp *s)
{
	struct sstp_packet packet;
	struct sstp_message m;
	struct sstp_binding_proof proof;

	MUST(sstp_packet_cut(s->connected, sizeof(s->connected), &packet) == SSTP_WHOLE &&
	     sstp_packet_read(&packet, &m) && sstp_packet_read_connected(&m, &proof));
	s->held = false;
	check_binding(s, &proof, s->connected);
}

/* ---- client ---- */

static void
take_ack(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	struct sstp_binding_request ack;

	(void)packet;
	if (!sstp_packet_read_ack(m, &ack)) {
		log_err(s->log, "SSTP: CALL_CONNECT_ACK has no request for a crypto binding");
		abort_call(
		    s, SSTP_CRYPTO_BINDING_REQ, SSTP_ATTRIBUTE_NOT_SUPPORTED, SSTP_END_MISBEHAVED);
		return;
	}
	if ((s->hash = sstp_binding_choose(ack.hashes & hashes_of(s))) == 0) {
		log_err(
		    s->log, "SSTP: the server offers no hash for the crypto binding that is ours");
		abort_call(s, SSTP_CRYPTO_BINDING_REQ, SSTP_VALUE_NOT_SUPPORTED, SSTP_END_REFUSED);
		return;
	}
	memcpy(s->nonce, ack.nonce, sizeof(s->nonce));
	go(s, SSTP_ACK_RECEIVED);
	s->events->begin(s->owner);
}

/* There is one request that we can make, so it is not made again. */
static void
take_nak(struct sstp *s, const struct sstp_message *m, const uint8_t *packet)
{
	uint8_t about;
	uint32_t status = sstp_packet_status(m, &about);

	(void)packet;
	log_err(s->log, "SSTP: the server refuses the call: %s (attribute %u)",
	    sstp_packet_status_name(status), about);
	abort_call(s, SSTP_NO_ATTRIBUTE, SSTP_RETRY_COUNT_EXCEEDED, SSTP_END_REFUSED);
}

static void
send_connected(struct sstp *s)
{
	uint8_t packet[SSTP_CONTROL_MAX];
	const uint8_t *cert = s->hash == SSTP_SHA256 ? s->cert.sha256 : s->cert.sha1;
	size_t n = sstp_packet_make_connected(s->hash, s->nonce, cert, packet);

	if (!sstp_binding_mac(s->hash, s->hlak, packet, packet + SSTP_CONNECTED_MAC)) {
		begin_end(s, SSTP_END_FAULT);
		finish(s);
		return;
	}
	s->events->send(s->owner, packet, n);
	stand(s);
}

/* ---- which message does what in which state ---- */

#define QUIET \
	[SSTP_CALL_CONNECT_REQUEST] = ignore, [SSTP_CALL_CONNECT_ACK] = ignore, \
	[SSTP_CALL_CONNECT_NAK] = ignore, [SSTP_CALL_CONNECTED] = ignore, \
	[SSTP_ECHO_REQUEST] = ignore, [SSTP_ECHO_RESPONSE] = ignore
/* In every state before. */
#define ENDINGS [SSTP_CALL_ABORT] = answer_abort, [SSTP_CALL_DISCONNECT] = answer_disconnect

static action *const actions[SSTP_STATE_COUNT][SSTP_TYPES] = {
	[SSTP_REQUEST_PENDING] = { ENDINGS, [SSTP_CALL_CONNECT_REQUEST] = take_request },
	[SSTP_CONNECTED_PENDING] = { ENDINGS, [SSTP_CALL_CONNECTED] = take_connected,
	    /* Too early by the letter, and harmless: SoftEther asks at once. */
	    [SSTP_ECHO_REQUEST] = answer_echo, [SSTP_ECHO_RESPONSE] = ignore },
	[SSTP_REQUEST_SENT] = { ENDINGS, [SSTP_CALL_CONNECT_ACK] = take_ack,
	    [SSTP_CALL_CONNECT_NAK] = take_nak },
	[SSTP_ACK_RECEIVED] = { ENDINGS, [SSTP_ECHO_REQUEST] = answer_echo,
	    [SSTP_ECHO_RESPONSE] = ignore },
	[SSTP_CONNECTED] = { ENDINGS, [SSTP_ECHO_REQUEST] = answer_echo,
	    [SSTP_ECHO_RESPONSE] = ignore },
	[SSTP_ABORT_PENDING] = { QUIET, [SSTP_CALL_ABORT] = take_abort,
	    [SSTP_CALL_DISCONNECT] = ignore, [SSTP_CALL_DISCONNECT_ACK] = ignore },
	[SSTP_ABORT_TIMEOUT_PENDING] = { QUIET, [SSTP_CALL_ABORT] = ignore,
	    [SSTP_CALL_DISCONNECT] = ignore, [SSTP_CALL_DISCONNECT_ACK] = ignore },
	[SSTP_DISCONNECT_ACK_PENDING] = { QUIET, [SSTP_CALL_ABORT] = answer_abort,
	    [SSTP_CALL_DISCONNECT] = answer_disconnect,
	    [SSTP_CALL_DISCONNECT_ACK] = take_disconnect_ack },
	[SSTP_DISCONNECT_TIMEOUT_PENDING] = { QUIET, [SSTP_CALL_ABORT] = ignore,
	    [SSTP_CALL_DISCONNECT] = ignore, [SSTP_CALL_DISCONNECT_ACK] = ignore },
};

static void
take_control(struct sstp *s, const struct sstp_packet *p)
{
	struct sstp_message m;
	action *act;

	if (!sstp_packet_read(p, &m)) {
		if (sstp_is_ending(s))
			return;
		log_warn(s->log, "SSTP: a malformed message of %zu bytes", p->length);
		abort_call(s, SSTP_NO_ATTRIBUTE, SSTP_INVALID_FRAME, SSTP_END_MISBEHAVED);
		return;
	}
	act = m.type < SSTP_TYPES ? actions[s->state][m.type] : NULL;
	if (act == NULL)
		act = sstp_is_ending(s) ? ignore : refuse;
	act(s, &m, p->body - SSTP_HEADER);
}

/* ---- data ---- */

/* The gate: MS-SSTP 3.3.5.2.3.  No packet of the network passes before the binding is good. */
static void
take_data(struct sstp *s, const struct sstp_packet *p, uint8_t *frame)
{
	switch (s->state) {
	case SSTP_CONNECTED_PENDING:
	case SSTP_ACK_RECEIVED:
		if (ppp_is_control(frame, p->body_size))
			break;
		s->counts.early++;
		return;
	case SSTP_CONNECTED:
		break;
	default:
		s->counts.unasked++;
		return;
	}
	s->events->frame(s->owner, frame, p->body_size);
}

/* ---- from outside ---- */

void
sstp_init(struct sstp *s, const struct sstp_conf *conf, const struct sstp_events *events,
    void *owner, const struct log_ctx *log, const struct sstp_cert *cert)
{
	*s = (struct sstp){ .conf = conf,
		.events = events,
		.owner = owner,
		.log = log,
		.cert = *cert,
		.budget = BUDGET,
		.due = INT64_MAX };
}

void
sstp_wipe(struct sstp *s)
{
	explicit_bzero(s->hlak, sizeof(s->hlak));
	explicit_bzero(s->nonce, sizeof(s->nonce));
	explicit_bzero(s->connected, sizeof(s->connected));
}

void
sstp_begin(struct sstp *s, int64_t now)
{
	uint8_t packet[SSTP_CONTROL_MAX];

	MUST(s->state == SSTP_IDLE);
	s->now = now;
	if (s->conf->server) {
		go(s, SSTP_REQUEST_PENDING);
		return;
	}
	go(s, SSTP_REQUEST_SENT);
	s->events->send(s->owner, packet, sstp_packet_make_request(packet));
}

/* A stranger may send so much, and no more. */
static bool
is_within_budget(struct sstp *s, size_t n)
{
	if (s->state >= SSTP_CONNECTED)
		return true;
	if (n > s->budget)
		return false;
	s->budget -= n;
	return true;
}

size_t
sstp_receive(struct sstp *s, uint8_t *bytes, size_t n, int64_t now)
{
	struct sstp_packet p;
	enum sstp_cut cut;
	size_t done = 0;

	s->now = now;
	while (s->state != SSTP_OVER && done < n &&
	       (cut = sstp_packet_cut(bytes + done, n - done, &p)) != SSTP_MORE) {
		if (cut == SSTP_BROKEN || !is_within_budget(s, p.length)) {
			log_warn(s->log, "SSTP: %s",
			    cut == SSTP_BROKEN ? "what came is no packet"
					       : "too much came before the login");
			begin_end(s, SSTP_END_MISBEHAVED);
			finish(s);
			break;
		}
		s->heard = now;
		s->asked = false;
		if (p.control)
			take_control(s, &p);
		else
			take_data(s, &p, bytes + done + SSTP_HEADER);
		done += p.length;
	}
	return s->state == SSTP_OVER ? n : done;
}

void
sstp_authenticated(struct sstp *s, const uint8_t hlak[SSTP_HLAK], int64_t now)
{
	s->now = now;
	/* A peer that logs in again within a call that stands is bound already. */
	if (s->state != SSTP_CONNECTED_PENDING && s->state != SSTP_ACK_RECEIVED)
		return;
	memcpy(s->hlak, hlak, sizeof(s->hlak));
	s->has_key = true;
	if (!s->conf->server)
		send_connected(s);
	else if (s->held)
		check_held(s);
}

void
sstp_disconnect(struct sstp *s, int64_t now)
{
	s->now = now;
	if (sstp_is_ending(s))
		return;
	send_farewell(s, SSTP_CALL_DISCONNECT, SSTP_NO_ATTRIBUTE, SSTP_NO_ERROR);
	go(s, SSTP_DISCONNECT_ACK_PENDING);
	begin_end(s, SSTP_END_OURS);
}

int64_t
sstp_deadline(const struct sstp *s)
{
	return s->due;
}

void
sstp_tick(struct sstp *s, int64_t now)
{
	s->now = now;
	if (now >= s->due)
		states[s->state].expired(s);
}
