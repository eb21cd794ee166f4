/* SPDX-License-Identifier: Apache-2.0 */
/* app/check.c -- ginnel check. */
#include "app/check.h"

#include "app/exit_status.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static void
print_problem(const struct problem *p)
{
	char text[LOG_LINE_MAX];

	fprintf(stderr, "%s%s\n", p->fatal ? "" : "warning: ", problem_text(p, text, sizeof(text)));
}

/* ---- what vpnSetup would do ---- */

/* "ginnel%d" is any device of that name. */
static void
print_masquerade(const struct network *pool, const char *device)
{
	char text[INET6_ADDRSTRLEN];

	printf(
	    "    nft add rule inet ginnel post %s saddr %s/%u oifname != \"%.*s%s\" masquerade\n",
	    pool->family == AF_INET ? "ip" : "ip6",
	    inet_ntop(pool->family, pool->bits, text, sizeof(text)), pool->prefix,
	    (int)strcspn(device, "%"), device, strchr(device, '%') != NULL ? "*" : "");
}

/* The kernel is the administrator's: these are the commands to type. */
static void
print_setup(const struct service_conf *conf)
{
	const struct vpn_conf *vpn = &conf->vpn;

	printf("[%s]: for a way out of the VPN, as vpnSetup = yes would have it:\n", conf->name);
	printf("    sysctl net.ipv4.ip_forward=1\n");
	if (vpn->pool6.family != 0)
		printf("    sysctl net.ipv6.conf.all.forwarding=1\n");
	printf("  and where others do not know the way back to its addresses:\n"
	       "    nft add table inet ginnel\n"
	       "    nft 'add chain inet ginnel post { type nat hook postrouting priority srcnat; "
	       "}'\n");
	print_masquerade(&vpn->pool, vpn->device);
	if (vpn->pool6.family != 0)
		print_masquerade(&vpn->pool6, vpn->device);
}

static void
print_setups(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->service_count; i++) {
		const struct service_conf *conf = plan->services[i].conf;

		if (service_is_network(conf) && !conf->client && !conf->vpn.setup)
			print_setup(conf);
	}
}

/* ---- the whole ---- */

int
check(const struct source *source)
{
	struct files *files = files_system_new();
	struct loaded l;

	if (files == NULL || !tls_library_start()) {
		fprintf(stderr,
		    "ginnel: cannot start the TLS library or reach the working directory\n");
		files_system_free(files);
		return EXIT_FAILED;
	}
	l = load(source, NULL, files, print_problem);
	files_system_free(files);
	if (l.plan == NULL) {
		fprintf(stderr, "%s: %u error(s), %u warning(s)\n", source->path,
		    l.config != NULL ? l.config->errors : 1, l.warnings);
		config_free(l.config);
		return EXIT_BAD_CONFIG;
	}
	printf("%s: good: %u service(s), %u warning(s)\n", source->path, l.plan->service_count,
	    l.warnings);
	print_setups(l.plan);
	plan_release(l.plan);
	return EXIT_DONE;
}
