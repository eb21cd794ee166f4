/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/chap.c -- RFC 1994 with MD5, and RFC 2759. */
#include "ppp/chap.h"

#include "base/digest.h"
#include "ppp/link.h"

#include <stdio.h>

enum { CHALLENGE = 1, RESPONSE, SUCCESS, FAILURE };

enum {
	E_AUTHENTICATION_FAILURE = 691, /* RFC 2759 6 */
	MD5 = DIGEST_MD5_SIZE,
};

static bool
is_mschap(const struct ppp *ppp)
{
	return ppp->login.method == PPP_MSCHAPV2;
}

/* ---- MS-CHAPv2, also inside of EAP ---- */

/*
 * A Success begins with the proof.  A Failure names the error, forbids another try, and has the
 * challenge for it that has to be there.
 */
void
chap_mschap_text(
    const struct ppp_verdict *verdict, const uint8_t next[PPP_CHALLENGE], char out[CHAP_TEXT])
{
	char hex[2 * PPP_CHALLENGE + 1];
	unsigned error = verdict->error != 0 ? verdict->error : E_AUTHENTICATION_FAILURE;

	if (verdict->answer == PPP_GRANTED) {
		(void)snprintf(out, CHAP_TEXT, "%s M=%s", verdict->proof,
		    verdict->text[0] != '\0' ? verdict->text : "Welcome");
		return;
	}
	for (size_t i = 0; i < PPP_CHALLENGE; i++)
		(void)snprintf(hex + 2 * i, 3, "%02X", next[i]);
	(void)snprintf(out, CHAP_TEXT, "E=%u R=0 C=%s V=3 M=%s", error, hex,
	    verdict->text[0] != '\0' ? verdict->text : "Authentication failed");
}

bool
chap_mschap_respond(
    struct ppp *ppp, const uint8_t challenge[PPP_CHALLENGE], struct mschap_response *out)
{
	uint8_t hash[NT_AUTH_HASH];
	bool ok;

	*out = (struct mschap_response){ .flags = 0 };
	if (!link_random(ppp, out->peer_challenge, sizeof(out->peer_challenge)))
		return false;
	nt_auth_hash_utf8(ppp->conf.password, hash);
	ok = mschap_answer(challenge, out->peer_challenge, ppp->login.user, hash, out->nt_response);
	explicit_bzero(hash, sizeof(hash));
	if (!ok)
		link_finish(ppp, PPP_END_FAULT, "no digest");
	return ok;
}

bool
chap_mschap_proved(struct ppp *ppp, const uint8_t challenge[PPP_CHALLENGE],
    const struct mschap_response *response, const uint8_t *text, size_t n)
{
	uint8_t hash[NT_AUTH_HASH];
	char want[MSCHAP_PROOF + 1];
	bool ok;

	nt_auth_hash_utf8(ppp->conf.password, hash);
	ok = n >= MSCHAP_PROOF && mschap_prove(challenge, response, ppp->login.user, hash, want) &&
	     digest_equal(text, want, MSCHAP_PROOF) &&
	     mschap_keys(hash, response->nt_response, ppp->login.key);
	explicit_bzero(hash, sizeof(hash));
	return ok;
}

/* ---- server ---- */

static void
send_challenge(struct ppp *ppp)
{
	const struct chap *chap = &ppp->login.chap;
	const char *name = ppp->conf.name;
	struct packet p;

	link_begin(ppp, &p, LINK_CHAP, CHALLENGE, chap->id);
	wr_u8(&p.w, sizeof(chap->challenge));
	wr_bytes(&p.w, chap->challenge, sizeof(chap->challenge));
	wr_bytes(&p.w, name, strlen(name));
	link_send(ppp, &p);
}

static void
server_begin(struct ppp *ppp)
{
	struct chap *chap = &ppp->login.chap;

	if (!link_random(ppp, chap->challenge, sizeof(chap->challenge)) ||
	    !link_random(ppp, &chap->id, sizeof(chap->id)))
		return;
	login_wait(ppp);
	send_challenge(ppp);
}

static void
send_answer(struct ppp *ppp)
{
	const struct chap *chap = &ppp->login.chap;
	struct packet p;

	link_begin(ppp, &p, LINK_CHAP, chap->answer, chap->id);
	wr_bytes(&p.w, chap->text, strlen(chap->text));
	link_send(ppp, &p);
}

static void
read_mschap(const uint8_t *value, struct mschap_response *out)
{
	struct rd r = rd_of(value, MSCHAP_RESPONSE);

	memcpy(out->peer_challenge, rd_bytes(&r, sizeof(out->peer_challenge)),
	    sizeof(out->peer_challenge));
	memcpy(out->reserved, rd_bytes(&r, sizeof(out->reserved)), sizeof(out->reserved));
	memcpy(out->nt_response, rd_bytes(&r, sizeof(out->nt_response)), sizeof(out->nt_response));
	out->flags = rd_u8(&r);
}

/* What comes behind the verdict gets the same answer and is not looked at again (RFC 1994 4.2). */
static void
server_receive(struct ppp *ppp, uint8_t code, uint8_t id, struct rd *r)
{
	struct chap *chap = &ppp->login.chap;
	struct rd value = rd_block(r, 1);
	struct ppp_question q = { .method = ppp->login.method, .id = chap->id };

	/* A challenge, or an answer to one, that comes to us is our own, sent back. */
	if (code != RESPONSE || id != chap->id || value.bad ||
	    rd_left(&value) != (is_mschap(ppp) ? (size_t)MSCHAP_RESPONSE : (size_t)MD5))
		link_drop(ppp, "no response to our challenge");
	else if (chap->answer != 0)
		send_answer(ppp);
	else if (!ppp->login.waiting) {
		memcpy(q.challenge, chap->challenge, sizeof(q.challenge));
		if (is_mschap(ppp))
			read_mschap(value.p, &q.response);
		else {
			q.secret = value.p;
			q.secret_size = MD5;
		}
		login_ask(ppp, &q, r->p, rd_left(r));
	}
}

