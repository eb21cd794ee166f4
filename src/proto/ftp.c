/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/ftp.c -- FTP (RFC 959), its TLS (RFC 4217), and the ways to its data connections (RFC
 * 2428).
 *
 * The dialogue lasts as long as the tunnel: where data connections go is said in it, and we stand
 * between both ends of them.  The client gets an address of ours, where we wait for it, and the
 * server's own is only looked at for its port, so nobody can send us, or the client, elsewhere (RFC
 * 2577).  A client that wants to be connected to (PORT) is refused.
 *
 * Commands go on one at a time, so that each answer of the server has its command.
 */
#include "proto/starttls.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a client asked for, and the server has not yet answered. */
enum passive { PASSIVE_NONE, PASSIVE_PASV, PASSIVE_EPSV };

enum stage {
	STAGE_IDLE,	/* commands are taken */
	STAGE_BUSY,	/* the server owes an answer */
	STAGE_TRANSFER, /* ... behind a first one: data is under way, which may be stopped */
};

struct ftp {
	struct starttls starttls; /* until TLS stands */
	bool client;		  /* TLS is with the server */
	enum stage stage;
	enum passive asked;
	bool features;	/* the server answers FEAT */
	bool epsv_only; /* the client has said EPSV ALL */
	bool sized;	/* ... and PBSZ, without which there is no PROT (RFC 4217) */
	bool protect;	/* ... and PROT P */
	char code[4];	/* of an answer of several lines; "": none has begun */
};

static bool
is_server(const struct dialogue *d)
{
	const struct ftp *f = d->state;

	return !f->client;
}

/* ---- features (RFC 2389) ---- */

/* What we do ourselves, or do not let through, whatever the server can do. */
static const char *const hidden_features[] = { "AUTH", "PBSZ", "PROT", "CCC", "SSCN", "CPSV",
	"EPRT", "LPRT", "LPSV", "SPSV", NULL };

static const char our_features[] = " AUTH TLS\r\n PBSZ\r\n PROT";

/* Whose line of an answer to FEAT is this? */
static bool
is_hidden(const char *line)
{
	if (strncmp(line, "211-", 4) == 0)
		line += 4;
	line += strspn(line, " ");
	for (const char *const *f = hidden_features; *f != NULL; f++) {
		size_t n = strlen(*f);

		if (strncasecmp(line, *f, n) == 0 && (line[n] == '\0' || line[n] == ' '))
			return true;
	}
	return false;
}

static void
say_features(struct dialogue *d)
{
	proto_say(d, PROTO_NEAR, "211-Extensions supported:\r\n%s\r\n211 End", our_features);
}

/* One line of the answer, which `begins` or `ends` with it. */
static void
answer_feature(struct dialogue *d, bool begins, bool ends)
{
	if (!is_server(d)) {
		if (begins || ends || !is_hidden(d->line))
			proto_say(d, PROTO_NEAR, "%s", d->line);
		return;
	}
	if (begins && ends) { /* it has none, or does not know the command */
		say_features(d);
		return;
	}
	if (ends)
		proto_say(d, PROTO_NEAR, "%s", our_features);
	if (begins || ends || !is_hidden(d->line))
		proto_say(d, PROTO_NEAR, "%s", d->line);
}

/* ---- where data goes ---- */

/* "h1,h2,h3,h4,p1,p2": only the port is taken. */
static bool
read_pasv_at(const char *at, uint16_t *port)
{
	unsigned long v[6];

	for (size_t i = 0; i < COUNT_OF(v); i++) {
		char *end;

		if (!isdigit((unsigned char)*at))
			return false;
		v[i] = strtoul(at, &end, 10);
		if (v[i] > 255 || end - at > 3 || (i < 5 && *end != ','))
			return false;
		at = end + 1;
	}
	*port = (uint16_t)(v[4] << 8 | v[5]);
	return *port != 0;
}

/* Behind 227 comes any text, and somewhere in it six numbers (RFC 1123 4.1.2.6). */
static bool
read_pasv(const char *text, uint16_t *port)
{
	for (const char *at = text; *at != '\0'; at++)
		if (isdigit((unsigned char)*at) &&
		    (at == text || !isdigit((unsigned char)at[-1])) && read_pasv_at(at, port))
			return true;
	return false;
}

