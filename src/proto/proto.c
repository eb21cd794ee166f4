/* SPDX-License-Identifier: Apache-2.0 */
/* proto/proto.c -- the list of protocols, their options, and what runs a script. */
#include "proto/proto.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct proto *const protos[] = {
#define PROTO(object) &(object),
#include "proto/proto.tbl"
#undef PROTO
};

/* ---- options ---- */

const struct proto *
proto_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(protos); i++)
		if (strcasecmp(protos[i]->name, name) == 0)
			return protos[i];
	return NULL;
}

static bool
supported(const struct proto_role *role)
{
	for (size_t i = 0; i < PROTO_POINTS; i++)
		if (role->script[i] != NULL)
			return true;
	return false;
}

/* The names of all, joined for a message. */
static const char *
names(char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < COUNT_OF(protos) && used < size; i++)
		used += (size_t)snprintf(
		    out + used, size - used, "%s%s", i == 0 ? "" : ", ", protos[i]->name);
	return out;
}

/* Field: const struct proto *. */
static bool
parse_protocol(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	const struct proto *p = proto_find(value);
	char safe[TEXT_SAFE_MAX], all[256];

	(void)o;
	if (p == NULL)
		return option_refuse(ctx, "Protocol not supported: \"%s\"; write one of %s",
		    text_safe(value, strlen(value), safe, sizeof(safe)), names(all, sizeof(all)));
	*(const struct proto **)field = p;
	return true;
}

/* Fields: .host, and from it .host_name and .host_target. */
static bool
parse_host(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct proto_conf *conf = (struct proto_conf *)((char *)field - o->offset);
	const char *colon = strrchr(value, ':');
	struct target *t = arena_alloc(ctx->arena, sizeof(*t));

	if (t == NULL)
		return option_refuse(ctx, "out of memory");
	if (!option_text(ctx, o, field, value))
		return false;
	conf->host_name = colon == NULL ? conf->host : NULL;
	conf->host_target = NULL;
	/* Without a colon it may be a name alone, as smtp wants it, or a port. */
	if (!target_parse(ctx->arena, value, t, ctx->why, sizeof(ctx->why)))
		return colon == NULL;
	conf->host_target = t;
	if (colon != NULL && t->numeric.len == 0)
		conf->host_name = t->host;
	return true;
}

/* "FIRST-LAST", or one port.  Fields: .first_port, and from it .last_port. */
static bool
parse_ports(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct proto_conf *conf = (struct proto_conf *)((char *)field - o->offset);
	char *end = NULL;
	unsigned long first = 0, last = 0;

	if (isdigit((unsigned char)*value))
		first = last = strtoul(value, &end, 10);
	if (end != NULL && *end == '-' && isdigit((unsigned char)end[1]))
		last = strtoul(end + 1, &end, 10);
	if (end == NULL || *end != '\0' || first == 0 || first > last || last > 65535)
		return option_refuse(
		    ctx, "these are no ports; write FIRST-LAST, such as 50000-50099");
	conf->first_port = (uint16_t)first;
	conf->last_port = (uint16_t)last;
	return true;
}

#define AT(field) offsetof(struct proto_conf, field)

