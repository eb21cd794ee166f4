/* SPDX-License-Identifier: Apache-2.0 */
/* app/trusted.c -- paths, step by step, past nothing that another user could have bent. */
#include "app/trusted.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as the kernel's own limit, path_resolution(7) */

struct walk {
	struct account user;
	int dir; /* where the rest begins */
	char rest[PATH_MAX];
	unsigned links;
};

void
trusted_become(struct account user)
{
	/* Leaving root also suspends the capabilities that pass over permissions: capabilities(7).
	 */
	(void)setfsgid(user.gid);
	(void)setfsuid(user.uid);
	(void)prctl(PR_SET_DUMPABLE, 0); /* a change of the id undoes it */
}

/* Could `user` put something else into this directory?  With a doubt, yes. */
static bool
can_change(const struct walk *w)
{
	struct stat st;
	bool denied;

	if (w->user.uid == 0)
		return false; /* all is root's anyway */
	if (fstat(w->dir, &st) == -1 || st.st_uid == w->user.uid)
		return true;
	if (st.st_mode & S_ISVTX)
		return false; /* others' entries are safe there; whose they are is looked at */
	/* The kernel's answer knows of lists (acl(5)), too. */
	trusted_become(w->user);
	denied = faccessat(w->dir, ".", W_OK, AT_EACCESS) == -1 &&
		 (errno == EACCES || errno == EROFS || errno == EPERM);
	trusted_become((struct account){ 0, 0 });
	return !denied;
}

static bool
walk_to(struct walk *w, int dir)
{
	if (dir == -1)
		return false;
	close(w->dir);
	w->dir = dir;
	return true;
}

static bool
walk_to_root(struct walk *w)
{
	return walk_to(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/* Put what a link says before the rest. */
static bool
follow(struct walk *w, const char *name, const char *rest)
{
	char target[PATH_MAX], longer[PATH_MAX];
	ssize_t n = readlinkat(w->dir, name, target, sizeof(target) - 1);
	int length;

	if (n == -1)
		return false;
	target[n] = '\0';
	length = snprintf(longer, sizeof(longer), "%s/%s", target, rest);
	if (*rest == '\0')
		longer[--length] = '\0';
	if (++w->links > LINKS_MAX || length >= (int)sizeof(longer)) {
		errno = ELOOP;
		return false;
	}
	memcpy(w->rest, longer, (size_t)length + 1);
	return target[0] != '/' || walk_to_root(w);
}

/* Take one name off the rest.  -2: go on; else the descriptor, or -1 with errno set. */
static int
step(struct walk *w, int flags)
{
	char name[NAME_MAX + 1];
	const char *rest = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(rest, "/");
	struct stat st;

	if (n > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, n > 0 ? rest : ".", n > 0 ? n : 1);
	name[n > 0 ? n : 1] = '\0';
	rest += n;
	rest += strspn(rest, "/");
	if (can_change(w)) {
		errno = EPERM;
		return -1;
	}
	if (fstatat(w->dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (S_ISLNK(st.st_mode)) {
		if (w->user.uid != 0 && st.st_uid == w->user.uid) {
			errno = EPERM;
			return -1;
		}
		return follow(w, name, rest) ? -2 : -1;
	}
	if (*rest == '\0')
		return openat(w->dir, name, flags | O_NOFOLLOW | O_CLOEXEC);
	memmove(w->rest, rest, strlen(rest) + 1);
	return walk_to(w, openat(w->dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) ? -2
											       : -1;
}

int
trusted_open(int start, const char *path, int flags, struct account user)
{
	struct walk w = { .user = user };
	int fd = -1, error;

	if (strlen(path) >= sizeof(w.rest) || *path == '\0') {
		errno = *path == '\0' ? ENOENT : ENAMETOOLONG;
		return -1;
	}
	memcpy(w.rest, path, strlen(path) + 1);
	w.dir = openat(path[0] == '/' ? AT_FDCWD : start, path[0] == '/' ? "/" : ".",
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.dir == -1)
		return -1;
	do
		fd = step(&w, flags);
	while (fd == -2);
	error = errno;
	close(w.dir);
	errno = error;
	return fd;
}
