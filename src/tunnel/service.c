/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/service.c -- the options of a service, and their manual. */
#include "tunnel/service.h"

#include "base/memo.h"
#include "base/text.h"
#include "net/wrappers.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>

enum {
	SECONDS_MAX = INT_MAX / 1000, /* option_secs keeps milliseconds in an int */
	ACCOUNT_BUFFER = 64 * 1024,   /* a large group is a long line of /etc/group */
	LOOKUP_MAX = 16,
	RETRY_MS = 1000,
};

/* Append to a copy: the list of the global part stays as it is for the other sections. */
static bool
targets_add(struct option_ctx *ctx, struct targets *list, const struct target *t)
{
	struct target *v = arena_alloc(ctx->arena, (list->n + 1) * sizeof(*v));

	if (v == NULL)
		return option_refuse(ctx, "out of memory");
	if (list->n > 0)
		memcpy(v, list->v, list->n * sizeof(*v));
	v[list->n] = *t;
	*list = (struct targets){ v, list->n + 1 };
	return true;
}

/* "fd:NAME"; a host called fd still has its port's number. */
static bool
is_given(const char *value)
{
	unsigned short port;

	return strncmp(value, "fd:", 3) == 0 && value[3] != '\0' && !text_port(value + 3, &port);
}

/* Field: struct targets. */
static bool
parse_accept(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct target t = { .text = value };

	(void)o;
	if (!is_given(value))
		return target_parse(ctx->arena, value, &t, ctx->why, sizeof(ctx->why)) &&
		       targets_add(ctx, field, &t);
	t.text = arena_strdup(ctx->arena, value);
	t.given = arena_strdup(ctx->arena, value + strlen("fd:"));
	if (t.text == NULL || t.given == NULL)
		return option_refuse(ctx, "out of memory");
	return targets_add(ctx, field, &t);
}

/* An address that can be connected to. */
static bool
parse_target(struct option_ctx *ctx, const char *value, struct target *t)
{
	if (!target_parse(ctx->arena, value, t, ctx->why, sizeof(ctx->why)))
		return false;
	if (t->path == NULL && t->port == 0)
		return option_refuse(
		    ctx, "nothing can be reached on port 0; write a number from 1 to 65535");
	return true;
}

/* "_SERVICE._PROTO.DOMAIN" behind "srv:"; a port of that name never was. */
static bool
parse_srv(struct option_ctx *ctx, const char *name, struct target *t)
{
	const char *domain = strchr(name, '.');

	domain = domain != NULL ? strchr(domain + 1, '.') : NULL;
	if (name[0] != '_' || domain == NULL || strstr(name, "._") == NULL ||
	    strstr(name, "._") > domain || domain[1] == '\0' || !addr_host_is_name(name))
		return option_refuse(ctx,
		    "\"%s\" is no name of SRV records; write one such as "
		    "srv:_imaps._tcp.example.org",
		    name);
	*t = (struct target){ .text = arena_printf(ctx->arena, "srv:%s", name) };
	if (t->text == NULL)
		return option_refuse(ctx, "out of memory");
	t->srv = t->text + strlen("srv:");
	t->host = t->srv + (domain - name) + 1;
	return true;
}

/* Cut " weight=NUMBER" off; 0: there is none. */
static bool
parse_weight(struct option_ctx *ctx, char *value, unsigned *weight)
{
	enum { WEIGHT_MAX = 100 };
	static const char mark[] = " weight=";
	char *found = strstr(value, mark);
	long n = 0;

	if (found != NULL && !text_number(found + strlen(mark), 1, WEIGHT_MAX, &n))
		return option_refuse(ctx, "the weight \"%s\" is not a number from 1 to %d",
		    found + strlen(mark), WEIGHT_MAX);
	while (found != NULL && found > value && found[-1] == ' ')
		found--;
	if (found != NULL)
		*found = '\0';
	*weight = (unsigned)n;
	return true;
}

/*
 * Field: struct targets.  No port is called "25 weight=3" or "_imaps._tcp.example.org", so no file
 * that worked means something else.
 */
