/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/front_conf.h -- the way in: who may come, who speaks for whom, and what the target is
 * told. */
#ifndef GINNEL_TUNNEL_FRONT_CONF_H
#define GINNEL_TUNNEL_FRONT_CONF_H

#include "net/netset.h"
#include "tunnel/detect.h"

enum proxy_version { PROXY_OFF, PROXY_V1, PROXY_V2 };

enum proxy_tlv { /* bits */
	PROXY_TLV_ALPN = 1,
	PROXY_TLV_AUTHORITY = 2,
	PROXY_TLV_SSL = 4,
	PROXY_TLV_CERT = 8,
	PROXY_TLV_UNIQUE_ID = 16,
	PROXY_TLV_CRC32C = 32,
	PROXY_TLV_ALL = 63,
};

struct front_conf {
	struct netset allow_from, deny_from; /* allow_from empty: everybody */
	struct netset proxy_from;	     /* who speaks for clients, and must; empty: nobody */
	int proxy_out;			     /* enum proxy_version */
	int proxy_tlvs;			     /* enum proxy_tlv */
	struct detect_conf detect;	     /* whose clients come here, by what they begin with */
};

extern const struct option front_options[];

/* May a client with this address use the service? */
bool front_conf_lets_in(const struct front_conf *, const struct addr *client);
/* Does the service ask for addresses at all? */
static inline bool
front_conf_has_list(const struct front_conf *conf)
{
	return conf->allow_from.n > 0 || conf->deny_from.n > 0;
}

#endif
