/* SPDX-License-Identifier: Apache-2.0 */
/* app/version.c -- what this program is, and what it runs on. */
#include "app/version.h"

#include "app/process.h"
#include "app/program.h"
#include "net/wrappers.h"
#include "tls/version.h"
#include "tunnel/service.h"

#include <ares.h>
#include <stdio.h>
#include <string.h>

/* The version of the incumbent whose behaviour is the yardstick; scripts ask for it. */
#define STANDS_IN_FOR "5.75"

/* Features by the words of the incumbent, and the option without which there is none. */
struct feature {
	const char *word, *option;
};
static const struct feature tls_features[] = {
	{ "ENGINE", "engine" },
	{ "FIPS", "fips" },
	{ "OCSP", "OCSP" },
	{ "PSK", "PSKsecrets" },
	{ "SNI", "sni" },
};
static const struct feature auth_features[] = {
	{ "LIBWRAP", "libwrap" },
};

static bool
has_option(const struct option_set *sets, const char *name)
{
	for (; sets->title != NULL; sets++)
		for (const struct option *o = sets->table; o->name != NULL; o++)
			if (strcmp(o->name, name) == 0)
				return true;
	return false;
}

/* " TLS:ENGINE,SNI", or nothing. */
static size_t
put_features(char *out, size_t size, const char *title, const struct feature *f, size_t n)
{
	const char *before = title;
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (!has_option(service_sets, f[i].option) &&
		    !has_option(process_sets, f[i].option))
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%s", before, f[i].word);
		before = ",";
	}
	return used;
}

void
version_lines(void (*line)(const char *text))
{
	char text[256];
	size_t n;

	line(program_stands_in() ? "stunnel " STANDS_IN_FOR " on " GINNEL_HOSTTYPE " platform"
				 : VERSION_BANNER);
	tls_version_lines(line);
	n = (size_t)snprintf(text, sizeof(text), "Threading:%s Sockets:EPOLL,IPv6,SYSTEMD",
	    program_stands_in() ? "PTHREAD" : "WORKERS");
	n +=
	    put_features(text + n, sizeof(text) - n, " TLS:", tls_features, COUNT_OF(tls_features));
	if (wrappers_are_built_in())
		n += put_features(
		    text + n, sizeof(text) - n, " Auth:", auth_features, COUNT_OF(auth_features));
	snprintf(text + n, sizeof(text) - n, " DNS:c-ares/%s", ares_version(NULL));
	line(text);
	if (program_stands_in())
		line("This is " VERSION_BANNER ", in place of stunnel");
}
