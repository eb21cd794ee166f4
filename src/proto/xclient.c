/* SPDX-License-Identifier: Apache-2.0 */
/* proto/xclient.c -- tell an SMTP server who the client is. */
#include "proto/xclient.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { GREETING, OFFER, DONE };

/* What there is to say.  A name is not: to look it up and believe it is the server's own affair. */
static const struct attribute {
	const char *name;
	bool of_client; /* and not of where it connected to */
	bool is_port;
} attributes[] = {
	{ "ADDR", true, false },
	{ "PORT", true, true },
	{ "DESTADDR", false, false },
	{ "DESTPORT", false, true },
};
static const char unknown[] = "[UNAVAILABLE]";

static bool
is_last(const struct dialogue *d)
{
	return d->len < 4 || d->line[3] != '-';
}

/* One of the lines behind EHLO: "250-XCLIENT NAME ADDR ...". */
static void
read_offer(const struct dialogue *d, struct xclient *x)
{
	static const char keyword[] = "XCLIENT";
	const char *p = d->len > 4 ? d->line + 4 : "";
	size_t n = strlen(keyword);

	if (!proto_begins(d, "250") || strncasecmp(p, keyword, n) != 0 ||
	    (p[n] != '\0' && p[n] != ' '))
		return;
	x->is_offered = true;
	for (p += n; *(p += strspn(p, " ")) != '\0'; p += n) {
		n = strcspn(p, " ");
		for (unsigned i = 0; i < COUNT_OF(attributes); i++)
			if (strlen(attributes[i].name) == n &&
			    strncasecmp(attributes[i].name, p, n) == 0)
				x->offered |= 1u << i;
	}
}

/* "192.0.2.7", "IPV6:2001:db8::7", a port, or that it is not known. */
static void
write_value(const struct attribute *a, const struct addr *from, char out[ADDR_TEXT + 8])
{
	struct addr addr = addr_unmapped(from);
	char host[ADDR_TEXT];

	if (addr.len == 0 || addr_is_unix(&addr)) {
		(void)snprintf(out, ADDR_TEXT + 8, "%s", unknown);
		return;
	}
	if (addr.sa.sa_family == AF_INET6) /* a zone means something on this machine only */
		addr.in6.sin6_scope_id = 0;
	if (a->is_port)
		(void)snprintf(out, ADDR_TEXT + 8, "%u", addr_port(&addr));
	else
		(void)snprintf(out, ADDR_TEXT + 8, "%s%s",
		    addr.sa.sa_family == AF_INET6 ? "IPV6:" : "", addr_host_text(&addr, host));
}

static void
say_who(struct dialogue *d, const struct xclient *x)
{
	char line[512] = "XCLIENT", value[ADDR_TEXT + 8];
	size_t n = strlen(line);

	for (unsigned i = 0; i < COUNT_OF(attributes); i++) {
		const struct attribute *a = &attributes[i];

		if ((x->offered & 1u << i) == 0)
			continue;
		write_value(a, a->of_client ? &d->facts->client : &d->facts->accepted, value);
		n += (size_t)snprintf(line + n, sizeof(line) - n, " %s=%s", a->name, value);
	}
	proto_say(d, PROTO_FAR, "%s", line);
}

static enum proto_verdict
take_greeting(struct dialogue *d, struct xclient *x)
{
	enum proto_verdict got;

	do {
		if ((got = proto_line(d, PROTO_FAR)) != PROTO_DONE)
			return got;
		if (!proto_begins(d, "220")) {
			proto_say(d, PROTO_NEAR, "%s", d->line);
			return proto_end(d, R_PROTO_SERVER, "Unknown server welcome");
		}
	} while (!is_last(d));
	(void)snprintf(x->greeting, sizeof(x->greeting), "%.*s", (int)d->len, d->line);
	proto_say(d, PROTO_FAR, "EHLO %s", d->conf->host != NULL ? d->conf->host : "localhost");
	x->step = OFFER;
	return PROTO_DONE;
}

static enum proto_verdict
take_offer(struct dialogue *d, struct xclient *x)
{
	enum proto_verdict got;

	do {
		if ((got = proto_line(d, PROTO_FAR)) != PROTO_DONE)
			return got;
		read_offer(d, x);
	} while (!is_last(d));
	/* Without the address the rest would only be half the truth. */
	if ((x->offered & 1) == 0)
		x->is_offered = false;
	if (x->is_offered)
		say_who(d, x);
	else
		log_warn(
		    d->log, "The server offers no XCLIENT, and does not learn who the client is");
	x->step = DONE;
	return PROTO_DONE;
}

enum proto_verdict
xclient_run(struct dialogue *d, struct xclient *x)
{
	enum proto_verdict got;

	if (x->step == GREETING && (got = take_greeting(d, x)) != PROTO_DONE)
		return got;
	if (x->step == OFFER && (got = take_offer(d, x)) != PROTO_DONE)
		return got;
	return PROTO_DONE;
}
