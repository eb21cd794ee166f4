/* SPDX-License-Identifier: Apache-2.0 */
/* tls/trust.c -- whom a context trusts: CAs, revocation lists, pinned certificates. */
#include "tls/trust.h"

#include "base/log.h"
#include "tls/bundle.h"
#include "tls/engine.h"
#include "tls/errors.h"
#include "tls/store.h"
#include "tls/verify.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum {
	WORDS = 256,	 /* room for OpenSSL's words */
	HASH_DIGITS = 8, /* of a name in a hashed directory, see openssl-rehash(1) */
	PATH_ROOM = 4096,
};

/* The trust material while it is collected. */
struct trust {
	struct tls_context *tc;
	struct files *files;
	struct sink *sink;
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
	if (!t->tc->conf->verify.peer)
		return;
	if (!X509_up_ref(cert) || sk_X509_push(t->tc->pinned, cert) == 0)
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
	struct sink *sink = t->sink;
	struct bundle b;
	struct file f;

	/* As the incumbent does: only having nothing to trust is fatal, and that is asked later. */
	if (!t->files->read(t->files, path, &f)) {
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
		sink_warn(t->sink, "CAstore", "cannot read %s: %s", name, why);
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
	const struct tls_conf *conf = t->tc->conf;
	ENGINE *e = engine_get(conf->engine_id, conf->engine_number, t->sink);
	char name[PATH_ROOM], why[WORDS];

	for (unsigned i = 0; e != NULL && i < ids->n; i++) {
		X509 *cert = engine_cert(e, ids->v[i]);

		if (cert != NULL) {
			trust_name(t, cert);
			trust_cert(t, cert);
		} else {
			sink_warn(t->sink, "CAengine", "the engine has no certificate %s: %s",
			    store_name(ids->v[i], name, sizeof(name)),
			    errors_take(why, sizeof(why)));
		}
		X509_free(cert);
	}
}

static void
load_crl_file(struct trust *t, const char *path)
{
	struct sink *sink = t->sink;
	struct bundle b;
	struct file f;

	if (!bundle_fetch(t->files, t->sink, "CRLfile", path, &f))
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
	struct files *files = t->files;
	char **names = files->list(files, dir);
	char path[PATH_ROOM];
	unsigned taken = 0;
	struct bundle b;
	struct file f;

	if (names == NULL) {
		sink_warn(t->sink, option, "cannot list %s: %s; check the path and its permissions",
		    dir, strerror(errno));
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
		sink_warn(t->sink, option,
		    "nothing in %s can be found by its hash; run \"openssl rehash %s\"", dir, dir);
}

/* In server mode the names tell clients which certificate to send. */
static void
use_names(struct trust *t)
{
	struct tls_context *tc = t->tc;
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
trust_load(struct tls_context *tc, struct files *files, struct sink *sink)
{
	const struct tls_conf *conf = tc->conf;
	struct trust t = {
		.tc = tc,
		.files = files,
		.sink = sink,
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
