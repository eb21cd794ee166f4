/* SPDX-License-Identifier: Apache-2.0 */
/* bench/args.h -- the command line of the load generator. */
#ifndef GINNEL_BENCH_ARGS_H
#define GINNEL_BENCH_ARGS_H

#include "load.h"

struct mode {
	const char *name;
	void (*run)(struct job *);
	bool is_client; /* needs a client's TLS context if there is TLS */
	bool is_server; /* runs until it is ended */
	const char *help;
};

/* Fills the options and returns the mode; prints the usage and exits if they are wrong. */
const struct mode *args_parse(int argc, char **argv, struct options *);

#endif
