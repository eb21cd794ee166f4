/* SPDX-License-Identifier: Apache-2.0 */
/* tls/version.h -- which OpenSSL this is. */
#ifndef GINNEL_TLS_VERSION_H
#define GINNEL_TLS_VERSION_H

/* "Compiled/running with OpenSSL ...", or a line for each when they differ, to `line`. */
void tls_version_lines(void (*line)(const char *text));

#endif
