/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/eap.c -- RFC 3748, and the methods in it. */
#include "ppp/eap.h"

#include "ppp/link.h"

#include <stdio.h>

enum { REQUEST = 1, RESPONSE, SUCCESS, FAILURE };
enum { IDENTITY = 1, NOTIFICATION, NAK, TLS = 13, MSCHAPV2 = 26 };

enum { MS_CHALLENGE = 1, MS_RESPONSE, MS_SUCCESS, MS_FAILURE };

enum {
	TLS_LENGTH =
	    0x80, /* RFC 5216 3.1: four bytes with the length of the whole message follow */
	TLS_MORE = 0x40,
	TLS_START = 0x20,
	TLS_HEAD = 4 + 1 + 1 + 4, /* of a fragment: EAP's, type, flags, length */

	FAREWELLS = 2, /* times that a refusal is said */
};

static struct eap *
eap_of(struct ppp *ppp)
{
	return &ppp->login.eap;
}

/* ---- packets ---- */

/* The packet under construction is kept, for it may have to be sent again. */
static struct wr
begin_packet(struct eap *eap, uint8_t code, uint8_t id)
{
	struct wr w = wr_of(eap->last, sizeof(eap->last));

	wr_u8(&w, code);
	wr_u8(&w, id);
	wr_u16(&w, 0);
	return w;
}

static void
send_last(struct ppp *ppp)
{
	const struct eap *eap = eap_of(ppp);

	if (eap->last_size > 0)
		link_send_bytes(ppp, LINK_EAP, eap->last, eap->last_size);
}

static void
send_packet(struct ppp *ppp, struct wr *w)
{
	struct eap *eap = eap_of(ppp);

	wr_patch_u16(w, 2, wr_size(w));
	MUST(!w->bad);
	eap->last_size = wr_size(w);
	send_last(ppp);
}

/* A server's requests count up and wait for their response; a client's response has the number of
 * its request. */
static struct wr
begin_turn(struct ppp *ppp, uint8_t type)
{
	struct eap *eap = eap_of(ppp);
	struct wr w;

	if (ppp->conf.server) {
		eap->id++;
		login_rest(ppp);
		login_wait(ppp);
	}
	w = begin_packet(eap, ppp->conf.server ? REQUEST : RESPONSE, eap->id);
	wr_u8(&w, type);
	return w;
}

/* ---- server: the end ---- */

/* Success and Failure have the number of the last response (4.2). */
static void
finish(struct ppp *ppp, bool good)
{
	struct eap *eap = eap_of(ppp);
	struct wr w = begin_packet(eap, good ? SUCCESS : FAILURE, eap->id);
	char detail[PPP_TEXT_MAX];

	eap->stage = EAP_OVER;
	memcpy(detail, eap->detail, sizeof(detail));
	ppp->login.method = eap->method;
	send_packet(ppp, &w);
	if (good)
		login_granted(ppp);
	else if (eap->tls_failed)
		link_close(ppp, PPP_END_TLS, detail);
	else
		login_refused(ppp, detail);
}

/* ---- server: MS-CHAPv2 (draft-kamath-pppext-eap-mschapv2-02, 2) ---- */

/* Operation, the identifier within, and a length that is EAP's less five. */
static struct wr
begin_ms(struct ppp *ppp, uint8_t operation, size_t n)
{
	struct wr w = begin_turn(ppp, MSCHAPV2);

	wr_u8(&w, operation);
	wr_u8(&w, eap_of(ppp)->inner_id);
	wr_u16(&w, (uint32_t)n + 4);
	return w;
}

static void
offer_mschap(struct ppp *ppp)
{
	struct eap *eap = eap_of(ppp);
	size_t name = strlen(ppp->conf.name);
	struct wr w;

	if (!link_random(ppp, eap->challenge, sizeof(eap->challenge)))
		return;
	eap->inner_id = (uint8_t)(eap->id + 1);
	w = begin_ms(ppp, MS_CHALLENGE, 1 + sizeof(eap->challenge) + name);
	wr_u8(&w, sizeof(eap->challenge));
	wr_bytes(&w, eap->challenge, sizeof(eap->challenge));
	wr_bytes(&w, ppp->conf.name, name);
	send_packet(ppp, &w);
}

