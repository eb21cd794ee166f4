/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/trusted.h -- open for a user what that user may not, but nothing that the user chose.
 *
 * A privileged process that opens /srv/app/cert.pem for the user app must not be led to /etc/shadow
 * by a symbolic link that app put there.
 */
#ifndef GINNEL_APP_TRUSTED_H
#define GINNEL_APP_TRUSTED_H

#include <stdbool.h>
#include <sys/types.h>

struct account {
	uid_t uid;
	gid_t gid;
};

/* Be `user` for the file system, with its rights and no more; (0, 0) is root again. */
void trusted_become(struct account user);

/*
 * Open `path` (relative to `start`) if nothing on the way can be changed by `user`: no directory
 * that it may write, no link of its own.  -1 with errno set; EPERM: something can.  As root.
 */
int trusted_open(int start, const char *path, int flags, struct account user);

#endif
