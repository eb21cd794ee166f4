/* SPDX-License-Identifier: Apache-2.0 */
/* app/version.c -- what this program is, and what it runs on. */
#include "app/version.h"

#include "tls/version.h"

#include <ares.h>
#include <stdio.h>

void
version_lines(void (*line)(const char *text))
{
	char text[256];

	line(VERSION_BANNER);
	tls_version_lines(line);
	snprintf(text, sizeof(text), "Threading:WORKERS Sockets:EPOLL,IPv6 TLS:SNI DNS:c-ares/%s",
	    ares_version(NULL));
	line(text);
}
