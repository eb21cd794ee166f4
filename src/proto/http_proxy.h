/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/http_proxy.h -- as a proxy for CONNECT: the request is taken, and its answer says what has
 * become of it (RFC 9110 9.3.6, RFC 9209).
 */
#ifndef GINNEL_PROTO_HTTP_PROXY_H
#define GINNEL_PROTO_HTTP_PROXY_H

#include "proto/proto.h"

struct http_proxy_state {
	size_t at;     /* how far the head was looked through */
	bool answered; /* the client has its answer */
};

extern const struct proto_row http_proxy_request[], http_proxy_late[], http_proxy_sorry[];

#endif