static void
read_response(struct rd *value, struct mschap_response *out)
{
	memcpy(out->peer_challenge, rd_bytes(value, sizeof(out->peer_challenge)),
	    sizeof(out->peer_challenge));
	memcpy(out->reserved, rd_bytes(value, sizeof(out->reserved)), sizeof(out->reserved));
	memcpy(
	    out->nt_response, rd_bytes(value, sizeof(out->nt_response)), sizeof(out->nt_response));
	out->flags = rd_u8(value);
}

static void
take_ms_response(struct ppp *ppp, struct rd *r)
{
	struct eap *eap = eap_of(ppp);
	uint8_t operation = rd_u8(r), id = rd_u8(r);
	struct ppp_question q = { .method = PPP_EAP_MSCHAPV2, .id = id };
	struct rd value;

	(void)rd_u16(r); /* EAP's own length counts */
	value = rd_block(r, 1);
	if (operation != MS_RESPONSE || id != eap->inner_id || value.bad ||
	    rd_left(&value) != MSCHAP_RESPONSE) {
		link_drop(ppp, "no response to our challenge in EAP");
		return;
	}
	eap->stage = EAP_RUNNING;
	memcpy(q.challenge, eap->challenge, sizeof(q.challenge));
	read_response(&value, &q.response);
	login_ask(ppp, &q, r->p, rd_left(r));
}

static void
mschap_verdict(struct ppp *ppp, const struct ppp_verdict *verdict)
{
	struct eap *eap = eap_of(ppp);
	bool granted = verdict->answer == PPP_GRANTED;
	uint8_t next[PPP_CHALLENGE];
	char text[CHAP_TEXT];
	struct wr w;

	if (!link_random(ppp, next, sizeof(next)))
		return;
	chap_mschap_text(verdict, next, text);
	if (granted)
		memcpy(ppp->login.key, verdict->key, sizeof(ppp->login.key));
	eap->stage = granted ? EAP_GOOD : EAP_BAD;
	w = begin_ms(ppp, granted ? MS_SUCCESS : MS_FAILURE, strlen(text));
	wr_bytes(&w, text, strlen(text));
	send_packet(ppp, &w);
}

/* The client has seen our proof, and believes it or not. */
static void
take_ms_reaction(struct ppp *ppp, struct rd *r)
{
	uint8_t operation = rd_u8(r);

	finish(ppp, eap_of(ppp)->stage == EAP_GOOD && operation == MS_SUCCESS);
}

static void
take_ms(struct ppp *ppp, struct rd *r)
{
	if (eap_of(ppp)->stage == EAP_GOOD || eap_of(ppp)->stage == EAP_BAD)
		take_ms_reaction(ppp, r);
	else
		take_ms_response(ppp, r);
}

/* ---- TLS, both sides (RFC 5216, RFC 9190) ---- */

static bool
tls_begin(struct ppp *ppp)
{
	struct eap *eap = eap_of(ppp);

	if (ppp->conf.tls != NULL && eap->tls == NULL)
		eap->tls = ppp->conf.tls->begin(ppp->conf.tls_arg, ppp->conf.server);
	if (eap->tls == NULL)
		link_finish(ppp, PPP_END_FAULT, "no TLS");
	return eap->tls != NULL;
}

/* The next piece of what waits, or an acknowledgement if nothing does. */
static void
tls_send(struct ppp *ppp, bool first)
{
	struct eap *eap = eap_of(ppp);
	size_t mtu = ppp->lcp.peer_mru < EAP_MAX ? ppp->lcp.peer_mru : EAP_MAX;
	size_t left = ppp->conf.tls->left(eap->tls), n = left;
	uint8_t piece[EAP_MAX];
	struct wr w = begin_turn(ppp, TLS);

	if (n > mtu - TLS_HEAD)
		n = mtu - TLS_HEAD;
	wr_u8(&w, (n < left ? TLS_MORE : 0) | (first && n < left ? TLS_LENGTH : 0));
	if (first && n < left)
		wr_u32(&w, (uint32_t)left);
	n = ppp->conf.tls->take(eap->tls, piece, n);
	wr_bytes(&w, piece, n);
	send_packet(ppp, &w);
}

