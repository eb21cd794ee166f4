/* SPDX-License-Identifier: Apache-2.0 */
/* tls/psk.c -- pre-shared keys: PSKsecrets and PSKidentity. */
#include "tls/psk.h"

#include "base/log.h"
#include "base/text.h"
#include "tls/resume.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

enum {
	PSK_TABLE_MAGIC = 0x2f96c1b7,
	KEY_MIN = 16, /* bytes */
	KEY_MAX = PSK_MAX_PSK_LEN,
	IDENTITY_MAX = PSK_MAX_IDENTITY_LEN - 1,
};

struct psk {
	char *identity;
	unsigned char *key;
	size_t size;
	unsigned line;
};

struct psk_table {
	unsigned magic;
	struct psk *v; /* sorted by identity */
	size_t n;
	const struct psk *own; /* what a client uses; into v */
	unsigned char digest[PSK_DIGEST_SIZE];
};

static struct psk_table *
table_of(const struct tls_context *tc)
{
	CHECK_OBJ(tc->psk, PSK_TABLE_MAGIC);
	return tc->psk;
}

/* ---- the file ---- */

static void
psk_done(struct psk *p)
{
	OPENSSL_clear_free(p->key, p->size);
	free(p->identity);
}

/* Hexadecimal digits are the bytes they say; anything else is its own bytes. */
static bool
read_key(struct psk *p, const char *text)
{
	long n = 0;

	p->key = OPENSSL_hexstr2buf(text, &n);
	ERR_clear_error();
	p->size = p->key != NULL ? (size_t)n : strlen(text);
	return p->key != NULL || (p->key = OPENSSL_memdup(text, strlen(text))) != NULL ||
	       *text == '\0';
}

/* One line without its end.  NULL: good; else what is wrong with it, without the key. */
static const char *
read_line(struct psk *p, char *line)
{
	char *colon = strchr(line, ':');

	if (colon == NULL || colon == line)
		return "Not in identity:key format; write IDENTITY:KEY, and no comments";
	*colon = '\0';
	if (strlen(line) > IDENTITY_MAX)
		return "Identity too long; it may have 255 bytes";
	if ((p->identity = strdup(line)) == NULL || !read_key(p, colon + 1))
		return "out of memory";
	if (p->size < KEY_MIN)
		return "Key too short; it needs 16 bytes, which are 32 hexadecimal digits or 16 "
		       "other characters (\"openssl rand -hex 32\" makes one)";
	if (p->size > KEY_MAX)
		return "Key too long; it may have 512 bytes";
	return NULL;
}

/* Make a string of [line, end), without carriage returns.  False: there is a NUL in it. */
static bool
cut_line(char *line, const char *end)
{
	bool text = memchr(line, '\0', (size_t)(end - line)) == NULL;
	char *to = line;

	for (const char *from = line; from < end; from++)
		if (*from != '\r')
			*to++ = *from;
	*to = '\0'; /* where the line's end was, or the NUL behind the file */
	return text;
}

static bool
table_add(struct psk_table *t, const struct psk *p)
{
	struct psk *longer = realloc(t->v, (t->n + 1) * sizeof(*longer));

	if (longer == NULL)
		return false;
	t->v = longer;
	t->v[t->n++] = *p;
	return true;
}

static bool
read_lines(struct psk_table *t, const struct file *f, struct sink *sink)
{
	char *at = f->data, *end = f->data + f->size, *next;

	for (unsigned number = 1; at < end; number++, at = next) {
		struct psk p = { .line = number };
		char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *why = NULL;

		next = newline != NULL ? newline + 1 : end;
		if (!cut_line(at, newline != NULL ? newline : end))
			why = "A NUL byte in it; write text only";
		else if (*at == '\0')
			continue;
		else if ((why = read_line(&p, at)) == NULL && !table_add(t, &p))
			why = "out of memory";
		if (why != NULL) {
			psk_done(&p);
			sink_error(sink, "PSKsecrets", "PSKsecrets line %u: %s", number, why);
			return false;
		}
	}
	if (t->n == 0)
		sink_error(sink, "PSKsecrets",
		    "Failed to read PSK secrets: there are none; write IDENTITY:KEY on each line");
	return t->n > 0;
}

