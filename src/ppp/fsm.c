/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/fsm.c -- RFC 1661, section 4: the table, its actions, and the packets that are its events. */
#include "ppp/fsm.h"

#include "ppp/link.h"

/* ---- the table (4.1) ---- */

#define SCR FSM_SCR
#define STR FSM_STR
#define SAY FSM_SAY
#define IRC FSM_IRC
#define ZRC FSM_ZRC
#define TLU FSM_TLU
#define TLD FSM_TLD
#define TLF FSM_TLF
#define NONE \
	{ \
		0, FSM_STATES \
	} /* "-": cannot happen */

/*
 * Columns: Initial, Starting, Closed, Stopped, Closing, Stopping, Req-Sent, Ack-Rcvd, Ack-Sent,
 * Opened; a cell is what to do and the next state, in the RFC's numbers.  "This layer started" is
 * not told to anybody: the layer below is up already.
 */
static const struct fsm_cell table[FSM_EVENTS][FSM_STATES] = {
	[FSM_UP] = { { 0, 2 }, { IRC | SCR, 6 }, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE },
	[FSM_DOWN] = { NONE, NONE, { 0, 0 }, { 0, 1 }, { 0, 0 }, { 0, 1 }, { 0, 1 }, { 0, 1 },
	    { 0, 1 }, { TLD, 1 } },
	[FSM_OPEN] = { { 0, 1 }, { 0, 1 }, { IRC | SCR, 6 }, { 0, 3 }, { 0, 5 }, { 0, 5 }, { 0, 6 },
	    { 0, 7 }, { 0, 8 }, { 0, 9 } },
	[FSM_CLOSE] = { { 0, 0 }, { TLF, 0 }, { 0, 2 }, { 0, 2 }, { 0, 4 }, { 0, 4 },
	    { IRC | STR, 4 }, { IRC | STR, 4 }, { IRC | STR, 4 }, { TLD | IRC | STR, 4 } },
	[FSM_TIMEOUT] = { NONE, NONE, NONE, NONE, { STR, 4 }, { STR, 5 }, { SCR, 6 }, { SCR, 6 },
	    { SCR, 8 }, NONE },
	[FSM_TIMEOUT_LAST] = { NONE, NONE, NONE, NONE, { TLF, 2 }, { TLF, 3 }, { TLF, 3 },
	    { TLF, 3 }, { TLF, 3 }, NONE },
	[FSM_GOOD_REQUEST] = { NONE, NONE, { SAY, 2 }, { IRC | SCR | SAY, 8 }, { 0, 4 }, { 0, 5 },
	    { SAY, 8 }, { SAY | TLU, 9 }, { SAY, 8 }, { TLD | SCR | SAY, 8 } },
	[FSM_BAD_REQUEST] = { NONE, NONE, { SAY, 2 }, { IRC | SCR | SAY, 6 }, { 0, 4 }, { 0, 5 },
	    { SAY, 6 }, { SAY, 7 }, { SAY, 6 }, { TLD | SCR | SAY, 6 } },
	[FSM_ACK] = { NONE, NONE, { SAY, 2 }, { SAY, 3 }, { 0, 4 }, { 0, 5 }, { IRC, 7 },
	    { SCR, 6 }, { IRC | TLU, 9 }, { TLD | SCR, 6 } },
	[FSM_NAK] = { NONE, NONE, { SAY, 2 }, { SAY, 3 }, { 0, 4 }, { 0, 5 }, { IRC | SCR, 6 },
	    { SCR, 6 }, { IRC | SCR, 8 }, { TLD | SCR, 6 } },
	[FSM_TERMINATE] = { NONE, NONE, { SAY, 2 }, { SAY, 3 }, { SAY, 4 }, { SAY, 5 }, { SAY, 6 },
	    { SAY, 6 }, { SAY, 6 }, { TLD | ZRC | SAY, 5 } },
	[FSM_TERMINATED] = { NONE, NONE, { 0, 2 }, { 0, 3 }, { TLF, 2 }, { TLF, 3 }, { 0, 6 },
	    { 0, 6 }, { 0, 8 }, { TLD | SCR, 6 } },
	[FSM_UNKNOWN_CODE] = { NONE, NONE, { SAY, 2 }, { SAY, 3 }, { SAY, 4 }, { SAY, 5 },
	    { SAY, 6 }, { SAY, 7 }, { SAY, 8 }, { SAY, 9 } },
	[FSM_REJECTED_BEARABLE] = { NONE, NONE, { 0, 2 }, { 0, 3 }, { 0, 4 }, { 0, 5 }, { 0, 6 },
	    { 0, 6 }, { 0, 8 }, { 0, 9 } },
	[FSM_REJECTED_FATAL] = { NONE, NONE, { TLF, 2 }, { TLF, 3 }, { TLF, 2 }, { TLF, 3 },
	    { TLF, 3 }, { TLF, 3 }, { TLF, 3 }, { TLD | IRC | STR, 5 } },
	[FSM_ECHO] = { NONE, NONE, { 0, 2 }, { 0, 3 }, { 0, 4 }, { 0, 5 }, { 0, 6 }, { 0, 7 },
	    { 0, 8 }, { SAY, 9 } },
};

