/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keeper.c -- any bytes as messages to the privileged helper: what it hands out is
 * what the configuration names, and nothing else.
 *
 * An input is messages, one behind the other: what is asked for, where the bytes go, how many they
 * are, and they.
 */
#include "app/keeper.h"
#include "kit/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { MESSAGES_MAX = 64 };

static struct pid_file no_pid = { .dir = -1, .fd = -1 };
static struct keeper keeper;
static int sock;

static void
clean(void)
{
	static const char *const files[] = { "cert", "dir/a.0", "sock" };

	for (size_t i = 0; i < COUNT_OF(files); i++)
		(void)unlink(keeper_path(files[i]));
	(void)rmdir(keeper_path("dir"));
	(void)rmdir(keeper_folder());
}

static void
prepare(void)
{
	static char text[512];
	int pair[2];

	(void)atexit(clean);
	MUST(mkdir(keeper_path("dir"), 0700) == 0);
	keeper_make("cert", "secret", 0600);
	keeper_make("dir/a.0", "secret", 0600);
	/* No VPN: its devices and routes would be made. */
	(void)snprintf(text, sizeof(text),
	    "[a]\naccept = %s/sock\nconnect = 1\ncert = cert\nCApath = dir\n", keeper_folder());
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	keeper = (struct keeper){ .sock = pair[0],
		.root = -1,
		.start = open(keeper_folder(), O_PATH | O_CLOEXEC),
		.path = "none",
		.text = text,
		.user = { geteuid(), getegid() },
		.pid = &no_pid };
	sock = pair[1];
	MUST(keeper.start != -1);
}

/* A file named `name`, or one of the directory, and never a way out of the jail. */
static void
check_descriptor(const struct ask *ask, int fd)
{
	struct stat st;

	MUST(fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode));
	switch (ask->what) {
	case ASK_FILE:
		MUST(strcmp(ask->path, "cert") == 0 || strncmp(ask->path, "dir/", 4) == 0);
		MUST(strstr(ask->path, "..") == NULL);
		break;
	case ASK_DIRECTORY:
		MUST(strcmp(ask->path, "dir") == 0);
		break;
	case ASK_LISTEN:
		MUST(ask->addr.sa.sa_family == AF_UNIX &&
		     strcmp(ask->addr.un.sun_path, keeper_path("sock")) == 0);
		break;
	default:
		MUST(!"nothing else is handed out");
	}
}

/* False: it was the end. */
static bool
send_one(struct service_desk *d, const struct ask *ask, size_t n)
{
	struct answer answer;
	int fd;

	MUST(send(sock, ask, n, MSG_DONTWAIT) == (ssize_t)n);
	if (!keeper_serve(d))
		return false;
	MUST(n == sizeof(*ask) && ask->what < ASK_KINDS);
	fd = keeper_take_answer(sock, &answer);
	MUST(answer.error >= 0 && answer.error != EPIPE && (fd == -1 || answer.error == 0));
	if (fd != -1) {
		check_descriptor(ask, fd);
		close(fd);
	}
	return true;
}

static void
fill(struct ask *ask, uint8_t where, const uint8_t *data, size_t n)
{
	void *to[] = { ask->path, &ask->addr, &ask->order, ask };
	const size_t room[] = { sizeof(ask->path), sizeof(ask->addr), sizeof(ask->order),
		sizeof(*ask) };
	unsigned i = where % COUNT_OF(to);

	memcpy(to[i], data, n < room[i] ? n : room[i]);
	if ((where & 0x80) == 0)
		return;
	/* Where the one socket is that may be asked for. */
	ask->addr = (struct addr){ .len = sizeof(ask->addr.un), .un.sun_family = AF_UNIX };
	memcpy(ask->addr.un.sun_path, keeper_path("sock"), strlen(keeper_path("sock")) + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct service_desk *d;
	bool goes_on = true;

	if (sock == 0)
		prepare();
	MUST((d = keeper_open(&keeper)) != NULL);
	for (unsigned i = 0; i < MESSAGES_MAX && goes_on && n >= 3; i++) {
		struct ask ask = { .what = data[0] };
		size_t size = data[2] < n - 3 ? data[2] : n - 3;

		fill(&ask, data[1], data + 3, size);
		/* A message of another length, now and then. */
		goes_on = send_one(d, &ask, (data[1] & 0x40) != 0 ? 1 + size : sizeof(ask));
		data += 3 + size;
		n -= 3 + size;
	}
	keeper_close(d);
	return 0;
}
