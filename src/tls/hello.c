/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/hello.c -- a look at the ClientHello before anything is spent on it.
 *
 * The answer to a longer input never contradicts the answer to its beginning: what is decided is
 * decided by the bytes before it, so it does not matter how the network cut them.
 */
#include "tls/hello.h"

#include "base/check.h"
#include "base/rd.h"

#include <ctype.h>
#include <string.h>

enum {
	RECORD_HANDSHAKE = 22, /* RFC 8446 5.1 */
	RECORD_HEADER = 5,
	RECORD_MAX = 1 << 14,
	CLIENT_HELLO = 1, /* RFC 8446 4 */
	MESSAGE_HEADER = 4,
	RANDOM = 32,
	SESSION_ID_MAX = 32,
	SSL2_HEADER = 2,
	SSL2_HELLO_MIN = 9, /* type, version and three lengths */

	EXT_SNI = 0,	   /* RFC 6066 3 */
	EXT_ALPN = 16,	   /* RFC 7301 3.1 */
	EXT_VERSIONS = 43, /* RFC 8446 4.2.1 */
	SNI_HOST_NAME = 0,
};

/* ---- is it TLS at all? ---- */

/* RFC 9110 9.3, RFC 5789, and the preface of HTTP/2 (RFC 9113 3.4). */
static const char *const http_methods[] = { "GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ",
	"OPTIONS ", "TRACE ", "PATCH ", "PRI " };

static enum hello_result
read_other(const uint8_t *p, size_t n)
{
	enum hello_result result = HELLO_NOT_TLS;

	for (size_t i = 0; i < COUNT_OF(http_methods); i++) {
		size_t length = strlen(http_methods[i]);

		if (memcmp(p, http_methods[i], n < length ? n : length) != 0)
			continue;
		if (n >= length)
			return HELLO_HTTP;
		result = HELLO_MORE;
	}
	return result;
}

/* RFC 5246 E.2: the hello of SSL 2 with a newer version in it.  OpenSSL decides about it. */
static enum hello_result
read_ssl2(const uint8_t *p, size_t n, struct hello *out)
{
	struct rd r = rd_of(p, n);
	size_t length = rd_u16(&r) & 0x7fff;
	uint8_t type = rd_u8(&r);
	uint16_t version = rd_u16(&r);

	if (n > SSL2_HEADER && type != CLIENT_HELLO)
		return HELLO_NOT_TLS;
	if (n >= SSL2_HEADER && length < SSL2_HELLO_MIN)
		return HELLO_NOT_TLS;
	if (n < SSL2_HEADER + SSL2_HELLO_MIN || n - SSL2_HEADER < length)
		return HELLO_MORE;
	out->version_max = version;
	return HELLO_DONE;
}

/* ---- the message out of its records ---- */

/* A message on its way out of the records. */
struct message {
	uint8_t bytes[HELLO_MAX];
	size_t have;
	size_t need; /* its header at first, then all of it */
};

/* Take what one record's payload holds of the message.  False: not a ClientHello, or too long. */
static bool
message_take(struct message *m, struct rd *payload)
{
	while (rd_left(payload) > 0 && m->have < m->need) {
		size_t n =
		    rd_left(payload) < m->need - m->have ? rd_left(payload) : m->need - m->have;

		memcpy(m->bytes + m->have, rd_bytes(payload, n), n);
		m->have += n;
		if (m->bytes[0] != CLIENT_HELLO)
			return false;
		if (m->have == MESSAGE_HEADER) {
			struct rd header = rd_of(m->bytes + 1, MESSAGE_HEADER - 1);

			m->need = MESSAGE_HEADER + rd_u24(&header);
			if (m->need > sizeof(m->bytes))
				return false;
		}
	}
	return true;
}

/* A record's header: type, version, length; no handshake record is empty (RFC 8446 5.1). */
static bool
header_is_good(const uint8_t *p, size_t n)
{
	struct rd r = rd_of(p, n);

	if (n >= 1 && rd_u8(&r) != RECORD_HANDSHAKE)
		return false;
	if (n >= 2 && rd_u8(&r) != 3)
		return false;
	if (n >= RECORD_HEADER) {
		size_t length;

		rd_u8(&r);
		length = rd_u16(&r);
		return length > 0 && length <= RECORD_MAX;
	}
	return true;
}

static enum hello_result
gather(const uint8_t *p, size_t n, struct message *m)
{
	struct rd r = rd_of(p, n < HELLO_MAX ? n : HELLO_MAX);

	m->have = 0;
	m->need = MESSAGE_HEADER;
	while (m->have < m->need) {
		size_t left = rd_left(&r), length;
		struct rd payload;

		if (!header_is_good(r.p, left))
			return HELLO_BAD;
		if (left < RECORD_HEADER)
			break;
		rd_bytes(&r, RECORD_HEADER - 2);
		length = rd_u16(&r);
		if (length > rd_left(&r))
			length = rd_left(&r);
		payload = rd_of(rd_bytes(&r, length), length);
		if (!message_take(m, &payload))
			return HELLO_BAD;
	}
	if (m->have == m->need)
		return HELLO_DONE;
	return n >= HELLO_MAX ? HELLO_BAD : HELLO_MORE;
}

