/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_conf.c -- the options of a VPN, and their manual. */
#include "tunnel/vpn_conf.h"

#include "base/text.h"
#include "tunnel/vpn_pool.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	MTU_MIN = 576,
	MTU_MAX = 4087, /* 4095 less 8 bytes of headers */
	POOL6_PREFIX_MIN = 16,
};

/* The next word of a list with commas or blanks; false: there is none. */
static bool
next_word(const char **at, const char **word, size_t *n)
{
	*at += strspn(*at, ", \t");
	*word = *at;
	*n = strcspn(*at, ", \t");
	*at += *n;
	return *n > 0;
}

/* Field: struct vpn_methods. */
static bool
parse_methods(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct vpn_methods *m = field;
	const char *word;
	char name[32], safe[TEXT_SAFE_MAX];
	size_t n;

	(void)o;
	m->n = 0;
	while (next_word(&value, &word, &n)) {
		enum ppp_method method = PPP_NO_AUTH;

		if (n < sizeof(name)) {
			memcpy(name, word, n);
			name[n] = '\0';
			method = auth_method_find(name);
		}
		if (method == PPP_NO_AUTH)
			return option_refuse(ctx,
			    "there is no method \"%s\"; write some of mschapv2, eap-mschapv2, "
			    "eap-tls, chap, pap and, with vpnRadius, eap",
			    text_safe(word, n, safe, sizeof(safe)));
		for (size_t i = 0; i < m->n; i++)
			if (m->v[i] == method)
				return option_refuse(ctx, "%s is there twice", name);
		m->v[m->n++] = method;
	}
	return m->n > 0 || option_refuse(ctx, "write at least one method, such as mschapv2");
}

/* Field: struct vpn_servers. */
static bool
parse_dns(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct vpn_servers *s = field;
	const char *word;
	char text[INET6_ADDRSTRLEN];
	size_t n;

	(void)o;
	while (next_word(&value, &word, &n)) {
		struct in6_addr v6;
		struct in_addr v4;
		bool is_v6;

		(void)snprintf(text, sizeof(text), "%.*s", (int)n, word);
		is_v6 = inet_pton(AF_INET6, text, &v6) == 1;
		if (n >= sizeof(text) || (!is_v6 && inet_pton(AF_INET, text, &v4) != 1))
			return option_refuse(ctx, "write one or two addresses of IPv4, or of IPv6");
		if ((is_v6 ? s->n6 : s->n) == VPN_DNS_MAX)
			return option_refuse(ctx, "there is room for two DNS servers of a kind");
		if (is_v6)
			s->v6[s->n6++] = v6;
		else
			s->v[s->n++] = v4;
	}
	return true;
}

/* Field: struct network.  A refused one leaves none behind. */
static bool
parse_pool(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct network n;

	(void)o;
	if (!network_parse(value, strlen(value), &n, ctx->why, sizeof(ctx->why)))
		return false;
	if (n.family != AF_INET)
		return option_refuse(ctx, "write a network such as 10.66.0.0/24");
	if (n.prefix < VPN_POOL_PREFIX_MIN || n.prefix > VPN_POOL_PREFIX_MAX)
		return option_refuse(ctx, "its prefix must be from /%d to /%d", VPN_POOL_PREFIX_MIN,
		    VPN_POOL_PREFIX_MAX);
	*(struct network *)field = n;
	return true;
}

/* Field: struct network.  Each client gets a /64; vpn_check() sees whether it is large enough. */
static bool
parse_pool6(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct network n;

	(void)o;
	if (!network_parse(value, strlen(value), &n, ctx->why, sizeof(ctx->why)))
		return false;
	if (n.family != AF_INET6 || n.prefix < POOL6_PREFIX_MIN)
		return option_refuse(ctx, "write a network such as fd66::/48");
	*(struct network *)field = n;
	return true;
}

/* Field: bool. */
static bool
parse_full(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	bool replace = strcasecmp(value, "replace") == 0;

	(void)o;
	*(bool *)field = replace;
	return replace || strcasecmp(value, "refuse") == 0 ||
	       option_refuse(ctx, "write refuse or replace");
}

