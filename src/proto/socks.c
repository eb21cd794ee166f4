/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/socks.c -- SOCKS 4, 4a and 5 (RFC 1928, RFC 1929) inside TLS, and Tor's command to look up
 * a name.
 *
 * As a server the client names the target.  It hears of success when the target is connected.  As a
 * client ginnel asks for protocolHost, or for where the client was going when the kernel redirected
 * it to us.
 */
#include "proto/proto.h"

#include <errno.h>
#include <string.h>

enum {
	SOCKS4 = 4,
	SOCKS5 = 5,
	NO_LOGIN = 0,
	BY_PASSWORD = 2, /* RFC 1929 */
	PASSWORD_VERSION = 1,
	PASSWORD_MAX = 255, /* of user and of password */
	NO_METHOD = 0xff,
	CMD_CONNECT = 1,
	CMD_UDP = 3,
	CMD_RESOLVE = 0xf0, /* Tor: socks-extensions.txt 2 */
	ATYP_IP4 = 1,
	ATYP_NAME = 3,
	ATYP_IP6 = 4,
	SOCKS4_GRANTED = 0x5a,
	SOCKS4_REFUSED = 0x5b,
	SOCKS4_HEAD = 8,
	SOCKS4_TEXT_MAX = 255, /* user id, and host name */
};

enum code5 {
	CODE_OK = 0,
	CODE_FAILED = 1, /* "general failure"; a wrong version gets it, too */
	CODE_NOT_ALLOWED = 2,
	CODE_NETWORK = 3,
	CODE_UNREACHABLE = 4,
	CODE_REFUSED = 5,
	CODE_UNSUPPORTED = 7, /* the command, or the kind of address */
};

struct socks_state {
	uint8_t version, method;
	uint8_t reply[4 + 16 + 2]; /* to the request, but for its code */
	size_t reply_len;
};

/* ---- server ---- */

/* Send the reply that was prepared. */
static void
reply(struct dialogue *d, uint8_t code)
{
	struct socks_state *s = d->state;

	s->reply[1] = code;
	proto_put(d, PROTO_NEAR, s->reply, s->reply_len);
}

/* The request is refused with that code. */
static enum proto_verdict
refuse5(struct dialogue *d, enum code5 code, enum reason reason, const char *why)
{
	reply(d, (uint8_t)code);
	return proto_end(d, reason, "%s", why);
}

/* What the client asks for, once it is known to be well-formed. */
static void
want(struct dialogue *d, uint8_t command, int family)
{
	char text[ADDR_TEXT];

	d->target.look_up = command == CMD_RESOLVE;
	d->target.family = family;
	log_info(d->log, "SOCKS request to %s %s port %u",
	    command == CMD_RESOLVE ? "look up" : "connect",
	    d->target.addr.len != 0 ? addr_host_text(&d->target.addr, text) : d->target.host,
	    d->target.port);
}

static bool
knows_command(uint8_t command)
{
	return command == CMD_CONNECT || command == CMD_RESOLVE;
}

/* Datagrams need an address to come to, and somebody who has said where they may go. */
static bool
may_send_datagrams(const struct dialogue *d)
{
	return d->conf->datagrams && !addr_is_unix(&d->facts->accepted);
}

/* Methods: a version, how many, and as many bytes. */
static enum proto_verdict
choose_method5(struct dialogue *d)
{
	struct socks_state *s = d->state;
	const uint8_t *p;
	enum proto_verdict got = proto_bytes(d, PROTO_NEAR, 2, &p);
	size_t n;

	if (got != PROTO_DONE)
		return got;
	n = p[1];
	if ((got = proto_bytes(d, PROTO_NEAR, 2 + n, &p)) != PROTO_DONE)
		return got;
	s->method = NO_METHOD;
	if (d->conf->users != NULL && memchr(p + 2, BY_PASSWORD, n) != NULL)
		s->method = BY_PASSWORD;
	else if (memchr(p + 2, NO_LOGIN, n) != NULL)
		s->method = NO_LOGIN;
	proto_eat(d, PROTO_NEAR, 2 + n);
	proto_put(d, PROTO_NEAR, (const uint8_t[]){ SOCKS5, s->method }, 2);
	if (s->method == NO_METHOD)
		return proto_end(
		    d, R_PROTO_CLIENT, "No supported SOCKS5 authentication method received");
	return PROTO_DONE;
}

