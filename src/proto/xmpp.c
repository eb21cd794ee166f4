/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/xmpp.c -- STARTTLS of XMPP (RFC 6120 5), from clients and between servers.
 *
 * Both sides open a stream in clear that has no other purpose than to ask for TLS, and begin again
 * under it (RFC 6120 5.4.3.3).  So the dialogue in clear has a stream of our own, and the tunnel
 * another one, which is the peers'.
 *
 * Tags are all that is read of XML: bounded, without entities, and with the prefixes that everyone
 * writes (RFC 6120 4.8.5).
 */
#include "proto/proto.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NS_STREAMS "http://etherx.jabber.org/streams"
#define NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_ERRORS "urn:ietf:params:xml:ns:xmpp-streams"

enum {
	ADDRESS_MAX = 3071, /* RFC 7622 3.1; a domain has 1023 of them */
	DOMAIN_MAX = 1023,
	CLEAR_MAX = 65536, /* features of a server, all in all */
	ID_BYTES = 16,
	DEPTH_MAX = 32,	     /* of elements in features */
	ATTRIBUTES_MAX = 32, /* of a tag: each is compared with all others */
};

struct xmpp {
	bool opened; /* the peer's stream */
	bool offered;
	unsigned depth; /* of elements that are open inside the stream */
	size_t read;	/* in clear from a server */
};

static const char *
content_namespace(const struct dialogue *d)
{
	return d->conf->proto == &xmpp_server ? "jabber:server" : "jabber:client";
}

/* ---- tags ---- */

struct span {
	const char *p;
	size_t n;
};

enum tag_kind { TAG_OPEN, TAG_CLOSE, TAG_EMPTY, TAG_DECLARATION };

struct tag {
	enum tag_kind kind;
	struct span name, attributes;
};

enum scan { SCAN_MORE, SCAN_TAG, SCAN_BAD };