static void
tls_fail(struct ppp *ppp)
{
	struct eap *eap = eap_of(ppp);

	eap->tls_failed = true;
	if (ppp->conf.server)
		finish(ppp, false);
	else
		link_close(ppp, PPP_END_TLS, "");
}

/* One side has said all it wants: what does our machine make of it? */
static void
tls_step(struct ppp *ppp)
{
	struct eap *eap = eap_of(ppp);
	enum ppp_tls_state state = ppp->conf.tls->step(eap->tls);

	eap->tls_done = state == PPP_TLS_DONE;
	eap->tls_failed = state == PPP_TLS_FAILED;
}

static void
tls_ask(struct ppp *ppp)
{
	struct eap *eap = eap_of(ppp);
	struct ppp_question q = { .method = PPP_EAP_TLS };
	char name[PPP_NAME_MAX + 1];

	if (!ppp->conf.tls->key(eap->tls, ppp->login.key) ||
	    !ppp->conf.tls->name(eap->tls, name, sizeof(name)))
		tls_fail(ppp);
	else
		login_ask(ppp, &q, (const uint8_t *)name, strlen(name));
}

/* The flags, and what is behind them into the machine; false: it is over. */
static bool
tls_put(struct ppp *ppp, struct rd *r, uint8_t *flags, size_t *n)
{
	struct eap *eap = eap_of(ppp);

	*flags = rd_u8(r);
	if ((*flags & TLS_LENGTH) != 0)
		(void)rd_uint(r, 4); /* how much will come is seen when it comes */
	*n = rd_left(r);
	if (!r->bad && (*n == 0 || ppp->conf.tls->put(eap->tls, r->p, *n)))
		return true;
	tls_fail(ppp);
	return false;
}

static void
offer_tls(struct ppp *ppp)
{
	struct wr w;

	if (!tls_begin(ppp))
		return;
	w = begin_turn(ppp, TLS);
	wr_u8(&w, TLS_START);
	send_packet(ppp, &w);
}

/* Server: nothing came and nothing waits, so the handshake is over, or the client makes no sense.
 */
static void
tls_server_end(struct ppp *ppp)
{
	if (eap_of(ppp)->tls_done)
		tls_ask(ppp);
	else
		tls_fail(ppp);
}

static void
take_tls(struct ppp *ppp, struct rd *r)
{
	struct eap *eap = eap_of(ppp);
	uint8_t flags;
	size_t n;
	bool waits;

	eap->stage = EAP_RUNNING;
	if (!tls_put(ppp, r, &flags, &n))
		return;
	waits = ppp->conf.tls->left(eap->tls) > 0;
	if ((flags & TLS_MORE) == 0 && n > 0)
		tls_step(ppp);
	if ((flags & TLS_MORE) != 0 || (n == 0 && waits))
		tls_send(ppp, false);
	else if (ppp->conf.tls->left(eap->tls) > 0)
		tls_send(ppp, true);
	else
		tls_server_end(ppp);
}

static void
tls_verdict(struct ppp *ppp, const struct ppp_verdict *verdict)
{
	finish(ppp, verdict->answer == PPP_GRANTED);
}

/* ---- server: the owner's own EAP ---- */

static void
relay(struct ppp *ppp, const uint8_t *packet, size_t n)
{
	struct eap *eap = eap_of(ppp);
	struct ppp_question q = { .method = PPP_EAP_RELAY, .secret = packet, .secret_size = n };

	eap->stage = EAP_RUNNING;
	login_ask(ppp, &q, eap->identity, eap->identity_size);
}

/* Is it a whole packet of that code? */
static bool
is_packet(const struct ppp_verdict *verdict, uint8_t code)
{
	struct rd r = rd_of(verdict->eap, verdict->eap == NULL ? 0 : verdict->eap_size);
	uint8_t its = rd_u8(&r);

	(void)rd_u8(&r);
	return rd_u16(&r) == verdict->eap_size && !r.bad && its == code &&
	       verdict->eap_size <= EAP_MAX;
}

