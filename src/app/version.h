/* SPDX-License-Identifier: Apache-2.0 */
/* app/version.h -- what this program is called. */
#ifndef GINNEL_APP_VERSION_H
#define GINNEL_APP_VERSION_H

/* GINNEL_VERSION, GINNEL_PLATFORM and GINNEL_SYSCONFDIR come from the build (meson.build). */

#define VERSION_BANNER "ginnel " GINNEL_VERSION " on " GINNEL_PLATFORM " platform"

/* "Compiled/running with OpenSSL ..." and the like, one line each, to `line`. */
void version_lines(void (*line)(const char *text));

#endif
