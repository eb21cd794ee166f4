/* SPDX-License-Identifier: Apache-2.0 */
/* tls/certs.c -- certificates, keys and revocation lists, from bytes into a context. */
#include "tls/certs.h"

#include "base/log.h"
#include "tls/engine.h"
#include "tls/errors.h"
#include "tls/store.h"
#include "tls/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	WORDS = 256,	 /* room for OpenSSL's words */
	PASS_MAX = 1024, /* as PEM_BUFSIZE */
	PASS_TRIES = 3,	 /* typing errors at the terminal */
	WEAK_BITS = 112, /* of security: RSA 2048; below is weak (NIST SP 800-57) */
	HASH_DIGITS = 8, /* of a name in a hashed directory, see openssl-rehash(1) */
	PATH_ROOM = 4096,
};

/* ---- the passphrase ---- */

/*
 * Services often share one encrypted key: what was typed for the first is tried for the next.  Used
 * only while the program starts, when there is one thread.
 */
static char known_pass[PASS_MAX];
static bool asking_is_over;

void
certs_stop_asking(void)
{
	OPENSSL_cleanse(known_pass, sizeof(known_pass));
	asking_is_over = true;
}

/* One key and the attempts to open it. */
struct lock {
	const char *path;
	bool may_ask;
	bool encrypted; /* a passphrase was wanted */
	bool no_way;	/* ... and nobody could be asked */
	bool use_known;
};

static bool
has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* A pem_password_cb.  OpenSSL wipes `buf`. */
static int
give_passphrase(char *buf, int size, int writing, void *arg)
{
	struct lock *lock = arg;
	char prompt[PATH_ROOM];

	(void)writing;
	lock->encrypted = true;
	if (size > PASS_MAX)
		size = PASS_MAX;
	if (!lock->use_known) {
		if (!lock->may_ask || asking_is_over || !has_terminal()) {
			lock->no_way = true;
			return -1;
		}
		snprintf(prompt, sizeof(prompt), "Enter pass phrase for %s:", lock->path);
		if (EVP_read_pw_string_min(known_pass, 0, PASS_MAX - 1, prompt, 0) != 0) {
			lock->no_way = true;
			return -1;
		}
	}
	snprintf(buf, (size_t)size, "%s", known_pass);
	return (int)strlen(buf);
}

/* Try `open` with what is known, then with what is typed. */
static bool
unlock(struct lock *lock, bool (*open_it)(void *what, struct lock *), void *what)
{
	lock->use_known = known_pass[0] != '\0';
	for (int tries = 0; tries < PASS_TRIES; tries++) {
		ERR_clear_error();
		if (open_it(what, lock))
			return true;
		if (!lock->encrypted || lock->no_way)
			break;
		if (lock->use_known)
			tries--; /* nobody has typed anything yet */
		lock->use_known = false;
	}
	return false;
}

/* ---- bytes into objects ---- */

/* What one file held. */
struct bundle {
	STACK_OF(X509) *certs;
	STACK_OF(X509_CRL) *crls;
	bool failed;	 /* something in it could not be read */
	char why[WORDS]; /* ... the first such */
};

static bool
bundle_begin(struct bundle *b)
{
	*b = (struct bundle){ .certs = sk_X509_new_null(), .crls = sk_X509_CRL_new_null() };
	return b->certs != NULL && b->crls != NULL;
}

static void
bundle_done(struct bundle *b)
{
	sk_X509_pop_free(b->certs, X509_free);
	sk_X509_CRL_pop_free(b->crls, X509_CRL_free);
}

static void
bundle_fail(struct bundle *b)
{
	if (!b->failed)
		errors_take(b->why, sizeof(b->why));
	b->failed = true;
}

static void
bundle_add_cert(struct bundle *b, X509 *cert)
{
	if (cert == NULL || sk_X509_push(b->certs, cert) == 0) {
		X509_free(cert);
		bundle_fail(b);
	}
}

