/* SPDX-License-Identifier: Apache-2.0 */
/* config/detects.c -- several protocols on one port: detect = SERVICE:KINDS. */
#include "config/detects.h"

#include "config/vhost.h"

#include <stdio.h>
#include <string.h>

/* Kinds in clear that may be TLS, or the beginning of a STARTTLS. */
enum { MAY_BE_TLS = 1 << DETECT_TLS | 1 << DETECT_OTHER | 1 << DETECT_TIMEOUT };

/* Can bytes of clients of `primary` be looked at? */
static bool
primary_is_good(const struct service_conf *primary, const struct detect_claim *claim,
    const struct service_conf *conf, struct sink *sink)
{
	const struct proto_role *role = proto_role(&primary->proto, primary->client);

	if (claim->kinds[DETECT_CLEAR] != 0 && primary->accept.n == 0) {
		sink_error(sink, "detect",
		    "[%s] of \"%s\" has no port of its own; write the section that has accept "
		    "before the colon",
		    primary->name, claim->text);
		return false;
	}
	if (claim->kinds[DETECT_INSIDE] != 0 &&
	    (!service_accepts_tls(primary) || (role != NULL && role->connect_first))) {
		sink_error(sink, "detect",
		    "\"%s\": [%s] does not open TLS before anything else; write a section that "
		    "does before the colon",
		    claim->text, primary->name);
		return false;
	}
	if (conf->accept.n > 0 && conf != primary) {
		sink_error(sink, NULL,
		    "Each service must define two endpoints: accept and detect are two ways in; "
		    "remove accept to serve the clients of [%s], or remove detect",
		    primary->name);
		return false;
	}
	return true;
}

/* Would the section take the bytes for what they are? */
static bool
kinds_are_good(const struct service_conf *primary, const struct detect_claim *claim,
    const struct service_conf *conf, struct sink *sink)
{
	if (conf == primary)
		return true;
	if (claim->kinds[DETECT_INSIDE] != 0 && service_sees_tls(conf)) {
		sink_error(sink, conf->accept_tls == TRI_YES ? "acceptTLS" : "detect",
		    "\"%s\" is what comes inside of TLS that [%s] has opened already; write "
		    "acceptTLS = no",
		    claim->text, primary->name);
		return false;
	}
	if ((claim->kinds[DETECT_CLEAR] & ~(unsigned)MAY_BE_TLS) != 0 && service_sees_tls(conf)) {
		sink_error(sink, conf->accept_tls == TRI_YES ? "acceptTLS" : "detect",
		    "clients of \"%s\" do not begin with TLS, and this section expects it; write "
		    "them into a section of their own",
		    claim->text);
		return false;
	}
	return true;
}

static void
attach(struct config *c, const struct section *section, const struct detect_claim *claim,
    struct plan *plan, unsigned number, struct sink *sink)
{
	unsigned first;
	const struct section *primary =
	    vhost_find(c, claim->service, strlen(claim->service), &first);
	const struct service *other;

	if (primary == NULL) {
		sink_error(sink, "detect",
		    "there is no [%s] for \"%s\"; write the section that has accept before the "
		    "colon",
		    claim->service, claim->text);
		return;
	}
	if (!primary_is_good(primary->conf, claim, section->conf, sink) ||
	    !kinds_are_good(primary->conf, claim, section->conf, sink))
		return;
	for (enum detect_layer layer = DETECT_CLEAR; layer < DETECT_LAYERS; layer++) {
		if (claim->kinds[layer] == 0)
			continue;
		if (!plan_add_detect(plan, first, layer, claim->kinds[layer], number, &other))
			sink_error(sink, "detect", "out of memory");
		else if (other != NULL)
			sink_error(sink, "detect",
			    "\"%s\": [%s] takes some of these clients already; write each kind in "
			    "one section",
			    claim->text, other->conf->name);
	}
}

void
detects_attach(struct config *c, const struct section *section, struct plan *plan, unsigned number,
    struct sink *sink)
{
	const struct detect_conf *detect = &section->conf->front.detect;

	for (unsigned i = 0; i < detect->n; i++)
		attach(c, section, &detect->v[i], plan, number, sink);
}

const struct service_conf *
detects_opener(const struct config *c, const struct service_conf *conf)
{
	const struct detect_conf *detect = &conf->front.detect;
	const struct service_conf *found = NULL;
	unsigned number;

	if (service_accepts_tls(conf))
		return conf;
	for (unsigned i = 0; i < detect->n; i++) {
		const struct detect_claim *claim = &detect->v[i];
		const struct section *primary =
		    vhost_find(c, claim->service, strlen(claim->service), &number);

		if (claim->kinds[DETECT_INSIDE] == 0 || primary == NULL)
			continue;
		if (found == NULL || !tls_verifies(&primary->conf->near))
			found = primary->conf;
	}
	return found;
}

/* Does the service speak to its clients before they say anything? */
static bool
speaks_first(const struct service_conf *conf)
{
	const struct proto_role *role = proto_role(&conf->proto, conf->client);

	return role != NULL && role->connect_first;
}

void
detects_check(struct config *c, const struct plan *plan)
{
	char text[256];
	unsigned i = 0;

	for (const struct section *s = c->sections; s != NULL; s = s->next, i++) {
		const struct detect *d = plan->services[i].detect;

		if (!detect_has_layer(d, DETECT_CLEAR) || !speaks_first(s->conf) ||
		    d->by[DETECT_CLEAR][DETECT_TIMEOUT] != NULL)
			continue;
		(void)snprintf(text, sizeof(text),
		    "its clients wait to be greeted, and now for ever, as their first bytes are "
		    "waited for; write detect = %s:timeout, too",
		    s->conf->name);
		config_complain(c, s, true, "protocol", text);
	}
}
