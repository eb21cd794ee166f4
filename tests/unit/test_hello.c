/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_hello.c -- real hellos, bad ones, and every way of cutting them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "tls/hello.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 2 * HELLO_MAX };

struct bytes {
	uint8_t v[ROOM];
	size_t n;
};

static void
put(struct bytes *b, const void *p, size_t n)
{
	assert_true(b->n + n <= sizeof(b->v));
	memcpy(b->v + b->n, p, n);
	b->n += n;
}

static void
put_uint(struct bytes *b, size_t value, size_t size)
{
	while (size-- > 0)
		put(b, &(uint8_t){ (uint8_t)(value >> 8 * size) }, 1);
}

/* What OpenSSL sends first. */
static void
real_hello(struct bytes *b, const char *sni, int version, const char *alpn)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	BIO *out = BIO_new(BIO_s_mem());
	char *data;
	long n;

	SSL_CTX_set_security_level(ctx, 0);
	assert_true(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION));
	assert_true(SSL_CTX_set_max_proto_version(ctx, version));
	ssl = SSL_new(ctx);
	if (sni != NULL)
		assert_true(SSL_set_tlsext_host_name(ssl, sni));
	if (alpn != NULL)
		assert_int_equal(
		    SSL_set_alpn_protos(ssl, (const uint8_t *)alpn, (unsigned)strlen(alpn)), 0);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	SSL_set_connect_state(ssl);
	SSL_do_handshake(ssl);
	n = BIO_get_mem_data(out, &data);
	b->n = 0;
	put(b, data, (size_t)n);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

/* Wrap a message into records of at most `size` bytes. */
static void
put_records(struct bytes *to, const uint8_t *message, size_t n, size_t size)
{
	for (size_t at = 0; at < n; at += size) {
		size_t part = n - at < size ? n - at : size;

		put(to, (uint8_t[]){ 22, 3, 1 }, 3);
		put_uint(to, part, 2);
		put(to, message + at, part);
	}
}

/* A hello with the extension block `ext`; NULL: none. */
static void
make_hello(struct bytes *b, const struct bytes *ext)
{
	static struct bytes body, message;

	body.n = message.n = 0;
	put_uint(&body, 0x0303, 2);
	put(&body, (uint8_t[32]){ 0 }, 32);
	put_uint(&body, 0, 1);
	put(&body, (uint8_t[]){ 0, 2, 0x13, 0x01, 1, 0 }, 6);
	if (ext != NULL) {
		put_uint(&body, ext->n, 2);
		put(&body, ext->v, ext->n);
	}
	put_uint(&message, 1, 1);
	put_uint(&message, body.n, 3);
	put(&message, body.v, body.n);
	b->n = 0;
	put_records(b, message.v, message.n, 1 << 14);
}

static void
put_sni(struct bytes *ext, const char *name, size_t n)
{
	put_uint(ext, 0, 2);
	put_uint(ext, n + 5, 2);
	put_uint(ext, n + 3, 2);
	put_uint(ext, 0, 1);
	put_uint(ext, n, 2);
	put(ext, name, n);
}

/* The result for the whole, after checking that every beginning agrees with it. */
static enum hello_result
read_cut(const struct bytes *b, struct hello *out)
{
	enum hello_result whole = hello_read(b->v, b->n, out), result;
	struct hello part;
	uint8_t *copy;

	for (size_t n = 0; n < b->n; n++) {
		/* A copy of just that size lets the sanitizer see a read past the end. */
		copy = malloc(n > 0 ? n : 1);
		memcpy(copy, b->v, n);
		result = hello_read(copy, n, &part);
		free(copy);
		if (result != HELLO_MORE && result != whole)
			fail_msg("%zu of %zu bytes: %d, and then %d", n, b->n, result, whole);
		if (result == HELLO_DONE)
			assert_memory_equal(&part, out, sizeof(part));
	}
	return whole;
}

