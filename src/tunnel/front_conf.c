/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/front_conf.c -- the options of the way in, and their manual. */
#include "tunnel/front_conf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct option_word versions[] = {
	{ "off", PROXY_OFF },
	{ "v1", PROXY_V1 },
	{ "v2", PROXY_V2 },
	{ NULL, 0 },
};

static const struct option_word tlvs[] = {
	{ "alpn", PROXY_TLV_ALPN },
	{ "authority", PROXY_TLV_AUTHORITY },
	{ "ssl", PROXY_TLV_SSL },
	{ "cert", PROXY_TLV_CERT | PROXY_TLV_SSL },
	{ "uniqueId", PROXY_TLV_UNIQUE_ID },
	{ "crc32c", PROXY_TLV_CRC32C },
	{ "all", PROXY_TLV_ALL },
	{ "yes", PROXY_TLV_ALL },
	{ "none", 0 },
	{ "no", 0 },
	{ NULL, 0 },
};

static const struct option_word *
find_tlv(const char *name, size_t n)
{
	for (const struct option_word *w = tlvs; w->name != NULL; w++)
		if (strlen(w->name) == n && strncasecmp(w->name, name, n) == 0)
			return w;
	return NULL;
}

/* Field: int, the bits of a list of words. */
static bool
parse_tlvs(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	static const char between[] = ", \t";
	const struct option_word *word;
	int bits = 0;
	char list[200];
	size_t n;

	(void)o;
	for (; *(value += strspn(value, between)) != '\0'; value += n) {
		n = strcspn(value, between);
		if ((word = find_tlv(value, n)) == NULL)
			return option_refuse(ctx, "\"%.*s\" is not known; write some of %s",
			    n > 64 ? 64 : (int)n, value, option_words(tlvs, list, sizeof(list)));
		bits |= (int)word->value;
	}
	*(int *)field = bits;
	return true;
}

#define AT(field) offsetof(struct front_conf, field)

const struct option front_options[] = {
	{ .name = "allowFrom",
	    .parse = netset_parse,
	    .offset = AT(allow_from),
	    .scope = OPTION_SERVICE,
	    .arg = "NETWORKS",
	    .doc = "Only clients from these networks may use the service, such as 192.0.2.0/24, "
		   "2001:db8::/32; unix stands for clients on UNIX sockets. May be given several "
		   "times. Others are refused before TLS begins, with end=not_allowed. If it is "
		   "not set, all may that denyFrom does not name." },
	{ .name = "denyFrom",
	    .parse = netset_parse,
	    .offset = AT(deny_from),
	    .scope = OPTION_SERVICE,
	    .arg = "NETWORKS",
	    .doc = "Clients from these networks may not use the service, whatever allowFrom says. "
		   "May be given several times. A section that takes clients of another one's port "
		   "has lists of its own; they are asked in addition to those of that one." },
	{ .name = "detect",
	    .parse = detect_parse,
	    .offset = AT(detect),
	    .scope = OPTION_SERVICE,
	    .arg = "SERVICE:KINDS",
	    .doc =
		"Instead of accept: this section serves those clients of the port of SERVICE "
		"that begin in one of these ways: tls, ssh, http, connect (HTTP CONNECT), socks "
		"(socks4, socks5), other (anything else), or timeout: clients that wait for the "
		"server to begin, and say nothing for detectTimeout. What nobody has named is for "
		"SERVICE itself. With tls/ before it (tls/ssh, tls/connect), and always for "
		"sstp, it is what comes inside of TLS once SERVICE has opened that, with the "
		"certificate and the rules of SERVICE. Clients of such a section begin in clear "
		"unless it names tls, so acceptTLS is no for it if nothing else is said. May be "
		"given several times. SERVICE may be the section itself." },
	{ .name = "detectTimeout",
	    .parse = option_secs,
	    .offset = AT(detect) + offsetof(struct detect_conf, timeout_ms),
	    .scope = OPTION_SERVICE,
	    .def = "2",
	    .min = 1,
	    .max = 3600,
	    .arg = "SECONDS",
	    .doc = "How long a client may say nothing before it goes to the section with detect = "
		   "SERVICE:timeout, in seconds. It stands in SERVICE." },
	{ .name = "proxyProtocolFrom",
	    .parse = netset_parse,
	    .offset = AT(proxy_from),
	    .scope = OPTION_SERVICE,
	    .arg = "NETWORKS",
	    .doc = "Connections come from these senders (load balancers, proxies), and each begins "
		   "with a header of the PROXY protocol, version 1 or 2, that tells who the client "
		   "is: its address is then the one that logs, allowFrom, libwrap, "
		   "maxConnectionsPerSource, transparent and the target see. Others are refused, "
		   "as whoever sends a header can be anybody. It stands in the section that has "
		   "accept. May be given several times." },
	{ .name = "proxyProtocol",
	    .parse = option_keyword,
	    .offset = AT(proxy_out),
	    .scope = OPTION_SERVICE,
	    .def = "off",
	    .words = versions,
	    .arg = "v1|v2|off",
	    .doc =
		"Tell the target who the client is, by a header of the PROXY protocol: the first "
		"bytes that it gets, before TLS. v1 is a line of text, v2 is binary and can tell "
		"more, see proxyProtocolTLVs. Unlike protocol = proxy it goes together with "
		"every protocol." },
	{ .name = "proxyProtocolTLVs",
	    .parse = parse_tlvs,
	    .offset = AT(proxy_tlvs),
	    .scope = OPTION_SERVICE,
	    .def = "alpn,authority,ssl",
	    .words = tlvs,
	    .arg = "LIST",
	    .doc = "What proxyProtocol = v2 tells beyond addresses: alpn (the protocol that TLS "
		   "agreed on), authority (the name that the client asked for), ssl (version, "
		   "cipher, whether the client's certificate was verified, and its common name), "
		   "cert (that, and the client's certificate itself), uniqueId (a random number "
		   "of the connection, which the log has, too), crc32c (a checksum), all or none. "
		   "What came in with proxyProtocolFrom is passed on, unless it is told anew. A "
		   "header that would have more than 4096 bytes ends the tunnel." },
	{ .name = NULL },
};

bool
front_conf_lets_in(const struct front_conf *conf, const struct addr *client)
{
	return !netset_holds(&conf->deny_from, client) &&
	       (conf->allow_from.n == 0 || netset_holds(&conf->allow_from, client));
}