static void
relay_verdict(struct ppp *ppp, const struct ppp_verdict *verdict)
{
	struct eap *eap = eap_of(ppp);
	bool granted = verdict->answer == PPP_GRANTED;

	if (verdict->answer == PPP_GO_ON && is_packet(verdict, REQUEST)) {
		memcpy(eap->last, verdict->eap, verdict->eap_size);
		eap->last_size = verdict->eap_size;
		eap->id = verdict->eap[1];
		login_wait(ppp);
		send_last(ppp);
		return;
	}
	if (granted)
		memcpy(ppp->login.key, verdict->key, sizeof(ppp->login.key));
	finish(ppp, granted);
}

/* ---- server ---- */

static const struct method {
	enum ppp_method method;
	uint8_t type;
	void (*offer)(struct ppp *);
	void (*take)(struct ppp *, struct rd *);
	void (*verdict)(struct ppp *, const struct ppp_verdict *);
} methods[] = {
	{ PPP_EAP_MSCHAPV2, MSCHAPV2, offer_mschap, take_ms, mschap_verdict },
	{ PPP_EAP_TLS, TLS, offer_tls, take_tls, tls_verdict },
	{ PPP_EAP_RELAY, 0, NULL, NULL, relay_verdict },
};

static const struct method *
method_of(enum ppp_method method)
{
	for (size_t i = 0; i < COUNT_OF(methods); i++)
		if (methods[i].method == method)
			return &methods[i];
	return NULL;
}

/* The first configured method of EAP that was not declined, and (if type != 0) has that type. */
static const struct method *
first_method(const struct ppp *ppp, unsigned declined, uint8_t type)
{
	for (size_t i = 0; i < ppp->conf.method_count; i++) {
		const struct method *m = method_of(ppp->conf.methods[i]);

		if (m != NULL && (declined >> m->method & 1) == 0 && (type == 0 || m->type == type))
			return m;
	}
	return NULL;
}

static void
offer(struct ppp *ppp, const struct method *m)
{
	eap_of(ppp)->method = m->method;
	eap_of(ppp)->stage = EAP_OFFERED;
	m->offer(ppp);
}

static void
take_identity(struct ppp *ppp, const uint8_t *packet, size_t size, struct rd *r)
{
	struct eap *eap = eap_of(ppp);
	const struct method *m = first_method(ppp, 0, 0);
	size_t n = rd_left(r);

	if (n > sizeof(eap->identity) || m == NULL) {
		finish(ppp, false);
		return;
	}
	memcpy(eap->identity, r->p, n);
	eap->identity_size = n;
	if (m->method == PPP_EAP_RELAY) {
		eap->method = m->method;
		relay(ppp, packet, size);
	} else
		offer(ppp, m);
}

/* The first type of the client's list that is allowed, or the next of ours. */
static void
take_nak(struct ppp *ppp, struct rd *r)
{
	struct eap *eap = eap_of(ppp);
	const struct method *m = NULL;

	eap->declined |= 1u << eap->method;
	while (m == NULL && rd_left(r) > 0) {
		uint8_t type = rd_u8(r);

		if (type != 0)
			m = first_method(ppp, eap->declined, type);
	}
	if (m == NULL)
		m = first_method(ppp, eap->declined, 0);
	if (m != NULL && m->offer != NULL)
		offer(ppp, m);
	else {
		struct wr w = begin_packet(eap, FAILURE, eap->id);

		send_packet(ppp, &w);
		link_close(ppp, PPP_END_NO_METHOD, "");
	}
}

static void
take_response(struct ppp *ppp, struct rd *r)
{
	struct eap *eap = eap_of(ppp);
	const struct method *m = method_of(eap->method);
	const uint8_t *packet = r->p - 4; /* the header is right before it */
	size_t size = rd_left(r) + 4;
	uint8_t type = rd_u8(r);

	if (eap->stage == EAP_IDENTITY && type == IDENTITY)
		take_identity(ppp, packet, size, r);
	else if (eap->stage == EAP_IDENTITY)
		link_drop(ppp, "EAP before an identity");
	else if (eap->method == PPP_EAP_RELAY)
		relay(ppp, packet, size);
	else if (type == NAK && eap->stage == EAP_OFFERED)
		take_nak(ppp, r);
	else if (type == m->type)
		m->take(ppp, r);
	else
		link_drop(ppp, "another method of EAP");
}

