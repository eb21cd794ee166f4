/* SPDX-License-Identifier: Apache-2.0 */
/* net/tun.c -- network devices whose other end is a descriptor. */
#include "net/tun.h"

#include "net/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int
open_here(char name[IFNAMSIZ], bool several)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), error;

	if (fd == -1)
		return -1;
	if (several)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	memcpy(request.ifr_name, name, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, &request) == 0) {
		memcpy(name, request.ifr_name, IFNAMSIZ);
		return fd;
	}
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
tun_open(char name[IFNAMSIZ], bool several)
{
	struct netlink_hand *hand = netlink_hand();

	return hand != NULL ? hand->tun(hand, name, several) : open_here(name, several);
}

bool
tun_use(int fd, bool yes)
{
	struct ifreq request = { .ifr_flags = yes ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	return ioctl(fd, TUNSETQUEUE, &request) == 0;
}
