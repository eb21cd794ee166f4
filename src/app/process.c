/* SPDX-License-Identifier: Apache-2.0 */
/* app/process.c -- daemon, pid file, user, root directory. */
#include "app/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the parent waits for the daemon's status; -1: nobody waits. */
static int parent_pipe = -1;
/* /dev/null, which the new root directory may not have. */
static int null = -1;

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

	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1 || pipe2(fds, O_CLOEXEC) == -1)
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
	for (int i = 0; i <= STDERR_FILENO; i++)
		dup2(null, i);
	if (null > STDERR_FILENO)
		close(null);
	null = -1;
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

/* `option`: what asked for it. */
static bool
failed(const char *what, const char *option)
{
	int error = errno;

	log_err(&log_main, "%s: %s (%d); %s %s", what, strerror(error), error,
	    error == EPERM ? "only root may do that: start as root, or leave out" : "look at",
	    option);
	errno = error;
	return false;
}

bool
process_enter_root(const struct process_conf *conf)
{
	char option[PATH_MAX + 16];

	if (conf->chroot == NULL)
		return true;
	snprintf(option, sizeof(option), "chroot = %s", conf->chroot);
	if (chroot(conf->chroot) == -1)
		return failed("chroot", option);
	if (chdir("/") == -1)
		return failed("chdir", option);
	log_notice(&log_main, "Switched to chroot directory: %s", conf->chroot);
	return true;
}

bool
process_drop_privileges(const struct process_conf *conf)
{
	gid_t gid = (gid_t)conf->gid;
	uid_t uid = (uid_t)conf->uid;

	if (conf->gid != -1 && setgroups(1, &gid) == -1)
		return failed("setgroups", "setgid");
	if (conf->gid != -1 && setresgid(gid, gid, gid) == -1)
		return failed("setgid", "setgid");
	if (conf->uid == -1)
		return true;
	if (conf->gid == -1 && geteuid() == 0) {
		if (setgroups(0, NULL) == -1)
			return failed("setgroups", "setuid");
		log_warn(&log_main, "setuid without setgid keeps the group %ld; set setgid, too",
		    (long)getgid());
	}
	if (setresuid(uid, uid, uid) == -1)
		return failed("setuid", "setuid");
	/* A saved id or a capability that survived would make all of this a show. */
	if (uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return failed("setuid: root could be regained", "setuid");
	}
	return true;
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
		{ "control", same_text(old->control, now->control) },
		{ "setuid", old->uid == now->uid },
		{ "setgid", old->gid == now->gid },
		{ "nameServers", same_text(old->name_servers, now->name_servers) },
		{ "sandbox", old->sandbox == now->sandbox },
	};

	for (size_t i = 0; i < COUNT_OF(fixed); i++)
		if (!fixed[i].same)
			log_warn(&log_main,
			    "The new value of \"%s\" takes effect at the next start only",
			    fixed[i].option);
}
