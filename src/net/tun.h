/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/tun.h -- network devices whose other end is a descriptor: one read or write, one IP packet.
 *
 * A device with several queues spreads its packets over descriptors; a queue that nobody reads must
 * be laid aside, or the packets that the kernel puts there are lost.
 */
#ifndef GINNEL_NET_TUN_H
#define GINNEL_NET_TUN_H

#include "base/check.h"

#include <net/if.h>
#include <stdbool.h>

/*
 * A queue of the device `name`, which may have a %d in it for the kernel to choose a number, and is
 * then set to the true name; the device is made if there is none.  Non-blocking.  -1 with errno.
 */
int tun_open(char name[IFNAMSIZ], bool several) MUST_CHECK;
/* Use a queue of a device with several, or lay it aside.  False with errno. */
bool tun_use(int fd, bool yes) MUST_CHECK;

#endif