static bool
is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static bool
same(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_blanks(struct span *s)
{
	while (s->n > 0 && is_blank(*s->p))
		s->p++, s->n--;
}

/* A name: what is no blank and no mark (XML 1.0 2.3 knows more that is none; it compares unequal
 * to all names that matter). */
static struct span
take_name(struct span *s)
{
	struct span name = { s->p, 0 };

	while (s->n > 0 && !is_blank(*s->p) && memchr("=<>/?'\"&", *s->p, 8) == NULL)
		s->p++, s->n--, name.n++;
	return name;
}

/* The next attribute, as written; false: there is none, or *bad. */
static bool
take_attribute(struct span *s, struct span *name, struct span *value, bool *bad)
{
	const char *end;
	size_t before = s->n;

	skip_blanks(s);
	if (s->n == 0)
		return false;
	*bad = s->n == before; /* a blank stands before each */
	*name = take_name(s);
	skip_blanks(s);
	if (name->n == 0 || s->n == 0 || *s->p != '=')
		return !(*bad = true);
	s->p++, s->n--;
	skip_blanks(s);
	if (s->n == 0 || (*s->p != '\'' && *s->p != '"') ||
	    (end = memchr(s->p + 1, *s->p, s->n - 1)) == NULL)
		return !(*bad = true);
	*value = (struct span){ s->p + 1, (size_t)(end - s->p) - 1 };
	s->n -= value->n + 2;
	s->p = end + 1;
	return !*bad;
}

/* Its value as written, or {NULL, 0}. */
static struct span
attribute(const struct tag *t, const char *wanted)
{
	struct span left = t->attributes, name = { 0 }, value = { 0 };
	bool bad = false;

	while (take_attribute(&left, &name, &value, &bad))
		if (is(name, wanted))
			return value;
	return (struct span){ NULL, 0 };
}

/*
 * No attribute twice (XML 1.0 3.1): of two, one reader takes the first and another the last.  And
 * not many: who sends them byte by byte has all of them compared again for each.
 */
static bool
attributes_are_good(const struct tag *t)
{
	struct span left = t->attributes, names[ATTRIBUTES_MAX], name = { 0 }, value = { 0 };
	bool bad = false;

	for (unsigned n = 0; take_attribute(&left, &name, &value, &bad); n++) {
		if (n == ATTRIBUTES_MAX)
			return false;
		for (unsigned i = 0; i < n; i++)
			if (same(names[i], name))
				return false;
		names[n] = name;
	}
	return !bad;
}

/* What stands between < and >. */
static bool
read_tag(struct span s, struct tag *t)
{
	t->kind = TAG_OPEN;
	if (s.n > 0 && (*s.p == '/' || *s.p == '?')) {
		t->kind = *s.p == '/' ? TAG_CLOSE : TAG_DECLARATION;
		s.p++, s.n--;
	}
	if (s.n > 0 && t->kind != TAG_CLOSE &&
	    s.p[s.n - 1] == (t->kind == TAG_DECLARATION ? '?' : '/')) {
		t->kind = t->kind == TAG_OPEN ? TAG_EMPTY : t->kind;
		s.n--;
	} else if (t->kind == TAG_DECLARATION) {
		return false;
	}
	t->name = take_name(&s);
	t->attributes = s;
	return t->name.n > 0 && attributes_are_good(t);
}

/*
 * The next tag in the bytes from *at on, which ends up behind it.  Blanks stand before a tag, and
 * `text` does where it may.  Comments, DTDs and CDATA begin with <!, and have no place here (RFC
 * 6120 11.1; nor in the features of anybody).
 */
static enum scan
scan_tag(const uint8_t *bytes, size_t n, size_t *at, bool text, struct tag *t)
{
	char quote = '\0';
	size_t from, i;

	for (from = *at; from < n && bytes[from] != '<'; from++)
		if (bytes[from] == '\0' || (!text && !is_blank((char)bytes[from])))
			return SCAN_BAD;
	for (i = from + 1; i < n; i++) {
		char c = (char)bytes[i];

		if (c == '\0' || c == '<' || (c == '!' && i == from + 1))
			return SCAN_BAD;
		if (quote != '\0')
			quote = c == quote ? '\0' : quote;
		else if (c == '\'' || c == '"')
			quote = c;
		else if (c == '>')
			break;
	}
	if (i >= n)
		return SCAN_MORE;
	*at = i + 1;
	return read_tag((struct span){ (const char *)bytes + from + 1, i - from - 1 }, t)
		   ? SCAN_TAG
		   : SCAN_BAD;
}

/* ---- ... of a side ---- */

/* A tag that cannot be gone on with; the words are for a person at the other end. */
static enum proto_verdict
malformed(struct dialogue *d, enum proto_side side, const char *what)
{
	return proto_end(d, side == PROTO_NEAR ? R_PROTO_CLIENT : R_PROTO_SERVER, "%s: %s",
	    d->conf->proto->name, what);
}

/* The next tag behind `*at`; it stays where it is, and `*at` is behind it then. */
static enum proto_verdict
peek_tag(struct dialogue *d, enum proto_side side, size_t *at, bool text, struct tag *t)
{
	size_t n = buf_len(d->side[side].in);
	const uint8_t *bytes;
	enum proto_verdict got;

	if (n > PROTO_LINE_MAX)
		n = PROTO_LINE_MAX;
	if ((got = proto_bytes(d, side, n, &bytes)) != PROTO_DONE)
		return got;
	switch (scan_tag(bytes, n, at, text, t)) {
	case SCAN_TAG:
		return PROTO_DONE;
	case SCAN_BAD:
		return malformed(d, side, "what comes is no XML, or none that a stream may have");
	case SCAN_MORE:
		break;
	}
	if (n == PROTO_LINE_MAX)
		return malformed(d, side, "Tag too long");
	return proto_bytes(d, side, n + 1, &bytes); /* wait */
}

/* The opening of a stream, perhaps behind an XML declaration (RFC 6120 11.5); it stays, too. */
static enum proto_verdict
peek_stream(struct dialogue *d, enum proto_side side, size_t *at, struct tag *t)
{
	enum proto_verdict got = peek_tag(d, side, at, false, t);

	if (got == PROTO_DONE && t->kind == TAG_DECLARATION && is(t->name, "xml"))
		got = peek_tag(d, side, at, false, t);
	if (got != PROTO_DONE)
		return got;
	if (t->kind != TAG_OPEN || !is(t->name, "stream:stream") ||
	    !is(attribute(t, "xmlns:stream"), NS_STREAMS))
		return malformed(d, side, "what comes is no stream of XMPP");
	if (!is(attribute(t, "xmlns"), content_namespace(d)))
		return malformed(d, side, "the stream is not one of this namespace");
	return PROTO_DONE;
}

/* RFC 6120 4.7.5: without a version there are no features; all that are 1.something have them. */
static bool
has_features(const struct tag *stream)
{
	struct span v = attribute(stream, "version");

	return v.n >= 3 && v.p[0] >= '1' && v.p[0] <= '9' && memchr(v.p, '.', v.n) != NULL;
}

/* May it be said again as it was written, in quotes of ours, to whomever? */
static bool
is_address(struct span s, size_t max)
{
	if (s.n == 0 || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("<>&'\"", s.p[i]) != NULL)
			return false;
	return true;
}

static bool
is_domain(struct span s)
{
	return is_address(s, DOMAIN_MAX) && memchr(s.p, '@', s.n) == NULL &&
	       memchr(s.p, '/', s.n) == NULL;
}

static void
say(struct dialogue *d, enum proto_side side, const char *xml)
{
	proto_put(d, side, xml, strlen(xml));
}

static void
say_attribute(struct dialogue *d, enum proto_side side, const char *name, struct span value)
{
	say(d, side, " ");
	say(d, side, name);
	say(d, side, "='");
	proto_put(d, side, value.p, value.n);
	say(d, side, "'");
}

/* ... without its end: attributes of this one stream follow. */
static void
say_stream(struct dialogue *d, enum proto_side side)
{
	say(d, side, "<?xml version='1.0'?><stream:stream version='1.0' xmlns='");
	say(d, side, content_namespace(d));
	say(d, side, "' xmlns:stream='" NS_STREAMS "'");
}

/* ---- a server ---- */

/* RFC 6120 4.7.3: an ID that nobody can guess.  Nothing hangs on this one, which ends with TLS. */
static void
say_id(struct dialogue *d)
{
	uint8_t bytes[ID_BYTES] = { 0 };
	char hex[2 * ID_BYTES + 1];

	(void)!getentropy(bytes, sizeof(bytes));
	for (size_t i = 0; i < ID_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	say_attribute(d, PROTO_NEAR, "id", (struct span){ hex, 2 * ID_BYTES });
}

/* Our own opening: we are whom the client has called, and it is who it says (RFC 6120 4.7.1 and 2).
 */
static void
answer_stream(struct dialogue *d, const struct tag *stream)
{
	struct span from = attribute(stream, "from"), to = attribute(stream, "to");

	say_stream(d, PROTO_NEAR);
	say_id(d);
	if (is_domain(to))
		say_attribute(d, PROTO_NEAR, "from", to);
	if (is_address(from, ADDRESS_MAX))
		say_attribute(d, PROTO_NEAR, "to", from);
	say(d, PROTO_NEAR, ">");
}

/* RFC 6120 4.9: tell why, and close the stream. */
static enum proto_verdict
refuse(struct dialogue *d, const char *condition, enum reason reason, const char *words)
{
	say(d, PROTO_NEAR, "<stream:error><");
	say(d, PROTO_NEAR, condition);
	say(d, PROTO_NEAR, " xmlns='" NS_ERRORS "'/></stream:error></stream:stream>");
	return proto_end(d, reason, "%s", words);
}

/* Features and header leave together: some clients read but once for each. */
static enum proto_verdict
open_stream(struct dialogue *d)
{
	struct tag stream = { 0 };
	size_t size = 0;
	enum proto_verdict got = peek_stream(d, PROTO_NEAR, &size, &stream);

	if (got != PROTO_DONE)
		return got;
	answer_stream(d, &stream);
	if (!is_domain(attribute(&stream, "to")))
		return refuse(
		    d, "host-unknown", R_PROTO_CLIENT, "Client does not say which domain it calls");
	if (!has_features(&stream))
		return refuse(d, "unsupported-version", R_NO_STARTTLS,
		    "Client is older than STARTTLS: it has no version 1.0");
	say(d, PROTO_NEAR,
	    "<stream:features><starttls xmlns='" NS_TLS
	    "'><required/></starttls></stream:features>");
	proto_eat(d, PROTO_NEAR, size);
	return PROTO_DONE;
}

/* <NAME xmlns='urn:...xmpp-tls'/>, or as two tags; and the size of it. */
static enum proto_verdict
peek_element(struct dialogue *d, enum proto_side side, size_t *size, struct tag *first)
{
	struct tag close = { 0 };
	enum proto_verdict got = peek_tag(d, side, size, false, first);
	bool ours = got == PROTO_DONE && is(attribute(first, "xmlns"), NS_TLS);

	if (!ours || first->kind != TAG_OPEN)
		return got;
	if ((got = peek_tag(d, side, size, false, &close)) == PROTO_DONE &&
	    (close.kind != TAG_CLOSE || !same(close.name, first->name)))
		return malformed(d, side, "an element of STARTTLS that is not empty");
	return got;
}

static bool
is_element(const struct tag *t, const char *name)
{
	return t->kind != TAG_CLOSE && is(t->name, name) && is(attribute(t, "xmlns"), NS_TLS);
}

static enum proto_verdict
await_starttls(struct dialogue *d)
{
	struct tag t = { 0 };
	size_t size = 0;
	enum proto_verdict got = peek_element(d, PROTO_NEAR, &size, &t);

	if (got != PROTO_DONE)
		return got;
	if (t.kind == TAG_CLOSE && is(t.name, "stream:stream")) {
		say(d, PROTO_NEAR, "</stream:stream>");
		return proto_end(d, R_PROTO_QUIT, "Client does not want TLS");
	}
	if (!is_element(&t, "starttls")) /* RFC 6120 5.3.1 */
		return refuse(d, "policy-violation", R_NO_STARTTLS, "Client does not want TLS");
	say(d, PROTO_NEAR, "<proceed xmlns='" NS_TLS "'/>");
	proto_eat(d, PROTO_NEAR, size);
	return PROTO_DONE;
}

static const struct proto_row server_early[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, open_stream },
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, await_starttls },
	{ 0 },
};