/* Field: const char *. */
static bool
parse_device(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	size_t n = strlen(value);

	if (n == 0 || n >= IFNAMSIZ || strpbrk(value, "/ \t:") != NULL)
		return option_refuse(ctx,
		    "write a name of at most %d letters and digits, or ginnel%%d", IFNAMSIZ - 1);
	/* The kernel puts a number there. */
	if (strchr(value, '%') != NULL &&
	    (strstr(value, "%d") == NULL || strchr(strchr(value, '%') + 1, '%') != NULL))
		return option_refuse(ctx, "write %%d where a number shall be, once");
	return option_text(ctx, o, field, value);
}

/* Fields: struct vpn_conf, default_route and routes. */
static bool
parse_routes(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct vpn_conf *conf = field;

	if (strcasecmp(value, "default") != 0)
		return netset_parse(ctx, o, &conf->routes, value);
	conf->default_route = true;
	return true;
}

#define AT(field) offsetof(struct vpn_conf, field)

const struct option vpn_options[] = {
	{ .name = "vpnUsers",
	    .parse = option_text,
	    .offset = AT(users_path),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc =
		"Server: who may log in. Each line is user:secret or user:secret:address; lines "
		"that begin with # are comments. The address, of vpnPool's network, is then that "
		"user's alone. A secret of $nt$ and 32 hexadecimal digits is the NT hash of a "
		"password, which does for all methods but chap, and is worth as much as the "
		"password. The file must not be readable for everybody." },
	{ .name = "vpnCAfile",
	    .parse = option_text,
	    .offset = AT(ca_file),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc = "Server, with vpnAuth = eap-tls: the CAs of users' certificates, in PEM. Whom a "
		   "certificate names (its principal name, else its mail address, else its common "
		   "name) must be a user of vpnUsers; a secret of $cert$ is then none that could "
		   "be guessed. CAfile has nothing to do with it: that is about the TLS outside." },
	{ .name = "vpnRadius",
	    .parse = option_text,
	    .offset = AT(radius),
	    .scope = OPTION_SERVICE,
	    .arg = "HOST:PORT",
	    .doc =
		"Server: ask this RADIUS server about users that vpnUsers has not, mostly at port "
		"1812. It must put a Message-Authenticator into each answer, and for MS-CHAPv2 "
		"send its keys (MS-MPPE-Recv-Key and MS-MPPE-Send-Key). Of what it says besides, "
		"Framed-IP-Address (of vpnPool's network), Framed-IPv6-Prefix (a /64 of vpnPool6, "
		"with whose number comes the address of vpnPool), MS-Primary-DNS-Server, "
		"MS-Secondary-DNS-Server, Session-Timeout, Idle-Timeout and, with vpnAccounting, "
		"Acct-Interim-Interval and Class are obeyed." },
	{ .name = "vpnAccounting",
	    .parse = option_text,
	    .offset = AT(accounting),
	    .scope = OPTION_SERVICE,
	    .arg = "HOST:PORT",
	    .doc =
		"Server: tell this RADIUS server, mostly at port 1813, when a session begins and "
		"ends, with its user, address, time, bytes and packets; and in between as often as "
		"its Acct-Interim-Interval wants. No session waits for that; what is not confirmed "
		"is told again for ten minutes. The secret is that of vpnRadiusSecretFile." },
	{ .name = "vpnRadiusSecretFile",
	    .parse = option_text,
	    .offset = AT(radius_secret_path),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc = "Server: the secret shared with vpnRadius and vpnAccounting, the first line of "
		   "the file. It must not be readable for everybody." },
	{ .name = "vpnPool",
	    .parse = parse_pool,
	    .offset = AT(pool),
	    .scope = OPTION_SERVICE,
	    .arg = "NETWORK",
	    .doc = "Server: the addresses of the VPN, such as 10.66.0.0/24. The first one is the "
		   "server's own; the others are lent to clients." },
	{ .name = "vpnPool6",
	    .parse = parse_pool6,
	    .offset = AT(pool6),
	    .scope = OPTION_SERVICE,
	    .arg = "NETWORK",
	    .doc = "Server: the IPv6 addresses of the VPN, such as fd66::/48. Each client gets a "
		   "/64 of it, by router advertisement, of the same number as its IPv4 address: a "
		   "user who has a fixed address has a fixed /64, too. The server is the address "
		   "1 in the /64 of number 1, fd66:0:0:1::1." },
	{ .name = "vpnDNS",
	    .parse = parse_dns,
	    .offset = AT(dns),
	    .scope = OPTION_SERVICE,
	    .arg = "ADDRESS[,ADDRESS...]",
	    .doc = "Server: the DNS servers that clients are told to use, two of IPv4 (by IPCP) "
		   "and, with vpnPool6, two of IPv6 (by router advertisement)." },
	{ .name = "vpnClientRoutes",
	    .parse = netset_parse,
	    .offset = AT(client_routes),
	    .scope = OPTION_SERVICE,
	    .arg = "NETWORK[,NETWORK...]",
	    .doc = "Server: networks that clients are told to reach through the VPN. Windows asks "
		   "for them (by DHCPINFORM) if it does not send everything there; other clients "
		   "have to be set up themselves." },
	{ .name = "vpnPeers",
	    .parse = option_yesno,
	    .offset = AT(peers),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "Server: may clients of the VPN reach one another?" },
	{ .name = "vpnSessions",
	    .parse = option_int,
	    .offset = AT(sessions),
	    .scope = OPTION_SERVICE,
	    .def = "0",
	    .min = 0,
	    .max = INT_MAX,
	    .arg = "NUMBER",
	    .doc = "Server: how many sessions a user may have at a time; 0 for any number. Who has "
		   "an address of his own in vpnUsers, or by RADIUS, can have one only." },
	{ .name = "vpnSessionsFull",
	    .parse = parse_full,
	    .offset = AT(replace),
	    .scope = OPTION_SERVICE,
	    .def = "refuse",
	    .arg = "refuse|replace",
	    .doc =
		"Server: with as many sessions as a user may have, refuse the next one, or end "
		"the oldest one for it, or the one that has the user's own address. With replace "
		"nobody has to wait until a session is given up whose network went away." },
	{ .name = "vpnSessionTimeout",
	    .parse = option_int,
	    .offset = AT(session_limit),
	    .scope = OPTION_SERVICE,
	    .def = "0",
	    .min = 0,
	    .max = INT_MAX,
	    .arg = "SECONDS",
	    .doc = "Server: how long a session may stand; 0 for as long as it likes. The "
		   "Session-Timeout of vpnRadius goes before it." },
	{ .name = "vpnIdleTimeout",
	    .parse = option_int,
	    .offset = AT(idle_limit),
	    .scope = OPTION_SERVICE,
	    .def = "0",
	    .min = 0,
	    .max = INT_MAX,
	    .arg = "SECONDS",
	    .doc = "Server: a session without a packet for so long is ended; 0 for never. The "
		   "Idle-Timeout of vpnRadius goes before it." },
	{ .name = "vpnAuth",
	    .parse = parse_methods,
	    .offset = AT(methods),
	    .scope = OPTION_SERVICE,
	    .def = "mschapv2",
	    .arg = "METHOD[,METHOD...]",
	    .doc = "How clients log in: mschapv2, eap-mschapv2, eap-tls (by certificate: cert of "
		   "a client, vpnCAfile of a server), chap (CHAP-MD5) and pap, in order "
		   "of preference. A server asks for the first, and takes another one of the list "
		   "if the client wants that; a client accepts no other. With vpnRadius, eap "
		   "leaves the method to the client and the RADIUS server." },
	{ .name = "vpnDevice",
	    .parse = parse_device,
	    .offset = AT(device),
	    .scope = OPTION_SERVICE,
	    .def = "ginnel%d",
	    .arg = "NAME",
	    .doc =
		"The name of the network device; %d in it is a number that the kernel chooses." },
	{ .name = "vpnMTU",
	    .parse = option_int,
	    .offset = AT(mtu),
	    .scope = OPTION_SERVICE,
	    .def = "1400",
	    .min = MTU_MIN,
	    .max = MTU_MAX,
	    .arg = "BYTES",
	    .doc = "The largest packet of the network device. With 1400, one packet fits into one "
		   "of the network outside; a larger one, where the other side takes it too, costs "
		   "less "
		   "for each byte. TCP connections through the VPN are told to keep to it." },
	{ .name = "vpnSetup",
	    .parse = option_yesno,
	    .offset = AT(setup),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "Server: let the kernel forward packets between the VPN and other networks, "
		   "and set that back at the end. A kernel that forwards IPv6 believes no router "
		   "advertisements "
		   "on an interface whose accept_ra is 1; where this machine has its own address "
		   "from one, set it to 2 first. Address translation and filters are the "
		   "administrator's. With no, ginnel check prints the commands for all of it." },
	{ .name = "vpnTimeout",
	    .parse = option_secs,
	    .offset = AT(timeout_ms),
	    .scope = OPTION_SERVICE,
	    .def = "60",
	    .min = 1,
	    .max = 3600,
	    .arg = "SECONDS",
	    .doc = "How long a call may take to be set up, once for each of its halves: until the "
		   "other side has agreed to it, and from there until somebody has logged in." },
	{ .name = "vpnKeepalive",
	    .parse = option_secs,
	    .offset = AT(keepalive_ms),
	    .scope = OPTION_SERVICE,
	    .def = "60",
	    .min = 1,
	    .max = 3600,
	    .arg = "SECONDS",
	    .doc =
		"After so long without a sign of life the other side is asked for one, and after "
		"as long again the call is over. (PPP asks, too, twice as often.) Where "
		"something on the way forgets connections early, write less." },
	{ .name = "vpnUsername",
	    .parse = option_text,
	    .offset = AT(username),
	    .scope = OPTION_SERVICE,
	    .arg = "USER",
	    .doc = "Client: the name to log in with." },
	{ .name = "vpnPassword",
	    .parse = option_text,
	    .offset = AT(password),
	    .scope = OPTION_SERVICE,
	    .secret = true,
	    .arg = "PASSWORD",
	    .doc = "Client: the password to log in with; vpnPasswordFile keeps it out of this "
		   "file." },
	{ .name = "vpnPasswordFile",
	    .parse = option_text,
	    .offset = AT(password_path),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc = "Client: a file whose first line is the password. It must not be readable for "
		   "everybody." },
	{ .name = "vpnRoutes",
	    .parse = parse_routes,
	    .offset = 0,
	    .scope = OPTION_SERVICE,
	    .arg = "default | NETWORK[,NETWORK...]",
	    .doc = "Client: what is reached through the VPN, beside its server: everything, or "
		   "these networks. Nothing that the server says adds to that. The route to the "
		   "server itself stays as it was. Networks of IPv6 that are named are led into "
		   "the VPN even if its server gives no IPv6, so that nothing meant for it goes "
		   "elsewhere; the IPv6 of default then goes where it went before." },
	{ .name = "vpnUp",
	    .parse = option_text,
	    .offset = AT(up),
	    .scope = OPTION_SERVICE,
	    .arg = "PROGRAM",
	    .doc =
		"A program to run when a call stands. It finds VPN_DEVICE, VPN_ADDRESS, VPN_PEER, "
		"VPN_DNS (addresses with blanks between them), VPN_USER and VPN_SERVICE in its "
		"environment, and where there is IPv6 the client's VPN_ADDRESS6, which on the "
		"server is the network VPN_PEER6; on a client it is the place to tell the system's "
		"resolver of the DNS servers. It runs as the user of setuid." },
	{ .name = "vpnDown",
	    .parse = option_text,
	    .offset = AT(down),
	    .scope = OPTION_SERVICE,
	    .arg = "PROGRAM",
	    .doc = "A program to run when a call that stood is over, with the same environment." },
	{ .name = NULL },
};

