/* SPDX-License-Identifier: Apache-2.0 */
/* ppp/ppp.c -- one link. */
#include "ppp/ppp.h"

static const char *const end_words[PPP_ENDS] = {
	[PPP_END_CLOSED] = "closed by this side",
	[PPP_END_PEER] = "the peer hung up",
	[PPP_END_NO_ANSWER] = "the peer does not answer",
	[PPP_END_NO_AGREEMENT] = "the two sides could not agree on their options",
	[PPP_END_LOOP] = "our own frames came back",
	[PPP_END_NO_METHOD] = "no method of authentication suits both sides",
	[PPP_END_REFUSED] = "authentication failed",
	[PPP_END_IMPOSTOR] = "the server does not know the password",
	[PPP_END_REJECTED] = "the peer rejects a protocol that cannot be done without",
	[PPP_END_NO_NETWORK] = "no addresses could be agreed on",
	[PPP_END_NO_ECHO] = "the peer has gone silent",
	[PPP_END_TLS] = "TLS in EAP failed",
	[PPP_END_FAULT] = "out of memory, random numbers or digests",
};

const char *
ppp_end_words(enum ppp_end end)
{
	return end_words[end];
}

void
ppp_put_header(uint8_t *at, enum ppp_family family)
{
	at[0] = 0xff;
	at[1] = 0x03;
	at[2] = 0x00;
	at[3] = family == PPP_IPV4 ? 0x21 : 0x57;
}
