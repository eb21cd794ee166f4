/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_server.c -- a server's end of a call: who it is, and which address it gets. */
#include "base/digest.h"
#include "base/text.h"
#include "proto/dhcp.h"
#include "proto/icmp6.h"
#include "tunnel/vpn_account.h"
#include "tunnel/vpn_call.h"
#include "tunnel/vpn_link.h"
#include "tunnel/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	IPV6_FROM = 8,
	/* RFC 4861 6.2.1: the address lives as long as the session; this only keeps it fresh. */
	ADVERTISE_MS = 600 * 1000,
	ROUTER_LIFETIME = 1800,
	ANSWER_MS = 200, /* between two answers */
	/* For an address that another session gives up, which takes a turn of its worker. */
	WAIT_MS = 3000,
	WAIT_STEP_MS = 20,
};

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

/* It must not come again, also when ginnel has been started anew (RFC 2866 5.5). */
static const char *
session_name(struct vpn_call *c)
{
	uint64_t random;

	if (c->radius.session[0] == '\0' && digest_random(&random, sizeof(random)))
		(void)snprintf(
		    c->radius.session, VPN_CALL_SESSION, "%016llx", (unsigned long long)random);
	return c->radius.session;
}

static void
ask_radius(struct vpn_call *c, const struct ppp_question *question)
{
	char client[ADDR_TEXT];
	const struct radius_facts facts = {
		.client = addr_host_text(c->env.peer, client),
		.session = session_name(c),
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
	c->radius.prefix6 = answer->prefix6;
	memcpy(c->radius.dns, answer->dns, sizeof(c->radius.dns));
	c->radius.interim = answer->interim;
	c->limits.session = answer->session_timeout;
	c->limits.idle = answer->idle_timeout;
	free(c->radius.class);
	c->radius.class = NULL;
	if (answer->class.n > 0 && (c->radius.class = malloc(sizeof(answer->class))) != NULL)
		*c->radius.class = answer->class;
}

static void
keep_limits(struct vpn_call *c)
{
	if (c->limits.until != 0 && c->now >= c->limits.until)
		vpn_call_end(c, R_VPN_TIME, "the time is over");
	else if (c->limits.still != 0 && c->now - c->moved >= c->limits.still)
		vpn_call_end(c, R_VPN_IDLE, "nothing has moved");
}

/* ---- addresses ---- */

/* Our end of the link is fe80::1. */
static const uint8_t router_id[ICMP6_ID] = { [ICMP6_ID - 1] = 1 };

static bool
is_reserved(const void *owner, uint32_t number)
{
	const struct vpn *v = owner;

	return vpn_users_own(v->users, vpn_net_address(v->net, number));
}

/* What a user shall have, by the file or by RADIUS; all zero: anything. */
struct own {
	struct in_addr address;
	struct network prefix6;
	/* The numbers that they stand for in the VPN, and the one to be had; 0: there is none. */
	uint32_t by_address, by_prefix, number;
};

/* An address and a /64 of one client have the same number here. */
static struct own
own_of(const struct vpn_call *c)
{
	const struct vpn *v = c->env.vpn;
	const struct vpn_user *user = find_user(c, c->user);
	struct own own = { .address = user != NULL ? user->address : c->radius.address };

	if (user == NULL && v->conf->pool6.family != 0)
		own.prefix6 = c->radius.prefix6;
	own.by_address = vpn_net_number(v->net, own.address);
	own.by_prefix = vpn_net_number6(v->net, &own.prefix6);
	if (own.prefix6.family == 0)
		own.number = own.by_address;
	else if (own.address.s_addr == 0 || own.by_address == own.by_prefix)
		own.number = own.by_prefix;
	return own;
}

static bool
is_anything(const struct own *own)
{
	return own->address.s_addr == 0 && own->prefix6.family == 0;
}

static uint32_t
lend(struct vpn_call *c)
{
	const struct vpn *v = c->env.vpn;
	struct vpn_roll *roll = vpn_net_roll(v->net);
	struct own own = own_of(c);
	uint32_t number;

	if (is_anything(&own)) {
		number = vpn_pool_take(vpn_net_pool(v->net), is_reserved, v);
		vpn_roll_number(roll, &c->place, number);
		return number;
	}
	/* First: of two who come at once, one sees the other. */
	vpn_roll_number(roll, &c->place, own.number);
	return vpn_pool_take_this(vpn_net_pool(v->net), own.number) ? own.number : 0;
}

/* A place among the sessions of the user. */
static bool
take_place(struct vpn_call *c)
{
	const struct vpn *v = c->env.vpn;
	const struct vpn_user *user = find_user(c, c->user);
	const struct vpn_claim claim = {
		.user = user != NULL ? user->name : c->user,
		.most = (unsigned)v->conf->sessions,
		.replace = v->conf->replace,
		.task = c->env.task,
		.mailbox = c->env.worker->mailbox,
	};

	if (c->place.user != NULL ||
	    vpn_roll_enter(vpn_net_roll(v->net), &c->place, v->net, &claim))
		return true;
	if (errno == 0)
		vpn_call_end(c, R_VPN_SESSIONS, "too many sessions");
	else
		vpn_call_end(c, R_NO_MEMORY, "out of memory");
	return false;
}

/* What the user shall have is what a client can have, so it is another session's. */
static bool
is_elsewhere(const struct vpn_call *c)
{
	return vpn_pool_can_lend(vpn_net_pool(c->env.vpn->net), own_of(c).number);
}

/* If that is one of the user's it has to go.  False: that would not help. */
static bool
wait_for_address(struct vpn_call *c)
{
	const struct vpn *v = c->env.vpn;

	if (!v->conf->replace || !is_elsewhere(c))
		return false;
	if (c->wait.due == INT64_MAX) {
		if (!vpn_roll_expel(vpn_net_roll(v->net), &c->place, v->net, own_of(c).number))
			return false;
		c->wait.limit = c->now + WAIT_MS;
	}
	c->wait.due = c->now + WAIT_STEP_MS;
	return c->now < c->wait.limit;
}

/* "address 10.66.0.7", "prefix fd66:0:0:7::/64", or "address ... and the prefix ...". */
enum { OWN_TEXT = 2 * INET6_ADDRSTRLEN + 32 };

static const char *
own_text(const struct own *own, char out[OWN_TEXT])
{
	char address[INET_ADDRSTRLEN], prefix[INET6_ADDRSTRLEN];
	bool v4 = own->address.s_addr != 0, v6 = own->prefix6.family != 0;
	int n = 0;

	out[0] = '\0';
	if (v4)
		n = snprintf(out, OWN_TEXT, "address %s%s",
		    inet_ntop(AF_INET, &own->address, address, sizeof(address)),
		    v6 ? " and the " : "");
	if (v6)
		(void)snprintf(out + n, OWN_TEXT - (size_t)n, "prefix %s/%u",
		    inet_ntop(AF_INET6, own->prefix6.bits, prefix, sizeof(prefix)),
		    own->prefix6.prefix);
	return out;
}

/* What is wrong with what RADIUS says: that of vpnUsers has been looked at before. */
static void
log_impossible(const struct vpn_call *c, const struct own *own, const char *user)
{
	const struct vpn_pool *pool = vpn_net_pool(c->env.vpn->net);
	bool by_prefix = own->prefix6.family != 0 && !vpn_pool_can_lend(pool, own->by_prefix);
	struct own wrong = { .number = 0 };
	char text[OWN_TEXT];

	if (by_prefix)
		wrong.prefix6 = own->prefix6;
	else
		wrong.address = own->address;
	if (own->by_address != own->by_prefix && vpn_pool_can_lend(pool, own->by_address) &&
	    vpn_pool_can_lend(pool, own->by_prefix))
		log_err(c->env.log,
		    "VPN: the %s of \"%s\" are not of one client, as they have different "
		    "numbers in vpnPool and vpnPool6; let RADIUS give one of them alone",
		    own_text(own, text), user);
	else
		log_err(c->env.log, "VPN: the %s of \"%s\" is %s; let RADIUS give another one (%s)",
		    own_text(&wrong, text), user,
		    (by_prefix ? own->by_prefix : own->by_address) == VPN_POOL_SERVER
			? "the server's own"
		    : by_prefix ? "no /64 of vpnPool6 that a client can have"
				: "none of vpnPool that a client can have",
		    by_prefix ? "Framed-IPv6-Prefix" : "Framed-IP-Address");
}

/* Why there is none, and what helps. */
static void
log_no_address(const struct vpn_call *c)
{
	const struct vpn *v = c->env.vpn;
	struct own own = own_of(c);
	bool same = vpn_roll_has(vpn_net_roll(v->net), &c->place, own.number);
	char user[TEXT_SAFE_MAX], text[OWN_TEXT];

	(void)text_safe(c->user, strlen(c->user), user, sizeof(user));
	if (is_anything(&own))
		log_err(c->env.log, "VPN: no address of vpnPool is left for \"%s\"; make it larger",
		    user);
	else if (is_elsewhere(c))
		log_err(c->env.log, "VPN: the %s of \"%s\" is at another %s%s",
		    own_text(&own, text), user,
		    same ? "session of the same user" : "user's session",
		    same && !v->conf->replace ? "; vpnSessionsFull = replace would end it" : "");
	else
		log_impossible(c, &own, user);
}

static bool
plan(struct vpn_call *c, struct ppp_network *network)
{
	const struct vpn *v = c->env.vpn;

	if (!take_place(c))
		return false;
	/* Who logs in again, within its call, keeps what it has. */
	if (c->number == 0 && (c->number = lend(c)) == 0) {
		if (wait_for_address(c))
			return false;
		log_no_address(c);
		vpn_call_end(c, R_VPN_POOL, "there is no address");
		return false;
	}
	c->wait.due = INT64_MAX;
	network->family[PPP_IPV4] = true;
	network->family[PPP_IPV6] = v->conf->pool6.family != 0;
	memcpy(network->local_id, router_id, sizeof(router_id));
	network->local = vpn_net_address(v->net, VPN_POOL_SERVER);
	network->peer = vpn_net_address(v->net, c->number);
	for (unsigned i = 0; i < v->conf->dns.n; i++)
		network->dns[i] = v->conf->dns.v[i];
	if (c->radius.dns[0].s_addr != 0)
		memcpy(network->dns, c->radius.dns, sizeof(network->dns));
	return true;
}

static void
look_again(struct vpn_call *c)
{
	struct ppp_network network = { .family = { false } };

	if (plan(c, &network))
		ppp_open_network(c->ppp, &network, c->now);
}

/* ---- router advertisements: how a client gets its IPv6 address ---- */

static void
name_prefix(struct vpn_call *c)
{
	struct in6_addr prefix = { .s6_addr = { 0 } };
	size_t n;

	if (!vpn_net_prefix6(c->env.vpn->net, c->number, prefix.s6_addr))
		return;
	(void)inet_ntop(AF_INET6, &prefix, c->address6, sizeof(c->address6));
	n = strlen(c->address6);
	(void)snprintf(c->address6 + n, sizeof(c->address6) - n, "/64");
}

static void
advertise(struct vpn_call *c)
{
	const struct vpn_conf *conf = c->env.vpn->conf;
	struct icmp6_router router = {
		.lifetime = ROUTER_LIFETIME, .mtu = (uint32_t)conf->mtu, .dns_count = conf->dns.n6
	};
	uint8_t packet[ICMP6_MAX];

	router.has_prefix = vpn_net_prefix6(c->env.vpn->net, c->number, router.prefix);
	for (unsigned i = 0; i < conf->dns.n6; i++)
		router.dns[i] = conf->dns.v6[i];
	vpn_call_send(c, PPP_IPV6, packet, icmp6_advertise(packet, router_id, &router));
	c->router.said = c->now;
	c->router.due = c->now + ADVERTISE_MS;
}

static void
now_open(struct vpn_call *c, enum ppp_family family)
{
	if (family == PPP_IPV6)
		advertise(c);
}

static void
drop_foreign(struct vpn_call *c)
{
	if (c->counts.foreign++ == 0)
		log_warn(c->env.log, "VPN: a packet with a source address that is not the "
				     "client's was dropped; "
				     "more of them are only counted");
}

/* Of the link alone: it goes no further than here, where solicitations are answered. */
static void
take_of_link(struct vpn_call *c, const uint8_t *packet, size_t n)
{
	const uint8_t *from = packet + IPV6_FROM;

	if (from[0] == 0xff || (icmp6_is_link_local(from) &&
				   memcmp(from + ICMP6_ID, c->network.peer_id, ICMP6_ID) != 0)) {
		drop_foreign(c);
		return;
	}
	if (!icmp6_is_solicitation(packet, n))
		return;
	/* Whoever asks again and again gets one answer for many questions. */
	c->router.due = c->now - c->router.said < ANSWER_MS ? c->router.said + ANSWER_MS : c->now;
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
		.peer = c->network.peer,
		.peer6 = c->address6 };

	if (v->conf->up != NULL || v->conf->down != NULL)
		c->link = vpn_link_begin(&facts, c->env.worker, c->env.log, c->env.task);
}

