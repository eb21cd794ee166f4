/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn.c -- the VPN of a service: what its calls have in common. */
#include "tunnel/vpn.h"

#include "tunnel/vpn_eap.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/stat.h>

enum { VPN_MAGIC = 0x47a1c05b };

/* ---- server ---- */

/* A fixed address must be one that can be lent. */
static void
check_addresses(const struct vpn *v, struct sink *sink)
{
	uint32_t base, size = UINT32_C(1) << (32 - v->conf->pool.prefix);
	const struct vpn_user *u;

	memcpy(&base, v->conf->pool.bits, sizeof(base));
	base = ntohl(base);
	for (unsigned i = 0; (u = vpn_users_at(v->users, i)) != NULL; i++) {
		uint32_t number = ntohl(u->address.s_addr) - base;

		if (u->address.s_addr == 0 || (number > VPN_POOL_SERVER && number < size - 1))
			continue;
		sink_error(sink, "vpnUsers",
		    "the address %s of %s is none of vpnPool that a client can have",
		    inet_ntoa(u->address), u->name);
	}
}

/* A user who could never log in. */
static void
check_secrets(const struct vpn *v, struct sink *sink)
{
	const struct vpn_user *u;

	for (unsigned i = 0; (u = vpn_users_at(v->users, i)) != NULL; i++) {
		bool can = false;

		for (size_t k = 0; k < v->conf->methods.n; k++)
			can |= auth_can(v->conf->methods.v[k], &u->secret);
		if (!can)
			sink_warn(sink, "vpnUsers",
			    "the hash of %s does for no method of vpnAuth: write the password, or "
			    "add mschapv2",
			    u->name);
	}
}

static bool
prepare_server(struct vpn *v, struct files *files, struct sink *sink)
{
	const struct vpn_conf *conf = v->conf;

	bool tells = conf->radius != NULL || conf->accounting != NULL;

	if ((conf->users_path == NULL && conf->radius == NULL) || conf->pool.family == 0 ||
	    tells != (conf->radius_secret_path != NULL))
		return false; /* vpn_check() has said so */
	if (conf->users_path != NULL &&
	    (v->users = vpn_users_read(files, conf->users_path, sink)) == NULL)
		return false;
	if (conf->radius != NULL &&
	    (v->radius = vpn_radius_new("vpnRadius", conf->radius, conf->radius_secret_path,
		 v->service, files, sink)) == NULL)
		return false;
	if (conf->accounting != NULL &&
	    (v->accounting = vpn_radius_new("vpnAccounting", conf->accounting,
		 conf->radius_secret_path, v->service, files, sink)) == NULL)
		return false;
	check_addresses(v, sink);
	check_secrets(v, sink);
	return true;
}

/* ---- client ---- */

/* The first line of the file. */
static bool
read_password(struct vpn *v, struct files *files, struct sink *sink)
{
	const char *path = v->conf->password_path;
	struct file f;

	if (!files->read(files, path, &f)) {
		sink_error(sink, "vpnPasswordFile", "cannot read %s: %m", path);
		return false;
	}
	if ((f.mode & S_IROTH) != 0)
		sink_error(sink, "vpnPasswordFile",
		    "everybody can read %s, and a password is in it; set chmod 600 (or 640)", path);
	else
		v->password = strndup(f.data, strcspn(f.data, "\r\n"));
	file_done(&f);
	return v->password != NULL;
}

static bool
prepare_client(struct vpn *v, struct files *files, struct sink *sink)
{
	const struct vpn_conf *conf = v->conf;
	bool secret = conf->password != NULL || conf->password_path != NULL;

	if (conf->username == NULL || (conf->password != NULL && conf->password_path != NULL) ||
	    (!secret && !vpn_conf_has(conf, PPP_EAP_TLS)))
		return false; /* vpn_check() has said so */
	v->ppp.user = conf->username;
	if (!secret)
		return true;
	if (v->conf->password_path != NULL && !read_password(v, files, sink))
		return false;
	if (v->conf->password != NULL && (v->password = strdup(v->conf->password)) == NULL)
		return false;
	if (v->password[0] == '\0' || strlen(v->password) > PPP_SECRET_MAX ||
	    strlen(v->conf->username) > PPP_NAME_MAX) {
		sink_error(sink, "vpnUsername", "user and password must have from 1 to %d bytes",
		    PPP_SECRET_MAX);
		return false;
	}
	v->ppp.password = v->password;
	return true;
}

