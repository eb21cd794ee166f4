/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/service_options.c -- the options of a service, and their manual. */
#include "tunnel/service.h"
#include "tunnel/service_values.h"

#include <limits.h>

enum { SECONDS_MAX = INT_MAX / 1000 }; /* option_secs keeps milliseconds in an int */

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
	    .parse = service_parse_accept,
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
	    .parse = service_parse_connect,
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
	    .parse = service_parse_exec,
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
	    .parse = service_parse_exec_args,
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
	    .parse = service_parse_libwrap,
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
	    .parse = service_parse_retry,
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
	    .parse = service_parse_redirect,
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
	    .parse = service_parse_local,
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
	    .parse = service_parse_service,
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