/* RFC 1929: a version, the user and the password, each behind its length. */
static enum proto_verdict
take_login5(struct dialogue *d)
{
	const struct socks_state *s = d->state;
	enum proto_verdict got;
	const uint8_t *p;
	size_t user, password;
	bool good;

	if (s->version != SOCKS5 || s->method != BY_PASSWORD)
		return PROTO_DONE;
	if ((got = proto_bytes(d, PROTO_NEAR, 2, &p)) != PROTO_DONE)
		return got;
	if (p[0] != PASSWORD_VERSION)
		return proto_end(d, R_PROTO_CLIENT, "SOCKS5: version 0x%02X of the login", p[0]);
	user = p[1];
	if ((got = proto_bytes(d, PROTO_NEAR, 2 + user + 1, &p)) != PROTO_DONE)
		return got;
	password = p[2 + user];
	if ((got = proto_bytes(d, PROTO_NEAR, 2 + user + 1 + password, &p)) != PROTO_DONE ||
	    (got = proto_login(d, p + 2, user, p + 2 + user + 1, password)) != PROTO_DONE)
		return got;
	proto_eat(d, PROTO_NEAR, 2 + user + 1 + password);
	good = d->login.state == LOGIN_GOOD;
	proto_put(d, PROTO_NEAR, (const uint8_t[]){ PASSWORD_VERSION, !good }, 2);
	if (!good)
		return proto_end(d, R_LOGIN_FAILED, "SOCKS5: %s",
		    d->login.state == LOGIN_BUSY ? "too many logins are being checked"
						 : "wrong user or password");
	return PROTO_DONE;
}

static enum proto_verdict
greet(struct dialogue *d)
{
	struct socks_state *s = d->state;
	const uint8_t *p;
	enum proto_verdict got = proto_bytes(d, PROTO_NEAR, 1, &p);

	if (got != PROTO_DONE)
		return got;
	s->version = p[0];
	if (s->version == SOCKS5)
		return choose_method5(d);
	if (s->version != SOCKS4)
		return proto_end(d, R_PROTO_CLIENT, "Unsupported SOCKS version 0x%02X", s->version);
	return PROTO_DONE;
}

/* Four bytes or sixteen of an address, as they came. */
static struct addr
address(const uint8_t *bytes, size_t n, uint16_t port)
{
	struct addr a = { .len = n == 4 ? sizeof(a.in) : sizeof(a.in6) };

	if (n == 4) {
		a.in.sin_family = AF_INET;
		memcpy(&a.in.sin_addr, bytes, n);
	} else {
		a.in6.sin6_family = AF_INET6;
		memcpy(&a.in6.sin6_addr, bytes, n);
	}
	addr_set_port(&a, port);
	return a;
}

static void
prepare_reply5(struct socks_state *s, uint8_t atyp, const uint8_t *tail, size_t n)
{
	s->reply[0] = SOCKS5;
	s->reply[2] = 0;
	s->reply[3] = atyp;
	memcpy(s->reply + 4, tail, n);
	s->reply_len = 4 + n;
}

/* How many bytes the address of that kind has that begins at p; 0: there is no such kind. */
static size_t
address_size5(uint8_t atyp, const uint8_t *p)
{
	switch (atyp) {
	case ATYP_IP4:
		return 4;
	case ATYP_NAME:
		return 1u + p[0];
	case ATYP_IP6:
		return 16;
	default:
		return 0;
	}
}

