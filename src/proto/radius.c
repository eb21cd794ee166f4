/* SPDX-License-Identifier: Apache-2.0 */
/* proto/radius.c -- RFC 2865, RFC 2866, RFC 3579, and Microsoft's attributes of RFC 2548. */
#include "proto/radius.h"

#include "base/digest.h"
#include "base/rd.h"
#include "base/text.h"
#include "base/wr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ACCESS_REQUEST = 1,
	ACCEPT,
	REJECT,
	ACCOUNTING_REQUEST,
	ACCOUNTING_RESPONSE,
	CHALLENGE = 11
};

enum attribute {
	USER_NAME = 1,
	USER_PASSWORD = 2,
	CHAP_PASSWORD = 3,
	NAS_IP_ADDRESS = 4,
	NAS_PORT = 5,
	SERVICE_TYPE = 6,
	FRAMED_PROTOCOL = 7,
	FRAMED_IP_ADDRESS = 8,
	FRAMED_MTU = 12,
	REPLY_MESSAGE = 18,
	STATE = 24,
	CLASS = 25,
	VENDOR = 26,
	SESSION_TIMEOUT = 27,
	IDLE_TIMEOUT = 28,
	CALLED_STATION = 30,
	CALLING_STATION = 31,
	NAS_IDENTIFIER = 32,
	ACCT_STATUS_TYPE = 40,
	ACCT_DELAY_TIME = 41,
	ACCT_INPUT_OCTETS = 42,
	ACCT_OUTPUT_OCTETS = 43,
	ACCT_SESSION_ID = 44,
	ACCT_SESSION_TIME = 46,
	ACCT_INPUT_PACKETS = 47,
	ACCT_OUTPUT_PACKETS = 48,
	ACCT_TERMINATE_CAUSE = 49,
	ACCT_INPUT_GIGAWORDS = 52,
	ACCT_OUTPUT_GIGAWORDS = 53,
	EVENT_TIMESTAMP = 55,
	CHAP_CHALLENGE = 60,
	NAS_PORT_TYPE = 61,
	CONNECT_INFO = 77,
	EAP_MESSAGE = 79,
	MESSAGE_AUTHENTICATOR = 80,
	INTERIM = 85,
	FRAMED_INTERFACE_ID = 96,
	FRAMED_IPV6_PREFIX = 97, /* RFC 3162 2.3 */
};

/* RFC 2548, of vendor 311. */
enum microsoft {
	MS_CHAP_ERROR = 2,
	MS_CHAP_CHALLENGE = 11,
	MS_MPPE_SEND_KEY = 16,
	MS_MPPE_RECV_KEY = 17,
	MS_CHAP2_RESPONSE = 25,
	MS_CHAP2_SUCCESS = 26,
	MS_PRIMARY_DNS = 28,
	MS_SECONDARY_DNS = 29,
	MS_PRIMARY_NBNS = 30,
	MS_SECONDARY_NBNS = 31,
};

enum {
	HEAD = 20, /* code, id, length, authenticator */
	MICROSOFT = 311,
	FRAMED = 2,  /* Service-Type */
	PPP = 1,     /* Framed-Protocol */
	VIRTUAL = 5, /* NAS-Port-Type */
	MD5 = DIGEST_MD5_SIZE,
	MPPE_KEY_MAX = 32, /* of one direction, as far as the binding looks */
};

/* ---- writing ---- */

static void
put(struct wr *w, enum attribute type, const void *value, size_t n)
{
	wr_u8(w, type);
	wr_u8(w, (uint32_t)n + 2);
	wr_bytes(w, value, n);
}

static void
put_number(struct wr *w, enum attribute type, uint32_t v)
{
	wr_u8(w, type);
	wr_u8(w, 6);
	wr_u32(w, v);
}

static void
put_text(struct wr *w, enum attribute type, const char *text)
{
	if (text != NULL && *text != '\0')
		put(w, type, text, strnlen(text, RADIUS_STRING));
}

