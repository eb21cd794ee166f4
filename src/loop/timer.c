/* SPDX-License-Identifier: Apache-2.0 */
/* loop/timer.c -- the timing wheel. */
#include "loop/timer.h"

#include <limits.h>

static unsigned
level_shift(unsigned level)
{
	return level * WHEEL_BITS;
}

void
wheel_init(struct wheel *w, int64_t now_ms)
{
	*w = (struct wheel){ .tick = now_ms / WHEEL_TICK_MS };
}

/*
 * Hang `t` into the slot for its due time, but not before `earliest`, at the finest level that
 * reaches so far.
 */
static void
hang(struct wheel *w, struct timer *t, int64_t earliest)
{
	const int64_t reach = (int64_t)1 << level_shift(WHEEL_LEVELS);
	int64_t tick = (t->due + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
	unsigned level = 0, slot;

	if (tick < earliest)
		tick = earliest;
	if (tick >= w->tick + reach)
		tick = w->tick + reach - 1;
	while (tick - w->tick >= (int64_t)1 << level_shift(level + 1))
		level++;
	slot = (unsigned)(tick >> level_shift(level)) % WHEEL_SLOTS;

	t->tick = tick;
	t->slot = level * WHEEL_SLOTS + slot;
	t->prev = NULL;
	if ((t->next = w->slots[t->slot]) != NULL)
		t->next->prev = t;
	w->slots[t->slot] = t;
	w->used[level] |= (uint64_t)1 << slot;
}

static void
unhang(struct wheel *w, struct timer *t)
{
	if (t->next != NULL)
		t->next->prev = t->prev;
	if (t->prev != NULL)
		t->prev->next = t->next;
	else if ((w->slots[t->slot] = t->next) == NULL)
		w->used[t->slot / WHEEL_SLOTS] &= ~((uint64_t)1 << t->slot % WHEEL_SLOTS);
}

void
wheel_set(struct wheel *w, struct timer *t, int64_t due_ms)
{
	t->fired = false;
	t->due = due_ms;
	if (t->armed && due_ms >= t->tick * WHEEL_TICK_MS)
		return; /* it is met earlier, and then put on */
	if (t->armed)
		unhang(w, t);
	t->armed = true;
	hang(w, t, w->tick + 1);
}

void
wheel_unset(struct wheel *w, struct timer *t)
{
	if (t->armed)
		unhang(w, t);
	t->armed = false;
	t->fired = false;
}

/* The next tick after w->tick at which a slot has to be looked at; INT64_MAX for none. */
static int64_t
next_tick(const struct wheel *w)
{
	int64_t best = INT64_MAX;

	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		int64_t pos = w->tick >> level_shift(level);
		unsigned first = (unsigned)(pos + 1) % WHEEL_SLOTS;
		uint64_t used = w->used[level], ahead;

		if (used == 0)
			continue;
		ahead = first == 0 ? used : used >> first | used << (WHEEL_SLOTS - first);
		int64_t tick = (pos + 1 + __builtin_ctzll(ahead)) << level_shift(level);
		if (tick < best)
			best = tick;
	}
	return best;
}

/* Take a slot's timers off and hang each where it belongs now, or fire it. */
static void
empty_slot(
    struct wheel *w, unsigned slot, int64_t now_ms, void (*fire)(struct timer *, void *), void *arg)
{
	struct timer *t, *next;

	t = w->slots[slot];
	w->slots[slot] = NULL;
	w->used[slot / WHEEL_SLOTS] &= ~((uint64_t)1 << slot % WHEEL_SLOTS);
	for (; t != NULL; t = next) {
		next = t->next;
		if (t->due > now_ms) {
			/* Of this tick, the finest level is still to come. */
			hang(w, t, w->tick);
			continue;
		}
		t->armed = false;
		t->fired = true;
		fire(t, arg);
	}
}

void
wheel_advance(struct wheel *w, int64_t now_ms, void (*fire)(struct timer *, void *), void *arg)
{
	int64_t now = now_ms / WHEEL_TICK_MS, tick;

	while ((tick = next_tick(w)) <= now) {
		w->tick = tick;
		for (unsigned level = WHEEL_LEVELS; level-- > 0;) {
			unsigned shift = level_shift(level);

			if ((tick & (((int64_t)1 << shift) - 1)) == 0)
				empty_slot(w,
				    level * WHEEL_SLOTS + (unsigned)(tick >> shift) % WHEEL_SLOTS,
				    now_ms, fire, arg);
		}
	}
	if (now > w->tick)
		w->tick = now;
}

int
wheel_wait(const struct wheel *w, int64_t now_ms)
{
	int64_t tick = next_tick(w), ms;

	if (tick == INT64_MAX)
		return -1;
	ms = tick * WHEEL_TICK_MS - now_ms;
	return ms <= 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}
