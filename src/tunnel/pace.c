/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/pace.c -- how much one direction of a tunnel may move now. */
#include "tunnel/pace.h"

enum { UNITS = 1000 }; /* of credit in a byte: a rate is so many units each ms */

/* A quarter of a second's worth: a worker that comes late by less loses nothing. */
static int64_t
capacity(const struct pace *p)
{
	return p->rate * UNITS / 4;
}

void
pace_begin(struct pace *p, int64_t rate, int64_t now)
{
	*p = (struct pace){ .rate = rate, .at = now };
	p->credit = capacity(p);
}

static void
count(struct pace *p, int64_t now)
{
	int64_t passed = now - p->at;

	p->at = now;
	if (passed > (capacity(p) - p->credit) / p->rate)
		p->credit = capacity(p);
	else
		p->credit += passed * p->rate;
}

size_t
pace_room(struct pace *p, int64_t now, size_t max)
{
	if (p->rate == 0)
		return max;
	count(p, now);
	if (p->credit < UNITS)
		return 0;
	return (uint64_t)(p->credit / UNITS) < max ? (size_t)(p->credit / UNITS) : max;
}

void
pace_took(struct pace *p, size_t bytes)
{
	if (p->rate != 0)
		p->credit -= (int64_t)bytes * UNITS;
}

int
pace_wait(const struct pace *p)
{
	/* Half full: few wake-ups, and pieces that are worth one. */
	return (int)((capacity(p) / 2 - p->credit) / p->rate) + 1;
}