/* Version, command, a zero, the kind of address, the address, a port. */
static enum proto_verdict
take_request5(struct dialogue *d)
{
	static const uint8_t nothing[6] = { 0 };
	struct socks_state *s = d->state;
	const uint8_t *p;
	/* The fifth byte tells how long a name is, and no request is shorter. */
	enum proto_verdict got = proto_bytes(d, PROTO_NEAR, 5, &p);
	uint8_t command, atyp;
	bool good = true;
	uint16_t port;
	size_t n;

	if (got != PROTO_DONE)
		return got;
	prepare_reply5(s, ATYP_IP4, nothing, sizeof(nothing));
	if (p[0] != SOCKS5)
		return refuse5(d, CODE_FAILED, R_PROTO_CLIENT, "Invalid SOCKS5 message version");
	if ((n = address_size5(p[3], p + 4)) == 0)
		return refuse5(
		    d, CODE_UNSUPPORTED, R_PROTO_CLIENT, "Unsupported SOCKS5 address type");
	if ((got = proto_bytes(d, PROTO_NEAR, 4 + n + 2, &p)) != PROTO_DONE)
		return got;
	command = p[1];
	atyp = p[3];
	port = (uint16_t)(p[4 + n] << 8 | p[4 + n + 1]);
	if (command == CMD_UDP && may_send_datagrams(d)) {
		/* The address that it will send from is known, and most know no port by now. */
		proto_eat(d, PROTO_NEAR, 4 + n + 2);
		d->target.datagrams = true;
		log_info(d->log, "SOCKS request to send datagrams");
		return PROTO_DONE;
	}
	if (atyp == ATYP_NAME) {
		good = proto_ask_for(d, (const char *)p + 5, n - 1, port);
	} else {
		prepare_reply5(s, atyp, p + 4, n + 2);
		d->target.addr = address(p + 4, n, port);
		d->target.port = port;
	}
	proto_eat(d, PROTO_NEAR, 4 + n + 2);
	if (!knows_command(command))
		return refuse5(d, CODE_UNSUPPORTED, R_PROTO_CLIENT, "Unsupported SOCKS5 command");
	if (!good)
		return refuse5(d, CODE_UNREACHABLE, R_RESOLVE, "SOCKS5: that is no host name");
	if (port == 0 && command == CMD_CONNECT)
		return refuse5(d, CODE_FAILED, R_PROTO_CLIENT, "SOCKS5: nothing is on port 0");
	want(d, command, AF_UNSPEC);
	return PROTO_DONE;
}

/* The text at `at`, up to its NUL.  MORE: that has not come yet. */
static enum proto_verdict
take_text4(struct dialogue *d, size_t at, const uint8_t **p, size_t *len)
{
	enum proto_verdict got;
	const uint8_t *end;
	size_t n;

	if ((got = proto_some(d, PROTO_NEAR, at, p, &n)) != PROTO_DONE)
		return got;
	n -= at;
	if ((end = memchr(*p + at, '\0', n)) == NULL && n <= SOCKS4_TEXT_MAX)
		return proto_some(d, PROTO_NEAR, at + n, p, &n); /* MORE */
	*len = end != NULL ? (size_t)(end - *p) - at : n;
	if (*len > SOCKS4_TEXT_MAX)
		return proto_end(d, R_PROTO_CLIENT, "SOCKS4: user or host name too long");
	return PROTO_DONE;
}

/* SOCKS 4a: 0.0.0.x stands for "the name is behind the user id". */
static bool
is_4a(const uint8_t ip[4])
{
	return ip[0] == 0 && ip[1] == 0 && ip[2] == 0 && ip[3] != 0;
}

