/* SPDX-License-Identifier: Apache-2.0 */
/* config/hops.h -- a service for each proxy of proxyVia. */
#ifndef GINNEL_CONFIG_HOPS_H
#define GINNEL_CONFIG_HOPS_H

#include "config/config.h"

/* Before the plan is made: add them behind the sections of the file. */
void hops_expand(struct config *);

#endif
