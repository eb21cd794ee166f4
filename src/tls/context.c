/* SPDX-License-Identifier: Apache-2.0 */
/* tls/context.c -- the one place that makes an SSL_CTX. */
#include "tls/context.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/rd.h"
#include "tls/alert.h"
#include "tls/capable.h"
#include "tls/certs.h"
#include "tls/errors.h"
#include "tls/library.h"
#include "tls/memory.h"
#include "tls/narrow.h"
#include "tls/ocsp.h"
#include "tls/psk.h"
#include "tls/resume.h"
#include "tls/sessiond.h"
#include "tls/signatures.h"
#include "tls/sni.h"
#include "tls/staple.h"
#include "tls/trust.h"
#include "tls/verify.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

enum { TLS_CONTEXT_MAGIC = 0x48c1e9f5 };

/* The incumbent's defaults. */
#define DEFAULT_CIPHERS "HIGH:!aNULL:!SSLv2:!DH:!kDHEPSK"
#define DEFAULT_CIPHERSUITES \
	"TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
#define DEFAULT_CURVES "X25519:P-256:X448:P-521:P-384"
#define FIPS_CIPHERS "FIPS:!DH:!kDHEPSK"
#define FIPS_CURVES "P-256:P-521:P-384"
#define KEY_CIPHERSUITES \
	"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"

enum {
	WORDS = 256,
	LIST_ROOM = 4096,  /* for a list of ciphers */
	DEFAULT_LEVEL = 2, /* 112 bits of security */
	SNI_LONGEST = 255, /* RFC 6066 section 3, as OpenSSL has it */
};

/* Always on, unless `options = -NAME` clears them. */
static const uint64_t default_options = SSL_OP_NO_SSLv3 | SSL_OP_NO_COMPRESSION |
					SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE;

/* What the steps of a build work on. */
struct build {
	struct tls_context *tc;
	const struct tls_conf *conf;
	const struct tls_context *previous;
	struct files *files;
	struct sink *sink;
};

/* ---- versions ---- */

static const struct {
	int version;
	const char *name;
} version_names[] = {
	{ SSL3_VERSION, "SSLv3" },
	{ TLS1_VERSION, "TLSv1" },
	{ TLS1_1_VERSION, "TLSv1.1" },
	{ TLS1_2_VERSION, "TLSv1.2" },
	{ TLS1_3_VERSION, "TLSv1.3" },
};

static const char *
version_name(int version)
{
	for (size_t i = 0; i < COUNT_OF(version_names); i++)
		if (version_names[i].version == version)
			return version_names[i].name;
	return "all";
}

/* TLS 1.2 if nothing is said; an old maximum alone asks for all up to it. */
static int
lowest_version(const struct tls_conf *conf)
{
	if (conf->version_min != 0)
		return conf->version_min;
	return conf->version_max != 0 && conf->version_max < TLS1_2_VERSION ? TLS1_VERSION
									    : TLS1_2_VERSION;
}

/* Who set it: sslVersion sets both ends at once. */
static const char *
version_option(const struct tls_conf *conf, const char *option)
{
	return conf->version_min == conf->version_max ? "sslVersion" : option;
}

/*
 * OpenSSL 3 can do TLS 1.0 and 1.1 only at security level 0, because their handshakes are signed
 * over SHA-1, and level 0 would let in everything else that is weak as well.  Where the operator
 * asks for these versions, lift just that, and keep the level for keys, certificates and ciphers.
 */
typedef int security_fn(const SSL *, const SSL_CTX *, int, int, int, void *, void *);
static security_fn *by_level; /* OpenSSL's own; set before any thread can be in it */

static int
allow_old_signatures(
    const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other, void *ex)
{
	if ((op & SSL_SECOP_OTHER_TYPE) == SSL_SECOP_OTHER_SIGALG && ssl != NULL &&
	    SSL_version(ssl) < TLS1_2_VERSION && (nid == NID_sha1 || nid == NID_md5_sha1))
		return 1;
	return by_level(ssl, ctx, op, bits, nid, other, ex);
}

