/* SPDX-License-Identifier: Apache-2.0 */
/* net/dial.h -- reach one of several targets: look up, connect, and on failure try the next. */
#ifndef GINNEL_NET_DIAL_H
#define GINNEL_NET_DIAL_H

#include "net/resolve.h"
#include "net/stream.h"

/* Where to go and how; all of it outlives the dial. */
struct dial_plan {
	const struct target *targets;
	unsigned count;
	bool fresh_names;	  /* delay = yes */
	bool race;		  /* the addresses of a name, see net/race.h */
	bool only_look_up;	  /* the end is R_LOOKED_UP, see dial_found() */
	const struct addr *local; /* source address, or NULL */
	bool foreign;		  /* ... which is not of this machine */
	int timeout_ms;		  /* for each address; negative: none */
	/* May this address be reached?  A reason to refuse, or R_NONE.  NULL: all may. */
	enum reason (*refuse)(const void *owner, const struct addr *);
	const void *owner;
};

struct dial;

/*
 * Start at target number `first`, going round; a number beyond `count` goes round the addresses of
 * each target, too.  NULL without memory.
 */
struct dial *dial_new(const struct dial_plan *, unsigned first, struct resolver *, struct loop *,
    struct pool *, const struct log_ctx *, struct task *, struct stream *out);
/* Right after dial_new(): begin with this address of the first target, if that has it by then. */
void dial_favour(struct dial *, const struct addr *);
/* IO_OK: *out is connected; IO_AGAIN; IO_FAILED: nothing is left to try. */
enum io dial_step(struct dial *) MUST_CHECK;
enum reason dial_reason(const struct dial *); /* after IO_FAILED */
int dial_errnum(const struct dial *);	      /* ... of the last address that was tried; 0: none */
/* Did the last address fail for want of a descriptor or memory here?  The target is not to blame.
 */
bool dial_lacked_means(const struct dial *);
/* The first address of that family (AF_UNSPEC: any) that the target has; NULL: none. */
const struct addr *dial_found(const struct dial *, int family);
unsigned dial_target(const struct dial *);	      /* the number of the one that it is at */
int64_t dial_since(const struct dial *);	      /* ... since when; loop_now() */
const struct addr *dial_address(const struct dial *); /* that *out is connected to */
bool dial_had_choice(const struct dial *);	      /* of targets, or of addresses of one */
void dial_free(struct dial *);			      /* does not close *out; NULL is fine */

#endif
