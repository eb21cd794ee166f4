/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/limit_conf.c -- the options that limit a service. */
#include "tunnel/limit_conf.h"

#include "tunnel/pace.h"

#include <limits.h>

#define AT(field) offsetof(struct limit_conf, field)

const struct option limit_options[] = {
	{ .name = "maxConnections",
	    .parse = option_int,
	    .offset = AT(connections),
	    .scope = OPTION_SERVICE,
	    .min = 0,
	    .max = INT_MAX,
	    .arg = "NUMBER",
	    .doc = "How many connections the service has at once, those that are still being set "
		   "up included. More are refused with end=service_full, or wait, see queueLimit. "
		   "With 0 only the limit of the process holds. After a reload with a smaller "
		   "number the connections that stand are not ended. The data connections of "
		   "protocol = ftp are a part of their client's one, and not counted: a full "
		   "service could else end none of the transfers that it has let begin." },
	{ .name = "maxConnectionsPerSource",
	    .parse = option_int,
	    .offset = AT(per_source),
	    .scope = OPTION_SERVICE,
	    .min = 0,
	    .max = INT_MAX,
	    .arg = "NUMBER",
	    .doc = "How many connections of the service one source has at once: one IPv4 address, "
		   "or one IPv6 network of 64 bits, as a host usually has all of it. More are "
		   "refused with end=source_full. Clients on UNIX sockets are not counted. With 0 "
		   "there is no limit." },
	{ .name = "maxConnectionsPerIdentity",
	    .parse = option_int,
	    .offset = AT(per_identity),
	    .scope = OPTION_SERVICE,
	    .min = 0,
	    .max = INT_MAX,
	    .arg = "NUMBER",
	    .doc = "How many connections of the service one client has at once, wherever it comes "
		   "from: one user of proxyUsers, or, of those who do not log in, one public key "
		   "of a certificate that was verified. More are refused with "
		   "end=identity_full, and told so where the protocol has a word for it (CONNECT: "
		   "503). Clients that show neither are not counted. With 0 there is no limit." },
	{ .name = "queueLimit",
	    .parse = option_int,
	    .offset = AT(queue),
	    .scope = OPTION_SERVICE,
	    .min = 0,
	    .max = INT_MAX,
	    .arg = "NUMBER",
	    .doc = "How many clients beyond maxConnections wait, the first to come first, until a "
		   "connection of the service has ended, rather than being refused. Who has waited "
		   "for TIMEOUTbusy is refused with end=queue_timeout. With 0 nobody waits." },
	{ .name = "rateLimit",
	    .parse = option_bytes,
	    .offset = AT(rate),
	    .scope = OPTION_SERVICE,
	    .min = PACE_MIN,
	    .max = 1L << 40,
	    .arg = "BYTES",
	    .doc = "How many bytes a second each direction of each connection moves at most, as a "
		   "number, or one with K, M or G behind it (1024 bytes, 1024 K, 1024 M). If it is "
		   "not set, there is no limit." },
	{ .name = NULL },
};

void
limit_conf_check(const struct limit_conf *conf, struct sink *sink)
{
	if (conf->queue > 0 && conf->connections == 0)
		sink_error(sink, "queueLimit",
		    "nobody has to wait without maxConnections; write maxConnections = NUMBER");
}
