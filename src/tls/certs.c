/* SPDX-License-Identifier: Apache-2.0 */
/* tls/certs.c -- own certificate and key, from bytes into a context. */
#include "tls/certs.h"

#include "tls/bundle.h"
#include "tls/engine.h"
#include "tls/errors.h"
#include "tls/passphrase.h"
#include "tls/plain_key.h"
#include "tls/store.h"
#include "tls/verify.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	WORDS = 256,	 /* room for OpenSSL's words */
	WEAK_BITS = 112, /* of security: RSA 2048; below is weak (NIST SP 800-57) */
	PATH_ROOM = 4096,
};

/* ---- keys and PKCS#12, shut or open ---- */

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
	BIO *bio;

	if ((own->key = plain_key_read(own->from)) != NULL)
		return true;
	bio = BIO_new_mem_buf(own->from->data, (int)own->from->size);
	if (bio != NULL && bundle_is_pem(own->from))
		own->key = PEM_read_bio_PrivateKey(bio, NULL, passphrase_give, lock);
	else if (bio != NULL && (own->key = d2i_PrivateKey_bio(bio, NULL)) == NULL &&
		 BIO_reset(bio) == 1)
		own->key = d2i_PKCS8PrivateKey_bio(bio, NULL, passphrase_give, lock);
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
	if (passphrase_give(pass, sizeof(pass), 0, lock) < 0)
		return false;
	ok = open_p12_with(own, pass);
	OPENSSL_cleanse(pass, sizeof(pass));
	return ok;
}

/* ---- from where it is ---- */

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

	if (bundle_is_pem(own->from))
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
		if (!passphrase_try(&lock, open_p12, own)) {
			say_locked(l, "cert", &lock);
			return false;
		}
	} else if (f->size > 0) {
		if (bundle_begin(&b))
			bundle_read(&b, f);
		own->certs = b.certs;
		b.certs = NULL;
		if (b.failed)
			sink_error(
			    l->sink, "cert", "failed to load certificate from %s: %s", path, b.why);
		bundle_done(&b);
		if (b.failed)
			return false;
	}
	if (own->certs != NULL && sk_X509_num(own->certs) > 0)
		return true;
	sink_error(l->sink, "cert",
	    "no certificate in %s; it must hold the certificate first and then its chain (PEM), or "
	    "be DER or PKCS#12",
	    path);
	return false;
}

/* A PEM file, and none of its headings is of a key (RFC 7468 10, 11; older kinds end so, too). */
static bool
has_no_key(const struct file *f)
{
	static const char heading[] = "PRIVATE KEY-----";

	return bundle_is_pem(f) && memmem(f->data, f->size, heading, sizeof(heading) - 1) == NULL;
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
		ok = passphrase_try(&lock, open_p12, &from_p12) && from_p12.key != NULL;
		own->key = from_p12.key;
		from_p12.key = NULL;
		own_done(&from_p12);
	} else {
		ok = passphrase_try(&lock, open_key, own);
	}
	if (!ok && has_no_key(f))
		sink_error(l->sink, option,
		    "there is no private key in %s; add it, or name the file that has it in key",
		    path);
	else if (!ok)
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
		return bundle_fetch(l->files, l->sink, o->option, o->path, &o->file);
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
	return UI_UTIL_wrap_read_pem_callback(passphrase_give, 0);
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
	ENGINE *e = engine_get(l->tc->conf->engine_id, l->tc->conf->engine_number, l->sink);
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
	ENGINE *e = engine_get(l->tc->conf->engine_id, l->tc->conf->engine_number, l->sink);
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
	own->from = NULL;
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
			sink_error(sink, NULL,
			    "TLS server needs a certificate; write cert = FILE, or client = yes if "
			    "plain clients come in here");
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
