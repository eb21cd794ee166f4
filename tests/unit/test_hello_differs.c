/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_hello_differs.c -- two readers of one hello: a hundred thousand that were
 * tampered with, and OpenSSL behind us must not see another name, or another ALPN, than we did.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "tls/hello.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	ROUNDS = 100 * 1000,
	ROOM = 4096,
	RECORD_HEADER = 5,
	MESSAGE_HEADER = 4,
	/* Where the extensions of OpenSSL's hellos begin: version, random, a session of 32 bytes.
	 */
	EXT_ALPN = 16, /* RFC 7301 6 */
	PIECES_MAX = 4,
};

struct bytes {
	uint8_t v[ROOM];
	size_t n;
};

/* The same in every run: a failure can be looked at again. */
static uint64_t seed = 0x6a09e667f3bcc908u;

static uint32_t
draw(uint32_t below)
{
	seed ^= seed << 13; /* Marsaglia's xorshift */
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % below;
}

/* ---- hellos ---- */

/* The message alone, without its record. */
static void
make_hello(struct bytes *b, const char *sni, int version, const char *alpn)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	BIO *out = BIO_new(BIO_s_mem());
	char *data;
	SSL *ssl;
	long n;

	SSL_CTX_set_security_level(ctx, 0);
	assert_true(SSL_CTX_set_max_proto_version(ctx, version));
	ssl = SSL_new(ctx);
	assert_true(sni == NULL || SSL_set_tlsext_host_name(ssl, sni));
	assert_true(alpn == NULL ||
		    SSL_set_alpn_protos(ssl, (const uint8_t *)alpn, (unsigned)strlen(alpn)) == 0);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	SSL_set_connect_state(ssl);
	assert_int_equal(SSL_do_handshake(ssl), -1);
	n = BIO_get_mem_data(out, &data);
	assert_true(n > RECORD_HEADER && n < ROOM);
	b->n = (size_t)n - RECORD_HEADER;
	memcpy(b->v, data + RECORD_HEADER, b->n);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ERR_clear_error();
}

static void
insert(struct bytes *b, size_t at, const uint8_t *p, size_t n)
{
	if (b->n + n > ROOM)
		return;
	memmove(b->v + at + n, b->v + at, b->n - at);
	memcpy(b->v + at, p, n);
	b->n += n;
}

/* One more lie, somewhere. */
static void
tamper(struct bytes *b)
{
	size_t at = draw((uint32_t)b->n), n = 1 + draw(16);
	uint8_t copy[16];

	if (n > b->n - at)
		n = b->n - at;
	memcpy(copy, b->v + at, n);
	switch (draw(6)) {
	case 0:
		b->v[at] ^= (uint8_t)(1u << draw(8));
		break;
	case 1:
		b->v[at] = (uint8_t)draw(256);
		break;
	case 2: /* lengths are off by little */
		b->v[at] += draw(2) == 0 ? 1 : 255;
		break;
	case 3: /* something comes twice, here or elsewhere */
		insert(b, draw(2) == 0 ? at : draw((uint32_t)b->n), copy, n);
		break;
	case 4:
		memmove(b->v + at, b->v + at + n, b->n - at - n);
		b->n -= n;
		break;
	default:
		b->v[at] = b->v[draw((uint32_t)b->n)];
	}
}

