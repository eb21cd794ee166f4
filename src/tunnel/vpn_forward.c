/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_forward.c -- may the kernel hand packets on from one network to another? */
#include "tunnel/vpn_forward.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	const char *file;
	unsigned users;
	bool was_off;
} settings[PPP_FAMILIES] = {
	[PPP_IPV4] = { .file = "/proc/sys/net/ipv4/ip_forward" },
	[PPP_IPV6] = { .file = "/proc/sys/net/ipv6/conf/all/forwarding" },
};

const char *
vpn_forward_file(enum ppp_family family)
{
	return settings[family].file;
}

/* The setting as it was, or '\0' with errno set. */
static char
change(const char *file, char to)
{
	int fd = open(file, O_RDWR | O_CLOEXEC), error;
	char was = '\0';

	if (fd == -1)
		return '\0';
	if (pread(fd, &was, 1, 0) != 1 || (was != to && pwrite(fd, &to, 1, 0) != 1))
		was = '\0';
	error = errno;
	close(fd);
	errno = error;
	return was;
}

bool
vpn_forward_begin(enum ppp_family family)
{
	char was = '1';

	pthread_mutex_lock(&lock);
	if (settings[family].users == 0) {
		was = change(settings[family].file, '1');
		settings[family].was_off = was == '0';
	}
	settings[family].users += was != '\0';
	pthread_mutex_unlock(&lock);
	return was != '\0';
}

bool
vpn_forward_end(enum ppp_family family)
{
	bool done = true;

	pthread_mutex_lock(&lock);
	if (--settings[family].users == 0 && settings[family].was_off)
		done = change(settings[family].file, '0') != '\0';
	pthread_mutex_unlock(&lock);
	return done;
}
