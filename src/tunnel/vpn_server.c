/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_server.c -- a server's end of a call: who it is, and which address it gets. */
#include "base/text.h"
#include "tunnel/vpn_call.h"
#include "tunnel/vpn_link.h"
#include "tunnel/worker.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Windows may put its domain before the name; a name with an @ stays whole (RFC 2759 4). */
static const char *
without_domain(const char *name)
{
	const char *slash = strrchr(name, '\\');

	return slash != NULL ? slash + 1 : name;
}

static const struct vpn_user *
find_user(const struct vpn_call *c, const char *name)
{
	const struct vpn_user *user = vpn_users_find(c->env.vpn->users, name);

	return user != NULL ? user : vpn_users_find(c->env.vpn->users, without_domain(name));
}

/* A verdict on the question of that number: a good one at once, and who guesses waits. */
static void
decide(struct vpn_call *c, unsigned number, const struct ppp_verdict *verdict)
{
	char safe[TEXT_SAFE_MAX];

	if (verdict->answer != PPP_REFUSED) {
		(void)ppp_auth_verdict(c->ppp, number, verdict, c->now);
		return;
	}
	log_warn(c->env.log, "VPN: the login of \"%s\" by %s failed",
	    text_safe(c->user, strlen(c->user), safe, sizeof(safe)), auth_method_name(c->method));
	c->refusal.waits = true;
	c->refusal.number = number;
	c->refusal.verdict = *verdict;
	c->refusal.due = c->now + failures_delay(c->env.vpn->failures, c->env.peer, c->now);
}

static void
ask_radius(struct vpn_call *c, const struct ppp_question *question)
{
	char client[ADDR_TEXT];
	const struct radius_facts facts = {
		.client = addr_host_text(c->env.peer, client),
		.session = c->env.log->id,
		.connection = "SSTP",
	};

	if (c->radius.asker == NULL)
		c->radius.asker = vpn_radius_asker(
		    c->env.vpn->radius, c->env.worker->loop, c->env.task, c->env.log, &facts);
	if (c->radius.asker == NULL || !vpn_radius_ask(c->radius.asker, question, c->now))
		vpn_call_end(c, R_VPN_RADIUS, "nobody can be asked");
}

static void
ask(struct vpn_call *c, const struct ppp_question *question)
{
	const struct vpn_user *user = find_user(c, question->user);
	bool heard = !failures_refuse(c->env.vpn->failures, c->env.peer, c->now);
	struct ppp_verdict verdict;

	c->method = question->method;
	(void)snprintf(c->user, sizeof(c->user), "%s", question->user);
	if (heard &&
	    (question->method == PPP_EAP_RELAY ||
		(c->env.vpn->radius != NULL && user == NULL && question->method != PPP_EAP_TLS))) {
		ask_radius(c, question);
		return;
	}
	auth_check(question, heard && user != NULL ? &user->secret : NULL, &verdict);
	decide(c, question->number, &verdict);
	explicit_bzero(&verdict, sizeof(verdict));
}

/* What RADIUS says besides its verdict. */
static void
obey(struct vpn_call *c, const struct radius_answer *answer)
{
	c->radius.address = answer->address;
	memcpy(c->radius.dns, answer->dns, sizeof(c->radius.dns));
	if (answer->session_timeout != 0)
		c->radius.until = c->now + (int64_t)answer->session_timeout * 1000;
}

static void
run(struct vpn_call *c)
{
	struct radius_answer answer;
	unsigned number;

	if (c->radius.until != 0 && c->now >= c->radius.until) {
		c->radius.until = 0;
		vpn_call_end(c, R_VPN_TIME, "the time is over");
	}
	if (c->radius.asker == NULL)
		return;
	switch (vpn_radius_run(c->radius.asker, c->now, &answer, &number)) {
	case VPN_RADIUS_ANSWER:
		if (answer.verdict.answer == PPP_GRANTED)
			obey(c, &answer);
		decide(c, number, &answer.verdict);
		explicit_bzero(&answer, sizeof(answer));
		break;
	case VPN_RADIUS_SILENT:
		vpn_call_end(c, R_VPN_RADIUS, "nobody answers");
		break;
	case VPN_RADIUS_IDLE:
		break;
	}
}

