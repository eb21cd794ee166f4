/* SPDX-License-Identifier: Apache-2.0 */
/* app/pid_file.c -- the file that names the serving process. */
#include "app/pid_file.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int
open_directory(const char *path)
{
	const char *name = base_name(path);
	char *dir;
	int fd;

	if (name == path)
		return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if ((dir = strndup(path, (size_t)(name - path))) == NULL)
		return -1;
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	return fd;
}

/*
 * Locks of the open file, not of the process (F_OFD_SETLK, fcntl(2)): they pass to the helper with
 * fork() and end with the last of the two.
 */
static bool
lock(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

/* Does a process that could write the file hold a lock on it?  Anyone else's is no reason. */
static bool
is_held(int fd)
{
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type == F_WRLCK;
}

/* Remove an old file, unless a living process has it.  It may be anything that someone put there.
 */
static bool
remove_stale(const struct pid_file *p, const char *name)
{
	char text[24] = "";
	struct stat st;
	bool held;
	int fd = -1;

	if (fstatat(p->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		fd = openat(p->dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	held = fd != -1 && !lock(fd) && is_held(fd);
	if (held) {
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		text[n > 0 ? strspn(text, "0123456789") : 0] = '\0';
		log_err(&log_main,
		    "Cannot create pid file %s: process %s has it; stop that one, or name another "
		    "file",
		    p->path, text);
	} else {
		/* With its lock still in our hand, so that of two starts only one comes here. */
		(void)unlinkat(p->dir, name, 0);
	}
	if (fd != -1)
		close(fd);
	return !held;
}

static bool
fill(struct pid_file *p)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	struct stat st;

	/* Some network file systems have no locks; then it is as without one. */
	if (!lock(p->fd) && (errno == EAGAIN || errno == EACCES))
		return false;
	if (write(p->fd, text, (size_t)n) != n || fstat(p->fd, &st) == -1)
		return false;
	p->dev = st.st_dev;
	p->inode = st.st_ino;
	/* Others could not open it before it had its lock. */
	return fchmod(p->fd, 0644) == 0;
}

bool
pid_file_make(struct pid_file *p, const char *path)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

	*p = (struct pid_file){ .path = path, .dir = -1, .fd = -1 };
	if (path == NULL)
		return true;
	if ((p->dir = open_directory(path)) == -1)
		goto fail;
	if (!remove_stale(p, base_name(path))) {
		pid_file_close(p);
		return false;
	}
	/* O_EXCL follows no link that someone has put there meanwhile. */
	if ((p->fd = openat(p->dir, base_name(path), flags, 0600)) == -1)
		goto fail;
	if (!fill(p)) {
		int error = errno;

		(void)unlinkat(p->dir, base_name(path), 0);
		errno = error;
		goto fail;
	}
	log_debug(&log_main, "Created pid file %s", path);
	return true;
fail:
	log_err(&log_main, "Cannot create pid file %s: %s (%d)%s", path, strerror(errno), errno,
	    errno == ENOENT ? "; make its directory, under the new root if there is chroot" : "");
	pid_file_close(p);
	return false;
}

void
pid_file_close(struct pid_file *p)
{
	if (p->fd != -1)
		close(p->fd);
	if (p->dir != -1)
		close(p->dir);
	*p = (struct pid_file){ .dir = -1, .fd = -1 };
}

int
pid_file_remove(const struct pid_file *p)
{
	struct stat st;

	if (p->path == NULL)
		return ENOENT;
	/* Another process may have been started over it. */
	if (fstatat(p->dir, base_name(p->path), &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno;
	if (st.st_dev != p->dev || st.st_ino != p->inode)
		return ENOENT;
	return unlinkat(p->dir, base_name(p->path), 0) == 0 ? 0 : errno;
}
