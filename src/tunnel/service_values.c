/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/service_values.c -- what a service's options accept as values. */
#include "tunnel/service_values.h"

#include "base/memo.h"
#include "base/text.h"
#include "net/wrappers.h"
#include "tunnel/service.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>

enum {
	ACCOUNT_BUFFER = 64 * 1024, /* a large group is a long line of /etc/group */
	LOOKUP_MAX = 16,
	RETRY_MS = 1000,
};

/* Append to a copy: the list of the global part stays as it is for the other sections. */
static bool
targets_add(struct option_ctx *ctx, struct targets *list, const struct target *t)
{
	struct target *v = arena_alloc(ctx->arena, (list->n + 1) * sizeof(*v));

	if (v == NULL)
		return option_refuse(ctx, "out of memory");
	if (list->n > 0)
		memcpy(v, list->v, list->n * sizeof(*v));
	v[list->n] = *t;
	*list = (struct targets){ v, list->n + 1 };
	return true;
}

/* "fd:NAME"; a host called fd still has its port's number. */
static bool
is_given(const char *value)
{
	unsigned short port;

	return strncmp(value, "fd:", 3) == 0 && value[3] != '\0' && !text_port(value + 3, &port);
}

/* Field: struct targets. */
bool
service_parse_accept(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct target t = { .text = value };

	(void)o;
	if (!is_given(value))
		return target_parse(ctx->arena, value, &t, ctx->why, sizeof(ctx->why)) &&
		       targets_add(ctx, field, &t);
	t.text = arena_strdup(ctx->arena, value);
	t.given = arena_strdup(ctx->arena, value + strlen("fd:"));
	if (t.text == NULL || t.given == NULL)
		return option_refuse(ctx, "out of memory");
	return targets_add(ctx, field, &t);
}

/* An address that can be connected to. */
static bool
parse_target(struct option_ctx *ctx, const char *value, struct target *t)
{
	if (!target_parse(ctx->arena, value, t, ctx->why, sizeof(ctx->why)))
		return false;
	if (t->path == NULL && t->port == 0)
		return option_refuse(
		    ctx, "nothing can be reached on port 0; write a number from 1 to 65535");
	return true;
}

/* "_SERVICE._PROTO.DOMAIN" behind "srv:"; a port of that name never was. */
static bool
parse_srv(struct option_ctx *ctx, const char *name, struct target *t)
{
	const char *domain = strchr(name, '.');

	domain = domain != NULL ? strchr(domain + 1, '.') : NULL;
	if (name[0] != '_' || domain == NULL || strstr(name, "._") == NULL ||
	    strstr(name, "._") > domain || domain[1] == '\0' || !addr_host_is_name(name))
		return option_refuse(ctx,
		    "\"%s\" is no name of SRV records; write one such as "
		    "srv:_imaps._tcp.example.org",
		    name);
	*t = (struct target){ .text = arena_printf(ctx->arena, "srv:%s", name) };
	if (t->text == NULL)
		return option_refuse(ctx, "out of memory");
	t->srv = t->text + strlen("srv:");
	t->host = t->srv + (domain - name) + 1;
	return true;
}

/* Cut " weight=NUMBER" off; 0: there is none. */
static bool
parse_weight(struct option_ctx *ctx, char *value, unsigned *weight)
{
	enum { WEIGHT_MAX = 100 };
	static const char mark[] = " weight=";
	char *found = strstr(value, mark);
	long n = 0;

	if (found != NULL && !text_number(found + strlen(mark), 1, WEIGHT_MAX, &n))
		return option_refuse(ctx, "the weight \"%s\" is not a number from 1 to %d",
		    found + strlen(mark), WEIGHT_MAX);
	while (found != NULL && found > value && found[-1] == ' ')
		found--;
	if (found != NULL)
		*found = '\0';
	*weight = (unsigned)n;
	return true;
}

/*
 * Field: struct targets.  No port is called "25 weight=3" or "_imaps._tcp.example.org", so no file
 * that worked means something else.
 */
bool
service_parse_connect(
    struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	static const char srv[] = "srv:";
	char *text = arena_strdup(ctx->arena, value);
	struct target t;
	unsigned weight = 0;

	(void)o;
	if (text == NULL)
		return option_refuse(ctx, "out of memory");
	if (!parse_weight(ctx, text, &weight))
		return false;
	if (strncmp(text, srv, strlen(srv)) == 0 ? !parse_srv(ctx, text + strlen(srv), &t)
						 : !parse_target(ctx, text, &t))
		return false;
	t.weight = weight;
	return targets_add(ctx, field, &t);
}

/* Field: struct service_conf, as TLS must know of it: who may not pass gets through the handshake.
 */
bool
service_parse_redirect(
    struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct service_conf *conf = field;
	struct target t;

	(void)o;
	conf->near.redirect = true;
	return parse_target(ctx, value, &t) && targets_add(ctx, &conf->redirect, &t);
}

/* IPv4 before IPv6, as a machine that has both is more often reached from the former. */
static const struct addr *
preferred(const struct addr *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].sa.sa_family == AF_INET)
			return &v[i];
	return &v[0];
}