static void
put_address(struct wr *w, enum attribute type, struct in_addr address)
{
	if (address.s_addr != htonl(INADDR_ANY))
		put(w, type, &address, sizeof(address));
}

static void
put_blob(struct wr *w, enum attribute type, const struct radius_blob *blob)
{
	if (blob != NULL && blob->n > 0)
		put(w, type, blob->bytes, blob->n);
}

static void
put_microsoft(struct wr *w, enum microsoft type, const void *value, size_t n)
{
	wr_u8(w, VENDOR);
	wr_u8(w, (uint32_t)n + 8);
	wr_u32(w, MICROSOFT);
	wr_u8(w, type);
	wr_u8(w, (uint32_t)n + 2);
	wr_bytes(w, value, n);
}

/* A packet begins; its Message-Authenticator, still zero, is the first attribute. */
static struct wr
begin(struct radius_request *q, uint8_t code, uint8_t id, const uint8_t *authenticator)
{
	static const uint8_t zero[MD5];
	struct wr w = wr_of(q->bytes, sizeof(q->bytes));

	wr_u8(&w, code);
	wr_u8(&w, id);
	wr_u16(&w, 0);
	wr_bytes(&w, authenticator, RADIUS_AUTHENTICATOR);
	put(&w, MESSAGE_AUTHENTICATOR, zero, sizeof(zero));
	return w;
}

static bool
end(struct radius_request *q, struct wr *w, const char *secret)
{
	uint8_t mac[MD5];

	wr_patch_u16(w, 2, wr_size(w));
	q->n = wr_size(w);
	if (w->bad || !digest_hmac(DIGEST_MD5, secret, strlen(secret), q->bytes, q->n, mac))
		return false;
	memcpy(q->bytes + HEAD + 2, mac, sizeof(mac));
	return true;
}

/* RFC 2865 5.2: the password under a stream that the secret and the authenticator make. */
static bool
put_password(
    struct wr *w, const struct ppp_question *q, const uint8_t *authenticator, const char *secret)
{
	uint8_t hidden[RADIUS_PASSWORD_MAX] = { 0 }, pad[MD5];
	const uint8_t *before = authenticator;
	size_t n = q->secret_size == 0 ? MD5 : (q->secret_size + MD5 - 1) / MD5 * MD5;

	if (q->secret_size > sizeof(hidden))
		return false;
	if (q->secret_size > 0)
		memcpy(hidden, q->secret, q->secret_size);
	for (size_t at = 0; at < n; at += MD5) {
		const struct digest_part parts[] = { { secret, strlen(secret) }, { before, MD5 } };

		if (!digest_of(DIGEST_MD5, parts, COUNT_OF(parts), pad))
			return false;
		for (size_t i = 0; i < MD5; i++)
			hidden[at + i] ^= pad[i];
		before = hidden + at;
	}
	put(w, USER_PASSWORD, hidden, n);
	return true;
}

static bool
put_chap(struct wr *w, const struct ppp_question *q)
{
	uint8_t value[1 + MD5] = { q->id };

	if (q->secret_size != MD5)
		return false;
	memcpy(value + 1, q->secret, MD5);
	put(w, CHAP_PASSWORD, value, sizeof(value));
	put(w, CHAP_CHALLENGE, q->challenge, sizeof(q->challenge));
	return true;
}

/* RFC 2548 2.3.2: the fields of a Response in another order. */
static void
put_mschap(struct wr *w, const struct ppp_question *q)
{
	uint8_t room[50];
	struct wr value = wr_of(room, sizeof(room));

	wr_u8(&value, q->id);
	wr_u8(&value, q->response.flags);
	wr_bytes(&value, q->response.peer_challenge, sizeof(q->response.peer_challenge));
	wr_bytes(&value, q->response.reserved, sizeof(q->response.reserved));
	wr_bytes(&value, q->response.nt_response, sizeof(q->response.nt_response));
	MUST(wr_size(&value) == sizeof(room));
	put_microsoft(w, MS_CHAP_CHALLENGE, q->challenge, sizeof(q->challenge));
	put_microsoft(w, MS_CHAP2_RESPONSE, room, sizeof(room));
}

