/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/limit_conf.h -- how much of a service one may have. */
#ifndef GINNEL_TUNNEL_LIMIT_CONF_H
#define GINNEL_TUNNEL_LIMIT_CONF_H

#include "base/option.h"

#include <stdint.h>

struct limit_conf {
	int connections;  /* at once; 0: no limit of the service's own */
	int per_source;	  /* ... from one source */
	int per_identity; /* ... of one user, or one certificate */
	int queue;	  /* clients that may wait for one of `connections` */
	int64_t rate;	  /* bytes a second, each way; 0: none */
};

extern const struct option limit_options[];

/* What cannot be meant so. */
void limit_conf_check(const struct limit_conf *, struct sink *);

#endif
