/* SPDX-License-Identifier: Apache-2.0 */
/* app/priv.c -- the side of the privileged helper that has none. */
#include "app/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PRIV_MAGIC = 0x3d92e61f, PRIV_FILES_MAGIC = 0x2b6c0f58 };

struct priv_files {
	struct files files; /* first: what callers hold is this */
	unsigned magic;
	struct priv *priv;
};

struct priv_binder {
	struct binder binder; /* first */
	struct priv *priv;
};

struct priv_maker {
	struct sock_maker maker; /* first */
	struct priv *priv;
};

struct priv_hand {
	struct netlink_hand hand; /* first */
	struct priv *priv;
};

struct priv {
	unsigned magic;
	int sock, root, start; /* -1: none */
	pid_t pid;	       /* of the helper; 0: not started */
	pthread_mutex_t lock;  /* one question at a time */
	struct ask ask;
	struct priv_files files;
	struct priv_binder binder;
	struct priv_maker maker;
	struct priv_hand hand;
};

/* ---- questions ---- */

/* Send p->ask and wait for the answer.  The lock is held. */
static int
exchange(struct priv *p, struct answer *answer)
{
	if (send(p->sock, &p->ask, sizeof(p->ask), MSG_NOSIGNAL) == (ssize_t)sizeof(p->ask))
		return keeper_take_answer(p->sock, answer);
	answer->error = EPIPE;
	return -1;
}

/* Ask once for nothing that is not said; the lock is held from here to the answer. */
static void
begin_question(struct priv *p, enum ask_for what)
{
	CHECK_OBJ(p, PRIV_MAGIC);
	pthread_mutex_lock(&p->lock);
	memset(&p->ask, 0, sizeof(p->ask));
	p->ask.what = what;
}

/* -1 with errno set, or the descriptor; errno is 0 where all is well without one. */
static int
end_question(struct priv *p, struct answer *answer)
{
	int fd = exchange(p, answer);

	pthread_mutex_unlock(&p->lock);
	errno = answer->error;
	return fd;
}