static const char *const state_names[FSM_STATES] = { "Initial", "Starting", "Closed", "Stopped",
	"Closing", "Stopping", "Req-Sent", "Ack-Rcvd", "Ack-Sent", "Opened" };

/* In these the restart timer runs. */
static const bool waits[FSM_STATES] = {
	[FSM_CLOSING] = true,
	[FSM_STOPPING] = true,
	[FSM_REQ_SENT] = true,
	[FSM_ACK_RCVD] = true,
	[FSM_ACK_SENT] = true,
};

const struct fsm_cell *
fsm_cell(enum fsm_state state, enum fsm_event event)
{
	return &table[event][state];
}

const char *
fsm_state_name(enum fsm_state state)
{
	return state_names[state];
}

/* ---- options ---- */

bool
fsm_next_option(struct rd *r, struct fsm_option *option)
{
	size_t n;

	if (rd_left(r) == 0)
		return false;
	option->type = rd_u8(r);
	n = rd_u8(r);
	/* The length counts its own two bytes; with less it would never end (6). */
	if (n < 2)
		r->bad = true;
	else {
		option->n = n - 2;
		option->value = rd_bytes(r, n - 2);
	}
	return !r->bad;
}

void
fsm_put_option(struct wr *w, uint8_t type, const void *value, size_t n)
{
	wr_u8(w, type);
	wr_u8(w, (uint32_t)n + 2);
	wr_bytes(w, value, n);
}

/* Is every option whole? */
static bool
well_formed(struct rd options)
{
	struct fsm_option option;

	while (fsm_next_option(&options, &option))
		;
	return !options.bad;
}

/* ---- actions ---- */

/* What an event's packet is answered with. */
struct reply {
	uint8_t code, id;
	const void *data;
	size_t n;
};

static void
start_timer(struct ppp *ppp, struct fsm *f)
{
	f->due = ppp->now + ppp->conf.restart;
}

/* What the options are is asked anew for each one, so it may differ from the one before. */
static void
send_request(struct ppp *ppp, struct fsm *f)
{
	struct packet p;
	struct wr options = wr_of(f->asked, sizeof(f->asked));

	if (f->restarts > 0)
		f->restarts--;
	start_timer(ppp, f);
	if (f->requests++ >= ppp->conf.max_configure) {
		/* Answered or not, these are enough (Max-Configure, and against rounds of Naks):
		   the timer, now, is the end. */
		f->restarts = 0;
		f->due = ppp->now;
		return;
	}
	f->layer->ask(ppp, &options);
	MUST(!options.bad);
	f->asked_size = wr_size(&options);
	f->answered = false;
	link_begin(ppp, &p, f->layer->protocol, FSM_CONFIGURE_REQUEST, ++f->id);
	wr_bytes(&p.w, f->asked, f->asked_size);
	link_send(ppp, &p);
}

static void
send_terminate(struct ppp *ppp, struct fsm *f)
{
	struct packet p;

	if (f->restarts > 0)
		f->restarts--;
	start_timer(ppp, f);
	f->answered = true; /* what comes for our last Configure-Request is too late */
	link_begin(ppp, &p, f->layer->protocol, FSM_TERMINATE_REQUEST, ++f->id);
	if (f->layer->farewell != NULL)
		f->layer->farewell(ppp, &p.w);
	link_send(ppp, &p);
}