static void
put_eap(struct wr *w, const struct ppp_question *q)
{
	for (size_t at = 0; at < q->secret_size; at += RADIUS_STRING) {
		size_t n = q->secret_size - at;

		put(w, EAP_MESSAGE, q->secret + at, n < RADIUS_STRING ? n : RADIUS_STRING);
	}
}

/* What a method shows. */
static bool
put_proof(
    struct wr *w, const struct ppp_question *q, const uint8_t *authenticator, const char *secret)
{
	switch (q->method) {
	case PPP_PAP:
		return put_password(w, q, authenticator, secret);
	case PPP_CHAP_MD5:
		return put_chap(w, q);
	case PPP_MSCHAPV2:
	case PPP_EAP_MSCHAPV2:
		put_mschap(w, q);
		return true;
	case PPP_EAP_RELAY:
		put_eap(w, q);
		return true;
	case PPP_NO_AUTH:
	case PPP_EAP_TLS:
	case PPP_METHODS:
		break;
	}
	return false; /* nothing that a server could check */
}

static void
put_facts(struct wr *w, const struct radius_facts *facts)
{
	put_text(w, NAS_IDENTIFIER, facts->nas_name);
	put_address(w, NAS_IP_ADDRESS, facts->nas_address);
	put_number(w, NAS_PORT, facts->port);
	put_number(w, NAS_PORT_TYPE, VIRTUAL);
	put_number(w, SERVICE_TYPE, FRAMED);
	put_number(w, FRAMED_PROTOCOL, PPP);
	put_text(w, CALLING_STATION, facts->client);
	put_text(w, CALLED_STATION, facts->called);
	put_text(w, ACCT_SESSION_ID, facts->session);
	put_text(w, CONNECT_INFO, facts->connection);
}

bool
radius_ask(struct radius_request *request, uint8_t id, const uint8_t random[RADIUS_AUTHENTICATOR],
    const char *secret, const struct ppp_question *q, const struct radius_facts *facts,
    const struct radius_blob *state)
{
	struct wr w = begin(request, ACCESS_REQUEST, id, random);

	/* A name longer than an attribute is nobody's that a server could know. */
	if (strlen(q->user) > RADIUS_STRING || !put_proof(&w, q, random, secret))
		return false;
	put_text(&w, USER_NAME, q->user);
	put_facts(&w, facts);
	put_blob(&w, STATE, state);
	return end(request, &w, secret);
}

/* ---- reading ---- */

struct attribute_value {
	uint8_t type;
	const uint8_t *bytes;
	size_t n;
};

/* The next one; false: there is none, or (r->bad) it is malformed. */
static bool
next(struct rd *r, struct attribute_value *a)
{
	size_t n;

	if (rd_left(r) == 0)
		return false;
	a->type = rd_u8(r);
	n = rd_u8(r);
	if (n < 2)
		r->bad = true;
	else {
		a->n = n - 2;
		a->bytes = rd_bytes(r, n - 2);
	}
	return !r->bad;
}

/*
 * Is it whole, of our number, and signed by who knows the secret?  The signature is an MD5 with the
 * secret behind it (RFC 2865 3), and in an answer to Access-Request also an HMAC over the packet
 * with the request's authenticator in the place of its own (RFC 3579 3.2).
 */
static bool
is_signed(const uint8_t *bytes, size_t n, const struct radius_request *q, const char *secret)
{
	const uint8_t *authenticator = q->bytes + 4;
	const struct digest_part parts[] = {
		{ bytes, 4 },
		{ authenticator, RADIUS_AUTHENTICATOR },
		{ bytes + HEAD, n - HEAD },
		{ secret, strlen(secret) },
	};
	uint8_t want[MD5];

	return digest_of(DIGEST_MD5, parts, COUNT_OF(parts), want) &&
	       digest_equal(want, bytes + 4, sizeof(want));
}

