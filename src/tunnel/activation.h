/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/activation.h -- listening sockets that the service manager opened for us: LISTEN_FDS,
 * LISTEN_PID and LISTEN_FDNAMES (sd_listen_fds(3)).
 *
 * They stay open for the life of the process, so that a reload can give them to another service.
 * Main thread only.
 */
#ifndef GINNEL_TUNNEL_ACTIVATION_H
#define GINNEL_TUNNEL_ACTIVATION_H

#include <stdbool.h>

/*
 * Once, at the start, before descriptors are opened and the process forks: take what there is, and
 * the variables out of the environment.  False: logged.
 */
bool activation_take(void);

unsigned activation_count(void);
const char *activation_name(unsigned i); /* "unknown" if it has none */
int activation_fd(unsigned i);		 /* a copy for a listener; -1 with errno set */

#endif
