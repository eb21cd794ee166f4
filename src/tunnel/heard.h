/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/heard.h -- what the PROXY header that came in said, kept for the one that goes out. */
#ifndef GINNEL_TUNNEL_HEARD_H
#define GINNEL_TUNNEL_HEARD_H

#include "proto/proxy_read.h"

struct heard {
	struct addr accepted; /* where the client had connected to; .len 0: unknown */
	size_t len;
	uint8_t tlvs[];
};

struct heard *heard_new(const struct proxy_heard *); /* NULL without memory; free() it */

#endif