static int
by_identity(const void *a, const void *b)
{
	const struct psk *x = a, *y = b;
	int order = strcmp(x->identity, y->identity);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static bool
are_different(const struct psk_table *t, struct sink *sink)
{
	for (size_t i = 1; i < t->n; i++)
		if (strcmp(t->v[i - 1].identity, t->v[i].identity) == 0) {
			sink_error(sink, "PSKsecrets",
			    "PSKsecrets line %u: the identity of line %u again; write each once",
			    t->v[i].line, t->v[i - 1].line);
			return false;
		}
	return true;
}

static int
against_identity(const void *key, const void *element)
{
	return strcmp(key, ((const struct psk *)element)->identity);
}

static const struct psk *
find(const struct psk_table *t, const char *identity)
{
	return bsearch(identity, t->v, t->n, sizeof(*t->v), against_identity);
}

static const struct psk *
first_of_file(const struct psk_table *t)
{
	const struct psk *first = t->v;

	for (size_t i = 1; i < t->n; i++)
		if (t->v[i].line < first->line)
			first = &t->v[i];
	return first;
}

static bool
choose_own(struct psk_table *t, const struct tls_conf *conf, struct sink *sink)
{
	t->own = conf->psk_identity != NULL ? find(t, conf->psk_identity) : first_of_file(t);
	if (t->own == NULL)
		sink_error(sink, "PSKidentity",
		    "No key found for the specified PSK identity; write one of %s",
		    conf->psk_secrets);
	return t->own != NULL;
}

static bool
hash_psk(EVP_MD_CTX *md, const struct psk *p)
{
	/* Each behind its length, so that no two tables look alike. */
	uint64_t sizes[] = { strlen(p->identity), p->size };

	return EVP_DigestUpdate(md, sizes, sizeof(sizes)) &&
	       EVP_DigestUpdate(md, p->identity, sizes[0]) && EVP_DigestUpdate(md, p->key, p->size);
}

static bool
hash_table(struct psk_table *t)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL);

	for (size_t i = 0; ok && i < t->n; i++)
		if (t->own == NULL || t->own == &t->v[i])
			ok = hash_psk(md, &t->v[i]);
	ok = ok && EVP_DigestFinal_ex(md, t->digest, NULL);
	EVP_MD_CTX_free(md);
	return ok;
}

static void
check_permissions(const struct tls_conf *conf, const struct file *f, struct sink *sink)
{
	void (*say)(struct sink *, const char *, const char *, ...) =
	    conf->strict_permissions ? sink_error : sink_warn;

	if ((f->mode & S_IRWXO) != 0)
		say(sink, "PSKsecrets",
		    "Insecure file permissions on %s: others can read or change it (mode %04o); "
		    "set it to 0600",
		    conf->psk_secrets, (unsigned)f->mode & 07777);
}

struct psk_table *
psk_load(const struct tls_conf *conf, enum tls_role role, struct files *files, struct sink *sink)
{
	struct psk_table *t;
	struct file f;
	bool ok;

	if (!files->read(files, conf->psk_secrets, &f)) {
		sink_error(sink, "PSKsecrets",
		    "Failed to read PSK secrets: cannot read %s: %s; check the path and its "
		    "permissions",
		    conf->psk_secrets, strerror(errno));
		return NULL;
	}
	check_permissions(conf, &f, sink);
	if (OBJ_NEW(t, PSK_TABLE_MAGIC) == NULL) {
		sink_error(sink, "PSKsecrets", "out of memory");
		file_done(&f);
		return NULL;
	}
	ok = read_lines(t, &f, sink);
	file_done(&f);
	if (ok) {
		qsort(t->v, t->n, sizeof(*t->v), by_identity);
		ok = are_different(t, sink) && (role == TLS_SERVER || choose_own(t, conf, sink));
	}
	if (ok && hash_table(t)) {
		if (role == TLS_SERVER && conf->psk_identity != NULL)
			log_notice(&log_main, "PSK identity is ignored in the server mode");
		return t;
	}
	if (ok)
		sink_error(sink, "PSKsecrets", "out of memory");
	psk_free(t);
	return NULL;
}

void
psk_free(struct psk_table *t)
{
	if (t == NULL)
		return;
	CHECK_OBJ(t, PSK_TABLE_MAGIC);
	for (size_t i = 0; i < t->n; i++)
		psk_done(&t->v[i]);
	free(t->v);
	OBJ_FREE(t);
}

const unsigned char *
psk_digest(const struct psk_table *t)
{
	CHECK_OBJ(t, PSK_TABLE_MAGIC);
	return t->digest;
}

/* ---- the handshake ---- */

/* Set on an SSL when a client has named one of our keys for TLS 1.3. */
static int named_index = -1;