/* Behind 229: "(|||PORT|)", with any mark in place of | (RFC 2428 3). */
static bool
read_epsv(const char *text, uint16_t *port)
{
	const char *at = strchr(text, '(');
	unsigned long v;
	char mark, *end;

	if (at == NULL || (mark = at[1]) == '\0' || isdigit((unsigned char)mark) || at[2] != mark ||
	    at[3] != mark || !isdigit((unsigned char)at[4]))
		return false;
	v = strtoul(at + 4, &end, 10);
	if (v == 0 || v > 65535 || end - at > 9 || *end != mark || end[1] != ')')
		return false;
	*port = (uint16_t)v;
	return true;
}

/* The address that PASV shows: ours, or the one by which it is known outside (protocolHost). */
static void
say_pasv(struct dialogue *d, const struct addr *at)
{
	uint8_t b[4] = { 0 };
	uint16_t port = addr_port(at);

	memcpy(b, &at->in.sin_addr, sizeof(b));
	if (d->conf->host != NULL)
		(void)inet_pton(AF_INET, d->conf->host, b); /* as check_server() has seen */
	proto_say(d, PROTO_NEAR, "227 Entering Passive Mode (%u,%u,%u,%u,%u,%u)", b[0], b[1], b[2],
	    b[3], port >> 8, port & 0xffU);
}

/* The server waits at a port; now we do, too. */
static enum proto_verdict
answer_passive(struct dialogue *d)
{
	struct ftp *f = d->state;
	enum passive asked = f->asked;
	bool tls = !is_server(d) || f->protect;
	struct addr at = { .len = 0 };
	uint16_t port = 0;

	f->asked = PASSIVE_NONE;
	if (asked == PASSIVE_NONE)
		return proto_end(d, R_PROTO_SERVER, "Server waits for data that nobody asked for");
	if (!(d->line[2] == '7' ? read_pasv : read_epsv)(d->line + 3, &port))
		return proto_end(d, R_PROTO_SERVER, "Server does not say where it waits for data");
	if (d->beside.invite == NULL || !d->beside.invite(d->beside.owner, port, tls, &at))
		proto_say(d, PROTO_NEAR, "425 Cannot open a data connection");
	else if (asked == PASSIVE_PASV)
		say_pasv(d, &at);
	else
		proto_say(
		    d, PROTO_NEAR, "229 Entering Extended Passive Mode (|||%u|)", addr_port(&at));
	return PROTO_DONE;
}

/* ---- answers of the server ---- */

static bool
has_code(const char *line)
{
	return line[0] >= '1' && line[0] <= '6' && isdigit((unsigned char)line[1]) &&
	       isdigit((unsigned char)line[2]) &&
	       (line[3] == '\0' || line[3] == ' ' || line[3] == '-');
}

/* The last line of an answer: what it is for the dialogue. */
static void
answered(struct ftp *f, char kind)
{
	if (kind == '1') { /* another one follows */
		if (f->stage == STAGE_BUSY)
			f->stage = STAGE_TRANSFER;
		return;
	}
	f->stage = STAGE_IDLE;
	f->features = false;
	if (kind == '4' || kind == '5')
		f->asked = PASSIVE_NONE;
}

/* A line of the server (RFC 959 4.2), for the client. */
static enum proto_verdict
take_answer(struct dialogue *d)
{
	struct ftp *f = d->state;
	bool begins = f->code[0] == '\0', ends, passive;

	if (begins && !has_code(d->line))
		return proto_end(d, R_PROTO_SERVER, "Server gives an answer without a code");
	ends = begins ? d->line[3] != '-' : strncmp(d->line, f->code, 3) == 0 && d->line[3] == ' ';
	passive = strncmp(d->line, "227", 3) == 0 || strncmp(d->line, "229", 3) == 0;
	/* The first of several lines would go through, and some clients read no further. */
	if (begins && passive && !ends)
		return proto_end(d, R_PROTO_SERVER, "Server says in several lines where it waits");
	if (begins && !ends)
		memcpy(f->code, d->line, 3);
	if (ends)
		f->code[0] = '\0';
	if (ends && passive) {
		f->stage = STAGE_IDLE;
		return answer_passive(d);
	}
	if (f->features)
		answer_feature(d, begins, ends);
	else
		proto_say(d, PROTO_NEAR, "%s", d->line);
	if (ends)
		answered(f, d->line[0]);
	return PROTO_DONE;
}

/* ---- commands of the client ---- */