static void
set_old_versions(struct build *b)
{
	if (b->conf->security_level > 0) {
		sink_warn(b->sink, "securityLevel",
		    "securityLevel = %d rules TLS 1.0 and 1.1 out; leave securityLevel out to use "
		    "them",
		    b->conf->security_level);
		return;
	}
	sink_warn(b->sink,
	    version_option(b->conf, b->conf->version_min != 0 ? "sslVersionMin" : "sslVersionMax"),
	    "TLS 1.0 and 1.1 are weak (RFC 8996 forbids them); use TLSv1.2 or later if the peers "
	    "can");
	if (b->conf->security_level == 0)
		return;
	if (by_level == NULL)
		by_level = SSL_CTX_get_security_callback(b->tc->ctx);
	SSL_CTX_set_security_callback(b->tc->ctx, allow_old_signatures);
}

static void
set_version(struct build *b, const char *option, int version, bool is_max)
{
	SSL_CTX *ctx = b->tc->ctx;

	/* OpenSSL takes SSLv3 as a bound even if built without it, and then no handshake works. */
	if ((is_max && version == SSL3_VERSION) ||
	    !(is_max ? SSL_CTX_set_max_proto_version(ctx, version)
		     : SSL_CTX_set_min_proto_version(ctx, version)))
		sink_error(b->sink, version_option(b->conf, option),
		    "%s is not supported; use TLSv1.2 or TLSv1.3", version_name(version));
}

static void
set_versions(struct build *b)
{
	const struct tls_conf *conf = b->conf;
	int lowest = lowest_version(conf);

	if (conf->version_max != 0 && conf->version_min > conf->version_max) {
		sink_error(b->sink, "sslVersionMin",
		    "Invalid protocol version range: %s is above sslVersionMax = %s",
		    version_name(conf->version_min), version_name(conf->version_max));
		return;
	}
	set_version(b, "sslVersionMin", lowest, false);
	set_version(b, "sslVersionMax", conf->version_max, true);
	if (lowest < TLS1_2_VERSION)
		set_old_versions(b);
}

/* ---- the other steps ---- */

static void
set_options(struct build *b)
{
	SSL_CTX *ctx = b->tc->ctx;

	SSL_CTX_set_options(ctx, default_options);
	SSL_CTX_set_options(ctx, b->conf->options_set);
	if (b->conf->sessiond != NULL)
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_clear_options(ctx, b->conf->options_clear); /* a clear beats a set, as ever */
	if (b->conf->renegotiation)
		sink_warn(b->sink, "renegotiation",
		    "has no effect: renegotiation stays off; see options = -NO_RENEGOTIATION");
}

static void
run_command(struct build *b, SSL_CONF_CTX *cctx, const char *line)
{
	const char *colon = strchr(line, ':');
	char name[WORDS], why[WORDS];
	int done;

	snprintf(name, sizeof(name), "%.200s", line); /* no command is as long */
	name[strcspn(name, ":")] = '\0';
	ERR_clear_error();
	/* SSL_CONF_cmd(3): 1 or 2 when it acted, 0 and below say why not. */
	done = SSL_CONF_cmd(cctx, name, colon != NULL ? colon + 1 : NULL);
	if (done == -2)
		sink_error(b->sink, "config",
		    "OpenSSL config command \"%s\" was not recognised; SSL_CONF_cmd(3) lists "
		    "those for configuration files",
		    name);
	else if (done == -3)
		sink_error(b->sink, "config",
		    "OpenSSL config command \"%s\" requires a parameter; write %s:VALUE", name,
		    name);
	else if (done <= 0)
		sink_error(b->sink, "config",
		    "OpenSSL config command \"%s\" does not take \"%s\": %s", name,
		    colon != NULL ? colon + 1 : "", errors_take(why, sizeof(why)));
	ERR_clear_error();
}

