/* SPDX-License-Identifier: Apache-2.0 */
/* base/reasons.h -- every way a tunnel can end, from reasons.tbl. */
#ifndef GINNEL_BASE_REASONS_H
#define GINNEL_BASE_REASONS_H

#include <stdbool.h>

enum reason {
#define REASON(id, code, level, clean, words, hint) R_##id,
#include "base/reasons.tbl"
#undef REASON
	REASON_COUNT
};

struct reason_info {
	const char *code;  /* in logs and metrics; stable */
	int level;	   /* of the end line, as in syslog.h */
	bool clean;	   /* the peers see FIN or close_notify, not a reset */
	const char *words; /* what happened */
	const char *hint;  /* what the operator can do; may be empty */
};

const struct reason_info *reason_info(enum reason);

#endif
