/* SPDX-License-Identifier: Apache-2.0 */
/* app/demo.h -- ginnel demo: both sides of a tunnel with certificates of its own, explained. */
#ifndef GINNEL_APP_DEMO_H
#define GINNEL_APP_DEMO_H

/* `mode`: NULL to stay until ^C, "--once" to leave after one request.  Returns the exit status. */
int demo(const char *mode);

#endif
