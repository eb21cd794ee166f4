/* SPDX-License-Identifier: Apache-2.0 */
/* app/keeper.c -- the privileged helper: the side that has the privileges. */
#include "app/keeper.h"

#include "app/keeper_net.h"
#include "app/process.h"
#include "config/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OUR_FILES_MAGIC = 0x11b0f6ad };

static const struct account root_account = { 0, 0 };

/* What the helper works with; one of it, in a process of its own. */
struct service_desk {
	const struct keeper *conf;
	/* By the configuration in force and the one before it, whose sockets may still be closed.
	 */
	struct grants *grants, *before;
	struct keeper_net net;
	bool trusted; /* the user cannot have written what the configuration says */
	struct ask ask;
};

/* ---- reading ---- */

static int
open_as(const struct service_desk *d, const char *path, int flags, struct account user)
{
	int fd, error;

	trusted_become(user);
	fd = openat(d->conf->start, path, flags | O_CLOEXEC);
	error = errno;
	trusted_become(root_account);
	errno = error;
	return fd;
}

/* As the user, who needs no help then; else as root, past nothing that the user could change. */
static int
open_for_user(const struct service_desk *d, const char *path, int flags)
{
	int fd = open_as(d, path, flags, d->conf->user);

	if (fd != -1 || (errno != EACCES && errno != EPERM))
		return fd;
	if (!d->trusted) {
		errno = EPERM;
		return -1;
	}
	return trusted_open(d->conf->start, path, flags, d->conf->user);
}

/* O_NONBLOCK: the open of a FIFO that nobody writes to must not wait. */
enum {
	FLAGS_FILE = O_RDONLY | O_NONBLOCK | O_NOCTTY,
	FLAGS_DIRECTORY = O_RDONLY | O_DIRECTORY,
};

/* The configuration's own files.  One that the user could have written makes all of it untrusted.
 */
struct our_files {
	struct files files;
	unsigned magic;
	struct service_desk *desk;
};

/* Could the user write this file, or put another into this directory? */
static bool
is_the_users(int fd, struct account user)
{
	struct stat st;

	if (user.uid == 0)
		return false; /* all is root's anyway */
	return fstat(fd, &st) == -1 || st.st_uid == user.uid || (st.st_mode & S_IWOTH) != 0 ||
	       ((st.st_mode & S_IWGRP) != 0 && st.st_gid == user.gid);
}

static struct our_files *
ours_of(struct files *files)
{
	struct our_files *f = (struct our_files *)files;

	CHECK_OBJ(f, OUR_FILES_MAGIC);
	return f;
}

static int
open_configuration(struct files *files, const char *path, int flags)
{
	struct service_desk *d = ours_of(files)->desk;
	int fd = trusted_open(d->conf->start, path, flags, d->conf->user);

	if (fd == -1 && errno == EPERM) {
		d->trusted = false;
		return open_as(d, path, flags, d->conf->user);
	}
	if (fd != -1 && is_the_users(fd, d->conf->user))
		d->trusted = false;
	return fd;
}

static bool
read_configuration(struct files *files, const char *path, struct file *out)
{
	return files_read_descriptor(open_configuration(files, path, FLAGS_FILE), out);
}

static char **
list_configuration(struct files *files, const char *path)
{
	return files_list_descriptor(open_configuration(files, path, FLAGS_DIRECTORY));
}

/* ---- what can be asked for ---- */

static int
take_plan(struct service_desk *d, const struct ask *ask, struct answer *answer)
{
	struct our_files ours = { { read_configuration, list_configuration }, OUR_FILES_MAGIC, d };
	struct grants *now;

	(void)ask;
	(void)answer;
	d->trusted = true;
	now = grants_read(&ours.files, d->conf->path, d->conf->text, process_sets);
	if (now == NULL) {
		errno = ENOMEM;
		return -1;
	}
	grants_free(d->before);
	d->before = d->grants;
	d->grants = now;
	errno = d->trusted ? 0 : EPERM;
	return -1;
}

