/* SPDX-License-Identifier: Apache-2.0 */
/* app/demo_backend.h -- the plain HTTP server of the demonstration. */
#ifndef GINNEL_APP_DEMO_BACKEND_H
#define GINNEL_APP_DEMO_BACKEND_H

#include <sys/types.h>

/* Start it in a process of its own, on a free loopback port, stored in *port.  -1 with errno set.
 */
pid_t demo_backend_start(unsigned short *port);

#endif