/* Commands of OpenSSL's own, that beat what was set before them. */
static void
run_config(struct build *b)
{
	const struct strv *config = &b->conf->config;
	SSL_CONF_CTX *cctx = config->n > 0 ? SSL_CONF_CTX_new() : NULL;

	if (cctx == NULL)
		return;
	/* Without SSL_CONF_FLAG_CERTIFICATE: no file is read past base/files. */
	SSL_CONF_CTX_set_flags(
	    cctx, SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_SHOW_ERRORS |
		      (b->tc->role == TLS_SERVER ? SSL_CONF_FLAG_SERVER : SSL_CONF_FLAG_CLIENT));
	SSL_CONF_CTX_set_ssl_ctx(cctx, b->tc->ctx);
	for (unsigned i = 0; i < config->n; i++)
		run_command(b, cctx, config->v[i]);
	SSL_CONF_CTX_finish(cctx);
	SSL_CONF_CTX_free(cctx);
}

/* Whatever was set, and by whichever option. */
static void
forbid_hidden_ends(struct build *b)
{
	SSL_CTX *ctx = b->tc->ctx;

	if ((SSL_CTX_get_options(ctx) & SSL_OP_IGNORE_UNEXPECTED_EOF) != 0) {
		/* It would hide a cut stream from us, and so from the peer on the other side. */
		SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
		sink_warn(b->sink, "options",
		    "IGNORE_UNEXPECTED_EOF has no effect; a cut stream is reported, and "
		    "strictClose = no already passes it on");
	}
}

static void
set_level(struct build *b)
{
	int level = b->conf->security_level;

	if (level < 0 && (level = SSL_CTX_get_security_level(b->tc->ctx)) < DEFAULT_LEVEL)
		level = DEFAULT_LEVEL;
	SSL_CTX_set_security_level(b->tc->ctx, level);
}

/* The value; where it is the default, `special` if there is one. */
static const char *
or_default(const char *value, const char *def, const char *special)
{
	if (value != NULL && strcmp(value, def) != 0)
		return value;
	return special != NULL ? special : def;
}

static const char *
cipher_list(const struct tls_conf *conf)
{
	return or_default(conf->ciphers, DEFAULT_CIPHERS, library_is_fips() ? FIPS_CIPHERS : NULL);
}

/*
 * Pre-shared keys go with SHA-256 only (RFC 8446 4.2.11), and a server chooses the suite before it
 * looks at keys: one that has a certificate, too, would never come to use them.
 */
static const char *
suite_list(const struct tls_conf *conf, enum tls_role role)
{
	return or_default(conf->ciphersuites, DEFAULT_CIPHERSUITES,
	    role == TLS_SERVER && conf->psk_secrets != NULL ? KEY_CIPHERSUITES : NULL);
}

static void
set_ciphers(struct build *b)
{
	SSL_CTX *ctx = b->tc->ctx;
	char why[WORDS];

	ERR_clear_error();
	if (!SSL_CTX_set_cipher_list(ctx, cipher_list(b->conf)))
		sink_error(b->sink, "ciphers", "%s in \"%s\"; \"openssl ciphers\" lists the names",
		    errors_take(why, sizeof(why)), b->conf->ciphers);
	if (!SSL_CTX_set_ciphersuites(ctx, suite_list(b->conf, b->tc->role)))
		sink_error(b->sink, "ciphersuites",
		    "%s in \"%s\"; \"openssl ciphers -s -tls1_3\" lists the names",
		    errors_take(why, sizeof(why)), b->conf->ciphersuites);
	ERR_clear_error();
	/* Parameters by OpenSSL, to the strength of the key; used only if `ciphers` allows DH. */
	SSL_CTX_set_dh_auto(ctx, 1);
}

