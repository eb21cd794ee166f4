/* SPDX-License-Identifier: Apache-2.0 */
/* app/seccomp.c -- the system calls that the serving process may make. */
#include "app/seccomp.h"

#include "base/check.h"

#include <errno.h>

#ifdef GINNEL_SECCOMP

#include <linux/sched.h>
#include <seccomp.h>
#include <sys/socket.h>

/*
 * What the process needs, by what it is for.  A call that this processor or libseccomp does not
 * know is passed over.  Not on the list, among others: execve, ptrace, process_vm_*, kill of
 * others, mount, chroot, unshare, bpf, io_uring, keyctl, userfaultfd, perf_event_open, init_module.
 */
static const char *const allowed[] = {
	/* memory */
	"brk",
	"mmap",
	"mmap2",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"mlock",
	"mlock2",
	"munlock",
	"membarrier",
	/* threads */
	"exit",
	"exit_group",
	"futex",
	"futex_time64",
	"set_robust_list",
	"get_robust_list",
	"rseq",
	"set_tid_address",
	"gettid",
	"getpid",
	"getppid",
	"sched_yield",
	"sched_getaffinity",
	"sched_setaffinity",
	"tgkill",
	"prctl",
	"arch_prctl",
	"getcpu",
	"getpriority",
	/* signals */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigpending",
	"rt_sigtimedwait",
	"sigaltstack",
	"signalfd4",
	"restart_syscall",
	"wait4",
	"waitid",
	/* time */
	"clock_gettime",
	"clock_gettime64",
	"clock_getres",
	"clock_nanosleep",
	"nanosleep",
	"gettimeofday",
	"time",
	"times",
	/* the loop */
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"eventfd2",
	"timerfd_create",
	"timerfd_settime",
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"pipe2",
	/* sockets; `socket` itself is below */
	"accept",
	"accept4",
	"bind",
	"listen",
	"connect",
	"shutdown",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"socketpair",
	"send",
	"sendto",
	"sendmsg",
	"sendmmsg",
	"recv",
	"recvfrom",
	"recvmsg",
	"recvmmsg",
	/* descriptors and files */
	"read",
	"readv",
	"pread64",
	"write",
	"writev",
	"pwrite64",
	"close",
	"close_range",
	"dup",
	"dup2",
	"dup3",
	"fcntl",
	"fcntl64",
	"ioctl",
	"lseek",
	"_llseek",
	"open",
	"openat",
	"openat2",
	"stat",
	"lstat",
	"fstat",
	"stat64",
	"lstat64",
	"fstat64",
	"fstatat64",
	"newfstatat",
	"statx",
	"statfs",
	"fstatfs",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getdents",
	"getdents64",
	"getcwd",
	"chdir",
	"fchdir",
	"unlink",
	"unlinkat",
	"rename",
	"renameat",
	"renameat2",
	"mkdir",
	"chmod",
	"fchmod",
	"fchmodat",
	"umask",
	"ftruncate",
	"fsync",
	"fdatasync",
	"flock",
	"splice",
	"tee",
	"memfd_create",
	"fadvise64",
	/* the system */
	"getrandom",
	"uname",
	"sysinfo",
	"getrlimit",
	"setrlimit",
	"prlimit64",
	"getrusage",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getgroups",
	"getresuid",
	"getresgid",
	"getpgrp",
	"getpgid",
	"getsid",
};

/* Beyond these, what a program needs to be started (net/exec.c); itself it is held to the list. */
static const char *const for_programs[] = {
	"execve",
	"execveat",
	"vfork",
	"fork",
	"setsid",
	"setpgid",
	"kill",
	"pidfd_open",
	"pidfd_send_signal",
	"pipe",
	"clone3",
};

/* An AF_PACKET or AF_ALG socket opens parts of the kernel that no tunnel needs. */
static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

static int
allow(scmp_filter_ctx ctx, const char *const *names, size_t n)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < n; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number != __NR_SCMP_ERROR)
			error = -seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
	}
	return error;
}

static int
allow_sockets(scmp_filter_ctx ctx)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < COUNT_OF(families); i++)
		error = -seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
	return error;
}

/*
 * New threads, but no namespaces: a user namespace would give back every capability over itself.
 * clone3() hides its flags from filters; with ENOSYS glibc takes clone().
 */
static int
allow_threads(scmp_filter_ctx ctx)
{
	const scmp_datum_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

#ifdef __s390__ /* the flags are the second argument there, clone(2) */
	return -seccomp_rule_add(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, spaces, 0));
#else
	return -seccomp_rule_add(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, spaces, 0));
#endif
}

int
seccomp_enter(bool programs)
{
	/*
	 * ENOSYS, not death: a libc that tries a newer call first then takes the older one, and a
	 * call that was forgotten here costs itself and not every tunnel.
	 */
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int error;

	if (ctx == NULL)
		return ENOMEM;
	error = allow(ctx, allowed, COUNT_OF(allowed));
	if (error == 0)
		error = allow_sockets(ctx);
	if (error == 0)
		error = allow_threads(ctx);
	if (error == 0 && programs)
		error = allow(ctx, for_programs, COUNT_OF(for_programs));
	if (error == 0)
		error = -seccomp_load(ctx);
	seccomp_release(ctx);
	return error;
}

#else

int
seccomp_enter(bool programs)
{
	(void)programs;
	return ENOSYS;
}

#endif