const struct option proto_options[] = {
	{ .name = "protocol",
	    .parse = parse_protocol,
	    .offset = AT(proto),
	    .scope = OPTION_SERVICE,
	    .arg = "NAME",
	    .doc =
		"What is spoken before TLS begins, or right after. imap, irc, lmtp, nntp, pop3, "
		"sieve and smtp begin TLS by their command STARTTLS (STLS), xmpp (clients) and "
		"xmpp-server (between servers) by an element of that name; ldap, mysql (MariaDB, "
		"too), pgsql and cifs by requests of their own. ftp begins TLS by AUTH TLS and "
		"stays with the dialogue, to lead data connections (PASV and EPSV only) through "
		"TLS, too: as a server after the client's PROT P, as a client always. connect is "
		"the method of HTTP: as a client we ask the proxy at connect for protocolHost, and "
		"TLS begins with that (see proxyVia for proxies that speak TLS); as a server "
		"without connect clients name their targets inside TLS, or in clear with acceptTLS "
		"= "
		"no, and allow says which they may reach; with connect they do so in clear before "
		"TLS begins. socks is spoken inside TLS: as a client version 5, as a server 4, 4a "
		"and 5, and allow says what clients may reach; without a rule all but loopback, "
		"and "
		"no datagrams. proxy tells the target "
		"who the client is, by a PROXY header of version 1 in front of all other bytes. "
		"https-redirect has no connect: it tells clients of plain HTTP to come again with "
		"https, at the same host and port, or at protocolHost; what is neither GET nor "
		"HEAD is refused. "
		"capwinctrl takes user and password from a local program, and capwin shows them "
		"to the server of all later tunnels. Without protocol TLS begins at once." },
	{ .name = "protocolHost",
	    .parse = parse_host,
	    .offset = AT(host),
	    .scope = OPTION_SERVICE,
	    .arg = "HOST[:PORT]",
	    .doc =
		"The host that protocol asks for: connect needs it, and for socks it takes the "
		"place of the address that the client was going to before it was redirected. For "
		"smtp it is the name that we introduce ourselves with, for xmpp and xmpp-server as "
		"a client the domain that is called in place of the local program's. For ftp as "
		"a server it is the IPv4 address that the answer to PASV shows, where clients "
		"reach this service by another one than its own." },
	{ .name = "protocolPorts",
	    .parse = parse_ports,
	    .offset = AT(first_port),
	    .scope = OPTION_SERVICE,
	    .arg = "FIRST-LAST",
	    .doc = "The ports at which ftp waits for data connections, one for each that is waited "
		   "for, so that a firewall can let these through. Default: any that is free." },
	{ .name = "protocolUsername",
	    .parse = option_text,
	    .offset = AT(username),
	    .scope = OPTION_SERVICE,
	    .arg = "USER",
	    .doc = "The user as whom protocol logs in." },
	{ .name = "protocolPassword",
	    .secret = true,
	    .parse = option_text,
	    .offset = AT(password),
	    .scope = OPTION_SERVICE,
	    .arg = "PASSWORD",
	    .doc = "The password with which protocol logs in; it does so only if the user is set, "
		   "too." },
	{ .name = "xclient",
	    .parse = option_yesno,
	    .offset = AT(xclient),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "With protocol = smtp as a server: tell the target the client's address by "
		   "XCLIENT, if the target offers that. Clients that begin with TLS at once are "
		   "not served then. A target that takes XCLIENT from this machine takes it from "
		   "the clients behind it, too, once they have TLS: where these are strangers, use "
		   "proxyProtocol, which Postfix and others know, instead." },
	{ .name = "protocolDomain",
	    .parse = option_text,
	    .offset = AT(domain),
	    .scope = OPTION_SERVICE,
	    .arg = "NAME",
	    .doc = "The domain of the user, for connect with ntlm." },
	{ .name = "protocolAuthentication",
	    .parse = option_text,
	    .offset = AT(authentication),
	    .scope = OPTION_SERVICE,
	    .arg = "TYPE",
	    .doc = "How protocol logs in: basic or ntlm for connect, plain or login for smtp. What "
		   "the protocol does not know means its default, the first of these. ntlm is "
		   "its version 1, which is weak and for proxies that take nothing else." },
	{ .name = "proxyUsers",
	    .parse = option_text,
	    .offset = AT(users),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc = "Who may log in to a server of protocol = connect (Basic) or socks (version 5), "
		   "for rules with user: in allow and deny. Each line is NAME:HASH as htpasswd -B "
		   "or mkpasswd write it: bcrypt, SHA-256 or SHA-512 crypt, yescrypt or scrypt. "
		   "The file is read at start and reload. Wrong passwords are answered more slowly "
		   "each time, and after 20 within a minute a source is not listened to. Passwords "
		   "travel in clear unless the accepted side has TLS." },
	{ .name = "protocolHeader",
	    .parse = option_list,
	    .offset = AT(headers),
	    .scope = OPTION_SERVICE,
	    .arg = "HEADER",
	    .doc = "A header line that connect sends to the proxy, as it stands. May be given "
		   "several times." },
	{ .name = NULL },
};

