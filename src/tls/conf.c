/* SPDX-License-Identifier: Apache-2.0 */
/* tls/conf.c -- the options that shape TLS, and their manual. */
#include "tls/conf.h"

#include "tls/ocsp_http.h"
#include "tls/ops.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <strings.h>

enum {
	SECONDS_MAX = INT_MAX / 1000, /* option_secs keeps milliseconds in an int */
	NAME_MAX_BYTES = 255,	      /* of a host name: RFC 1035 2.3.4 */
};

/*
 * Four flags, and options that write some of them.  The order of the file counts: "verifyChain =
 * yes" and then "requireCert = no" lets clients without a certificate in and verifies the others.
 */
enum { NO, YES, KEEP };

/* clang-format off */
enum verify_rule {
	LEVEL_0, LEVEL_1, LEVEL_2, LEVEL_3, LEVEL_4, CHAIN, NO_CHAIN, PEER, NO_PEER, CERT, NO_CERT
};

static const struct {
	unsigned char request, require, chain, peer;
} verify_rules[] = {
	/*	       request  require  chain  peer */
	[LEVEL_0]  = { YES,     NO,      NO,    NO },
	[LEVEL_1]  = { YES,     NO,      YES,   NO },
	[LEVEL_2]  = { YES,     YES,     YES,   NO },
	[LEVEL_3]  = { YES,     YES,     YES,   YES },
	[LEVEL_4]  = { YES,     YES,     NO,    YES },
	[CHAIN]    = { YES,     YES,     YES,   KEEP },
	[NO_CHAIN] = { KEEP,    KEEP,    NO,    KEEP },
	[PEER]     = { YES,     YES,     KEEP,  YES },
	[NO_PEER]  = { KEEP,    KEEP,    KEEP,  NO },
	[CERT]     = { YES,     YES,     KEEP,  KEEP },
	[NO_CERT]  = { KEEP,    NO,      KEEP,  KEEP },
};
/* clang-format on */

static const struct option_word level_words[] = {
	{ "0", LEVEL_0 },
	{ "1", LEVEL_1 },
	{ "2", LEVEL_2 },
	{ "3", LEVEL_3 },
	{ "4", LEVEL_4 },
	{ NULL, 0 },
};
static const struct option_word chain_words[] = { { "yes", CHAIN }, { "no", NO_CHAIN },
	{ NULL, 0 } };
static const struct option_word peer_words[] = { { "yes", PEER }, { "no", NO_PEER }, { NULL, 0 } };
static const struct option_word cert_words[] = { { "yes", CERT }, { "no", NO_CERT }, { NULL, 0 } };

static void
set_flag(bool *flag, unsigned char to)
{
	if (to != KEEP)
		*flag = to == YES;
}

/* Field: struct tls_verify; the words stand for a row of verify_rules. */
static bool
parse_verify(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct tls_verify *v = field;
	int rule = 0;

	if (!option_keyword(ctx, o, &rule, value))
		return false;
	set_flag(&v->request, verify_rules[rule].request);
	set_flag(&v->require, verify_rules[rule].require);
	set_flag(&v->chain, verify_rules[rule].chain);
	set_flag(&v->peer, verify_rules[rule].peer);
	return true;
}

static const struct option_word version_words[] = {
	{ "all", 0 },
	{ "SSLv3", SSL3_VERSION },
	{ "TLSv1", TLS1_VERSION },
	{ "TLSv1.1", TLS1_1_VERSION },
	{ "TLSv1.2", TLS1_2_VERSION },
	{ "TLSv1.3", TLS1_3_VERSION },
	{ NULL, 0 },
};

/* Field: struct tls_conf.  A later sslVersionMin or sslVersionMax changes its own limit again. */
static bool
parse_version(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct tls_conf *conf = field;
	int version = 0;

	if (!option_keyword(ctx, o, &version, value))
		return false;
	conf->version_min = conf->version_max = version;
	return true;
}

