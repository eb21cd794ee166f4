/* SPDX-License-Identifier: Apache-2.0 */
/* proto/proxy_read.c -- reading the header of the PROXY protocol. */
#include "proto/proxy_read.h"

#include "base/rd.h"
#include "base/text.h"
#include "proto/proxy_header.h"

#include <arpa/inet.h>
#include <string.h>

static enum proxy_read
bad(struct proxy_heard *out, const char *why)
{
	out->why = why;
	return PROXY_READ_BAD;
}

/* ---- version 1, doc/proxy-protocol.txt 2.1 ---- */

/* The next word of a line in which exactly one blank stands between two.  False: there is none. */
static bool
next_word(char **line, const char **word)
{
	char *blank;

	if (*line == NULL)
		return false;
	*word = *line;
	if ((blank = strchr(*line, ' ')) != NULL)
		*blank++ = '\0';
	*line = blank;
	return **word != '\0';
}

/* inet_pton(3) has no leading zeros either. */
static bool
read_endpoint(const char *family, const char *host, const char *port, struct addr *out)
{
	bool six = strcmp(family, "TCP6") == 0;
	uint16_t number;

	*out = (struct addr){ .sa.sa_family = six ? AF_INET6 : AF_INET };
	out->len = six ? sizeof(out->in6) : sizeof(out->in);
	if (port[0] == '0' || !text_port(port, &number))
		return false;
	addr_set_port(out, number);
	return inet_pton(out->sa.sa_family, host,
		   six ? (void *)&out->in6.sin6_addr : (void *)&out->in.sin_addr) == 1;
}

static enum proxy_read
read_line(char *line, struct proxy_heard *out)
{
	const char *word[6];

	/* "The receiver must ignore anything presented before the CRLF." */
	if (strcmp(line, "PROXY UNKNOWN") == 0 || strncmp(line, "PROXY UNKNOWN ", 14) == 0)
		return PROXY_READ_DONE;
	for (size_t i = 0; i < COUNT_OF(word); i++)
		if (!next_word(&line, &word[i]))
			return bad(out, "a word is missing in version 1");
	if (line != NULL)
		return bad(out, "there are more than six words in version 1");
	if (strcmp(word[1], "TCP4") != 0 && strcmp(word[1], "TCP6") != 0)
		return bad(out, "version 1 knows TCP4, TCP6 and UNKNOWN");
	if (!read_endpoint(word[1], word[2], word[4], &out->client) ||
	    !read_endpoint(word[1], word[3], word[5], &out->accepted)) {
		out->client.len = out->accepted.len = 0;
		return bad(out, "an address or port of version 1 is none");
	}
	return PROXY_READ_DONE;
}

static enum proxy_read
read_v1(const uint8_t *p, size_t n, struct proxy_heard *out)
{
	size_t most = n < PROXY_HEADER_V1_MAX ? n : PROXY_HEADER_V1_MAX;
	const uint8_t *end = memchr(p, '\r', most);
	char line[PROXY_HEADER_V1_MAX + 1];
	size_t len = end == NULL ? most : (size_t)(end - p);

	if (memchr(p, '\0', len) != NULL || memchr(p, '\n', len) != NULL)
		return bad(out, "version 1 is a line that ends in CR and LF");
	/* The LF must still be within the limit. */
	if (end == NULL ? n >= PROXY_HEADER_V1_MAX - 1 : len > PROXY_HEADER_V1_MAX - 2)
		return bad(out, "the line of version 1 is longer than 107 bytes");
	if (end == NULL || len + 1 == n)
		return PROXY_READ_MORE;
	if (p[len + 1] != '\n')
		return bad(out, "version 1 is a line that ends in CR and LF");
	memcpy(line, p, len);
	line[len] = '\0';
	out->used = len + 2;
	return read_line(line, out);
}

/* ---- version 2, doc/proxy-protocol.txt 2.2 ---- */

enum {
	V2_HEAD = 16,
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	TLV_CRC32C = 0x03,
	CRC_SIZE = 4,
};

/* What stands in front of the TLVs, by the byte that says so. */
static const struct family {
	uint8_t code;
	uint8_t size; /* of both addresses and both ports */
	uint8_t family;
} families[] = {
	{ 0x00, 0, AF_UNSPEC }, { 0x11, 12, AF_INET }, { 0x21, 36, AF_INET6 },
	{ 0x31, 216, AF_UNIX }, /* of another machine: says nothing here */
};

static const struct family *
find_family(uint8_t code)
{
	for (size_t i = 0; i < COUNT_OF(families); i++)
		if (families[i].code == code)
			return &families[i];
	return NULL;
}

