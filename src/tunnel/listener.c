/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/listener.c -- listening sockets. */
#include "tunnel/listener.h"

#include "tunnel/activation.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTENER_MAGIC = 0x70c4e18b };

static struct binder *binder; /* NULL: we do it ourselves */

void
listener_use(struct binder *b)
{
	binder = b;
}

static void
listener_free(struct listener *l)
{
	listener_close(l);
	free(l->service);
	OBJ_FREE(l);
}

/* The inode of the file behind a UNIX socket; 0 for others. */
static ino_t
socket_file(const struct addr *a)
{
	struct stat st;

	return addr_is_unix(a) && lstat(a->un.sun_path, &st) == 0 ? st.st_ino : 0;
}

void
listener_configure(const struct listener *l, const struct service_conf *conf)
{
	const char *option = NULL;

	if (!addr_is_unix(&l->bound))
		option = sock_apply(l->fd, &conf->sock.on_listener);
	if (option != NULL)
		log_warn(&log_main, "Service [%s]: cannot set the socket option %s: %s (%d)",
		    conf->name, option, strerror(errno), errno);
}

static int
bind_and_listen(const struct addr *a, const struct service_conf *conf, ino_t *inode)
{
	int fd;

	if (binder != NULL)
		return binder->listen(binder, a, conf, inode);
	fd = sock_listen(a, &conf->sock.side[SOCK_ACCEPT], (uid_t)conf->uid, (gid_t)conf->gid);
	*inode = fd != -1 ? socket_file(a) : 0;
	return fd;
}

static void
remove_file(const struct addr *a, ino_t inode)
{
	if (binder != NULL)
		binder->remove(binder, a, inode);
	else if (socket_file(a) == inode)
		unlink(a->un.sun_path);
}

/* Not yet a socket; NULL: logged. */
static struct listener *
listener_new(const struct addr *wanted, const struct service_conf *conf)
{
	struct listener *l;

	if (OBJ_NEW(l, LISTENER_MAGIC) != NULL) {
		l->refs = 1;
		l->fd = -1;
		l->wanted = *wanted;
		if ((l->service = strdup(conf->name)) != NULL)
			return l;
		OBJ_FREE(l);
	}
	log_err(&log_main, "Binding service [%s]: out of memory", conf->name);
	return NULL;
}

/* It listens: where, and for whom. */
static struct listener *
announce(struct listener *l, const struct service_conf *conf)
{
	char text[ADDR_TEXT];

	l->bound = (struct addr){ .len = sizeof(l->bound.un) };
	if (getsockname(l->fd, &l->bound.sa, &l->bound.len) == -1)
		l->bound = l->wanted;
	listener_configure(l, conf);
	log_info(&log_main, "Service [%s] (FD=%d) bound to %s", conf->name, l->fd,
	    addr_text(&l->bound, text));
	return l;
}

/* What to do about it: a line of its own, for programs know the one before. */
static void
advise(int error, const struct addr *wanted, const struct service_conf *conf)
{
	static const struct {
		int error;
		const char *tcp, *file;
	} rows[] = {
		{ EADDRINUSE, "another program listens there (\"ss -ltnp\" names it)",
		    "another program listens there, or it is no socket" },
		{ EADDRNOTAVAIL, "no interface of this machine has the address", NULL },
		{ EACCES, "a port below 1024 needs root or CAP_NET_BIND_SERVICE",
		    "this user may not write in its directory" },
		{ ENOENT, NULL, "its directory does not exist" },
	};
	const char *words = NULL;
	char text[ADDR_TEXT];

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].error == error)
			words = addr_is_unix(wanted) ? rows[i].file : rows[i].tcp;
	if (words != NULL)
		log_notice(&log_main, "Service [%s]: cannot listen at %s: %s", conf->name,
		    addr_text(wanted, text), words);
}

struct listener *
listener_open(const struct addr *wanted, const struct service_conf *conf)
{
	struct listener *l = listener_new(wanted, conf);
	char text[ADDR_TEXT];
	int error;

	if (l == NULL)
		return NULL;
	l->fd = bind_and_listen(wanted, conf, &l->inode);
	if (l->fd != -1)
		return announce(l, conf);
	error = errno;
	log_notice(&log_main, "Binding service [%s] to %s: %s (%d)", conf->name,
	    addr_text(wanted, text), strerror(error), error);
	advise(error, wanted, conf);
	listener_free(l);
	return NULL;
}

struct listener *
listener_take(unsigned i, const struct service_conf *conf)
{
	struct listener *l = listener_new(&(struct addr){ .len = 0 }, conf);

	if (l == NULL)
		return NULL;
	l->given = i + 1;
	l->fd = activation_fd(i);
	if (l->fd != -1)
		return announce(l, conf);
	log_err(&log_main, "Binding service [%s] to socket \"%s\" of systemd: %s (%d)", conf->name,
	    activation_name(i), strerror(errno), errno);
	listener_free(l);
	return NULL;
}

struct listener *
listener_hold(struct listener *l)
{
	atomic_fetch_add(&l->refs, 1);
	return l;
}

void
listener_release(struct listener *l)
{
	CHECK_OBJ(l, LISTENER_MAGIC);
	if (atomic_fetch_sub(&l->refs, 1) == 1)
		listener_free(l);
}

void
listener_close(struct listener *l)
{
	if (l->fd == -1)
		return;
	if (l->inode != 0)
		remove_file(&l->wanted, l->inode);
	close(l->fd);
	l->fd = -1;
}

bool
listener_serves(const struct listener *l, const struct addr *wanted, const char *service)
{
	if (l->fd == -1 || l->given != 0 || !addr_equal(&l->wanted, wanted))
		return false;
	return addr_port(wanted) != 0 || addr_is_unix(wanted) || strcmp(l->service, service) == 0;
}

bool
listener_answers(const struct listener *l, const struct addr *addr)
{
	if (addr_equal(&l->bound, addr))
		return true;
	return addr_is_wildcard(&l->bound) && !addr_is_unix(addr) &&
	       addr_port(addr) == addr_port(&l->bound) && addr_is_local(addr);
}