static void
say(struct ppp *ppp, const struct fsm *f, const struct reply *reply)
{
	struct packet p;

	link_begin(ppp, &p, f->layer->protocol, reply->code, reply->id);
	link_fill(&p, reply->data, reply->n);
	link_send(ppp, &p);
}

/* The layer stands.  A peer may begin again, but not without end. */
static void
layer_up(struct ppp *ppp, struct fsm *f)
{
	f->requests = f->naks = 0;
	if (ppp->now - f->ups_since > FSM_UPS_WINDOW) {
		f->ups_since = ppp->now;
		f->ups = 0;
	}
	if (f->ups++ < FSM_UPS)
		f->layer->up(ppp);
	else
		link_close(ppp, PPP_END_NO_AGREEMENT, "");
}

/* How many requests may stay without an answer (4.6): Max-Terminate is 2. */
static unsigned
restart_count(const struct ppp *ppp, unsigned actions)
{
	return (actions & STR) != 0 ? 2 : ppp->conf.max_configure;
}

static void
event(struct ppp *ppp, struct fsm *f, enum fsm_event e, const struct reply *reply)
{
	const struct fsm_cell *cell = fsm_cell(f->state, e);
	unsigned todo = cell->actions;

	if (cell->next == FSM_STATES)
		return;
	f->state = cell->next;
	if (!waits[f->state])
		f->due = LINK_NEVER;
	if ((todo & TLD) != 0) {
		f->layer->down(ppp);
		if (f->state != cell->next)
			return; /* whoever was told has closed the link */
	}
	if ((todo & IRC) != 0)
		f->restarts = restart_count(ppp, todo);
	if ((todo & ZRC) != 0) {
		f->restarts = 0;
		start_timer(ppp, f);
	}
	if ((todo & SCR) != 0)
		send_request(ppp, f);
	if ((todo & STR) != 0)
		send_terminate(ppp, f);
	if ((todo & SAY) != 0 && reply != NULL)
		say(ppp, f, reply);
	if ((todo & TLU) != 0)
		layer_up(ppp, f);
	if ((todo & TLF) != 0) {
		f->requests = f->naks = 0;
		f->layer->finished(ppp);
	}
}

void
fsm_answer(struct ppp *ppp, struct fsm *f, enum fsm_event e, uint8_t code, uint8_t id,
    const void *data, size_t n)
{
	const struct reply reply = { code, id, data, n };

	event(ppp, f, e, &reply);
}

void
fsm_init(struct fsm *f, const struct fsm_layer *layer)
{
	*f = (struct fsm){ .layer = layer, .due = LINK_NEVER };
}

void
fsm_open(struct ppp *ppp, struct fsm *f)
{
	event(ppp, f, FSM_OPEN, NULL);
}

void
fsm_close(struct ppp *ppp, struct fsm *f)
{
	event(ppp, f, FSM_CLOSE, NULL);
}

void
fsm_up(struct ppp *ppp, struct fsm *f)
{
	f->requests = f->naks = 0;
	event(ppp, f, FSM_UP, NULL);
}

void
fsm_down(struct ppp *ppp, struct fsm *f)
{
	event(ppp, f, FSM_DOWN, NULL);
}

void
fsm_rejected(struct ppp *ppp, struct fsm *f)
{
	event(ppp, f, FSM_REJECTED_FATAL, NULL);
}

void
fsm_tick(struct ppp *ppp, struct fsm *f)
{
	if (ppp->now >= f->due)
		event(ppp, f, f->restarts > 0 ? FSM_TIMEOUT : FSM_TIMEOUT_LAST, NULL);
}

void
fsm_ask_again(struct ppp *ppp, struct fsm *f)
{
	if (f->state == FSM_REQ_SENT || f->state == FSM_ACK_SENT)
		send_request(ppp, f);
}

/* ---- packets ---- */

/* What we think of a request, while it is read. */
struct opinion {
	struct wr rejected, naked;
	struct wr disliked; /* those that are naked, as the peer wrote them */
	uint8_t seen[256 / 8];
	uint8_t room[PPP_MRU + 2 * FSM_WIDTH];
};

