/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/hops.c -- a service for each proxy of proxyVia.
 *
 * It is a client of that proxy, and asks it for the next one, or for `connect`.  Of its section it
 * has what is about sockets, times and the log, and nothing of what is about trust: that is for the
 * target.  A complaint about it stands at its section's lines.
 */
#include "config/hops.h"

#include "tunnel/service.h"

#include <stdio.h>
#include <string.h>

static void
complain(struct config *c, const struct section *s, const char *option, const char *text)
{
	config_complain(c, s, true, option, text);
}

/* TLS with a proxy: verified, whatever is said of TLS with the target. */
static bool
set_tls(
    struct arena *arena, struct tls_conf *to, const struct service_conf *of, const struct hop *hop)
{
	const struct tls_conf *from = &of->far;
	struct strv *names = hop->proxy.numeric.len != 0 ? &to->check_ip : &to->check_host;

	*to = (struct tls_conf){
		.cert = of->hops.cert,
		.key = of->hops.key != NULL ? of->hops.key : of->hops.cert,
		.ca_file = of->hops.ca_file,
		.verify = { .request = true, .require = true, .chain = true },
		.version_min = from->version_min,
		.version_max = from->version_max,
		.options_set = from->options_set,
		.options_clear = from->options_clear,
		.ciphers = from->ciphers,
		.ciphersuites = from->ciphersuites,
		.curves = from->curves,
		.security_level = from->security_level,
		.session_resume = from->session_resume,
		.session_cache_size = from->session_cache_size,
		.session_timeout_ms = from->session_timeout_ms,
		.ticket_rotation_ms = from->ticket_rotation_ms,
		.ocsp.timeout_ms = from->ocsp.timeout_ms,
		.strict_permissions = from->strict_permissions,
	};
	return strv_append(arena, names, hop->proxy.host);
}

/* "HOST:PORT" as CONNECT has it (RFC 9112 3.2.3). */
static const char *
authority(struct arena *arena, const struct target *t)
{
	bool six = strchr(t->host, ':') != NULL;
	char text[512];

	(void)snprintf(
	    text, sizeof(text), "%s%s%s:%u", six ? "[" : "", t->host, six ? "]" : "", t->port);
	return arena_strdup(arena, text);
}

static bool
set_protocol(
    struct arena *arena, struct proto_conf *to, const struct hop *hop, const struct target *next)
{
	*to = (struct proto_conf){
		.proto = hop->kind == HOP_SOCKS5 ? &socks_proto : &http_connect,
		.host = authority(arena, next),
		.host_target = next,
		.username = hop->user,
		.password = hop->password,
		.inside = true,
	};
	return to->host != NULL;
}

static const char *
name_of(struct arena *arena, const struct service_conf *of, const struct hop *hop)
{
	char text[512];

	(void)snprintf(
	    text, sizeof(text), "%s via %s:%u", of->name, hop->proxy.host, hop->proxy.port);
	return arena_strdup(arena, text);
}

/* The service for one proxy; NULL without memory. */
static struct service_conf *
hop_conf(struct arena *arena, const struct service_conf *of, const struct hop *hop,
    const struct target *next)
{
	struct service_conf *conf = arena_alloc(arena, sizeof(*conf));

	if (conf == NULL)
		return NULL;
	*conf = (struct service_conf){
		.name = name_of(arena, of, hop),
		.connect = { &hop->proxy, 1 },
		.client = true,
		.hop = true,
		.retry_ms = -1,
		.accept_tls = TRI_NO,
		.connect_tls = hop->kind == HOP_HTTPS ? TRI_YES : TRI_NO,
		.delay = of->delay,
		.eyeballs = of->eyeballs,
		.local = of->local,
		.reset = of->reset,
		.strict_close = of->strict_close,
		.log_level = of->log_level,
		.log_id = of->log_id,
		.uid = -1,
		.gid = -1,
		.busy_ms = of->busy_ms,
		.close_ms = of->close_ms,
		.connect_ms = of->connect_ms,
		.idle_ms = of->idle_ms,
		.sock = of->sock,
	};
	if (conf->name == NULL || !set_tls(arena, &conf->far, of, hop) ||
	    !set_protocol(arena, &conf->proto, hop, next))
		return NULL;
	return conf;
}

/* Behind all others; it has the lines of the section that it is for. */
static bool
add_section(struct config *c, const struct section *of, struct service_conf *conf)
{
	struct section *s = arena_alloc(c->arena, sizeof(*s)), **end = &c->sections;

	if (s == NULL)
		return false;
	*s = *of;
	s->next = NULL;
	s->conf = conf;
	while (*end != NULL)
		end = &(*end)->next;
	*end = s;
	c->section_count++;
	return true;
}

/* Can what the section connects to be asked of a proxy? */
static bool
check(struct config *c, const struct section *s)
{
	const struct service_conf *conf = s->conf;
	const struct proto_role *role = proto_role(&conf->proto, conf->client);
	unsigned errors = c->errors;

	if (conf->connect.n != 1 || conf->connect.v[0].host == NULL)
		complain(c, s, "proxyVia",
		    "needs one target of its own to ask for; write one line connect = HOST:PORT");
	if (role != NULL && role->needs_rules)
		complain(c, s, "proxyVia",
		    "leads to connect, and clients of this protocol go where they ask to; remove "
		    "proxyVia, or protocol");
	if (conf->backend.health.kind != HEALTH_NONE || conf->backend.spares > 0)
		complain(c, s, "proxyVia",
		    "healthCheck and spareConnections would reach the target without the proxies; "
		    "remove them");
	if (conf->transparent != TRANSPARENT_NONE)
		complain(c, s, "proxyVia",
		    "a target behind a proxy sees the proxy's address; remove transparent");
	for (unsigned i = 0; i < conf->hops.n; i++)
		if (conf->hops.v[i].kind == HOP_HTTPS && conf->hops.ca_file == NULL) {
			complain(c, s, "proxyVia",
			    "https:// needs to know whose word to take for the proxy's "
			    "certificate; write proxyCAfile = FILE, such as "
			    "/etc/ssl/certs/ca-certificates.crt");
			break;
		}
	return c->errors == errors;
}

static void
expand(struct config *c, const struct section *s)
{
	const struct hops *hops = &s->conf->hops;
	const struct service_conf *before = NULL;

	if (!check(c, s))
		return;
	for (unsigned i = 0; i < hops->n; i++) {
		bool last = i + 1 == hops->n;
		struct service_conf *conf = hop_conf(c->arena, s->conf, &hops->v[i],
		    last ? &s->conf->connect.v[0] : &hops->v[i + 1].proxy);

		if (conf == NULL || !add_section(c, s, conf)) {
			complain(c, s, "proxyVia", "out of memory");
			return;
		}
		conf->via = before;
		before = conf;
	}
	s->conf->via = before;
}

void
hops_expand(struct config *c)
{
	unsigned n = c->section_count;

	if (n == 0 && c->global->conf->hops.n > 0)
		complain(c, c->global, "proxyVia",
		    "needs a [section]; write one such as [tunnel] above it");
	for (struct section *s = c->sections; n > 0; s = s->next, n--)
		if (s->conf->hops.n > 0)
			expand(c, s);
}