/*
 * A client that has a key and verifies no certificate trusts its key alone.  So it does not offer
 * TLS 1.2's suites without one, and the verdict refuses whoever answers with a certificate in TLS
 * 1.3.
 */
static void
offer_key_alone(struct build *b)
{
	char list[LIST_ROOM];
	int n = snprintf(
	    list, sizeof(list), "%s:!kECDHE:!kDHE:!kRSA:!kSRP:!kGOST", cipher_list(b->conf));

	/* A list without any such suite is left as it is: then only TLS 1.3 can succeed. */
	if (n < (int)sizeof(list))
		(void)!SSL_CTX_set_cipher_list(b->tc->ctx, list);
	ERR_clear_error();
}

static void
set_keys(struct build *b)
{
	const struct tls_conf *conf = b->conf;
	bool verified = conf->verify.chain || conf->verify.peer;

	if (conf->psk_secrets == NULL)
		return;
	b->tc->psk = psk_load(conf, b->tc->role, b->files, b->sink);
	if (b->tc->role == TLS_CLIENT && !verified)
		offer_key_alone(b);
	else if (b->tc->role == TLS_SERVER && !verified && conf->cert != NULL)
		sink_warn(b->sink, "PSKsecrets",
		    "clients without a key get in too, as there is a certificate and none is "
		    "asked of them; leave cert out, or set verifyChain");
}

static void
set_curves(struct build *b)
{
	SSL_CTX *ctx = b->tc->ctx;

	if (!SSL_CTX_set1_groups_list(ctx, or_default(b->conf->curves, DEFAULT_CURVES,
					       library_is_fips() ? FIPS_CURVES : NULL)))
		sink_error(b->sink, "curves",
		    "Invalid groups list in 'curves': \"%s\"; write for instance " DEFAULT_CURVES,
		    b->conf->curves);
	ERR_clear_error();
}

/* Not about trust: how records meet memory and the socket. */
static void
set_modes(struct build *b)
{
	SSL_CTX *ctx = b->tc->ctx;

	/*
	 * AUTO_RETRY: without it SSL_read says WANT_READ after a ticket or key update although more
	 * records are in the read-ahead buffer, and an edge-triggered loop would wait for ever.
	 */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(ctx, 1);
	/* No early data: it can be replayed (RFC 8446 section 8). */
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_recv_max_early_data(ctx, 0);
}

static void
set_sni(struct build *b, const char *fallback)
{
	struct in6_addr ip;
	const char *sni = b->conf->sni;

	if (b->tc->role != TLS_CLIENT)
		return;
	/* RFC 6066 section 3: no addresses; one that is written in `sni` is sent all the same. */
	if (sni == NULL && fallback != NULL && inet_pton(AF_INET, fallback, &ip) != 1 &&
	    inet_pton(AF_INET6, fallback, &ip) != 1)
		sni = fallback;
	if (sni != NULL && strlen(sni) > SNI_LONGEST)
		sink_error(b->sink, "sni",
		    "a name of more than %d bytes cannot be sent; shorten it", SNI_LONGEST);
	b->tc->sni = sni != NULL && sni[0] != '\0' ? sni : NULL;
}

/* ---- checks that need no OpenSSL ---- */

static void
check_ips(struct build *b)
{
	struct in6_addr ip;

	for (unsigned i = 0; i < b->conf->check_ip.n; i++)
		if (inet_pton(AF_INET, b->conf->check_ip.v[i], &ip) != 1 &&
		    inet_pton(AF_INET6, b->conf->check_ip.v[i], &ip) != 1)
			sink_error(b->sink, "checkIP",
			    "\"%s\" is not an IP address; write 192.0.2.1 or 2001:db8::1",
			    b->conf->check_ip.v[i]);
}

/* Whoever writes two kinds often means both; to demand both has never been possible. */
static void
warn_of_either(struct build *b, const char *one, const char *other)
{
	sink_warn(b->sink, other,
	    "a certificate that matches %s or %s passes, also without the other; leave one out if "
	    "it has to match the other",
	    one, other);
}

