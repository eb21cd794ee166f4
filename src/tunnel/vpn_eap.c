/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_eap.c -- TLS for PPP's EAP-TLS. */
#include "tunnel/vpn_eap.h"

#include "tls/eap_tls.h"

static void *
begin(void *arg, bool server)
{
	const struct vpn_eap *eap = arg;

	MUST((eap->tc->role == TLS_SERVER) == server);
	return eap_tls_new(eap->tc, eap->log);
}

static bool
put(void *tls, const uint8_t *bytes, size_t n)
{
	return eap_tls_put(tls, bytes, n);
}

static enum ppp_tls_state
step(void *tls)
{
	static const enum ppp_tls_state states[] = {
		[EAP_TLS_MORE] = PPP_TLS_MORE,
		[EAP_TLS_DONE] = PPP_TLS_DONE,
		[EAP_TLS_FAILED] = PPP_TLS_FAILED,
	};

	return states[eap_tls_step(tls)];
}

static size_t
left(void *tls)
{
	return eap_tls_left(tls);
}

static size_t
take(void *tls, uint8_t *out, size_t n)
{
	return eap_tls_take(tls, out, n);
}

static bool
key(void *tls, uint8_t out[PPP_KEY])
{
	return eap_tls_key(tls, out, PPP_KEY);
}

static bool
name(void *tls, char *out, size_t size)
{
	return eap_tls_name(tls, out, size);
}

static void
end(void *tls)
{
	eap_tls_free(tls);
}

const struct ppp_tls vpn_eap_tls = { begin, put, step, left, take, key, name, end };
