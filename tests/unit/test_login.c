/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_login.c -- what a login costs: one hash, whoever it is said to be, and with which
 * password.  crypt_r() is ours here and counts.
 */
#include "kit/memory.h"
#include "tunnel/login.h"

#include "loop/offload.h"

#include <crypt.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BCRYPT "$2b$04$Su3B5rKeHkL/ezfc/GEbTOxB7nJqZwzr0sI9uVg5Kefflbt7Qq2mq"
#define SHA512 \
	"$6$rounds=1000$6rcJ0HcBxkYj5pGI$YPdhkuMTQ36FYS0PHhB46oHY." \
	"DAL4QGALDzz1CyDNkIbuy7WXyKDp2BbZfo" \
	"PKMAwFAMtL3/XNRW4icuuJP6Od/"
#define SHA256 "$5$p1xQ9vTz$5miu5SebfUVm/XRkNfo7R9gTrk6UPLARnjU2EARsGc5"

enum { AT_ONCE = 48 };

/* What crypt_r() was asked: passwords are numbers here. */
static struct {
	pthread_mutex_t lock;
	unsigned calls;
	char hash[AT_ONCE][CRYPT_OUTPUT_SIZE];
	unsigned asked[AT_ONCE];
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

char *__wrap_crypt_r(const char *, const char *, struct crypt_data *);

/* The password that ends with '+' fits. */
char *
__wrap_crypt_r(const char *password, const char *hash, struct crypt_data *data)
{
	unsigned number = (unsigned)strtoul(password, NULL, 10) % AT_ONCE;
	bool fits = password[strlen(password) - 1] == '+';

	pthread_mutex_lock(&seen.lock);
	seen.calls++;
	seen.asked[number]++;
	(void)snprintf(seen.hash[number], sizeof(seen.hash[number]), "%s", hash);
	pthread_mutex_unlock(&seen.lock);
	(void)snprintf(
	    data->output, sizeof(data->output), "%s", fits ? hash : "$2b$04$nothing.that.fits");
	return data->output;
}

struct stage {
	struct worker worker;
	struct common common;
	struct users *users;
};

static void
hear(struct sink *sink, bool fatal, const char *option, const char *text)
{
	(void)sink;
	(void)fatal;
	fail_msg("%s: %s", option, text);
}

static void
stage_open(struct stage *s)
{
	static const char people[] = "ann:" BCRYPT "\nbob:" SHA512 "\ncarol:" SHA256 "\n";
	struct memory m = memory_of(people, sizeof(people) - 1);
	struct sink sink = { .say = hear };

	memset(s, 0, sizeof(*s));
	memset(&seen.calls, 0, sizeof(seen) - offsetof(__typeof__(seen), calls));
	s->worker.common = &s->common;
	s->worker.loop = loop_new();
	s->worker.mailbox = mailbox_new(s->worker.loop, &s->worker);
	s->common.offload = offload_new(4);
	s->users = users_load("users", true, &m.files, &sink);
	assert_non_null(s->users);
}

static void
stage_close(struct stage *s)
{
	offload_free(s->common.offload);
	mailbox_free(s->worker.mailbox);
	loop_free(s->worker.loop);
	users_free(s->users);
}

struct
try {
	struct login *login;
	struct task task;
	struct loop *loop;
	unsigned *left;
	enum proto_login_state state;
};

static void
look(void *arg)
{
	struct try *t = arg;

	if (login_step(t->login, &t->state) == IO_OK && --*t->left == 0)
		loop_stop(t->loop);
}

/* All at once, each from an address of its own. */
static void
try_all(struct stage *s, const struct proto_login *shown, struct try *tries, unsigned n)
{
	unsigned left = n;

	for (unsigned i = 0; i < n; i++) {
		struct addr source = { .len = sizeof(source.in),
			.in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201 + i) } };

		tries[i] = (struct try){ .loop = s->worker.loop, .left = &left };
		tries[i].task =
		    (struct task){ .run = look, .owner = &tries[i], .lane = LANE_RELAY };
		tries[i].login =
		    login_new(&s->worker, s->users, &source, &shown[i], &tries[i].task);
		assert_non_null(tries[i].login);
	}
	loop_run(s->worker.loop);
	for (unsigned i = 0; i < n; i++)
		login_free(tries[i].login);
}

static struct proto_login
login_of(const char *user, unsigned number, bool good)
{
	struct proto_login l = { .state = LOGIN_ASKED };

	(void)snprintf(l.user, sizeof(l.user), "%s", user);
	(void)snprintf(l.password, sizeof(l.password), "%u%s", number, good ? "+" : "-");
	return l;
}

static void
every_login_costs_one_hash(void **state)
{
	static const char *const names[] = { "ann", "bob", "carol", "nobody", "", "Ann", "ann " };
	static const char *const hashes[] = { BCRYPT, SHA512, SHA256 };
	struct proto_login shown[2 * COUNT_OF(names)];
	struct try tries[COUNT_OF(shown)];
	struct stage s;

	(void)state;
	stage_open(&s);
	for (unsigned i = 0; i < COUNT_OF(shown); i++)
		shown[i] = login_of(names[i / 2], i, i % 2 == 0);
	try_all(&s, shown, tries, COUNT_OF(shown));
	assert_int_equal(seen.calls, COUNT_OF(shown));
	for (unsigned i = 0; i < COUNT_OF(shown); i++) {
		bool known = i / 2 < 3;

		assert_int_equal(seen.asked[i], 1);
		assert_int_equal(tries[i].state, known && i % 2 == 0 ? LOGIN_GOOD : LOGIN_BAD);
		if (known)
			assert_string_equal(seen.hash[i], hashes[i / 2]);
	}
	stage_close(&s);
}

/* Hashes of a file may cost differently: the unknown have all of them, and each always the same. */
static void
the_unknown_cost_what_the_known_do(void **state)
{
	struct proto_login shown[AT_ONCE];
	struct try tries[AT_ONCE];
	unsigned of[3] = { 0 };
	struct stage s;
	char name[32];

	(void)state;
	stage_open(&s);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		(void)snprintf(name, sizeof(name), "guess%u", i / 2);
		shown[i] = login_of(name, i, false);
	}
	try_all(&s, shown, tries, AT_ONCE);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		of[0] += strcmp(seen.hash[i], BCRYPT) == 0;
		of[1] += strcmp(seen.hash[i], SHA512) == 0;
		of[2] += strcmp(seen.hash[i], SHA256) == 0;
		if (i % 2 == 1)
			assert_string_equal(seen.hash[i], seen.hash[i - 1]);
	}
	assert_int_equal(of[0] + of[1] + of[2], AT_ONCE);
	/* 24 names that all draw the same one of three: once in 10^11 runs of this test. */
	assert_true((of[0] > 0) + (of[1] > 0) + (of[2] > 0) >= 2);
	stage_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_login_costs_one_hash),
		cmocka_unit_test(the_unknown_cost_what_the_known_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
