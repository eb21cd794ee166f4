/* SPDX-License-Identifier: Apache-2.0 */
/* tls/passphrase.c -- the passphrase of a key, asked for on the terminal. */
#include "tls/passphrase.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	PASS_TRIES = 3, /* typing errors */
	PROMPT_ROOM = 4096,
};

/*
 * Services often share one encrypted key: what was typed for the first is tried for the next.  Used
 * only while the program starts, when there is one thread.
 */
static char known_pass[PASS_MAX];
static bool asking_is_over;

void
passphrase_stop_asking(void)
{
	OPENSSL_cleanse(known_pass, sizeof(known_pass));
	asking_is_over = true;
}

static bool
has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* OpenSSL wipes `buf`. */
int
passphrase_give(char *buf, int size, int writing, void *arg)
{
	struct lock *lock = arg;
	char prompt[PROMPT_ROOM];

	(void)writing;
	lock->encrypted = true;
	if (size > PASS_MAX)
		size = PASS_MAX;
	if (!lock->use_known) {
		if (!lock->may_ask || asking_is_over || !has_terminal()) {
			lock->no_way = true;
			return -1;
		}
		snprintf(prompt, sizeof(prompt), "Enter pass phrase for %s:", lock->path);
		if (EVP_read_pw_string_min(known_pass, 0, PASS_MAX - 1, prompt, 0) != 0) {
			lock->no_way = true;
			return -1;
		}
	}
	snprintf(buf, (size_t)size, "%s", known_pass);
	return (int)strlen(buf);
}

bool
passphrase_try(struct lock *lock, bool (*open_it)(void *what, struct lock *), void *what)
{
	lock->use_known = known_pass[0] != '\0';
	for (int tries = 0; tries < PASS_TRIES; tries++) {
		ERR_clear_error();
		if (open_it(what, lock))
			return true;
		if (!lock->encrypted || lock->no_way)
			break;
		if (lock->use_known)
			tries--; /* nobody has typed anything yet */
		lock->use_known = false;
	}
	return false;
}
