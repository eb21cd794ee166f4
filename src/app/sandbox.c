/* SPDX-License-Identifier: Apache-2.0 */
/* app/sandbox.c -- what the serving process gives up. */
#include "app/sandbox.h"

#include "app/landlock.h"
#include "app/seccomp.h"
#include "base/sanitized.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

enum { PLACES_MAX = 256 };

static bool confined;	      /* the file system or the calls are narrowed */
static bool programs_allowed; /* ... but programs may be started */

/* ---- what is configured ---- */

static bool
starts_programs(const struct service_conf *conf)
{
	return conf->exec.path != NULL || conf->vpn.up != NULL || conf->vpn.down != NULL;
}

static const char *
service_with_program(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->service_count; i++)
		if (starts_programs(plan->services[i].conf))
			return plan->services[i].conf->name;
	return NULL;
}

/* Code of others in our process: a PKCS#11 module has sockets and files of its own. */
static bool
loads_modules(const struct library_conf *conf)
{
	for (unsigned i = 0; i < conf->step_count; i++)
		if (strncasecmp(conf->steps[i].option->name, "engine", 6) == 0 ||
		    strncasecmp(conf->steps[i].option->name, "provider", 8) == 0)
			return true;
	return false;
}

/* Why it is not done unasked; NULL: it is. */
static const char *
reason_against(const struct plan *plan, const struct globals *g, bool helper)
{
	if (g->process.sandbox == SANDBOX_NO)
		return "sandbox = no";
	if (SANITIZED)
		return "this program was built with a sanitizer";
	if (g->process.sandbox == SANDBOX_YES)
		return NULL;
	if (!helper)
		return "there is no privileged helper; set sandbox = yes to have it";
	if (service_with_program(plan) != NULL)
		return "programs would inherit it; set sandbox = yes to have it";
	if (loads_modules(&g->library))
		return "engines and providers may need anything; set sandbox = yes to have it";
	return NULL;
}

/* ---- the file system ---- */

/* For look-ups of names, the time zone, and modules of libc and OpenSSL. */
static const struct landlock_place everywhere[] = {
	{ "/etc", LANDLOCK_READ }, { "/usr", LANDLOCK_READ }, { "/lib", LANDLOCK_READ },
	{ "/lib64", LANDLOCK_READ }, { "/run/systemd/resolve", LANDLOCK_READ },
	{ "/run/resolvconf", LANDLOCK_READ }, { "/sys/devices/system/cpu", LANDLOCK_READ },
	{ "/proc", LANDLOCK_READ }, { "/dev/null", LANDLOCK_READ | LANDLOCK_WRITE },
	{ "/dev/urandom", LANDLOCK_READ },
	{ "/dev/console", LANDLOCK_WRITE }, /* LOG_CONS of syslog(3) */
};

struct places {
	struct landlock_place v[PLACES_MAX];
	unsigned n;
	char *owned[PLACES_MAX]; /* the texts that were made for it */
	unsigned owned_count;
	bool full;
};

static void
add(struct places *p, const char *path, unsigned may)
{
	if (p->n == PLACES_MAX) {
		p->full = true;
		return;
	}
	p->v[p->n++] = (struct landlock_place){ path, may };
}

static void
add_directory_of(struct places *p, const char *path, unsigned may)
{
	const char *slash = strrchr(path, '/');
	char *dir;

	if (slash == NULL || slash == path) {
		add(p, slash == NULL ? "." : "/", may);
		return;
	}
	if (p->owned_count == PLACES_MAX || (dir = strndup(path, (size_t)(slash - path))) == NULL) {
		p->full = true;
		return;
	}
	p->owned[p->owned_count++] = dir;
	add(p, dir, may);
}

static void
add_service(struct places *p, const struct service_conf *conf, bool helper)
{
	const struct tls_conf *sides[] = { &conf->near, &conf->far };

	/* OpenSSL looks into these at each handshake. */
	for (size_t i = 0; i < COUNT_OF(sides); i++) {
		if (sides[i]->ca_path != NULL)
			add(p, sides[i]->ca_path, LANDLOCK_READ);
		if (sides[i]->crl_path != NULL)
			add(p, sides[i]->crl_path, LANDLOCK_READ);
	}
	for (unsigned i = 0; !helper && i < conf->accept.n; i++)
		if (conf->accept.v[i].path != NULL)
			add_directory_of(p, conf->accept.v[i].path, LANDLOCK_WRITE);
}

