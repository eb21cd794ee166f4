/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/via.c -- the way through proxyVia. */
#include "tunnel/via.h"

#include <sys/socket.h>
#include <unistd.h>

enum { VIA_MAGIC = 0x1e95d7c4 };

struct via {
	unsigned magic;
	struct worker *worker;
	struct task *task;
	struct session *hop; /* NULL: it has ended */
	enum reason fault;
};

/* A socket between two threads of one mind cannot tell a reset from an end: this can. */
static void
on_ended(void *owner, enum reason reason)
{
	struct via *v = owner;

	CHECK_OBJ(v, VIA_MAGIC);
	v->hop = NULL;
	if (!reason_info(reason)->clean)
		v->fault = reason;
	loop_queue(v->worker->loop, v->task);
}

struct via *
via_new(struct worker *w, struct service *hop, const struct log_ctx *log, struct stream *far,
    struct task *task)
{
	struct via *v;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == -1)
		return NULL;
	if (OBJ_NEW(v, VIA_MAGIC) == NULL) {
		close(ends[0]);
		close(ends[1]);
		return NULL;
	}
	v->worker = w;
	v->task = task;
	/* The descriptors belong to the sessions from here on, also if that fails. */
	if (!stream_open(far, w->loop, w->pool, log, ends[0], task)) {
		close(ends[0]);
		close(ends[1]);
		OBJ_FREE(v);
		return NULL;
	}
	if ((v->hop = session_start_hop(w, hop, log, ends[1], on_ended, v)) == NULL) {
		close(ends[1]);
		OBJ_FREE(v);
		return NULL;
	}
	return v;
}

bool
via_outside(const struct via *v, struct addr *out)
{
	return v->hop != NULL && session_outside(v->hop, out);
}

enum reason
via_fault(const struct via *v)
{
	return v->fault;
}

void
via_free(struct via *v, bool reset)
{
	if (v == NULL)
		return;
	CHECK_OBJ(v, VIA_MAGIC);
	if (v->hop != NULL && reset)
		session_abort(v->hop, R_RESET_NEAR);
	else if (v->hop != NULL)
		session_forget(v->hop);
	OBJ_FREE(v);
}
