/* SPDX-License-Identifier: Apache-2.0 */
/* config/proxies.h -- what a server needs whose clients say where they go: rules, users. */
#ifndef GINNEL_CONFIG_PROXIES_H
#define GINNEL_CONFIG_PROXIES_H

#include "tunnel/service.h"

void proxies_check(const struct service_conf *, struct sink *);

#endif
