/* SPDX-License-Identifier: Apache-2.0 */
/* app/inetd.h -- a configuration without a section: the client is on standard input and output. */
#ifndef GINNEL_APP_INETD_H
#define GINNEL_APP_INETD_H

#include "net/addr.h"

#include <pthread.h>
#include <stdbool.h>

/* The client, and what stands between it and us. */
struct inetd {
	int fd;		  /* a non-blocking socket, to be taken */
	struct addr peer; /* len 0: not a socket */
	int other;	  /* the pumps' end; -1: `fd` is the client's socket itself */
	pthread_t out;	  /* writes standard output */
};

/*
 * Take the descriptors 0 and 1.  One socket in both places, as inetd passes it, is used as it is;
 * for anything else (pipes, files, a terminal), two threads move the bytes, since epoll takes no
 * files, and a terminal made non-blocking would be so for its other users.  False: logged.
 */
bool inetd_take(struct inetd *);
bool inetd_begin(struct inetd *); /* after the last change of user; false: logged */
/* What was sent to the client is written out. */
void inetd_finish(struct inetd *);

#endif