bool
vpn_conf_has(const struct vpn_conf *conf, enum ppp_method method)
{
	for (size_t i = 0; i < conf->methods.n; i++)
		if (conf->methods.v[i] == method)
			return true;
	return false;
}

static void
check_radius(const struct vpn_conf *conf, struct sink *sink)
{
	bool any = conf->radius != NULL || conf->accounting != NULL;

	if (any && conf->radius_secret_path == NULL)
		sink_error(sink, conf->radius != NULL ? "vpnRadius" : "vpnAccounting",
		    "write vpnRadiusSecretFile = FILE, with the secret that both sides share");
	if (!any && conf->radius_secret_path != NULL)
		sink_error(sink, "vpnRadiusSecretFile", "write vpnRadius = HOST:PORT, too");
	if (conf->radius == NULL && vpn_conf_has(conf, PPP_EAP_RELAY))
		sink_error(sink, "vpnAuth",
		    "eap is for vpnRadius; without, write eap-mschapv2 for that one method");
}

static void
check_pool6(const struct vpn_conf *conf, struct sink *sink)
{
	unsigned most = 64 - (32 - conf->pool.prefix);

	if (conf->pool6.family != 0 && conf->pool.family != 0 && conf->pool6.prefix > most)
		sink_error(sink, "vpnPool6",
		    "it has not a /64 for each address of vpnPool; write a /%u, or a larger one",
		    most);
	if (conf->pool6.family != 0 && conf->mtu < VPN_MTU_MIN6)
		sink_error(sink, "vpnMTU", "IPv6 needs at least %d bytes", VPN_MTU_MIN6);
	if (conf->pool6.family == 0 && conf->dns.n6 > 0)
		sink_warn(sink, "vpnDNS",
		    "without vpnPool6 no client is told of the servers with addresses of IPv6");
}