/* On to the server; the log has had its first word. */
static void
pass(struct dialogue *d, const char *command)
{
	struct ftp *f = d->state;

	proto_say_secret(d, PROTO_FAR, command);
	if (f->stage == STAGE_IDLE)
		f->stage = STAGE_BUSY;
}

/* What stands behind the command's word. */
static const char *
argument(const char *command)
{
	command += strcspn(command, " ");
	return command + strspn(command, " ");
}

static bool
answer(struct dialogue *d, const char *text)
{
	proto_say(d, PROTO_NEAR, "%s", text);
	return true;
}

/* Ask the server as it can be reached, however the client reaches us. */
static bool
ask_passive(struct dialogue *d, enum passive how)
{
	struct addr server = addr_unmapped(&d->facts->server);
	struct ftp *f = d->state;

	if (server.len == 0 || addr_is_unix(&server))
		return answer(d, "425 There are no data connections to this server");
	f->asked = how;
	pass(d, server.sa.sa_family == AF_INET ? "PASV" : "EPSV");
	return false;
}

static sa_family_t
near_family(const struct dialogue *d)
{
	return addr_unmapped(&d->facts->accepted).sa.sa_family;
}

static bool
do_pasv(struct dialogue *d, const char *command)
{
	const struct ftp *f = d->state;

	(void)command;
	if (f->epsv_only)
		return answer(d, "503 EPSV ALL was asked for");
	if (near_family(d) != AF_INET)
		return answer(d, "425 PASV is for IPv4, use EPSV");
	return ask_passive(d, PASSIVE_PASV);
}

/* RFC 2428 3 */
static bool
do_epsv(struct dialogue *d, const char *command)
{
	struct ftp *f = d->state;
	const char *want = argument(command), *have = near_family(d) == AF_INET ? "1" : "2";

	if (strcasecmp(want, "ALL") == 0) {
		f->epsv_only = true;
		return answer(d, "200 EPSV ALL it is");
	}
	if (*want != '\0' && strcmp(want, have) != 0) {
		proto_say(d, PROTO_NEAR, "522 Network protocol not supported, use (%s)", have);
		return true;
	}
	return ask_passive(d, PASSIVE_EPSV);
}

static bool
do_feat(struct dialogue *d, const char *command)
{
	struct ftp *f = d->state;

	f->features = true;
	pass(d, command);
	return false;
}

/* RFC 4217: the only size is 0, and any other one is answered with it. */
static bool
do_pbsz(struct dialogue *d, const char *command)
{
	struct ftp *f = d->state;
	const char *size = argument(command);

	if (*size == '\0' || strspn(size, "0123456789") != strlen(size))
		return answer(d, "501 PBSZ wants a number");
	f->sized = true;
	return answer(d, "200 PBSZ=0");
}

/* RFC 4217: of the four levels of RFC 2228 two make sense with TLS. */
static bool
do_prot(struct dialogue *d, const char *command)
{
	struct ftp *f = d->state;
	const char *level = argument(command);

	if (!f->sized)
		return answer(d, "503 PBSZ first");
	if (strlen(level) != 1 || strchr("CPSEcpse", *level) == NULL)
		return answer(d, "504 PROT P or PROT C");
	if (strchr("CPcp", *level) == NULL)
		return answer(d, "536 TLS has PROT P and PROT C");
	f->protect = toupper((unsigned char)*level) == 'P';
	return answer(
	    d, f->protect ? "200 Data connections have TLS" : "200 Data connections are in clear");
}

#define ACTIVE "502 Only passive data connections work here, use EPSV or PASV"
#define OTHER_SECURITY "502 TLS is the only security here"
#define NOT_YOURS "502 TLS with the server is not your business"

/* What does not just go on.  `call` is true if it has answered. */
struct command {
	const char *word;
	const char *answer;
	bool (*call)(struct dialogue *, const char *command);
};

