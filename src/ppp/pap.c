/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/pap.c -- RFC 1334, section 2. */
#include "ppp/pap.h"

#include "ppp/link.h"

enum { REQUEST = 1, ACK, NAK };

/* ---- server ---- */

/* An answer is repeated as often as it is asked for, and by nothing that is sent decided anew. */
static void
answer(struct ppp *ppp)
{
	static const char good[] = "Welcome", bad[] = "Authentication failed";
	const struct pap *pap = &ppp->login.pap;
	const char *text = pap->answer == ACK ? good : bad;
	struct packet p;

	link_begin(ppp, &p, LINK_PAP, pap->answer, pap->id);
	wr_u8(&p.w, (uint32_t)strlen(text));
	wr_bytes(&p.w, text, strlen(text));
	link_send(ppp, &p);
}

static void
server_receive(struct ppp *ppp, uint8_t code, uint8_t id, struct rd *r)
{
	struct pap *pap = &ppp->login.pap;
	struct rd user = rd_block(r, 1), password = rd_block(r, 1);
	struct ppp_question q = { .method = PPP_PAP };

	if (code != REQUEST || user.bad || password.bad) {
		link_drop(ppp, "no request of PAP");
		return;
	}
	/* A client that asks again has a new number, and listens for no other. */
	pap->id = id;
	if (pap->answer != 0)
		answer(ppp);
	else if (!ppp->login.waiting) {
		q.secret = password.p;
		q.secret_size = rd_left(&password);
		login_ask(ppp, &q, user.p, rd_left(&user));
	}
}

static void
server_verdict(struct ppp *ppp, const struct ppp_verdict *verdict)
{
	ppp->login.pap.answer = verdict->answer == PPP_GRANTED ? ACK : NAK;
	answer(ppp);
	if (verdict->answer == PPP_GRANTED)
		login_granted(ppp);
	else
		login_refused(ppp, verdict->text);
}

/* The client speaks first; its silence ends with the limit of the phase. */
const struct login_protocol pap_server = {
	.protocol = LINK_PAP,
	.receive = server_receive,
	.verdict = server_verdict,
};

/* ---- client ---- */

static void
put_text(struct wr *w, const char *text)
{
	size_t n = text == NULL ? 0 : strnlen(text, UINT8_MAX);

	wr_u8(w, (uint32_t)n);
	wr_bytes(w, text, n);
}

static void
send_request(struct ppp *ppp)
{
	struct packet p;

	link_begin(ppp, &p, LINK_PAP, REQUEST, ++ppp->login.pap.id);
	put_text(&p.w, ppp->login.user);
	put_text(&p.w, ppp->conf.password);
	link_send(ppp, &p);
	explicit_bzero(&p, sizeof(p));
}

static void
client_begin(struct ppp *ppp)
{
	login_wait(ppp);
	send_request(ppp);
}

static void
client_receive(struct ppp *ppp, uint8_t code, uint8_t id, struct rd *r)
{
	struct rd text = rd_block(r, 1);
	char words[PPP_TEXT_MAX];

	/* The text is often left out altogether. */
	if ((code != ACK && code != NAK) || id != ppp->login.pap.id || ppp->login.done)
		link_drop(ppp, "no answer of PAP to us");
	else if (code == ACK)
		login_granted(ppp);
	else
		login_refused(ppp, link_words(text.p, rd_left(&text), words, sizeof(words)));
}

const struct login_protocol pap_client = {
	.protocol = LINK_PAP,
	.begin = client_begin,
	.receive = client_receive,
	.again = send_request,
};
