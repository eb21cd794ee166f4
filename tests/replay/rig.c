/* SPDX-License-Identifier: Apache-2.0 */
/* tests/replay/rig.c -- a worker on a fake loop, and what is around it. */
#include "rig.h"

#include "app/process.h"
#include "config/build.h"
#include "tls/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TURNS = 10000 };

static void
on_idle(void *rig)
{
	((struct rig *)rig)->idle++;
}

static void
listen_backend(struct rig *r)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	r->backend = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(r->backend, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(r->backend, 64), 0);
	assert_int_equal(getsockname(r->backend, (struct sockaddr *)&sin, &len), 0);
	r->port = ntohs(sin.sin_port);
}

/* "%u" becomes the port, "@" the directory. */
static char *
fill_in(const struct rig *r, const char *conf)
{
	static char text[4096];
	size_t n = 0;

	for (; *conf != '\0'; conf++) {
		if (*conf == '@')
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", r->dir);
		else if (conf[0] == '%' && conf[1] == 'u')
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%u", (conf++, r->port));
		else
			text[n++] = *conf;
	}
	text[n] = '\0';
	return text;
}

static void
build_plan(struct rig *r, const char *conf)
{
	struct files *files = files_system_new();
	struct config *c =
	    config_read(files, "rig", fill_in(r, conf), process_sets, sizeof(struct globals));
	char line[1024];

	assert_non_null(c);
	r->plan = config_build(c, NULL, files);
	for (const struct problem *p = c->problems; r->plan == NULL && p != NULL; p = p->next)
		fprintf(stderr, "%s\n", problem_text(p, line, sizeof(line)));
	assert_non_null(r->plan);
	files_system_free(files);
}

bool
rig_reads(struct rig *r, const char *conf)
{
	struct files *files = files_system_new();
	struct config *c = files == NULL ? NULL
					 : config_read(files, "rig", fill_in(r, conf), process_sets,
					       sizeof(struct globals));
	struct plan *plan = c != NULL ? config_build(c, r->plan, files) : NULL;

	if (plan != NULL)
		plan_release(plan);
	else
		config_free(c);
	if (files != NULL)
		files_system_free(files);
	return plan != NULL;
}

void
rig_open(struct rig *r, const char *conf)
{
	char why[256];

	memset(r, 0, sizeof(*r));
	log_main.level = LOG_EMERG;
	assert_true(tls_library_start());
	snprintf(r->dir, sizeof(r->dir), "/tmp/ginnel-rig-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	assert_true(pki_demo_write(r->dir, why, sizeof(why)));
	listen_backend(r);
	build_plan(r, conf);
	r->common = (struct common){
		.limits = { .sessions = 1000, .pending = 1000, .buffers = 1 << 30 },
		.workers = &r->worker,
		.worker_count = 1,
		.homes = homes_new(),
		.idle = on_idle,
		.owner = r,
	};
	assert_non_null(r->common.homes);
	r->worker = worker_new(&r->common, 0);
	assert_non_null(r->worker);
}

void
rig_close(struct rig *r)
{
	static const char *const names[] = { "ca.pem", "server.pem", "client.pem" };
	char path[128];

	assert_null(r->worker->pending);
	assert_null(r->worker->standing);
	assert_int_equal(pool_held(r->worker->pool), 0);
	worker_free(r->worker);
	homes_free(r->common.homes);
	plan_release(r->plan);
	close(r->backend);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", r->dir, names[i]);
		unlink(path);
	}
	rmdir(r->dir);
}

struct loop *
rig_loop(struct rig *r)
{
	return r->worker->loop;
}

static SSL *
client_ssl(const struct rig *r, int fd)
{
	static SSL_CTX *ctx;
	char path[128];
	SSL *ssl;

	if (ctx == NULL) {
		ctx = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_mode(
		    ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	}
	ssl = SSL_new(ctx);
	assert_non_null(ssl);
	if (r->certified) {
		snprintf(path, sizeof(path), "%s/client.pem", r->dir);
		assert_int_equal(SSL_use_certificate_file(ssl, path, SSL_FILETYPE_PEM), 1);
		assert_int_equal(SSL_use_PrivateKey_file(ssl, path, SSL_FILETYPE_PEM), 1);
	}
	SSL_set_fd(ssl, fd);
	SSL_set_connect_state(ssl);
	return ssl;
}

struct peer
rig_client(struct rig *r, bool tls)
{
	struct addr from = { .len = sizeof(from.in),
		.in = { .sin_family = AF_INET, .sin_port = htons(1) } };
	struct peer p = { .fd = -1 };
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	p.fd = fds[0];
	if (tls)
		p.ssl = client_ssl(r, p.fd);
	if (r->watch_start != NULL)
		r->watch_start(true);
	session_start(r->worker,
	    &(struct client){
		.service = &r->plan->services[0], .fd = fds[1], .peer = from, .seq = r->seq++ });
	if (r->watch_start != NULL)
		r->watch_start(false);
	return p;
}

struct peer
rig_backend(struct rig *r)
{
	struct peer p = { .fd = -1 };

	for (unsigned i = 0; i < TURNS && p.fd == -1; i++) {
		(void)fake_loop_turn(rig_loop(r));
		p.fd = accept4(r->backend, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	assert_true(p.fd != -1);
	return p;
}

void
rig_handshake(struct rig *r, struct peer *p)
{
	int got = -1;

	for (unsigned i = 0; i < TURNS && got != 1; i++) {
		ERR_clear_error();
		got = SSL_do_handshake(p->ssl);
		if (got != 1)
			(void)fake_loop_turn(rig_loop(r));
	}
	assert_int_equal(got, 1);
}

static long
ssl_result(struct peer *p, int n)
{
	if (n > 0)
		return n;
	switch (SSL_get_error(p->ssl, n)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -1;
	default:
		return -2;
	}
}

long
peer_read(struct peer *p, void *to, size_t n)
{
	ssize_t got;

	if (p->ssl != NULL) {
		ERR_clear_error();
		return ssl_result(p, SSL_read(p->ssl, to, (int)n));
	}
	got = recv(p->fd, to, n, 0);
	return got >= 0 ? got : errno == EAGAIN ? -1 : -2;
}

long
peer_write(struct peer *p, const void *from, size_t n)
{
	ssize_t got;

	if (p->ssl != NULL) {
		ERR_clear_error();
		return ssl_result(p, SSL_write(p->ssl, from, (int)n));
	}
	got = send(p->fd, from, n, MSG_NOSIGNAL);
	return got >= 0 ? got : errno == EAGAIN ? -1 : -2;
}

void
peer_end(struct peer *p)
{
	ERR_clear_error();
	if (p->ssl != NULL)
		SSL_shutdown(p->ssl);
	else
		shutdown(p->fd, SHUT_WR);
}

void
peer_close(struct peer *p)
{
	if (p->fd == -1)
		return;
	SSL_free(p->ssl);
	close(p->fd);
	*p = (struct peer){ .fd = -1 };
}

void
peer_reset(struct peer *p)
{
	struct linger now = { .l_onoff = 1 };

	assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	peer_close(p);
}

unsigned
rig_ended(const struct rig *r, enum reason reason)
{
	return (unsigned)r->worker->counters.ended[reason];
}
