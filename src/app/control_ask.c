/* SPDX-License-Identifier: Apache-2.0 */
/* app/control_ask.c -- ask a running daemon, and print what it says. */
#include "app/control_ask.h"

#include "app/exit_status.h"
#include "app/process.h"
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_S = 10 };

static int
connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path));
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Print all that comes.  0, or an errno; ENODATA: nothing came. */
static int
print_answer(int fd)
{
	char piece[4096];
	bool any = false;
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0 || (n == -1 && errno == EINTR))
		if (n > 0) {
			any = true;
			if (fwrite(piece, 1, (size_t)n, stdout) != (size_t)n)
				return errno;
		}
	if (n == -1)
		return errno == EAGAIN ? ETIMEDOUT : errno;
	return any ? fflush(stdout) == 0 ? 0 : errno : ENODATA;
}

static int
ask_at(const char *path, const char *word)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s\n", word), fd = connect_to(path), error;

	if (fd == -1) {
		error = errno;
		fprintf(stderr, "ginnel: cannot ask at %s: %s%s\n", path, strerror(error),
		    error == ENOENT || error == ECONNREFUSED
			? "; is the daemon running, and with this configuration?"
		    : error == EACCES || error == EPERM
			? "; only root and the user who started the daemon may ask"
			: "");
		return error == EACCES || error == EPERM ? EXIT_NO_PERMISSION : EXIT_FAILED;
	}
	error = send(fd, line, (size_t)n, MSG_NOSIGNAL) == n ? print_answer(fd) : errno;
	close(fd);
	if (error == 0)
		return EXIT_DONE;
	fprintf(stderr, "ginnel: no answer at %s: %s\n", path,
	    error == ENODATA ? "the daemon has closed the connection; its log may tell why"
			     : strerror(error));
	return EXIT_FAILED;
}

/* The daemon's socket by its configuration, of which only the global part is of interest. */
static int
ask_by_configuration(const char *path, const char *word)
{
	struct files *files = files_system_new();
	struct config *c =
	    files != NULL ? config_read(files, path, NULL, process_sets, sizeof(struct globals))
			  : NULL;
	const struct globals *g = c != NULL ? c->globals : NULL;
	char text[512];
	int status = EXIT_BAD_CONFIG;

	if (g == NULL) {
		fprintf(stderr, "ginnel: %s\n", strerror(errno));
		status = EXIT_FAILED;
	} else if (g->process.control != NULL) {
		status = ask_at(g->process.control, word);
	} else if (c->problems != NULL && c->problems->fatal) {
		fprintf(stderr, "ginnel: %s\n", problem_text(c->problems, text, sizeof(text)));
	} else {
		fprintf(stderr,
		    "ginnel: %s does not say where its daemon can be asked; write control = PATH "
		    "before its first section, such as control = /run/ginnel.control, and start "
		    "the daemon again\n",
		    path);
	}
	config_free(c);
	files_system_free(files);
	return status;
}

int
control_ask(const char *path, const char *word)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		return ask_at(path, word);
	return ask_by_configuration(path, word);
}