static void
bundle_add_crl(struct bundle *b, X509_CRL *crl)
{
	if (crl == NULL || sk_X509_CRL_push(b->crls, crl) == 0) {
		X509_CRL_free(crl);
		bundle_fail(b);
	}
}

/* One block between BEGIN and END; kinds that are not ours (keys, parameters) are passed over. */
static void
bundle_add_block(struct bundle *b, const char *kind, const unsigned char *der, long n)
{
	if (strcmp(kind, PEM_STRING_X509) == 0 || strcmp(kind, PEM_STRING_X509_OLD) == 0)
		bundle_add_cert(b, d2i_X509(NULL, &der, n));
	else if (strcmp(kind, PEM_STRING_X509_TRUSTED) == 0)
		bundle_add_cert(b, d2i_X509_AUX(NULL, &der, n));
	else if (strcmp(kind, PEM_STRING_X509_CRL) == 0)
		bundle_add_crl(b, d2i_X509_CRL(NULL, &der, n));
}

static void
bundle_read_pem(struct bundle *b, const struct file *f)
{
	BIO *bio = BIO_new_mem_buf(f->data, (int)f->size);
	char *kind, *header;
	unsigned char *der;
	long n;

	while (bio != NULL && PEM_read_bio(bio, &kind, &header, &der, &n)) {
		bundle_add_block(b, kind, der, n);
		OPENSSL_free(kind);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)n); /* it may have been a key */
	}
	if (bio == NULL || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		bundle_fail(b);
	ERR_clear_error();
	BIO_free(bio);
}

static bool
is_pem(const struct file *f)
{
	return memmem(f->data, f->size, "-----BEGIN ", 11) != NULL;
}

/* Certificates and revocation lists, PEM or one of DER. */
static void
bundle_read(struct bundle *b, const struct file *f)
{
	const unsigned char *der = (const unsigned char *)f->data;
	X509_CRL *crl;

	ERR_clear_error();
	if (is_pem(f)) {
		bundle_read_pem(b, f);
	} else if ((crl = d2i_X509_CRL(NULL, &der, (long)f->size)) != NULL) {
		bundle_add_crl(b, crl);
	} else {
		ERR_clear_error();
		der = (const unsigned char *)f->data;
		bundle_add_cert(b, d2i_X509(NULL, &der, (long)f->size));
	}
}

/* Own certificate and key, on their way into the SSL_CTX. */
struct own {
	const struct file *from;
	PKCS12 *p12;
	STACK_OF(X509) *certs; /* the leaf first */
	EVP_PKEY *key;
};

static void
own_done(struct own *own)
{
	PKCS12_free(own->p12);
	sk_X509_pop_free(own->certs, X509_free);
	EVP_PKEY_free(own->key);
}

static bool
open_key(void *what, struct lock *lock)
{
	struct own *own = what;
	BIO *bio = BIO_new_mem_buf(own->from->data, (int)own->from->size);

	if (bio != NULL && is_pem(own->from))
		own->key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, lock);
	else if (bio != NULL && (own->key = d2i_PrivateKey_bio(bio, NULL)) == NULL &&
		 BIO_reset(bio) == 1)
		own->key = d2i_PKCS8PrivateKey_bio(bio, NULL, give_passphrase, lock);
	BIO_free(bio);
	return own->key != NULL;
}

/* PKCS#12 distinguishes no password from an empty one, and files come with either. */
static bool
open_p12_with(struct own *own, const char *pass)
{
	X509 *leaf = NULL;
	STACK_OF(X509) *chain = NULL;

	if (!PKCS12_parse(own->p12, pass, &own->key, &leaf, &chain))
		return false;
	if (chain == NULL)
		chain = sk_X509_new_null();
	if (leaf != NULL && (chain == NULL || sk_X509_unshift(chain, leaf) == 0))
		X509_free(leaf);
	own->certs = chain;
	return true;
}