static void
openssl_is_understood(void **state)
{
	static struct bytes b;
	struct hello h;

	(void)state;
	real_hello(&b, "Mail.Example", TLS1_3_VERSION, "\2h2\10http/1.1");
	assert_int_equal(read_cut(&b, &h), HELLO_DONE);
	assert_string_equal(h.sni, "mail.example");
	assert_int_equal(h.version_max, 0x0304);
	assert_int_equal(h.alpn_len, 12);
	assert_memory_equal(h.alpn, "\2h2\10http/1.1", 12);

	real_hello(&b, NULL, TLS1_2_VERSION, NULL);
	assert_int_equal(read_cut(&b, &h), HELLO_DONE);
	assert_string_equal(h.sni, "");
	assert_int_equal(h.version_max, 0x0303);
	assert_int_equal(h.alpn_len, 0);

	real_hello(&b, "a", TLS1_VERSION, NULL);
	assert_int_equal(read_cut(&b, &h), HELLO_DONE);
	assert_int_equal(h.version_max, 0x0301);
}

static void
add_to(uint8_t *field, size_t size, size_t n)
{
	for (; size-- > 0; n >>= 8) {
		n += field[size];
		field[size] = (uint8_t)n;
	}
}

/* One extension more at the end of a hello in one record. */
static void
put_extension(struct bytes *b, uint16_t type, const void *body, size_t n)
{
	uint8_t *at = b->v + 5 + 4 + 2 + 32; /* record, message, version, random */

	at += 1 + at[0];
	at += 2 + (at[0] << 8 | at[1]);
	at += 1 + at[0];
	put_uint(b, type, 2);
	put_uint(b, n, 2);
	put(b, body, n);
	add_to(at, 2, 4 + n);
	add_to(b->v + 6, 3, 4 + n);
	add_to(b->v + 3, 2, 4 + n);
}

/* With Encrypted ClientHello the name outside is the one to go by; so it is with GREASE. */
static void
the_outer_name_counts(void **state)
{
	/* outer, HKDF-SHA256 with AES-128-GCM, config id, enc, payload */
	static const uint8_t ech[] = { 0, 0, 1, 0, 1, 42, 0, 2, 'e', 'n', 0, 9, 's', 'e', 'c', 'r',
		'e', 't', '.', 'x', 'y' };
	static struct bytes b;
	struct hello h;

	(void)state;
	real_hello(&b, "public.example", TLS1_3_VERSION, NULL);
	put_extension(&b, 0xfe0d, ech, sizeof(ech));
	put_extension(&b, 0x1a1a, "", 0); /* RFC 8701 */
	assert_int_equal(read_cut(&b, &h), HELLO_DONE);
	assert_string_equal(h.sni, "public.example");
	assert_int_equal(h.version_max, 0x0304);
}

static void
records_may_cut_anywhere(void **state)
{
	static struct bytes whole, b;
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 7, 100, 255 };
	struct hello want, h;

	(void)state;
	real_hello(&whole, "mail.example", TLS1_3_VERSION, NULL);
	assert_int_equal(hello_read(whole.v, whole.n, &want), HELLO_DONE);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		b.n = 0;
		put_records(&b, whole.v + 5, whole.n - 5, sizes[i]);
		assert_int_equal(read_cut(&b, &h), HELLO_DONE);
		assert_memory_equal(&h, &want, sizeof(h));
	}
	/* What follows is not ours to judge. */
	put(&b, "more", 4);
	assert_int_equal(hello_read(b.v, b.n, &h), HELLO_DONE);
}

static void
a_bare_hello_is_enough(void **state)
{
	static struct bytes b;
	struct hello h;

	(void)state;
	make_hello(&b, NULL);
	assert_int_equal(read_cut(&b, &h), HELLO_DONE);
	assert_int_equal(h.version_max, 0x0303);
	make_hello(&b, &(struct bytes){ .n = 0 });
	assert_int_equal(read_cut(&b, &h), HELLO_DONE);
}

static void
names_have_limits(void **state)
{
	static struct bytes b, ext;
	char name[SNI_MAX + 2];
	struct hello h;

	(void)state;
	memset(name, 'a', sizeof(name));
	for (size_t n = 0; n <= SNI_MAX + 1; n++) {
		ext.n = 0;
		put_sni(&ext, name, n);
		make_hello(&b, &ext);
		assert_int_equal(
		    hello_read(b.v, b.n, &h), n >= 1 && n <= SNI_MAX ? HELLO_DONE : HELLO_BAD);
		if (n >= 1 && n <= SNI_MAX)
			assert_int_equal(strlen(h.sni), n);
	}
}