const struct proto_role *
proto_role(const struct proto_conf *conf, bool client)
{
	const struct proto_role *role;

	if (conf->proto == NULL)
		return NULL;
	role = client ? &conf->proto->client : &conf->proto->server;
	if (client && conf->inside && supported(&conf->proto->inside))
		role = &conf->proto->inside;
	if (!client && conf->aimed && supported(&conf->proto->aimed))
		role = &conf->proto->aimed;
	return supported(role) ? role : NULL;
}

static bool
knows_authentication(const struct proto_role *role, const char *text)
{
	for (const char *const *v = role->authentications; v != NULL && *v != NULL; v++)
		if (strcasecmp(*v, text) == 0)
			return true;
	return false;
}

void
proto_check(const struct proto_conf *conf, bool client, bool upgraded_has_tls, struct sink *sink)
{
	const struct proto_role *role = proto_role(conf, client);

	if (conf->proto == NULL)
		return;
	if (role == NULL) {
		sink_error(sink, "protocol",
		    "The configured protocol is not supported in the %s mode: %s is for client = "
		    "%s",
		    client ? "client" : "server", conf->proto->name, client ? "no" : "yes");
		return;
	}
	if (role->needs_host && conf->host == NULL)
		sink_error(
		    sink, "protocol", "protocolHost not specified; write protocolHost = HOST:PORT");
	if (role->starts_tls && !upgraded_has_tls)
		sink_error(sink, "protocol",
		    "%s is about how TLS begins on the %s side, where there is none; remove it, or "
		    "%sTLS = no",
		    conf->proto->name, client ? "connected" : "accepted",
		    client ? "connect" : "accept");
	if (conf->authentication != NULL && role->authentications != NULL &&
	    !knows_authentication(role, conf->authentication))
		sink_warn(sink, "protocolAuthentication", "%s does not know this one, and uses %s",
		    conf->proto->name, role->authentications[0]);
	if (role->check != NULL)
		role->check(conf, sink);
}

/* ---- what functions of scripts use ---- */

enum proto_verdict
proto_end(struct dialogue *d, enum reason reason, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_err(d->log, "%s", text);
	d->reason = reason;
	return PROTO_END;
}

/* A peer did not follow the protocol. */
static enum proto_verdict
broken(struct dialogue *d, enum proto_side side, const char *what)
{
	return proto_end(d, side == PROTO_NEAR ? R_PROTO_CLIENT : R_PROTO_SERVER, "%s: %s",
	    d->conf->proto->name, what);
}

/*
 * What a client says in clear may be a password that it should have kept for later: the log has its
 * first word.
 */
static void
log_line_taken(const struct dialogue *d, enum proto_side side)
{
	size_t word = strcspn(d->line, " \t");

	if (side == PROTO_FAR)
		log_debug(d->log, " <- %s", d->line);
	else
		log_debug(d->log, " <- %.*s%s", (int)word, d->line, word < d->len ? " ..." : "");
}

enum proto_verdict
proto_line(struct dialogue *d, enum proto_side side)
{
	const struct buf *in = d->side[side].in;
	size_t have = buf_len(in), n;
	const uint8_t *head = have > 0 ? buf_head(in) : NULL;
	const uint8_t *lf = have > 0 ? memchr(head, '\n', have) : NULL;

	if (lf == NULL && have <= PROTO_LINE_MAX + 1) { /* the CR may be one more */
		d->waits |= 1u << side;
		return PROTO_MORE;
	}
	n = lf != NULL ? (size_t)(lf - head) : have;
	if (n > 0 && head[n - 1] == '\r')
		n--;
	if (lf == NULL || n > PROTO_LINE_MAX)
		return broken(d, side, "Line too long");
	/* What one parser takes for the end of a line, and another does not, hides commands. */
	if (n > 0 && (memchr(head, '\0', n) != NULL || memchr(head, '\r', n) != NULL))
		return broken(d, side, "a line has a NUL or a carriage return in it");
	if (n > 0)
		memcpy(d->line, head, n);
	d->line[n] = '\0';
	d->len = n;
	proto_eat(d, side, (size_t)(lf - head) + 1);
	log_line_taken(d, side);
	return PROTO_DONE;
}

