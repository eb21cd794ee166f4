/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_users.c -- who may use a VPN: the lines of vpnUsers. */
#include "tunnel/vpn_users.h"

#include "base/nt_auth.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

enum { VPN_USERS_MAGIC = 0x39d4b06a };

#define NT_HASH "$nt$"
#define CERTIFICATE "$cert$"

/* Sorted by name. */
struct entry {
	struct vpn_user user;
	uint8_t hash[NT_AUTH_HASH];
	unsigned line;
};

struct vpn_users {
	unsigned magic;
	struct file file; /* the texts lie in it */
	unsigned count;
	struct entry *entry;
	struct in_addr *addresses; /* of those who have one, sorted */
	unsigned address_count;
};

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_hash(const char *text, uint8_t hash[NT_AUTH_HASH])
{
	if (strlen(text) != (size_t)2 * NT_AUTH_HASH)
		return false;
	for (size_t i = 0; i < NT_AUTH_HASH; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		hash[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* An address behind the last colon is taken off. */
static void
take_address(char *secret, struct in_addr *address)
{
	char *colon = strrchr(secret, ':');

	if (colon != NULL && inet_pton(AF_INET, colon + 1, address) == 1)
		*colon = '\0';
}

/* What is wrong with a line; NULL: nothing.  Never the secret. */
static const char *
read_line(char *line, struct entry *e)
{
	char *colon = strchr(line, ':');

	if (colon == NULL || colon == line)
		return "write user:secret or user:secret:address";
	*colon = '\0';
	e->user.name = line;
	if (strlen(line) > PPP_NAME_MAX)
		return "the name is longer than 255 bytes";
	take_address(colon + 1, &e->user.address);
	if (colon[1] == '\0')
		return "the secret is empty";
	if (strncmp(colon + 1, NT_HASH, strlen(NT_HASH)) == 0) {
		e->user.secret.hash = e->hash;
		return read_hash(colon + 1 + strlen(NT_HASH), e->hash)
			   ? NULL
			   : "behind $nt$ there must be 32 hexadecimal digits";
	}
	if (strcmp(colon + 1, CERTIFICATE) == 0)
		return NULL;
	if (strlen(colon + 1) > PPP_SECRET_MAX)
		return "the secret is longer than 255 bytes";
	e->user.secret.clear = colon + 1;
	return NULL;
}

static size_t
count_lines(const struct file *f)
{
	size_t n = 1;

	for (size_t i = 0; i < f->size; i++)
		n += f->data[i] == '\n';
	return n;
}

/* The next line, its end replaced by a NUL; NULL: there is none. */
static char *
next_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	if (*line == '\0')
		return NULL;
	*at = end != NULL ? end + 1 : line + strlen(line);
	if (end == NULL)
		end = *at;
	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	return line;
}

static void
read_lines(struct vpn_users *u, const char *path, struct sink *sink)
{
	char *at = u->file.data, *line;
	unsigned number = 0;

	while ((line = next_line(&at)) != NULL) {
		struct entry *e = &u->entry[u->count];
		const char *wrong;

		number++;
		line += strspn(line, " \t");
		if (*line == '\0' || *line == '#')
			continue;
		e->line = number;
		if ((wrong = read_line(line, e)) != NULL)
			sink_error(sink, "vpnUsers", "%s:%u: %s", path, number, wrong);
		else
			u->count++;
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->user.name, ((const struct entry *)b)->user.name);
}

static int
by_address(const void *a, const void *b)
{
	uint32_t x = ntohl(((const struct in_addr *)a)->s_addr);
	uint32_t y = ntohl(((const struct in_addr *)b)->s_addr);

	return x < y ? -1 : x > y;
}

static void
sort(struct vpn_users *u, const char *path, struct sink *sink)
{
	qsort(u->entry, u->count, sizeof(*u->entry), by_name);
	for (unsigned i = 0; i < u->count; i++) {
		struct vpn_user *user = &u->entry[i].user;

		/* Sorting has moved it. */
		if (user->secret.hash != NULL)
			user->secret.hash = u->entry[i].hash;
		if (user->address.s_addr != 0)
			u->addresses[u->address_count++] = user->address;
		if (i > 0 && strcmp(user->name, u->entry[i - 1].user.name) == 0)
			sink_error(sink, "vpnUsers", "%s:%u: this user has a line already (%u)",
			    path, u->entry[i].line, u->entry[i - 1].line);
	}
	qsort(u->addresses, u->address_count, sizeof(*u->addresses), by_address);
	for (unsigned i = 1; i < u->address_count; i++)
		if (by_address(&u->addresses[i - 1], &u->addresses[i]) == 0)
			sink_error(sink, "vpnUsers", "%s: two users have the address %s", path,
			    inet_ntoa(u->addresses[i]));
}

/* Passwords are in it. */
static bool
is_private(const struct file *f, const char *path, struct sink *sink)
{
	if ((f->mode & (S_IROTH | S_IWOTH)) == 0)
		return true;
	sink_error(sink, "vpnUsers",
	    "everybody can %s %s, and passwords are in it; set chmod 600 (or 640)",
	    (f->mode & S_IWOTH) != 0 ? "write" : "read", path);
	return false;
}

static bool
load(struct vpn_users *u, const char *path, struct sink *sink)
{
	size_t lines;
	unsigned errors = sink->errors;

	if (!is_private(&u->file, path, sink))
		return false;
	if (memchr(u->file.data, '\0', u->file.size) != NULL) {
		sink_error(sink, "vpnUsers", "%s has a NUL in it; is it a text?", path);
		return false;
	}
	lines = count_lines(&u->file);
	u->entry = calloc(lines, sizeof(*u->entry));
	u->addresses = calloc(lines, sizeof(*u->addresses));
	if (u->entry == NULL || u->addresses == NULL) {
		sink_error(sink, "vpnUsers", "out of memory");
		return false;
	}
	read_lines(u, path, sink);
	sort(u, path, sink);
	if (u->count == 0 && sink->errors == errors)
		sink_warn(sink, "vpnUsers", "%s names nobody, so nobody can log in", path);
	return sink->errors == errors;
}

struct vpn_users *
vpn_users_read(struct files *files, const char *path, struct sink *sink)
{
	struct vpn_users *u;

	if (OBJ_NEW(u, VPN_USERS_MAGIC) == NULL) {
		sink_error(sink, "vpnUsers", "out of memory");
		return NULL;
	}
	if (!files->read(files, path, &u->file)) {
		sink_error(sink, "vpnUsers", "cannot read %s: %m", path);
		OBJ_FREE(u);
		return NULL;
	}
	if (load(u, path, sink))
		return u;
	vpn_users_free(u);
	return NULL;
}

void
vpn_users_free(struct vpn_users *u)
{
	if (u == NULL)
		return;
	CHECK_OBJ(u, VPN_USERS_MAGIC);
	if (u->entry != NULL)
		explicit_bzero(u->entry, u->count * sizeof(*u->entry));
	free(u->entry);
	free(u->addresses);
	file_done(&u->file);
	OBJ_FREE(u);
}

const struct vpn_user *
vpn_users_find(const struct vpn_users *u, const char *name)
{
	const struct entry key = { .user.name = name };
	const struct entry *e =
	    u == NULL ? NULL : bsearch(&key, u->entry, u->count, sizeof(key), by_name);

	return e != NULL ? &e->user : NULL;
}

bool
vpn_users_own(const struct vpn_users *u, struct in_addr address)
{
	return u != NULL && u->address_count > 0 &&
	       bsearch(&address, u->addresses, u->address_count, sizeof(address), by_address) !=
		   NULL;
}

const struct vpn_user *
vpn_users_at(const struct vpn_users *u, unsigned i)
{
	return u != NULL && i < u->count ? &u->entry[i].user : NULL;
}