static bool
parse_connect(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	static const char srv[] = "srv:";
	char *text = arena_strdup(ctx->arena, value);
	struct target t;
	unsigned weight = 0;

	(void)o;
	if (text == NULL)
		return option_refuse(ctx, "out of memory");
	if (!parse_weight(ctx, text, &weight))
		return false;
	if (strncmp(text, srv, strlen(srv)) == 0 ? !parse_srv(ctx, text + strlen(srv), &t)
						 : !parse_target(ctx, text, &t))
		return false;
	t.weight = weight;
	return targets_add(ctx, field, &t);
}

/* Field: struct service_conf, as TLS must know of it: who may not pass gets through the handshake.
 */
static bool
parse_redirect(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct service_conf *conf = field;
	struct target t;

	(void)o;
	conf->near.redirect = true;
	return parse_target(ctx, value, &t) && targets_add(ctx, &conf->redirect, &t);
}

/* IPv4 before IPv6, as a machine that has both is more often reached from the former. */
static const struct addr *
preferred(const struct addr *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].sa.sa_family == AF_INET)
			return &v[i];
	return &v[0];
}

/* Field: const struct addr *.  A host alone, brackets allowed; its port is 0. */
static bool
parse_local(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	size_t len = strlen(value);
	bool brackets = len > 2 && value[0] == '[' && value[len - 1] == ']';
	struct target t = { .text = value };
	struct addr found[LOOKUP_MAX], *kept;
	size_t n;

	(void)o;
	t.host = brackets ? arena_strndup(ctx->arena, value + 1, len - 2) : value;
	kept = arena_alloc(ctx->arena, sizeof(*kept));
	if (t.host == NULL || kept == NULL)
		return option_refuse(ctx, "out of memory");
	if (value[0] == '\0' || value[0] == '/')
		return option_refuse(
		    ctx, "write an address or a host name of this machine, without a port");
	n = target_lookup(&t, true, found, LOOKUP_MAX, ctx->why, sizeof(ctx->why));
	if (n == 0)
		return false;
	*kept = *preferred(found, n);
	*(const struct addr **)field = kept;
	return true;
}

/* Field: const char *. */
static bool
parse_service(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	if (value[0] == '\0')
		return option_refuse(ctx, "the name is empty; write one, or remove the line");
	return option_text(ctx, o, field, value);
}

/* A number, or what `find` makes of a name; false: there is no such account. */
static bool
account(const char *value, enum memo_kind kind,
    bool (*find)(const char *name, char *buffer, long *id), long *id)
{
	char buffer[ACCOUNT_BUFFER];

	if (text_number(value, 0, INT_MAX, id))
		return true;
	if (!find(value, buffer, id))
		return memo_get(kind, value, id, sizeof(*id)) == sizeof(*id);
	memo_put(kind, value, id, sizeof(*id));
	return true;
}

static bool
find_user(const char *name, char *buffer, long *id)
{
	struct passwd entry, *found;

	if (getpwnam_r(name, &entry, buffer, ACCOUNT_BUFFER, &found) != 0 || found == NULL)
		return false;
	*id = (long)found->pw_uid;
	return true;
}

static bool
find_group(const char *name, char *buffer, long *id)
{
	struct group entry, *found;

	if (getgrnam_r(name, &entry, buffer, ACCOUNT_BUFFER, &found) != 0 || found == NULL)
		return false;
	*id = (long)found->gr_gid;
	return true;
}

bool
service_parse_user(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	long id;

	(void)o;
	if (!account(value, MEMO_USER, find_user, &id))
		return option_refuse(
		    ctx, "there is no user \"%s\"; write a name of /etc/passwd or a number", value);
	*(int *)field = id == 0 ? -1 : (int)id;
	return true;
}

bool
service_parse_group(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	long id;

	(void)o;
	if (!account(value, MEMO_GROUP, find_group, &id))
		return option_refuse(
		    ctx, "there is no group \"%s\"; write a name of /etc/group or a number", value);
	*(int *)field = id == 0 ? -1 : (int)id;
	return true;
}