/* Version, command, port, IPv4 address, user id and NUL; for 4a a host name and NUL. */
static enum proto_verdict
take_request4(struct dialogue *d)
{
	struct socks_state *s = d->state;
	const uint8_t *p;
	enum proto_verdict got = proto_bytes(d, PROTO_NEAR, SOCKS4_HEAD, &p);
	size_t user = 0, host = 0, end;
	uint8_t command;
	bool named, good = true;

	if (got != PROTO_DONE)
		return got;
	if ((got = take_text4(d, SOCKS4_HEAD, &p, &user)) != PROTO_DONE)
		return got;
	end = SOCKS4_HEAD + user + 1;
	if ((named = is_4a(p + 4)) && (got = take_text4(d, end, &p, &host)) != PROTO_DONE)
		return got;
	s->reply[0] = 0;
	memcpy(s->reply + 2, p + 2, SOCKS4_HEAD - 2);
	s->reply_len = SOCKS4_HEAD;
	command = p[1];
	d->target.port = (uint16_t)(p[2] << 8 | p[3]);
	if (named)
		good = proto_ask_for(d, (const char *)p + end, host, d->target.port);
	else
		d->target.addr = address(p + 4, 4, d->target.port);
	proto_eat(d, PROTO_NEAR, named ? end + host + 1 : end);
	if (good && knows_command(command) && (d->target.port != 0 || command != CMD_CONNECT)) {
		want(d, command, command == CMD_RESOLVE ? AF_INET : AF_UNSPEC);
		return PROTO_DONE;
	}
	reply(d, SOCKS4_REFUSED);
	return proto_end(d, R_PROTO_CLIENT,
	    knows_command(command) ? "SOCKS4: that is no host, or no port"
				   : "Unsupported SOCKS4 command");
}

static enum proto_verdict
take_request(struct dialogue *d)
{
	const struct socks_state *s = d->state;

	return s->version == SOCKS5 ? take_request5(d) : take_request4(d);
}

static enum proto_verdict
say_granted(struct dialogue *d)
{
	const struct socks_state *s = d->state;

	reply(d, s->version == SOCKS5 ? CODE_OK : SOCKS4_GRANTED);
	return PROTO_DONE;
}

/* The address is the answer: of a name, or where datagrams are awaited. */
static enum proto_verdict
tell_address(struct dialogue *d)
{
	struct socks_state *s = d->state;
	const struct addr *a = &d->found;
	const uint16_t port = d->target.datagrams ? addr_port(a) : 0;
	uint8_t tail[16 + 2] = { 0 };
	size_t n = a->sa.sa_family == AF_INET ? 4 : 16;

	if (s->version == SOCKS4) {
		memcpy(s->reply + 4, &a->in.sin_addr, 4);
		return say_granted(d);
	}
	memcpy(tail, n == 4 ? (const void *)&a->in.sin_addr : (const void *)&a->in6.sin6_addr, n);
	tail[n] = (uint8_t)(port >> 8);
	tail[n + 1] = (uint8_t)port;
	prepare_reply5(s, n == 4 ? ATYP_IP4 : ATYP_IP6, tail, n + 2);
	return say_granted(d);
}

static enum proto_verdict
grant(struct dialogue *d)
{
	return d->target.datagrams ? tell_address(d) : say_granted(d);
}

/* Why there is no target. */
static enum code5
code_of(const struct dialogue *d)
{
	if (d->reason == R_TARGET_REFUSED || d->reason == R_LOGIN_WANTED ||
	    d->reason == R_IDENTITY_FULL)
		return CODE_NOT_ALLOWED;
	if (d->reason != R_CONNECT)
		return CODE_UNREACHABLE;
	if (d->errnum == ECONNREFUSED)
		return CODE_REFUSED;
	if (d->errnum == ENETUNREACH)
		return CODE_NETWORK;
	return d->errnum == EHOSTUNREACH || d->errnum == ETIMEDOUT ? CODE_UNREACHABLE : CODE_FAILED;
}

static enum proto_verdict
regret(struct dialogue *d)
{
	const struct socks_state *s = d->state;

	if (d->found.len != 0)
		return tell_address(d);
	reply(d, s->version == SOCKS4 ? SOCKS4_REFUSED : (uint8_t)code_of(d));
	return PROTO_DONE;
}

/* Services of this machine that listen on loopback only do not expect clients from outside. */
static enum reason
refuse(const struct proto_conf *conf, const struct addr *to)
{
	(void)conf;
	return addr_is_loopback(to) ? R_TARGET_REFUSED : R_NONE;
}

/* ---- client ---- */

static bool
logs_in(const struct proto_conf *conf)
{
	return conf->username != NULL && conf->password != NULL;
}