/* ---- the message itself ---- */

/*
 * One name, as OpenSSL insists too; bytes that no host name has are refused rather than read in one
 * way here and in another behind us.
 */
bool
hello_read_sni(const uint8_t *p, size_t size, char out[SNI_MAX + 1])
{
	struct rd body = rd_of(p, size);
	struct rd list = rd_block(&body, 2);
	uint8_t type = rd_u8(&list);
	struct rd name = rd_block(&list, 2);
	size_t n = rd_left(&name);

	if (list.bad || rd_left(&body) > 0 || rd_left(&list) > 0 || type != SNI_HOST_NAME ||
	    n == 0 || n > SNI_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = rd_u8(&name);

		if (c <= ' ' || c > '~')
			return false;
		out[i] = (char)tolower(c);
	}
	if (out[n - 1] == '.') /* RFC 6066 3 wants it without */
		n--;
	out[n] = '\0';
	return n > 0;
}

static bool
read_sni(struct rd body, struct hello *out)
{
	return hello_read_sni(body.p, rd_left(&body), out->sni);
}

/* Keeps the first names that fit; no client in use offers more. */
static bool
read_alpn(struct rd body, struct hello *out)
{
	struct rd list = rd_block(&body, 2);
	const uint8_t *start = list.p;

	if (list.bad || rd_left(&body) > 0 || rd_left(&list) == 0)
		return false;
	while (rd_left(&list) > 0) {
		struct rd name = rd_block(&list, 1);

		if (rd_left(&name) == 0)
			return false;
		if ((size_t)(list.p - start) <= sizeof(out->alpn))
			out->alpn_len = (size_t)(list.p - start);
	}
	memcpy(out->alpn, start, out->alpn_len);
	return true;
}

/* Replaces legacy_version; values with another first byte are GREASE (RFC 8701) or drafts. */
static bool
read_versions(struct rd body, struct hello *out)
{
	struct rd list = rd_block(&body, 1);
	uint16_t highest = 0;

	if (list.bad || rd_left(&body) > 0 || rd_left(&list) < 2)
		return false;
	while (rd_left(&list) > 0) {
		uint16_t version = rd_u16(&list);

		if (version >> 8 == 3 && version > highest)
			highest = version;
	}
	out->version_max = highest;
	return !list.bad;
}

static const struct {
	uint16_t type;
	bool (*read)(struct rd body, struct hello *);
} extensions[] = {
	{ EXT_SNI, read_sni },
	{ EXT_ALPN, read_alpn },
	{ EXT_VERSIONS, read_versions },
};

static bool
read_extensions(struct rd *r, struct hello *out)
{
	struct rd all = rd_block(r, 2);
	unsigned seen = 0;

	if (all.bad)
		return false;
	while (rd_left(&all) > 0) {
		uint16_t type = rd_u16(&all);
		struct rd body = rd_block(&all, 2);

		if (all.bad)
			return false;
		for (unsigned i = 0; i < COUNT_OF(extensions); i++) {
			if (extensions[i].type != type)
				continue;
			/* RFC 8446 4.2: not twice, or two readers may take two different ones. */
			if ((seen & 1u << i) != 0 || !extensions[i].read(body, out))
				return false;
			seen |= 1u << i;
		}
	}
	return true;
}

/* RFC 8446 4.1.2 */
static bool
read_message(const struct message *m, struct hello *out)
{
	struct rd r = rd_of(m->bytes + MESSAGE_HEADER, m->need - MESSAGE_HEADER);
	uint16_t version = rd_u16(&r);
	struct rd session, ciphers, compression;

	rd_bytes(&r, RANDOM);
	session = rd_block(&r, 1);
	ciphers = rd_block(&r, 2);
	compression = rd_block(&r, 1);
	if (r.bad || version >> 8 != 3 || rd_left(&session) > SESSION_ID_MAX ||
	    rd_left(&ciphers) < 2 || rd_left(&ciphers) % 2 != 0 || rd_left(&compression) == 0)
		return false;
	/* Without the extension no more than TLS 1.2 is meant (RFC 8446 4.2.1). */
	out->version_max = version > 0x0303 ? 0x0303 : version;
	if (rd_left(&r) == 0)
		return true; /* a client from before extensions */
	return read_extensions(&r, out) && rd_left(&r) == 0;
}

enum hello_result
hello_read(const uint8_t *p, size_t n, struct hello *out)
{
	struct message m;
	enum hello_result result;

	memset(out, 0, sizeof(*out));
	if (n == 0)
		return HELLO_MORE;
	if ((p[0] & 0x80) != 0)
		return read_ssl2(p, n, out);
	if (p[0] != RECORD_HANDSHAKE || (n >= 2 && p[1] != 3))
		return read_other(p, n);
	result = gather(p, n, &m);
	if (result == HELLO_DONE && !read_message(&m, out))
		return HELLO_BAD;
	return result;
}