/* How long the session may stand, and be idle. */
static void
begin_limits(struct vpn_call *c)
{
	const struct vpn_conf *conf = c->env.vpn->conf;
	uint32_t session = c->limits.session, idle = c->limits.idle;

	if (session == 0)
		session = (uint32_t)conf->session_limit;
	if (idle == 0)
		idle = (uint32_t)conf->idle_limit;
	c->moved = c->now;
	c->limits.until = session != 0 ? c->now + (int64_t)session * 1000 : 0;
	c->limits.still = (int64_t)idle * 1000;
}

static void
read_usage(const void *call, struct vpn_usage *out)
{
	const struct vpn_call *c = call;

	*out = (struct vpn_usage){ .in_bytes = c->counts.bytes,
		.in_packets = c->counts.packets,
		.out_bytes = c->guest.bytes,
		.out_packets = c->guest.packets };
}

static void
begin_account(struct vpn_call *c)
{
	uint8_t prefix6[ICMP6_PREFIX];
	char client[ADDR_TEXT];
	const struct vpn_account_facts facts = {
		.radius = { .client = addr_host_text(c->env.peer, client),
		    .port = c->number,
		    .session = session_name(c),
		    .connection = "SSTP" },
		.prefix6 = vpn_net_prefix6(c->env.vpn->net, c->number, prefix6) ? prefix6 : NULL,
		.user = c->user,
		.address = c->network.peer,
		.class = c->radius.class,
		.interim = c->radius.interim,
		.read = read_usage,
		.owner = c,
	};

	if (c->env.vpn->accounting != NULL)
		c->radius.account = vpn_account_begin(
		    c->env.worker->accounts, c->env.vpn->accounting, &facts, c->env.log);
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
	name_prefix(c);
	log_notice(c->env.log, "VPN: %s has %s on %s, by %s",
	    text_safe(c->user, strlen(c->user), safe, sizeof(safe)), address,
	    vpn_net_device(c->env.vpn->net), auth_method_name(c->method));
	begin_limits(c);
	begin_account(c);
	tell(c);
}