static enum proto_verdict
greet_server(struct dialogue *d)
{
	static const uint8_t methods[] = { SOCKS5, 1, NO_LOGIN };
	static const uint8_t more[] = { SOCKS5, 2, NO_LOGIN, BY_PASSWORD };

	if (logs_in(d->conf))
		proto_put(d, PROTO_FAR, more, sizeof(more));
	else
		proto_put(d, PROTO_FAR, methods, sizeof(methods));
	return PROTO_DONE;
}

/* A text of at most 255 bytes behind its length. */
static void
put_text(struct dialogue *d, const char *text)
{
	const uint8_t n = (uint8_t)strlen(text);

	proto_put(d, PROTO_FAR, &n, 1);
	proto_put(d, PROTO_FAR, text, n);
}

static enum proto_verdict
take_method(struct dialogue *d)
{
	struct socks_state *s = d->state;
	const uint8_t *p;
	enum proto_verdict got = proto_bytes(d, PROTO_FAR, 2, &p);

	if (got != PROTO_DONE)
		return got;
	if (p[0] != SOCKS5)
		return proto_end(d, R_PROTO_SERVER, "Invalid SOCKS5 message version 0x%02X", p[0]);
	s->method = p[1];
	if (s->method != NO_LOGIN && !(s->method == BY_PASSWORD && logs_in(d->conf)))
		return proto_end(
		    d, R_PROXY_REFUSED, "No supported SOCKS5 authentication method received");
	proto_eat(d, PROTO_FAR, 2);
	return PROTO_DONE;
}

static enum proto_verdict
say_login(struct dialogue *d)
{
	const struct socks_state *s = d->state;

	if (s->method != BY_PASSWORD)
		return PROTO_DONE;
	proto_put(d, PROTO_FAR, (const uint8_t[]){ PASSWORD_VERSION }, 1);
	put_text(d, d->conf->username);
	put_text(d, d->conf->password);
	return PROTO_DONE;
}

static enum proto_verdict
take_login_answer(struct dialogue *d)
{
	const struct socks_state *s = d->state;
	const uint8_t *p;
	enum proto_verdict got;

	if (s->method != BY_PASSWORD)
		return PROTO_DONE;
	if ((got = proto_bytes(d, PROTO_FAR, 2, &p)) != PROTO_DONE)
		return got;
	if (p[1] != 0) /* the version is 1, or 5 from servers that read the RFC in haste */
		return proto_end(d, R_PROTO_AUTH, "SOCKS5: the server refused the login");
	proto_eat(d, PROTO_FAR, 2);
	return PROTO_DONE;
}

/* The port of a request, behind its address. */
static void
put_port(struct dialogue *d, uint16_t port)
{
	const uint8_t bytes[] = { (uint8_t)(port >> 8), (uint8_t)port };

	proto_put(d, PROTO_FAR, bytes, sizeof(bytes));
}

/* protocolHost, always as a name: the server looks it up, and takes addresses, too. */
static void
ask_for_host(struct dialogue *d, const struct target *t)
{
	const char *host = t->host != NULL ? t->host : "localhost";
	static const uint8_t head[] = { SOCKS5, CMD_CONNECT, 0, ATYP_NAME };

	proto_put(d, PROTO_FAR, head, sizeof(head));
	put_text(d, host);
	put_port(d, t->port);
}

static enum proto_verdict
ask_for_address(struct dialogue *d, const struct addr *a)
{
	bool v4 = a->len != 0 && a->sa.sa_family == AF_INET;
	const uint8_t head[] = { SOCKS5, CMD_CONNECT, 0, v4 ? ATYP_IP4 : ATYP_IP6 };

	if (a->len == 0 || addr_is_unix(a))
		return proto_end(d, R_PROTO_CLIENT,
		    "SOCKS5: it is not known where the client is going; set protocolHost");
	proto_put(d, PROTO_FAR, head, sizeof(head));
	if (v4)
		proto_put(d, PROTO_FAR, &a->in.sin_addr, 4);
	else
		proto_put(d, PROTO_FAR, &a->in6.sin6_addr, 16);
	put_port(d, addr_port(a));
	return PROTO_DONE;
}