/* An option as it was written; one that does not fit waits for the next round. */
static void
copy_option(struct wr *w, const struct fsm_option *option)
{
	if (wr_room(w) >= option->n + 2)
		fsm_put_option(w, option->type, option->value, option->n);
}

/* An option is listed once (RFC 1661 6): a second one is not understood. */
static bool
seen_before(struct opinion *o, uint8_t type)
{
	uint8_t bit = (uint8_t)(1u << type % 8);
	bool before = (o->seen[type / 8] & bit) != 0;

	o->seen[type / 8] |= bit;
	return before;
}

static void
judge(struct ppp *ppp, const struct fsm *f, struct rd options, struct opinion *o)
{
	struct fsm_option option;

	*o = (struct opinion){
		.rejected = wr_of(o->room, PPP_MRU),
		.naked = wr_of(o->room + PPP_MRU, FSM_WIDTH),
		.disliked = wr_of(o->room + PPP_MRU + FSM_WIDTH, FSM_WIDTH),
	};
	f->layer->forget(ppp);
	while (fsm_next_option(&options, &option)) {
		enum fsm_opinion opinion = FSM_UNKNOWN;

		if (!seen_before(o, option.type))
			opinion = f->layer->judge(ppp, &option, &o->naked);
		if (opinion == FSM_UNKNOWN)
			copy_option(&o->rejected, &option);
		if (opinion == FSM_OTHER)
			copy_option(&o->disliked, &option);
	}
	if (f->layer->wish != NULL)
		f->layer->wish(ppp, &o->naked);
}

/*
 * Reject goes before Nak, and Nak before Ack.  A peer that does not follow our Naks gets Rejects
 * behind the fifth one (Max-Failure), and our wishes are forgotten.
 */
static void
take_request(struct ppp *ppp, struct fsm *f, uint8_t id, const struct rd *options)
{
	struct opinion o;
	bool tired = f->naks >= ppp->conf.max_failure;
	struct wr *unwanted;

	if (f->layer->is_echo != NULL && f->layer->is_echo(ppp, options))
		return;
	judge(ppp, f, *options, &o);
	unwanted = wr_size(&o.rejected) == 0 && tired ? &o.disliked : &o.rejected;
	if (wr_size(unwanted) > 0)
		fsm_answer(ppp, f, FSM_BAD_REQUEST, FSM_CONFIGURE_REJECT, id, unwanted->start,
		    wr_size(unwanted));
	else if (wr_size(&o.naked) > 0 && !tired) {
		f->naks++;
		fsm_answer(ppp, f, FSM_BAD_REQUEST, FSM_CONFIGURE_NAK, id, o.naked.start,
		    wr_size(&o.naked));
	} else
		fsm_answer(
		    ppp, f, FSM_GOOD_REQUEST, FSM_CONFIGURE_ACK, id, options->p, rd_left(options));
	if (f->layer->heard != NULL)
		f->layer->heard(ppp);
}

/* Is this option, as it is written, one of those that we asked for? */
static bool
was_asked(const struct fsm *f, const struct fsm_option *wanted)
{
	struct rd ours = rd_of(f->asked, f->asked_size);
	struct fsm_option option;

	while (fsm_next_option(&ours, &option))
		if (option.type == wanted->type && option.n == wanted->n &&
		    memcmp(option.value, wanted->value, option.n) == 0)
			return true;
	return false;
}

static bool
all_were_asked(const struct fsm *f, struct rd options)
{
	struct fsm_option option;

	while (fsm_next_option(&options, &option))
		if (!was_asked(f, &option))
			return false;
	return true;
}

/* Follow what a Nak or a Reject says; false: it cannot be followed. */
static bool
follow(struct ppp *ppp, const struct fsm *f, uint8_t code, struct rd options)
{
	struct fsm_option option;
	bool possible = true;

	while (possible && fsm_next_option(&options, &option))
		possible = code == FSM_CONFIGURE_NAK ? f->layer->adjust(ppp, &option)
						     : f->layer->forgo(ppp, &option);
	return possible;
}

