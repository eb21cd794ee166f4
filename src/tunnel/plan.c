/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/plan.c -- a configuration, loaded and checked. */
#include "tunnel/plan.h"

#include "base/shelf.h"
#include "tunnel/activation.h"
#include "tunnel/spares.h"

#include <string.h>
#include <strings.h>

enum {
	PLAN_MAGIC = 0x1f8a63d5,
	ADDRS_PER_ACCEPT = 16,
};

struct plan *
plan_new(unsigned services)
{
	struct plan *p;

	if (OBJ_NEW(p, PLAN_MAGIC) == NULL)
		return NULL;
	p->refs = p->workers = 1;
	if ((p->services = calloc(services + 1, sizeof(*p->services))) == NULL) {
		OBJ_FREE(p);
		return NULL;
	}
	p->service_count = services;
	return p;
}

static void
plan_free(struct plan *p)
{
	for (unsigned i = 0; i < p->service_count; i++) {
		tls_context_free(p->services[i].near);
		tls_context_free(p->services[i].far);
		users_free(p->services[i].users);
		vpn_free(p->services[i].vpn);
		free(p->services[i].environment);
		hosts_free(p->services[i].hosts);
		free(p->services[i].detect);
		seats_release(p->services[i].seats);
		tally_release(p->services[i].tally);
		backend_free(p->services[i].backend);
	}
	for (unsigned i = 0; i < p->door_count; i++)
		listener_release(p->doors[i].listener);
	free(p->doors);
	free(p->services);
	if (p->source_free != NULL)
		p->source_free(p->source);
	OBJ_FREE(p);
}

