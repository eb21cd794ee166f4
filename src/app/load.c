/* SPDX-License-Identifier: Apache-2.0 */
/* app/load.c -- a configuration, read and built. */
#include "app/load.h"

#include "app/program.h"

#include "config/build.h"
#include "tls/narrow.h"
#include "tls/random.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

char *
load_descriptor(int fd)
{
	enum { STEP = 16 * 1024 };
	char *text = NULL, *larger;
	size_t n = 0;
	ssize_t got;

	do {
		if (n > FILE_MAX_SIZE) {
			errno = EFBIG;
			goto fail;
		}
		if ((larger = realloc(text, n + STEP + 1)) == NULL)
			goto fail;
		text = larger;
		do
			got = read(fd, text + n, STEP);
		while (got == -1 && errno == EINTR);
		if (got == -1)
			goto fail;
		n += (size_t)got;
	} while (got > 0);
	text[n] = '\0';
	if (strlen(text) == n)
		return text;
	errno = EILSEQ; /* a NUL byte would end the text early */
fail:
	free(text);
	return NULL;
}

static void
log_problem(const struct problem *p)
{
	char text[LOG_LINE_MAX];

	log_at(&log_main, p->fatal ? LOG_ERR : LOG_WARNING, "%s",
	    program_stands_in() ? problem_text_with_line(p, text, sizeof(text))
				: problem_text(p, text, sizeof(text)));
}

/* A daemon leaves the directory that a relative path would mean. */
static void
check_paths(struct config *c)
{
	const struct globals *g = c->globals;
	const struct {
		const char *option, *path, *text;
	} paths[] = {
		{ "pid", g->process.pid,
		    "Pid file must include full path name, or set foreground = yes" },
		{ "control", g->process.control,
		    "The socket must include full path name, or set foreground = yes" },
		{ "output", g->log.output,
		    "Log file must include full path name, or set foreground = yes" },
	};

	for (size_t i = 0; g->process.foreground == FOREGROUND_NO && i < COUNT_OF(paths); i++)
		if (paths[i].path != NULL && paths[i].path[0] != '/')
			config_complain(c, NULL, true, paths[i].option, paths[i].text);
}

/* Complaints about the global part. */
struct global_sink {
	struct sink sink;
	struct config *config;
};

static void
say_global(struct sink *sink, bool fatal, const char *option, const char *text)
{
	config_complain(((struct global_sink *)sink)->config, NULL, fatal, option, text);
}

/* Before the sections: their certificates and keys may lie in a module. */
static void
prepare_library(struct config *c)
{
	struct global_sink sink = { .sink.say = say_global, .config = c };

	library_apply(&((const struct globals *)c->globals)->library, &sink.sink);
	(void)narrow_context(); /* also without a service that has TLS: a reload may bring one */
	random_from_kernel();
}

/* Is this the account of somebody whom a database on this machine asks for no password? */
static bool
is_known_to_databases(int uid)
{
	static const char *const names[] = { "root", "mysql", "postgres" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const struct passwd *user = getpwnam(names[i]);

		if (user != NULL && user->pw_uid == (uid_t)uid)
			return true;
	}
	return false;
}

/* A target that can ask the system who has connected, and lets some in for that alone. */
static bool
asks_for_the_user(const struct service_conf *conf, const struct target *t)
{
	const char *const protocols[] = { "mysql", "pgsql" }, *const files[] = { "/mysqld.sock",
		"/mysql.sock", "/.s.PGSQL." };
	const struct proto *proto = conf->proto.proto;

	if (t->numeric.len == 0 || !addr_is_unix(&t->numeric))
		return false;
	for (size_t i = 0; proto != NULL && i < COUNT_OF(protocols); i++)
		if (strcmp(proto->name, protocols[i]) == 0)
			return true;
	for (size_t i = 0; i < COUNT_OF(files); i++)
		if (strstr(t->numeric.un.sun_path, files[i]) != NULL)
			return true;
	return false;
}

/* Who comes through a tunnel is for such a target the user of this process. */
static void
check_users(struct config *c)
{
	const struct globals *g = c->globals;
	int uid = g->process.uid != -1 ? g->process.uid : (int)geteuid();

	if (!is_known_to_databases(uid))
		return;
	for (const struct section *s = c->sections; s != NULL; s = s->next)
		for (unsigned i = 0; i < s->conf->connect.n; i++)
			if (asks_for_the_user(s->conf, &s->conf->connect.v[i]))
				config_complain(c, s, false, "connect",
				    "all clients are the user of this process for the database, "
				    "which may ask that one for no password (unix_socket, "
				    "auth_socket, peer); set setuid to a user without an account "
				    "there");
}

/* syslog knows the program by the name under which it was called, unless `service` says another. */
static void
check_ident(struct config *c)
{
	struct globals *g = c->globals;

	if (program_stands_in() && g->log.ident != NULL && strcmp(g->log.ident, "ginnel") == 0)
		g->log.ident = program_name();
}

struct loaded
load(const struct source *source, const struct plan *previous, struct files *files,
    void (*print)(const struct problem *))
{
	struct loaded l = { 0 };

	l.config =
	    config_read(files, source->path, source->text, process_sets, sizeof(struct globals));
	if (l.config == NULL) {
		log_err(&log_main, "Out of memory");
		return l;
	}
	l.globals = l.config->globals;
	check_paths(l.config);
	check_ident(l.config);
	check_users(l.config);
	prepare_library(l.config);
	/* Sections are built also when some line was wrong: all errors in one go. */
	l.plan = config_build(l.config, previous, files);
	for (const struct problem *p = l.config->problems; p != NULL; p = p->next) {
		(print != NULL ? print : log_problem)(p);
		l.warnings += !p->fatal;
	}
	return l;
}