static void
long_hellos_have_limits(void **state)
{
	static struct bytes b, ext;
	struct hello h;

	(void)state;
	/* One huge unknown extension: legal, and over several records. */
	ext.n = 0;
	put_uint(&ext, 0xfafa, 2);
	put_uint(&ext, 60000, 2);
	put(&ext, (uint8_t[60000]){ 0 }, 60000);
	make_hello(&b, &ext);
	assert_int_equal(hello_read(b.v, b.n, &h), HELLO_DONE);
	assert_int_equal(hello_read(b.v, b.n - 1, &h), HELLO_MORE);

	/* The same in records of one byte does not fit: refused before memory is spent on it. */
	static struct bytes tiny;
	tiny.n = 0;
	put_records(&tiny, b.v + 5, 11000, 1);
	assert_int_equal(hello_read(tiny.v, HELLO_MAX - 1, &h), HELLO_MORE);
	assert_int_equal(hello_read(tiny.v, HELLO_MAX, &h), HELLO_BAD);

	/* A length that can never be met is refused at once. */
	assert_int_equal(
	    hello_read((const uint8_t *)"\x16\3\1\x40\0\1\xff\xff\xff", 9, &h), HELLO_BAD);
}

static void
versions_are_read_as_the_rfc_says(void **state)
{
	static const struct {
		const char *list;
		size_t n;
		int want;
	} rows[] = {
		{ "\x03\x04\x03\x03", 4, 0x0304 },
		{ "\x03\x03\x03\x04", 4, 0x0304 },
		{ "\xfa\xfa\x03\x03", 4, 0x0303 }, /* GREASE */
		{ "\x7f\x1c\x03\x02", 4, 0x0302 }, /* a draft of 1.3 */
		{ "", 0, -1 },
		{ "\x03", 1, -1 },
		{ "\x03\x04\x03", 3, -1 },
	};
	static struct bytes b, ext;
	struct hello h;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum hello_result result;

		ext.n = 0;
		put_uint(&ext, 43, 2);
		put_uint(&ext, rows[i].n + 1, 2);
		put_uint(&ext, rows[i].n, 1);
		put(&ext, rows[i].list, rows[i].n);
		make_hello(&b, &ext);
		result = read_cut(&b, &h);
		assert_int_equal(result, rows[i].want < 0 ? HELLO_BAD : HELLO_DONE);
		if (rows[i].want >= 0)
			assert_int_equal(h.version_max, rows[i].want);
	}
}

/* Extension blocks that are wrong, each in one way. */
static void
bad_extensions_are_refused(void **state)
{
#define ROW(s) \
	{ \
		s, sizeof(s) - 1 \
	}
	static const struct {
		const char *ext;
		size_t n;
	} rows[] = {
		ROW("\0"),				       /* half a type */
		ROW("\0\x17\0\1"),			       /* length past the end */
		ROW("\0\0\0\0"),			       /* SNI without a list */
		ROW("\0\0\0\2\0\0"),			       /* ... with an empty one */
		ROW("\0\0\0\6\0\4\1\0\1a"),		       /* ... of another type */
		ROW("\0\0\0\7\0\4\0\0\1ab"),		       /* ... with a byte behind the list */
		ROW("\0\0\0\7\0\5\0\0\1ab"),		       /* ... with a byte behind the name */
		ROW("\0\0\0\12\0\10\0\0\1a\0\0\1b"),	       /* two names */
		ROW("\0\0\0\7\0\5\0\0\2a\0"),		       /* NUL in the name */
		ROW("\0\0\0\7\0\5\0\0\2a "),		       /* a blank in it */
		ROW("\0\0\0\7\0\5\0\0\2a\x80"),		       /* not ASCII */
		ROW("\0\0\0\6\0\4\0\0\1a\0\0\0\6\0\4\0\0\1a"), /* the extension twice */
		ROW("\0\x10\0\2\0\0"),			       /* ALPN without a name */
		ROW("\0\x10\0\3\0\1\0"),		       /* ... with an empty one */
		ROW("\0\x10\0\4\0\2\5h"),		       /* ... with one past the end */
	};
#undef ROW
	static struct bytes b, ext;
	struct hello h;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		ext.n = 0;
		put(&ext, rows[i].ext, rows[i].n);
		make_hello(&b, &ext);
		if (read_cut(&b, &h) != HELLO_BAD)
			fail_msg("row %zu was taken", i);
	}
}