static const struct command commands[] = {
	{ "PASV", NULL, do_pasv },
	{ "EPSV", NULL, do_epsv },
	{ "FEAT", NULL, do_feat },
	{ "PORT", ACTIVE, NULL },
	{ "EPRT", ACTIVE, NULL },
	{ "LPRT", ACTIVE, NULL },
	{ "LPSV", ACTIVE, NULL },
	{ "SPSV", ACTIVE, NULL },
	{ "CPSV", ACTIVE, NULL },
	{ "SSCN", ACTIVE, NULL },
	/* These would hide from us what is said. */
	{ "ADAT", OTHER_SECURITY, NULL },
	{ "MIC", OTHER_SECURITY, NULL },
	{ "CONF", OTHER_SECURITY, NULL },
	{ "ENC", OTHER_SECURITY, NULL },
	{ "CCC", "533 The control connection stays under TLS", NULL },
	/* It would end TLS on one side, and not on the other. */
	{ "REIN", "502 Quit, and come again", NULL },
	{ NULL, NULL, NULL },
};

static const struct command server_commands[] = {
	{ "AUTH", "503 TLS stands already", NULL },
	{ "PBSZ", NULL, do_pbsz },
	{ "PROT", NULL, do_prot },
	{ NULL, NULL, NULL },
};

static const struct command client_commands[] = {
	{ "AUTH", NOT_YOURS, NULL },
	{ "PBSZ", NOT_YOURS, NULL },
	{ "PROT", NOT_YOURS, NULL },
	{ NULL, NULL, NULL },
};

/* Behind the signs of Telnet by which a client wakes a server for ABOR (RFC 959 4.1.3). */
static const char *
behind_telnet(const char *command)
{
	while ((uint8_t)command[0] == 0xff && command[1] != '\0')
		command += 2;
	return command;
}

static bool
is_command(const char *command, const char *word)
{
	size_t n = strlen(word);

	return strncasecmp(command, word, n) == 0 && (command[n] == '\0' || command[n] == ' ');
}

static const struct command *
find_command(const struct command *c, const char *command)
{
	while (c->word != NULL && !is_command(command, c->word))
		c++;
	return c->word != NULL ? c : NULL;
}

/*
 * Letters, and then a blank or the end (RFC 959 5.3.1).  Some servers skip blanks in front, take a
 * tab for one, or take signs of Telnet out of a word, and would find a command where we do not.
 */
static bool
is_well_formed(const char *command)
{
	size_t n = 0;

	while (isalpha((unsigned char)command[n]))
		n++;
	return n > 0 && (command[n] == '\0' || command[n] == ' ');
}

/* A line of the client.  True: it has its answer. */
static bool
take_command(struct dialogue *d)
{
	const char *command = behind_telnet(d->line);
	const struct command *c = find_command(commands, command);

	if (!is_well_formed(command))
		return answer(d, "500 This is no command");
	if (c == NULL)
		c = find_command(is_server(d) ? server_commands : client_commands, command);
	if (c == NULL) {
		pass(d, command);
		return false;
	}
	return c->call != NULL ? c->call(d, command) : answer(d, c->answer);
}

/* While data is under way, these go on at once (RFC 959 4.1.3); all others wait. */
static bool
is_urgent(const uint8_t *bytes, size_t n)
{
	static const char *const urgent[] = { "ABOR", "STAT", "QUIT" };

	while (n >= 2 && bytes[0] == 0xff)
		bytes += 2, n -= 2;
	for (size_t i = 0; n >= 4 && i < COUNT_OF(urgent); i++)
		if (strncasecmp((const char *)bytes, urgent[i], 4) == 0)
			return true;
	return false;
}

/* The client's next line, if it may speak now; waits for both sides then. */
static enum proto_verdict
next_command(struct dialogue *d)
{
	const struct ftp *f = d->state;
	size_t n = buf_len(d->side[PROTO_NEAR].in);
	const uint8_t *bytes;

	if (f->stage == STAGE_BUSY)
		return PROTO_MORE;
	if (f->stage == STAGE_TRANSFER && n > 0) {
		if (n > PROTO_LINE_MAX)
			n = PROTO_LINE_MAX;
		if (proto_bytes(d, PROTO_NEAR, n, &bytes) != PROTO_DONE || !is_urgent(bytes, n))
			return PROTO_MORE;
	}
	return proto_line(d, PROTO_NEAR);
}

static enum proto_verdict
converse(struct dialogue *d)
{
	enum proto_verdict got;

	for (;;) {
		while ((got = proto_line(d, PROTO_FAR)) == PROTO_DONE)
			if ((got = take_answer(d)) != PROTO_DONE)
				return got;
		if (got != PROTO_MORE || (got = next_command(d)) != PROTO_DONE)
			return got;
		if (take_command(d))
			return PROTO_AGAIN; /* so that a hasty client does not fill our memory */
	}
}

