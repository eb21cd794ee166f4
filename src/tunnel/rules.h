/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/rules.h -- whom a client may reach: allow = WHO -> WHERE, deny = WHO -> WHERE.
 *
 * The first rule that fits decides; where none does, the answer is no.  A host is what the client
 * asks for, a network is where that leads to: each address is asked about before it is connected,
 * and it is connected to and not looked up again.
 *
 * Addresses of net/special.h are reached only by a rule that names them: a network that lies within
 * such a range, localhost, or a pattern of hosts with `!` behind it.  Rules that deny fit them as
 * any other.
 */
#ifndef GINNEL_TUNNEL_RULES_H
#define GINNEL_TUNNEL_RULES_H

#include "base/log.h"
#include "tunnel/identity.h"

struct rule_where {
	const char *host; /* a pattern, in lower case; NULL: see net */
	bool special;	  /* ... and special addresses, too */
	struct network net;
	uint16_t first, last; /* ports */
};

struct rule {
	bool allow;
	struct who who;
	struct rule_where where;
	const char *text; /* as written */
};

/* In the configuration's arena; appending makes a new array. */
struct rules {
	const struct rule *v;
	unsigned n;
};

/* Field: struct rules.  The option's name says which of the two it is. */
option_parse rules_parse;

/* What a client asks for. */
struct rules_question {
	const struct identity *who;
	bool any_user;	  /* as if it had logged in as whoever may most */
	const char *host; /* a name; NULL: it asked for an address */
	uint16_t port;
	const struct addr *addr; /* where that leads to; NULL: not known yet */
};

enum rules_answer {
	RULES_DENY,
	RULES_ALLOW,
	RULES_DEPENDS, /* only without an address: some addresses may be allowed */
};

/* `log` (may be NULL) is told why not. */
enum rules_answer rules_ask(
    const struct rules *, const struct rules_question *, const struct log_ctx *log);

/* Does some rule ask for a user, or for a certificate? */
bool rules_ask_for_user(const struct rules *);
bool rules_ask_for_certificate(const struct rules *);

#endif
