/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/pid_file.h -- the file that names the serving process, and its lock.
 *
 * Whether an old file is stale is told by the lock, which the kernel takes back with the process,
 * not by the number in it, which may be another's by now.
 */
#ifndef GINNEL_APP_PID_FILE_H
#define GINNEL_APP_PID_FILE_H

#include "base/check.h"

#include <stdbool.h>
#include <sys/types.h>

struct pid_file {
	const char *path; /* as configured; the caller's.  NULL: there is none */
	int dir;	  /* its directory, which survives chroot and chdir */
	int fd;		  /* open as long as the process lives, for it has the lock */
	dev_t dev;
	ino_t inode;
};

/* Make the file with our number, and lock it.  False: logged; another process may have it. */
bool pid_file_make(struct pid_file *, const char *path) MUST_CHECK;
/* Let go of the descriptors, without a word about the file. */
void pid_file_close(struct pid_file *);
/* Remove the file if it is still ours.  Returns 0, or what went wrong; ENOENT: it was not ours. */
int pid_file_remove(const struct pid_file *);

#endif
