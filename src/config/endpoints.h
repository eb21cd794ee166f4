/* SPDX-License-Identifier: Apache-2.0 */
/* config/endpoints.h -- does a service say where clients come in, where they go, and no more? */
#ifndef GINNEL_CONFIG_ENDPOINTS_H
#define GINNEL_CONFIG_ENDPOINTS_H

#include "tunnel/service.h"

/* `inetd`: the file has no section, and the client is on standard input and output. */
void endpoints_check(const struct service_conf *, bool inetd, struct sink *);

#endif
