/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/proxy.c -- tell the target who the client is, by a header of the PROXY protocol.
 *
 * It is the first that the target gets, in front of TLS if that follows: so haproxy and nginx want
 * it on a port that has both.
 */
#include "proto/proto.h"
#include "proto/proxy_header.h"

static enum proto_verdict
introduce(struct dialogue *d)
{
	char header[PROXY_HEADER_V1_MAX + 1];
	size_t n = proxy_header_v1(header, &d->facts->client, &d->facts->accepted);

	log_debug(d->log, " -> %.*s", (int)n - 2, header);
	proto_put(d, PROTO_FAR, header, n);
	return PROTO_DONE;
}

static const struct proto_row clear[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, introduce },
	{ 0 },
};

const struct proto proxy_proto = {
	.name = "proxy",
	.server = { .script[PROTO_CLEAR] = clear, .wants_facts = true },
	.client = { .script[PROTO_CLEAR] = clear, .wants_facts = true },
};
