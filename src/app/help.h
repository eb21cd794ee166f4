/* SPDX-License-Identifier: Apache-2.0 */
/* app/help.h -- -version, -help, -options and -sockets, laid out as the incumbent does. */
#ifndef GINNEL_APP_HELP_H
#define GINNEL_APP_HELP_H

#include <stdio.h>

void help_usage(FILE *);       /* our command line */
void help_version(FILE *);     /* who we are and what is compiled in */
void help_options(FILE *);     /* every option of the configuration, with its default */
void help_tls_options(FILE *); /* the names for `options =` */
void help_sockets(FILE *);     /* the socket options, with the system's defaults */

#endif