/* Words split at blanks, as they are; NULL behind the last.  NULL without memory. */
static const char *const *
split_words(struct arena *arena, const char *text)
{
	const char **words = arena_alloc(arena, (strlen(text) / 2 + 2) * sizeof(*words));
	size_t n = 0, len;

	for (; words != NULL; text += len) {
		text += strspn(text, " \t");
		if ((len = strcspn(text, " \t")) == 0)
			break;
		if ((words[n++] = arena_strndup(arena, text, len)) == NULL)
			return NULL;
	}
	return words;
}

/*
 * Field: struct exec_conf.  As in the incumbent, the name stands for the arguments only while there
 * are none, so a section that renames the program of a default keeps the default's arguments.
 */
static bool
parse_exec(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct exec_conf *conf = field;
	const char **argv;

	if (!option_text(ctx, o, &conf->path, value))
		return false;
	if (conf->argv != NULL)
		return true;
	if ((argv = arena_alloc(ctx->arena, 2 * sizeof(*argv))) == NULL)
		return option_refuse(ctx, "out of memory");
	argv[0] = conf->path;
	conf->argv = argv;
	return true;
}

/* Field: struct exec_conf. */
static bool
parse_exec_args(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct exec_conf *conf = field;

	(void)o;
	if (value[0] == '\0')
		return option_refuse(ctx, "write the program's name, and then its arguments");
	conf->argv = split_words(ctx->arena, value);
	return conf->argv != NULL || option_refuse(ctx, "out of memory");
}

/* Field: int, milliseconds, or -1. */
static bool
parse_retry(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	int *ms = field;
	long n = 0;

	(void)o;
	if (strcasecmp(value, "no") == 0)
		*ms = -1;
	else if (strcasecmp(value, "yes") == 0)
		*ms = RETRY_MS;
	else if (text_number(value, 0, INT_MAX, &n))
		*ms = (int)n;
	else
		return option_refuse(ctx,
		    "Illegal retry delay \"%s\"; write yes, no, or a number of milliseconds",
		    value);
	return true;
}

/* Field: bool. */
static bool
parse_libwrap(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	bool *on = field;

	if (!option_yesno(ctx, o, field, value))
		return false;
	return !*on || wrappers_are_built_in() ||
	       option_refuse(ctx, "this ginnel was built without libwrap; remove the line");
}

static const struct option_word tri_words[] = { { "yes", TRI_YES }, { "no", TRI_NO }, { NULL, 0 } };
static const struct option_word transparent_words[] = {
	{ "none", TRANSPARENT_NONE },
	{ "source", TRANSPARENT_SOURCE },
	{ "destination", TRANSPARENT_DESTINATION },
	{ "both", TRANSPARENT_BOTH },
	{ "yes", TRANSPARENT_SOURCE },
	{ "no", TRANSPARENT_NONE },
	{ NULL, 0 },
};
static const struct option_word failover_words[] = {
	{ "prio", FAILOVER_PRIO },
	{ "rr", FAILOVER_RR },
	{ NULL, 0 },
};
static const struct option_word unmatched_words[] = {
	{ "primary", UNMATCHED_PRIMARY },
	{ "reject", UNMATCHED_REJECT },
	{ NULL, 0 },
};
static const struct option_word log_id_words[] = {
	{ "sequential", LOG_ID_SEQUENTIAL },
	{ "unique", LOG_ID_UNIQUE },
	{ "thread", LOG_ID_THREAD },
	{ "process", LOG_ID_PROCESS },
	{ NULL, 0 },
};

#define AT(field) offsetof(struct service_conf, field)
#define CONF 0 /* the parser fills more than one field */