static void
server_begin(struct ppp *ppp)
{
	struct eap *eap = eap_of(ppp);
	struct wr w;

	if (!link_random(ppp, &eap->id, sizeof(eap->id)))
		return;
	w = begin_turn(ppp, IDENTITY);
	send_packet(ppp, &w);
}

/* A request that comes to us is our own, sent back. */
static void
server_receive(struct ppp *ppp, uint8_t code, uint8_t id, struct rd *r)
{
	struct eap *eap = eap_of(ppp);

	if (code != RESPONSE || id != eap->id || rd_left(r) == 0)
		link_drop(ppp, "no response to our request of EAP");
	else if (eap->stage == EAP_OVER)
		send_last(ppp);
	else if (!ppp->login.waiting)
		take_response(ppp, r);
}

static void
server_again(struct ppp *ppp)
{
	if (eap_of(ppp)->stage == EAP_BAD && ppp->login.tries > FAREWELLS)
		finish(ppp, false);
	else
		send_last(ppp);
}

static void
server_verdict(struct ppp *ppp, const struct ppp_verdict *verdict)
{
	struct eap *eap = eap_of(ppp);

	(void)snprintf(eap->detail, sizeof(eap->detail), "%s", verdict->text);
	method_of(eap->method)->verdict(ppp, verdict);
}

static void
end(struct ppp *ppp)
{
	struct eap *eap = eap_of(ppp);

	if (eap->tls != NULL)
		ppp->conf.tls->end(eap->tls);
	eap->tls = NULL;
}

const struct login_protocol eap_server = {
	.protocol = LINK_EAP,
	.begin = server_begin,
	.receive = server_receive,
	.again = server_again,
	.verdict = server_verdict,
	.end = end,
};

/* ---- client ---- */

static void
client_challenged(struct ppp *ppp, struct rd *r)
{
	struct eap *eap = eap_of(ppp);
	const struct mschap_response *ms = &eap->response;
	struct rd value = rd_block(r, 1);
	struct wr w;

	if (value.bad || rd_left(&value) != sizeof(eap->challenge)) {
		link_drop(ppp, "a challenge that is not MS-CHAPv2's");
		return;
	}
	memcpy(eap->challenge, value.p, sizeof(eap->challenge));
	if (!chap_mschap_respond(ppp, eap->challenge, &eap->response))
		return;
	eap->stage = EAP_RUNNING;
	w = begin_ms(ppp, MS_RESPONSE, 1 + MSCHAP_RESPONSE + strlen(ppp->login.user));
	wr_u8(&w, MSCHAP_RESPONSE);
	wr_bytes(&w, ms->peer_challenge, sizeof(ms->peer_challenge));
	wr_bytes(&w, ms->reserved, sizeof(ms->reserved));
	wr_bytes(&w, ms->nt_response, sizeof(ms->nt_response));
	wr_u8(&w, ms->flags);
	wr_bytes(&w, ppp->login.user, strlen(ppp->login.user));
	send_packet(ppp, &w);
}

/* The reaction is the operation alone. */
static void
client_reacts(struct ppp *ppp, uint8_t operation)
{
	struct wr w = begin_turn(ppp, MSCHAPV2);

	wr_u8(&w, operation);
	send_packet(ppp, &w);
}

static void
client_ms(struct ppp *ppp, struct rd *r)
{
	struct eap *eap = eap_of(ppp);
	uint8_t operation = rd_u8(r), inner_id = rd_u8(r);

	(void)rd_u16(r);
	if (r->bad)
		link_drop(ppp, "a short request of MS-CHAPv2");
	else if (operation == MS_CHALLENGE) {
		eap->inner_id = inner_id;
		client_challenged(ppp, r);
	} else if (operation == MS_SUCCESS && eap->stage == EAP_RUNNING) {
		if (!chap_mschap_proved(ppp, eap->challenge, &eap->response, r->p, rd_left(r))) {
			link_close(ppp, PPP_END_IMPOSTOR, "");
			return;
		}
		eap->stage = EAP_GOOD;
		client_reacts(ppp, MS_SUCCESS);
	} else if (operation == MS_FAILURE && eap->stage == EAP_RUNNING) {
		eap->stage = EAP_BAD;
		(void)link_words(r->p, rd_left(r), eap->detail, sizeof(eap->detail));
		client_reacts(ppp, MS_FAILURE);
	} else
		link_drop(ppp, "MS-CHAPv2 out of its order");
}

