/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/replay/test_health.c -- a target whose mood changes, and events in any order.
 *
 * Each seed is another story of good answers, bad ones, resets and silence; a model counts them,
 * and after each the target must stand as the model says.
 */
#include "rig.h"

#include "tunnel/backend.h"
#include "tunnel/health.h"

#include <string.h>

enum {
	SEEDS = 20,
	QUESTIONS = 40,
	TURNS = 200, /* enough for events that are told late */
	INTERVAL_MS = 5000,
	TIMEOUT_MS = 2000,
	RISE = 2,
	FALL = 3,
};

static const char conf[] = "[health]\n"
			   "accept = 127.0.0.1:1\n"
			   "acceptTLS = no\n"
			   "connectTLS = no\n"
			   "connect = 127.0.0.1:%u\n"
			   "healthCheck = send:\"hello\" expect:\"good\"\n"
			   "healthInterval = 5\n"
			   "healthTimeout = 2\n"
			   "healthRise = 2\n"
			   "healthFall = 3\n";

enum mood { GOOD, GOOD_IN_PIECES, BAD, RESET, SILENT, MOODS };

static void
turn(struct rig *r, unsigned times)
{
	while (times-- > 0)
		(void)fake_loop_turn(rig_loop(r));
}

static void
say(struct rig *r, struct peer *p, const char *text)
{
	assert_int_equal(peer_write(p, text, strlen(text)), strlen(text));
	turn(r, TURNS);
}

static void
answer(struct rig *r, struct peer *p, enum mood mood)
{
	switch (mood) {
	case GOOD:
		say(r, p, "all is good");
		break;
	case GOOD_IN_PIECES:
		say(r, p, "all is go");
		say(r, p, "od");
		break;
	case BAD:
		say(r, p, "not so go-od");
		peer_end(p);
		break;
	case RESET:
		peer_reset(p);
		break;
	default:
		turn(r, TURNS);
		fake_loop_pass(rig_loop(r), TIMEOUT_MS + 100);
		break;
	}
	turn(r, TURNS);
}

/* The model: so many in a row change how a target stands. */
struct model {
	bool down;
	int streak;
};

static void
count(struct model *m, bool bad)
{
	m->streak = bad == m->down ? 0 : m->streak + 1;
	if (m->streak == (bad ? FALL : RISE))
		*m = (struct model){ .down = bad };
}

static void
tell_a_story(unsigned seed)
{
	struct chaos chaos = { .seed = seed, .early = 20, .late = 30 };
	struct model model = { .down = false };
	struct service *service;
	unsigned changes = 0;
	struct rig r;

	rig_open(&r, conf);
	fake_loop_chaos(rig_loop(&r), &chaos);
	service = &r.plan->services[0];
	health_start(&r.worker->health, r.worker, service);
	turn(&r, TURNS);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		/* Moods last a while, or no target would ever change how it stands. */
		unsigned dice = fake_loop_random(rig_loop(&r), 2 * MOODS);
		bool good_days = (i / 8 + seed) % 2 == 0;
		enum mood mood = dice < MOODS ? (enum mood)dice : good_days ? GOOD : RESET;
		bool was = model.down;
		struct peer p;

		fake_loop_pass(rig_loop(&r), INTERVAL_MS + 100);
		p = rig_backend(&r);
		answer(&r, &p, mood);
		peer_close(&p);
		count(&model, mood != GOOD && mood != GOOD_IN_PIECES);
		assert_int_equal(service->backend->members[0].standing->down, model.down);
		changes += model.down != was;
	}
	assert_true(changes > 0);
	health_stop(&r.worker->health);
	rig_close(&r);
}

static void
it_stands_as_it_answers(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < SEEDS; seed++)
		tell_a_story(seed);
}

/* Whatever a check is in the middle of, nothing of it is left. */
static void
it_can_be_stopped_at_any_time(void **state)
{
	(void)state;
	for (unsigned turns = 0; turns < 12; turns++) {
		struct chaos chaos = { .seed = turns + 1, .late = 30 };
		struct rig r;
		struct peer p = { .fd = -1 };

		rig_open(&r, conf);
		fake_loop_chaos(rig_loop(&r), &chaos);
		health_start(&r.worker->health, r.worker, &r.plan->services[0]);
		turn(&r, turns);
		if (turns > 8) {
			fake_loop_pass(rig_loop(&r), 100);
			p = rig_backend(&r);
			assert_int_equal(peer_write(&p, "go", 2), 2);
			turn(&r, turns - 8);
		}
		health_stop(&r.worker->health);
		assert_null(r.worker->health);
		turn(&r, TURNS);
		peer_close(&p);
		rig_close(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stands_as_it_answers),
		cmocka_unit_test(it_can_be_stopped_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
