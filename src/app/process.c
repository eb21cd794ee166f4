/* SPDX-License-Identifier: Apache-2.0 */
/* app/process.c -- daemon, pid file, user, root directory. */
#include "app/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the parent waits for the daemon's status; -1: nobody waits. */
static int parent_pipe = -1;

/* The parent's part: pass on what the daemon says. */
_Noreturn static void
wait_for_daemon(int fd, pid_t daemon)
{
	unsigned char status;
	int how;

	if (read(fd, &status, 1) == 1)
		_exit(status);
	/* It died without a word; what killed it is the best we know. */
	if (waitpid(daemon, &how, 0) == daemon && WIFSIGNALED(how))
		fprintf(stderr, "[!] The daemon was killed by signal %d as it started\n",
		    WTERMSIG(how));
	_exit(1);
}

bool
process_daemonise(void)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return false;
	if ((pid = fork()) == -1) {
		close(fds[0]);
		close(fds[1]);
		return false;
	}
	if (pid > 0) {
		close(fds[1]);
		wait_for_daemon(fds[0], pid);
	}
	close(fds[0]);
	parent_pipe = fds[1];
	return setsid() != -1;
}

/* Standard input, output and error of a daemon. */
static void
leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd == -1)
		return; /* in a root directory without /dev: closing is as good */
	for (int i = 0; i <= STDERR_FILENO; i++)
		dup2(fd, i);
	close(fd);
}

void
process_tell_parent(int status)
{
	unsigned char byte = (unsigned char)status;

	if (parent_pipe == -1)
		return;
	if (status == 0) {
		leave_terminal();
		(void)!chdir("/");
	}
	(void)!write(parent_pipe, &byte, 1);
	close(parent_pipe);
	parent_pipe = -1;
}

unsigned
process_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 1024; /* what POSIX systems start with */
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit most = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &most) == 0)
			limit = most;
	}
	return limit.rlim_cur > 1u << 20 ? 1u << 20 : (unsigned)limit.rlim_cur;
}

void
process_hide_memory(void)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

static bool
failed(const char *what)
{
	log_err(&log_main, "%s: %s (%d)", what, strerror(errno), errno);
	return false;
}

bool
process_enter_root(const struct process_conf *conf)
{
	if (conf->chroot == NULL)
		return true;
	if (chroot(conf->chroot) == -1)
		return failed("chroot");
	if (chdir("/") == -1)
		return failed("chdir");
	log_notice(&log_main, "Switched to chroot directory: %s", conf->chroot);
	return true;
}

bool
process_drop_privileges(const struct process_conf *conf)
{
	gid_t gid = (gid_t)conf->gid;
	uid_t uid = (uid_t)conf->uid;

	if (conf->gid != -1 && setgroups(1, &gid) == -1)
		return failed("setgroups");
	if (conf->gid != -1 && setresgid(gid, gid, gid) == -1)
		return failed("setgid");
	if (conf->uid == -1)
		return true;
	if (conf->gid == -1 && geteuid() == 0) {
		if (setgroups(0, NULL) == -1)
			return failed("setgroups");
		log_warn(&log_main, "setuid without setgid keeps the group %ld; set setgid, too",
		    (long)getgid());
	}
	if (setresuid(uid, uid, uid) == -1)
		return failed("setuid");
	/* A saved id or a capability that survived would make all of this a show. */
	if (uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return failed("setuid: root could be regained");
	}
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || failed("prctl(PR_SET_NO_NEW_PRIVS)");
}

bool
process_write_pid(const char *path)
{
	char text[24];
	int fd, n;

	if (path == NULL)
		return true;
	/* An old file goes first; O_EXCL follows no link that someone has put in its place. */
	unlink(path);
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)) == -1)
		goto fail;
	if (write(fd, text, (size_t)n) != n) {
		close(fd);
		goto fail;
	}
	close(fd);
	log_debug(&log_main, "Created pid file %s", path);
	return true;
fail:
	log_err(&log_main, "Cannot create pid file %s: %s (%d)", path, strerror(errno), errno);
	return false;
}

/* Does the file still name this process?  Another one may have been started over it. */
static bool
is_our_pid(const char *path)
{
	char text[24] = "";
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd == -1)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && strtol(text, NULL, 10) == (long)getpid();
}

void
process_remove_pid(const char *path)
{
	if (path == NULL || !is_our_pid(path))
		return;
	if (unlink(path) == 0)
		log_debug(&log_main, "Removed pid file %s", path);
	else
		log_warn(
		    &log_main, "Cannot remove pid file %s: %s (%d)", path, strerror(errno), errno);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

void
process_warn_fixed(const struct process_conf *old, const struct process_conf *now)
{
	const struct {
		const char *option;
		bool same;
	} fixed[] = {
		{ "workers", old->workers == now->workers },
		{ "foreground", old->foreground == now->foreground },
		{ "pid", same_text(old->pid, now->pid) },
		{ "chroot", same_text(old->chroot, now->chroot) },
		{ "setuid", old->uid == now->uid },
		{ "setgid", old->gid == now->gid },
	};

	for (size_t i = 0; i < COUNT_OF(fixed); i++)
		if (!fixed[i].same)
			log_warn(&log_main,
			    "The new value of \"%s\" takes effect at the next start only",
			    fixed[i].option);
}
