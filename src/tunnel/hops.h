/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/hops.h -- proxyVia: the proxies on the way to `connect`, as the configuration has them. */
#ifndef GINNEL_TUNNEL_HOPS_H
#define GINNEL_TUNNEL_HOPS_H

#include "base/option.h"
#include "net/addr.h"

enum hop_kind { HOP_HTTP, HOP_HTTPS, HOP_SOCKS5 };

struct hop {
	enum hop_kind kind;
	struct target proxy;
	const char *user, *password; /* NULL: no login */
};

/* The nearest first; in the configuration's arena, appending makes a new array. */
struct hops {
	const struct hop *v;
	unsigned n;
	const char *ca_file, *cert, *key; /* for those that speak TLS */
};
extern const struct option hops_options[];

#endif