/* Is the packet well-formed?  *at is where the one Message-Authenticator's value is; 0: there is
 * none. */
static bool
find_mac(const uint8_t *bytes, size_t n, size_t *at)
{
	struct rd r = rd_of(bytes + HEAD, n - HEAD);
	struct attribute_value a;

	*at = 0;
	while (next(&r, &a))
		if (a.type == MESSAGE_AUTHENTICATOR) {
			if (*at != 0 || a.n != MD5)
				return false;
			*at = (size_t)(a.bytes - bytes);
		}
	return !r.bad;
}

static bool
has_good_mac(
    const uint8_t *bytes, size_t n, size_t at, const struct radius_request *q, const char *secret)
{
	uint8_t copy[RADIUS_MAX], mac[MD5];

	memcpy(copy, bytes, n);
	memcpy(copy + 4, q->bytes + 4, RADIUS_AUTHENTICATOR);
	memset(copy + at, 0, MD5);
	return digest_hmac(DIGEST_MD5, secret, strlen(secret), copy, n, mac) &&
	       digest_equal(mac, bytes + at, sizeof(mac));
}

/* The length that it says, which padding may follow (RFC 2865 3); 0: it is no packet for us. */
static size_t
length_of(const uint8_t *bytes, size_t n, const struct radius_request *q)
{
	size_t length;

	if (n < HEAD || bytes[1] != q->bytes[1])
		return 0;
	length = (size_t)bytes[2] << 8 | bytes[3];
	return length < HEAD || length > n || length > RADIUS_MAX ? 0 : length;
}

/* ---- what an answer says ---- */

static uint32_t
number(const struct attribute_value *a)
{
	struct rd r = rd_of(a->bytes, a->n);

	return a->n == 4 ? rd_uint(&r, 4) : 0;
}

static void
take_address(const struct attribute_value *a, struct in_addr *out)
{
	if (a->n == sizeof(*out))
		memcpy(out, a->bytes, sizeof(*out));
}

static void
take_blob(const struct attribute_value *a, struct radius_blob *out)
{
	memcpy(out->bytes, a->bytes, a->n);
	out->n = a->n;
}

/* The keys of both directions, while an answer is read. */
struct keys {
	uint8_t receive[MPPE_KEY_MAX], send[MPPE_KEY_MAX];
	size_t receive_size, send_size;
};

/*
 * RFC 2548 2.4.2: a salt, and under a stream of the secret, the request's authenticator and the
 * salt the key's length, the key, and zeros.  Returns the length; 0: it is none.
 */
static size_t
open_key(const uint8_t *bytes, size_t n, const struct radius_request *q, const char *secret,
    uint8_t out[MPPE_KEY_MAX])
{
	uint8_t plain[RADIUS_STRING], pad[MD5];
	const uint8_t *salt = bytes, *hidden = bytes + 2;
	size_t size;

	if (n < 2 + MD5 || (n - 2) % MD5 != 0 || n - 2 > sizeof(plain))
		return 0;
	for (size_t at = 0; at < n - 2; at += MD5) {
		const struct digest_part first[] = {
			{ secret, strlen(secret) },
			{ q->bytes + 4, RADIUS_AUTHENTICATOR },
			{ salt, 2 },
		};
		const struct digest_part further[] = {
			{ secret, strlen(secret) },
			{ hidden + at - (at > 0 ? MD5 : 0), MD5 },
		};

		if (!(at == 0 ? digest_of(DIGEST_MD5, first, COUNT_OF(first), pad)
			      : digest_of(DIGEST_MD5, further, COUNT_OF(further), pad)))
			return 0;
		for (size_t i = 0; i < MD5; i++)
			plain[at + i] = hidden[at + i] ^ pad[i];
	}
	size = plain[0];
	if (size == 0 || size > n - 3)
		return 0;
	size = size < MPPE_KEY_MAX ? size : MPPE_KEY_MAX;
	memcpy(out, plain + 1, size);
	explicit_bzero(plain, sizeof(plain));
	return size;
}

