/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_eap.h -- TLS for PPP's EAP-TLS: what binds ppp/ and tls/, which know nothing of each
 * other. */
#ifndef GINNEL_TUNNEL_VPN_EAP_H
#define GINNEL_TUNNEL_VPN_EAP_H

#include "ppp/ppp.h"
#include "tls/context.h"

/* What ppp_conf.tls_arg points to; outlives the link. */
struct vpn_eap {
	const struct tls_context *tc;
	const struct log_ctx *log;
};

extern const struct ppp_tls vpn_eap_tls;

#endif
