/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/login.c -- the phase of authentication, whatever the protocol. */
#include "ppp/login.h"

#include "ppp/link.h"

#include <stdio.h>

static const enum login_kind kinds[PPP_METHODS] = {
	[PPP_PAP] = LOGIN_PAP,
	[PPP_CHAP_MD5] = LOGIN_CHAP,
	[PPP_MSCHAPV2] = LOGIN_MSCHAP,
	[PPP_EAP_MSCHAPV2] = LOGIN_EAP,
	[PPP_EAP_TLS] = LOGIN_EAP,
	[PPP_EAP_RELAY] = LOGIN_EAP,
};

/* EAP chooses among its methods by itself. */
static const struct {
	enum ppp_method method;
	const struct login_protocol *server, *client;
} sides[LOGIN_KINDS] = {
	[LOGIN_PAP] = { PPP_PAP, &pap_server, &pap_client },
	[LOGIN_CHAP] = { PPP_CHAP_MD5, &chap_server, &chap_client },
	[LOGIN_MSCHAP] = { PPP_MSCHAPV2, &chap_server, &chap_client },
	[LOGIN_EAP] = { PPP_NO_AUTH, &eap_server, &eap_client },
};

enum login_kind
login_kind_of(enum ppp_method method)
{
	return kinds[method];
}

void
login_begin(struct ppp *ppp, enum login_kind kind)
{
	struct login *l = &ppp->login;

	l->method = sides[kind].method;
	l->with = ppp->conf.server ? sides[kind].server : sides[kind].client;
	if (!ppp->conf.server && ppp->conf.user != NULL)
		(void)snprintf(l->user, sizeof(l->user), "%s", ppp->conf.user);
	if (l->with == NULL) {
		l->user[0] = '\0';
		login_granted(ppp);
	} else if (l->with->begin != NULL)
		l->with->begin(ppp);
}

/* Numbers of questions go on, so that a late verdict finds nobody; and so does the first user. */
void
login_end(struct ppp *ppp)
{
	struct login *l = &ppp->login;
	unsigned question = l->question;
	char first_user[sizeof(l->first_user)];

	if (l->with != NULL && l->with->end != NULL)
		l->with->end(ppp);
	memcpy(first_user, l->first_user, sizeof(first_user));
	explicit_bzero(l, sizeof(*l));
	l->question = question;
	memcpy(l->first_user, first_user, sizeof(first_user));
	l->due = LINK_NEVER;
}

void
login_receive(struct ppp *ppp, uint16_t protocol, const uint8_t *bytes, size_t n)
{
	struct login *l = &ppp->login;
	struct rd r = rd_of(bytes, n);
	uint8_t code = rd_u8(&r), id = rd_u8(&r);
	size_t length = rd_u16(&r);

	if ((ppp->phase != LINK_AUTHENTICATE && ppp->phase != LINK_NETWORK) || l->with == NULL ||
	    l->with->protocol != protocol)
		link_drop(ppp, "authentication that was not agreed on, or not now");
	else if (r.bad || length < 4 || length > n)
		link_drop(ppp, "a length that is not its own");
	else {
		r = rd_of(bytes + 4, length - 4);
		log_debug(ppp->log, "PPP: received %04x code %u id %u", protocol, code, id);
		l->with->receive(ppp, code, id, &r);
	}
}

/* Max-Configure is for this, too; behind it the limit of the phase ends the link. */
void
login_tick(struct ppp *ppp)
{
	struct login *l = &ppp->login;

	if (ppp->now < l->due || l->with == NULL)
		return;
	if (++l->tries >= ppp->conf.max_configure)
		link_close(ppp, PPP_END_NO_ANSWER, "");
	else {
		login_wait(ppp);
		l->with->again(ppp);
	}
}

void
login_wait(struct ppp *ppp)
{
	ppp->login.due = ppp->now + ppp->conf.restart;
}

void
login_rest(struct ppp *ppp)
{
	ppp->login.due = LINK_NEVER;
	ppp->login.tries = 0;
}

/* Whoever logs in again on a link must be who it was: addresses and rights are his. */
static bool
may_be(const struct login *l, const uint8_t *user, size_t n)
{
	return n > 0 && n <= PPP_NAME_MAX && memchr(user, '\0', n) == NULL &&
	       (l->first_user[0] == '\0' ||
		   (strlen(l->first_user) == n && memcmp(l->first_user, user, n) == 0));
}

void
login_ask(struct ppp *ppp, struct ppp_question *q, const uint8_t *user, size_t n)
{
	static const struct ppp_verdict refused = { .answer = PPP_REFUSED };
	struct login *l = &ppp->login;

	if (!may_be(l, user, n)) {
		l->with->verdict(ppp, &refused);
		return;
	}
	memcpy(l->user, user, n);
	l->user[n] = '\0';
	l->waiting = true;
	login_rest(ppp);
	q->number = ++l->question;
	q->user = l->user;
	ppp->events->ask(ppp->owner, q);
}

void
login_granted(struct ppp *ppp)
{
	struct login *l = &ppp->login;

	login_rest(ppp);
	if (l->done) {
		/* Asked once more: what has been told already stays. */
		explicit_bzero(l->key, sizeof(l->key));
		return;
	}
	l->done = true;
	memcpy(l->first_user, l->user, sizeof(l->first_user));
	link_authenticated(ppp);
}

void
login_refused(struct ppp *ppp, const char *detail)
{
	login_rest(ppp);
	link_close(ppp, PPP_END_REFUSED, detail);
}