/* ---- a client ---- */

/* The domain that is called: protocolHost, or whom the local program calls. */
static struct span
domain_of(const struct dialogue *d, const struct tag *stream)
{
	const char *host = d->conf->host_name;

	return host != NULL ? (struct span){ host, strlen(host) } : attribute(stream, "to");
}

/*
 * The local program's opening stays unread, and goes through when TLS stands.  Its own name does
 * not go out in clear (RFC 6120 4.7.1), unless it is a server's, which the other one may want to
 * know.
 */
static enum proto_verdict
call(struct dialogue *d)
{
	struct tag stream = { 0 };
	size_t size = 0;
	enum proto_verdict got = peek_stream(d, PROTO_NEAR, &size, &stream);
	struct span from, to;

	if (got != PROTO_DONE)
		return got;
	from = attribute(&stream, "from");
	to = domain_of(d, &stream);
	if (!is_domain(to))
		return malformed(d, PROTO_NEAR, "the stream has no \"to\" that is a domain");
	say_stream(d, PROTO_FAR);
	say_attribute(d, PROTO_FAR, "to", to);
	if (d->conf->proto == &xmpp_server && is_domain(from))
		say_attribute(d, PROTO_FAR, "from", from);
	say(d, PROTO_FAR, ">");
	return PROTO_DONE;
}

