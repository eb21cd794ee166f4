/* SPDX-License-Identifier: Apache-2.0 */
/* base/memo.c -- what the system once said of a name. */
#include "base/memo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct memo {
	struct memo *next;
	enum memo_kind kind;
	char *name;
	void *answer;
	size_t size;
};

/* A handful: the names of one configuration. */
static struct memo *memos;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct memo *
find(enum memo_kind kind, const char *name)
{
	struct memo *m = memos;

	while (m != NULL && (m->kind != kind || strcmp(m->name, name) != 0))
		m = m->next;
	return m;
}

static struct memo *
add(enum memo_kind kind, const char *name)
{
	struct memo *m = calloc(1, sizeof(*m));

	if (m == NULL || (m->name = strdup(name)) == NULL) {
		free(m);
		return NULL;
	}
	m->kind = kind;
	m->next = memos;
	memos = m;
	return m;
}

void
memo_put(enum memo_kind kind, const char *name, const void *answer, size_t size)
{
	struct memo *m;
	void *copy = malloc(size);

	if (copy == NULL)
		return;
	memcpy(copy, answer, size);
	pthread_mutex_lock(&lock);
	if ((m = find(kind, name)) != NULL || (m = add(kind, name)) != NULL) {
		free(m->answer);
		m->answer = copy;
		m->size = size;
		copy = NULL;
	}
	pthread_mutex_unlock(&lock);
	free(copy);
}

size_t
memo_get(enum memo_kind kind, const char *name, void *answer, size_t size)
{
	const struct memo *m;
	size_t n = 0;

	pthread_mutex_lock(&lock);
	if ((m = find(kind, name)) != NULL) {
		n = m->size < size ? m->size : size;
		memcpy(answer, m->answer, n);
	}
	pthread_mutex_unlock(&lock);
	return n;
}
