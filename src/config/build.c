/* SPDX-License-Identifier: Apache-2.0 */
/* config/build.c -- from a configuration to a plan. */
#include "config/build.h"

#include "config/detects.h"
#include "config/endpoints.h"
#include "config/front.h"
#include "config/hops.h"
#include "config/identities.h"
#include "config/proxies.h"
#include "config/vhost.h"

/* Where distributions keep them, hashed as OpenSSL likes it. */
#define SYSTEM_AUTHORITIES "/etc/ssl/certs"

/* Complaints of the lower layers about one section. */
struct section_sink {
	struct sink sink;
	struct config *config;
	const struct section *section;
};

static void
say(struct sink *sink, bool fatal, const char *option, const char *text)
{
	struct section_sink *s = (struct section_sink *)sink;

	config_complain(s->config, s->section, fatal, option, text);
}

static void
warn_of_no_effect(const struct service_conf *conf, struct sink *sink)
{
	if (conf->stack != 0)
		sink_warn(sink, "stack",
		    "has no effect, and can be removed: tunnels have no threads of their own");
}

/* The certificate must be that of the host which `connect` names, unless the file says whose. */
static bool
expect_target(struct arena *arena, struct tls_conf *tls, const struct targets *connect)
{
	const struct target *t = connect->n > 0 ? &connect->v[0] : NULL;

	if (tls->check_host.n + tls->check_email.n + tls->check_ip.n > 0)
		return true;
	if (t == NULL || t->host == NULL)
		return false;
	return strv_append(arena, t->numeric.len != 0 ? &tls->check_ip : &tls->check_host, t->host);
}

/*
 * Verification is on for a VPN client, by the system's authorities unless the file names others:
 * whom it talks to decides where all of a machine's packets go.  False: whom to expect is unknown.
 */
static bool
network_verifies(struct arena *arena, struct service_conf *conf)
{
	struct tls_conf *tls = &conf->far;

	if (tls->verify.peer && !tls->verify.chain)
		return true;
	tls->verify.request = tls->verify.require = tls->verify.chain = true;
	if (tls->ca_file == NULL && tls->ca_path == NULL && tls->ca_store == NULL &&
	    tls->ca_engine.n == 0)
		tls->ca_path = SYSTEM_AUTHORITIES;
	return expect_target(arena, tls, &conf->connect);
}

/* Does it take what is inside of TLS that another section has opened, and nothing else? */
static bool
comes_inside_tls(const struct service_conf *conf)
{
	const struct detect_conf *detect = &conf->front.detect;

	return conf->accept.n == 0 && detect_kinds(detect, DETECT_INSIDE) != 0 &&
	       detect_kinds(detect, DETECT_CLEAR) == 0;
}

/* A VPN needs TLS, and nothing else on its other end. */
static void
check_network(struct config *c, struct service_conf *conf, struct sink *sink)
{
	if (!service_is_network(conf)) {
		vpn_check_unused(&conf->vpn, sink);
		return;
	}
	vpn_check(&conf->vpn, conf->client, sink);
	/*
	 * A call lasts for hours, so a session is never worth a ticket; and sstpc 1.0.18, if the
	 * ticket of TLS 1.3 comes while it waits for the HTTP reply, waits for ever.
	 */
	conf->near.session_resume = false;
	if (!(conf->client ? service_connects_tls(conf)
			   : service_accepts_tls(conf) || comes_inside_tls(conf)))
		sink_error(sink, "protocol",
		    "sstp is bound to the TLS that carries it; remove %sTLS = no",
		    conf->client ? "connect" : "accept");
	if (conf->client && conf->accept.n > 0)
		sink_error(sink, "accept",
		    "a VPN client has no clients of its own: remove it; the network device is its "
		    "other end");
	if (conf->exec.path != NULL)
		sink_error(sink, "exec", "a VPN has a network on its other end: remove it");
	if (conf->client && !network_verifies(c->arena, conf))
		sink_error(sink, NULL,
		    "a VPN client must know whom it talks to: write checkHost = NAME, or connect = "
		    "HOST:PORT");
}

/* Old files verify nobody; a password should know where it goes. */
static void
check_password(const struct service_conf *conf, struct sink *sink)
{
	if (conf->client && conf->proto.password != NULL && service_connects_tls(conf) &&
	    !conf->far.verify.chain && !conf->far.verify.peer)
		sink_warn(sink, "protocolPassword",
		    "it is sent to a server that nobody verifies; set verifyChain = yes, CAfile "
		    "and "
		    "checkHost");
}

/* A target that is the service's own listener would connect to itself for ever. */
static void
check_loops(
    const struct targets *accept, const struct targets *to, const char *option, struct sink *sink)
{
	for (unsigned i = 0; i < accept->n; i++)
		for (unsigned k = 0; k < to->n; k++)
			if (accept->v[i].numeric.len != 0 &&
			    addr_equal(&accept->v[i].numeric, &to->v[k].numeric))
				sink_error(sink, option,
				    "%s is where this service itself listens; write the address of "
				    "the "
				    "server behind it",
				    to->v[k].text);
}