/* ---- a server ---- */

/* Older than PBSZ and PROT: TLS on data connections is meant. */
static enum proto_verdict
protect_data(struct dialogue *d)
{
	struct ftp *f = d->state;

	f->protect = true;
	return PROTO_DONE;
}

#define GO "234 Begin TLS"
#define TLS_FIRST "530 AUTH TLS first"

static const struct starttls_answer answers[] = {
	{ "AUTH TLS", GO, STARTTLS_GO, NULL },
	{ "AUTH TLS-C", GO, STARTTLS_GO, NULL },
	{ "AUTH TLS-P", GO, STARTTLS_GO, protect_data },
	{ "AUTH SSL", GO, STARTTLS_GO, protect_data },
	{ "AUTH", "504 AUTH TLS is the only security here", STARTTLS_STAY, NULL },
	{ "FEAT", "211-Extensions supported:\r\n AUTH TLS\r\n PBSZ\r\n PROT\r\n211 End",
	    STARTTLS_STAY, NULL },
	{ "PBSZ", "503 AUTH TLS first", STARTTLS_STAY, NULL },
	{ "PROT", "503 AUTH TLS first", STARTTLS_STAY, NULL },
	/* Clients say these to whomever they meet. */
	{ "CLNT", TLS_FIRST, STARTTLS_STAY, NULL },
	{ "HOST", TLS_FIRST, STARTTLS_STAY, NULL },
	{ "OPTS", TLS_FIRST, STARTTLS_STAY, NULL },
	{ "SYST", TLS_FIRST, STARTTLS_STAY, NULL },
	{ "NOOP", "200 OK", STARTTLS_STAY, NULL },
	{ "QUIT", "221 Bye", STARTTLS_QUIT, NULL },
	{ NULL, TLS_FIRST, STARTTLS_REFUSE, NULL },
};

static enum proto_verdict
serve(struct dialogue *d)
{
	return starttls_serve(d, answers);
}

static const struct proto_row server_clear[] = {
	{ PROTO_PASS_REPLY, PROTO_FAR, "220", "Unknown server welcome", R_NONE, NULL },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, serve },
	{ 0 },
};

static const struct proto_row server_stay[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, converse },
	{ 0 },
};

static void
check_server(const struct proto_conf *conf, struct sink *sink)
{
	struct in_addr host;

	if (conf->host != NULL && inet_pton(AF_INET, conf->host, &host) != 1)
		sink_error(sink, "protocolHost",
		    "\"%s\" is no IPv4 address; write the one by which clients reach this service, "
		    "for PASV to show",
		    conf->host);
}

/* ---- a client ---- */

static const struct proto_row client_clear[] = {
	{ PROTO_PASS_REPLY, PROTO_FAR, "220", "Unknown server welcome", R_NONE, NULL },
	{ PROTO_SAY, PROTO_FAR, "AUTH TLS", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "234", "Server does not support TLS", R_NO_STARTTLS_FAR, NULL },
	{ 0 },
};

static const struct proto_row client_late[] = {
	{ PROTO_SAY, PROTO_FAR, "PBSZ 0", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "200", "Server refuses PBSZ", R_NO_STARTTLS_FAR, NULL },
	{ PROTO_SAY, PROTO_FAR, "PROT P", NULL, R_NONE, NULL },
	{ PROTO_REPLY, PROTO_FAR, "200", "Server refuses TLS for data", R_NO_STARTTLS_FAR, NULL },
	{ 0 },
};

static enum proto_verdict
converse_as_client(struct dialogue *d)
{
	struct ftp *f = d->state;

	f->client = true;
	return converse(d);
}

static const struct proto_row client_stay[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, converse_as_client },
	{ 0 },
};

const struct proto ftp_proto = {
	.name = "ftp",
	.server = { .script = { [PROTO_CLEAR] = server_clear, [PROTO_STAY] = server_stay },
	    .connect_first = true,
	    .starts_tls = true,
	    .wants_facts = true,
	    .invites = true,
	    .check = check_server,
	    .state_size = sizeof(struct ftp) },
	.client = { .script = { [PROTO_CLEAR] = client_clear,
			[PROTO_LATE] = client_late,
			[PROTO_STAY] = client_stay },
	    .starts_tls = true,
	    .wants_facts = true,
	    .invites = true,
	    .state_size = sizeof(struct ftp) },
};