/* ---- addresses ---- */

static bool
is_reserved(const void *owner, uint32_t number)
{
	const struct vpn *v = owner;

	return vpn_users_own(v->users, vpn_net_address(v->net, number));
}

static uint32_t
lend(struct vpn_call *c)
{
	const struct vpn *v = c->env.vpn;
	const struct vpn_user *user = find_user(c, c->user);
	struct in_addr address = user != NULL ? user->address : c->radius.address;
	uint32_t number;

	if (address.s_addr == 0)
		return vpn_pool_take(vpn_net_pool(v->net), is_reserved, v);
	number = vpn_net_number(v->net, address);
	return vpn_pool_take_this(vpn_net_pool(v->net), number) ? number : 0;
}

static bool
plan(struct vpn_call *c, struct ppp_network *network)
{
	const struct vpn *v = c->env.vpn;

	/* Who logs in again, within its call, keeps what it has. */
	if (c->number == 0 && (c->number = lend(c)) == 0) {
		log_err(c->env.log, "VPN: no address is left for %s", c->user);
		vpn_call_end(c, R_VPN_POOL, "no address is left");
		return false;
	}
	network->family[PPP_IPV4] = true;
	network->local = vpn_net_address(v->net, VPN_POOL_SERVER);
	network->peer = vpn_net_address(v->net, c->number);
	for (unsigned i = 0; i < v->conf->dns.n; i++)
		network->dns[i] = v->conf->dns.v[i];
	if (c->radius.dns[0].s_addr != 0)
		memcpy(network->dns, c->radius.dns, sizeof(network->dns));
	return true;
}

/* ---- the network ---- */

/* The programs of the configuration are told. */
static void
tell(struct vpn_call *c)
{
	const struct vpn *v = c->env.vpn;
	struct vpn_link_facts facts = { .conf = v->conf,
		.service = v->service,
		.user = c->user,
		.device = vpn_net_device(v->net),
		.local = c->network.local,
		.peer = c->network.peer };

	if (v->conf->up != NULL || v->conf->down != NULL)
		c->link = vpn_link_begin(&facts, c->env.worker, c->env.log, c->env.task);
}

static void
enter(struct vpn_call *c)
{
	char safe[TEXT_SAFE_MAX], address[INET_ADDRSTRLEN] = "";

	if (!vpn_net_join(c->env.vpn->net, c->env.worker, c->number, &c->guest)) {
		c->entered = false;
		c->lost = true;
		return;
	}
	(void)inet_ntop(AF_INET, &c->network.peer, address, sizeof(address));
	log_notice(c->env.log, "VPN: %s has %s on %s, by %s",
	    text_safe(c->user, strlen(c->user), safe, sizeof(safe)), address,
	    vpn_net_device(c->env.vpn->net), auth_method_name(c->method));
	tell(c);
}

static void
leave(struct vpn_call *c)
{
	if (c->entered)
		vpn_net_leave(c->env.vpn->net, c->env.worker, c->number);
	if (c->number != 0)
		vpn_pool_give(vpn_net_pool(c->env.vpn->net), c->number);
	c->number = 0;
	vpn_link_end(c->link);
	c->link = NULL;
}

static void
write_packet(struct vpn_call *c, uint8_t *packet, size_t n)
{
	switch (vpn_net_write(c->env.vpn->net, c->env.worker, c->number, packet, n)) {
	case VPN_FOREIGN:
		if (c->counts.foreign++ == 0)
			log_warn(c->env.log, "VPN: a packet with a source address that is not the "
					     "client's was dropped; "
					     "more of them are only counted");
		break;
	case VPN_TO_PEER:
		c->counts.to_peers++;
		break;
	case VPN_MALFORMED:
		c->counts.malformed++;
		break;
	case VPN_PASSED:
		break;
	}
}

const struct vpn_end vpn_server_end = { ask, plan, enter, run, leave, write_packet };
