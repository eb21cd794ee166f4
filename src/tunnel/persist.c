/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/persist.c -- persistence: who comes back is known by the session that is resumed. */
#include "tunnel/persist.h"

#include "tls/tls_stream.h"
#include "tunnel/aim.h"

/* The number of a client whose way back to its target is worth a memory; 0: it is not. */
static uint64_t
visitor_of(const struct session *s, bool *resumed)
{
	const struct dial_plan *plan = aim_plan(s);
	bool several = plan->count > 1 || plan->targets[0].numeric.len == 0;

	return several && aim_is_service(s) ? tls_stream_visitor(&s->near, resumed) : 0;
}

/* The number of the target that has this hash; plan->count: it is gone. */
static unsigned
target_of(const struct dial_plan *plan, uint64_t hash)
{
	unsigned i = 0;

	while (i < plan->count && backend_hash(plan->targets[i].text) != hash)
		i++;
	return i;
}

bool
persist_find(struct session *s, unsigned *first, struct home *home)
{
	const struct dial_plan *plan = aim_plan(s);
	bool resumed = false;
	uint64_t visitor = visitor_of(s, &resumed);
	char text[ADDR_TEXT];

	if (visitor == 0 || !resumed)
		return false;
	if (!homes_find(s->worker->common->homes, visitor, home)) {
		log_notice(&s->log, "persistence: No cached address found");
		return false;
	}
	if (s->pick != NULL)
		*first = pick_favour(s->pick, home->target) ? 0 : plan->count;
	else
		*first = target_of(plan, home->target);
	if (*first < plan->count)
		return true;
	log_info(&s->log, "persistence: %s not available", addr_text(&home->addr, text));
	return false;
}

bool
persist_leads_back(const struct session *s)
{
	bool resumed = false;
	uint64_t visitor = visitor_of(s, &resumed);
	struct home home;

	return visitor != 0 && resumed && homes_find(s->worker->common->homes, visitor, &home);
}

void
persist_note(struct session *s, const struct home *home)
{
	bool resumed = false;
	uint64_t visitor = visitor_of(s, &resumed);
	char text[ADDR_TEXT];

	if (visitor == 0)
		return;
	homes_note(s->worker->common->homes, visitor, home);
	log_info(&s->log, "persistence: %s cached", addr_text(&home->addr, text));
}
