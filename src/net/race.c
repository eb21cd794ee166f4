/* SPDX-License-Identifier: Apache-2.0 */
/* net/race.c -- several addresses of one host at once. */
#include "net/race.h"

#include "net/resolve.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	RACE_MAGIC = 0x7a40b5e9,
	HEAD_START_MS = 250, /* RFC 8305 5: Connection Attempt Delay */
};

struct runner {
	struct stream stream; /* closed: it has failed */
	const struct addr *to;
	int64_t until; /* its time-out; -1: none */
};

struct race {
	unsigned magic;
	struct race_terms terms;
	struct timer timer; /* for whatever comes next */
	int64_t next;	    /* when one more may start */
	int errnum;
	unsigned n;
	struct runner runners[RESOLVE_MAX];
};

void
race_sort(struct addr *v, unsigned n)
{
	struct addr sorted[RESOLVE_MAX];
	bool taken[RESOLVE_MAX] = { false };
	sa_family_t want = n > 0 ? v[0].sa.sa_family : AF_UNSPEC;

	MUST(n <= RESOLVE_MAX);
	for (unsigned i = 0; i < n; i++) {
		unsigned pick = RESOLVE_MAX;

		for (unsigned k = n; k-- > 0;) /* the first of the family, else the first */
			if (!taken[k] && (pick == RESOLVE_MAX || v[k].sa.sa_family == want ||
					     v[pick].sa.sa_family != want))
				pick = k;
		MUST(pick < n);
		taken[pick] = true;
		sorted[i] = v[pick];
		want = v[pick].sa.sa_family == AF_INET6 ? AF_INET : AF_INET6;
	}
	memcpy(v, sorted, n * sizeof(*v));
}

struct race *
race_new(const struct race_terms *terms)
{
	struct race *r;

	if (OBJ_NEW(r, RACE_MAGIC) == NULL)
		return NULL;
	r->terms = *terms;
	r->timer.task = terms->task;
	return r;
}

static void
fail(struct race *r, struct runner *who, bool timeout)
{
	char text[ADDR_TEXT];

	r->errnum = timeout ? ETIMEDOUT : who->stream.errnum;
	addr_text(who->to, text);
	if (timeout)
		log_err(r->terms.log, "s_connect: s_poll_wait %s: TIMEOUTconnect exceeded", text);
	else
		log_err(r->terms.log, "s_connect: connect %s: %s (%d)", text, strerror(r->errnum),
		    r->errnum);
	stream_close(&who->stream, false);
	r->next = 0; /* who has failed need not be waited for */
}

void
race_start(struct race *r, const struct addr *to)
{
	const struct race_terms *t = &r->terms;
	int64_t now = loop_now(t->loop);
	struct runner *who = &r->runners[r->n];
	char text[ADDR_TEXT];

	MUST(r->n < RESOLVE_MAX);
	r->n++;
	who->to = to;
	who->until = t->timeout_ms >= 0 ? now + t->timeout_ms : -1;
	r->next = now + HEAD_START_MS;
	log_info(t->log, "s_connect: connecting %s", addr_text(to, text));
	if (stream_connect(&who->stream, t->loop, t->pool, t->log, to, t->local, t->foreign,
		t->task) == IO_FAILED)
		fail(r, who, false);
}

static bool
runs(const struct race *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (stream_is_open(&r->runners[i].stream))
			return true;
	return false;
}

bool
race_has_room(const struct race *r)
{
	return r->n < RESOLVE_MAX && (!runs(r) || loop_now(r->terms.loop) >= r->next);
}

/* The descriptor moves into a stream at its owner's, which is watched anew. */
static bool
hand_over(struct race *r, struct runner *who, struct stream *out)
{
	int fd = who->stream.watch.fd;

	loop_unwatch(r->terms.loop, &who->stream.watch);
	who->stream.watch.fd = -1;
	if (stream_open(out, r->terms.loop, r->terms.pool, r->terms.log, fd, r->terms.task))
		return true;
	close(fd);
	return false;
}

/* Wake when the next may start, or the first time-out is over. */
static void
set_timer(struct race *r)
{
	int64_t now = loop_now(r->terms.loop), soonest = r->next > now ? r->next : INT64_MAX;

	for (unsigned i = 0; i < r->n; i++)
		if (stream_is_open(&r->runners[i].stream) && r->runners[i].until >= 0 &&
		    r->runners[i].until < soonest)
			soonest = r->runners[i].until;
	if (soonest != INT64_MAX)
		loop_timer(r->terms.loop, &r->timer, soonest > now ? soonest - now : 0);
}

/* Who has not won has nothing more to wait for. */
static void
stop(struct race *r)
{
	loop_untimer(r->terms.loop, &r->timer);
	for (unsigned i = 0; i < r->n; i++)
		if (stream_is_open(&r->runners[i].stream))
			stream_close(&r->runners[i].stream, false);
}

enum io
race_step(struct race *r, struct stream *out, const struct addr **winner)
{
	int64_t now;

	CHECK_OBJ(r, RACE_MAGIC);
	now = loop_now(r->terms.loop);
	for (unsigned i = 0; i < r->n; i++) {
		struct runner *who = &r->runners[i];
		enum io got;

		if (!stream_is_open(&who->stream))
			continue;
		got = stream_connected(&who->stream, who->to);
		if (got == IO_OK && hand_over(r, who, out)) {
			*winner = who->to;
			stop(r);
			return IO_OK;
		}
		if (got != IO_AGAIN)
			fail(r, who, false);
		else if (who->until >= 0 && now >= who->until)
			fail(r, who, true);
	}
	if (!runs(r))
		return IO_FAILED;
	set_timer(r);
	return IO_AGAIN;
}

int
race_errnum(const struct race *r)
{
	return r->errnum;
}

void
race_free(struct race *r)
{
	if (r == NULL)
		return;
	CHECK_OBJ(r, RACE_MAGIC);
	stop(r);
	OBJ_FREE(r);
}
