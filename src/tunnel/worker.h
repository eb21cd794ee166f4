/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/worker.h -- one thread with its own loop, sessions and counters.
 *
 * Nothing in it is touched by another thread but ->load and the mailbox.
 */
#ifndef GINNEL_TUNNEL_WORKER_H
#define GINNEL_TUNNEL_WORKER_H

#include "base/buf.h"
#include "base/log.h"
#include "base/reasons.h"
#include "loop/mailbox.h"
#include "net/conduit.h"
#include "net/exec.h"
#include "net/srv.h"
#include "tls/resume.h"
#include "tls/staple.h"
#include "tunnel/grudge.h"
#include "tunnel/homes.h"
#include "tunnel/plan.h"

#include <pthread.h>
#include <stdatomic.h>

struct gate;
struct session;
struct vpn_accounts;
struct worker;

struct limits {
	unsigned sessions; /* over all workers */
	unsigned pending;  /* of these, still being set up */
	size_t buffers;	   /* bytes in flight that are held in memory before clients are refused */
};

/* What all workers share; only the atomic changes once they run. */
struct common {
	struct limits limits;
	struct worker **workers;
	unsigned worker_count;
	struct offload *offload;   /* for what blocks */
	struct homes *homes;	   /* of clients that may come back */
	void (*idle)(void *owner); /* any thread: a draining worker has become idle */
	void *owner;
	_Atomic uint64_t seq; /* of connections */
};

struct counters {
	uint64_t accepted;
	uint64_t ended[REASON_COUNT];
};

/* The fields are for session.c, gate.c and crew.c, in the worker's thread. */
struct worker {
	unsigned magic;
	struct common *common;
	unsigned number;
	pthread_t thread;
	struct loop *loop;
	struct pool *pool;
	struct conduits *conduits;
	struct resolver *resolver;
	struct srv_finder *srv;
	struct grudges *grudges;
	struct resume_cache *resume;
	struct health *health;	       /* of the plan's targets; one worker asks */
	struct spares *spares;	       /* of the plan's services */
	struct stapler *staplers;      /* of the plan; one worker has them */
	struct vpn_accounts *accounts; /* of VPN sessions, of which RADIUS is told */
	struct mailbox *mailbox;
	struct exec_host *programs;
	struct plan *plan;
	struct gate **gates; /* one for each door of the plan */
	unsigned gate_count;
	struct session *pending;  /* tunnels that are still being set up, */
	struct session *standing; /* and those that stand */
	unsigned pending_count;
	bool draining; /* no new clients of its own */
	bool stopping; /* none at all */
	int spare_fd;  /* given up to accept and refuse when descriptors run out */
	struct counters counters;
	struct log_brake brakes[REASON_COUNT], suspended;
	int64_t flood_second;  /* the last one in which bad ends came faster than they are logged */
	_Atomic unsigned load; /* sessions, handed-over ones included */
	struct {
		struct task task;
		struct timer timer;
		unsigned changes, seen; /* sessions come and gone since memory was given back */
	} tidy;
};

/* Made in the main thread, before any thread runs.  NULL: logged. */
struct worker *worker_new(struct common *, unsigned number);
bool worker_start(struct worker *) MUST_CHECK; /* its thread */
/* After its thread has ended, its sessions are over and its gates are closed; NULL is fine. */
void worker_free(struct worker *);

/* If it has none, a new spare_fd; without a descriptor left it stays so. */
void worker_keep_spare(struct worker *);

/* In the worker's thread: one session more; one less, or one that was handed over has arrived. */
void worker_session_came(struct worker *);
void worker_session_gone(struct worker *);

/* Over all workers; any thread. */
unsigned worker_total_load(const struct common *);
/* Who shall serve the next client: `me`, unless another has clearly less to do. */
struct worker *worker_least_loaded(struct worker *me);

#endif