/* Somebody must be asked for a certificate before somebody can lack it. */
static void
check_redirect(const struct service_conf *conf, struct sink *sink)
{
	const struct proto_role *role = proto_role(&conf->proto, conf->client);

	if (conf->redirect.n == 0)
		return;
	if (!service_accepts_tls(conf))
		sink_error(sink, "redirect",
		    "\"redirect\" is unsupported in client sections: clients come in without "
		    "TLS and have no certificate; remove it");
	else if (role != NULL && role->connect_first)
		sink_error(sink, "redirect",
		    "\"redirect\" is incompatible with the specified protocol negotiation: with "
		    "protocol = %s the target is connected before the client shows its certificate",
		    conf->proto.proto->name);
	else if (!conf->near.verify.chain && !conf->near.verify.peer)
		sink_error(sink, "redirect",
		    "Either \"verifyChain\" or \"verifyPeer\" has to be enabled for \"redirect\" "
		    "to "
		    "work");
}

/* Where clients are invited to connections beside the tunnel, we have to know both ends of them. */
static void
check_beside(const struct service_conf *conf, struct sink *sink)
{
	const struct proto_role *role = proto_role(&conf->proto, conf->client);
	const struct {
		bool set;
		const char *option, *because;
	} against[] = {
		{ service_accepts_tls(conf) && service_connects_tls(conf), "protocol",
		    "TLS is on one side only; make two services of this one" },
		{ conf->front.proxy_from.n > 0, "proxyProtocolFrom",
		    "the data connections would not come through the proxy; remove it" },
		{ conf->hops.n > 0, "proxyVia",
		    "the data connections would go past the proxies; remove it" },
		{ conf->transparent != TRANSPARENT_NONE, "transparent",
		    "the data connections would not follow; remove it" },
		{ conf->exec.path != NULL, "exec",
		    "data connections lead to the server's address, and a program has none; "
		    "write connect" },
	};

	for (size_t i = 0; role != NULL && role->invites && i < COUNT_OF(against); i++)
		if (against[i].set)
			sink_error(sink, against[i].option, "with protocol = %s %s",
			    conf->proto.proto->name, against[i].because);
}

/* Two sockets on one address: the second could not be bound. */
static void
check_accepts(struct config *c, const struct section *section, struct sink *sink)
{
	const struct targets *mine = &section->conf->accept;

	for (const struct section *other = c->sections; other != section; other = other->next)
		for (unsigned i = 0; i < mine->n; i++)
			for (unsigned k = 0; k < other->conf->accept.n; k++) {
				const struct addr *a = &mine->v[i].numeric;

				if (a->len != 0 && (addr_is_unix(a) || addr_port(a) != 0) &&
				    addr_equal(a, &other->conf->accept.v[k].numeric))
					sink_error(sink, "accept",
					    "[%s] listens on %s already (%s:%u); choose another "
					    "port",
					    other->name, mine->v[i].text, other->where.file,
					    other->where.line);
			}
}

static void
free_source(void *config)
{
	config_free(config);
}

struct plan *
config_build(struct config *c, const struct plan *previous, struct files *files)
{
	/* Without a section, the global part is a service, and its client is standard input. */
	bool inetd = c->section_count == 0;
	struct plan *plan;
	unsigned i = 0;

	hops_expand(c);
	plan = plan_new(inetd ? 1 : c->section_count);
	if (plan == NULL) {
		config_complain(c, NULL, true, NULL, "out of memory");
		return NULL;
	}
	plan->inetd = inetd;
	if (inetd && c->global->conf->name == NULL)
		c->global->conf->name = "ginnel";
	for (const struct section *s = inetd ? c->global : c->sections; s != NULL;
	     s = s->next, i++) {
		struct section_sink sink = { .sink.say = say, .config = c, .section = s };

		if (!sock_split_inherited(c->arena, &s->conf->sock.side[SOCK_LOCAL],
			&s->conf->sock.on_listener, &s->conf->sock.on_accepted))
			sink_error(&sink.sink, "socket", "out of memory");
		/* What is in datagrams asks for no name that requireInnerSNI could look at. */
		s->conf->proto.datagrams = s->conf->rules.n > 0 && !s->conf->inner_sni;
		s->conf->proto.aimed = s->conf->connect.n > 0;
		if (!s->conf->hop)
			endpoints_check(s->conf, inetd, &sink.sink);
		front_check(s->conf, c->global->conf, &sink.sink);
		proto_check(&s->conf->proto, s->conf->client,
		    s->conf->client ? service_connects_tls(s->conf) : service_accepts_tls(s->conf),
		    &sink.sink);
		proxies_check(s->conf, &sink.sink);
		identities_check(c, s->conf, &sink.sink);
		check_network(c, s->conf, &sink.sink);
		warn_of_no_effect(s->conf, &sink.sink);
		check_password(s->conf, &sink.sink);
		check_loops(&s->conf->accept, &s->conf->connect, "connect", &sink.sink);
		check_loops(&s->conf->accept, &s->conf->redirect, "redirect", &sink.sink);
		check_redirect(s->conf, &sink.sink);
		check_beside(s->conf, &sink.sink);
		if (!inetd)
			check_accepts(c, s, &sink.sink);
		log_info(&log_main, "Initializing service [%s]", s->conf->name);
		/* All faults are in c->problems; what can still be found out, is. */
		(void)!plan_add_service(plan, i, s->conf, previous, files, &sink.sink);
		vhost_attach(c, s, plan, i, &sink.sink);
		detects_attach(c, s, plan, i, &sink.sink);
	}
	plan_join_hops(plan);
	vhost_check(c, plan);
	detects_check(c, plan);
	if (c->errors > 0) {
		plan_release(plan);
		return NULL;
	}
	plan->source = c;
	plan->source_free = free_source;
	return plan;
}
