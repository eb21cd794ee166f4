/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/failures.c -- sources that tried to log in and failed. */
#include "tunnel/failures.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

enum {
	FAILURES_MAGIC = 0x6b0c94d7,
	PLACES = 4096,
	WINDOW_MS = 60000, /* for so long a failure counts */
	TRIES = 20,	   /* within that; then a source is not listened to */
	DELAY_MS = 250,	   /* for each failure */
	DELAY_MAX_MS = 3000,
};

/* What is remembered of the sources that share a place. */
struct place {
	unsigned n;
	int64_t last;
};

struct failures {
	unsigned magic;
	uint64_t seed;
	pthread_mutex_t mutex; /* around: */
	struct place places[PLACES];
};

struct failures *
failures_new(void)
{
	struct failures *f;

	if (OBJ_NEW(f, FAILURES_MAGIC) == NULL)
		return NULL;
	if (getrandom(&f->seed, sizeof(f->seed), 0) != sizeof(f->seed)) {
		OBJ_FREE(f);
		return NULL;
	}
	(void)pthread_mutex_init(&f->mutex, NULL);
	return f;
}

void
failures_free(struct failures *f)
{
	if (f == NULL)
		return;
	CHECK_OBJ(f, FAILURES_MAGIC);
	(void)pthread_mutex_destroy(&f->mutex);
	OBJ_FREE(f);
}

/*
 * An IPv4 address, or an IPv6 /64, which is what one customer has.  The seed hides which sources
 * share a place, so that nobody can shut out another.
 */
static struct place *
find(struct failures *f, const struct addr *source, int64_t now)
{
	struct addr a = addr_unmapped(source);
	struct place *place;
	uint64_t h = f->seed;
	uint8_t key[8] = { 0 };

	if (a.len != 0 && a.sa.sa_family == AF_INET)
		memcpy(key, &a.in.sin_addr, sizeof(a.in.sin_addr));
	else if (a.len != 0 && a.sa.sa_family == AF_INET6)
		memcpy(key, &a.in6.sin6_addr, sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++) {
		h = (h ^ key[i]) * 0x9e3779b97f4a7c15u; /* the golden ratio, as in Knuth 6.4 */
		h ^= h >> 29;
	}
	place = &f->places[h % PLACES];
	if (now - place->last > WINDOW_MS)
		place->n = 0;
	return place;
}

bool
failures_refuse(struct failures *f, const struct addr *source, int64_t now)
{
	bool refused;

	pthread_mutex_lock(&f->mutex);
	refused = find(f, source, now)->n >= TRIES;
	pthread_mutex_unlock(&f->mutex);
	return refused;
}

int
failures_delay(struct failures *f, const struct addr *source, int64_t now)
{
	struct place *place;
	unsigned n;

	pthread_mutex_lock(&f->mutex);
	place = find(f, source, now);
	place->last = now;
	n = ++place->n;
	pthread_mutex_unlock(&f->mutex);
	return n < DELAY_MAX_MS / DELAY_MS ? (int)n * DELAY_MS : DELAY_MAX_MS;
}