static void
check_verify(struct build *b)
{
	const struct tls_conf *conf = b->conf;
	const struct {
		const char *option;
		unsigned n;
	} checks[] = {
		{ "checkHost", conf->check_host.n },
		{ "checkEmail", conf->check_email.n },
		{ "checkIP", conf->check_ip.n },
	};
	bool verified = conf->verify.chain || conf->verify.peer;
	const char *checked = NULL;

	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		if (checks[i].n > 0 && checked != NULL)
			warn_of_either(b, checked, checks[i].option);
		if (checks[i].n > 0)
			checked = checks[i].option;
		if (checks[i].n > 0 && !verified)
			sink_error(b->sink, checks[i].option,
			    "Either \"verifyChain\" or \"verifyPeer\" has to be enabled");
	}
	check_ips(b);
	if (b->tc->role == TLS_CLIENT && !verified && conf->psk_secrets == NULL)
		sink_warn(b->sink, NULL,
		    "Service [%s] needs authentication to prevent MITM attacks; set verifyChain "
		    "and checkHost, or verifyPeer",
		    b->tc->service);
	else if (b->tc->role == TLS_CLIENT && conf->verify.chain && !conf->verify.peer &&
		 checked == NULL)
		sink_warn(b->sink, NULL,
		    "Service [%s] uses \"verifyChain\" without subject checks; use \"checkHost\" "
		    "or \"checkIP\" to restrict trusted certificates",
		    b->tc->service);
}

static void
check_tickets(struct build *b)
{
	const struct tls_conf *conf = b->conf;
	bool key = conf->ticket_key.size > 0, mac = conf->ticket_mac.size > 0;

	if (b->tc->role == TLS_SERVER && key != mac)
		sink_error(b->sink, key ? "ticketKeySecret" : "ticketMacSecret",
		    "\"ticketKeySecret\" and \"ticketMacSecret\" must be set together");
	if (b->tc->role == TLS_CLIENT && (key || mac))
		log_notice(&log_main, "%s is ignored in the client mode",
		    key ? "ticketKeySecret" : "ticketMacSecret");
}

/* ---- the trust hash ---- */

/* Every part goes in with its length, so that no two lists of parts look alike. */
static bool
hash_bytes(EVP_MD_CTX *md, const void *bytes, size_t n)
{
	uint64_t length = n;

	return EVP_DigestUpdate(md, &length, sizeof(length)) && EVP_DigestUpdate(md, bytes, n);
}

static bool
hash_text(EVP_MD_CTX *md, const char *text)
{
	return text == NULL ? hash_bytes(md, "\0none", 5) : hash_bytes(md, text, strlen(text));
}

static bool
hash_list(EVP_MD_CTX *md, const struct strv *list)
{
	bool ok = hash_bytes(md, &list->n, sizeof(list->n));

	for (unsigned i = 0; ok && i < list->n; i++)
		ok = hash_text(md, list->v[i]);
	return ok;
}

static bool
hash_cert(EVP_MD_CTX *md, const X509 *cert)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	return (cert == NULL || X509_digest(cert, EVP_sha256(), digest, &n)) &&
	       hash_bytes(md, digest, n);
}

static bool
hash_object(EVP_MD_CTX *md, X509_OBJECT *object)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	switch (X509_OBJECT_get_type(object)) {
	case X509_LU_X509:
		return hash_cert(md, X509_OBJECT_get0_X509(object));
	case X509_LU_CRL:
		return X509_CRL_digest(
			   X509_OBJECT_get0_X509_CRL(object), EVP_sha256(), digest, &n) &&
		       hash_bytes(md, digest, n);
	default:
		return true;
	}
}

static bool
hash_store(EVP_MD_CTX *md, X509_STORE *store)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
	bool ok = true;

	for (int i = 0; ok && i < sk_X509_OBJECT_num(objects); i++)
		ok = hash_object(md, sk_X509_OBJECT_value(objects, i));
	return ok;
}

