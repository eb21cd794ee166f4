/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/notify.h -- what a service manager is told of our life, as sd_notify(3) describes it.
 *
 * By hand, as it is one datagram: libsystemd is too large for a process that holds keys.
 */
#ifndef GINNEL_APP_NOTIFY_H
#define GINNEL_APP_NOTIFY_H

#include <stdint.h>

struct notify {
	int fd;		 /* -1: nobody wants to know */
	int64_t beat_ms; /* how often the manager wants a sign of life; 0: never */
};

/*
 * Before the chroot, and before the first fork.  Takes NOTIFY_SOCKET, WATCHDOG_USEC and
 * WATCHDOG_PID out of the environment, since programs that we start are not to speak for us.
 */
void notify_open(struct notify *);
void notify_close(struct notify *);

void notify_ready(const struct notify *); /* serving, for the first time */
void notify_reloading(const struct notify *);
void notify_reloaded(const struct notify *, const char *status); /* well or not, serving again */
void notify_stopping(const struct notify *);
void notify_alive(const struct notify *);

#endif
