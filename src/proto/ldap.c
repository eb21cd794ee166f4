/* SPDX-License-Identifier: Apache-2.0 */
/* proto/ldap.c -- StartTLS of LDAP (RFC 4511 4.14). */
#include "proto/proto.h"

#include "base/rd.h"
#include "base/text.h"

#include <string.h>

/* Tags and results as on the wire (RFC 4511 4.1.1, 4.1.9, appendix B). */
enum {
	TAG_INTEGER = 0x02,
	TAG_OCTETS = 0x04,
	TAG_ENUMERATED = 0x0a,
	TAG_SEQUENCE = 0x30,
	TAG_UNBIND = 0x42,
	TAG_ABANDON = 0x50,
	TAG_EXTENDED = 0x77,
	TAG_EXTENDED_RESPONSE = 0x78,
	TAG_REQUEST_NAME = 0x80,
	RESULT_SUCCESS = 0,
	RESULT_PROTOCOL_ERROR = 2,
	RESULT_CONFIDENTIALITY_REQUIRED = 13,
	LONG_FORM = 0x80, /* of a length; more than this: so many bytes of length follow */
	LENGTH_BYTES = 4,
	OUR_ID = 1,
};

#define STARTTLS "1.3.6.1.4.1.1466.20037"

/* Requests and the tags of their answers; others have none. */
static const struct {
	uint8_t request, response;
} answers[] = {
	{ 0x60, 0x61 }, /* bind */
	{ 0x63, 0x65 }, /* search: its end */
	{ 0x66, 0x67 }, /* modify */
	{ 0x68, 0x69 }, /* add */
	{ 0x4a, 0x6b }, /* delete */
	{ 0x6c, 0x6d }, /* modify DN */
	{ 0x6e, 0x6f }, /* compare */
	{ TAG_EXTENDED, TAG_EXTENDED_RESPONSE },
};

/* ---- BER ---- */

/* The next element's tag, and its content as a reader that cannot leave it (RFC 4511 5.1: lengths
 * are definite; LDAP has no tags of several bytes). */
static struct rd
element(struct rd *r, uint8_t *tag)
{
	const uint8_t *content;
	size_t n;

	*tag = rd_u8(r);
	n = rd_u8(r);
	if ((*tag & 0x1f) == 0x1f || n == LONG_FORM || n > LONG_FORM + LENGTH_BYTES)
		r->bad = true;
	else if (n > LONG_FORM)
		n = rd_uint(r, n - LONG_FORM);
	content = rd_bytes(r, n);
	if (content == NULL)
		return (struct rd){ r->end, r->end, true };
	return rd_of(content, n);
}

/* One with this tag, or bad. */
static struct rd
expect(struct rd *r, uint8_t tag)
{
	uint8_t got;
	struct rd content = element(r, &got);

	if (got != tag)
		r->bad = content.bad = true;
	return content;
}

/* What is left of it as a number that is not negative and has 31 bits (RFC 4511 4.1.1.1). */
static uint32_t
number(struct rd *content)
{
	size_t n = rd_left(content);

	if (n < 1 || n > sizeof(uint32_t) || (*content->p & 0x80) != 0)
		content->bad = true;
	return rd_uint(content, n);
}

struct message {
	uint32_t id;
	uint8_t tag;
	struct rd op;
	size_t size; /* on the wire */
};

static bool
read_message(struct rd r, struct message *m)
{
	struct rd body = expect(&r, TAG_SEQUENCE), id = expect(&body, TAG_INTEGER);

	m->id = number(&id);
	m->op = element(&body, &m->tag);
	return !r.bad && !id.bad && !body.bad;
}

/* A whole message, still to be eaten. */
static enum proto_verdict
peek_message(struct dialogue *d, enum proto_side side, struct message *m)
{
	enum reason bad = side == PROTO_NEAR ? R_PROTO_CLIENT : R_PROTO_SERVER;
	const char *who = side == PROTO_NEAR ? "request" : "response";
	const uint8_t *b;
	enum proto_verdict got = proto_bytes(d, side, 2, &b);
	size_t head = 2, n;
	struct rd r;

	*m = (struct message){ 0 };
	if (got != PROTO_DONE)
		return got;
	n = b[1];
	if (b[0] != TAG_SEQUENCE || n == LONG_FORM || n > LONG_FORM + LENGTH_BYTES)
		return proto_end(d, bad, "LDAP %s is malformed", who);
	if (n > LONG_FORM) {
		head += n - LONG_FORM;
		if ((got = proto_bytes(d, side, head, &b)) != PROTO_DONE)
			return got;
		r = rd_of(b + 2, head - 2);
		n = rd_uint(&r, head - 2);
	}
	if (n > PROTO_LINE_MAX - head)
		return proto_end(d, bad, "LDAP %s is too long", who);
	m->size = head + n;
	if ((got = proto_bytes(d, side, m->size, &b)) != PROTO_DONE)
		return got;
	if (!read_message(rd_of(b, m->size), m))
		return proto_end(d, bad, "LDAP %s is malformed", who);
	return PROTO_DONE;
}

/* ---- server ---- */