static bool
open_p12(void *what, struct lock *lock)
{
	struct own *own = what;
	char pass[PASS_MAX];
	bool ok;

	if (PKCS12_verify_mac(own->p12, NULL, 0))
		return open_p12_with(own, NULL);
	if (PKCS12_verify_mac(own->p12, "", 0))
		return open_p12_with(own, "");
	ERR_clear_error();
	if (give_passphrase(pass, sizeof(pass), 0, lock) < 0)
		return false;
	ok = open_p12_with(own, pass);
	OPENSSL_cleanse(pass, sizeof(pass));
	return ok;
}

/* ---- own certificate and key ---- */

/* What the helpers below need to speak about one file. */
struct load {
	struct tls_context *tc;
	struct files *files;
	struct sink *sink;
	bool may_ask;
};

/* Where cert or key is, and what it is called in messages (a URI may hold a PIN). */
struct origin {
	enum { IN_FILE, IN_ENGINE, IN_STORE } kind;
	const char *path;
	const char *option;
	struct file file;
	char name[PATH_ROOM];
};

static bool
read_or_say(const struct load *l, const char *option, const char *path, struct file *out)
{
	if (l->files->read(l->files, path, out))
		return true;
	sink_error(l->sink, option, "cannot read %s: %s; check the path and its permissions", path,
	    strerror(errno));
	return false;
}

/* Why a key or a PKCS#12 file stayed shut. */
static void
say_locked(const struct load *l, const char *option, const struct lock *lock)
{
	char why[WORDS];

	if (lock->no_way)
		sink_error(l->sink, option,
		    "the key in %s is encrypted, and its passphrase can be asked only on a "
		    "terminal at start; start from a terminal, or decrypt the key with \"openssl "
		    "pkey\"",
		    lock->path);
	else if (lock->encrypted)
		sink_error(l->sink, option, "wrong passphrase for %s: %s", lock->path,
		    errors_take(why, sizeof(why)));
	else
		sink_error(l->sink, option,
		    "no private key could be read from %s: %s; it must be PEM, DER or PKCS#12",
		    lock->path, errors_take(why, sizeof(why)));
	ERR_clear_error();
}

static bool
parse_p12(struct own *own)
{
	const unsigned char *der = (const unsigned char *)own->from->data;

	if (is_pem(own->from))
		return false;
	own->p12 = d2i_PKCS12(NULL, &der, (long)own->from->size);
	ERR_clear_error();
	return own->p12 != NULL;
}

static void
check_key_permissions(
    const struct load *l, const char *option, const char *path, const struct file *f)
{
	void (*say)(struct sink *, const char *, const char *, ...) =
	    l->tc->conf->strict_permissions ? sink_error : sink_warn;

	if ((f->mode & (S_IRWXG | S_IRWXO)) != 0)
		say(l->sink, option,
		    "the private key in %s can be read or changed by others (mode %04o); set it to "
		    "0600",
		    path, (unsigned)f->mode & 07777);
}

/* The certificates in `f`, and the key if `f` is PKCS#12.  False: said why. */
static bool
read_own_certs(const struct load *l, const char *path, const struct file *f, struct own *own)
{
	struct lock lock = { .path = path, .may_ask = l->may_ask };
	struct bundle b;

	own->from = f;
	if (parse_p12(own)) {
		if (!unlock(&lock, open_p12, own)) {
			say_locked(l, "cert", &lock);
			return false;
		}
	} else if (bundle_begin(&b)) {
		bundle_read(&b, f);
		own->certs = b.certs;
		b.certs = NULL;
		if (b.failed) {
			sink_error(
			    l->sink, "cert", "failed to load certificate from %s: %s", path, b.why);
			bundle_done(&b);
			return false;
		}
		bundle_done(&b);
	}
	if (own->certs != NULL && sk_X509_num(own->certs) > 0)
		return true;
	sink_error(l->sink, "cert",
	    "no certificate in %s; it must hold the certificate first and then its chain (PEM), or "
	    "be DER or PKCS#12",
	    path);
	return false;
}

