/* SPDX-License-Identifier: Apache-2.0 */
/* base/reasons.c -- the table of ends. */
#include "base/reasons.h"

#include "base/check.h"

#include <syslog.h>

static const struct reason_info infos[] = {
#define REASON(id, code, level, clean, words, hint) [R_##id] = { code, level, clean, words, hint },
#include "base/reasons.tbl"
#undef REASON
};

const struct reason_info *
reason_info(enum reason r)
{
	MUST((unsigned)r < COUNT_OF(infos));
	return &infos[r];
}
