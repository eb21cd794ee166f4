/* SPDX-License-Identifier: Apache-2.0 */
/* config/vhost.c -- sections that serve clients of another section's port: sni = SERVICE:PATTERN,
 * alpn = SERVICE:NAMES. */
#include "config/vhost.h"

#include <stdio.h>
#include <string.h>

/* One of the lines, taken apart. */
struct claim {
	const char *option;
	const char *text;
	const char *service;
	size_t service_n;
	const char *pattern; /* NULL: of alpn */
};

/* The parser has seen to it that there is a colon. */
static struct claim
claim_of(const char *text)
{
	const char *colon = strchr(text, ':');

	return (struct claim){ "sni", text, text, (size_t)(colon - text), colon + 1 };
}

static struct claim
claim_by_alpn(const char *service)
{
	return (struct claim){ "alpn", service, service, strlen(service), NULL };
}

/* The first of that name, as the incumbent has it, but it may stand anywhere. */
const struct section *
vhost_find(const struct config *c, const char *name, size_t n, unsigned *number)
{
	*number = 0;
	for (const struct section *s = c->sections; s != NULL; s = s->next, ++*number)
		if (strlen(s->conf->name) == n && memcmp(s->conf->name, name, n) == 0)
			return s;
	return NULL;
}

/* The first section that could have been meant. */
static const char *
some_primary(const struct config *c)
{
	for (const struct section *s = c->sections; s != NULL; s = s->next)
		if (s->conf->accept.n > 0 && service_sees_tls(s->conf))
			return s->conf->name;
	return NULL;
}

static void
say_not_found(const struct config *c, const struct claim *claim, struct sink *sink)
{
	const char *other = some_primary(c);

	if (other != NULL)
		sink_error(sink, claim->option,
		    "SNI section name not found: there is no [%.*s] for \"%s\"; write the section "
		    "that has accept, such as [%s], before the colon",
		    (int)claim->service_n, claim->service, claim->text, other);
	else
		sink_error(sink, claim->option,
		    "SNI section name not found: there is no [%.*s] for \"%s\"; write accept in "
		    "one "
		    "section, and the name of that section before the colon",
		    (int)claim->service_n, claim->service, claim->text);
}

/* Can clients of `primary` be given away? */
static bool
primary_is_good(const struct service_conf *primary, const struct claim *claim, struct sink *sink)
{
	if (primary->accept.n == 0 &&
	    (detect_kinds(&primary->front.detect, DETECT_CLEAR) & 1u << DETECT_TLS) == 0) {
		sink_error(sink, claim->option,
		    "[%s] of \"%s\" has no port of its own; write the section that has accept "
		    "before "
		    "the colon",
		    primary->name, claim->text);
		return false;
	}
	if (!service_sees_tls(primary)) {
		sink_error(sink, claim->option,
		    "SNI primary service is a TLS client: nobody asks [%s] for a name; write a "
		    "section with client = no before the colon",
		    primary->name);
		return false;
	}
	return true;
}

/* Does the protocol speak before anybody knows the name, or connect? */
static bool
is_early(const struct proto_role *role)
{
	return role != NULL && (role->script[PROTO_EARLY] != NULL || role->connect_first);
}

/*
 * What comes before TLS is the primary's; a section that means to say something else there would
 * never be heard.
 */
static bool
protocols_agree(
    const struct service_conf *primary, const struct service_conf *conf, struct sink *sink)
{
	const struct proto_role *first = proto_role(&primary->proto, primary->client);
	const struct proto_role *role = proto_role(&conf->proto, conf->client);

	if (is_early(first) && conf->passthrough) {
		sink_error(sink, "passthrough",
		    "with protocol = %s, [%s] speaks with its own target before the client begins "
		    "with TLS, which then ends here; remove passthrough",
		    primary->proto.proto->name, primary->name);
		return false;
	}

	if (is_early(role) && role != first) {
		sink_error(sink, "protocol",
		    "what %s says comes before the client asks for a name; write protocol = %s "
		    "into [%s], too",
		    conf->proto.proto->name, conf->proto.proto->name, primary->name);
		return false;
	}
	if (first != NULL && first->connect_first && conf->redirect.n > 0) {
		sink_error(sink, "redirect",
		    "\"redirect\" is incompatible with the specified protocol negotiation: with "
		    "protocol = %s, [%s] has connected to its target before the client shows its "
		    "certificate",
		    primary->proto.proto->name, primary->name);
		return false;
	}
	if (first != NULL && first->connect_first && conf != primary)
		sink_warn(sink, "connect",
		    "not used: with protocol = %s, [%s] has connected to its own target before the "
		    "client asks for a name",
		    primary->proto.proto->name, primary->name);
	return true;
}