/* Field: struct tls_conf.  A leading '-' clears, and that beats every set: two fields. */
static bool
parse_ops(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct tls_conf *conf = field;
	bool clear = value[0] == '-';
	const char *name = value + clear;
	const struct op *op = ops_find(name);

	(void)o;
	if (op == NULL && (op = ops_nearest(name)) != NULL)
		return option_refuse(ctx, "OpenSSL has no option \"%s\"; write %s", name, op->name);
	if (op == NULL)
		return option_refuse(
		    ctx, "OpenSSL has no option \"%s\"; \"ginnel -options\" lists them", name);
	*(clear ? &conf->options_clear : &conf->options_set) |= op->bits;
	return true;
}

/* Field: struct strv. */
static bool
parse_ip(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct in6_addr any;

	if (inet_pton(AF_INET, value, &any) != 1 && inet_pton(AF_INET6, value, &any) != 1)
		return option_refuse(ctx,
		    "\"%s\" is not an IP address; write one like 192.0.2.1 or 2001:db8::1", value);
	return option_list(ctx, o, field, value);
}

/* A name, or a pattern of names without its "*". */
static bool
check_name(struct option_ctx *ctx, const char *name)
{
	if (strlen(name) > NAME_MAX_BYTES)
		return option_refuse(
		    ctx, "the name has %zu bytes; write at most %d", strlen(name), NAME_MAX_BYTES);
	for (const char *p = name; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p))
			return option_refuse(ctx, "a server name holds no blank and only ASCII; "
						  "write other scripts in their xn-- form");
	return true;
}

/* The server's form, SERVICE:PATTERN; config/vhost.c looks for the service. */
static bool
parse_host(struct option_ctx *ctx, const struct option *o, struct tls_conf *conf, const char *value)
{
	const char *pattern = strchr(value, ':') + 1;
	const char *name = pattern + (pattern[0] == '*');

	if (pattern == value + 1 || pattern[0] == '\0' || strcmp(name, ".") == 0)
		return option_refuse(ctx,
		    "Invalid SNI parameter format: \"%s\"; write SERVICE:PATTERN, where SERVICE is "
		    "the section that has accept and PATTERN a host name or *.domain",
		    value);
	return check_name(ctx, name) && option_list(ctx, o, &conf->hosts, value);
}

/*
 * Field: struct tls_conf.  A colon tells the server's form from the client's, whatever the section
 * turns out to be.  Empty means "send none", which differs from not being set.
 */
static bool
parse_sni(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct tls_conf *conf = field;

	if (strchr(value, ':') != NULL)
		return parse_host(ctx, o, conf, value);
	if (value[0] == '\0') {
		conf->sni = "";
		conf->hosts = (struct strv){ 0 };
		return true;
	}
	return check_name(ctx, value) && option_text(ctx, o, &conf->sni, value);
}

/* Field: struct tls_secret.  32 or 64 digits; bytes may have colons between them. */
static bool
parse_secret(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct tls_secret secret = { 0 };
	long size = 0;
	unsigned char *bytes = OPENSSL_hexstr2buf(value, &size);

	/* Neither the value nor OpenSSL's words about it: they would be a secret in a log. */
	ERR_clear_error();
	if (bytes == NULL)
		return option_refuse(ctx,
		    "Required %s is 16 or 32 byte hexadecimal key; make one "
		    "with \"openssl rand -hex 32\"",
		    o->name);
	if (size == 16 || size == 32) {
		secret.size = (unsigned)size;
		memcpy(secret.bytes, bytes, secret.size);
		*(struct tls_secret *)field = secret;
		OPENSSL_cleanse(&secret, sizeof(secret));
	}
	OPENSSL_clear_free(bytes, (size_t)size);
	return size == 16 || size == 32 ||
	       option_refuse(
		   ctx, "%s value has %ld bytes instead of required 16 or 32 bytes", o->name, size);
}

