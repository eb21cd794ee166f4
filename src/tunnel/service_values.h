/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/service_values.h -- what a service's options accept as values. */
#ifndef GINNEL_TUNNEL_SERVICE_VALUES_H
#define GINNEL_TUNNEL_SERVICE_VALUES_H

#include "base/option.h"

/* Each says beside its definition what its field is. */
option_parse service_parse_accept;
option_parse service_parse_connect;
option_parse service_parse_redirect;
option_parse service_parse_local;
option_parse service_parse_service;
option_parse service_parse_exec;
option_parse service_parse_exec_args;
option_parse service_parse_retry;
option_parse service_parse_libwrap;

/* An account by name or number into an int; 0 has always meant "not set", and gives -1. */
option_parse service_parse_user;
option_parse service_parse_group;

#endif
