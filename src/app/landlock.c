/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/landlock.c -- the file system narrowed by Landlock, landlock(7).
 *
 * By its system calls, for which glibc has no functions.  The names of what newer kernels add are
 * ours, so that it is not the build's headers that decide what the kernel is asked for.
 */
#include "app/landlock.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The access rights of <linux/landlock.h>, by the version that brought them. */
enum {
	RIGHT_EXECUTE = 1 << 0,
	RIGHT_WRITE_FILE = 1 << 1,
	RIGHT_READ_FILE = 1 << 2,
	RIGHT_READ_DIR = 1 << 3,
	RIGHT_REMOVE_FILE = 1 << 5,
	RIGHT_MAKE_REG = 1 << 8,
	RIGHT_MAKE_SOCK = 1 << 9,
	RIGHT_TRUNCATE = 1 << 14,
	RIGHT_IOCTL_DEV = 1 << 15,
	RIGHTS_1 = (1 << 13) - 1,
	RIGHTS_2 = (1 << 14) - 1, /* and REFER */
	RIGHTS_3 = (1 << 15) - 1, /* and TRUNCATE */
	RIGHTS_5 = (1 << 16) - 1, /* and IOCTL_DEV */
	FOR_FILES =
	    RIGHT_EXECUTE | RIGHT_WRITE_FILE | RIGHT_READ_FILE | RIGHT_TRUNCATE | RIGHT_IOCTL_DEV,

	CREATE_VERSION = 1, /* a flag of landlock_create_ruleset() */
	RULE_PATH = 1,
};

/* As the kernel knows them: struct landlock_ruleset_attr and landlock_path_beneath_attr. */
struct ruleset_attr {
	uint64_t fs;
};
struct path_attr {
	uint64_t rights;
	int32_t fd;
} __attribute__((packed));

static const struct {
	unsigned may;
	uint64_t rights;
} meanings[] = {
	{ LANDLOCK_READ, RIGHT_READ_FILE | RIGHT_READ_DIR },
	{ LANDLOCK_WRITE, RIGHT_WRITE_FILE | RIGHT_MAKE_REG | RIGHT_MAKE_SOCK | RIGHT_REMOVE_FILE |
			      RIGHT_TRUNCATE | RIGHT_IOCTL_DEV },
	{ LANDLOCK_RUN, RIGHT_EXECUTE },
};

int
landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

	return version > 0 ? (int)version : 0;
}

static uint64_t
known_rights(int version)
{
	return version >= 5   ? RIGHTS_5
	       : version >= 3 ? RIGHTS_3
	       : version == 2 ? RIGHTS_2
			      : RIGHTS_1;
}

static int
add_place(int ruleset, const struct landlock_place *place, uint64_t known)
{
	struct path_attr rule = { .fd = open(place->path, O_PATH | O_CLOEXEC) };
	struct stat st;
	int error = 0;

	if (rule.fd == -1)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : errno;
	for (size_t i = 0; i < COUNT_OF(meanings); i++)
		if (place->may & meanings[i].may)
			rule.rights |= meanings[i].rights;
	rule.rights &= known;
	if (fstat(rule.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.rights &= FOR_FILES; /* others are refused for what is no directory */
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0) == -1)
		error = errno;
	close(rule.fd);
	return error;
}

int
landlock_enter(const struct landlock_place *places, unsigned n)
{
	const struct ruleset_attr attr = { .fs = known_rights(landlock_version()) };
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0), error = 0;

	if (fd == -1)
		return errno;
	for (unsigned i = 0; error == 0 && i < n; i++)
		error = add_place(fd, &places[i], attr.fs);
	if (error == 0 && syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		error = errno;
	close(fd);
	return error;
}