static struct addr
endpoint_of(const struct family *f, const uint8_t *host, uint16_t port)
{
	struct addr a = { .sa.sa_family = f->family };

	a.len = f->family == AF_INET ? sizeof(a.in) : sizeof(a.in6);
	memcpy(f->family == AF_INET ? (void *)&a.in.sin_addr : (void *)&a.in6.sin6_addr, host,
	    f->family == AF_INET ? 4 : 16);
	addr_set_port(&a, port);
	return a;
}

static void
read_addresses(struct rd *r, const struct family *f, struct proxy_heard *out)
{
	size_t size = f->family == AF_INET ? 4 : 16;
	const uint8_t *from, *to;
	uint16_t from_port, to_port;

	if (f->family != AF_INET && f->family != AF_INET6) {
		rd_bytes(r, f->size);
		return;
	}
	from = rd_bytes(r, size);
	to = rd_bytes(r, size);
	from_port = rd_u16(r);
	to_port = rd_u16(r);
	if (r->bad)
		return;
	out->client = endpoint_of(f, from, from_port);
	out->accepted = endpoint_of(f, to, to_port);
}

/* Over the header with zeros in the checksum's place. */
static bool
crc_is_right(const uint8_t *header, size_t n, const uint8_t *field)
{
	static const uint8_t zeros[CRC_SIZE];
	size_t before = (size_t)(field - header);
	struct rd r = rd_of(field, CRC_SIZE);
	uint32_t crc = proxy_header_crc32c(0, header, before);

	crc = proxy_header_crc32c(crc, zeros, CRC_SIZE);
	crc = proxy_header_crc32c(crc, field + CRC_SIZE, n - before - CRC_SIZE);
	return crc == rd_uint(&r, CRC_SIZE);
}

static enum proxy_read
read_tlvs(const uint8_t *header, size_t n, struct rd *r, struct proxy_heard *out)
{
	const uint8_t *crc = NULL;

	out->tlvs = r->p;
	out->tlvs_len = rd_left(r);
	while (rd_left(r) > 0) {
		uint8_t type = rd_u8(r);
		struct rd value = rd_block(r, 2);

		if (r->bad)
			return bad(out, "a TLV reaches beyond the header");
		if (type != TLV_CRC32C)
			continue;
		if (crc != NULL || rd_left(&value) != CRC_SIZE)
			return bad(out, "there are two checksums, or one is not of four bytes");
		crc = value.p;
	}
	if (crc != NULL && !crc_is_right(header, n, crc))
		return bad(out, "the checksum is wrong");
	return PROXY_READ_DONE;
}

static enum proxy_read
read_v2(const uint8_t *p, size_t n, struct proxy_heard *out)
{
	struct rd r = rd_of(p, n);
	const struct family *f;
	uint8_t command;
	size_t length;

	if (n > PROXY_HEADER_SIGNATURE && p[PROXY_HEADER_SIGNATURE] != V2_LOCAL &&
	    p[PROXY_HEADER_SIGNATURE] != V2_PROXY)
		return bad(out, "it is neither LOCAL nor PROXY of version 2");
	if (n < V2_HEAD)
		return PROXY_READ_MORE;
	rd_bytes(&r, PROXY_HEADER_SIGNATURE);
	command = rd_u8(&r);
	f = find_family(rd_u8(&r));
	length = rd_u16(&r);
	if (length > PROXY_READ_MAX - V2_HEAD)
		return bad(out, "it is longer than 4096 bytes");
	/* The sender's own connection; what stands behind it is to be skipped. */
	if (command == V2_PROXY && (f == NULL || length < f->size))
		return bad(out, "the family is none of a stream, or too short for its addresses");
	if (n - V2_HEAD < length)
		return PROXY_READ_MORE;
	out->used = V2_HEAD + length;
	if (command == V2_LOCAL)
		return PROXY_READ_DONE;
	r = rd_of(p + V2_HEAD, length);
	read_addresses(&r, f, out);
	return read_tlvs(p, out->used, &r, out);
}

enum proxy_read
proxy_read(const uint8_t *p, size_t n, struct proxy_heard *out)
{
	static const uint8_t v1[] = { 'P', 'R', 'O', 'X', 'Y', ' ' };

	*out = (struct proxy_heard){ 0 };
	if (memcmp(p, v1, n < sizeof(v1) ? n : sizeof(v1)) == 0)
		return n <= sizeof(v1) ? PROXY_READ_MORE : read_v1(p, n, out);
	if (memcmp(p, proxy_header_signature,
		n < PROXY_HEADER_SIGNATURE ? n : PROXY_HEADER_SIGNATURE) == 0)
		return n <= PROXY_HEADER_SIGNATURE ? PROXY_READ_MORE : read_v2(p, n, out);
	return bad(out, "it begins with something else");
}