/* An answer to our request.  What is not one, to the byte, is dropped (5.2 to 5.4). */
static void
take_answer(struct ppp *ppp, struct fsm *f, uint8_t code, uint8_t id, const struct rd *options)
{
	if (!waits[f->state] && f->state != FSM_OPENED) {
		/* Closed or stopped: the peer has missed something. */
		fsm_answer(ppp, f, FSM_ACK, FSM_TERMINATE_ACK, id, NULL, 0);
		return;
	}
	if (id != f->id || f->answered) {
		link_drop(ppp, "an answer to no request of ours");
		return;
	}
	if ((code == FSM_CONFIGURE_ACK && (rd_left(options) != f->asked_size ||
					      memcmp(options->p, f->asked, f->asked_size) != 0)) ||
	    (code == FSM_CONFIGURE_REJECT && !all_were_asked(f, *options))) {
		link_drop(ppp, "an answer to something that we did not ask");
		return;
	}
	f->answered = true;
	if (code == FSM_CONFIGURE_ACK)
		fsm_answer(ppp, f, FSM_ACK, FSM_TERMINATE_ACK, id, NULL, 0);
	else if (follow(ppp, f, code, *options))
		fsm_answer(ppp, f, FSM_NAK, FSM_TERMINATE_ACK, id, NULL, 0);
	else
		f->layer->hopeless(ppp);
}

static bool
is_basic(uint8_t code)
{
	return code >= FSM_CONFIGURE_REQUEST && code <= FSM_CODE_REJECT;
}

/* Code-Reject of one of the seven codes leaves nothing to talk with (4.3). */
static void
take_code_reject(struct ppp *ppp, struct fsm *f, struct rd *r)
{
	uint8_t code = rd_u8(r);

	if (r->bad)
		link_drop(ppp, "a Code-Reject of nothing");
	else if (f->layer->code_rejected != NULL)
		f->layer->code_rejected(ppp, code);
	else
		event(ppp, f, is_basic(code) ? FSM_REJECTED_FATAL : FSM_REJECTED_BEARABLE, NULL);
}

static void
take(struct ppp *ppp, struct fsm *f, uint8_t code, uint8_t id, struct rd *r)
{
	switch (code) {
	case FSM_CONFIGURE_REQUEST:
		take_request(ppp, f, id, r);
		break;
	case FSM_CONFIGURE_ACK:
	case FSM_CONFIGURE_NAK:
	case FSM_CONFIGURE_REJECT:
		take_answer(ppp, f, code, id, r);
		break;
	case FSM_TERMINATE_REQUEST:
		fsm_answer(ppp, f, FSM_TERMINATE, FSM_TERMINATE_ACK, id, NULL, 0);
		if (f->layer->hung_up != NULL)
			f->layer->hung_up(ppp, r);
		break;
	case FSM_TERMINATE_ACK:
		event(ppp, f, FSM_TERMINATED, NULL);
		break;
	case FSM_CODE_REJECT:
		take_code_reject(ppp, f, r);
		break;
	}
}

static bool
has_options(uint8_t code)
{
	return code >= FSM_CONFIGURE_REQUEST && code <= FSM_CONFIGURE_REJECT;
}

void
fsm_receive(struct ppp *ppp, struct fsm *f, const uint8_t *bytes, size_t n)
{
	struct rd r = rd_of(bytes, n);
	uint8_t code = rd_u8(&r), id = rd_u8(&r);
	size_t length = rd_u16(&r);

	if (r.bad || length < 4 || length > n) {
		link_drop(ppp, "a length that is not its own");
		return;
	}
	r = rd_of(bytes + 4, length - 4);
	log_debug(ppp->log, "PPP: received %s code %u id %u (%s)", f->layer->name, code, id,
	    fsm_state_name(f->state));
	if (f->state == FSM_INITIAL || f->state == FSM_STARTING)
		link_drop(ppp, "a layer that is not up");
	else if (has_options(code) && !well_formed(r))
		link_drop(ppp, "malformed options");
	else if (is_basic(code))
		take(ppp, f, code, id, &r);
	else if ((f->layer->extra == NULL || !f->layer->extra(ppp, code, id, &r)) &&
		 link_may_answer(ppp))
		fsm_answer(ppp, f, FSM_UNKNOWN_CODE, FSM_CODE_REJECT, ++ppp->serial, bytes, length);
}
