/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/users.c -- a file of names and hashes, as htpasswd writes it. */
#include "tunnel/users.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/text.h"

#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	USERS_MAGIC = 0x35f1ca82,
	NAME_LEN_MAX = 255,
};

/* Whose hash an unknown user has must not be known, and not change with a reload. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct hash_key secret;

struct user {
	const char *name, *hash;
};

struct users {
	unsigned magic;
	char *text; /* the file; the names and hashes lie in it */
	size_t size;
	struct user *v; /* sorted by name */
	size_t n;
	struct failures *failures;
};

static void
make_secret(void)
{
	secret = hash_random_key();
}

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
	pthread_once(&once, make_secret);
	if (OBJ_NEW(u, USERS_MAGIC) == NULL || (u->failures = failures_new()) == NULL) {
		sink_error(sink, "proxyUsers", "out of memory");
		free(u);
		file_done(&f);
		return NULL;
	}
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
	failures_free(u->failures);
	OBJ_FREE(u);
}

const char *
users_hash(const struct users *u, const char *name, bool *known)
{
	const struct user key = { name, NULL };
	const struct user *found = bsearch(&key, u->v, u->n, sizeof(*u->v), by_name);
	uint64_t somebody = hash_bytes(&secret, name, strlen(name)) % u->n;

	*known = found != NULL;
	return found != NULL ? found->hash : u->v[somebody].hash;
}

struct failures *
users_failures(const struct users *u)
{
	return u->failures;
}