static void
collect(
    struct places *p, const struct plan *plan, const struct globals *g, bool helper, bool programs)
{
	for (size_t i = 0; i < COUNT_OF(everywhere); i++)
		add(p, everywhere[i].path, everywhere[i].may);
	if (g->log.output != NULL)
		add_directory_of(p, g->log.output, LANDLOCK_READ | LANDLOCK_WRITE);
	if (!helper) { /* a reload reads for itself, and the end removes the pid file */
		add(p, "/", LANDLOCK_READ);
		if (g->process.pid != NULL)
			add_directory_of(p, g->process.pid, LANDLOCK_WRITE);
	}
	if (programs) {
		add(p, "/", LANDLOCK_READ | LANDLOCK_RUN);
		add(p, "/dev", LANDLOCK_WRITE); /* terminals */
	}
	for (unsigned i = 0; i < plan->service_count; i++)
		add_service(p, plan->services[i].conf, helper);
}

static int
narrow_files(const struct plan *plan, const struct globals *g, bool helper, bool programs)
{
	struct places *p = calloc(1, sizeof(*p));
	int error = ENOMEM;

	if (p == NULL)
		return error;
	collect(p, plan, g, helper, programs);
	if (p->full)
		error = E2BIG;
	else
		error = landlock_enter(p->v, p->n);
	for (unsigned i = 0; i < p->owned_count; i++)
		free(p->owned[i]);
	free(p);
	return error;
}

/* ---- all of it ---- */

/* "no new privileges" for programs is no gain when they are to run as somebody else. */
static bool
forbid_new_privileges(const struct plan *plan, const struct globals *g)
{
	if (g->process.sandbox != SANDBOX_YES && service_with_program(plan) != NULL)
		return false;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static const char *
layer(char *out, size_t size, const char *name, int error)
{
	(void)snprintf(out, size, "%s%s%s", error == 0 ? "" : "no ", name,
	    error == 0 || error == ENOSYS || error == EOPNOTSUPP ? "" : " (failed)");
	return out;
}

bool
sandbox_enter(const struct plan *plan, const struct globals *g, bool helper)
{
	bool programs = service_with_program(plan) != NULL;
	bool no_new = forbid_new_privileges(plan, g);
	const char *against = reason_against(plan, g, helper);
	const char *privileges = no_new ? "no new privileges" : "new privileges for programs";
	char files_text[48], calls_text[48];
	int files, calls;

	if (against != NULL) {
		log_at(&log_main, SANITIZED ? LOG_WARNING : LOG_INFO, "Sandbox: %s; off: %s",
		    privileges, against);
		return true;
	}
	files = narrow_files(plan, g, helper, programs);
	calls = seccomp_enter(programs);
	confined = files == 0 || calls == 0;
	programs_allowed = programs;
	log_at(&log_main, files == 0 && calls == 0 ? LOG_INFO : LOG_WARNING, "Sandbox: %s, %s, %s",
	    privileges, layer(files_text, sizeof(files_text), "Landlock", files),
	    layer(calls_text, sizeof(calls_text), "seccomp", calls));
	if (g->process.sandbox != SANDBOX_YES || (files == 0 && calls == 0))
		return true;
	log_err(&log_main, "sandbox = yes, but the system cannot do it: %s: %s (%d)",
	    files != 0 ? "Landlock" : "seccomp", strerror(files != 0 ? files : calls),
	    files != 0 ? files : calls);
	return false;
}

bool
sandbox_allows(const struct plan *plan)
{
	const char *name = service_with_program(plan);

	if (!confined || programs_allowed || name == NULL)
		return true;
	log_err(&log_main,
	    "Service [%s]: exec is new, and the sandbox was entered without programs; restart to "
	    "have it",
	    name);
	return false;
}