static void
check_server(const struct vpn_conf *conf, struct sink *sink)
{
	if (conf->users_path == NULL && conf->radius == NULL)
		sink_error(sink, NULL,
		    "nobody could log in to this VPN; write vpnUsers = FILE, with lines such as "
		    "user:secret, or vpnRadius = HOST:PORT");
	check_radius(conf, sink);
	if (vpn_conf_has(conf, PPP_EAP_TLS) && conf->ca_file == NULL)
		sink_error(sink, "vpnAuth",
		    "eap-tls needs vpnCAfile = FILE, with the CAs of users' certificates");
	if (conf->ca_file != NULL && !vpn_conf_has(conf, PPP_EAP_TLS))
		sink_warn(sink, "vpnCAfile", "has no effect without eap-tls in vpnAuth");
	if (conf->pool.family == 0)
		sink_error(sink, NULL,
		    "the VPN has no addresses; write vpnPool = NETWORK, such as 10.66.0.0/24");
	check_pool6(conf, sink);
	if (conf->username != NULL)
		sink_warn(sink, "vpnUsername", "is for a client; a server has vpnUsers");
	for (unsigned i = 0; i < conf->client_routes.n; i++)
		if (conf->client_routes.v[i].family != AF_INET)
			sink_error(sink, "vpnClientRoutes", "write networks of IPv4 only");
}

