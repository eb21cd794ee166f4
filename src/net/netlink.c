/* SPDX-License-Identifier: Apache-2.0 */
/* net/netlink.c -- network devices, their addresses and routes, as rtnetlink(7) sets them. */
#include "net/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_MAX = 512, ANSWER_MAX = 4096 };

/* A request while it is written, and the place where its answer goes. */
struct request {
	union {
		struct nlmsghdr head;
		uint8_t bytes[MESSAGE_MAX];
	};
};

static struct request
new_request(uint16_t type, uint16_t flags, const void *body, size_t size)
{
	struct request r = { .bytes = { 0 } };

	r.head.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	r.head.nlmsg_type = type;
	r.head.nlmsg_flags = NLM_F_REQUEST | flags;
	memcpy(NLMSG_DATA(&r.head), body, size);
	return r;
}

static void
add(struct request *r, uint16_t type, const void *value, size_t size)
{
	size_t at = NLMSG_ALIGN(r->head.nlmsg_len);
	struct rtattr a = { .rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = type };

	MUST(at + RTA_SPACE(size) <= sizeof(r->bytes));
	memcpy(r->bytes + at, &a, sizeof(a));
	memcpy(r->bytes + at + RTA_LENGTH(0), value, size);
	r->head.nlmsg_len = (uint32_t)(at + RTA_LENGTH(size));
}

static size_t
address_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

/* One question, one answer of at most `size` bytes.  Returns its length; -1 with errno. */
static ssize_t
ask(const struct request *r, void *answer, size_t size)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), error;
	ssize_t n = -1;

	if (fd == -1)
		return -1;
	if (sendto(fd, r->bytes, r->head.nlmsg_len, 0, (struct sockaddr *)&kernel,
		sizeof(kernel)) != -1)
		do
			n = recv(fd, answer, size, 0);
		while (n == -1 && errno == EINTR);
	error = errno;
	close(fd);
	errno = error;
	return n;
}

/* What the kernel says of a failure; 0: it worked. */
static int
verdict(const struct nlmsghdr *head, ssize_t n)
{
	struct nlmsgerr e;

	if (n < (ssize_t)NLMSG_LENGTH(0) || head->nlmsg_len > (size_t)n)
		return EPROTO;
	if (head->nlmsg_type != NLMSG_ERROR)
		return 0;
	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(e)))
		return EPROTO;
	memcpy(&e, NLMSG_DATA(head), sizeof(e));
	return -e.error;
}

/* A question that is answered by yes or no. */
static bool
confirm(struct request *r)
{
	union {
		struct nlmsghdr head;
		uint8_t bytes[ANSWER_MAX];
	} answer;
	ssize_t n;

	r->head.nlmsg_flags |= NLM_F_ACK;
	if ((n = ask(r, answer.bytes, sizeof(answer))) == -1)
		return false;
	errno = verdict(&answer.head, n);
	return errno == 0;
}

static bool
up(const struct netlink_order *o)
{
	struct ifinfomsg body = {
		.ifi_index = (int)o->device, .ifi_flags = IFF_UP, .ifi_change = IFF_UP
	};
	struct request r = new_request(RTM_NEWLINK, 0, &body, sizeof(body));

	add(&r, IFLA_MTU, &o->mtu, sizeof(o->mtu));
	return confirm(&r);
}

static bool
add_address(const struct netlink_order *o)
{
	const struct network *local = &o->to;
	const struct network *peer = o->peer.family != 0 ? &o->peer : NULL;
	struct ifaddrmsg body = { .ifa_family = (uint8_t)local->family,
		.ifa_prefixlen = (uint8_t)local->prefix,
		.ifa_index = o->device };
	size_t size = address_size(local->family);
	struct request r;

	/* No other machine can have it: there is nobody to ask (RFC 4862 5.4). */
	if (local->family == AF_INET6)
		body.ifa_flags = IFA_F_NODAD;
	r = new_request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body));
	add(&r, IFA_LOCAL, local->bits, size);
	add(&r, IFA_ADDRESS, peer != NULL ? peer->bits : local->bits, size);
	return confirm(&r);
}

/* ---- routes ---- */

static bool
change_route(uint16_t type, uint16_t flags, const struct network *to, const struct netlink_hop *hop)
{
	struct rtmsg body = { .rtm_family = (uint8_t)to->family,
		.rtm_dst_len = (uint8_t)to->prefix,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = hop->has_gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST };
	struct request r;

	if (to->family == AF_INET6)
		body.rtm_scope = RT_SCOPE_UNIVERSE; /* it has no others */
	r = new_request(type, flags, &body, sizeof(body));
	add(&r, RTA_DST, to->bits, address_size(to->family));
	add(&r, RTA_OIF, &hop->device, sizeof(hop->device));
	if (hop->has_gateway)
		add(&r, RTA_GATEWAY, hop->gateway, address_size(to->family));
	return confirm(&r);
}