static int
take_file(struct service_desk *d, const struct ask *ask, struct answer *answer)
{
	struct stat st;
	int fd;

	(void)answer;
	if (d->grants == NULL || !grants_file(d->grants, ask->path)) {
		errno = EPERM;
		return -1;
	}
	if ((fd = open_for_user(d, ask->path, FLAGS_FILE)) == -1)
		return -1;
	/* Never a directory's descriptor: it would be a way out of the chroot, openat(fd, ".."). */
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		return fd;
	close(fd);
	errno = EISDIR;
	return -1;
}

/* The names, in a file of memory. */
static int
names_in_memory(char **names)
{
	int fd = memfd_create("names", MFD_CLOEXEC);

	for (size_t i = 0; fd != -1 && names[i] != NULL; i++) {
		size_t n = strlen(names[i]) + 1;

		if (write(fd, names[i], n) != (ssize_t)n) {
			close(fd);
			fd = -1;
			errno = ENOSPC;
		}
	}
	if (fd != -1)
		(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

static int
take_directory(struct service_desk *d, const struct ask *ask, struct answer *answer)
{
	char **names;
	int fd;

	(void)answer;
	if (d->grants == NULL || !grants_directory(d->grants, ask->path)) {
		errno = EPERM;
		return -1;
	}
	if ((fd = open_for_user(d, ask->path, FLAGS_DIRECTORY)) == -1 ||
	    (names = files_list_descriptor(fd)) == NULL)
		return -1;
	fd = names_in_memory(names);
	files_list_free(names);
	return fd;
}

/* An address from the other side: of a kind that the parsers make, and its path with an end. */
static bool
addr_is_sound(const struct addr *a)
{
	if (a->sa.sa_family == AF_UNIX)
		return a->len == sizeof(a->un) && a->un.sun_path[0] == '/' &&
		       memchr(a->un.sun_path, '\0', sizeof(a->un.sun_path)) != NULL;
	return (a->sa.sa_family == AF_INET && a->len == sizeof(a->in)) ||
	       (a->sa.sa_family == AF_INET6 && a->len == sizeof(a->in6));
}

/* May root act in the directory of this socket's file? */
static bool
trust_directory(const struct service_desk *d, const struct addr *a)
{
	char path[sizeof(a->un.sun_path) + 1];
	char *slash;
	int fd;

	memcpy(path, a->un.sun_path, sizeof(a->un.sun_path));
	if ((slash = strrchr(path, '/')) == NULL)
		return false;
	/* With the dot the directory itself is looked at, too. */
	slash[1] = '.';
	slash[2] = '\0';
	if ((fd = trusted_open(d->conf->start, path, O_PATH, d->conf->user)) == -1)
		return false;
	close(fd);
	return true;
}

static int
listen_as(const struct service_conf *conf, const struct addr *a, struct account user)
{
	int fd, error;

	trusted_become(user);
	fd = sock_listen(a, &conf->sock.side[SOCK_ACCEPT], (uid_t)conf->uid, (gid_t)conf->gid);
	error = errno;
	trusted_become(root_account);
	errno = error;
	return fd;
}

static int
take_listen(struct service_desk *d, const struct ask *ask, struct answer *answer)
{
	const struct addr *a = &ask->addr;
	const struct service_conf *conf;
	struct stat st;
	int fd;

	if (d->grants == NULL || (conf = grants_listener(d->grants, a)) == NULL) {
		errno = EPERM;
		return -1;
	}
	if (!addr_is_unix(a)) {
		if (d->trusted)
			return listen_as(conf, a, root_account);
		errno = EACCES;
		return -1;
	}
	fd = listen_as(conf, a, d->conf->user);
	if (fd == -1 && (errno == EACCES || errno == EPERM) && d->trusted && trust_directory(d, a))
		fd = listen_as(conf, a, root_account);
	if (fd != -1 && lstat(a->un.sun_path, &st) == 0)
		answer->inode = st.st_ino;
	return fd;
}

static int
take_remove(struct service_desk *d, const struct ask *ask, struct answer *answer)
{
	const char *path = ask->addr.un.sun_path;
	struct stat st;

	(void)answer;
	errno = EPERM;
	if (!addr_is_unix(&ask->addr) ||
	    ((d->grants == NULL || grants_listener(d->grants, &ask->addr) == NULL) &&
		(d->before == NULL || grants_listener(d->before, &ask->addr) == NULL)))
		return -1;
	if (lstat(path, &st) == -1 || !S_ISSOCK(st.st_mode) || st.st_ino != ask->inode) {
		errno = ENOENT;
		return -1;
	}
	errno = unlink(path) == 0 ? 0 : errno;
	return -1;
}

/* Whoever has it can send as the service's clients; nothing of the network can be changed. */
static int
take_foreign(struct service_desk *d, const struct ask *ask, struct answer *answer)
{
	(void)answer;
	errno = EPERM;
	/* By the plan before, too: its tunnels may still be on their way. */
	if (!d->trusted || addr_is_unix(&ask->addr) ||
	    !((d->grants != NULL && grants_foreign(d->grants)) ||
		(d->before != NULL && grants_foreign(d->before))))
		return -1;
	return sock_foreign(ask->addr.sa.sa_family);
}

static int
take_device(struct service_desk *d, const struct ask *ask, struct answer *answer)
{
	const struct keeper_rights rights = { d->grants, d->before };

	errno = EPERM;
	if (!d->trusted)
		return -1;
	return keeper_net_device(&d->net, &rights, ask->path, ask->inode != 0, answer->device);
}

static int
take_forward(struct service_desk *d, const struct ask *ask, struct answer *answer)
{
	const struct keeper_rights rights = { d->grants, d->before };
	char was;

	errno = EPERM;
	if (!d->trusted || addr_is_unix(&ask->addr))
		return -1;
	was = keeper_net_forward(&rights, ask->addr.sa.sa_family, ask->inode == '1' ? '1' : '0');
	answer->inode = (uint64_t)was;
	if (was != '\0')
		errno = 0;
	return -1;
}

static int
take_order(struct service_desk *d, const struct ask *ask, struct answer *answer)
{
	const struct keeper_rights rights = { d->grants, d->before };

	(void)answer;
	errno = EPERM;
	if (d->trusted && keeper_net_order(&d->net, &rights, &ask->order))
		errno = 0;
	return -1;
}

static int
take_leave(struct service_desk *d, const struct ask *ask, struct answer *answer)
{
	(void)ask;
	(void)answer;
	errno = pid_file_remove(d->conf->pid);
	d->conf->pid->path = NULL; /* done; not again when the other side has gone */
	return -1;
}

/* Each gives a descriptor, or -1 with errno set: 0 if all is well without one. */
static int (*const desk[ASK_KINDS])(struct service_desk *, const struct ask *, struct answer *) = {
	[ASK_PLAN] = take_plan,
	[ASK_FILE] = take_file,
	[ASK_DIRECTORY] = take_directory,
	[ASK_LISTEN] = take_listen,
	[ASK_REMOVE] = take_remove,
	[ASK_FOREIGN] = take_foreign,
	[ASK_DEVICE] = take_device,
	[ASK_FORWARD] = take_forward,
	[ASK_ORDER] = take_order,
	[ASK_LEAVE] = take_leave,
};

/* ---- messages ---- */

/* Every field, before anything looks at the message. */
static bool
is_sound(const struct ask *ask, ssize_t n)
{
	if (n != (ssize_t)sizeof(*ask) || ask->what >= ASK_KINDS ||
	    memchr(ask->path, '\0', sizeof(ask->path)) == NULL)
		return false;
	if (ask->what == ASK_LISTEN || ask->what == ASK_REMOVE || ask->what == ASK_FOREIGN ||
	    ask->what == ASK_FORWARD)
		return addr_is_sound(&ask->addr);
	return ask->what != ASK_ORDER || keeper_net_is_sound(&ask->order);
}

static bool
reply(int sock, const struct answer *answer, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = "" };
	struct iovec body = { (void *)(uintptr_t)answer, sizeof(*answer) };
	struct msghdr m = { .msg_iov = &body, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (fd != -1) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL) == (ssize_t)sizeof(*answer);
}

int
keeper_take_answer(int sock, struct answer *answer)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec body = { answer, sizeof(*answer) };
	struct msghdr m = { .msg_iov = &body,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	const struct cmsghdr *c;
	ssize_t n;
	int fd = -1;

	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n != (ssize_t)sizeof(*answer)) {
		answer->error = EPIPE;
		return -1;
	}
	c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

struct service_desk *
keeper_open(const struct keeper *k)
{
	struct service_desk *d = calloc(1, sizeof(*d));

	if (d != NULL)
		d->conf = k;
	return d;
}

/* One message; false: the other side has gone, or is not what it was. */
bool
keeper_serve(struct service_desk *d)
{
	struct answer answer = { 0 };
	ssize_t n;
	bool sent;
	int fd;

	do /* MSG_TRUNC: the true length, also of a longer one */
		n = recv(d->conf->sock, &d->ask, sizeof(d->ask), MSG_TRUNC);
	while (n == -1 && errno == EINTR);
	if (n <= 0 || !is_sound(&d->ask, n))
		return false;
	errno = 0;
	if ((fd = desk[d->ask.what](d, &d->ask, &answer)) == -1)
		answer.error = errno;
	sent = reply(d->conf->sock, &answer, fd);
	if (fd != -1)
		close(fd);
	return sent;
}

void
keeper_close(struct service_desk *d)
{
	keeper_net_undo(&d->net);
	grants_free(d->before);
	grants_free(d->grants);
	free(d);
}

/* ---- the process ---- */

/* Everything that was open before the fork belongs to the other side. */
static void
close_the_rest(const struct keeper *k)
{
	const int keep[] = { k->sock, k->root, k->start, k->pid->dir, k->pid->fd };
	int last = 2;

	for (size_t i = 0; i < COUNT_OF(keep); i++)
		if (keep[i] > last)
			last = keep[i];
	for (int fd = 0; fd < last; fd++) {
		bool ours = false;

		for (size_t i = 0; i < COUNT_OF(keep); i++)
			ours |= keep[i] == fd;
		if (!ours)
			close(fd);
	}
	(void)close_range((unsigned)last + 1, ~0u, 0);
}

/* It ends when the other side ends, and by no signal that is meant for that. */
static void
ignore_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
		SIGPIPE };

	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		(void)signal(numbers[i], SIG_IGN); /* valid numbers: it cannot fail */
}

_Noreturn void
keeper_run(const struct keeper *k)
{
	struct service_desk *d;

	(void)prctl(PR_SET_NAME, "ginnel-keeper");
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ignore_signals();
	close_the_rest(k);
	(void)setgroups(0, NULL); /* for the file system, the user has no group of root's */
	/* Back out of the chroot that the other side is in: the names in the configuration are
	 * meant from outside. */
	if (fchdir(k->root) == -1 || chroot(".") == -1 || fchdir(k->start) == -1)
		_exit(1);
	for (int fd = 0; fd <= STDERR_FILENO; fd++) /* so that nothing else gets these numbers */
		if (open("/dev/null", O_RDWR) == -1)
			_exit(1);
	if ((d = keeper_open(k)) == NULL)
		_exit(1);
	while (keeper_serve(d))
		;
	keeper_close(d);
	(void)pid_file_remove(k->pid);
	_exit(0);
}
