/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/xclient.h -- tell an SMTP server who the client is, by its command XCLIENT (Postfix,
 * XCLIENT_README).
 */
#ifndef GINNEL_PROTO_XCLIENT_H
#define GINNEL_PROTO_XCLIENT_H

#include "proto/proto.h"

/* Zeroed at first. */
struct xclient {
	unsigned step;
	unsigned offered; /* attributes, as bits */
	bool is_offered;
	char greeting[1024]; /* the last line of the server's, to be said where it offers no XCLIENT
			      */
};

/*
 * From the server's greeting on.  DONE: it greets again, as if the client had come by itself; or,
 * with ->is_offered false, ->greeting is what it said.
 */
enum proto_verdict xclient_run(struct dialogue *, struct xclient *) MUST_CHECK;

#endif