struct plan *
plan_hold(struct plan *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void
plan_release(struct plan *p)
{
	if (p == NULL)
		return;
	CHECK_OBJ(p, PLAN_MAGIC);
	if (atomic_fetch_sub(&p->refs, 1) > 1)
		return;
	plan_free(p);
	shelf_clear(); /* what a plan was made of is of no use to sessions */
}

/* The service of that name in an older plan, whose ticket keys and sockets may live on. */
static const struct service *
namesake(const struct plan *p, const char *name)
{
	for (unsigned i = 0; p != NULL && i < p->service_count; i++)
		if (strcmp(p->services[i].conf->name, name) == 0)
			return &p->services[i];
	return NULL;
}

/*
 * The name that a client asks for when `sni` is not set: the host of the first target.  Not an
 * address: RFC 6066 3 allows none.  A target without a host means this machine.
 */
static const char *
default_sni(const struct service_conf *conf)
{
	const struct proto_role *role = proto_role(&conf->proto, conf->client);
	const struct target *t;

	/* TLS runs through a proxy to whom it was asked for. */
	if (role != NULL && role->host_is_peer && conf->proto.host != NULL)
		return conf->proto.host_name;
	if (conf->connect.n == 0)
		return NULL;
	t = &conf->connect.v[0];
	if (t->path != NULL || t->host == NULL)
		return "localhost";
	return t->numeric.len != 0 ? NULL : t->host;
}

static enum reason
refuse_loop(const void *service, const struct addr *addr)
{
	return plan_leads_back(service, addr) ? R_LOOP : R_NONE;
}

/* Clients name hosts of which nobody here knows whether all their addresses work. */
static bool
races(const struct service *s)
{
	bool named = s->role != NULL && (s->role->names_target || s->role->needs_rules);

	return s->conf->eyeballs == TRI_UNSET ? named : s->conf->eyeballs == TRI_YES;
}

static struct dial_plan
ways_to(struct service *s, const struct targets *targets)
{
	return (struct dial_plan){
		.targets = targets->v,
		.count = targets->n,
		.fresh_names = s->conf->delay,
		.race = races(s),
		.local = s->conf->local,
		.timeout_ms = s->conf->connect_ms,
		.refuse = refuse_loop,
		.owner = s,
	};
}

/* Where clients are counted; those of an older plan still count. */
static void
add_seats(struct service *s, const struct service *old, struct sink *sink)
{
	const struct limit_conf *limits = &s->conf->limits;

	if (limits->connections == 0 && limits->per_source == 0 && limits->per_identity == 0)
		return;
	s->seats = old != NULL && old->seats != NULL ? seats_hold(old->seats) : seats_new();
	if (s->seats == NULL)
		sink_error(sink, "maxConnections", "out of memory");
}

/* What a service of this name has done counts on; two sections of one name count together. */
static void
add_tally(struct service *s, const struct service *old, struct sink *sink)
{
	const struct service *other = s->plan->services;

	while (other != s && strcmp(other->conf->name, s->conf->name) != 0)
		other++;
	if (other == s)
		other = old;
	s->tally = other != NULL ? tally_hold(other->tally) : tally_new();
	if (s->tally == NULL)
		sink_error(sink, NULL, "out of memory");
}

static bool
needs_backend(const struct service_conf *conf)
{
	bool needs = conf->backend.balance != BALANCE_UNSET ||
		     conf->backend.health.kind != HEALTH_NONE || conf->backend.spares > 0;

	for (unsigned i = 0; i < conf->connect.n; i++)
		needs |= conf->connect.v[i].srv != NULL || conf->connect.v[i].weight != 0;
	return needs && conf->connect.n > 0;
}

static void
add_backend(struct service *s, const struct service *old, struct sink *sink)
{
	const struct service_conf *conf = s->conf;
	enum balance failover = conf->failover == FAILOVER_RR ? BALANCE_RR : BALANCE_PRIO;

	backend_check(&conf->backend, failover, &conf->connect, sink);
	if (!needs_backend(conf))
		return;
	s->backend = backend_new(
	    &conf->backend, failover, &conf->connect, old != NULL ? old->backend : NULL);
	if (s->backend == NULL)
		sink_error(sink, "connect", "out of memory");
}

bool
plan_add_service(struct plan *p, unsigned i, const struct service_conf *conf,
    const struct plan *previous, struct files *files, struct sink *sink)
{
	const struct service *old = namesake(previous, conf->name);
	struct service *s = &p->services[i];
	unsigned errors = sink->errors;

	s->conf = conf;
	s->plan = p;
	s->role = proto_role(&conf->proto, conf->client);
	s->dial = ways_to(s, &conf->connect);
	s->redirect = ways_to(s, &conf->redirect);
	limit_conf_check(&conf->limits, sink);
	add_tally(s, old, sink);
	add_seats(s, old, sink);
	health_conf_check(conf, sink);
	spares_conf_check(conf, sink);
	add_backend(s, old, sink);
	if (service_accepts_tls(conf))
		s->near = tls_context_new(&conf->near, TLS_SERVER, conf->name, NULL,
		    old != NULL ? old->near : NULL, files, sink);
	if (s->near != NULL && s->role != NULL && s->role->alpn != NULL &&
	    conf->near.alpn.names.len == 0)
		tls_context_take_alpn(s->near, s->role->alpn);
	if (service_connects_tls(conf))
		s->far = tls_context_new(&conf->far, TLS_CLIENT, conf->name, default_sni(conf),
		    old != NULL ? old->far : NULL, files, sink);
	if (conf->proto.users != NULL)
		s->users =
		    users_load(conf->proto.users, conf->near.strict_permissions, files, sink);
	if (s->role != NULL && s->role->is_network)
		s->vpn = vpn_new(conf->name, &conf->vpn, conf->client ? &conf->far : &conf->near,
		    conf->client, files, sink);
	if (conf->exec.path != NULL && (s->environment = exec_environment()) == NULL)
		sink_error(sink, "exec", "out of memory");
	return sink->errors == errors;
}

void
plan_join_hops(struct plan *p)
{
	for (unsigned i = 0; i < p->service_count; i++) {
		const struct service_conf *via = p->services[i].conf->via;

		for (unsigned k = 0; via != NULL && k < p->service_count; k++)
			if (p->services[k].conf == via)
				p->services[i].via = &p->services[k];
	}
}

bool
plan_narrow_host(struct plan *p, unsigned primary, const struct alpn *names, unsigned i)
{
	struct service *s = &p->services[primary];

	if (s->hosts == NULL && (s->hosts = hosts_new()) == NULL)
		return false;
	return hosts_narrow(s->hosts, names, &p->services[i]);
}

bool
plan_add_detect(struct plan *p, unsigned primary, enum detect_layer layer, unsigned kinds,
    unsigned i, const struct service **other)
{
	struct service *s = &p->services[primary];

	if (s->detect == NULL && (s->detect = calloc(1, sizeof(*s->detect))) == NULL)
		return false;
	*other = detect_claim(s->detect, layer, kinds, &p->services[i]);
	return true;
}

bool
plan_add_host(struct plan *p, unsigned primary, const char *pattern, unsigned i)
{
	struct service *s = &p->services[primary];

	if (s->hosts == NULL && (s->hosts = hosts_new()) == NULL)
		return false;
	return hosts_add(s->hosts, pattern, &p->services[i]);
}

/* The socket that already listens there, if a reload can keep it. */
static struct listener *
kept_listener(
    const struct plan *previous, const struct addr *wanted, const struct service_conf *service)
{
	for (unsigned i = 0; previous != NULL && i < previous->door_count; i++)
		if (listener_serves(previous->doors[i].listener, wanted, service->name)) {
			listener_configure(previous->doors[i].listener, service);
			return listener_hold(previous->doors[i].listener);
		}
	return NULL;
}

static bool
add_door(struct plan *p, struct listener *l, struct service *s)
{
	struct door *doors = realloc(p->doors, (p->door_count + 1) * sizeof(*doors));

	if (doors == NULL)
		return false;
	p->doors = doors;
	p->doors[p->door_count++] = (struct door){ l, s };
	return true;
}

/* Open what one `accept` line names.  Returns how many sockets listen for it. */
static unsigned
open_target(struct plan *p, struct service *s, const struct target *t, const struct plan *previous)
{
	struct addr addrs[ADDRS_PER_ACCEPT];
	char why[256];
	size_t n = target_lookup(t, true, addrs, ADDRS_PER_ACCEPT, why, sizeof(why));
	unsigned opened = 0;

	if (n == 0)
		log_err(&log_main, "Service [%s]: Cannot resolve accept target \"%s\": %s",
		    s->conf->name, t->text, why);
	for (size_t i = 0; i < n; i++) {
		struct listener *l = kept_listener(previous, &addrs[i], s->conf);

		if (l == NULL && (l = listener_open(&addrs[i], s->conf)) == NULL)
			continue;
		if (!add_door(p, l, s)) {
			listener_release(l);
			continue;
		}
		opened++;
	}
	return opened;
}

/* ---- sockets of the service manager ---- */

/* Socket number `g`; a reload keeps its listener.  Returns how many listen: one, or none. */
static unsigned
take_given(struct plan *p, struct service *s, unsigned g, const struct plan *previous)
{
	struct listener *l = NULL;

	for (unsigned i = 0; previous != NULL && i < previous->door_count && l == NULL; i++)
		if (previous->doors[i].listener->given == g + 1) {
			l = listener_hold(previous->doors[i].listener);
			listener_configure(l, s->conf);
		}
	if (l == NULL && (l = listener_take(g, s->conf)) == NULL)
		return 0;
	if (add_door(p, l, s))
		return 1;
	listener_release(l);
	return 0;
}

/* All sockets of that name: a .socket unit with several addresses gives it to each. */
static unsigned
take_named(struct plan *p, struct service *s, const char *name, const struct plan *previous)
{
	unsigned opened = 0;

	for (unsigned g = 0; g < activation_count(); g++)
		if (strcmp(activation_name(g), name) == 0)
			opened += take_given(p, s, g, previous);
	if (opened == 0)
		log_err(&log_main,
		    "Service [%s]: systemd passed no socket named \"%s\"; see FileDescriptorName= "
		    "in "
		    "the .socket unit",
		    s->conf->name, name);
	return opened;
}

/* Does some `accept` of the plan ask for socket `g` by its name? */
static bool
is_asked_for(const struct plan *p, unsigned g)
{
	for (unsigned i = 0; i < p->service_count; i++)
		for (unsigned k = 0; k < p->services[i].conf->accept.n; k++) {
			const char *name = p->services[i].conf->accept.v[k].given;

			if (name != NULL && strcmp(name, activation_name(g)) == 0)
				return true;
		}
	return false;
}

/* The next one from `*next` on that nobody asks for by its name.  False: there is none. */
static bool
next_in_turn(const struct plan *p, unsigned *next)
{
	while (*next < activation_count() && is_asked_for(p, *next))
		++*next;
	return *next < activation_count();
}

static bool
asks_by_name(const struct service_conf *conf)
{
	for (unsigned k = 0; k < conf->accept.n; k++)
		if (conf->accept.v[k].given != NULL)
			return true;
	return false;
}

/* ---- all doors ---- */

/*
 * As in the incumbent, a socket without a name goes to the next service that accepts, in place of
 * the addresses that it gives.  `turn`: of these sockets.
 */
static unsigned
open_service(struct plan *p, struct service *s, unsigned *turn, const struct plan *previous)
{
	const struct targets *accept = &s->conf->accept;
	unsigned opened = 0;

	if (!asks_by_name(s->conf) && next_in_turn(p, turn))
		return take_given(p, s, (*turn)++, previous);
	for (unsigned k = 0; k < accept->n; k++)
		opened += accept->v[k].given != NULL
			      ? take_named(p, s, accept->v[k].given, previous)
			      : open_target(p, s, &accept->v[k], previous);
	return opened;
}

bool
plan_open_doors(struct plan *p, const struct plan *previous)
{
	unsigned turn = 0;
	bool all = true;

	for (unsigned i = 0; i < p->service_count; i++) {
		struct service *s = &p->services[i];
		const struct service *old = namesake(previous, s->conf->name);

		if (s->vpn != NULL && !vpn_open(s->vpn, old != NULL ? old->vpn : NULL, p->workers))
			all = false;
		if (s->conf->accept.n > 0 && open_service(p, s, &turn, previous) == 0) {
			log_err(&log_main, "Binding service [%s] failed", s->conf->name);
			all = false;
		}
	}
	if (next_in_turn(p, &turn)) {
		log_err(&log_main,
		    "Too many listening file descriptors received from systemd, got %u",
		    activation_count());
		all = false;
	}
	if (!all)
		plan_close_doors(p, previous);
	return all;
}

static bool
has_listener(const struct plan *p, const struct listener *l)
{
	for (unsigned i = 0; p != NULL && i < p->door_count; i++)
		if (p->doors[i].listener == l)
			return true;
	return false;
}

void
plan_close_doors(struct plan *old, const struct plan *now)
{
	for (unsigned i = 0; i < old->door_count; i++)
		if (!has_listener(now, old->doors[i].listener))
			listener_close(old->doors[i].listener);
}

/* As plan_leads_back(), over at most `hops` further services. */
static bool
leads_back(const struct service *service, const struct addr *addr, unsigned hops)
{
	const struct plan *p = service->plan;

	for (unsigned i = 0; i < p->door_count; i++) {
		const struct service *s = p->doors[i].service;

		if (!listener_answers(p->doors[i].listener, addr))
			continue;
		if (s == service || hosts_has(s->hosts, service) || detect_has(s->detect, service))
			return true;
		for (unsigned k = 0; hops > 0 && k < s->conf->connect.n; k++) {
			const struct addr *next = &s->conf->connect.v[k].numeric;

			if (next->len != 0 && leads_back(service, next, hops - 1))
				return true;
		}
	}
	return false;
}

bool
plan_leads_back(const struct service *service, const struct addr *addr)
{
	/* Chains of services are short, and a longer ring still ends at the connection limit. */
	enum { HOPS = 4 };

	return leads_back(service, addr, HOPS);
}
