/* SPDX-License-Identifier: Apache-2.0 */
/* net/netset.c -- reading networks, and looking addresses up in them. */
#include "net/netset.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
	V4_BITS = 32,
	V6_BITS = 128,
	MAPPED_BITS = V6_BITS - V4_BITS, /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */
};

/* ---- text ---- */

/* inet_pton(3) knows neither the short nor the octal forms of inet_aton(3), nor zones. */
static bool
read_address(const char *text, struct network *out)
{
	size_t n = strlen(text);
	char inner[INET6_ADDRSTRLEN];
	bool brackets = n > 2 && n < sizeof(inner) && text[0] == '[' && text[n - 1] == ']';

	if (brackets)
		(void)snprintf(inner, sizeof(inner), "%.*s", (int)n - 2, text + 1);
	if (!brackets && inet_pton(AF_INET, text, out->bits) == 1) {
		out->family = AF_INET;
		out->prefix = V4_BITS;
		return true;
	}
	out->family = AF_INET6;
	out->prefix = V6_BITS;
	return inet_pton(AF_INET6, brackets ? inner : text, out->bits) == 1;
}

/* IPv4 in its mapped form as what it is. */
static void
unmap(struct network *net)
{
	struct in6_addr a;

	memcpy(&a, net->bits, sizeof(a));
	if (net->family != AF_INET6 || net->prefix < MAPPED_BITS || !IN6_IS_ADDR_V4MAPPED(&a))
		return;
	net->family = AF_INET;
	net->prefix -= MAPPED_BITS;
	memmove(net->bits, net->bits + MAPPED_BITS / 8, V4_BITS / 8);
	memset(net->bits + V4_BITS / 8, 0, sizeof(net->bits) - V4_BITS / 8);
}

/* Make the bits behind the prefix zero.  True: they were. */
static bool
mask(struct network *net)
{
	uint8_t all = 0;

	for (unsigned i = 0; i < sizeof(net->bits); i++) {
		unsigned kept = net->prefix <= 8 * i ? 0 : net->prefix - 8 * i;
		uint8_t behind = kept >= 8 ? 0 : (uint8_t)(0xff >> kept);

		all |= net->bits[i] & behind;
		net->bits[i] &= (uint8_t)~behind;
	}
	return all == 0;
}

bool
network_parse(const char *from, size_t n, struct network *out, char *why, size_t size)
{
	enum { LONGEST = INET6_ADDRSTRLEN + 2 + 4 }; /* with brackets and a prefix */
	char text[LONGEST + 1], masked[INET6_ADDRSTRLEN], safe[TEXT_SAFE_MAX];
	char *slash;
	long prefix = 0;

	*out = (struct network){ 0 };
	text_safe(from, n, safe, sizeof(safe));
	(void)snprintf(text, sizeof(text), "%.*s", n > LONGEST ? 0 : (int)n, from);
	if (strcmp(text, "unix") == 0) {
		out->family = AF_UNIX;
		return true;
	}
	if ((slash = strchr(text, '/')) != NULL)
		*slash = '\0';
	if (strlen(text) + (slash != NULL ? 1 + strlen(slash + 1) : 0) != n ||
	    !read_address(text, out))
		return text_refuse(why, size,
		    "\"%s\" is not a network; write it such as 192.0.2.0/24, 2001:db8::/32, "
		    "192.0.2.1, or unix for clients on UNIX sockets",
		    safe);
	if (slash != NULL && !text_number(slash + 1, 0, (long)out->prefix, &prefix))
		return text_refuse(why, size, "\"%s\": behind the / stands a number from 0 to %u",
		    safe, out->prefix);
	if (slash != NULL)
		out->prefix = (unsigned)prefix;
	unmap(out);
	if (!mask(out))
		return text_refuse(why, size,
		    "\"%s\" is an address within a network; write the network as %s/%u, or the "
		    "address without a prefix",
		    safe, inet_ntop(out->family, out->bits, masked, sizeof(masked)), out->prefix);
	return true;
}

/* ---- look-up ---- */

bool
network_holds(const struct network *net, const struct addr *peer)
{
	struct addr a = addr_unmapped(peer);
	uint8_t bits[16] = { 0 };
	unsigned whole = net->prefix / 8, rest = net->prefix % 8;

	if (a.len == 0 || a.sa.sa_family != net->family)
		return false;
	if (net->family == AF_INET)
		memcpy(bits, &a.in.sin_addr, sizeof(a.in.sin_addr));
	else if (net->family == AF_INET6)
		memcpy(bits, &a.in6.sin6_addr, sizeof(a.in6.sin6_addr));
	return memcmp(bits, net->bits, whole) == 0 &&
	       (rest == 0 || ((bits[whole] ^ net->bits[whole]) >> (8 - rest)) == 0);
}

bool
netset_holds(const struct netset *set, const struct addr *a)
{
	for (unsigned i = 0; i < set->n; i++)
		if (network_holds(&set->v[i], a))
			return true;
	return false;
}

/* ---- the option ---- */

/* Append to a copy: the list of the global part stays as it is for the other sections. */
static bool
append(struct option_ctx *ctx, struct netset *set, const struct network *net)
{
	struct network *v = arena_alloc(ctx->arena, (set->n + 1) * sizeof(*v));

	if (v == NULL)
		return option_refuse(ctx, "out of memory");
	if (set->n > 0)
		memcpy(v, set->v, set->n * sizeof(*v));
	v[set->n] = *net;
	*set = (struct netset){ v, set->n + 1 };
	return true;
}

bool
netset_parse(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	static const char between[] = ", \t";
	struct network net;
	size_t n;
	bool any = false;

	(void)o;
	for (; *(value += strspn(value, between)) != '\0'; value += n, any = true) {
		n = strcspn(value, between);
		if (!network_parse(value, n, &net, ctx->why, sizeof(ctx->why)) ||
		    !append(ctx, field, &net))
			return false;
	}
	return any ||
	       option_refuse(ctx, "is empty; write networks such as 192.0.2.0/24, 2001:db8::/32");
}