/* Why it was, in the words of RADIUS; what is none of these was our fault or the protocol's. */
static enum radius_cause
cause_of(const struct vpn_call *c)
{
	switch (c->reason) {
	case R_DONE:
		return c->hung_up ? RADIUS_ADMIN_REBOOT : RADIUS_USER_REQUEST;
	case R_NONE: /* the stream has failed, or the worker stops */
	case R_VPN_LOST:
	case R_VPN_SILENT:
		return c->env.worker->stopping ? RADIUS_ADMIN_REBOOT : RADIUS_LOST_CARRIER;
	case R_VPN_TIME:
		return RADIUS_SESSION_TIMEOUT;
	case R_VPN_IDLE:
		return RADIUS_IDLE;
	case R_VPN_REPLACED:
		return RADIUS_PORT_PREEMPTED;
	default:
		return RADIUS_NAS_ERROR;
	}
}

static void
leave(struct vpn_call *c)
{
	memset(&c->limits, 0, sizeof(c->limits));
	c->router.due = c->wait.due = INT64_MAX;
	vpn_account_end(c->radius.account, cause_of(c));
	c->radius.account = NULL;
	if (c->entered)
		vpn_net_leave(c->env.vpn->net, c->env.worker, c->number);
	if (c->number != 0)
		vpn_pool_give(vpn_net_pool(c->env.vpn->net), c->number);
	c->number = 0;
	vpn_roll_leave(vpn_net_roll(c->env.vpn->net), &c->place);
	vpn_link_end(c->link);
	c->link = NULL;
}

