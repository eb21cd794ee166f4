/* SPDX-License-Identifier: Apache-2.0 */
/* config/endpoints.c -- a tunnel has two ends: the options that name them, counted. */
#include "config/endpoints.h"

#include <stdio.h>
#include <string.h>

/* The options that name an end, as the incumbent counts them. */
struct ends {
	bool accept, sni, alpn, detect, connect, exec, protocol, original;
	unsigned n;
	char names[96];
};

static void
count(struct ends *e, bool named, const char *option)
{
	size_t len = strlen(e->names);

	if (!named)
		return;
	(void)snprintf(
	    e->names + len, sizeof(e->names) - len, "%s%s", e->n > 0 ? ", " : "", option);
	e->n++;
}

static struct ends
ends_of(const struct service_conf *conf)
{
	const struct proto_role *role = proto_role(&conf->proto, conf->client);
	struct ends e = {
		.accept = conf->accept.n > 0,
		/* Beside accept it may name the section itself; vhost.c knows. */
		.sni = conf->accept.n == 0 && conf->near.hosts.n > 0,
		.alpn = conf->accept.n == 0 && conf->near.hosts.n == 0 &&
			conf->near.alpn.service != NULL,
		.detect = conf->accept.n == 0 && conf->near.hosts.n == 0 &&
			  conf->near.alpn.service == NULL && conf->front.detect.n > 0,
		.connect = conf->connect.n > 0,
		.exec = conf->exec.path != NULL,
		.original = (conf->transparent & TRANSPARENT_DESTINATION) != 0,
		/* the client says where to go, or goes nowhere, or a network is there */
		.protocol = role != NULL && (role->names_target || role->is_all ||
						(role->is_network && !conf->client)),
	};

	count(&e, e.accept, "accept");
	count(&e, e.sni, "sni");
	count(&e, e.alpn, "alpn");
	count(&e, e.detect, "detect");
	count(&e, e.connect, "connect");
	count(&e, e.exec, "exec");
	count(&e, e.protocol, "protocol");
	count(&e, e.original, "transparent");
	return e;
}

static void
check_inetd(const struct ends *e, struct sink *sink)
{
	if (e->accept)
		sink_error(sink, "accept",
		    "'accept' option is only allowed in a [section]; write one such as [https] "
		    "above it");
	else if (e->n == 0)
		sink_error(sink, NULL,
		    "Inetd mode must define one endpoint: there is no [section] in this file, so "
		    "it serves standard input; write connect = [HOST:]PORT or exec = PROGRAM, or "
		    "begin a section with a line such as [https]");
	else if (e->n > 1)
		sink_error(sink, NULL,
		    "Inetd mode must define one endpoint, besides standard input; %s are %u: keep "
		    "one",
		    e->names, e->n);
}

static void
check_section(const struct ends *e, const struct service_conf *conf, struct sink *sink)
{
	bool way_in = e->accept || e->sni || e->alpn || e->detect || service_starts_itself(conf);
	bool way_out = e->n - e->accept - e->sni - e->alpn - e->detect > 0;

	if (!way_in && e->n == 2)
		sink_error(sink, NULL,
		    "Invalid service [%s]: it does not say where clients come in; write accept = "
		    "[HOST:]PORT",
		    conf->name);
	else if (!way_in)
		sink_error(sink, NULL,
		    "Each service must define two endpoints: it does not say where clients come "
		    "in; write accept = [HOST:]PORT");
	if (!way_out)
		sink_error(sink, NULL,
		    "Each service must define two endpoints: it does not say where they go; "
		    "write connect = [HOST:]PORT, or exec = PROGRAM");
	if (e->n > 2)
		sink_error(sink, NULL,
		    "Each service must define two endpoints; %s are %u: remove what is too many",
		    e->names, e->n);
}

void
endpoints_check(const struct service_conf *conf, bool inetd, struct sink *sink)
{
	struct ends e = ends_of(conf);

	if (inetd)
		check_inetd(&e, sink);
	else
		check_section(&e, conf, sink);
	if (e.exec && (conf->transparent & TRANSPARENT_SOURCE) != 0)
		sink_warn(sink, "transparent",
		    "source has no effect on a program; it finds the client's address in "
		    "REMOTE_HOST and REMOTE_PORT");
	if (e.exec && conf->exec.path[0] != '/')
		sink_warn(sink, "exec",
		    "%s is looked for in the working directory, which is / for a daemon; write "
		    "the full path",
		    conf->exec.path);
}