static void
check_client(const struct vpn_conf *conf, struct sink *sink)
{
	if (vpn_conf_has(conf, PPP_EAP_RELAY))
		sink_error(sink, "vpnAuth", "eap is for servers; write eap-mschapv2");
	if (conf->radius != NULL)
		sink_warn(sink, "vpnRadius", "is for a server");
	if (conf->accounting != NULL)
		sink_warn(sink, "vpnAccounting", "is for a server");
	if (conf->username == NULL)
		sink_error(sink, NULL, "write vpnUsername = USER to log in with");
	if (conf->password == NULL && conf->password_path == NULL &&
	    !(conf->methods.n == 1 && vpn_conf_has(conf, PPP_EAP_TLS)))
		sink_error(sink, NULL, "write vpnPasswordFile = FILE, or vpnPassword = PASSWORD");
	if (conf->password != NULL && conf->password_path != NULL)
		sink_error(
		    sink, "vpnPassword", "vpnPasswordFile names another one; keep one of them");
	for (unsigned i = 0; i < conf->routes.n; i++)
		if (conf->routes.v[i].family == AF_UNIX)
			sink_error(sink, "vpnRoutes", "write networks of IPv4 and IPv6 only");
	if (conf->pool.family != 0)
		sink_warn(sink, "vpnPool", "is for a server; a client gets its address from it");
}

void
vpn_check(const struct vpn_conf *conf, bool client, struct sink *sink)
{
	if (client)
		check_client(conf, sink);
	else
		check_server(conf, sink);
}

void
vpn_check_unused(const struct vpn_conf *conf, struct sink *sink)
{
	if (conf->users_path != NULL)
		sink_warn(sink, "vpnUsers", "has no effect without protocol = sstp");
	if (conf->pool.family != 0)
		sink_warn(sink, "vpnPool", "has no effect without protocol = sstp");
	if (conf->username != NULL)
		sink_warn(sink, "vpnUsername", "has no effect without protocol = sstp");
}