/* The key in `f`.  False: said why. */
static bool
read_own_key(const struct load *l, const char *option, const char *path, const struct file *f,
    struct own *own)
{
	struct lock lock = { .path = path, .may_ask = l->may_ask };
	struct own from_p12 = { .from = f };
	bool ok;

	own->from = f;
	if (parse_p12(&from_p12)) {
		ok = unlock(&lock, open_p12, &from_p12) && from_p12.key != NULL;
		own->key = from_p12.key;
		from_p12.key = NULL;
		own_done(&from_p12);
	} else {
		ok = unlock(&lock, open_key, own);
	}
	if (!ok)
		say_locked(l, option, &lock);
	return ok;
}

static void
say_date(const struct load *l, const char *option, const char *path, X509 *cert,
    const ASN1_TIME *when, const char *what)
{
	char subject[WORDS], date[64] = "?";
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	if (bio != NULL && ASN1_TIME_print_ex(bio, when, ASN1_DTFLGS_ISO8601))
		n = BIO_read(bio, date, sizeof(date) - 1);
	date[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
	sink_warn(l->sink, option, "the certificate %s in %s %s %s; peers will refuse it",
	    verify_subject(cert, subject, sizeof(subject)), path, what, date);
}

static void
check_dates(const struct load *l, const char *path, STACK_OF(X509) *certs)
{
	for (int i = 0; i < sk_X509_num(certs); i++) {
		X509 *cert = sk_X509_value(certs, i);

		if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
			say_date(l, "cert", path, cert, X509_get0_notAfter(cert), "expired on");
		if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
			say_date(l, "cert", path, cert, X509_get0_notBefore(cert),
			    "is not valid before");
	}
}

static void
check_strength(const struct load *l, const char *option, const char *path, EVP_PKEY *key)
{
	if (EVP_PKEY_get_security_bits(key) < WEAK_BITS)
		sink_warn(l->sink, option,
		    "the key in %s is weak (%s, %d bits); make a new one, for instance with "
		    "\"openssl ecparam -genkey -name prime256v1\"",
		    path, EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
}

static void
use_certs(const struct load *l, const char *path, STACK_OF(X509) *certs)
{
	SSL_CTX *ctx = l->tc->ctx;
	X509 *leaf = sk_X509_shift(certs);
	char why[WORDS];

	ERR_clear_error();
	if (!SSL_CTX_use_certificate(ctx, leaf) || !SSL_CTX_set1_chain(ctx, certs))
		sink_error(l->sink, "cert",
		    "the certificate in %s cannot be used: %s; make a new one, or lower "
		    "securityLevel",
		    path, errors_take(why, sizeof(why)));
	else
		log_info(&log_main, "Certificate loaded from: %s", path);
	X509_free(leaf);
}

static void
use_key(const struct load *l, const char *option, const char *path, const struct own *own)
{
	char why[WORDS], cert[PATH_ROOM];

	ERR_clear_error();
	if (!X509_check_private_key(sk_X509_value(own->certs, 0), own->key))
		sink_error(l->sink, option,
		    "Private key does not match the certificate: the key in %s does not belong to "
		    "the first certificate in %s",
		    path, store_name(l->tc->conf->cert, cert, sizeof(cert)));
	else if (!SSL_CTX_use_PrivateKey(l->tc->ctx, own->key))
		sink_error(l->sink, option, "the key in %s cannot be used: %s", path,
		    errors_take(why, sizeof(why)));
	else
		log_info(&log_main, "Private key loaded from: %s", path);
	ERR_clear_error();
}

/* engineId or engineNum.  NULL: said why. */
static ENGINE *
find_engine(const struct load *l)
{
	const struct tls_conf *conf = l->tc->conf;
	char why[WORDS];
	ENGINE *e = engine_get(conf->engine_id, conf->engine_number, why, sizeof(why));

	if (e == NULL)
		sink_error(l->sink, conf->engine_id != NULL ? "engineId" : "engineNum", "%s", why);
	return e;
}

static bool
has_engine(const struct tls_conf *conf)
{
	return conf->engine_id != NULL || conf->engine_number > 0;
}

/* A file of that name comes first; else the engine, else a URI.  False: said why. */
static bool
find_origin(const struct load *l, struct origin *o)
{
	(void)store_name(o->path, o->name, sizeof(o->name));
	if (!has_engine(l->tc->conf) && !store_is_uri(o->path))
		return read_or_say(l, o->option, o->path, &o->file);
	if (l->files->read(l->files, o->path, &o->file))
		o->kind = IN_FILE;
	else
		o->kind = has_engine(l->tc->conf) ? IN_ENGINE : IN_STORE;
	return true;
}

/* A PIN is asked for once: a few wrong ones would lock a token. */
static UI_METHOD *
pin_method(void)
{
	return UI_UTIL_wrap_read_pem_callback(give_passphrase, 0);
}

static bool
say_not_there(const struct load *l, const struct origin *o, const char *what, const char *why)
{
	sink_error(l->sink, o->option, "Failed to load %s from: %s: %s; %s", what, o->name, why,
	    o->kind == IN_ENGINE
		? "check the name, and what engineCtrl tells the engine of its token and PIN"
		: "check the URI, and that a provider line loads the module that knows such ones");
	ERR_clear_error();
	return false;
}

/* Whatever the URI holds: certificates, and the key if there is one and none yet. */
static bool
read_store(const struct load *l, const struct origin *o, const char *what, struct own *own)
{
	struct lock lock = { .path = o->name, .may_ask = l->may_ask };
	UI_METHOD *ui = pin_method();
	struct store_found found;
	char why[WORDS];
	bool ok = store_read(o->path, ui, &lock, &found, why, sizeof(why));

	UI_destroy_method(ui);
	if (!ok)
		return say_not_there(l, o, what, why);
	if (own->certs == NULL) {
		own->certs = found.certs;
		found.certs = NULL;
	}
	if (own->key == NULL) {
		own->key = found.key;
		found.key = NULL;
	}
	store_done(&found);
	return true;
}

static bool
read_engine_cert(const struct load *l, const struct origin *o, struct own *own)
{
	ENGINE *e = find_engine(l);
	X509 *cert = e != NULL ? engine_cert(e, o->path) : NULL;
	char why[WORDS];

	if (e == NULL)
		return false;
	if (cert == NULL)
		return say_not_there(l, o, "certificate", errors_take(why, sizeof(why)));
	own->certs = sk_X509_new_null();
	if (own->certs == NULL || sk_X509_push(own->certs, cert) == 0) {
		X509_free(cert);
		return say_not_there(l, o, "certificate", "out of memory");
	}
	return true;
}

static bool
read_engine_key(const struct load *l, const struct origin *o, struct own *own)
{
	struct lock lock = { .path = o->name, .may_ask = l->may_ask };
	ENGINE *e = find_engine(l);
	UI_METHOD *ui;
	char why[WORDS];

	if (e == NULL)
		return false;
	ui = pin_method();
	own->key = engine_key(e, o->path, ui, &lock);
	UI_destroy_method(ui);
	return own->key != NULL ||
	       say_not_there(l, o, "private key", errors_take(why, sizeof(why)));
}

static bool
find_certs(const struct load *l, struct origin *o, struct own *own)
{
	if (!find_origin(l, o))
		return false;
	if (o->kind == IN_FILE)
		return read_own_certs(l, o->path, &o->file, own);
	if (o->kind == IN_ENGINE)
		return read_engine_cert(l, o, own);
	if (!read_store(l, o, "certificate", own))
		return false;
	return sk_X509_num(own->certs) > 0 || say_not_there(l, o, "certificate", "none is there");
}

/* The key of `o`, unless it has come with the certificate. */
static bool
find_key(const struct load *l, const struct origin *o, struct own *own)
{
	if (own->key != NULL)
		return true;
	if (o->kind == IN_FILE)
		return read_own_key(l, o->option, o->path, &o->file, own);
	if (o->kind == IN_ENGINE)
		return read_engine_key(l, o, own);
	if (!read_store(l, o, "private key", own))
		return false;
	return own->key != NULL || say_not_there(l, o, "private key", "none is there");
}

/* The key may be in a place of its own; where the certificate is has been read. */
static void
load_key(const struct load *l, struct origin *certs, struct own *own)
{
	const struct tls_conf *conf = l->tc->conf;
	bool apart = conf->key != NULL && strcmp(conf->key, conf->cert) != 0;
	struct origin other = { .path = conf->key, .option = "key" }, *o = apart ? &other : certs;

	if (apart) {
		EVP_PKEY_free(own->key); /* the one that came with the certificate */
		own->key = NULL;
		if (!find_origin(l, o))
			return;
	} else if (conf->key != NULL) {
		o->option = "key";
	}
	if (find_key(l, o, own)) {
		if (o->kind == IN_FILE)
			check_key_permissions(l, o->option, o->path, &o->file);
		check_strength(l, o->option, o->name, own->key);
		use_key(l, o->option, o->name, own);
	}
	if (apart)
		file_done(&o->file);
}

void
certs_load_own(struct tls_context *tc, struct files *files, bool may_ask, struct sink *sink)
{
	struct load l = { .tc = tc, .files = files, .sink = sink, .may_ask = may_ask };
	struct origin o = { .path = tc->conf->cert, .option = "cert" };
	struct own own = { 0 };

	if (o.path == NULL) {
		if (tc->role == TLS_SERVER && tc->conf->psk_secrets == NULL)
			sink_error(
			    sink, "cert", "TLS server needs a certificate; write cert = FILE");
		else if (tc->conf->key != NULL)
			sink_warn(sink, "key",
			    "a key without a certificate is not used; write cert = FILE, or leave "
			    "key out");
		return;
	}
	if (find_certs(&l, &o, &own)) {
		check_dates(&l, o.name, own.certs);
		load_key(&l, &o, &own);
		use_certs(&l, o.name, own.certs);
	}
	own_done(&own);
	file_done(&o.file);
}

/* ---- whom to trust ---- */

/* The trust material while it is collected. */
struct trust {
	struct load load;
	X509_STORE *store;
	STACK_OF(X509_NAME) *names; /* subjects, each once */
	bool no_memory;
};

static void
trust_name(struct trust *t, X509 *cert)
{
	X509_NAME *name = X509_get_subject_name(cert);

	if (sk_X509_NAME_find(t->names, name) >= 0)
		return;
	name = X509_NAME_dup(name);
	if (name == NULL || sk_X509_NAME_push(t->names, name) == 0) {
		X509_NAME_free(name);
		t->no_memory = true;
	}
}

static void
trust_cert(struct trust *t, X509 *cert)
{
	if (!X509_STORE_add_cert(t->store, cert))
		t->no_memory = true;
	if (!t->load.tc->conf->verify.peer)
		return;
	if (!X509_up_ref(cert) || sk_X509_push(t->load.tc->pinned, cert) == 0)
		t->no_memory = true;
}

static void
trust_crls(struct trust *t, STACK_OF(X509_CRL) *crls)
{
	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
		if (!X509_STORE_add_crl(t->store, sk_X509_CRL_value(crls, i)))
			t->no_memory = true;
}

static void
load_ca_file(struct trust *t, const char *path)
{
	struct sink *sink = t->load.sink;
	struct bundle b;
	struct file f;

	/* As the incumbent does: only having nothing to trust is fatal, and that is asked later. */
	if (!t->load.files->read(t->load.files, path, &f)) {
		sink_warn(sink, "CAfile", "cannot read %s: %s; check the path and its permissions",
		    path, strerror(errno));
		return;
	}
	if (bundle_begin(&b)) {
		bundle_read(&b, &f);
		if (b.failed)
			sink_warn(
			    sink, "CAfile", "a certificate in %s is not used: %s", path, b.why);
		for (int i = 0; i < sk_X509_num(b.certs); i++) {
			trust_name(t, sk_X509_value(b.certs, i));
			trust_cert(t, sk_X509_value(b.certs, i));
		}
		trust_crls(t, b.crls);
	}
	bundle_done(&b);
	file_done(&f);
}

/* CAstore: read now as a whole, so that no worker waits for a token or a directory. */
static void
load_ca_store(struct trust *t, const char *uri)
{
	char name[PATH_ROOM], why[WORDS];
	struct store_found found;

	store_name(uri, name, sizeof(name));
	if (!store_read(uri, NULL, NULL, &found, why, sizeof(why))) {
		sink_warn(t->load.sink, "CAstore", "cannot read %s: %s", name, why);
		return;
	}
	for (int i = 0; i < sk_X509_num(found.certs); i++) {
		trust_name(t, sk_X509_value(found.certs, i));
		trust_cert(t, sk_X509_value(found.certs, i));
	}
	trust_crls(t, found.crls);
	store_done(&found);
}

/* CAengine: certificates by their names in the engine of engineId or engineNum. */
static void
load_ca_engine(struct trust *t, const struct strv *ids)
{
	ENGINE *e = find_engine(&t->load);
	char name[PATH_ROOM], why[WORDS];

	for (unsigned i = 0; e != NULL && i < ids->n; i++) {
		X509 *cert = engine_cert(e, ids->v[i]);

		if (cert != NULL) {
			trust_name(t, cert);
			trust_cert(t, cert);
		} else {
			sink_warn(t->load.sink, "CAengine", "the engine has no certificate %s: %s",
			    store_name(ids->v[i], name, sizeof(name)),
			    errors_take(why, sizeof(why)));
		}
		X509_free(cert);
	}
}

static void
load_crl_file(struct trust *t, const char *path)
{
	struct sink *sink = t->load.sink;
	struct bundle b;
	struct file f;

	if (!read_or_say(&t->load, "CRLfile", path, &f))
		return;
	if (bundle_begin(&b)) {
		bundle_read(&b, &f);
		if (b.failed || sk_X509_CRL_num(b.crls) == 0)
			sink_error(sink, "CRLfile",
			    "Failed to load %s revocation lookup file: %s; it must hold CRLs, PEM "
			    "or DER",
			    path, b.failed ? b.why : "no CRL in it");
		trust_crls(t, b.crls);
	}
	bundle_done(&b);
	file_done(&f);
}

/* "5ed36f99.0" for certificates, "5ed36f99.r0" for CRLs. */
static bool
is_hashed_name(const char *name, bool crl)
{
	size_t digits = strspn(name, "0123456789abcdefABCDEF");
	const char *rest = name + digits;

	if (digits != HASH_DIGITS || *rest++ != '.' || (crl && *rest++ != 'r'))
		return false;
	return *rest != '\0' && rest[strspn(rest, "0123456789")] == '\0';
}

/* One file of CApath.  Returns whether it is one of the hashed names, which alone are trusted. */
static bool
load_ca_entry(struct trust *t, const char *name, struct bundle *b)
{
	bool hashed = is_hashed_name(name, false);

	for (int i = 0; i < sk_X509_num(b->certs); i++) {
		trust_name(t, sk_X509_value(b->certs, i));
		if (hashed)
			trust_cert(t, sk_X509_value(b->certs, i));
	}
	return hashed && sk_X509_num(b->certs) > 0;
}

static bool
load_crl_entry(struct trust *t, const char *name, struct bundle *b)
{
	bool hashed = is_hashed_name(name, true);

	if (hashed)
		trust_crls(t, b->crls);
	return hashed && sk_X509_CRL_num(b->crls) > 0;
}

/* What a later look at the directory finds; only where its name will still mean the same. */
static void
look_up_later(struct trust *t, const char *dir)
{
	X509_LOOKUP *lookup;

	if (dir[0] != '/')
		return;
	lookup = X509_STORE_add_lookup(t->store, X509_LOOKUP_hash_dir());
	if (lookup == NULL || !X509_LOOKUP_add_dir(lookup, dir, X509_FILETYPE_PEM))
		t->no_memory = true;
}

/*
 * A hashed directory.  All of it is loaded now, for a process that will not be able to read it
 * later; what is put there afterwards is found by OpenSSL's own look-up.  Files under other names
 * are not trusted, as OpenSSL would not find them either.
 */
static void
load_dir(struct trust *t, const char *option, const char *dir,
    bool (*take)(struct trust *, const char *name, struct bundle *))
{
	struct files *files = t->load.files;
	char **names = files->list(files, dir);
	char path[PATH_ROOM];
	unsigned taken = 0;
	struct bundle b;
	struct file f;

	if (names == NULL) {
		sink_warn(t->load.sink, option,
		    "cannot list %s: %s; check the path and its permissions", dir, strerror(errno));
		return;
	}
	for (char **name = names; *name != NULL; name++) {
		snprintf(path, sizeof(path), "%s/%s", dir, *name);
		if ((*name)[0] == '.' || !files->read(files, path, &f))
			continue;
		if (bundle_begin(&b)) {
			bundle_read(&b, &f);
			taken += take(t, *name, &b);
		}
		bundle_done(&b);
		file_done(&f);
	}
	files_list_free(names);
	ERR_clear_error();
	look_up_later(t, dir);
	if (taken == 0)
		sink_warn(t->load.sink, option,
		    "nothing in %s can be found by its hash; run \"openssl rehash %s\"", dir, dir);
}

/* In server mode the names tell clients which certificate to send. */
static void
use_names(struct trust *t)
{
	struct tls_context *tc = t->load.tc;
	char words[WORDS];

	if (tc->role == TLS_SERVER) {
		if (tc->conf->verify.request)
			SSL_CTX_set0_CA_list(tc->ctx, t->names);
		else
			sk_X509_NAME_pop_free(t->names, X509_NAME_free);
		return;
	}
	for (int i = 0; i < sk_X509_NAME_num(t->names); i++)
		log_info(&log_main, "Configured trusted server CA: %s",
		    verify_name(sk_X509_NAME_value(t->names, i), words, sizeof(words)));
	sk_X509_NAME_pop_free(t->names, X509_NAME_free);
}

static int
compare_names(const X509_NAME *const *a, const X509_NAME *const *b)
{
	return X509_NAME_cmp(*a, *b);
}

void
certs_load_trust(struct tls_context *tc, struct files *files, struct sink *sink)
{
	const struct tls_conf *conf = tc->conf;
	struct trust t = {
		.load = { .tc = tc, .files = files, .sink = sink },
		.store = SSL_CTX_get_cert_store(tc->ctx),
		.names = sk_X509_NAME_new(compare_names),
	};

	tc->pinned = sk_X509_new_null();
	if (t.names == NULL || tc->pinned == NULL) {
		sink_error(sink, NULL, "out of memory");
		sk_X509_NAME_free(t.names);
		return;
	}
	if (conf->ca_file != NULL)
		load_ca_file(&t, conf->ca_file);
	if (conf->ca_path != NULL)
		load_dir(&t, "CApath", conf->ca_path, load_ca_entry);
	if (conf->ca_store != NULL)
		load_ca_store(&t, conf->ca_store);
	if (conf->ca_engine.n > 0)
		load_ca_engine(&t, &conf->ca_engine);
	if (conf->crl_file != NULL)
		load_crl_file(&t, conf->crl_file);
	if (conf->crl_path != NULL)
		load_dir(&t, "CRLpath", conf->crl_path, load_crl_entry);

	if (t.no_memory)
		sink_error(sink, NULL, "out of memory");
	else if (sk_X509_NAME_num(t.names) == 0 && (conf->verify.chain || conf->verify.peer))
		sink_error(sink,
		    conf->ca_file == NULL && conf->ca_path != NULL ? "CApath" : "CAfile",
		    "No trusted certificates found; name a file with them in CAfile, or a hashed "
		    "directory in CApath");
	use_names(&t);
}