/* As end_question(), of the usual ones.  `inode`, if it is there, goes along and comes back. */
static int
ask_for(struct priv *p, enum ask_for what, const char *path, const struct addr *addr, ino_t *inode)
{
	struct answer answer = { 0 };
	int fd;

	if (path != NULL && strlen(path) >= sizeof(p->ask.path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	begin_question(p, what);
	if (path != NULL)
		memcpy(p->ask.path, path, strlen(path));
	if (addr != NULL)
		p->ask.addr = *addr;
	if (inode != NULL)
		p->ask.inode = *inode;
	fd = end_question(p, &answer);
	if (inode != NULL)
		*inode = answer.inode;
	return fd;
}

/* ---- files ---- */

static struct priv_files *
files_of(struct files *files)
{
	struct priv_files *f = (struct priv_files *)files;

	CHECK_OBJ(f, PRIV_FILES_MAGIC);
	return f;
}

static bool
read_file(struct files *files, const char *path, struct file *out)
{
	return files_read_descriptor(
	    ask_for(files_of(files)->priv, ASK_FILE, path, NULL, NULL), out);
}

/* Texts with a NUL behind each as a list, as files->list gives it. */
static char **
split_names(const struct file *f)
{
	const char *p = f->data, *end = f->data + f->size;
	char **names;
	size_t n = 0;

	for (size_t i = 0; i < f->size; i++)
		n += f->data[i] == '\0';
	if ((names = calloc(n + 1, sizeof(*names))) == NULL)
		return NULL;
	for (size_t i = 0; i < n && p < end; i++, p += strlen(p) + 1)
		if ((names[i] = strdup(p)) == NULL) {
			files_list_free(names);
			return NULL;
		}
	return names;
}

static char **
list_files(struct files *files, const char *path)
{
	int fd = ask_for(files_of(files)->priv, ASK_DIRECTORY, path, NULL, NULL);
	char **names;
	struct file f;

	if (!files_read_descriptor(fd, &f))
		return NULL;
	names = split_names(&f);
	file_done(&f);
	return names;
}

struct files *
priv_files(struct priv *p)
{
	return &p->files.files;
}

/* ---- listening sockets ---- */

static int
listen_at(struct binder *b, const struct addr *addr, const struct service_conf *conf, ino_t *inode)
{
	struct priv *p = ((struct priv_binder *)b)->priv;
	int fd;

	*inode = 0;
	if (addr_is_unix(addr)) /* the path is meant from outside of the chroot */
		return ask_for(p, ASK_LISTEN, NULL, addr, inode);
	fd = sock_listen(addr, &conf->sock.side[SOCK_ACCEPT], (uid_t)-1, (gid_t)-1);
	if (fd == -1 && (errno == EACCES || errno == EPERM))
		fd = ask_for(p, ASK_LISTEN, NULL, addr, NULL);
	return fd;
}

static void
remove_socket(struct binder *b, const struct addr *addr, ino_t inode)
{
	(void)ask_for(((struct priv_binder *)b)->priv, ASK_REMOVE, NULL, addr, &inode);
}

struct binder *
priv_binder(struct priv *p)
{
	return &p->binder.binder;
}

/* ---- sockets that come from elsewhere ---- */

/* An address that says its family, and no more. */
static struct addr
any_of(int family)
{
	const struct addr any = {
		.sa.sa_family = (sa_family_t)family,
		.len = family == AF_INET6 ? sizeof(any.in6) : sizeof(any.in),
	};

	return any;
}

static int
make_foreign(struct sock_maker *m, int family)
{
	const struct addr any = any_of(family);

	return ask_for(((struct priv_maker *)m)->priv, ASK_FOREIGN, NULL, &any, NULL);
}

struct sock_maker *
priv_maker(struct priv *p)
{
	return &p->maker.maker;
}

/* ---- the network ---- */

static bool
order(struct netlink_hand *h, const struct netlink_order *o)
{
	struct priv *p = ((struct priv_hand *)h)->priv;
	struct answer answer = { 0 };

	begin_question(p, ASK_ORDER);
	p->ask.order = *o;
	(void)end_question(p, &answer);
	return answer.error == 0;
}

static int
open_device(struct netlink_hand *h, char name[IFNAMSIZ], bool several)
{
	struct priv *p = ((struct priv_hand *)h)->priv;
	struct answer answer = { 0 };
	int fd;

	begin_question(p, ASK_DEVICE);
	memcpy(p->ask.path, name, strnlen(name, IFNAMSIZ - 1));
	p->ask.inode = several;
	if ((fd = end_question(p, &answer)) != -1)
		memcpy(name, answer.device, IFNAMSIZ);
	return fd;
}

static char
forward(struct netlink_hand *h, int family, char to)
{
	struct priv *p = ((struct priv_hand *)h)->priv;
	const struct addr any = any_of(family);
	ino_t setting = (ino_t)to;

	(void)ask_for(p, ASK_FORWARD, NULL, &any, &setting);
	return (char)setting;
}

struct netlink_hand *
priv_hand(struct priv *p)
{
	return &p->hand.hand;
}

/* ---- life ---- */

bool
priv_is_needed(const struct process_conf *conf)
{
	return geteuid() == 0 && (conf->uid != -1 || conf->chroot != NULL);
}

struct priv *
priv_new(void)
{
	struct priv *p;

	if (OBJ_NEW(p, PRIV_MAGIC) == NULL)
		return NULL;
	p->sock = -1;
	p->files = (struct priv_files){ { read_file, list_files }, PRIV_FILES_MAGIC, p };
	p->binder = (struct priv_binder){ { listen_at, remove_socket }, p };
	p->maker = (struct priv_maker){ { make_foreign }, p };
	p->hand = (struct priv_hand){ { order, open_device, forward }, p };
	p->start = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	p->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->start != -1 && p->root != -1 && pthread_mutex_init(&p->lock, NULL) == 0)
		return p;
	priv_free(p);
	return NULL;
}

/* What led out of the chroot is the helper's alone. */
static void
close_ways_out(struct priv *p)
{
	if (p->start != -1)
		close(p->start);
	if (p->root != -1)
		close(p->root);
	p->start = p->root = -1;
}

void
priv_read_again(struct priv *p)
{
	(void)ask_for(p, ASK_PLAN, NULL, NULL, NULL);
	if (errno == EPERM)
		log_warn(&log_main, "The configuration can be changed by the user that setuid "
				    "names, so only what that "
				    "user may read is loaded; let it belong to root");
	else if (errno != 0)
		log_err(&log_main, "The privileged helper cannot read the configuration: %s (%d)",
		    strerror(errno), errno);
}

bool
priv_start(struct priv *p, const struct source *source, const struct process_conf *conf,
    struct pid_file *pid_file)
{
	struct keeper k = { .root = p->root,
		.start = p->start,
		.path = source->path,
		.text = source->text,
		.pid = pid_file };
	int pair[2];

	k.user.uid = conf->uid != -1 ? (uid_t)conf->uid : 0;
	k.user.gid = conf->gid != -1 ? (gid_t)conf->gid : getgid();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		goto fail;
	if ((p->pid = fork()) == 0) {
		k.sock = pair[1];
		keeper_run(&k);
	}
	close(pair[1]);
	if (p->pid == -1) {
		close(pair[0]);
		p->pid = 0;
		goto fail;
	}
	p->sock = pair[0];
	close_ways_out(p);
	log_debug(&log_main, "Privileged helper started (PID=%ld)", (long)p->pid);
	priv_read_again(p);
	return true;
fail:
	log_err(&log_main, "Cannot start the privileged helper: %s (%d)", strerror(errno), errno);
	return false;
}

int
priv_socket(const struct priv *p)
{
	return p->sock;
}

bool
priv_is_gone(const struct priv *p)
{
	char byte;

	return recv(p->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

int
priv_remove_pid_file(struct priv *p)
{
	(void)ask_for(p, ASK_LEAVE, NULL, NULL, NULL);
	return errno;
}

void
priv_free(struct priv *p)
{
	if (p == NULL)
		return;
	CHECK_OBJ(p, PRIV_MAGIC);
	if (p->pid > 0) {
		close(p->sock);
		while (waitpid(p->pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	close_ways_out(p);
	pthread_mutex_destroy(&p->lock);
	OBJ_FREE(p);
}
