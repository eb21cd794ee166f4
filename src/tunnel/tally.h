/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/tally.h -- what the tunnels of a service have done, for an operator.
 *
 * One tally lives as long as a service of its name does, over reloads, and is shared by all
 * workers.  Bytes are those of data: what TLS adds to them is not counted.
 */
#ifndef GINNEL_TUNNEL_TALLY_H
#define GINNEL_TUNNEL_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes that have passed, by where they went: into TLS, or out of it. */
struct passed {
	uint64_t to_tls, to_socket;
};

struct tally {
	_Atomic unsigned refs;
	/* Of tunnels that are over; `failed` of `ended` were not clean. */
	_Atomic uint64_t ended, failed, to_tls, to_socket;
	/* report.c's own.  What was told, of which no less is told later: a tunnel that ends behind
	 * a worker's back counts twice until the next report. */
	struct passed told;
	/* ... and what tunnels that are not over have done. */
	struct {
		unsigned tunnels;
		struct passed passed;
	} now;
};

struct tally *tally_new(void); /* one reference; NULL without memory */
struct tally *tally_hold(struct tally *);
void tally_release(struct tally *); /* NULL is fine */

/* A tunnel is over.  Any thread. */
void tally_end(struct tally *, bool clean, struct passed);

#endif