static void
warn_if_useless(const struct service *primary, const struct service *self, const char *pattern,
    struct sink *sink)
{
	const struct service *owner =
	    primary->hosts == NULL ? NULL : hosts_owner(primary->hosts, pattern);

	if (owner != NULL && owner != self)
		sink_warn(sink, "sni",
		    "\"%s\" is never taken: [%s] stands before it and has all such names; put this "
		    "section first, or remove the line",
		    pattern, owner->conf->name);
	if (strchr(pattern + 1, '*') != NULL)
		sink_warn(sink, "sni",
		    "\"%s\" is never taken: a * means something only at the beginning", pattern);
}

/* Does the section take only those clients of that port who offer its protocols? */
static bool
is_narrowed(const struct service_conf *conf, const struct claim *claim)
{
	const char *service = conf->near.alpn.service;

	return service != NULL && strlen(service) == claim->service_n &&
	       memcmp(service, claim->service, claim->service_n) == 0;
}

static void
attach(struct config *c, const struct section *section, const struct claim *claim,
    struct plan *plan, unsigned number, struct sink *sink)
{
	unsigned first;
	const struct section *primary = vhost_find(c, claim->service, claim->service_n, &first);

	if (primary == NULL) {
		say_not_found(c, claim, sink);
		return;
	}
	if (!primary_is_good(primary->conf, claim, sink))
		return;
	if (section->conf->accept.n > 0 && primary != section) {
		sink_error(sink, NULL,
		    "Each service must define two endpoints: accept and %s are two ways in; "
		    "remove accept to serve the clients of [%s], or remove %s",
		    claim->option, primary->conf->name, claim->option);
		return;
	}
	if (!protocols_agree(primary->conf, section->conf, sink))
		return;
	if (claim->pattern == NULL) {
		if (!plan_narrow_host(plan, first, &section->conf->near.alpn.names, number))
			sink_error(sink, "alpn", "out of memory");
		return;
	}
	if (!is_narrowed(section->conf, claim))
		warn_if_useless(
		    &plan->services[first], &plan->services[number], claim->pattern, sink);
	if (!plan_add_host(plan, first, claim->pattern, number))
		sink_error(sink, "sni", "out of memory");
}

/* Which form is meant depends on the sides that speak TLS, known only at the section's end. */
static bool
form_is_good(const struct service_conf *conf, struct sink *sink)
{
	bool accepts = service_sees_tls(conf), connects = service_connects_tls(conf);
	unsigned patterns = conf->near.hosts.n;

	if (!accepts && conf->near.alpn.service != NULL) {
		sink_error(sink, "alpn",
		    "SERVICE:NAMES is for a service that accepts TLS; to offer protocols to a "
		    "server, write the names alone");
		return false;
	}
	if ((!accepts && patterns > 0) || (patterns == 0 && conf->far.hosts.n > 0)) {
		sink_error(sink, "sni",
		    "Invalid SNI parameter format: SERVICE:PATTERN is for a service that accepts "
		    "TLS; to ask a server for a name, write the name alone");
		return false;
	}
	if (accepts && !connects && conf->near.sni != NULL && conf->near.sni[0] != '\0') {
		sink_error(sink, "sni",
		    "Invalid SNI parameter format: \"%s\"; write SERVICE:PATTERN, where SERVICE is "
		    "the section that has accept and PATTERN a host name or *.domain",
		    conf->near.sni);
		return false;
	}
	return true;
}

void
vhost_attach(struct config *c, const struct section *section, struct plan *plan, unsigned number,
    struct sink *sink)
{
	const struct strv *hosts = &section->conf->near.hosts;

	if (!form_is_good(section->conf, sink))
		return;
	/* First, as it narrows the others. */
	if (section->conf->near.alpn.service != NULL) {
		struct claim claim = claim_by_alpn(section->conf->near.alpn.service);

		attach(c, section, &claim, plan, number, sink);
	}
	for (unsigned i = 0; i < hosts->n; i++) {
		struct claim claim = claim_of(hosts->v[i]);

		attach(c, section, &claim, plan, number, sink);
	}
}

void
vhost_check(struct config *c, const struct plan *plan)
{
	unsigned i = 0;
	char text[256];

	/* As a default for all sections it may be meant for some of them. */
	if (c->global->conf->sni_unmatched == UNMATCHED_REJECT)
		return;
	for (const struct section *s = c->sections; s != NULL; s = s->next, i++) {
		if (s->conf->sni_unmatched != UNMATCHED_REJECT || plan->services[i].hosts != NULL)
			continue;
		(void)snprintf(text, sizeof(text),
		    "has no effect here, as no section names [%s] in its sni; write it into the "
		    "section that has accept, or remove it",
		    s->conf->name);
		config_complain(c, s, true, "sniUnmatched", text);
	}
}