/* "E=691 R=0 ...": the number. */
static unsigned
error_of(const uint8_t *text, size_t n)
{
	char line[RADIUS_STRING + 1];
	const char *at;
	unsigned long v;

	memcpy(line, text, n);
	line[n] = '\0';
	at = strstr(line, "E=");
	v = at == NULL ? 0 : strtoul(at + 2, NULL, 10);
	return v > 999 ? 0 : (unsigned)v;
}

static void
take_microsoft(struct radius_answer *answer, const struct attribute_value *a,
    const struct radius_request *q, const char *secret, struct keys *keys)
{
	switch (a->type) {
	case MS_CHAP2_SUCCESS: /* an identifier, and the text */
		if (a->n >= 1 + MSCHAP_PROOF && memchr(a->bytes + 1, '\0', MSCHAP_PROOF) == NULL) {
			memcpy(answer->verdict.proof, a->bytes + 1, MSCHAP_PROOF);
			answer->verdict.proof[MSCHAP_PROOF] = '\0';
		}
		break;
	case MS_CHAP_ERROR:
		if (a->n > 1)
			answer->verdict.error = error_of(a->bytes + 1, a->n - 1);
		break;
	case MS_MPPE_RECV_KEY:
		keys->receive_size = open_key(a->bytes, a->n, q, secret, keys->receive);
		break;
	case MS_MPPE_SEND_KEY:
		keys->send_size = open_key(a->bytes, a->n, q, secret, keys->send);
		break;
	case MS_PRIMARY_DNS:
	case MS_SECONDARY_DNS:
		take_address(a, &answer->dns[a->type - MS_PRIMARY_DNS]);
		break;
	case MS_PRIMARY_NBNS:
	case MS_SECONDARY_NBNS:
		take_address(a, &answer->nbns[a->type - MS_PRIMARY_NBNS]);
		break;
	}
}

/* A vendor's attribute holds attributes of the same form. */
static void
take_vendor(struct radius_answer *answer, const struct attribute_value *whole,
    const struct radius_request *q, const char *secret, struct keys *keys)
{
	struct rd r = rd_of(whole->bytes, whole->n);
	struct attribute_value a;

	if (rd_uint(&r, 4) != MICROSOFT)
		return;
	while (next(&r, &a))
		take_microsoft(answer, &a, q, secret, keys);
}

static void
take_eap(struct radius_answer *answer, const struct attribute_value *a)
{
	if (a->n > sizeof(answer->eap) - answer->eap_size)
		return; /* PPP will see that it is not whole */
	memcpy(answer->eap + answer->eap_size, a->bytes, a->n);
	answer->eap_size += a->n;
}

/* Framed-IP-Address: 255.255.255.255 lets the user choose and .254 us (RFC 2865 5.8). */
static void
take_framed(struct radius_answer *answer, const struct attribute_value *a)
{
	if (a->n == 4 && number(a) < 0xfffffffe)
		take_address(a, &answer->address);
}

/*
 * Framed-IPv6-Prefix (RFC 3162 2.3): a byte of no meaning, the length in bits, and the bits as far
 * as they were sent; behind the length they are zero.  The first one counts.
 */
static void
take_prefix6(struct radius_answer *answer, const struct attribute_value *a)
{
	struct rd r = rd_of(a->bytes, a->n);
	struct network to = { .family = AF_INET6 };
	size_t n;

	(void)rd_u8(&r);
	to.prefix = rd_u8(&r);
	n = rd_left(&r);
	if (r.bad || to.prefix > 8 * sizeof(to.bits) || n > sizeof(to.bits) ||
	    answer->prefix6.family != 0)
		return;
	memcpy(to.bits, r.p, n);
	for (size_t bit = to.prefix; bit < 8 * sizeof(to.bits); bit++)
		if ((to.bits[bit / 8] >> (7 - bit % 8) & 1) != 0)
			return;
	answer->prefix6 = to;
}

