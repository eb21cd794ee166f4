/* SPDX-License-Identifier: Apache-2.0 */
/* tls/version.c -- which OpenSSL this was compiled with, and which it runs with. */
#include "tls/version.h"

#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <stdio.h>
#include <string.h>

void
tls_version_lines(void (*line)(const char *text))
{
	const char *running = OpenSSL_version(OPENSSL_VERSION);
	char text[160];

	if (strcmp(running, OPENSSL_VERSION_TEXT) == 0) {
		snprintf(text, sizeof(text), "Compiled/running with %s", running);
		line(text);
		return;
	}
	line("Compiled with " OPENSSL_VERSION_TEXT);
	snprintf(text, sizeof(text), "Running  with %s", running);
	line(text);
	/* Within one minor version the interface is the same; across two, things may have moved. */
	if (OPENSSL_version_major() != OPENSSL_VERSION_MAJOR ||
	    OPENSSL_version_minor() != OPENSSL_VERSION_MINOR)
		line("Warning: the two differ in the minor version; build ginnel against the "
		     "library in use");
}
