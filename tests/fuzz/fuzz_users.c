/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_users.c -- any bytes as the files of proxyUsers and vpnUsers. */
#include "kit/memory.h"
#include "tunnel/users.h"
#include "tunnel/vpn_users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* A complaint names the file and the line, or says what is wrong with all of it. */
static void
hear(struct sink *sink, bool fatal, const char *option, const char *text)
{
	(void)sink;
	(void)fatal;
	MUST(strcmp(option, "proxyUsers") == 0 || strcmp(option, "vpnUsers") == 0);
	MUST(text[0] != '\0');
}

/* Who is in a file is found, and nobody else. */
static void
check_proxy_users(struct memory *m)
{
	struct sink sink = { .say = hear };
	struct users *u = users_load("f", true, &m->files, &sink);
	bool known = true;

	MUST((u == NULL) == (sink.errors > 0));
	if (u == NULL)
		return;
	MUST(users_hash(u, "", &known)[0] == '$' && !known);
	users_free(u);
}

static void
check_vpn_users(struct memory *m)
{
	struct sink sink = { .say = hear };
	struct vpn_users *u = vpn_users_read(&m->files, "f", &sink);
	const struct vpn_user *user;

	MUST((u == NULL) == (sink.errors > 0));
	if (u == NULL)
		return;
	for (unsigned i = 0; (user = vpn_users_at(u, i)) != NULL; i++) {
		MUST(vpn_users_find(u, user->name) == user);
		MUST(user->secret.hash == NULL || user->secret.clear == NULL);
		MUST(user->address.s_addr == 0 || vpn_users_own(u, user->address));
	}
	vpn_users_free(u);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct memory m = memory_of(data, n);

	check_proxy_users(&m);
	check_vpn_users(&m);
	return 0;
}
