/* SPDX-License-Identifier: Apache-2.0 */
/* config/front.h -- what a section says about the way in: passthrough, alpn, PROXY headers. */
#ifndef GINNEL_CONFIG_FRONT_H
#define GINNEL_CONFIG_FRONT_H

#include "base/option.h"
#include "tunnel/service.h"

/* `global`: the defaults of all sections. */
void front_check(const struct service_conf *, const struct service_conf *global, struct sink *);

#endif
