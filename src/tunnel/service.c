/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/service.c -- what follows from the configuration of a service. */
#include "tunnel/service.h"

bool
service_init(struct arena *arena, struct service_conf *conf)
{
	/* What a zero would not mean "not set" for. */
	*conf = (struct service_conf){
		.uid = -1,
		.gid = -1,
		.near.security_level = -1,
		.far.security_level = -1,
	};
	return sock_defaults(arena, &conf->sock);
}

bool
service_starts_itself(const struct service_conf *conf)
{
	return (conf->exec.path != NULL || (conf->client && service_is_network(conf))) &&
	       conf->connect.n > 0;
}

bool
service_is_network(const struct service_conf *conf)
{
	const struct proto_role *role = proto_role(&conf->proto, conf->client);

	return role != NULL && role->is_network;
}

/* By what is said of its clients elsewhere than in acceptTLS. */
static bool
begins_in_clear(const struct service_conf *conf)
{
	const struct detect_conf *detect = &conf->front.detect;
	const struct proto_role *role = proto_role(&conf->proto, conf->client);
	bool by_bytes = conf->accept.n == 0 && conf->near.hosts.n == 0 &&
			conf->near.alpn.service == NULL && detect->n > 0;

	return (role != NULL && role->in_clear) ||
	       (by_bytes && (detect_kinds(detect, DETECT_CLEAR) & 1u << DETECT_TLS) == 0);
}

bool
service_accepts_tls(const struct service_conf *conf)
{
	if (conf->accept_tls != TRI_UNSET)
		return conf->accept_tls == TRI_YES;
	return !conf->client && !conf->passthrough && !begins_in_clear(conf);
}

bool
service_sees_tls(const struct service_conf *conf)
{
	return conf->passthrough || service_accepts_tls(conf);
}

bool
service_connects_tls(const struct service_conf *conf)
{
	return conf->connect_tls == TRI_UNSET ? conf->client : conf->connect_tls == TRI_YES;
}