static void
take(struct radius_answer *answer, const struct attribute_value *a)
{
	switch (a->type) {
	case FRAMED_IP_ADDRESS:
		take_framed(answer, a);
		break;
	case FRAMED_MTU:
		answer->mtu = number(a);
		break;
	case REPLY_MESSAGE:
		(void)text_safe(a->bytes, a->n, answer->verdict.text, sizeof(answer->verdict.text));
		break;
	case STATE:
		take_blob(a, &answer->state);
		break;
	case CLASS:
		take_blob(a, &answer->class);
		break;
	case SESSION_TIMEOUT:
		answer->session_timeout = number(a);
		break;
	case IDLE_TIMEOUT:
		answer->idle_timeout = number(a);
		break;
	case INTERIM:
		answer->interim = number(a);
		break;
	case FRAMED_INTERFACE_ID:
		if (a->n == sizeof(answer->interface_id))
			memcpy(answer->interface_id, a->bytes, a->n);
		break;
	case FRAMED_IPV6_PREFIX:
		take_prefix6(answer, a);
		break;
	case EAP_MESSAGE:
		take_eap(answer, a);
		break;
	}
}

static bool
needs_keys(enum ppp_method method)
{
	return method == PPP_MSCHAPV2 || method == PPP_EAP_MSCHAPV2;
}

/* The binding's key: both, the receiving one first, of which 32 bytes count (MS-SSTP 3.2.5.2.2.1).
 */
static void
join_keys(struct ppp_verdict *verdict, const struct keys *keys)
{
	struct wr w = wr_of(verdict->key, sizeof(verdict->key));
	size_t room;

	wr_bytes(&w, keys->receive, keys->receive_size);
	room = wr_room(&w);
	wr_bytes(&w, keys->send, keys->send_size < room ? keys->send_size : room);
}

static const enum ppp_answer answers[] = {
	[ACCEPT] = PPP_GRANTED,
	[REJECT] = PPP_REFUSED,
	[CHALLENGE] = PPP_GO_ON,
};

/* What the code says, as far as the method allows it. */
static void
judge(struct radius_answer *answer, uint8_t code, const struct ppp_question *question,
    const struct keys *keys)
{
	struct ppp_verdict *verdict = &answer->verdict;

	verdict->answer = answers[code];
	if (verdict->answer == PPP_GO_ON && question->method != PPP_EAP_RELAY)
		verdict->answer = PPP_REFUSED; /* there is nothing that could be asked further */
	verdict->eap = answer->eap;
	verdict->eap_size = answer->eap_size;
	if (verdict->answer != PPP_GRANTED)
		return;
	/* Without these the client would end the call, and nobody would know why. */
	if (needs_keys(question->method) &&
	    (keys->receive_size == 0 || keys->send_size == 0 || verdict->proof[0] == '\0')) {
		answer->no_keys = true;
		verdict->answer = PPP_REFUSED;
		return;
	}
	/* With a password in clear, or CHAP-MD5, a client knows of no key. */
	if (needs_keys(question->method) || question->method == PPP_EAP_RELAY)
		join_keys(verdict, keys);
}

static bool
answers_access(uint8_t code)
{
	return code == ACCEPT || code == REJECT || code == CHALLENGE;
}