static bool
hash_certs(EVP_MD_CTX *md, STACK_OF(X509) *certs)
{
	bool ok = true;

	for (int i = 0; ok && i < sk_X509_num(certs); i++)
		ok = hash_cert(md, sk_X509_value(certs, i));
	return ok;
}

static bool
hash_rules(EVP_MD_CTX *md, const struct tls_context *tc)
{
	const struct tls_conf *conf = tc->conf;
	const struct tls_verify *v = &conf->verify;
	const int numbers[] = { tc->role, v->request, v->require, v->chain, v->peer, conf->redirect,
		conf->version_min, conf->version_max, conf->security_level, conf->ocsp.aia,
		conf->ocsp.nonce, conf->ocsp.require, (int)conf->ocsp.flags };

	return hash_text(md, tc->service) && hash_text(md, tc->sni) &&
	       hash_bytes(md, numbers, sizeof(numbers)) && hash_list(md, &conf->check_host) &&
	       hash_list(md, &conf->check_email) && hash_list(md, &conf->check_ip) &&
	       hash_text(md, conf->ca_path) && hash_text(md, conf->crl_path) &&
	       hash_bytes(md, tc->psk != NULL ? psk_digest(tc->psk) : tc->trust,
		   tc->psk != NULL ? PSK_DIGEST_SIZE : 0) &&
	       hash_text(md, conf->crl_file) && hash_list(md, &conf->config) &&
	       hash_text(md, conf->ocsp.url);
}

static bool
hash_trust(struct tls_context *tc)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) && hash_rules(md, tc) &&
		  hash_cert(md, SSL_CTX_get0_certificate(tc->ctx)) &&
		  hash_store(md, SSL_CTX_get_cert_store(tc->ctx)) && hash_certs(md, tc->pinned) &&
		  EVP_DigestFinal_ex(md, tc->trust, NULL);

	EVP_MD_CTX_free(md);
	return ok;
}

/* ---- the whole ---- */

/* The order matters: the level and the versions judge what is loaded after them. */
static void (*const steps[])(struct build *) = {
	set_level,
	set_versions,
	set_options,
	set_ciphers,
	set_keys,
	run_config,
	set_curves,
	forbid_hidden_ends,
	set_modes,
	check_tickets,
	check_verify,
};

/* An SSL_CTX_set_alpn_select_cb(3); our order counts. */
static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *ours)
{
	const struct alpn theirs = { in, in_len };
	const uint8_t *name = alpn_common(ours, &theirs);

	(void)ssl;
	if (name == NULL)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = name + 1;
	*out_len = name[0];
	return SSL_TLSEXT_ERR_OK;
}

static bool
install_alpn(struct tls_context *tc)
{
	const struct alpn *names = &tc->conf->alpn.names;

	if (names->len == 0)
		return true;
	if (tc->role == TLS_SERVER)
		SSL_CTX_set_alpn_select_cb(tc->ctx, choose_alpn, (void *)(uintptr_t)names);
	/* Unlike most, this one gives 0 for success. */
	return tc->role == TLS_SERVER ||
	       SSL_CTX_set_alpn_protos(tc->ctx, names->list, (unsigned)names->len) == 0;
}

static void
keep_tickets(struct build *b)
{
	const struct tls_context *old = b->previous;

	/* Fixed keys are made anew: the secrets may be others now. */
	if (old != NULL && old->tickets != NULL && b->conf->ticket_key.size == 0 &&
	    old->conf->ticket_key.size == 0 &&
	    old->conf->ticket_rotation_ms == b->conf->ticket_rotation_ms &&
	    memcmp(old->trust, b->tc->trust, TLS_TRUST_SIZE) == 0)
		b->tc->tickets = ticket_ring_hold(old->tickets);
}

