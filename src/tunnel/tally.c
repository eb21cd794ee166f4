/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/tally.c -- what the tunnels of a service have done. */
#include "tunnel/tally.h"

#include <stdlib.h>

struct tally *
tally_new(void)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->refs = 1;
	return t;
}

struct tally *
tally_hold(struct tally *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
tally_release(struct tally *t)
{
	if (t != NULL && atomic_fetch_sub(&t->refs, 1) == 1)
		free(t);
}

void
tally_end(struct tally *t, bool clean, struct passed passed)
{
	/* In this order: whoever reads them the other way round sees no more failed than ended. */
	atomic_fetch_add(&t->ended, 1);
	atomic_fetch_add(&t->failed, clean ? 0 : 1);
	atomic_fetch_add(&t->to_tls, passed.to_tls);
	atomic_fetch_add(&t->to_socket, passed.to_socket);
}
