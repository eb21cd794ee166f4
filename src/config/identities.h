/* SPDX-License-Identifier: Apache-2.0 */
/* config/identities.h -- do rules and limits ask for what clients can show? */
#ifndef GINNEL_CONFIG_IDENTITIES_H
#define GINNEL_CONFIG_IDENTITIES_H

#include "config/config.h"

/* `conf`: a section of the configuration. */
void identities_check(const struct config *, const struct service_conf *conf, struct sink *);

#endif