static void
client_tls(struct ppp *ppp, struct rd *r)
{
	struct eap *eap = eap_of(ppp);
	bool start = rd_left(r) > 0 && (*r->p & TLS_START) != 0, waits;
	uint8_t flags;
	size_t n;

	if (start ? eap->tls != NULL : eap->tls == NULL) {
		link_drop(ppp, "a start of TLS out of its order");
		return;
	}
	if (!tls_begin(ppp) || !tls_put(ppp, r, &flags, &n))
		return;
	eap->stage = EAP_RUNNING;
	waits = ppp->conf.tls->left(eap->tls) > 0;
	if ((flags & TLS_MORE) != 0 || (n == 0 && waits)) {
		tls_send(ppp, false);
		return;
	}
	if (start || n > 0)
		tls_step(ppp);
	tls_send(ppp, true);
	if (eap->tls_done)
		eap->stage = EAP_GOOD;
}

/* We do not do that: what we do instead (5.3.1). */
static void
client_declines(struct ppp *ppp)
{
	struct wr w = begin_turn(ppp, NAK);
	size_t before = wr_size(&w);

	for (size_t i = 0; i < COUNT_OF(methods); i++)
		if (methods[i].type != 0 && first_method(ppp, 0, methods[i].type) != NULL)
			wr_u8(&w, methods[i].type);
	if (wr_size(&w) == before)
		wr_u8(&w, 0);
	send_packet(ppp, &w);
}

static void
take_request(struct ppp *ppp, uint8_t type, struct rd *r)
{
	struct eap *eap = eap_of(ppp);
	const struct method *m = type == 0 ? NULL : first_method(ppp, 0, type);
	struct wr w;

	if (type == IDENTITY || type == NOTIFICATION) {
		w = begin_turn(ppp, type);
		if (type == IDENTITY)
			wr_bytes(&w, ppp->login.user, strlen(ppp->login.user));
		send_packet(ppp, &w);
	} else if (m == NULL || (eap->method != PPP_NO_AUTH && eap->method != m->method))
		client_declines(ppp);
	else {
		eap->method = m->method;
		if (type == TLS)
			client_tls(ppp, r);
		else
			client_ms(ppp, r);
	}
}

/* A success that nobody has proved is none. */
static void
take_success(struct ppp *ppp)
{
	struct eap *eap = eap_of(ppp);

	if (eap->stage != EAP_GOOD) {
		link_drop(ppp, "a success of EAP without a proof");
		return;
	}
	if (eap->method == PPP_EAP_TLS && !ppp->conf.tls->key(eap->tls, ppp->login.key)) {
		tls_fail(ppp);
		return;
	}
	eap->stage = EAP_OVER;
	ppp->login.method = eap->method;
	login_granted(ppp);
}

static void
client_receive(struct ppp *ppp, uint8_t code, uint8_t id, struct rd *r)
{
	struct eap *eap = eap_of(ppp);
	char detail[PPP_TEXT_MAX];

	if (code == REQUEST && rd_left(r) > 0) {
		if (eap->answered && id == eap->id) {
			send_last(ppp); /* the response was lost */
			return;
		}
		eap->answered = true;
		eap->id = id;
		eap->last_size = 0;
		take_request(ppp, rd_u8(r), r);
	} else if (code == SUCCESS && !ppp->login.done)
		take_success(ppp);
	else if (code == FAILURE && eap->answered && !ppp->login.done) {
		memcpy(detail, eap->detail, sizeof(detail));
		if (eap->tls_failed)
			link_close(ppp, PPP_END_TLS, detail);
		else
			login_refused(ppp, detail);
	} else
		link_drop(ppp, "no request of EAP");
}

const struct login_protocol eap_client = {
	.protocol = LINK_EAP,
	.receive = client_receive,
	.end = end,
};
