/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/grants.h -- what a configuration names outside itself: files to read, addresses to bind,
 * network devices to make.
 *
 * For a privileged process that opens these for another, and nothing else.  It must not do more
 * with a configuration than it has to: options are told apart by the tables, but the only parsers
 * that run are those of the few that say how a socket is bound.
 */
#ifndef GINNEL_CONFIG_GRANTS_H
#define GINNEL_CONFIG_GRANTS_H

#include "config/config.h"

struct grants;

/*
 * Of the configuration at `path` (or, if `text` is given, of that text) and all that it includes.
 * NULL without memory.
 */
struct grants *grants_read(
    struct files *, const char *path, const char *text, const struct option_set *global_sets);
void grants_free(struct grants *); /* NULL is fine */

/* Is this the configuration, a file that it names, or one directly in a directory that it names? */
bool grants_file(const struct grants *, const char *path);
bool grants_directory(const struct grants *, const char *path);
/*
 * The service that accepts there: by its address, or, where the configuration has a host's name, by
 * its port.  NULL: none.  Only what socket_options[] names is filled.
 */
const struct service_conf *grants_listener(const struct grants *, const struct addr *);
/* What the `i`th VPN says about its device, addresses and routes; NULL: there are no more. */
const struct vpn_conf *grants_vpn(const struct grants *, unsigned i);
/* Does a service come to its targets from its clients' addresses (transparent = source)? */
bool grants_foreign(const struct grants *);

#endif