static void
a_long_alpn_list_is_cut_at_a_name(void **state)
{
	static struct bytes b, ext;
	struct hello h;

	(void)state;
	ext.n = 0;
	put_uint(&ext, 16, 2);
	put_uint(&ext, 2 + 30 * 10, 2);
	put_uint(&ext, 30 * 10, 2);
	for (int i = 0; i < 30; i++)
		put(&ext, "\11protocol0", 10);
	make_hello(&b, &ext);
	assert_int_equal(hello_read(b.v, b.n, &h), HELLO_DONE);
	assert_int_equal(h.alpn_len, 250);
}

static void
first_bytes_tell_what_it_is(void **state)
{
#define ROW(s, want) \
	{ \
		s, sizeof(s) - 1, want \
	}
	static const struct {
		const char *bytes;
		size_t n;
		enum hello_result want;
	} rows[] = {
		ROW("", HELLO_MORE),
		ROW("G", HELLO_MORE),
		ROW("GET", HELLO_MORE),
		ROW("GET ", HELLO_HTTP),
		ROW("GET / HTTP/1.1\r\n\r\n", HELLO_HTTP),
		ROW("OPTIONS * HTTP/1.1\r\n", HELLO_HTTP),
		ROW("PRI * HTTP/2.0\r\n", HELLO_HTTP),
		ROW("get / HTTP/1.1", HELLO_NOT_TLS),
		ROW("GETS", HELLO_NOT_TLS),
		ROW("SSH-2.0-x", HELLO_NOT_TLS),
		ROW("EHLO a", HELLO_NOT_TLS),
		ROW("\0", HELLO_NOT_TLS),
		ROW("\x15\3\1\0\2\1\0", HELLO_NOT_TLS), /* an alert is no greeting */
		ROW("\x16", HELLO_MORE),
		ROW("\x16\3", HELLO_MORE),
		ROW("\x16\2", HELLO_NOT_TLS),
		ROW("\x16\3\1\0\0", HELLO_BAD),		  /* an empty record */
		ROW("\x16\3\1\x40\1", HELLO_BAD),	  /* a record too long */
		ROW("\x16\3\1\0\4\2", HELLO_BAD),	  /* a ServerHello */
		ROW("\x16\3\1\0\1\1\x17\3\1", HELLO_BAD), /* data in the middle of it */
		ROW("\x16\3\1\0\1\1\x16\2", HELLO_BAD),
		ROW("\x16\3\1\0\4\1\0\0\0", HELLO_BAD), /* an empty hello */
		ROW("\x80\x0c\1\3", HELLO_MORE),
		ROW("\x80\x0c\1\3\1\0\3\0\0\0\0\0\1\2", HELLO_DONE), /* SSL 2 form */
		ROW("\x80\x0c\2\3\1", HELLO_NOT_TLS),
		ROW("\x80\x03\1\3\1", HELLO_NOT_TLS),
	};
#undef ROW
	static struct bytes b;
	struct hello h;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum hello_result result;

		b.n = 0;
		put(&b, rows[i].bytes, rows[i].n);
		result = read_cut(&b, &h);
		if (result != rows[i].want)
			fail_msg("row %zu: %d, not %d", i, result, rows[i].want);
	}
	assert_int_equal(
	    hello_read((const uint8_t *)"\x80\x0c\1\3\1\0\3\0\0\0\0\0\1\2", 14, &h), HELLO_DONE);
	assert_int_equal(h.version_max, 0x0301);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_is_understood),
		cmocka_unit_test(the_outer_name_counts),
		cmocka_unit_test(records_may_cut_anywhere),
		cmocka_unit_test(a_bare_hello_is_enough),
		cmocka_unit_test(names_have_limits),
		cmocka_unit_test(long_hellos_have_limits),
		cmocka_unit_test(versions_are_read_as_the_rfc_says),
		cmocka_unit_test(bad_extensions_are_refused),
		cmocka_unit_test(a_long_alpn_list_is_cut_at_a_name),
		cmocka_unit_test(first_bytes_tell_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
