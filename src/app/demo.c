/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/demo.c -- ginnel demo.
 *
 * Three processes: this one tells the story and makes the request, one is a plain HTTP server, and
 * one runs ginnel with a configuration that the reader may copy.
 */
#include "app/demo.h"

#include "app/demo_backend.h"
#include "app/exit_status.h"
#include "app/run.h"
#include "tls/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	READY_TRIES = 200, /* of 25 ms */
	READY_PAUSE_MS = 25,
};

struct demo {
	char dir[64];
	char conf[96];
	unsigned short backend, server, client; /* ports on 127.0.0.1 */
	pid_t backend_pid, ginnel_pid;
	bool colour;
};

static const char *const files[] = { "ca.pem", "server.pem", "client.pem", "demo.conf",
	"demo.log" };

/* ---- the story ---- */

static void say(const struct demo *, const char *head, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
say(const struct demo *d, const char *head, const char *fmt, ...)
{
	va_list ap;

	printf("%s%-13s%s ", d->colour ? "\033[1;36m" : "", head, d->colour ? "\033[0m" : "");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	(void)fflush(stdout);
}

static int
fail(const char *what)
{
	fprintf(stderr, "ginnel demo: %s: %s\n", what, strerror(errno));
	return EXIT_FAILED;
}

static void
introduce(const struct demo *d)
{
	say(d, "certificates", "a throw-away CA, one for the server and one for the client, in %s",
	    d->dir);
	say(d, "plain server", "127.0.0.1:%u speaks HTTP and knows nothing of TLS", d->backend);
	say(d, "[server]", "TLS on 127.0.0.1:%u, for clients with a certificate of the CA -> %u",
	    d->server, d->backend);
	say(d, "[client]",
	    "plain on 127.0.0.1:%u -> TLS to %u, with its certificate, checking the name",
	    d->client, d->server);
}

static void
invite(const struct demo *d)
{
	printf("\nTry it (the second is refused: it shows no certificate):\n\n"
	       "  curl http://127.0.0.1:%u/\n"
	       "  curl --cacert %s/ca.pem https://localhost:%u/\n"
	       "  curl --cacert %s/ca.pem --cert %s/client.pem https://localhost:%u/\n"
	       "  openssl s_client -connect 127.0.0.1:%u -CAfile %s/ca.pem -cert %s/client.pem\n\n"
	       "The configuration is %s/demo.conf, the log %s/demo.log.  ^C ends it all.\n",
	    d->client, d->dir, d->server, d->dir, d->dir, d->server, d->server, d->dir, d->dir,
	    d->dir, d->dir);
	(void)fflush(stdout);
}

/* ---- the pieces ---- */

/* A port that is free now: the wanted one, or any. */
static unsigned short
free_port(unsigned short wanted)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(wanted),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	unsigned short port = 0;

	if (fd == -1)
		return 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&sin, &len) == 0)
		port = ntohs(sin.sin_port);
	close(fd);
	return port == 0 && wanted != 0 ? free_port(0) : port;
}

static bool
write_conf(const struct demo *d)
{
	FILE *f = fopen(d->conf, "we");

	if (f == NULL)
		return false;
	fprintf(f,
	    "; Made by \"ginnel demo\": both sides of a tunnel with mutual authentication.\n"
	    "foreground = quiet\n"
	    "syslog = no\n"
	    "output = %s/demo.log\n"
	    "debug = info\n\n"
	    "[server]\n"
	    "accept = 127.0.0.1:%u\n"
	    "connect = 127.0.0.1:%u\n"
	    "cert = %s/server.pem\n"
	    "CAfile = %s/ca.pem\n"
	    "verifyChain = yes\n\n"
	    "[client]\n"
	    "client = yes\n"
	    "accept = 127.0.0.1:%u\n"
	    "connect = 127.0.0.1:%u\n"
	    "cert = %s/client.pem\n"
	    "CAfile = %s/ca.pem\n"
	    "verifyChain = yes\n"
	    "checkHost = localhost\n",
	    d->dir, d->server, d->backend, d->dir, d->dir, d->client, d->server, d->dir, d->dir);
	return fclose(f) == 0;
}

