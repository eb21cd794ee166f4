/* SPDX-License-Identifier: Apache-2.0 */
/* config/identities.c -- whom rules and limits ask for must be able to show who they are. */
#include "config/identities.h"

#include "config/detects.h"

#include <stdio.h>

/* " in [main]", where somebody else opens the TLS of the section's clients. */
static const char *
elsewhere(
    const struct service_conf *opener, const struct service_conf *conf, char *out, size_t size)
{
	out[0] = '\0';
	if (opener != conf)
		(void)snprintf(
		    out, size, " in [%s], which opens the TLS of these clients", opener->name);
	return out;
}

static void
check_rules(const struct service_conf *conf, const struct service_conf *opener, struct sink *sink)
{
	char where[256];

	if (!rules_ask_for_certificate(&conf->rules))
		return;
	if (opener == NULL)
		sink_error(sink, "allow",
		    "cn:, san: and spki: are about certificates, and clients come in here without "
		    "TLS; remove acceptTLS = no, or write user: or from:");
	else if (!tls_verifies(&opener->near))
		sink_error(sink, "allow",
		    "cn:, san: and spki: believe what a certificate says, so it must be verified; "
		    "write verifyChain = yes and CAfile = FILE, or verifyPeer = yes%s",
		    elsewhere(opener, conf, where, sizeof(where)));
}

/* As a default for all sections it may be meant for some. */
static void
check_limit(const struct service_conf *conf, const struct service_conf *global,
    const struct service_conf *opener, struct sink *sink)
{
	const struct proto_role *role = proto_role(&conf->proto, conf->client);
	int limit = conf->limits.per_identity;
	char where[256];

	if (limit == 0 || limit == global->limits.per_identity ||
	    (role != NULL && role->logs_in && conf->proto.users != NULL))
		return;
	if (opener == NULL)
		sink_error(sink, "maxConnectionsPerIdentity",
		    "nobody can show here who it is; write proxyUsers = FILE where protocol is "
		    "connect or socks, or maxConnectionsPerSource");
	else if (!tls_verifies(&opener->near))
		sink_error(sink, "maxConnectionsPerIdentity",
		    "a certificate that is not verified tells nobody from others; write "
		    "verifyChain = yes and CAfile = FILE, or verifyPeer = yes%s",
		    elsewhere(opener, conf, where, sizeof(where)));
}

void
identities_check(const struct config *c, const struct service_conf *conf, struct sink *sink)
{
	const struct service_conf *opener = detects_opener(c, conf);

	check_rules(conf, opener, sink);
	check_limit(conf, c->global->conf, opener, sink);
}