/* Field: const struct addr *.  A host alone, brackets allowed; its port is 0. */
bool
service_parse_local(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	size_t len = strlen(value);
	bool brackets = len > 2 && value[0] == '[' && value[len - 1] == ']';
	struct target t = { .text = value };
	struct addr found[LOOKUP_MAX], *kept;
	size_t n;

	(void)o;
	t.host = brackets ? arena_strndup(ctx->arena, value + 1, len - 2) : value;
	kept = arena_alloc(ctx->arena, sizeof(*kept));
	if (t.host == NULL || kept == NULL)
		return option_refuse(ctx, "out of memory");
	if (value[0] == '\0' || value[0] == '/')
		return option_refuse(
		    ctx, "write an address or a host name of this machine, without a port");
	n = target_lookup(&t, true, found, LOOKUP_MAX, ctx->why, sizeof(ctx->why));
	if (n == 0)
		return false;
	*kept = *preferred(found, n);
	*(const struct addr **)field = kept;
	return true;
}

/* Field: const char *. */
bool
service_parse_service(
    struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	if (value[0] == '\0')
		return option_refuse(ctx, "the name is empty; write one, or remove the line");
	return option_text(ctx, o, field, value);
}

/* A number, or what `find` makes of a name; false: there is no such account. */
static bool
account(const char *value, enum memo_kind kind,
    bool (*find)(const char *name, char *buffer, long *id), long *id)
{
	char buffer[ACCOUNT_BUFFER];

	if (text_number(value, 0, INT_MAX, id))
		return true;
	if (!find(value, buffer, id))
		return memo_get(kind, value, id, sizeof(*id)) == sizeof(*id);
	memo_put(kind, value, id, sizeof(*id));
	return true;
}

static bool
find_user(const char *name, char *buffer, long *id)
{
	struct passwd entry, *found;

	if (getpwnam_r(name, &entry, buffer, ACCOUNT_BUFFER, &found) != 0 || found == NULL)
		return false;
	*id = (long)found->pw_uid;
	return true;
}

static bool
find_group(const char *name, char *buffer, long *id)
{
	struct group entry, *found;

	if (getgrnam_r(name, &entry, buffer, ACCOUNT_BUFFER, &found) != 0 || found == NULL)
		return false;
	*id = (long)found->gr_gid;
	return true;
}

bool
service_parse_user(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	long id;

	(void)o;
	if (!account(value, MEMO_USER, find_user, &id))
		return option_refuse(
		    ctx, "there is no user \"%s\"; write a name of /etc/passwd or a number", value);
	*(int *)field = id == 0 ? -1 : (int)id;
	return true;
}

bool
service_parse_group(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	long id;

	(void)o;
	if (!account(value, MEMO_GROUP, find_group, &id))
		return option_refuse(
		    ctx, "there is no group \"%s\"; write a name of /etc/group or a number", value);
	*(int *)field = id == 0 ? -1 : (int)id;
	return true;
}

/* Words split at blanks, as they are; NULL behind the last.  NULL without memory. */
static const char *const *
split_words(struct arena *arena, const char *text)
{
	const char **words = arena_alloc(arena, (strlen(text) / 2 + 2) * sizeof(*words));
	size_t n = 0, len;

	for (; words != NULL; text += len) {
		text += strspn(text, " \t");
		if ((len = strcspn(text, " \t")) == 0)
			break;
		if ((words[n++] = arena_strndup(arena, text, len)) == NULL)
			return NULL;
	}
	return words;
}

/*
 * Field: struct exec_conf.  As in the incumbent, the name stands for the arguments only while there
 * are none, so a section that renames the program of a default keeps the default's arguments.
 */
bool
service_parse_exec(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct exec_conf *conf = field;
	const char **argv;

	if (!option_text(ctx, o, &conf->path, value))
		return false;
	if (conf->argv != NULL)
		return true;
	if ((argv = arena_alloc(ctx->arena, 2 * sizeof(*argv))) == NULL)
		return option_refuse(ctx, "out of memory");
	argv[0] = conf->path;
	conf->argv = argv;
	return true;
}

/* Field: struct exec_conf. */
bool
service_parse_exec_args(
    struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct exec_conf *conf = field;

	(void)o;
	if (value[0] == '\0')
		return option_refuse(ctx, "write the program's name, and then its arguments");
	conf->argv = split_words(ctx->arena, value);
	return conf->argv != NULL || option_refuse(ctx, "out of memory");
}

/* Field: int, milliseconds, or -1. */
bool
service_parse_retry(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	int *ms = field;
	long n = 0;

	(void)o;
	if (strcasecmp(value, "no") == 0)
		*ms = -1;
	else if (strcasecmp(value, "yes") == 0)
		*ms = RETRY_MS;
	else if (text_number(value, 0, INT_MAX, &n))
		*ms = (int)n;
	else
		return option_refuse(ctx,
		    "Illegal retry delay \"%s\"; write yes, no, or a number of milliseconds",
		    value);
	return true;
}

/* Field: bool. */
bool
service_parse_libwrap(
    struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	bool *on = field;

	if (!option_yesno(ctx, o, field, value))
		return false;
	return !*on || wrappers_are_built_in() ||
	       option_refuse(ctx, "this ginnel was built without libwrap; remove the line");
}