static enum proto_verdict
ask(struct dialogue *d)
{
	struct addr wanted = addr_unmapped(&d->facts->wanted);
	char text[ADDR_TEXT];

	if (d->conf->host_target != NULL) {
		log_info(d->log, "SOCKS5 request to connect %s", d->conf->host_target->text);
		ask_for_host(d, d->conf->host_target);
		return PROTO_DONE;
	}
	log_info(d->log, "SOCKS5 request to connect %s", addr_text(&wanted, text));
	return ask_for_address(d, &wanted);
}

static const char *
code_words(uint8_t code)
{
	static const char *const words[] = { "succeeded", "general SOCKS server failure",
		"connection not allowed by ruleset", "network unreachable", "host unreachable",
		"connection refused", "TTL expired", "command not supported",
		"address type not supported" }; /* RFC 1928 6 */

	return code < COUNT_OF(words) ? words[code] : "unknown error";
}

static enum proto_verdict
take_reply(struct dialogue *d)
{
	const uint8_t *p;
	enum proto_verdict got = proto_bytes(d, PROTO_FAR, 5, &p);
	size_t n;

	if (got != PROTO_DONE)
		return got;
	if (p[0] != SOCKS5)
		return proto_end(d, R_PROTO_SERVER, "Invalid SOCKS5 message version 0x%02X", p[0]);
	if (p[1] != CODE_OK)
		return proto_end(d, R_PROXY_REFUSED, "SOCKS5 request failed: %s", code_words(p[1]));
	if ((n = address_size5(p[3], p + 4)) == 0)
		return proto_end(d, R_PROTO_SERVER, "Unsupported SOCKS5 address type");
	if ((got = proto_bytes(d, PROTO_FAR, 4 + n + 2, &p)) != PROTO_DONE)
		return got;
	proto_eat(d, PROTO_FAR, 4 + n + 2);
	log_info(d->log, "SOCKS5 request succeeded");
	return PROTO_DONE;
}

static void
check_client(const struct proto_conf *conf, struct sink *sink)
{
	if (logs_in(conf) &&
	    (strlen(conf->username) > PASSWORD_MAX || strlen(conf->password) > PASSWORD_MAX))
		sink_error(sink, "protocolPassword",
		    "socks takes at most %d bytes of a user or a password", PASSWORD_MAX);
	if (conf->host == NULL)
		return;
	if (conf->host_target == NULL || conf->host_target->path != NULL ||
	    conf->host_target->port == 0)
		sink_error(sink, "protocolHost",
		    "socks wants a host and a port; write protocolHost = HOST:PORT");
}

/* ---- what they are ---- */

#define CALL(side, function) \
	{ \
		PROTO_CALL, side, NULL, NULL, R_NONE, function \
	}

static const struct proto_row server_request[] = {
	CALL(PROTO_NEAR, greet),
	CALL(PROTO_NEAR, take_login5),
	CALL(PROTO_NEAR, take_request),
	{ 0 },
};
static const struct proto_row server_late[] = { CALL(PROTO_NEAR, grant), { 0 } };
static const struct proto_row server_sorry[] = { CALL(PROTO_NEAR, regret), { 0 } };
static const struct proto_row client_late[] = {
	CALL(PROTO_FAR, greet_server),
	CALL(PROTO_FAR, take_method),
	CALL(PROTO_FAR, say_login),
	CALL(PROTO_FAR, take_login_answer),
	CALL(PROTO_FAR, ask),
	CALL(PROTO_FAR, take_reply),
	{ 0 },
};

const struct proto socks_proto = {
	.name = "socks",
	.server = { .script[PROTO_REQUEST] = server_request,
	    .logs_in = true,
	    .wants_facts = true,
	    .script[PROTO_LATE] = server_late,
	    .script[PROTO_SORRY] = server_sorry,
	    .names_target = true,
	    .state_size = sizeof(struct socks_state),
	    .refuse = refuse },
	.client = { .script[PROTO_LATE] = client_late,
	    .wants_facts = true,
	    .state_size = sizeof(struct socks_state),
	    .check = check_client },
};
