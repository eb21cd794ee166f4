/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/health.h -- is somebody there?  The targets of a service, asked now and then.
 *
 * One worker asks, beside its tunnels; all workers see what came of it in `standing.down`.
 */
#ifndef GINNEL_TUNNEL_HEALTH_H
#define GINNEL_TUNNEL_HEALTH_H

#include "base/option.h"
#include "proto/hail.h"

enum health_kind { HEALTH_NONE, HEALTH_CONNECT, HEALTH_TLS, HEALTH_STARTTLS, HEALTH_SAY };

struct health_conf {
	int kind;	  /* enum health_kind */
	struct hail said; /* HEALTH_SAY */
	int interval_ms, timeout_ms;
	int rise, fall; /* so many good ones in a row mean up, bad ones down */
};
extern const struct option health_options[];

struct service;
struct service_conf;
struct worker;
struct health; /* of one target */

/* What cannot be meant so. */
void health_conf_check(const struct service_conf *, struct sink *);

/* Begin to ask for all targets of `service`, whose plan the worker holds.  NULL is nobody. */
void health_start(struct health **, struct worker *, struct service *);
void health_stop(struct health **); /* all; none is left */

#endif