enum radius_got
radius_read(struct radius_answer *answer, const uint8_t *bytes, size_t n,
    const struct radius_request *q, const char *secret, const struct ppp_question *question)
{
	struct keys keys = { .receive_size = 0 };
	struct attribute_value a;
	struct rd r;
	size_t mac;

	*answer = (struct radius_answer){ .mtu = 0 };
	n = length_of(bytes, n, q);
	if (n == 0 || !answers_access(bytes[0]) || !find_mac(bytes, n, &mac) ||
	    !is_signed(bytes, n, q, secret))
		return RADIUS_NONE;
	if (mac == 0)
		return RADIUS_UNSIGNED;
	if (!has_good_mac(bytes, n, mac, q, secret))
		return RADIUS_NONE;
	r = rd_of(bytes + HEAD, n - HEAD);
	while (next(&r, &a))
		if (a.type == VENDOR)
			take_vendor(answer, &a, q, secret, &keys);
		else
			take(answer, &a);
	judge(answer, bytes[0], question, &keys);
	explicit_bzero(&keys, sizeof(keys));
	return RADIUS_ANSWER;
}

/* ---- accounting ---- */

/* What has more than 32 bits is told in two attributes (RFC 2869 5.1). */
static void
put_octets(struct wr *w, enum attribute low, enum attribute high, uint64_t v)
{
	put_number(w, low, (uint32_t)v);
	if (v >> 32 != 0)
		put_number(w, high, (uint32_t)(v >> 32));
}

static void
put_prefix6(struct wr *w, const uint8_t *prefix)
{
	uint8_t value[2 + RADIUS_PREFIX6] = { 0, 8 * RADIUS_PREFIX6 };

	if (prefix == NULL)
		return;
	memcpy(value + 2, prefix, RADIUS_PREFIX6);
	put(w, FRAMED_IPV6_PREFIX, value, sizeof(value));
}

static void
put_usage(struct wr *w, const struct radius_usage *u)
{
	put_number(w, ACCT_STATUS_TYPE, u->event);
	put_number(w, ACCT_DELAY_TIME, u->delay);
	put_text(w, USER_NAME, u->user);
	put_address(w, FRAMED_IP_ADDRESS, u->address);
	put_prefix6(w, u->prefix6);
	put_blob(w, CLASS, u->class);
	if (u->when != 0)
		put_number(w, EVENT_TIMESTAMP, u->when);
	if (u->event == RADIUS_START)
		return;
	put_octets(w, ACCT_INPUT_OCTETS, ACCT_INPUT_GIGAWORDS, u->in_bytes);
	put_octets(w, ACCT_OUTPUT_OCTETS, ACCT_OUTPUT_GIGAWORDS, u->out_bytes);
	put_number(w, ACCT_INPUT_PACKETS, (uint32_t)u->in_packets);
	put_number(w, ACCT_OUTPUT_PACKETS, (uint32_t)u->out_packets);
	put_number(w, ACCT_SESSION_TIME, u->seconds);
	if (u->event == RADIUS_STOP)
		put_number(w, ACCT_TERMINATE_CAUSE, u->cause);
}

/* Its authenticator is a signature, over zeros in its own place (RFC 2866 3). */
bool
radius_account(struct radius_request *q, uint8_t id, const char *secret,
    const struct radius_usage *usage, const struct radius_facts *facts)
{
	static const uint8_t zero[RADIUS_AUTHENTICATOR];
	struct wr w = begin(q, ACCOUNTING_REQUEST, id, zero);
	struct digest_part parts[] = { { q->bytes, 0 }, { secret, strlen(secret) } };
	uint8_t authenticator[MD5];

	put_usage(&w, usage);
	put_facts(&w, facts);
	if (!end(q, &w, secret))
		return false;
	parts[0].n = q->n;
	if (!digest_of(DIGEST_MD5, parts, COUNT_OF(parts), authenticator))
		return false;
	memcpy(q->bytes + 4, authenticator, sizeof(authenticator));
	return true;
}

enum radius_got
radius_read_account(
    const uint8_t *bytes, size_t n, const struct radius_request *q, const char *secret)
{
	n = length_of(bytes, n, q);
	if (n == 0 || bytes[0] != ACCOUNTING_RESPONSE)
		return RADIUS_NONE;
	return is_signed(bytes, n, q, secret) ? RADIUS_ANSWER : RADIUS_UNSIGNED;
}