static void
make_named_index(void)
{
	named_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static const struct tls_context *
context_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static const struct log_ctx *
log_of(const SSL *ssl)
{
	const struct log_ctx *log = SSL_get_app_data(ssl);

	return log != NULL ? log : &log_main;
}

/* A key that a client has named; NULL: there is none. */
static const struct psk *
look_up(const SSL *ssl, const char *identity)
{
	const struct psk *p = find(table_of(context_of(ssl)), identity);
	char safe[TEXT_SAFE_MAX + 4];

	text_safe(identity, strlen(identity), safe, sizeof(safe));
	if (p != NULL)
		log_notice(log_of(ssl), "Key configured for PSK identity \"%s\"", safe);
	else
		log_info(log_of(ssl), "PSK identity not found: %s", safe);
	return p;
}

/* An SSL_psk_server_cb_func: TLS 1.2 and below.  0: no such key. */
static unsigned
on_server(SSL *ssl, const char *identity, unsigned char *key, unsigned max)
{
	const struct psk *p;

	/* OpenSSL also asks here in TLS 1.3 when on_find() has found nothing. */
	if (identity == NULL || SSL_version(ssl) >= TLS1_3_VERSION ||
	    (p = look_up(ssl, identity)) == NULL || p->size > max)
		return 0;
	memcpy(key, p->key, p->size);
	return (unsigned)p->size;
}

/* An SSL_psk_client_cb_func: TLS 1.2 and below; on_use() is for TLS 1.3. */
static unsigned
on_client(SSL *ssl, const char *hint, char *identity, unsigned identity_max, unsigned char *key,
    unsigned max)
{
	const struct psk *p = table_of(context_of(ssl))->own;
	size_t n = strlen(p->identity);

	(void)hint;
	if (n >= identity_max || p->size > max)
		return 0;
	memcpy(identity, p->identity, n + 1);
	memcpy(key, p->key, p->size);
	return (unsigned)p->size;
}

/*
 * The key as the session that TLS 1.3 wants it to be.  The hash is SHA-256: RFC 8446 4.2.11 says so
 * for keys that are not bound to one.
 */
static SSL_SESSION *
as_session(SSL *ssl, const struct psk *p)
{
	static const unsigned char sha256_suite[] = { 0x13, 0x01 }; /* TLS_AES_128_GCM_SHA256 */
	const struct tls_context *tc = context_of(ssl);
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, sha256_suite);
	SSL_SESSION *session = SSL_SESSION_new();

	if (session != NULL && cipher != NULL &&
	    SSL_SESSION_set1_master_key(session, p->key, p->size) &&
	    SSL_SESSION_set_cipher(session, cipher) &&
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) &&
	    resume_mark_psk(session, tc))
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

/* Tickets come the same way as identities; they are no text. */
static bool
is_text(const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (iscntrl(bytes[i]))
			return false;
	return n > 0 && n <= IDENTITY_MAX;
}

/* An SSL_psk_find_session_cb_func: TLS 1.3.  1 without a session: try it as a ticket. */
static int
on_find(SSL *ssl, const unsigned char *identity, size_t n, SSL_SESSION **session)
{
	char name[IDENTITY_MAX + 1];
	const struct psk *p;

	*session = NULL;
	if (!is_text(identity, n))
		return 1;
	memcpy(name, identity, n);
	name[n] = '\0';
	if ((p = look_up(ssl, name)) == NULL)
		return 1;
	*session = as_session(ssl, p);
	return *session != NULL && SSL_set_ex_data(ssl, named_index, table_of(context_of(ssl)));
}

/* An SSL_psk_use_session_cb_func: TLS 1.3.  `md` is set once the server has chosen a suite. */
static int
on_use(SSL *ssl, const EVP_MD *md, const unsigned char **identity, size_t *n, SSL_SESSION **session)
{
	const struct psk *p = table_of(context_of(ssl))->own;

	*session = NULL;
	*identity = NULL;
	*n = 0;
	if (md != NULL && !EVP_MD_is_a(md, "SHA256"))
		return 1; /* our key is of no use then; the verdict knows it was not used */
	if ((*session = as_session(ssl, p)) == NULL)
		return 0;
	*identity = (const unsigned char *)p->identity;
	*n = strlen(p->identity);
	return 1;
}

bool
psk_install(struct tls_context *tc)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_named_index);
	if (tc->role == TLS_SERVER) {
		SSL_CTX_set_psk_server_callback(tc->ctx, on_server);
		SSL_CTX_set_psk_find_session_callback(tc->ctx, on_find);
	} else {
		SSL_CTX_set_psk_client_callback(tc->ctx, on_client);
		SSL_CTX_set_psk_use_session_callback(tc->ctx, on_use);
	}
	return named_index >= 0;
}

/* ---- afterwards ---- */

static bool
is_psk_suite(const SSL_CIPHER *cipher)
{
	static const int kinds[] = { NID_kx_psk, NID_kx_ecdhe_psk, NID_kx_dhe_psk, NID_kx_rsa_psk };

	for (size_t i = 0; cipher != NULL && i < COUNT_OF(kinds); i++)
		if (SSL_CIPHER_get_kx_nid(cipher) == kinds[i])
			return true;
	return false;
}

bool
psk_proved(const SSL *ssl, const struct tls_context *tc)
{
	if (tc->psk == NULL)
		return false;
	if (SSL_version(ssl) < TLS1_3_VERSION)
		return is_psk_suite(SSL_get_current_cipher(ssl));
	return SSL_session_reused(ssl) && resume_has_psk_mark(ssl, tc);
}

bool
psk_is_fresh(const SSL *ssl, const struct tls_context *tc)
{
	if (!psk_proved(ssl, tc))
		return false;
	if (SSL_version(ssl) < TLS1_3_VERSION)
		return !SSL_session_reused(ssl);
	return tc->role == TLS_SERVER ? SSL_get_ex_data(ssl, named_index) != NULL
				      : !SSL_SESSION_has_ticket(SSL_get_session(ssl));
}