static void
put_length(uint8_t *p, size_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

/* Where the length of all extensions stands; 0: not found. */
static size_t
extensions_at(const struct bytes *b)
{
	size_t at = MESSAGE_HEADER + 2 + 32;

	if (at >= b->n)
		return 0;
	at += 1u + b->v[at];
	if (at + 2 > b->n)
		return 0;
	at += 2u + (size_t)(b->v[at] << 8 | b->v[at + 1]);
	if (at >= b->n)
		return 0;
	at += 1u + b->v[at];
	return at + 2 <= b->n ? at : 0;
}

/* Most lies are found out by the outer lengths: with those made true, the inner ones are read. */
static void
make_good(struct bytes *b)
{
	size_t at = extensions_at(b);

	if (b->n > MESSAGE_HEADER)
		put_length(b->v + 1, b->n - MESSAGE_HEADER, 3);
	if (at != 0)
		put_length(b->v + at, b->n - at - 2, 2);
}

/* Into one record, or several. */
static void
frame(const struct bytes *message, struct bytes *out)
{
	size_t done = 0, pieces = 1 + draw(PIECES_MAX);

	out->n = 0;
	while (done < message->n) {
		size_t n = message->n - done;

		if (--pieces > 0 && n > 1)
			n = 1 + draw((uint32_t)n);
		else
			pieces = 1;
		out->v[out->n] = 22;
		out->v[out->n + 1] = 3;
		out->v[out->n + 2] = 1;
		put_length(out->v + out->n + 3, n, 2);
		memcpy(out->v + out->n + RECORD_HEADER, message->v + done, n);
		out->n += RECORD_HEADER + n;
		done += n;
	}
}

/* ---- what OpenSSL's server saw ---- */

static struct {
	bool read; /* all extensions were, and found good */
	char sni[512];
	uint8_t alpn[ROOM];
	size_t alpn_len;
} seen;

/* Before the extensions are read. */
static int
note_alpn(SSL *ssl, int *alert, void *arg)
{
	const unsigned char *p;
	size_t n;

	(void)alert;
	(void)arg;
	if (SSL_client_hello_get0_ext(ssl, EXT_ALPN, &p, &n) == 1 && n > 2) {
		memcpy(seen.alpn, p + 2, n - 2);
		seen.alpn_len = n - 2;
	}
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* Behind them; what would follow costs much, and tells no more. */
static int
note_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)arg;
	seen.read = true;
	(void)snprintf(seen.sni, sizeof(seen.sni), "%s", name != NULL ? name : "");
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void
let_openssl_read(SSL_CTX *ctx, const struct bytes *wire)
{
	SSL *ssl = SSL_new(ctx);

	memset(&seen, 0, offsetof(__typeof__(seen), alpn));
	seen.alpn_len = 0;
	SSL_set_bio(ssl, BIO_new_mem_buf(wire->v, (int)wire->n), BIO_new(BIO_s_null()));
	SSL_set_accept_state(ssl);
	SSL_do_handshake(ssl);
	SSL_free(ssl);
	ERR_clear_error();
}

/* A name as we keep it. */
static bool
is_name(const char *ours, const char *theirs)
{
	size_t n = strlen(theirs);

	if (n > 0 && theirs[n - 1] == '.')
		n--;
	return strlen(ours) == n && strncasecmp(ours, theirs, n) == 0;
}

/* ---- */

static const struct {
	const char *sni;
	int version;
	const char *alpn;
} clients[] = {
	{ "www.example.com", TLS1_3_VERSION, "\2h2\10http/1.1" },
	{ "a.test", TLS1_3_VERSION, NULL },
	{ NULL, TLS1_3_VERSION, "\2h2" },
	{ "Mixed.Case.Example.", TLS1_2_VERSION, "\10http/1.1\6acme/1" },
	{ "b.test", TLS1_VERSION, NULL },
	{ NULL, TLS1_2_VERSION, NULL },
};

static void
both_see_the_same(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	unsigned both = 0, none = 0, only_theirs = 0, names = 0;
	struct bytes hello[COUNT_OF(clients)], message, wire;

	(void)state;
	SSL_CTX_set_security_level(ctx, 0);
	assert_true(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION));
	SSL_CTX_set_client_hello_cb(ctx, note_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, note_name);
	for (size_t i = 0; i < COUNT_OF(clients); i++)
		make_hello(&hello[i], clients[i].sni, clients[i].version, clients[i].alpn);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct hello ours;
		bool done;

		message = hello[round % COUNT_OF(hello)];
		for (uint32_t lies = draw(4); lies > 0; lies--)
			tamper(&message);
		if (draw(4) > 0)
			make_good(&message);
		frame(&message, &wire);
		done = hello_read(wire.v, wire.n, &ours) == HELLO_DONE;
		let_openssl_read(ctx, &wire);
		if (done && seen.read) {
			both++;
			names += ours.sni[0] != '\0';
			if (!is_name(ours.sni, seen.sni))
				fail_msg("round %u: we saw \"%s\", OpenSSL \"%s\"", round, ours.sni,
				    seen.sni);
			if (ours.alpn_len > seen.alpn_len ||
			    (ours.alpn_len != seen.alpn_len &&
				seen.alpn_len <= sizeof(ours.alpn)) || /* or it was cut */
			    memcmp(ours.alpn, seen.alpn, ours.alpn_len) != 0)
				fail_msg("round %u: another ALPN", round);
		}
		none += !done && !seen.read;
		only_theirs += !done && seen.read;
	}
	print_message(
	    "%u read by both, %u by neither, %u by OpenSSL alone\n", both, none, only_theirs);
	/* Otherwise nothing was compared. */
	assert_true(both > ROUNDS / 10 && names > ROUNDS / 20 && none > ROUNDS / 10);
	SSL_CTX_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_see_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