/* One tag of the server, and no more of them in all than is sensible. */
static enum proto_verdict
eat(struct dialogue *d, size_t size)
{
	struct xmpp *x = d->state;

	x->read += size;
	if (x->read > CLEAR_MAX)
		return malformed(d, PROTO_FAR, "the server's features have no end");
	proto_eat(d, PROTO_FAR, size);
	return PROTO_DONE;
}

/* Inside features, as deep as they go.  DONE: they are over. */
static enum proto_verdict
read_features(struct dialogue *d, struct xmpp *x)
{
	enum proto_verdict got = PROTO_DONE;

	while (got == PROTO_DONE && x->depth > 0) {
		size_t size = 0;
		struct tag t = { 0 };

		if ((got = peek_tag(d, PROTO_FAR, &size, true, &t)) != PROTO_DONE)
			break;
		if (x->depth == 1)
			x->offered |= is_element(&t, "starttls");
		if (t.kind == TAG_DECLARATION || (t.kind == TAG_OPEN && x->depth == DEPTH_MAX))
			return malformed(d, PROTO_FAR, "the server's features are malformed");
		x->depth += t.kind == TAG_OPEN;
		x->depth -= t.kind == TAG_CLOSE;
		got = eat(d, size);
	}
	return got;
}

/* The server's opening, and its features. */
static enum proto_verdict
read_offer(struct dialogue *d)
{
	struct xmpp *x = d->state;
	struct tag t = { 0 };
	size_t size = 0;
	enum proto_verdict got;

	if (!x->opened) {
		if ((got = peek_stream(d, PROTO_FAR, &size, &t)) != PROTO_DONE)
			return got;
		x->opened = has_features(&t);
		if (!x->opened)
			return proto_end(d, R_NO_STARTTLS_FAR, "Server does not support TLS");
		if ((got = eat(d, size)) != PROTO_DONE)
			return got;
		size = 0;
	}
	if (x->depth == 0) {
		if ((got = peek_tag(d, PROTO_FAR, &size, false, &t)) != PROTO_DONE)
			return got;
		if (!is(t.name, "stream:features"))
			return malformed(d, PROTO_FAR, "the server gives no features, but an end");
		x->depth = t.kind == TAG_OPEN;
		if ((got = eat(d, size)) != PROTO_DONE)
			return got;
	}
	if ((got = read_features(d, x)) != PROTO_DONE)
		return got;
	if (!x->offered)
		return proto_end(d, R_NO_STARTTLS_FAR, "Server does not support TLS");
	say(d, PROTO_FAR, "<starttls xmlns='" NS_TLS "'/>");
	return PROTO_DONE;
}