/* ---- EAP-TLS ---- */

/*
 * The certificate, the versions and the ciphers of the TLS outside; and a server believes other
 * CAs. Each side must show a certificate that leads to a CA.  What is about tunnels, and not about
 * who somebody is, stays out.
 */
static void
make_eap_conf(struct vpn *v, const struct tls_conf *tls)
{
	struct tls_conf *eap = &v->eap_conf;

	*eap = *tls;
	eap->verify = (struct tls_verify){ .request = true, .require = true, .chain = true };
	eap->session_resume = false;
	eap->redirect = false;
	eap->sni = "";
	eap->hosts = (struct strv){ .n = 0 };
	eap->alpn = (struct alpn_conf){ .service = NULL };
	eap->ocsp = (struct tls_ocsp){ .url = NULL };
	eap->sessiond = NULL;
	eap->psk_secrets = eap->psk_identity = NULL;
	if (v->client)
		return;
	eap->ca_file = v->conf->ca_file;
	eap->ca_path = eap->ca_store = eap->crl_file = eap->crl_path = NULL;
	eap->ca_engine = eap->check_host = eap->check_email = eap->check_ip =
	    (struct strv){ .n = 0 };
}

static bool
prepare_eap(struct vpn *v, const struct tls_conf *tls, struct files *files, struct sink *sink)
{
	if (!vpn_conf_has(v->conf, PPP_EAP_TLS))
		return true;
	if (!v->client && v->conf->ca_file == NULL)
		return false; /* vpn_check() has said so */
	if (v->client && tls->cert == NULL) {
		sink_error(sink, "vpnAuth", "eap-tls needs cert = FILE, and its key");
		return false;
	}
	make_eap_conf(v, tls);
	v->eap = tls_context_new(
	    &v->eap_conf, v->client ? TLS_CLIENT : TLS_SERVER, v->service, NULL, NULL, files, sink);
	v->ppp.tls = &vpn_eap_tls;
	return v->eap != NULL;
}

/* ---- both ---- */

struct vpn *
vpn_new(const char *service, const struct vpn_conf *conf, const struct tls_conf *tls, bool client,
    struct files *files, struct sink *sink)
{
	unsigned errors = sink->errors;
	struct vpn *v;

	if (OBJ_NEW(v, VPN_MAGIC) == NULL || (v->failures = failures_new()) == NULL) {
		sink_error(sink, NULL, "out of memory");
		vpn_free(v);
		return NULL;
	}
	v->service = service;
	v->conf = conf;
	v->client = client;
	v->sstp.server = v->ppp.server = !client;
	v->sstp.negotiation = (unsigned)conf->timeout_ms;
	v->sstp.hello = (unsigned)conf->keepalive_ms;
	/* PPP's own packets need the usual room, however small the network's are. */
	v->ppp.mru = conf->mtu > PPP_MRU ? (uint16_t)conf->mtu : PPP_MRU;
	v->ppp.echo = (unsigned)conf->keepalive_ms / 2;
	memcpy(v->ppp.methods, conf->methods.v, sizeof(v->ppp.methods));
	v->ppp.method_count = conf->methods.n;
	if ((client ? prepare_client(v, files, sink) : prepare_server(v, files, sink)) &&
	    prepare_eap(v, tls, files, sink) && sink->errors == errors)
		return v;
	vpn_free(v);
	return NULL;
}

void
vpn_free(struct vpn *v)
{
	if (v == NULL)
		return;
	CHECK_OBJ(v, VPN_MAGIC);
	if (v->password != NULL)
		explicit_bzero(v->password, strlen(v->password));
	free(v->password);
	vpn_users_free(v->users);
	vpn_radius_free(v->radius);
	vpn_radius_free(v->accounting);
	failures_free(v->failures);
	tls_context_free(v->eap);
	vpn_net_release(v->net);
	OBJ_FREE(v);
}

bool
vpn_open(struct vpn *v, const struct vpn *previous, unsigned workers)
{
	if (v->client)
		return true;
	if (previous != NULL && previous->net != NULL &&
	    vpn_net_serves(previous->net, v->service, v->conf)) {
		v->net = vpn_net_hold(previous->net);
		return true;
	}
	v->net = vpn_net_open(v->service, v->conf, workers);
	return v->net != NULL;
}