static pid_t
start_ginnel(const struct demo *d)
{
	const struct source source = { .path = d->conf };
	pid_t pid = fork();

	if (pid == 0)
		_exit(run(&source));
	return pid;
}

/* Connect to `port` on loopback; -1 with errno set. */
static int
reach(unsigned short port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), cause;

	if (fd == -1 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0)
		return fd;
	cause = errno;
	close(fd);
	errno = cause;
	return -1;
}

/* ginnel needs a moment to load its certificates; it may also have failed. */
static int
reach_when_ready(struct demo *d)
{
	int fd = -1;

	for (int i = 0; i < READY_TRIES && (fd = reach(d->client)) == -1; i++) {
		if (waitpid(d->ginnel_pid, NULL, WNOHANG) == d->ginnel_pid) {
			d->ginnel_pid = 0;
			return -1;
		}
		poll(NULL, 0, READY_PAUSE_MS);
	}
	return fd;
}

/* One request through both tunnels.  True: the answer came. */
static bool
request(struct demo *d)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	char answer[1024];
	const char *body;
	size_t n = 0;
	ssize_t got;
	int fd = reach_when_ready(d);

	if (fd == -1)
		return false;
	if (send(fd, get, sizeof(get) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(get) - 1)
		while (n < sizeof(answer) - 1 &&
		       (got = read(fd, answer + n, sizeof(answer) - 1 - n)) > 0)
			n += (size_t)got;
	close(fd);
	answer[n] = '\0';
	if ((body = strstr(answer, "\r\n\r\n")) == NULL)
		return false;
	say(d, "request", "GET http://127.0.0.1:%u/  (plain -> TLS -> plain)", d->client);
	say(d, "answer", "%.*s: %.*s", (int)strcspn(answer, "\r"), answer,
	    (int)strcspn(body + 4, "\n"), body + 4);
	return true;
}

/* ---- beginning and end ---- */

static void
end_process(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static void
clean_up(struct demo *d)
{
	char path[128];

	end_process(d->ginnel_pid);
	end_process(d->backend_pid);
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", d->dir, files[i]);
		unlink(path);
	}
	rmdir(d->dir);
}

/* Wait for ^C, or for ginnel's end. */
static void
stay(struct demo *d)
{
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigwait(&set, &number);
	(void)d;
}

static void
block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool
prepare(struct demo *d)
{
	char why[256] = "";

	snprintf(d->dir, sizeof(d->dir), "/tmp/ginnel-demo-XXXXXX");
	if (mkdtemp(d->dir) == NULL)
		return fail("cannot make a directory in /tmp"), false;
	snprintf(d->conf, sizeof(d->conf), "%s/demo.conf", d->dir);
	if (!pki_demo_write(d->dir, why, sizeof(why))) {
		fprintf(stderr, "ginnel demo: cannot make certificates: %s\n", why);
		return false;
	}
	d->server = free_port(8443);
	d->client = free_port(8080);
	if ((d->backend_pid = demo_backend_start(&d->backend)) == -1)
		return fail("cannot start the plain server"), false;
	return write_conf(d) || (fail("cannot write the configuration"), false);
}

int
demo(const char *mode)
{
	struct demo d = { .colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL };
	int status = EXIT_FAILED;

	if (mode != NULL && strcmp(mode, "--once") != 0) {
		fprintf(stderr, "usage: ginnel demo [--once]\n");
		return EXIT_WRONG_USAGE;
	}
	block_signals();
	if (prepare(&d)) {
		introduce(&d);
		d.ginnel_pid = start_ginnel(&d);
		if (d.ginnel_pid > 0 && request(&d))
			status = EXIT_DONE;
		else
			fprintf(stderr, "ginnel demo: no answer came; see what is above\n");
	}
	if (status == EXIT_DONE && mode == NULL) {
		invite(&d);
		stay(&d);
	}
	clean_up(&d);
	return status;
}