/* Field: struct strv.  Commands that would go round options of ours are those options. */
static bool
parse_config(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	static const struct {
		const char *command, *instead;
	} ours[] = {
		{ "Certificate", "write cert = FILE" },
		{ "PrivateKey", "write key = FILE" },
		{ "ChainCAFile", "put the chain into the file of cert" },
		{ "ChainCAPath", "put the chain into the file of cert" },
		{ "ChainCAStore", "put the chain into the file of cert" },
		{ "VerifyCAFile", "write CAfile = FILE" },
		{ "VerifyCAPath", "write CApath = DIRECTORY" },
		{ "VerifyCAStore", "write CAstore = URI" },
		{ "RequestCAFile", "write CAfile = FILE" },
		{ "RequestCAPath", "write CApath = DIRECTORY" },
		{ "RequestCAStore", "write CAstore = URI" },
		{ "ClientCAFile", "write CAfile = FILE" },
		{ "ClientCAPath", "write CApath = DIRECTORY" },
		{ "ClientCAStore", "write CAstore = URI" },
		{ "VerifyMode", "write verifyChain, verifyPeer or requireCert" },
		{ "DHParameters", "leave it out; OpenSSL chooses parameters to fit the key" },
	};
	size_t n = strcspn(value, ":");

	for (size_t i = 0; i < COUNT_OF(ours); i++)
		if (strlen(ours[i].command) == n && strncasecmp(ours[i].command, value, n) == 0)
			return option_refuse(ctx, "the command %s is not for this place; %s",
			    ours[i].command, ours[i].instead);
	return option_list(ctx, o, field, value);
}

/* Field: const char *. */
static bool
parse_responder(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct ocsp_url url;
	const char *why;

	if (value[0] != '\0' && !ocsp_http_url(value, &url, &why))
		return option_refuse(ctx, "%s", why);
	return option_text(ctx, o, field, value);
}

static const struct option_word ocsp_flag_words[] = {
	{ "NOCERTS", OCSP_NOCERTS },
	{ "NOINTERN", OCSP_NOINTERN },
	{ "NOSIGS", OCSP_NOSIGS },
	{ "NOCHAIN", OCSP_NOCHAIN },
	{ "NOVERIFY", OCSP_NOVERIFY },
	{ "NOEXPLICIT", OCSP_NOEXPLICIT },
	{ "NOCASIGN", OCSP_NOCASIGN },
	{ "NODELEGATED", OCSP_NODELEGATED },
	{ "NOCHECKS", OCSP_NOCHECKS },
	{ "TRUSTOTHER", OCSP_TRUSTOTHER },
	{ "RESPID_KEY", OCSP_RESPID_KEY },
	{ "NOTIME", OCSP_NOTIME },
	{ NULL, 0 },
};

/* Field: unsigned long; several add up. */
static bool
parse_ocsp_flag(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	int flag = 0;

	if (!option_keyword(ctx, o, &flag, value))
		return false;
	*(unsigned long *)field |= (unsigned long)flag;
	return true;
}

/* Field: const struct addr *.  Looked up once; IPv4 before IPv6, as the incumbent. */
static bool
parse_sessiond(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	enum { LOOKUP_MAX = 16 };
	struct addr found[LOOKUP_MAX], *kept = arena_alloc(ctx->arena, sizeof(*kept));
	struct target t;
	size_t n, first = 0;

	(void)o;
	if (kept == NULL)
		return option_refuse(ctx, "out of memory");
	if (!target_parse(ctx->arena, value, &t, ctx->why, sizeof(ctx->why)))
		return false;
	if (t.path != NULL || t.port == 0)
		return option_refuse(ctx, "write HOST:PORT of a session cache that speaks UDP");
	if ((n = target_lookup(&t, false, found, LOOKUP_MAX, ctx->why, sizeof(ctx->why))) == 0)
		return false;
	while (first < n && found[first].sa.sa_family != AF_INET)
		first++;
	*kept = found[first < n ? first : 0];
	*(const struct addr **)field = kept;
	return true;
}

