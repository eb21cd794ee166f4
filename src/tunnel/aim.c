/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/aim.c -- the configuration, the client and the choice among targets, in this order. */
#include "tunnel/aim.h"

const struct dial_plan *
aim_configured(const struct session *s)
{
	if (s->sibling != NULL)
		return sibling_dial_plan(s->sibling);
	return s->redirected ? &s->service->redirect : &s->service->dial;
}

/* Before one is picked. */
static const struct dial_plan *
wanted(const struct session *s)
{
	const struct dial_plan *plan = s->route != NULL ? route_plan(s->route) : aim_configured(s);

	return s->talk != NULL && !s->redirected ? talk_dial_plan(s->talk, plan) : plan;
}

const struct dial_plan *
aim_plan(const struct session *s)
{
	return s->pick != NULL ? pick_plan(s->pick) : wanted(s);
}

bool
aim_is_service(const struct session *s)
{
	return wanted(s)->targets == s->service->dial.targets;
}
