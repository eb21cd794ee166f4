/* SPDX-License-Identifier: Apache-2.0 */
/* config/front.c -- does a section contradict itself about the way in? */
#include "config/front.h"

#include <string.h>

/* TLS is not opened: whatever needs it open cannot be. */
static void
check_passthrough(const struct service_conf *conf, struct sink *sink)
{
	if (!conf->passthrough)
		return;
	if (conf->client)
		sink_error(sink, "passthrough",
		    "the client's own TLS is passed on, so ginnel speaks none; remove client = "
		    "yes");
	if (conf->accept_tls == TRI_YES)
		sink_error(sink, "acceptTLS",
		    "with passthrough = yes the client's TLS is not opened here; remove one of "
		    "them");
	if (conf->connect_tls == TRI_YES)
		sink_error(sink, "connectTLS",
		    "with passthrough = yes the target gets the client's own TLS; remove one of "
		    "them");
	if (conf->proto.proto != NULL && strcmp(conf->proto.proto->name, "proxy") != 0)
		sink_error(sink, "protocol",
		    "%s needs what is inside of TLS, which passthrough = yes does not open; remove "
		    "one of them",
		    conf->proto.proto->name);
	if (conf->near.alpn.names.len > 0 && conf->near.alpn.service == NULL)
		sink_error(sink, "alpn",
		    "with passthrough = yes the target agrees on a protocol with the client; "
		    "remove "
		    "it, or write SERVICE:NAMES to take only those clients that offer one of them");
}

/* A protocol with a name in ALPN relies on it. */
static void
check_alpn(const struct service_conf *conf, struct sink *sink)
{
	const struct proto_role *role = proto_role(&conf->proto, conf->client);
	const struct alpn *names = &conf->near.alpn.names;

	if (role == NULL || role->alpn == NULL || names->len == 0)
		return;
	if (names->list[0] != strlen(role->alpn) || names->len != 1 + strlen(role->alpn) ||
	    memcmp(names->list + 1, role->alpn, names->len - 1) != 0)
		sink_error(sink, "alpn", "protocol = %s has the name %s, and no other; remove alpn",
		    conf->proto.proto->name, role->alpn);
}

static void
check_xclient(const struct service_conf *conf, struct sink *sink)
{
	bool is_smtp = conf->proto.proto != NULL && strcmp(conf->proto.proto->name, "smtp") == 0;

	if (conf->proto.xclient && (!is_smtp || conf->client))
		sink_error(sink, "xclient",
		    "XCLIENT is a command of SMTP, for the server behind; write protocol = smtp "
		    "and "
		    "client = no, or proxyProtocol = v1 where the target knows that");
}

/* A header, and what it makes of the client. */
static void
check_proxy_protocol(const struct service_conf *conf, struct sink *sink)
{
	const struct front_conf *front = &conf->front;
	bool says_itself =
	    conf->proto.proto != NULL && strcmp(conf->proto.proto->name, "proxy") == 0;

	if (front->proxy_out != PROXY_OFF && says_itself)
		sink_error(sink, "proxyProtocol",
		    "protocol = proxy sends a header already; remove one of them");
	if (front->proxy_out != PROXY_OFF && conf->exec.path != NULL)
		sink_error(sink, "proxyProtocol",
		    "a program finds the client's address in REMOTE_HOST and REMOTE_PORT; remove "
		    "it");
	if (front->proxy_from.n > 0 && conf->ident != NULL)
		sink_error(sink, "ident",
		    "the client's machine knows nothing of the proxy's connection; remove it, or "
		    "proxyProtocolFrom");
}

/* Only who accepts hears a header; as a default for all sections it may be meant for some. */
static void
check_port(const struct service_conf *conf, const struct service_conf *global, struct sink *sink)
{
	if (conf->accept.n == 0 && conf->front.proxy_from.n > 0 &&
	    conf->front.proxy_from.v != global->front.proxy_from.v)
		sink_error(sink, "proxyProtocolFrom",
		    "this section has no port of its own, and takes its clients as another one "
		    "has let them in; write it into the section that has accept");
}

void
front_check(const struct service_conf *conf, const struct service_conf *global, struct sink *sink)
{
	check_passthrough(conf, sink);
	check_alpn(conf, sink);
	check_proxy_protocol(conf, sink);
	check_xclient(conf, sink);
	check_port(conf, global, sink);
}
