/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_forward.c -- may the kernel hand packets on from one network to another? */
#include "tunnel/vpn_forward.h"

#include "net/netlink.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	unsigned users;
	bool was_off;
} settings[PPP_FAMILIES];

static const int families[PPP_FAMILIES] = { [PPP_IPV4] = AF_INET, [PPP_IPV6] = AF_INET6 };

const char *
vpn_forward_file(enum ppp_family family)
{
	return netlink_forward_file(families[family]);
}

bool
vpn_forward_begin(enum ppp_family family)
{
	char was = '1';

	pthread_mutex_lock(&lock);
	if (settings[family].users == 0) {
		was = netlink_forward(families[family], '1');
		settings[family].was_off = was == '0';
	}
	settings[family].users += was != '\0';
	pthread_mutex_unlock(&lock);
	return was != '\0';
}

bool
vpn_forward_end(enum ppp_family family)
{
	bool done = true;

	pthread_mutex_lock(&lock);
	if (--settings[family].users == 0 && settings[family].was_off)
		done = netlink_forward(families[family], '0') != '\0';
	pthread_mutex_unlock(&lock);
	return done;
}