static bool
add_route(const struct netlink_order *o)
{
	return change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &o->to, &o->hop);
}

static bool
remove_route(const struct netlink_order *o)
{
	return change_route(RTM_DELROUTE, 0, &o->to, &o->hop);
}

static void
read_hop(const struct nlmsghdr *head, int family, struct netlink_hop *hop)
{
	int left = (int)RTM_PAYLOAD(head);

	*hop = (struct netlink_hop){ 0 };
	for (struct rtattr *a = RTM_RTA(NLMSG_DATA(head)); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == RTA_OIF && RTA_PAYLOAD(a) == sizeof(hop->device))
			memcpy(&hop->device, RTA_DATA(a), sizeof(hop->device));
		if (a->rta_type == RTA_GATEWAY && RTA_PAYLOAD(a) == address_size(family)) {
			memcpy(hop->gateway, RTA_DATA(a), address_size(family));
			hop->has_gateway = true;
		}
	}
}

bool
netlink_find(const struct addr *to, struct netlink_hop *hop)
{
	int family = to->sa.sa_family;
	struct rtmsg body = { .rtm_family = (uint8_t)family,
		.rtm_dst_len = (uint8_t)(8 * address_size(family)) };
	struct request r = new_request(RTM_GETROUTE, 0, &body, sizeof(body));
	const void *bits =
	    family == AF_INET ? (const void *)&to->in.sin_addr : (const void *)&to->in6.sin6_addr;
	union {
		struct nlmsghdr head;
		uint8_t bytes[ANSWER_MAX];
	} answer;
	ssize_t n;

	add(&r, RTA_DST, bits, address_size(family));
	if ((n = ask(&r, answer.bytes, sizeof(answer))) == -1)
		return false;
	if ((errno = verdict(&answer.head, n)) != 0)
		return false;
	if (answer.head.nlmsg_type != RTM_NEWROUTE) {
		errno = EPROTO;
		return false;
	}
	read_hop(&answer.head, family, hop);
	return hop->device != 0;
}

/* ---- orders ---- */

static struct netlink_hand *helper; /* NULL: this process itself */

void
netlink_use(struct netlink_hand *hand)
{
	helper = hand;
}

struct netlink_hand *
netlink_hand(void)
{
	return helper;
}

bool
netlink_do(const struct netlink_order *o)
{
	static bool (*const ways[])(const struct netlink_order *) = {
		[NETLINK_UP] = up,
		[NETLINK_ADD_ADDRESS] = add_address,
		[NETLINK_ADD_ROUTE] = add_route,
		[NETLINK_REMOVE_ROUTE] = remove_route,
	};

	return helper != NULL ? helper->order(helper, o) : ways[o->what](o);
}

/* ---- forwarding: sysctl(8) in files ---- */

const char *
netlink_forward_file(int family)
{
	return family == AF_INET ? "/proc/sys/net/ipv4/ip_forward"
				 : "/proc/sys/net/ipv6/conf/all/forwarding";
}

static char
forward(int family, char to)
{
	int fd = open(netlink_forward_file(family), O_RDWR | O_CLOEXEC), error;
	char was = '\0';

	if (fd == -1)
		return '\0';
	if (pread(fd, &was, 1, 0) != 1 || (was != to && pwrite(fd, &to, 1, 0) != 1))
		was = '\0';
	error = errno;
	close(fd);
	errno = error;
	return was;
}

char
netlink_forward(int family, char to)
{
	return helper != NULL ? helper->forward(helper, family, to) : forward(family, to);
}

bool
netlink_up(unsigned device, unsigned mtu)
{
	const struct netlink_order o = { .what = NETLINK_UP, .device = device, .mtu = mtu };

	return netlink_do(&o);
}

bool
netlink_add_address(unsigned device, const struct network *local, const struct network *peer)
{
	struct netlink_order o = { .what = NETLINK_ADD_ADDRESS, .device = device, .to = *local };

	if (peer != NULL)
		o.peer = *peer;
	return netlink_do(&o);
}

bool
netlink_add_route(const struct network *to, const struct netlink_hop *hop)
{
	const struct netlink_order o = { .what = NETLINK_ADD_ROUTE, .to = *to, .hop = *hop };

	return netlink_do(&o);
}

bool
netlink_remove_route(const struct network *to, const struct netlink_hop *hop)
{
	const struct netlink_order o = { .what = NETLINK_REMOVE_ROUTE, .to = *to, .hop = *hop };

	return netlink_do(&o);
}
