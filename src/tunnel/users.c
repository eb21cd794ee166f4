/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/users.c -- a file of names and hashes, as htpasswd writes it. */
#include "tunnel/users.h"

#include "base/check.h"
#include "base/text.h"

#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum {
	USERS_MAGIC = 0x35f1ca82,
	NAME_LEN_MAX = 255,
	SOURCES = 4096,	   /* places in the table of failures */
	WINDOW_MS = 60000, /* for so long a failure counts */
	FAILURES_MAX = 20, /* within that; then a source is not listened to */
	DELAY_MS = 250,	   /* for each failure */
	DELAY_MAX_MS = 3000,
};

struct user {
	const char *name, *hash;
};

/* What is remembered of the sources that share a place. */
struct failures {
	unsigned n;
	int64_t last;
};

struct users {
	unsigned magic;
	char *text; /* the file; the names and hashes lie in it */
	size_t size;
	struct user *v; /* sorted by name */
	size_t n;
	pthread_mutex_t mutex; /* around: */
	uint64_t seed;
	struct failures failures[SOURCES];
};

/* ---- the file ---- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

/* Hashes that take their time, and that this libcrypt knows, if only as a thing of the past. */
static bool
is_good_hash(const char *hash)
{
	static const char *const slow[] = { "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$7$", "$y$",
		"$gy$" };
	int standing = crypt_checksalt(hash);

	for (size_t i = 0; i < COUNT_OF(slow); i++)
		if (strncmp(hash, slow[i], strlen(slow[i])) == 0)
			return strlen(hash) < CRYPT_OUTPUT_SIZE &&
			       (standing == CRYPT_SALT_OK || standing == CRYPT_SALT_METHOD_LEGACY);
	return false;
}

static bool
add(struct users *u, char *name, char *hash)
{
	struct user *v = realloc(u->v, (u->n + 1) * sizeof(*v));

	if (v == NULL)
		return false;
	u->v = v;
	v[u->n++] = (struct user){ name, hash };
	return true;
}

/* NAME:HASH, and behind another colon what nobody reads. */
static void
read_line(struct users *u, char *line, unsigned number, const char *path, struct sink *sink)
{
	char *colon = strchr(line, ':'), *hash = colon != NULL ? colon + 1 : line;

	line[strcspn(line, "\r")] = '\0';
	if (line[0] == '\0' || line[0] == '#')
		return;
	if (colon == NULL || colon == line || colon - line > NAME_LEN_MAX) {
		sink_error(sink, "proxyUsers", "%s:%u: this is not NAME:HASH", path, number);
		return;
	}
	*colon = '\0';
	hash[strcspn(hash, ":")] = '\0';
	if (!is_good_hash(hash))
		sink_error(sink, "proxyUsers",
		    "%s:%u: the password is not hashed by bcrypt, SHA-256 or SHA-512 crypt, "
		    "yescrypt or scrypt; write the line by htpasswd -nB NAME",
		    path, number);
	else if (!add(u, line, hash))
		sink_error(sink, "proxyUsers", "out of memory");
}

static void
read_lines(struct users *u, const char *path, struct sink *sink)
{
	unsigned number = 0;
	char *line, *rest = u->text;

	if (memchr(u->text, '\0', u->size) != NULL) {
		sink_error(sink, "proxyUsers", "%s: there is a NUL in it", path);
		return;
	}
	while ((line = strsep(&rest, "\n")) != NULL)
		read_line(u, line, ++number, path, sink);
	if (u->n == 0) {
		sink_error(sink, "proxyUsers",
		    "%s: nobody is in it; write a line by htpasswd -nB NAME", path);
		return;
	}
	qsort(u->v, u->n, sizeof(*u->v), by_name);
	for (size_t i = 1; i < u->n; i++)
		if (strcmp(u->v[i - 1].name, u->v[i].name) == 0)
			sink_error(sink, "proxyUsers", "%s: the user \"%s\" is in it twice", path,
			    u->v[i].name);
}