enum proto_verdict
proto_bytes(struct dialogue *d, enum proto_side side, size_t n, const uint8_t **bytes)
{
	const struct buf *in = d->side[side].in;

	MUST(n <= PROTO_LINE_MAX);
	if (n > 0 && buf_len(in) < n) {
		d->waits |= 1u << side;
		return PROTO_MORE;
	}
	*bytes = n > 0 ? buf_head(in) : (const uint8_t *)"";
	return PROTO_DONE;
}

enum proto_verdict
proto_some(struct dialogue *d, enum proto_side side, size_t seen, const uint8_t **bytes, size_t *n)
{
	const struct buf *in = d->side[side].in;

	if (buf_len(in) <= seen) {
		d->waits |= 1u << side;
		return PROTO_MORE;
	}
	*bytes = buf_head(in);
	*n = buf_len(in);
	return PROTO_DONE;
}

void
proto_eat(struct dialogue *d, enum proto_side side, size_t n)
{
	buf_eat(d->side[side].in, d->pool, n);
}

void
proto_put(struct dialogue *d, enum proto_side side, const void *bytes, size_t n)
{
	if (n > 0 && !buf_append(&d->side[side].out, d->pool, bytes, n))
		d->no_memory = true;
}

void
proto_say_secret(struct dialogue *d, enum proto_side side, const char *line)
{
	proto_put(d, side, line, strlen(line));
	proto_put(d, side, "\r\n", 2);
}

void
proto_say(struct dialogue *d, enum proto_side side, const char *fmt, ...)
{
	char line[PROTO_LINE_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_debug(d->log, " -> %s", line);
	proto_say_secret(d, side, line);
}

bool
proto_begins(const struct dialogue *d, const char *words)
{
	return strncasecmp(d->line, words, strlen(words)) == 0;
}

bool
proto_is(const struct dialogue *d, const char *word)
{
	size_t n = strlen(word);

	return proto_begins(d, word) && (d->line[n] == '\0' || d->line[n] == ' ');
}

bool
proto_base64(const void *bytes, size_t n, char *out, size_t size)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = bytes;

	if (size < (n + 2) / 3 * 4 + 1)
		return false;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < n ? p[i + 2] : 0);

		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < n ? digits[v & 63] : '=';
	}
	*out = '\0';
	return true;
}