static enum proto_verdict
await_proceed(struct dialogue *d)
{
	struct tag t = { 0 };
	size_t size = 0;
	enum proto_verdict got = peek_element(d, PROTO_FAR, &size, &t);

	if (got != PROTO_DONE)
		return got;
	if (!is_element(&t, "proceed"))
		return proto_end(d, R_NO_STARTTLS_FAR, "Server does not support TLS");
	proto_eat(d, PROTO_FAR, size);
	return PROTO_DONE;
}

static const struct proto_row client_clear[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, call },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, read_offer },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, await_proceed },
	{ 0 },
};

static void
check_client(const struct proto_conf *conf, struct sink *sink)
{
	const char *name = conf->host_name;

	if (conf->host != NULL && (name == NULL || !is_domain((struct span){ name, strlen(name) })))
		sink_error(sink, "protocolHost",
		    "\"%s\" is no domain; write the one that the server is responsible for, such "
		    "as "
		    "example.org",
		    conf->host);
}

#define ROLES \
	.server = { .script[PROTO_EARLY] = server_early, .starts_tls = true }, \
	.client = { .script[PROTO_CLEAR] = client_clear, \
		.starts_tls = true, \
		.host_is_peer = true, \
		.check = check_client, \
		.state_size = sizeof(struct xmpp) }

const struct proto xmpp_client = { .name = "xmpp", ROLES };
const struct proto xmpp_server = { .name = "xmpp-server", ROLES };