static void
server_verdict(struct ppp *ppp, const struct ppp_verdict *verdict)
{
	struct chap *chap = &ppp->login.chap;
	bool granted = verdict->answer == PPP_GRANTED;
	uint8_t next[PPP_CHALLENGE];

	chap->answer = granted ? SUCCESS : FAILURE;
	if (is_mschap(ppp)) {
		if (!link_random(ppp, next, sizeof(next)))
			return;
		chap_mschap_text(verdict, next, chap->text);
	} else
		(void)snprintf(chap->text, sizeof(chap->text), "%s",
		    verdict->text[0] != '\0' ? verdict->text
		    : granted		     ? "Welcome"
					     : "Authentication failed");
	if (granted)
		memcpy(ppp->login.key, verdict->key, sizeof(ppp->login.key));
	send_answer(ppp);
	if (granted)
		login_granted(ppp);
	else
		login_refused(ppp, verdict->text);
}

const struct login_protocol chap_server = {
	.protocol = LINK_CHAP,
	.begin = server_begin,
	.receive = server_receive,
	.again = send_challenge,
	.verdict = server_verdict,
};

/* ---- client ---- */

static void
send_response(struct ppp *ppp)
{
	const struct chap *chap = &ppp->login.chap;
	const struct mschap_response *ms = &chap->response;
	struct packet p;

	link_begin(ppp, &p, LINK_CHAP, RESPONSE, chap->id);
	if (is_mschap(ppp)) {
		wr_u8(&p.w, MSCHAP_RESPONSE);
		wr_bytes(&p.w, ms->peer_challenge, sizeof(ms->peer_challenge));
		wr_bytes(&p.w, ms->reserved, sizeof(ms->reserved));
		wr_bytes(&p.w, ms->nt_response, sizeof(ms->nt_response));
		wr_u8(&p.w, ms->flags);
	} else {
		wr_u8(&p.w, sizeof(chap->md5));
		wr_bytes(&p.w, chap->md5, sizeof(chap->md5));
	}
	wr_bytes(&p.w, ppp->login.user, strlen(ppp->login.user));
	link_send(ppp, &p);
}

static bool
respond_md5(struct ppp *ppp, const struct rd *challenge)
{
	struct chap *chap = &ppp->login.chap;
	const struct digest_part parts[] = {
		{ &chap->id, 1 },
		{ ppp->conf.password, strlen(ppp->conf.password) },
		{ challenge->p, rd_left(challenge) },
	};

	if (digest_of(DIGEST_MD5, parts, COUNT_OF(parts), chap->md5))
		return true;
	link_finish(ppp, PPP_END_FAULT, "no MD5");
	return false;
}

static bool
respond_mschap(struct ppp *ppp, const struct rd *challenge)
{
	struct chap *chap = &ppp->login.chap;

	if (rd_left(challenge) != sizeof(chap->challenge)) {
		link_drop(ppp, "a challenge that is not MS-CHAPv2's");
		return false;
	}
	memcpy(chap->challenge, challenge->p, sizeof(chap->challenge));
	return chap_mschap_respond(ppp, chap->challenge, &chap->response);
}

/* The server may ask again whenever it likes, also behind the login (RFC 1994 2). */
static void
take_challenge(struct ppp *ppp, uint8_t id, struct rd *r)
{
	struct chap *chap = &ppp->login.chap;
	struct rd challenge = rd_block(r, 1);

	if (challenge.bad || rd_left(&challenge) == 0) {
		link_drop(ppp, "an empty challenge");
		return;
	}
	chap->id = id;
	if (!(is_mschap(ppp) ? respond_mschap(ppp, &challenge) : respond_md5(ppp, &challenge)))
		return;
	chap->answer = RESPONSE;
	if (!ppp->login.done)
		login_wait(ppp);
	send_response(ppp);
}

static void
take_success(struct ppp *ppp, const struct rd *r)
{
	struct chap *chap = &ppp->login.chap;

	chap->answer = 0;
	if (is_mschap(ppp) &&
	    !chap_mschap_proved(ppp, chap->challenge, &chap->response, r->p, rd_left(r)))
		link_close(ppp, PPP_END_IMPOSTOR, "");
	else
		login_granted(ppp);
}

static void
client_receive(struct ppp *ppp, uint8_t code, uint8_t id, struct rd *r)
{
	const struct chap *chap = &ppp->login.chap;
	char words[PPP_TEXT_MAX];

	if (code == CHALLENGE)
		take_challenge(ppp, id, r);
	else if ((code != SUCCESS && code != FAILURE) || chap->answer == 0 || id != chap->id)
		link_drop(ppp, "no answer to our response");
	else if (code == SUCCESS)
		take_success(ppp, r);
	else
		login_refused(ppp, link_words(r->p, rd_left(r), words, sizeof(words)));
}

/* RFC 1994 leaves it to the server to ask again; a Success that was lost is asked for by this. */
const struct login_protocol chap_client = {
	.protocol = LINK_CHAP,
	.receive = client_receive,
	.again = send_response,
};