static void
check_permissions(const struct file *f, const char *path, bool strict, struct sink *sink)
{
	void (*say)(struct sink *, const char *, const char *, ...) =
	    strict ? sink_error : sink_warn;

	if ((f->mode & S_IRWXO) != 0)
		say(sink, "proxyUsers",
		    "Insecure file permissions on %s: others can read or change it (mode %04o); "
		    "set it to 0600",
		    path, (unsigned)f->mode & 07777);
}

struct users *
users_load(const char *path, bool strict, struct files *files, struct sink *sink)
{
	unsigned errors = sink->errors;
	struct users *u;
	struct file f;

	if (!files->read(files, path, &f)) {
		sink_error(sink, "proxyUsers", "%s: %s", path, strerror(errno));
		return NULL;
	}
	if (OBJ_NEW(u, USERS_MAGIC) == NULL || getrandom(&u->seed, sizeof(u->seed), 0) == -1) {
		sink_error(sink, "proxyUsers", "out of memory");
		free(u);
		file_done(&f);
		return NULL;
	}
	(void)pthread_mutex_init(&u->mutex, NULL);
	check_permissions(&f, path, strict, sink);
	u->text = f.data;
	u->size = f.size;
	read_lines(u, path, sink);
	if (sink->errors == errors)
		return u;
	users_free(u);
	return NULL;
}

void
users_free(struct users *u)
{
	if (u == NULL)
		return;
	CHECK_OBJ(u, USERS_MAGIC);
	explicit_bzero(u->text, u->size);
	free(u->text);
	free(u->v);
	(void)pthread_mutex_destroy(&u->mutex);
	OBJ_FREE(u);
}

const char *
users_hash(const struct users *u, const char *name, bool *known)
{
	const struct user key = { name, NULL };
	const struct user *found = bsearch(&key, u->v, u->n, sizeof(*u->v), by_name);

	*known = found != NULL;
	return found != NULL ? found->hash : u->v[0].hash;
}

/* ---- failures ---- */

/*
 * An IPv4 address, or an IPv6 /64, which is what one customer has.  The seed hides which sources
 * share a place, so that nobody can shut out another.
 */
static struct failures *
place(struct users *u, const struct addr *source)
{
	struct addr a = addr_unmapped(source);
	uint64_t h = u->seed;
	uint8_t key[8] = { 0 };

	if (a.len != 0 && a.sa.sa_family == AF_INET)
		memcpy(key, &a.in.sin_addr, sizeof(a.in.sin_addr));
	else if (a.len != 0 && a.sa.sa_family == AF_INET6)
		memcpy(key, &a.in6.sin6_addr, sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++) {
		h = (h ^ key[i]) * 0x9e3779b97f4a7c15u; /* the golden ratio, as in Knuth 6.4 */
		h ^= h >> 29;
	}
	return &u->failures[h % SOURCES];
}

static void
forget_old(struct failures *f, int64_t now)
{
	if (now - f->last > WINDOW_MS)
		f->n = 0;
}

bool
users_are_refused(struct users *u, const struct addr *source, int64_t now)
{
	struct failures *f;
	bool refused;

	pthread_mutex_lock(&u->mutex);
	f = place(u, source);
	forget_old(f, now);
	refused = f->n >= FAILURES_MAX;
	pthread_mutex_unlock(&u->mutex);
	return refused;
}

int
users_delay(struct users *u, const struct addr *source, int64_t now)
{
	struct failures *f;
	unsigned n;

	pthread_mutex_lock(&u->mutex);
	f = place(u, source);
	forget_old(f, now);
	f->last = now;
	n = ++f->n;
	pthread_mutex_unlock(&u->mutex);
	return n < DELAY_MAX_MS / DELAY_MS ? (int)n * DELAY_MS : DELAY_MAX_MS;
}