/* Field: struct tls_conf.  Of engineId and engineNum, the later line wins. */
static bool
parse_engine_id(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct tls_conf *conf = field;

	conf->engine_number = 0;
	return option_text(ctx, o, &conf->engine_id, value);
}

static bool
parse_engine_number(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct tls_conf *conf = field;

	if (!option_int(ctx, o, &conf->engine_number, value))
		return false;
	conf->engine_id = NULL;
	return true;
}

#define AT(field) offsetof(struct tls_conf, field)
#define CONF 0 /* the parser fills more than one field */

const struct option tls_options[] = {
	{ .name = "cert",
	    .parse = option_text,
	    .offset = AT(cert),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE|URI",
	    .doc = "The certificate to show to the peer: a file in PEM (the leaf first, then the "
		   "certificates of its issuers), DER or PKCS#12, or a URI such as "
		   "pkcs11:token=t;object=o for a provider of OpenSSL, or a name in the engine of "
		   "engineId. A service that accepts TLS needs "
		   "one; "
		   "towards a server it is only needed if that server asks for a client "
		   "certificate." },
	{ .name = "key",
	    .parse = option_text,
	    .offset = AT(key),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE|URI",
	    .doc = "The private key of cert, as a file, a URI, or a name in the engine of "
		   "engineId. If it is not set, the key is where cert is. A key that stays in a "
		   "token signs in the worker, and each signature holds up the tunnels of that "
		   "worker for as long as it takes. The token must be within reach after setuid "
		   "and chroot, too." },
	{ .name = "strictPermissions",
	    .parse = option_yesno,
	    .offset = AT(strict_permissions),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "Refuse to start with a file of key or PSKsecrets that other users can read or "
		   "change. With no, that is a warning." },
	{ .name = "CAfile",
	    .parse = option_text,
	    .offset = AT(ca_file),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc = "PEM file with the certificates of trusted CAs, and with the peers' own "
		   "certificates for verifyPeer. An empty value takes back a default of the global "
		   "part. The system's own list of CAs is never used unless it is named here." },
	{ .name = "CApath",
	    .parse = option_text,
	    .offset = AT(ca_path),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_DIRECTORY,
	    .arg = "DIRECTORY",
	    .doc = "Directory with such certificates, one a file, named by their hashes as openssl "
		   "rehash makes them. An empty value takes back a default of the global part." },
	{ .name = "CRLfile",
	    .parse = option_text,
	    .offset = AT(crl_file),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc = "PEM file with certificate revocation lists. Every certificate of the chain is "
		   "then checked, and a list that is missing or out of date rejects the peer. It "
		   "is read at start and on reload. An empty value takes back a default of the "
		   "global part." },
	{ .name = "CRLpath",
	    .parse = option_text,
	    .offset = AT(crl_path),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_DIRECTORY,
	    .arg = "DIRECTORY",
	    .doc = "Directory with revocation lists, named by their hashes as openssl rehash makes "
		   "them. An empty value takes back a default of the global part." },
	{ .name = "verify",
	    .parse = parse_verify,
	    .offset = AT(verify),
	    .scope = OPTION_SERVICE,
	    .words = level_words,
	    .arg = "LEVEL",
	    .doc = "The older way to write verifyChain, verifyPeer and requireCert. 0: ask for a "
		   "certificate and ignore it. 1: verify its chain if there is one. 2: require one "
		   "and verify its chain. 3: as 2, and it must be installed in CAfile or CApath. "
		   "4: it must be installed there, and its chain is ignored. If not set, no "
		   "certificate is asked for and none is verified. These four options act in the "
		   "order of the file." },
	{ .name = "verifyChain",
	    .parse = parse_verify,
	    .offset = AT(verify),
	    .scope = OPTION_SERVICE,
	    .words = chain_words,
	    .arg = "yes|no",
	    .doc = "Require a certificate of the peer that leads to a root in CAfile or CApath. "
		   "Whose certificate it may be is a question of its own: see checkHost. The value "
		   "no takes the check away and leaves the certificate required." },
	{ .name = "verifyPeer",
	    .parse = parse_verify,
	    .offset = AT(verify),
	    .scope = OPTION_SERVICE,
	    .words = peer_words,
	    .arg = "yes|no",
	    .doc = "Require a certificate of the peer that is itself installed in CAfile or CApath "
		   "(pinning). The value no takes the check away and leaves the certificate "
		   "required." },
	{ .name = "requireCert",
	    .parse = parse_verify,
	    .offset = AT(verify),
	    .scope = OPTION_SERVICE,
	    .words = cert_words,
	    .arg = "yes|no",
	    .doc = "Require a certificate of the client. After verifyChain or verifyPeer, no lets "
		   "clients without a certificate in, and those with one are still verified." },
	{ .name = "checkHost",
	    .parse = option_list,
	    .offset = AT(check_host),
	    .scope = OPTION_SERVICE,
	    .arg = "HOST",
	    .doc = "The peer's certificate must be made out to this host. May be given several "
		   "times; with several check options, one match of any kind is enough. Needs "
		   "verifyChain or verifyPeer." },
	{ .name = "checkEmail",
	    .parse = option_list,
	    .offset = AT(check_email),
	    .scope = OPTION_SERVICE,
	    .arg = "ADDRESS",
	    .doc = "The peer's certificate must be made out to this mail address. May be given "
		   "several times; see checkHost." },
	{ .name = "checkIP",
	    .parse = parse_ip,
	    .offset = AT(check_ip),
	    .scope = OPTION_SERVICE,
	    .arg = "ADDRESS",
	    .doc = "The peer's certificate must be made out to this IPv4 or IPv6 address. May be "
		   "given several times; see checkHost." },
	{ .name = "OCSP",
	    .parse = parse_responder,
	    .offset = AT(ocsp.url),
	    .scope = OPTION_SERVICE,
	    .arg = "URL",
	    .doc = "Ask this OCSP responder, http://HOST[:PORT]/PATH, whether the peer's "
		   "certificate has been revoked. An answer that the peer staples to its handshake "
		   "is taken first. Needs verifyChain. Answers are kept until they expire, an hour "
		   "at most, unless OCSPnonce is on. An empty value takes back a default of the "
		   "global part." },
	{ .name = "OCSPaia",
	    .parse = option_yesno,
	    .offset = AT(ocsp.aia),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "Also ask the OCSP responders that the certificates of the chain name "
		   "themselves (AIA), for each but the root. Needs verifyChain." },
	{ .name = "OCSPflag",
	    .parse = parse_ocsp_flag,
	    .offset = AT(ocsp.flags),
	    .scope = OPTION_SERVICE,
	    .words = ocsp_flag_words,
	    .arg = "NAME",
	    .doc = "A flag of OCSP_basic_verify(3), with which OCSP answers are verified: NOCERTS, "
		   "NOINTERN, NOSIGS, NOCHAIN, NOVERIFY, NOEXPLICIT, NOCASIGN, NODELEGATED, "
		   "NOCHECKS, TRUSTOTHER, RESPID_KEY or NOTIME. May be given several times. Some "
		   "of them switch the verification off." },
	{ .name = "OCSPnonce",
	    .parse = option_yesno,
	    .offset = AT(ocsp.nonce),
	    .scope = OPTION_SERVICE,
	    .def = "no",
	    .arg = "yes|no",
	    .doc = "Send a nonce with each OCSP question, and take no answer that does not repeat "
		   "it. Every handshake then asks anew, and no session is taken up." },
	{ .name = "OCSPrequire",
	    .parse = option_yesno,
	    .offset = AT(ocsp.require),
	    .scope = OPTION_SERVICE,
	    .def = "yes",
	    .arg = "yes|no",
	    .doc = "Reject a peer if somebody was asked about it by OCSP and no answer was "
		   "conclusive." },
	{ .name = "TIMEOUTocsp",
	    .parse = option_secs,
	    .offset = AT(ocsp.timeout_ms),
	    .scope = OPTION_SERVICE,
	    .def = "5",
	    .min = -1,
	    .max = SECONDS_MAX,
	    .arg = "SECONDS",
	    .doc = "How long to wait for a connection to an OCSP responder, and then for its "
		   "answer, in seconds; -1: 24 days." },
	{ .name = "sni",
	    .parse = parse_sni,
	    .offset = CONF,
	    .scope = OPTION_SERVICE,
	    .arg = "HOST | SERVICE:PATTERN",
	    .doc = "A service that connects with TLS: the name that it asks the server for (SNI). "
		   "If it is not set, that is the host of the first connect; an empty value sends "
		   "none. A service that accepts TLS: instead of accept, the names for which it "
		   "serves the clients of another section, SERVICE, that has accept. PATTERN is a "
		   "name, or a * and what names end in: *.example.com is for all names below "
		   "example.com. Everything but the sockets in accept and their options is this "
		   "section's own. May be given several times; the first pattern in the file that "
		   "matches is taken, and sniUnmatched says what happens if none does. SERVICE may "
		   "be the section itself." },
	{ .name = "alpn",
	    .parse = alpn_parse,
	    .offset = AT(alpn),
	    .scope = OPTION_SERVICE,
	    .arg = "[SERVICE:]NAMES",
	    .doc = "Names of application protocols (ALPN), such as h2,http/1.1, in the order of "
		   "preference. A service that connects with TLS offers them. One that accepts TLS "
		   "takes its first one that the client offers; a client that offers others only "
		   "is refused by the alert no_application_protocol, and one that offers none is "
		   "served. With SERVICE: before them, this section serves those clients of "
		   "SERVICE's port that offer one of them; if it has sni for that SERVICE, too, "
		   "only those who also ask for such a name. Sections with alpn = SERVICE:NAMES "
		   "choose before those that go by the name alone." },
	{ .name = "sslVersion",
	    .parse = parse_version,
	    .offset = CONF,
	    .scope = OPTION_SERVICE,
	    .words = version_words,
	    .arg = "VERSION",
	    .doc = "Speak only this version of TLS: it sets sslVersionMin and sslVersionMax "
		   "together. The value all removes both limits. Of this option and those two, the "
		   "one further down in the file wins." },
	{ .name = "sslVersionMin",
	    .parse = option_keyword,
	    .offset = AT(version_min),
	    .scope = OPTION_SERVICE,
	    .def = "all",
	    .words = version_words,
	    .arg = "VERSION",
	    .doc = "The lowest version of TLS to speak. The value all means TLSv1.2: the older "
		   "versions are weak, and must be asked for by name, here or by a lower "
		   "sslVersionMax. With them, leave securityLevel unset, or set it to 0." },
	{ .name = "sslVersionMax",
	    .parse = option_keyword,
	    .offset = AT(version_max),
	    .scope = OPTION_SERVICE,
	    .def = "all",
	    .words = version_words,
	    .arg = "VERSION",
	    .doc = "The highest version of TLS to speak. The value all leaves it to OpenSSL." },
	{ .name = "options",
	    .parse = parse_ops,
	    .offset = CONF,
	    .scope = OPTION_SERVICE,
	    .def = "NO_SSLv3",
	    .arg = "[-]NAME",
	    .doc = "Switch on an option of OpenSSL, or with a leading - switch one off. The name "
		   "is that of SSL_CTX_set_options(3) without SSL_OP_; ginnel -options lists all. "
		   "May be given several times; off beats on." },
	{ .name = "ciphers",
	    .parse = option_text,
	    .offset = AT(ciphers),
	    .scope = OPTION_SERVICE,
	    .def = "HIGH:!aNULL:!SSLv2:!DH:!kDHEPSK",
	    .arg = "LIST",
	    .doc = "The cipher suites of TLS 1.2 and below, as in openssl-ciphers(1)." },
	{ .name = "ciphersuites",
	    .parse = option_text,
	    .offset = AT(ciphersuites),
	    .scope = OPTION_SERVICE,
	    .def = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
	    .arg = "LIST",
	    .doc = "The cipher suites of TLS 1.3, best first, with a colon between them." },
	{ .name = "curves",
	    .alias = "curve",
	    .parse = option_text,
	    .offset = AT(curves),
	    .scope = OPTION_SERVICE,
	    .def = "X25519:P-256:X448:P-521:P-384",
	    .arg = "LIST",
	    .doc = "The groups for the key exchange, best first, with a colon between them." },
	{ .name = "securityLevel",
	    .parse = option_int,
	    .offset = AT(security_level),
	    .scope = OPTION_SERVICE,
	    .min = 0,
	    .max = 5,
	    .arg = "LEVEL",
	    .doc = "OpenSSL's security level, from 0 (everything is allowed) to 5: see "
		   "SSL_CTX_set_security_level(3). If it is not set, it is the larger of 2 and the "
		   "library's own." },
	{ .name = "sessionResume",
	    .parse = option_yesno,
	    .offset = AT(session_resume),
	    .scope = OPTION_SERVICE,
	    .def = "yes",
	    .arg = "yes|no",
	    .doc = "Let a peer that comes again take up its earlier TLS session, which saves most "
		   "of the cost of a handshake. A session is only taken up by the service that "
		   "made it and while the rules of trust are the same." },
	{ .name = "sessionCacheSize",
	    .parse = option_long,
	    .offset = AT(session_cache_size),
	    .scope = OPTION_SERVICE,
	    .def = "1000",
	    .min = 0,
	    .max = LONG_MAX,
	    .arg = "NUMBER",
	    .doc = "How many sessions are kept in memory for resumption without tickets; 0 means "
		   "without limit." },
	{ .name = "sessionCacheTimeout",
	    .alias = "session",
	    .parse = option_secs,
	    .offset = AT(session_timeout_ms),
	    .scope = OPTION_SERVICE,
	    .def = "300",
	    .min = 1,
	    .max = SECONDS_MAX,
	    .arg = "SECONDS",
	    .doc = "How long after its full handshake a session can be taken up, in seconds." },
	{ .name = "ticketRotation",
	    .parse = option_secs,
	    .offset = AT(ticket_rotation_ms),
	    .scope = OPTION_SERVICE,
	    .def = "43200",
	    .min = 1,
	    .max = SECONDS_MAX,
	    .arg = "SECONDS",
	    .doc = "How long one key seals session tickets before a new one takes its place, in "
		   "seconds. A key that is gone cannot be stolen and used against what was "
		   "recorded earlier." },

	{ .name = "CAengine",
	    .parse = option_list,
	    .offset = AT(ca_engine),
	    .scope = OPTION_SERVICE,
	    .arg = "ID",
	    .doc = "A trusted certificate in the engine of engineId or engineNum. May be given "
		   "several times." },
	{ .name = "CAstore",
	    .parse = option_text,
	    .offset = AT(ca_store),
	    .scope = OPTION_SERVICE,
	    .arg = "URI",
	    .doc = "Trusted certificates, and revocation lists, behind a URI that OpenSSL or one "
		   "of its providers knows, such as pkcs11:token=ca or file:/etc/ssl/ca. They are "
		   "read at start and on reload, by the process itself. An empty value takes back "
		   "a default of the global part." },
	{ .name = "config",
	    .parse = parse_config,
	    .offset = AT(config),
	    .scope = OPTION_SERVICE,
	    .arg = "COMMAND[:PARAMETER]",
	    .doc = "A command of OpenSSL for configuration files, see SSL_CONF_cmd(3): "
		   "MinProtocol:TLSv1.3 for instance. May be given several times. The commands "
		   "act after sslVersion, securityLevel, ciphers and options, and before curves. "
		   "Certificates and verification have options of their own." },
	{ .name = "engineId",
	    .parse = parse_engine_id,
	    .offset = CONF,
	    .scope = OPTION_SERVICE,
	    .arg = "ID",
	    .doc = "The engine, by the id of its engine line, in which cert and key are looked up "
		   "if there are no files of these names." },
	{ .name = "engineNum",
	    .parse = parse_engine_number,
	    .offset = CONF,
	    .scope = OPTION_SERVICE,
	    .min = 1,
	    .max = 256,
	    .arg = "NUMBER",
	    .doc = "The same by the number of the engine line, counted from 1." },
	{ .name = "PSKidentity",
	    .parse = option_text,
	    .offset = AT(psk_identity),
	    .scope = OPTION_SERVICE,
	    .arg = "IDENTITY",
	    .doc = "The identity of PSKsecrets that a client uses. If it is not set, that is the "
		   "first one. A server accepts all of them." },
	{ .name = "PSKsecrets",
	    .parse = option_text,
	    .offset = AT(psk_secrets),
	    .scope = OPTION_SERVICE,
	    .reads = OPTION_READS_FILE,
	    .arg = "FILE",
	    .doc =
		"File with pre-shared keys: IDENTITY:KEY on each line, without comments or "
		"blanks. A KEY of hexadecimal digits is the bytes that they say, any other is "
		"its own bytes; it has 16 to 512 bytes. Others must not be able to read the "
		"file, see strictPermissions. A server then needs no cert, and with one, "
		"verifyChain or verifyPeer to keep clients without a key out; it staples no OCSP "
		"answer then, unless its certificate demands one. A client that verifies no "
		"certificate accepts only a server that has its key." },
	{ .name = "renegotiation",
	    .parse = option_yesno,
	    .offset = AT(renegotiation),
	    .scope = OPTION_SERVICE,
	    .arg = "yes|no",
	    .doc = "Renegotiation within a connection is refused in any case, and the connection "
		   "goes on: OpenSSL 3 refuses it to clients by itself, TLS 1.3 has none, and it "
		   "has been a way to attack. A peer that cannot do without needs options = "
		   "-NO_RENEGOTIATION, and for a client options = ALLOW_CLIENT_RENEGOTIATION." },
	{ .name = "sessiond",
	    .parse = parse_sessiond,
	    .offset = AT(sessiond),
	    .scope = OPTION_SERVICE,
	    .arg = "HOST:PORT",
	    .doc = "An external cache of sessions, which several servers of the same service share "
		   "by UDP. Session tickets are off then. Whoever can read or forge these packets "
		   "can read the sessions: use it in a network of your own. It is not used by a "
		   "service that verifies certificates or has PSKsecrets." },
	{ .name = "ticketKeySecret",
	    .secret = true,
	    .parse = parse_secret,
	    .offset = AT(ticket_key),
	    .scope = OPTION_SERVICE,
	    .arg = "HEX",
	    .doc = "16 or 32 bytes in hexadecimal digits, from which the key is made that "
		   "encrypts session tickets, in place of random keys that are replaced now and "
		   "then. Sessions then outlive a restart, and other machines with the same "
		   "secrets and the same service take them up, if their clocks agree. Whoever "
		   "learns the secrets can read what was recorded of TLS 1.2 sessions: change "
		   "them often. Needs ticketMacSecret." },
	{ .name = "ticketMacSecret",
	    .secret = true,
	    .parse = parse_secret,
	    .offset = AT(ticket_mac),
	    .scope = OPTION_SERVICE,
	    .arg = "HEX",
	    .doc = "16 or 32 bytes in hexadecimal digits, from which the key is made that "
		   "authenticates session tickets. Needs ticketKeySecret." },
	{ .name = NULL },
};

bool
tls_verifies(const struct tls_conf *conf)
{
	return conf->verify.chain || conf->verify.peer;
}

void
tls_each_op(void (*row)(void *arg, const char *name), void *arg)
{
	for (const struct op *o = ops_table; o->name != NULL; o++)
		row(arg, o->name);
}