/* Is it a question about routes?  Then it goes no further. */
static bool
tell_routes(struct vpn_call *c, const uint8_t *packet, size_t n)
{
	const struct vpn_conf *conf = c->env.vpn->conf;
	struct dhcp_facts facts = { .client = c->network.peer,
		.server = c->network.local,
		.dns = conf->dns.v,
		.dns_count = conf->dns.n,
		.routes = &conf->client_routes };
	uint8_t answer[DHCP_MAX];
	size_t size;

	if (conf->client_routes.n == 0 || packet[0] >> 4 != 4 ||
	    (size = dhcp_answer(answer, packet, n, &facts)) == 0)
		return false;
	vpn_call_send(c, PPP_IPV4, answer, size);
	return true;
}

static void
write_packet(struct vpn_call *c, uint8_t *packet, size_t n)
{
	if (tell_routes(c, packet, n))
		return;
	switch (vpn_net_write(c->env.vpn->net, c->env.worker, c->number, packet, n)) {
	case VPN_FOREIGN:
		drop_foreign(c);
		break;
	case VPN_OF_LINK:
		take_of_link(c, packet, n);
		break;
	case VPN_TO_PEER:
		c->counts.to_peers++;
		break;
	case VPN_MALFORMED:
		c->counts.malformed++;
		break;
	case VPN_PASSED:
		c->counts.packets++;
		c->counts.bytes += n;
		break;
	}
}

static void
run(struct vpn_call *c)
{
	struct radius_answer answer;
	unsigned number;

	keep_limits(c);
	if (vpn_roll_is_lost(&c->place))
		vpn_call_end(c, R_VPN_REPLACED, "the user has begun another session");
	if (c->now >= c->wait.due)
		look_again(c);
	if (c->now >= c->router.due)
		advertise(c);
	if (c->radius.asker == NULL)
		return;
	switch (vpn_radius_run(c->radius.asker, c->now, &answer, &number)) {
	case VPN_RADIUS_ANSWER:
		if (answer.verdict.answer == PPP_GRANTED) {
			obey(c, &answer);
			vpn_radius_asker_free(c->radius.asker);
			c->radius.asker = NULL;
		}
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

const struct vpn_end vpn_server_end = {
	.ask = ask,
	.plan = plan,
	.enter = enter,
	.open = now_open,
	.run = run,
	.leave = leave,
	.write = write_packet,
};