static bool
finish(struct build *b)
{
	verify_install(b->tc);
	sni_install(b->tc);
	if (!signatures_install(SSL_CTX_get_cert_store(b->tc->ctx)))
		return false;
	if (!ocsp_install(b->tc, b->sink) || !hash_trust(b->tc) || !install_alpn(b->tc))
		return false;
	if (b->tc->psk != NULL && !psk_install(b->tc))
		return false;
	keep_tickets(b);
	if (!resume_install(b->tc) || !sessiond_install(b->tc, b->sink))
		return false;
	if (b->tc->role == TLS_CLIENT)
		return true;
	capable_install(b->tc);
	return alert_install(b->tc->ctx) && staple_install(b->tc, b->previous);
}

struct tls_context *
tls_context_new(const struct tls_conf *conf, enum tls_role role, const char *service,
    const char *default_sni, const struct tls_context *previous, struct files *files,
    struct sink *sink)
{
	unsigned errors = sink->errors;
	struct tls_context *tc;
	struct build b = { .conf = conf, .previous = previous, .files = files, .sink = sink };

	if (OBJ_NEW(tc, TLS_CONTEXT_MAGIC) == NULL ||
	    (tc->ctx = SSL_CTX_new_ex(narrow_context(), NULL,
		 role == TLS_SERVER ? TLS_server_method() : TLS_client_method())) == NULL)
		goto fail;
	b.tc = tc;
	tc->role = role;
	tc->conf = conf;
	tc->service = service;
	SSL_CTX_set_app_data(tc->ctx, tc);
	for (size_t i = 0; i < COUNT_OF(steps); i++)
		steps[i](&b);
	set_sni(&b, default_sni);
	certs_load_own(tc, files, previous == NULL, sink);
	trust_load(tc, files, sink);
	if (sink->errors == errors && finish(&b))
		return tc;
fail:
	if (sink->errors == errors)
		sink_error(sink, NULL, "cannot set up TLS for [%s]: out of memory or of randomness",
		    service);
	tls_context_free(tc);
	return NULL;
}

static int
select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *name)
{
	struct rd list = rd_of(in, in_len);

	(void)ssl;
	while (rd_left(&list) > 0) {
		struct rd offer = rd_block(&list, 1);
		size_t n = rd_left(&offer);

		if (n == strlen(name) && memcmp(offer.p, name, n) == 0) {
			*out = offer.p;
			*out_len = (unsigned char)n;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

void
tls_context_take_alpn(struct tls_context *tc, const char *name)
{
	MUST(tc->role == TLS_SERVER);
	SSL_CTX_set_alpn_select_cb(tc->ctx, select_alpn, (void *)(uintptr_t)name);
}

void
tls_context_free(struct tls_context *tc)
{
	if (tc == NULL)
		return;
	CHECK_OBJ(tc, TLS_CONTEXT_MAGIC);
	sessiond_free(tc);
	SSL_CTX_free(tc->ctx);
	sk_X509_pop_free(tc->pinned, X509_free);
	ticket_ring_release(tc->tickets);
	ocsp_kept_free(tc->ocsp);
	staple_free(tc->staple);
	psk_free(tc->psk);
	OBJ_FREE(tc);
}

bool
tls_library_start(void)
{
	char why[WORDS];

	memory_from_shelf();
	/* Now, so that openssl.cnf and its providers are read before rights are given up. */
	if (!OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS |
				  OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
		NULL) ||
	    RAND_status() != 1) {
		log_err(&log_main, "OpenSSL cannot be started: %s", errors_take(why, sizeof(why)));
		return false;
	}
	if (OPENSSL_version_major() != OPENSSL_VERSION_MAJOR ||
	    OPENSSL_version_minor() != OPENSSL_VERSION_MINOR)
		log_warn(&log_main,
		    "Compiled with %s, running with %s: the two should be of one series",
		    OPENSSL_VERSION_TEXT, OpenSSL_version(OPENSSL_VERSION));
	return true;
}