/* An LDAPResult (RFC 4511 4.1.9) without a matched name. */
static void
answer(struct dialogue *d, uint32_t id, uint8_t tag, uint8_t result, const char *words)
{
	size_t n = strlen(words);
	/* As few bytes as leave room for the sign (X.690 8.3.2). */
	size_t id_size = id < 0x80 ? 1 : id < 0x8000 ? 2 : id < 0x800000 ? 3 : 4;
	const uint8_t result_part[] = { tag, (uint8_t)(7 + n), TAG_ENUMERATED, 1, result,
		TAG_OCTETS, 0, TAG_OCTETS, (uint8_t)n };
	const uint8_t head[] = { TAG_SEQUENCE, (uint8_t)(2 + id_size + sizeof(result_part) + n),
		TAG_INTEGER, (uint8_t)id_size };
	const uint8_t id_bytes[] = { (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
		(uint8_t)id };

	proto_put(d, PROTO_NEAR, head, sizeof(head));
	proto_put(d, PROTO_NEAR, id_bytes + sizeof(id_bytes) - id_size, id_size);
	proto_put(d, PROTO_NEAR, result_part, sizeof(result_part));
	proto_put(d, PROTO_NEAR, words, n);
}

static uint8_t
answer_tag(uint8_t request)
{
	for (size_t i = 0; i < COUNT_OF(answers); i++)
		if (answers[i].request == request)
			return answers[i].response;
	return 0;
}

static bool
asks_for_tls(const struct message *m)
{
	struct rd op = m->op, name;

	if (m->tag != TAG_EXTENDED)
		return false;
	name = expect(&op, TAG_REQUEST_NAME);
	return rd_left(&name) == strlen(STARTTLS) &&
	       memcmp(name.p, STARTTLS, strlen(STARTTLS)) == 0;
}

/* ... which has no value (RFC 4511 4.14.1). */
static bool
has_value(const struct message *m)
{
	struct rd op = m->op;

	(void)expect(&op, TAG_REQUEST_NAME);
	return rd_left(&op) > 0;
}

/* Answer everything but StartTLS with a no, which lets the client think again. */
static enum proto_verdict
refuse(struct dialogue *d, const struct message *m)
{
	uint8_t tag = answer_tag(m->tag);

	if (m->tag == TAG_UNBIND)
		return proto_end(d, R_PROTO_QUIT, "LDAP client does not want TLS");
	if (tag == 0 && m->tag != TAG_ABANDON)
		return proto_end(d, R_PROTO_CLIENT, "LDAP request is unknown");
	log_info(d->log, "LDAP client sends a request before StartTLS: it is refused");
	if (tag != 0)
		answer(d, m->id, tag, RESULT_CONFIDENTIALITY_REQUIRED, "StartTLS first");
	return PROTO_DONE;
}

static enum proto_verdict
await_starttls(struct dialogue *d)
{
	enum proto_verdict got;
	struct message m;

	while ((got = peek_message(d, PROTO_NEAR, &m)) == PROTO_DONE) {
		bool starts = asks_for_tls(&m), value = has_value(&m);

		if (m.id == 0) /* only for a server that speaks without being asked */
			return proto_end(d, R_PROTO_CLIENT, "LDAP request is malformed");
		proto_eat(d, PROTO_NEAR, m.size);
		if (starts && !value) {
			answer(d, m.id, TAG_EXTENDED_RESPONSE, RESULT_SUCCESS, "");
			return PROTO_DONE;
		}
		if (starts)
			answer(d, m.id, TAG_EXTENDED_RESPONSE, RESULT_PROTOCOL_ERROR,
			    "StartTLS has no value");
		else if ((got = refuse(d, &m)) != PROTO_DONE)
			return got;
	}
	return got;
}

static const struct proto_row server_early[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, await_starttls },
	{ 0 },
};

/* ---- client ---- */

static enum proto_verdict
ask(struct dialogue *d)
{
	static const uint8_t head[] = { TAG_SEQUENCE, 3 + 2 + 2 + sizeof(STARTTLS) - 1, TAG_INTEGER,
		1, OUR_ID, TAG_EXTENDED, 2 + sizeof(STARTTLS) - 1, TAG_REQUEST_NAME,
		sizeof(STARTTLS) - 1 };

	proto_put(d, PROTO_FAR, head, sizeof(head));
	proto_put(d, PROTO_FAR, STARTTLS, strlen(STARTTLS));
	return PROTO_DONE;
}

/* Result, matched name, and words for people. */
static enum proto_verdict
judge(struct dialogue *d, struct rd op)
{
	struct rd result = expect(&op, TAG_ENUMERATED), words;
	uint32_t code = number(&result);
	char safe[TEXT_SAFE_MAX];

	if (result.bad)
		return proto_end(d, R_PROTO_SERVER, "LDAP response has no result");
	if (code == RESULT_SUCCESS) {
		log_info(d->log, "LDAP Start TLS successfully negotiated");
		return PROTO_DONE;
	}
	(void)expect(&op, TAG_OCTETS);
	words = expect(&op, TAG_OCTETS);
	return proto_end(d, R_NO_STARTTLS_FAR, "LDAP response has indicated failure (%u): %s", code,
	    text_safe((const char *)words.p, rd_left(&words), safe, sizeof(safe)));
}

static enum proto_verdict
await_yes(struct dialogue *d)
{
	struct message m;
	enum proto_verdict got = peek_message(d, PROTO_FAR, &m);

	if (got != PROTO_DONE)
		return got;
	if (m.id != OUR_ID || m.tag != TAG_EXTENDED_RESPONSE)
		return proto_end(d, R_PROTO_SERVER,
		    "LDAP response has an incorrect message ID or is not one to StartTLS");
	if ((got = judge(d, m.op)) == PROTO_DONE)
		proto_eat(d, PROTO_FAR, m.size);
	return got;
}

static const struct proto_row client_clear[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, ask },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, await_yes },
	{ 0 },
};

const struct proto ldap_proto = {
	.name = "ldap",
	.server = { .script[PROTO_EARLY] = server_early, .starts_tls = true },
	.client = { .script[PROTO_CLEAR] = client_clear, .starts_tls = true },
};