/* What a digit stands for; -1: it is none. */
static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
proto_unbase64(const char *text, size_t n, uint8_t *out, size_t size, size_t *len)
{
	uint32_t bits = 0;
	size_t pad = 0;

	*len = 0;
	if (n % 4 != 0)
		return false;
	while (pad < 2 && pad < n && text[n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < n - pad; i++) {
		int v = sextet(text[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 == 0)
			continue;
		if (*len == size)
			return false;
		out[(*len)++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	return true;
}

static bool
take_secret(char out[256], const uint8_t *bytes, size_t n)
{
	if (n >= 256 || memchr(bytes, '\0', n) != NULL)
		return false;
	memcpy(out, bytes, n);
	out[n] = '\0';
	return true;
}

enum proto_verdict
proto_login(struct dialogue *d, const uint8_t *user, size_t user_len, const uint8_t *password,
    size_t password_len)
{
	struct proto_login *l = &d->login;

	if (l->state == LOGIN_NONE)
		l->state = take_secret(l->user, user, user_len) &&
				   take_secret(l->password, password, password_len)
			       ? LOGIN_ASKED
			       : LOGIN_BAD;
	return l->state == LOGIN_ASKED ? PROTO_MORE : PROTO_DONE;
}

/*
 * 127.1, 2130706433, 0x7f.1: forms of inet_aton(3) that a resolver may take for an address, and
 * nobody for a host: no top-level domain is a number.
 */
static bool
ends_in_number(const char *host)
{
	size_t n = strlen(host), at;

	if (n > 0 && host[n - 1] == '.')
		n--;
	for (at = n; at > 0 && host[at - 1] != '.'; at--)
		;
	return at < n &&
	       (strspn(host + at, "0123456789") >= n - at || strncasecmp(host + at, "0x", 2) == 0);
}

bool
proto_ask_for(struct dialogue *d, const char *host, size_t n, uint16_t port)
{
	return proto_target_set(&d->target, host, n, port);
}

bool
proto_target_set(struct proto_target *t, const char *host, size_t n, uint16_t port)
{
	struct addr v4 = { .len = sizeof(v4.in), .in.sin_family = AF_INET };
	struct addr v6 = { .len = sizeof(v6.in6), .in6.sin6_family = AF_INET6 };

	if (n == 0 || n >= sizeof(t->host) || memchr(host, '\0', n) != NULL)
		return false;
	memcpy(t->host, host, n);
	t->host[n] = '\0';
	t->port = port;
	if (inet_pton(AF_INET, t->host, &v4.in.sin_addr) == 1)
		t->addr = v4;
	else if (inet_pton(AF_INET6, t->host, &v6.in6.sin6_addr) == 1)
		t->addr = v6;
	else
		return addr_host_is_name(t->host) && !ends_in_number(t->host);
	addr_set_port(&t->addr, port);
	return true;
}

/* ---- scripts ---- */

/* `words` of a row; the only thing to fill in is %h. */
static void
say_row(struct dialogue *d, const struct proto_row *row)
{
	const char *mark = strstr(row->words, "%h");
	const char *host = d->conf->host != NULL ? d->conf->host : "localhost";

	if (mark == NULL)
		proto_say(d, row->side, "%s", row->words);
	else
		proto_say(
		    d, row->side, "%.*s%s%s", (int)(mark - row->words), row->words, host, mark + 2);
}

/* The line of a row is not what it should be. */
static enum proto_verdict
unexpected(struct dialogue *d, const struct proto_row *row)
{
	enum reason reason = row->reason;

	if (reason == R_NONE)
		reason = row->side == PROTO_NEAR ? R_PROTO_CLIENT : R_PROTO_SERVER;
	return proto_end(d, reason, "%s", row->complaint);
}

static enum proto_verdict
expect(struct dialogue *d, const struct proto_row *row)
{
	bool pass = row->act == PROTO_PASS || row->act == PROTO_PASS_REPLY;
	bool reply = row->act == PROTO_REPLY || row->act == PROTO_PASS_REPLY;
	size_t n = strlen(row->words);
	enum proto_verdict got;

	for (;;) {
		if ((got = proto_line(d, row->side)) != PROTO_DONE)
			return got;
		if (!proto_begins(d, row->words) ||
		    (reply && d->line[n] != '\0' && d->line[n] != ' ' && d->line[n] != '-'))
			return unexpected(d, row);
		if (pass)
			proto_say(
			    d, row->side == PROTO_NEAR ? PROTO_FAR : PROTO_NEAR, "%s", d->line);
		if (!reply || d->line[n] != '-')
			return PROTO_DONE;
	}
}

static enum proto_verdict
run_row(struct dialogue *d, const struct proto_row *row)
{
	switch (row->act) {
	case PROTO_SAY:
		say_row(d, row);
		return PROTO_DONE;
	case PROTO_CALL:
		return row->call(d);
	case PROTO_EXPECT:
	case PROTO_PASS:
	case PROTO_REPLY:
	case PROTO_PASS_REPLY:
		return expect(d, row);
	case PROTO_STOP:
		break;
	}
	return PROTO_DONE;
}

enum proto_verdict
proto_rows(struct dialogue *d, const struct proto_row *rows, unsigned *row)
{
	for (; rows[*row].act != PROTO_STOP; ++*row) {
		enum proto_verdict got = run_row(d, &rows[*row]);

		if (got != PROTO_DONE)
			return got;
	}
	*row = 0;
	return PROTO_DONE;
}

enum proto_verdict
proto_run(struct dialogue *d, const struct proto_row *script)
{
	d->waits = 0;
	return proto_rows(d, script, &d->row);
}
