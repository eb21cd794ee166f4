/* SPDX-License-Identifier: Apache-2.0 */
/* config/proxies.c -- nobody shall run an open proxy by mistake. */
#include "config/proxies.h"

/* Does it serve clients that say where they go? */
static bool
is_proxy(const struct proto_role *role)
{
	return role != NULL && (role->needs_rules || role->names_target);
}

static void
check_rules(const struct service_conf *conf, const struct proto_role *role, struct sink *sink)
{
	if (conf->rules.n > 0)
		return;
	if (role->needs_rules)
		sink_error(sink, "protocol",
		    "%s lets clients reach what a rule allows, and there is none; write two lines "
		    "such as \"allow = from:127.0.0.0/8 -> *:443\" and \"deny = * -> *\"",
		    conf->proto.proto->name);
	else
		sink_warn(sink, "protocol",
		    "without a rule every client of %s reaches everything but the loopback of this "
		    "machine; write two lines such as \"allow = * -> *:443\" and \"deny = * -> *\"",
		    conf->proto.proto->name);
}

static void
check_users(const struct service_conf *conf, const struct proto_role *role, struct sink *sink)
{
	bool wanted = rules_ask_for_user(&conf->rules);

	if (!role->logs_in) {
		if (wanted || conf->proto.users != NULL)
			sink_error(sink, wanted ? "allow" : "proxyUsers",
			    "nobody can log in here: with connect in the section the request comes "
			    "in clear, before TLS, where a password would be seen; remove connect, "
			    "and requests come inside of TLS, or write cn:, san: or spki: in place "
			    "of user:");
		return;
	}
	if (wanted && conf->proto.users == NULL)
		sink_error(sink, "allow",
		    "user: needs to know the users; write proxyUsers = FILE, made by htpasswd -B");
	if (conf->proto.users == NULL)
		return;
	if (!wanted)
		sink_error(sink, "proxyUsers",
		    "no rule asks for a user, so whoever knows no password reaches as much; write "
		    "user:* or user:NAME in place of * in allow");
	else if (!service_accepts_tls(conf))
		sink_warn(sink, "proxyUsers",
		    "passwords come in here in clear; remove acceptTLS = no, and write cert = "
		    "FILE");
}

void
proxies_check(const struct service_conf *conf, struct sink *sink)
{
	const struct proto_role *role = proto_role(&conf->proto, conf->client);

	if (is_proxy(role)) {
		check_rules(conf, role, sink);
		check_users(conf, role, sink);
		return;
	}
	if (conf->rules.n > 0)
		sink_warn(sink, conf->rules.v[0].allow ? "allow" : "deny",
		    "has no effect: rules are for protocol = connect and socks as a server");
	if (conf->inner_sni)
		sink_warn(sink, "requireInnerSNI",
		    "has no effect: it is for protocol = connect and socks as a server");
	if (conf->proto.users != NULL)
		sink_warn(sink, "proxyUsers",
		    "has no effect: users log in to protocol = connect and socks as a server");
}
