/* SPDX-License-Identifier: Apache-2.0 */
/* base/log_conf.h -- what the configuration says about logging. */
#ifndef GINNEL_BASE_LOG_CONF_H
#define GINNEL_BASE_LOG_CONF_H

#include "base/option.h"

#include <stdbool.h>
#include <syslog.h>

/* Filled through log_options[]. */
struct log_conf {
	int level;	    /* debug = */
	int facility;	    /* debug = FACILITY.LEVEL */
	const char *output; /* file, or NULL */
	int overwrite;	    /* log = append|overwrite */
	bool syslog;	    /* syslog = yes|no */
	const char *ident;  /* service = in the global part; syslog's ident */
};
extern const struct option log_options[];

/* debug = [FACILITY.]LEVEL into an int level (service) or a struct log_conf (global table). */
option_parse log_parse_level;

#endif
