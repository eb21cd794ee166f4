/* SPDX-License-Identifier: Apache-2.0 */
/* proto/starttls.h -- a server that answers a client's commands until it asks for TLS. */
#ifndef GINNEL_PROTO_STARTTLS_H
#define GINNEL_PROTO_STARTTLS_H

#include "proto/proto.h"

enum starttls_then {
	STARTTLS_STAY,	 /* and wait for the next command */
	STARTTLS_GO,	 /* TLS begins; the command has no arguments */
	STARTTLS_QUIT,	 /* the client takes its leave */
	STARTTLS_REFUSE, /* it wants something that needs TLS */
};

/* What a command is answered with.  The last row has command NULL, and is for all others. */
struct starttls_answer {
	const char *command;
	const char *answer; /* lines, with CRLF between them */
	enum starttls_then then;
	proto_call *call; /* not NULL: says the answer itself */
};

/*
 * The role's state begins with this.  A call that waits is called again; ->step is 0 the first
 * time, and d->line is the command then.
 */
struct starttls {
	const struct starttls_answer *busy;
	unsigned step;
};

/*
 * Answer commands from the table.  The backend hears nothing of them.  The end at the first command
 * that needs TLS is meant: a password that follows it is not read, and not logged.
 */
enum proto_verdict starttls_serve(struct dialogue *, const struct starttls_answer *);

#endif
