/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/route.c -- the client's own addresses, on the way out. */
#include "tunnel/route.h"

#include <errno.h>
#include <string.h>

enum { ROUTE_MAGIC = 0x2e5f8b61 };

struct route {
	unsigned magic;
	struct dial_plan plan;
	struct target target;
	struct addr source;
};

static bool
wants(const struct service *s, enum transparent what)
{
	return (s->conf->transparent & (int)what) != 0;
}

/* Come from the client's address; `local` wins, as in the incumbent. */
static bool
use_source(
    struct route *r, const struct service *s, const struct addr *peer, const struct log_ctx *log)
{
	if (!wants(s, TRANSPARENT_SOURCE) || s->conf->local != NULL)
		return true;
	if (peer->len == 0 || addr_is_unix(peer)) {
		log_err(log, "Transparent source needs a socket");
		return false;
	}
	r->source = addr_unmapped(peer);
	/*
	 * With the client's own port as well, this connection could not be told from the one that
	 * was redirected, and the packet filter would redirect it, too.
	 */
	if (wants(s, TRANSPARENT_DESTINATION))
		addr_set_port(&r->source, 0);
	r->plan.local = &r->source;
	r->plan.foreign = true;
	return true;
}

/* Go where the client wanted to go before the packet filter sent it here. */
static bool
use_destination(struct route *r, const struct service *s, int fd, const struct log_ctx *log)
{
	if (!wants(s, TRANSPARENT_DESTINATION) || r->plan.targets != s->dial.targets)
		return true;
	if (!sock_original_destination(fd, &r->target.numeric)) {
		log_err(log, "The client's original destination is unknown: %s (%d)",
		    strerror(errno), errno);
		return false;
	}
	r->target.text = "(original destination)";
	r->plan.targets = &r->target;
	r->plan.count = 1;
	return true;
}

struct route *
route_new(const struct service *s, const struct dial_plan *plan, int fd, const struct addr *peer,
    const struct log_ctx *log, enum reason *why)
{
	struct route *r;

	*why = R_NO_MEMORY;
	if (OBJ_NEW(r, ROUTE_MAGIC) == NULL)
		return NULL;
	r->plan = *plan;
	*why = R_TRANSPARENT;
	if (use_source(r, s, peer, log) && use_destination(r, s, fd, log))
		return r;
	OBJ_FREE(r);
	return NULL;
}

const struct dial_plan *
route_plan(const struct route *r)
{
	return &r->plan;
}

void
route_free(struct route *r)
{
	if (r == NULL)
		return;
	CHECK_OBJ(r, ROUTE_MAGIC);
	OBJ_FREE(r);
}

bool
route_is_allowed(const struct plan *p)
{
	for (unsigned i = 0; i < p->service_count; i++) {
		const struct service *s = &p->services[i];

		if (!wants(s, TRANSPARENT_SOURCE) || s->conf->exec.path != NULL)
			continue;
		if (sock_may_be_foreign())
			continue;
		log_err(&log_main,
		    "Service [%s]: transparent = source needs the capability CAP_NET_ADMIN: %s "
		    "(%d); start as root, or let the service manager grant it",
		    s->conf->name, strerror(errno), errno);
		return false;
	}
	return true;
}
