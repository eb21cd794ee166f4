/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/guard.c -- who may come in: by our own lists, and then by the word of others, libwrap and
 * ident. */
#include "tunnel/guard.h"

#include "base/text.h"
#include "net/ident.h"
#include "net/wrappers.h"

#include <errno.h>
#include <string.h>

enum {
	GUARD_MAGIC = 0x58e21f0b,
	AGAIN_MS = 20, /* until the process of libwrap is asked again that had no room */
};

struct guard {
	unsigned magic;
	struct worker *worker;
	const struct service_conf *conf;
	int fd; /* the session's */
	const struct addr *peer;
	const struct log_ctx *log;
	struct task *task;
	bool wrap, identify; /* still to be asked */
	struct wrappers_question question;
	struct timer again;
	struct ident *ident;
	enum reason reason;
};

bool
guard_is_wanted(const struct service_conf *conf, bool again)
{
	return front_conf_has_list(&conf->front) || conf->libwrap ||
	       (conf->ident != NULL && !again);
}

/* The first service with libwrap = yes, or NULL. */
static const char *
who_wraps(const struct plan *p)
{
	for (unsigned i = 0; i < p->service_count; i++)
		if (p->services[i].conf->libwrap)
			return p->services[i].conf->name;
	return NULL;
}

bool
guard_is_possible(const struct plan *p)
{
	const char *name = who_wraps(p);

	if (name == NULL || wrappers_run())
		return true;
	log_err(&log_main,
	    "Service [%s]: libwrap = yes is new; it needs a restart, as the process that reads "
	    "hosts.allow begins with the daemon",
	    name);
	return false;
}

bool
guard_start(const struct plan *p)
{
	return who_wraps(p) == NULL || wrappers_start();
}

struct guard *
guard_new(struct worker *w, const struct service *s, bool again, int fd, const struct addr *peer,
    const struct log_ctx *log, struct task *task)
{
	/* As in the incumbent, clients on UNIX sockets are local users, and not asked about. */
	bool remote = peer->len != 0 && !addr_is_unix(peer);
	struct guard *g;

	if (OBJ_NEW(g, GUARD_MAGIC) == NULL)
		return NULL;
	g->worker = w;
	g->conf = s->conf;
	g->fd = fd;
	g->peer = peer;
	g->log = log;
	g->task = g->again.task = task;
	g->question.watch.fd = -1;
	g->wrap = remote && s->conf->libwrap;
	g->identify = remote && s->conf->ident != NULL && !again;
	return g;
}

static enum io
refuse(struct guard *g, enum reason why)
{
	g->reason = why;
	return IO_FAILED;
}

static enum io
ask_wrappers(struct guard *g)
{
	char text[ADDR_TEXT];
	enum io got;

	if (g->question.watch.fd == -1 &&
	    !wrappers_ask(&g->question, g->worker->loop, g->task, g->conf->name, g->fd, g->peer)) {
		if (errno == EAGAIN) { /* the questions of others fill its socket */
			loop_timer(g->worker->loop, &g->again, AGAIN_MS);
			return IO_AGAIN;
		}
		log_err(g->log, "libwrap: %s (%d)", strerror(errno), errno);
		return refuse(g, R_LIBWRAP);
	}
	if ((got = wrappers_answer(&g->question)) == IO_AGAIN)
		return IO_AGAIN;
	wrappers_forget(&g->question, g->worker->loop);
	g->wrap = false;
	addr_text(g->peer, text);
	if (got == IO_OK) {
		log_debug(g->log, "Service [%s] permitted by libwrap from %s", g->conf->name, text);
		return IO_OK;
	}
	log_warn(g->log, "Service [%s] REFUSED by libwrap from %s", g->conf->name, text);
	return refuse(g, R_LIBWRAP);
}

static bool
begin_ident(struct guard *g)
{
	struct addr local = { .len = sizeof(local.un) };

	if (getsockname(g->fd, &local.sa, &local.len) == -1)
		return false;
	g->ident = ident_new(g->worker->loop, g->worker->pool, g->log, g->task, g->peer, &local,
	    g->conf->connect_ms);
	return g->ident != NULL;
}

static enum io
ask_ident(struct guard *g)
{
	char text[ADDR_TEXT], safe[TEXT_SAFE_MAX + 4];
	const char *user;
	enum io got;

	if (g->ident == NULL && !begin_ident(g))
		return refuse(g, R_NO_MEMORY);
	if ((got = ident_step(g->ident)) == IO_AGAIN)
		return IO_AGAIN;
	user = got == IO_OK ? ident_user(g->ident) : "";
	if (got == IO_OK && strcmp(user, g->conf->ident) == 0) {
		log_info(g->log, "IDENT authentication passed");
		g->identify = false;
		return IO_OK;
	}
	log_warn(g->log, "Connection from %s REFUSED by IDENT (user \"%s\")",
	    addr_text(g->peer, text), text_safe(user, strlen(user), safe, sizeof(safe)));
	return refuse(g, R_IDENT);
}

enum io
guard_step(struct guard *g)
{
	enum io got = IO_OK;
	char text[ADDR_TEXT];

	CHECK_OBJ(g, GUARD_MAGIC);
	if (!front_conf_lets_in(&g->conf->front, g->peer)) {
		log_warn(g->log, "Service [%s] REFUSED by allowFrom and denyFrom from %s",
		    g->conf->name, addr_text(g->peer, text));
		return refuse(g, R_NOT_ALLOWED);
	}
	if (g->wrap)
		got = ask_wrappers(g);
	if (got == IO_OK && g->identify)
		got = ask_ident(g);
	return got;
}

enum reason
guard_reason(const struct guard *g)
{
	return g->reason;
}

void
guard_free(struct guard *g)
{
	if (g == NULL)
		return;
	CHECK_OBJ(g, GUARD_MAGIC);
	wrappers_forget(&g->question, g->worker->loop);
	loop_untimer(g->worker->loop, &g->again);
	ident_free(g->ident);
	OBJ_FREE(g);
}