static const struct option tunnel_options[] = {
	{ .name = "accept",
	    .parse = parse_accept,
	    .offset = AT(accept),
	    .scope = OPTION_SERVICE,
	    .arg = "[HOST:]PORT | /PATH | fd:NAME",
	    .doc = "Where to wait for connections: a port on all addresses of this machine, a host "
		   "and a port, or the path of a UNIX socket. An IPv6 address is written [::1]:443 "
		   "or ::1:443. May be given several times. Port 0 lets the kernel choose one; the "
		   "log tells which. fd:NAME is a socket of that name (FileDescriptorName=) from "
		   "systemd; those that are not asked for by name go to the services one after "
		   "the other, in place of the addresses in accept." },
	{ .name = "connect",
	    .parse = parse_connect,
	    .offset = AT(connect),
	    .scope = OPTION_SERVICE,
	    .arg = "[HOST:]PORT | /PATH | srv:NAME",
	    .doc =
		"Where to connect to: a port on this machine, a host and a port, or the path of "
		"a UNIX socket. May be given several times; all addresses of all lines are "
		"tried in turn, see failover and balance. \"weight=NUMBER\" behind it, 1 to 100, "
		"is for balance. srv:_imaps._tcp.example.org asks the name service for the "
		"hosts and ports of that service, with their priorities and weights (SRV "
		"records, RFC 2782)." },
	{ .name = "exec",
	    .parse = parse_exec,
	    .offset = AT(exec),
	    .scope = OPTION_SERVICE,
	    .arg = "PATH",
	    .doc = "The program to start for each connection, in place of connect; its standard "
		   "input, output and error are the tunnel (but with foreground = yes, its "
		   "standard error is that of ginnel). It is started without a shell, and finds "
		   "REMOTE_HOST, REMOTE_PORT and, if the client showed a certificate, "
		   "SSL_CLIENT_DN and SSL_CLIENT_I_DN (the names of its subject and issuer) in "
		   "its environment. With connect and without accept, the program is started at "
		   "once and takes the client's place; see retry." },
	{ .name = "execArgs",
	    .parse = parse_exec_args,
	    .offset = AT(exec),
	    .scope = OPTION_SERVICE,
	    .arg = "WORDS",
	    .doc = "The arguments of exec, its name first, separated by blanks; there is no "
		   "quoting. If it is not set, the program gets its path as the only one." },
	{ .name = "pty",
	    .parse = option_yesno,
	    .offset = AT(exec) + offsetof(struct exec_conf, pty),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "Give the program of exec a terminal instead of a socket. A terminal knows no "
		   "half-close: the end of one direction is the end of the tunnel." },
	{ .name = "libwrap",
	    .parse = parse_libwrap,
	    .offset = AT(libwrap),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "Ask hosts.allow and hosts.deny about each client that does not come over a "
		   "UNIX socket; the name of the service stands there for the daemon." },
	{ .name = "ident",
	    .parse = option_text,
	    .offset = AT(ident),
	    .scope = OPTION_SERVICE,
	    .arg = "USER",
	    .doc = "Ask the client's machine (RFC 1413) who owns the connection, and let it in "
		   "only if that is USER. Whoever rules that machine rules the answer. Clients on "
		   "UNIX sockets are not asked about." },
	{ .name = "retry",
	    .parse = parse_retry,
	    .offset = AT(retry_ms),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no|MILLISECONDS",
	    .doc = "In a service with exec and connect and without accept: whether to start the "
		   "program again when its tunnel has ended, and after how many milliseconds; yes "
		   "means 1000." },
	{ .name = "client",
	    .parse = option_yesno,
	    .offset = AT(client),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "With no, TLS is spoken on the accepted side and the connected side is plain (a "
		   "TLS server); with yes it is the other way round (a TLS client). acceptTLS and "
		   "connectTLS set each side by itself." },
	{ .name = "acceptTLS",
	    .parse = option_keyword,
	    .offset = AT(accept_tls),
	    .scope = OPTION_SERVICE,
	    .words = tri_words,
	    .arg = "yes|no",
	    .doc = "Speak TLS with those who connect to accept. If it is not set, client decides. "
		   "TLS options set both sides; with accept. before its name, an option is for "
		   "this side alone." },
	{ .name = "connectTLS",
	    .parse = option_keyword,
	    .offset = AT(connect_tls),
	    .scope = OPTION_SERVICE,
	    .words = tri_words,
	    .arg = "yes|no",
	    .doc = "Speak TLS with the target of connect. If it is not set, client decides. With "
		   "connect. before its name, a TLS option is for this side alone." },
	{ .name = "allow",
	    .parse = rules_parse,
	    .offset = AT(rules),
	    .scope = OPTION_SERVICE,
	    .arg = "WHO -> WHERE",
	    .doc =
		"Let clients reach something that they ask for by protocol = connect or socks. "
		"allow and deny may be given many times: the first that fits decides, and where "
		"none does the answer is no. WHO is * for anyone, user:NAME (see proxyUsers), "
		"cn:PATTERN or san:PATTERN for names in the client's certificate, spki:HASH for "
		"the SHA-256 hash of its public key, or from:NETWORK. WHERE is a host "
		"(www.example.com, *.example.com), a network (192.0.2.0/24, 2001:db8::/32) or *, "
		"with :PORT or :PORT-PORT behind it; with ports IPv6 is written "
		"[2001:db8::]/32:443. A host is what the client asks for; a network is where "
		"that leads to. Loopback, link-local, private, multicast and other special "
		"addresses are reached only by a rule that names them: a network within such a "
		"range, localhost, or a pattern of hosts with ! behind it, such as *!." },
	{ .name = "deny",
	    .parse = rules_parse,
	    .offset = AT(rules),
	    .scope = OPTION_SERVICE,
	    .arg = "WHO -> WHERE",
	    .doc = "Do not let clients reach something, see allow. A network is denied in every "
		   "form of its addresses, also in those of NAT64, 6to4 and Teredo." },
	{ .name = "passthrough",
	    .parse = option_yesno,
	    .offset = AT(passthrough),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "Pass the client's TLS on to the target as it is: only its first message is "
		   "looked at, for the name (sni) and the protocols (alpn) that it asks for, by "
		   "which sections share a port. The target has the certificate and the key, and "
		   "sees the client's own TLS. Names are what clients say, and choose a way; whom "
		   "to let in is for the target to decide." },
	{ .name = "requireInnerSNI",
	    .parse = option_yesno,
	    .offset = AT(inner_sni),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc =
		"As a server of protocol = connect or socks: look at the first message of the "
		"client in its tunnel, which must begin TLS and ask for the host that the tunnel "
		"was asked for; not a byte goes on before. Addresses are refused then. A client "
		"that hides the name (ECH) shows that of its provider, and is refused, too." },
	{ .name = "redirect",
	    .parse = parse_redirect,
	    .offset = CONF,
	    .scope = OPTION_SERVICE,
	    .arg = "[HOST:]PORT | /PATH",
	    .doc = "Where to connect a client that shows no certificate, or one that is rejected, "
		   "in place of connect. Without it, such a client is refused in the handshake. "
		   "May be given several times, as connect. Needs verifyChain or verifyPeer; with "
		   "requireCert = no, a client without a certificate is redirected all the same. "
		   "The target is spoken to in the same way as that of connect." },
	{ .name = "sniUnmatched",
	    .parse = option_keyword,
	    .offset = AT(sni_unmatched),
	    .scope = OPTION_SERVICE,
	    .def = "primary",
	    .words = unmatched_words,
	    .arg = "primary|reject",
	    .doc = "What becomes of a client that asks for a name that no sni pattern of this "
		   "port has, or for none: with primary the section that has accept serves it, "
		   "with reject it is refused by the alert unrecognized_name. It stands in the "
		   "section that has accept, and has no effect without sni in others." },
	{ .name = "failover",
	    .parse = option_keyword,
	    .offset = AT(failover),
	    .scope = OPTION_SERVICE,
	    .def = "prio",
	    .words = failover_words,
	    .arg = "prio|rr",
	    .doc = "Which target of several a new connection tries first: with prio always the "
		   "first one, with rr one after the other in turn. The others follow if it cannot "
		   "be reached. A client that resumes its TLS session goes back to the target of "
		   "its last visit." },
	{ .name = "happyEyeballs",
	    .parse = option_keyword,
	    .offset = AT(eyeballs),
	    .scope = OPTION_SERVICE,
	    .words = tri_words,
	    .arg = "yes|no",
	    .doc = "Try the addresses of a host at once (RFC 8305): IPv6 and IPv4 in turn, each a "
		   "quarter of a second behind the one before, and the first that connects is "
		   "taken. With no, one is given up before the next. If it is not set, this holds "
		   "for targets that clients name (protocol = connect and socks as a server)." },
	{ .name = "delay",
	    .parse = option_yesno,
	    .offset = AT(delay),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "Look the names in connect up again for every connection. With no, an answer is "
		   "used for as long as the name service allows." },
	{ .name = "local",
	    .parse = parse_local,
	    .offset = AT(local),
	    .scope = OPTION_SERVICE,
	    .arg = "HOST",
	    .doc = "The address of this machine from which to connect. A name is looked up once, "
		   "when the configuration is read. If it is not set, the system chooses." },
	{ .name = "transparent",
	    .parse = option_keyword,
	    .offset = AT(transparent),
	    .scope = OPTION_SERVICE,
	    .def = "none",
	    .words = transparent_words,
	    .arg = "none|source|destination|both",
	    .doc =
		"Use the client's own addresses. With source, the target sees the connection come "
		"from the client's address; the target's answers must be routed through this "
		"machine, and the process needs the capability CAP_NET_ADMIN at its start; after "
		"setuid or chroot its privileged helper makes the sockets. With destination, which "
		"takes the place of connect, it goes where the client wanted to go before a "
		"packet filter redirected it to accept. local wins over source. yes is source, "
		"and no is none." },
	{ .name = "reset",
	    .parse = option_yesno,
	    .offset = AT(reset),
	    .scope = OPTION_SERVICE,
	    .def = "yes",
	    .arg = "yes|no",
	    .doc = "Tell the peers by a TCP reset when a tunnel ends because of an error. With no "
		   "they see a plain end, which they may take for a complete transfer." },
	{ .name = "strictClose",
	    .parse = option_yesno,
	    .offset = AT(strict_close),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "Take the end of a TLS peer that did not say close_notify for an error. With "
		   "no, that end is passed on, counted and logged: many programs close in this "
		   "way, and an attacker could cut a transfer short by it." },
	{ .name = "debug",
	    .parse = log_parse_level,
	    .offset = AT(log_level),
	    .scope = OPTION_SERVICE,
	    .def = "notice",
	    .arg = "LEVEL",
	    .doc =
		"Lines above this level are not logged for the connections of this service. LEVEL "
		"is 0 to 7 or one of emerg, alert, crit, err, warning, notice, info and debug." },
	{ .name = "logId",
	    .parse = option_keyword,
	    .offset = AT(log_id),
	    .scope = OPTION_SERVICE,
	    .def = "sequential",
	    .words = log_id_words,
	    .arg = "KIND",
	    .doc = "What stands in the brackets of a log line: sequential counts connections, "
		   "unique gives each a random name, thread and process give the number of the "
		   "thread or process." },
	{ .name = "service",
	    .parse = parse_service,
	    .offset = AT(name),
	    .scope = OPTION_SERVICE,
	    .arg = "NAME",
	    .doc = "In a section, the name of the service in the log, in place of the one in the "
		   "brackets. Before the first section it is the name of the program for syslog." },
	{ .name = "setuid",
	    .parse = service_parse_user,
	    .offset = AT(uid),
	    .scope = OPTION_SERVICE,
	    .reload = OPTION_RESTART,
	    .arg = "USER",
	    .doc = "The owner of the files of UNIX sockets in accept, as a name or a number; 0 "
		   "leaves it as it is. Before the first section it is also the user as whom the "
		   "program runs." },
	{ .name = "setgid",
	    .parse = service_parse_group,
	    .offset = AT(gid),
	    .scope = OPTION_SERVICE,
	    .reload = OPTION_RESTART,
	    .arg = "GROUP",
	    .doc = "The group of the files of UNIX sockets in accept, as a name or a number; 0 "
		   "leaves it as it is. Before the first section it is also the group as which the "
		   "program runs." },
	{ .name = "TIMEOUTbusy",
	    .parse = option_secs,
	    .offset = AT(busy_ms),
	    .scope = OPTION_SERVICE,
	    .def = "300",
	    .min = -1,
	    .max = SECONDS_MAX,
	    .arg = "SECONDS",
	    .doc =
		"How long a connection may take from accept until its tunnel stands, all "
		"handshakes and look-ups included, in seconds; -1: 24 days, as long as can be." },
	{ .name = "TIMEOUTconnect",
	    .parse = option_secs,
	    .offset = AT(connect_ms),
	    .scope = OPTION_SERVICE,
	    .def = "10",
	    .min = -1,
	    .max = SECONDS_MAX,
	    .arg = "SECONDS",
	    .doc = "How long to wait for a connection to one address of a target, in seconds; then "
		   "the next is tried; -1: 24 days." },
	{ .name = "TIMEOUTidle",
	    .parse = option_secs,
	    .offset = AT(idle_ms),
	    .scope = OPTION_SERVICE,
	    .def = "43200",
	    .min = -1,
	    .max = SECONDS_MAX,
	    .arg = "SECONDS",
	    .doc =
		"After how many seconds without a byte in either direction a tunnel is reset; -1: "
		"24 days." },
	{ .name = "TIMEOUTtotal",
	    .parse = option_secs,
	    .offset = AT(total_ms),
	    .scope = OPTION_SERVICE,
	    .def = "0",
	    .min = 0,
	    .max = SECONDS_MAX,
	    .arg = "SECONDS",
	    .doc = "After how many seconds a tunnel is reset, however busy it is; 0: never." },
	{ .name = "TIMEOUTclose",
	    .parse = option_secs,
	    .offset = AT(close_ms),
	    .scope = OPTION_SERVICE,
	    .def = "60",
	    .min = -1,
	    .max = SECONDS_MAX,
	    .arg = "SECONDS",
	    .doc = "How long to wait for the second side after the first one has closed, in "
		   "seconds without a byte; -1: 24 days." },
	{ .name = "socket",
	    .parse = sock_parse_option,
	    .offset = AT(sock),
	    .scope = OPTION_SERVICE,
	    .arg = "a|l|r:NAME=VALUE",
	    .doc = "Set an option of a socket: a is the listening, l the accepted (local) and r "
		   "the connected (remote) one. VALUE is yes or no, a number, or for SO_LINGER, "
		   "SO_RCVTIMEO and SO_SNDTIMEO one or two numbers with a colon between them. May "
		   "be given several times. SO_REUSEADDR on a, and TCP_NODELAY on l and r, are set "
		   "unless a line says no. ginnel -sockets lists all." },

	{ .name = "stack",
	    .parse = option_long,
	    .offset = AT(stack),
	    .scope = OPTION_SERVICE,
	    .min = 0,
	    .max = LONG_MAX,
	    .arg = "BYTES",
	    .doc = "The size of a tunnel's thread. Tunnels have no threads here, so this has no "
		   "effect." },
	{ .name = NULL },
};

const struct option_set service_sets[] = {
	{ .title = "Tunnels", .table = tunnel_options, .offset = 0 },
	{ .title = "TLS",
	    .table = tls_options,
	    .offset = offsetof(struct service_conf, near),
	    .prefix = "accept.",
	    .prefix2 = "connect.",
	    .offset2 = offsetof(struct service_conf, far) },
	{ .title = "Proxies on the way",
	    .table = hops_options,
	    .offset = offsetof(struct service_conf, hops) },
	{ .title = "Protocols",
	    .table = proto_options,
	    .offset = offsetof(struct service_conf, proto) },
	{ .title = "The way in",
	    .table = front_options,
	    .offset = offsetof(struct service_conf, front) },
	{ .title = "Several targets",
	    .table = backend_options,
	    .offset = offsetof(struct service_conf, backend) },
	{ .title = "Health of targets",
	    .table = health_options,
	    .offset =
		offsetof(struct service_conf, backend) + offsetof(struct backend_conf, health) },
	{ .title = "Limits",
	    .table = limit_options,
	    .offset = offsetof(struct service_conf, limits) },
	{ .title = "VPN", .table = vpn_options, .offset = offsetof(struct service_conf, vpn) },
	{ .title = NULL },
};

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
